"""What other stages leave, made up: their reports, small, but of every kind that the report reads, and a model."""
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from pipeline import report
from pipeline.gan import checkpoint, literature, sampling, training
from pipeline.gan.checkpoint import Model
from pipeline.sections import Run
from tests.conftest import FP32, ROOT, Params

CONTROLS = {"classifier_accuracy_test": 0.9931, "fid_classifier_10k_of_test_images": 0.95, "test_images": 10_000,
            "precision_classifier_10k_of_test_images": 0.71, "probe_accuracy_test_of_pixels": 0.9177,
            "probe_C_of_pixels": 0.01, "probe_accuracy_1000_labels_of_pixels": 0.8234,
            "probe_accuracy_1000_labels_interval_of_pixels": 0.0161}
SCORES = {"fid_classifier_10k_std": 0.42, "precision_classifier_10k": 0.61237, "precision_classifier_10k_std": 0.0031,
          "recall_classifier_10k": 0.25, "near_copies_pixels_2k": 0.02, "near_copies_pixels_2k_std": 0.0,
          "probe_accuracy_test": 0.97,
          "probe_accuracy_test_of_untrained_D": 0.96, "probe_accuracy_1000_labels": 0.9,
          "probe_accuracy_1000_labels_interval": 0.0123, "probe_accuracy_1000_labels_of_untrained_D": 0.89,
          "probe_accuracy_1000_labels_interval_of_untrained_D": 0.02, "accuracy_test_of_supervised_CNN": 0.95,
          "accuracy_1000_labels_of_supervised_CNN": 0.85, "images_seen": 200, "probe_images": 600, "seeds": 2,
          "neighbours": 5, "real_images": 10_000}
RUNS = {"test1": {"batch": 256, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
        "test2": {"batch": 100, "lr": 2e-4, "beta1": 0.9, "leak": 0.3},
        "test3": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.3},
        "test4": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}}


def study(folder: Path, params: Params) -> Path:
    """The folder of the reports of four runs, and no more."""
    params({"evaluate.fid_images": 10_000, "train.fid_images": 5_000, "runs": RUNS})
    reports = folder / "reports"
    for i, name in enumerate(RUNS, 1):
        training, evaluation = reports / "train" / name, reports / "evaluate" / name
        training.mkdir(parents=True)
        pd.DataFrame({"images_seen": [100, 200], "loss_D": [1.0, 1.1], "loss_G": [1, 2]}).to_csv(
            training / "losses.csv", index=False)
        pd.DataFrame({"images_seen": [100, 200], "fid_classifier_5k": [200, 150 / i]}).to_csv(
            training / "fid.csv", index=False)
        scored(evaluation, {"fid_classifier_10k": 120.5 / i} | SCORES)
    write(reports / "reference" / "metrics.json", CONTROLS)
    write(folder / "models" / "reference" / "reference.json", {"shape": [1, 8, 8]})
    return reports


def everything(reports: Path) -> None:
    """Adds a search, recipes, a transfer, internals, and the facts of models and data."""
    folder = reports.parent
    scored(reports / "recipes" / "evaluate" / "a&b", {"fid_classifier_1k": 12.5} | SCORES)
    scored(reports / "recipes" / "evaluate" / "slides-mnist", {"fid_classifier_10k": 7.25} | SCORES)
    write(reports / "recipes" / "reference" / "mnist" / "metrics.json", CONTROLS)
    write(reports / "recipes" / "transfer" / "here-to-there" / "metrics.json", SCORES)
    (folder / "recipes").mkdir()
    (folder / "recipes" / "params.yaml").write_text((ROOT / "recipes" / "params.yaml").read_text())
    for run in ("test1", "test2", "test3"):
        internals(reports / "internals" / run)
    internals(reports / "recipes" / "internals" / "a&b")
    for run in ("test1", "test4"):
        write(folder / "models" / run / "model.json", {
            "data": "d" * 64, "sha256": {"generator.safetensors": "e" * 64},
            "device": {"device": "A GPU", "dtype": "bfloat16", "threads": 3}})
    write(folder / "data" / "meta.json", {"source": "Somebody", "licence": "CC0", "sha256": "f" * 64,
                                          "counts": {"train": 1500, "test": 297}})
    search(reports / "search")


def scored(folder: Path, scores: dict[str, Any]) -> None:
    """What evaluate reports."""
    write(folder / "metrics.json", scores)
    pd.DataFrame({"class": [0, 1], "real": [0.5, 0.5], "generated": [1.0, 0.0]}).to_csv(folder / "classes.csv")
    random = np.random.default_rng(len(folder.name))
    for picture in ("samples", "closest"):
        Image.fromarray(random.integers(0, 255, (62, 62), np.uint8)).save(folder / f"{picture}.png")


def internals(folder: Path) -> None:
    """A part with a still, a film, a picture that is not there, and numbers; and one that could not be made."""
    pictures = [{"file": file, "alt": f"{file} <of> it", "caption": "A \"caption\" & more."}
                for file in ("still.png", "film.webp", "lost.png")]
    write(folder / "parts.json", [
        {"name": "walk", "title": "Walks & <more>", "section": "6.1", "to_see": "Look <here>.", "pictures": pictures,
         "numbers": {"length": 0.123456789, "steps": 12}, "measured": "length: of the <way>."},
        {"name": "sums", "title": "Sums", "section": "6.3", "absent": "there was <nothing> to add"}])
    frames = [Image.fromarray(np.full((16, 16), 50 * i, np.uint8)) for i in range(4)]
    (folder / "pictures").mkdir()
    frames[0].save(folder / "pictures" / "still.png")
    frames[0].save(folder / "pictures" / "film.webp", save_all=True, append_images=frames[1:], duration=80)


def search(folder: Path) -> None:
    """Three trials, of which two were trained again."""
    write(folder / "metrics.json", {"complete": 2, "pruned": 1, "failed": 0})
    pd.DataFrame({"trial": [0, 1, 2], "first": ["test1", "", ""], "state": ["COMPLETE", "COMPLETE", "PRUNED"],
                  "batch": [256, 64, 32], "lr": [1e-4, 1e-3, 1e-2], "beta1": 0.5, "leak": 0.2,
                  "fid_classifier_5k": [90.0, 40.0, 200.0], "probe_accuracy_validation": [0.9, 0.91, 0.8],
                  "images_seen": [400, 400, 200], "reason": ""}).to_csv(folder / "trials.csv", index=False)
    pd.DataFrame({"candidate": [0, 0, 1, 1], "seed": [1, 2, 1, 2], "fid_classifier_5k": [80.0, 84.0, 50.0, 56.0],
                  "probe_accuracy_validation": 0.9}).to_csv(folder / "seeds.csv", index=False)
    Image.new("RGB", (30, 20), "white").save(folder / "seeds.png")


def write(path: Path, facts: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def reported(reports: Path) -> tuple[str, str]:
    """The report of what is there, as Markdown and as HTML."""
    folder = reports.parent
    report.report(reports / "reference", reports / "train", reports / "evaluate", reports / "internals",
                  reports / "search", reports / "recipes", folder / "recipes", folder / "models", folder / "data",
                  ROOT / "constraints.txt", reports / "report.md", reports / "report.html", reports / "report")
    return (reports / "report.md").read_text(), (reports / "report.html").read_text()


def model(folder: Path, network: str = "paper-mnist", width: float = 0.125) -> Model:
    """An untrained pair of that network, whose images have all greys, saved in `folder` and loaded again."""
    made = literature.network(network, width)
    state = training.start(made, Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2), 0, FP32)
    *_, last = (parameter for parameter in state.G.parameters() if parameter.dim() > 1)
    with torch.no_grad():
        last *= 0.3 / sampling.by_rows(state.G.eval(), made)(sampling.example(made)).std()
    facts = {"network": {"name": network, "width": width}, "leak": 0.2, "images_seen": 0}
    checkpoint.save_model(folder, state.G, state.D, facts)
    return checkpoint.load_model(folder)

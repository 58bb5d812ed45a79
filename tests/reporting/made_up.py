"""Reports that other stages might have left, small, but of every kind that the report reads."""
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import folders, report
from pipeline.commands.new import link
from tests.conftest import ROOT, Params

CONTROLS = {"classifier_accuracy_test": 0.9931, "fid_classifier_10k_of_test_images": 0.95, "test_images": 10_000,
            "precision_classifier_10k_of_test_images": 0.71, "fid_classifier_10k_relative_of_test_images": 0.0038,
            "accuracy_10000_labels_of_supervised_CNN": 0.95, "accuracy_1000_labels_of_supervised_CNN": 0.85,
            "probe_accuracy_10000_labels_of_pixels": 0.9177, "probe_C_of_pixels": 0.01,
            "probe_accuracy_1000_labels_of_pixels": 0.8234, "probe_accuracy_1000_labels_interval_of_pixels": 0.0161}
SCORES = {"fid_classifier_10k_std": 0.42, "precision_classifier_10k": 0.61237, "precision_classifier_10k_std": 0.0031,
          "recall_classifier_10k": 0.25, "near_copies_pixels_2k": 0.02, "near_copies_pixels_2k_std": 0.0,
          "probe_accuracy_10000_labels": 0.97, "checkerboard_pixels_10k": 1.5, "kid1000_classifier_10k": 20.0,
          "D_calls_training_images_real": 0.75, "D_calls_test_images_real": 0.625,
          "probe_accuracy_10000_labels_of_untrained_D": 0.96, "probe_accuracy_1000_labels": 0.9,
          "probe_accuracy_1000_labels_interval": 0.0123, "probe_accuracy_1000_labels_of_untrained_D": 0.89,
          "probe_accuracy_1000_labels_interval_of_untrained_D": 0.02, "images_seen": 200, "seeds": 2,
          "inception": "not computed: no weights", "neighbours": 5, "real_images": 10_000}
RUNS = {"test1": {"batch": 256, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
        "test2": {"batch": 100, "lr": 2e-4, "beta1": 0.9, "leak": 0.3},
        "test3": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.3},
        "test4": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}}
SECOND = (100.0, 50.0, 30.0, 35.0)  # distances of the runs: the order of test3 and test4 is not the first classifier's
EVENTS = {"test2": [[100, "losses", 1, "D is sure"], [200, "losses", 0, "no sign any more"]],
          "test3": [[150, "variance", 1, "the variance is 4 % of the largest"]]}
FURTHER = {"fid_classifier_10k_of_ema": 28.5, "fid_classifier_10k_relative_of_ema": 0.114,
           "precision_classifier_10k_of_ema": 0.66, "fid_classifier_10k_of_best": 29.5,
           "fid_classifier_10k_relative_of_best": 0.118, "best_images_seen": 100}


def distances(value: float) -> dict[str, Any]:
    """A distance in all its forms, where the mean image's is 250 and that of real test images is 0.95."""
    return {"fid_classifier_10k": value, "fid_classifier_10k_relative": value / 250,
            "fid_classifier_10k_relative_std": 0.42 / 250, "fid_classifier_10k_floors": value / 0.95}


def study(folder: Path, params: Params, seeds: list[int] | None = None) -> Path:
    """The folder of the reports of four runs, and no more; the distance of run i with seed s is 120.5 / i + s.

    test2 and test3 have signs of a collapse, and test4 further generators.
    """
    seeds = seeds or [0]
    params({"evaluate": {"seeds": 2, "inception": {"images": 10_000, "required": False}}, "train.fid_images": 5_000,
            "runs": RUNS, "seeds": seeds, "internals.runs": list(RUNS)})
    reports = folder / "reports"
    for i, name in enumerate(RUNS, 1):
        for seed in seeds:
            place = Path(name) / f"seed{seed}"
            trained(reports / "train" / place, [200, 150 / i], EVENTS.get(name, []))
            scored(reports / "evaluate" / place, distances(120.5 / i + seed) | SCORES | {
                "fid_classifier_10k_by_classifier2": SECOND[i - 1] + seed} | (FURTHER if name == "test4" else {}))
    write(reports / "controls/scores.json", CONTROLS)
    write(folder / folders.REFERENCE / "reference.json", {"shape": [1, 8, 8]})
    return reports


def everything(reports: Path) -> None:
    """Adds a search, other studies, a transfer, internals, and the facts of models and data."""
    folder = reports.parent
    other = folder / "studies/a&b"
    for name, distance in (("a&b", 12.5), ("slides-mnist", 7.25)):
        home = folder / "studies" / name
        home.mkdir(parents=True)
        (home / "params.yaml").write_text((ROOT / "studies/slides-mnist/params.yaml").read_text())
        link(home)
        trained(home / "reports/train/test4/seed0", [9.0, distance])
        scored(home / "reports/evaluate/test4/seed0", distances(distance) | SCORES)
    write(folder / "studies/slides-mnist/reports/controls/scores.json", CONTROLS)
    write(other / "reports/transfer/from-there/scores.json", SCORES)
    internals(other / "reports/internals/test4")
    (folder / "studies/broken").mkdir()
    (folder / "studies/broken/params.yaml").write_text("data: [")
    scored(folder / "studies/broken/reports/evaluate/x/seed0", SCORES)
    for run in ("test1", "test2", "test3"):
        internals(reports / "internals" / run)
    for run, version in (("test1", "2.9.1"), ("test4", "2.14.1")):
        write(folder / folders.model(run, 0) / "model.json", {
            "data": "d" * 64, "sha256": {"generator.safetensors": "e" * 64}, "run": RUNS[run], "code": "c" * 16,
            "packages": {"torch": version, "numpy": "2.4.6"},
            "device": {"device": "A GPU", "dtype": "bfloat16", "threads": 3}})
    write(folder / "data/arrays/digits/meta.json", {"source": "Somebody", "licence": "CC0", "sha256": "f" * 64,
                                                    "counts": {"train": 1500, "test": 297}})
    search(reports / "search")


def trained(folder: Path, distances: list[float], events: list[list[Any]] | None = None) -> None:
    """What train reports; sample grids of test4, and a curve of the average of weights of test1."""
    folder.mkdir(parents=True)
    pd.DataFrame({"images_seen": [100, 200], "loss_D": [1.0, 1.1], "loss_G": [1, 2]}).to_csv(
        folder / "losses.csv", index=False)
    average = {"fid_classifier_5k_of_ema": [190.0, 30.0]} if folder.parent.name == "test1" else {}
    pd.DataFrame({"images_seen": [100, 200], "fid_classifier_5k": distances} | average).to_csv(
        folder / "fid.csv", index=False)
    pd.DataFrame({"images_seen": [100, 200], "variance_classifier_5k": [0.5, 0.75]}).to_csv(
        folder / "variance.csv", index=False)
    pd.DataFrame(events or [], columns=["images_seen", "sign", "begins", "says"]).to_csv(
        folder / "events.csv", index=False)
    if folder.parent.name == "test4":
        (folder / "samples").mkdir()
        for seen in (100, 200):
            Image.new("L", (35, 35), seen).save(folder / f"samples/{seen:09}.png")


def scored(folder: Path, scores: dict[str, Any]) -> None:
    """What evaluate reports."""
    write(folder / "scores.json", scores)
    pd.DataFrame({"class": [0, 1], "real": [0.5, 0.5], "generated": [1.0, 0.0]}).to_csv(folder / "classes.csv")
    random = np.random.default_rng(len(folder.parent.name))
    for picture in ("samples", "closest"):
        Image.fromarray(random.integers(0, 255, (62, 62), np.uint8)).save(folder / f"{picture}.png")


def internals(folder: Path) -> None:
    """A topic with a still, a film, a picture that is not there, and numbers; and one that could not be made."""
    pictures = [{"file": file, "alt": f"{file} <of> it", "caption": "A \"caption\" & more."}
                for file in ("still.png", "film.webp", "lost.png")]
    write(folder / "parts.json", [
        {"name": "walk", "title": "Walks & <more>", "section": "6.1", "to_see": "Look <here>.", "pictures": pictures,
         "numbers": {"length": 0.123456789, "steps": 12}, "measured": "length: of the <way>."},
        {"name": "sums", "title": "Sums", "section": "6.3", "absent": "there was <nothing> to add"}])
    frames = [Image.fromarray(np.full((16, 16), 50 * i, np.uint8)) for i in range(4)]
    (folder / "pictures").mkdir()
    frames[0].save(folder / "pictures/still.png")
    frames[0].save(folder / "pictures/film.webp", save_all=True, append_images=frames[1:], duration=80)


def search(folder: Path, failed: bool = False) -> None:
    """Three trials, of which two were trained again; `failed`: trial 1 once in vain, and better on average."""
    write(folder / "scores.json", {"complete": 2, "pruned": 1, "failed": 0})
    pd.DataFrame({"trial": [0, 1, 2], "first": ["test1", "", ""], "state": ["COMPLETE", "COMPLETE", "PRUNED"],
                  "batch": [256, 64, 32], "lr": [1e-4, 1e-3, 1e-2], "beta1": 0.5, "leak": 0.2,
                  "fid_classifier_5k": [90.0, 40.0, 200.0], "probe_accuracy_validation": [0.9, 0.91, 0.8],
                  "images_seen": [400, 400, 200], "reason": ""}).to_csv(folder / "trials.csv", index=False)
    pd.DataFrame({"candidate": [0, 0, 1, 1], "seed": [1, 2, 1, 2], "against": [1, 1, 0, 0],
                  "fid_classifier_5k": [80.0, 84.0, 50.0, None if failed else 54.0], "images_seen": 800,
                  "probe_accuracy_validation": 0.9}).to_csv(folder / "seeds.csv", index=False)
    Image.new("RGB", (30, 20), "white").save(folder / "seeds.png")


def write(path: Path, facts: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def reported(reports: Path) -> tuple[str, str]:
    """The report of what is there, both its Markdown pages and as HTML; the study is the current folder."""
    report.report()
    markdown = "\n".join((reports / name).read_text() for name in ("report.md", "details.md"))
    return markdown, (reports / "report.html").read_text()

"""Stage evaluate: the scores of a trained model. Nothing is ever chosen by the test images it uses."""
import copy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline import files, params, stage, store, tracking
from pipeline.data import images, pixels
from pipeline.data.images import Dataset
from pipeline.documents import Study
from pipeline.errors import InputError
from pipeline.finished import Evaluate
from pipeline.gan import checkpoint, devices, sampling
from pipeline.gan.checkpoint import Model
from pipeline.gan.devices import Device
from pipeline.scores import discriminator, extractors, inception
from pipeline.scores import reference as references
from pipeline.scores import sampled
from pipeline.scores.reference import Reference
from pipeline.scores.sampled import Set, Side
from pipeline.store import Description

PAIRS = 20


def evaluate(name: str, data: Path, reference: Path, model: Path, report: Path) -> None:
    """Scores the model in MODEL, of the run or recipe NAME, against DATA and REFERENCE.

    Metrics, samples, shares of classes, and the samples nearest to training images go to REPORT.
    """
    section, label = params.study(name)
    dataset = images.load(data)
    judge = references.load(reference, dataset.digest)
    trained = checkpoint.load_model(model)
    if trained.facts["data"] != dataset.digest:
        raise InputError(f"{model}: trained on other data than {data}; run `dvc repro`")
    device = devices.choose(section.hardware)
    scoring = section.evaluate

    sides = sides_of(judge, dataset, scoring, device)
    yardstick = sampled.yardstick(dataset, sides, scoring, trained.facts["images"])
    trained.G.to(device.device)
    with sampling.evaluating(trained.G, trained.network, section.sampling, device):
        scored = sampling.by_rows(copy.deepcopy(trained.G).cpu(), trained.network)
        sets: list[Set] = []
        for seed in range(scoring.seed, scoring.seed + scoring.seeds):
            one = yardstick.measure(*draw(trained, sides, scoring, seed, device), scoring, seed)
            sets.append(replace(one, images=one.images[:0]) if sets else one)  # only the first set's are shown
    scores = sampled.averaged([one.scores for one in sets])
    if dataset.classes > 1:
        scores |= discriminator.of(trained.D, trained.network, trained.facts["leak"], trained.facts["seed"], dataset,
                                   scoring, device)
    grid, closest = pixels.grid(sets[0].images[:100], 10), pixels.grid(pairs(sets[0], dataset), PAIRS // 2)
    with files.replacing(report) as temporary:
        stage.write_scores(temporary / "metrics.json", scores | protocol(section, dataset, trained, sides))
        files.write(temporary / "samples.png", pixels.png(grid))
        files.write(temporary / "closest.png", pixels.png(closest))
        pd.DataFrame({"class": dataset.meta["classes"], "real": yardstick.shares, "generated": sets[0].shares}).to_csv(
            temporary / "classes.csv", index=False, float_format="%.6g")

    tags = {"model": trained.digest, "data": dataset.digest}
    description = Description(label, trained.facts["run"], dataset.meta, tags, same="model",
                              experiment=store.experiment(name.rpartition("/")[0]))
    with tracking.run(description) as tracker:
        tracker.image("final samples", grid, trained.facts["images_seen"])
        tracker.image("closest pairs", closest, trained.facts["images_seen"])
        tracker.model(scored, trained.facts["network"], scores, trained.facts["images_seen"])
    print(f"{label}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items() if not key.endswith("_std")))


def sides_of(judge: Reference, dataset: Dataset, scoring: Evaluate, device: Device) -> list[Side]:
    """The data set's classifier and, if that is asked for, Inception-v3, each with its real side."""
    sides, wanted = [sampled.judged(judge, dataset, scoring.fid_images)], scoring.inception
    if wanted.images:
        weights = Path(wanted.weights).expanduser() if wanted.weights else None
        net = inception.load(inception.find(weights), wanted.resize, device)
        first = dataset.train_images[:wanted.real_images]
        sides.append(Side(net, extractors.real(net, first, dataset.digest, extractors.KEPT), wanted.images))
    for side in sides:
        if side.warning:
            print(side.warning, file=sys.stderr)
    return sides


def draw(trained: Model, sides: list[Side], scoring: Evaluate, seed: int,
         device: Device) -> tuple[np.ndarray, np.ndarray | None]:
    """As many samples as the scores want, and the labels that a conditional generator was asked for."""
    labelled = scoring.generated_labels if trained.network.classes else []
    count = max([side.count for side in sides] + [scoring.memorisation_images] + labelled)
    z = sampling.prior(trained.network, count, torch.Generator().manual_seed(seed))
    y = sampling.labels(trained.network, count)
    return sampling.sample(trained.G, trained.network, z, device), None if y is None else y.argmax(1).numpy()


def pairs(one: Set, dataset: Dataset) -> np.ndarray:
    """The samples nearest to a training image, ten in a row, and in the row below these training images."""
    order = np.argsort(one.nearest.distances, kind="stable")[:PAIRS]
    rows = [part for half in np.array_split(order, 2)
            for part in (one.images[half], dataset.train_images[one.nearest.indices[half]])]
    return np.concatenate(rows)


def protocol(section: Study, dataset: Dataset, trained: Model, sides: list[Side]) -> dict[str, Any]:
    """How the scores were made, as far as their names do not say."""
    scoring, training = section.evaluate, len(dataset.train_images)
    found = {"batch_norm": section.sampling.batch_norm, "seed": scoring.seed, "seeds": scoring.seeds,
             "images_seen": trained.facts["images_seen"], "neighbours": scoring.neighbours,
             "real_images": min(scoring.fid_images, training)}
    if dataset.classes > 1:
        found["probe_images"] = min(scoring.probe_images or training, training)
    if len(sides) > 1:
        found |= {"inception_resize": scoring.inception.resize,
                  "inception_weights": sides[1].extractor.digest.partition("-")[0],
                  "inception_real_images": min(scoring.inception.real_images, training)}
    if few := [side.name("fid") for side in sides if side.warning]:
        found["rank_deficient"] = few
    return found


if __name__ == "__main__":
    stage.main(evaluate)

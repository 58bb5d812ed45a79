"""Stage evaluate: the scores of one training. Nothing is ever chosen by the test images it uses."""
import copy
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from pipeline import code, files, folders, progress, records, stage
from pipeline.data import images, pixels
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, sampling
from pipeline.gan.build import Stack
from pipeline.gan.checkpoint import Model
from pipeline.gan.devices import Device
from pipeline.params import reading
from pipeline.params.scoring import Evaluate
from pipeline.scores import discriminator, extractors, inception, reference_model, sample_scores
from pipeline.scores.reference_model import Reference
from pipeline.scores.sample_scores import FeatureSpace, ScoredSet
from pipeline.tracking import tracker
from pipeline.tracking.store import Description

PAIRS = 20


def evaluate(run: str, seed: int) -> None:
    """Scores the model of RUN with SEED into reports/evaluate/RUN/seedSEED.

    There are its scores, samples, the shares of classes, and the samples that are nearest to training images.
    """
    study = reading.load()
    reading.run(study, run, seed)
    dataset = images.load(folders.data(study.data.name))
    reference = reference_model.load(folders.REFERENCE, dataset.digest)
    code.check_made("reference", reference.facts.get("code"), folders.REFERENCE)
    model = checkpoint.load_model(folders.model(run, seed), dataset.digest)
    code.check_made("train", model.facts.get("code"), folders.model(run, seed))
    device = devices.choose(study.hardware)
    scoring = study.evaluate

    floor, labelled = floor_of(reference, dataset, scoring), dataset.classes > 1
    with progress.steps(f"{run} seed {seed}", 3 + scoring.seeds + len(model.others) + labelled) as step:
        step("features of real images")
        spaces, missing = spaces_of(reference, dataset, scoring, device)
        scorer = sample_scores.sample_scorer(dataset, spaces, scoring, model.facts["images"], floor)
        model.G.to(device.device)
        with sampling.evaluating(model.G, model.network, model.sampling, device):
            logged = sampling.by_rows(copy.deepcopy(model.G).cpu(), model.network)
            sets: list[ScoredSet] = []
            for set_seed in range(scoring.seed, scoring.seed + scoring.seeds):
                step(f"samples, set {len(sets) + 1} of {scoring.seeds}")
                scored = scorer.measure(*draw(model.G, model, spaces, scoring, set_seed, device), scoring, set_seed)
                sets.append(replace(scored, images=scored.images[:0]) if sets else scored)  # only the first is shown
        scores = sample_scores.averaged([scored.scores for scored in sets])
        step("further classifiers")
        scores |= other_classifiers(sets[0].images[:scoring.fid_images], dataset, scoring)
        for name, generator in model.others.items():
            step(f"generator {name}")
            scores |= of_another(name, generator, model, spaces[0], scoring, device)
        if labelled:
            step("probes of D")
            scores |= discriminator.of(model.D, model.network, model.facts["leak"], model.facts["seed"], dataset,
                                       scoring, device)
        step("what D calls real")
        scores |= discriminator.authenticity(model.D.to(device.device), model.network, dataset,
                                             model.facts["images"], device)
    grid, closest = pixels.grid(sets[0].images[:100], 10), pixels.grid(pairs(sets[0], dataset), PAIRS // 2)
    with files.replacing(folders.report("evaluate", run, seed)) as temporary:
        stage.write_scores(temporary / "scores.json", scores | protocol(scoring, dataset, model, spaces) | missing)
        files.write(temporary / "samples.png", pixels.png(grid))
        files.write(temporary / "closest.png", pixels.png(closest))
        pd.DataFrame({"class": dataset.meta["classes"], "real": scorer.shares, "generated": sets[0].shares}).to_csv(
            temporary / "classes.csv", index=False, float_format="%.6g")

    description = Description(f"{run} seed {seed}", model.facts["run"], dataset.meta,
                              {"model": model.digest, "data": dataset.digest}, same="model")
    with tracker.run(description) as tracking:
        tracking.image("final samples", grid, model.facts["images_seen"])
        tracking.image("closest pairs", closest, model.facts["images_seen"])
        tracking.model(logged, model.facts["network"], scores, model.facts["images_seen"])
    print(f"{run} seed {seed}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()
                                             if not key.endswith("_std")))


def spaces_of(reference: Reference, dataset: Dataset, scoring: Evaluate,
              device: Device) -> tuple[list[FeatureSpace], dict[str, str]]:
    """The features of the data set's classifier and, where params.yaml has them, of Inception-v3, with real images'.

    And why Inception's are missing, where its weights are not required, none are named, and none can be had.
    """
    kept, params, missing = folders.work("features"), scoring.inception, {}
    spaces = [sample_scores.classifier_space(reference, dataset, scoring.fid_images, kept)]
    if params.images:
        weights = Path(os.path.expanduser(params.weights)) if params.weights else None
        try:
            net = inception.load(inception.find(weights), params.resize, device)
        except InputError as error:
            if params.required or weights:
                raise
            print(f"no scores in Inception's features: {error}", file=sys.stderr)
            missing["inception"] = "not computed: no weights"
        else:
            first = dataset.train_images[:params.real_images]
            spaces.append(FeatureSpace(net, extractors.reference_features(net, first, dataset.digest, kept),
                                       params.images))
    for space in spaces:
        if space.warning:
            print(space.warning, file=sys.stderr)
    return spaces, missing


def floor_of(reference: Reference, dataset: Dataset, scoring: Evaluate) -> tuple[int, float]:
    """How many real test images stage controls has measured, and their distance."""
    count = min(scoring.fid_images, len(dataset.test_images))
    path = folders.report("controls") / "scores.json"
    name = f"{reference.name(count)}_of_test_images"
    found = records.read(path, dict[str, float], "run `dvc repro controls`")
    if name not in found:
        raise InputError(f"{path}: expected {name}; run `dvc repro controls`")
    return count, found[name]


def draw(G: nn.Module, model: Model, spaces: list[FeatureSpace], scoring: Evaluate, seed: int,
         device: Device) -> tuple[np.ndarray, np.ndarray | None]:
    """As many samples as the scores need, and the labels that a conditional generator was conditioned on."""
    labelled = scoring.generated_labels if model.network.classes else []
    count = max([space.count for space in spaces] + [scoring.memorisation_images] + labelled)
    z = sampling.prior(model.network, count, torch.Generator().manual_seed(seed))
    y = sampling.labels(model.network, count)
    return sampling.sample(G, model.network, z, device), None if y is None else y.argmax(1).numpy()


def other_classifiers(samples: np.ndarray, dataset: Dataset, scoring: Evaluate) -> dict[str, float]:
    """The distances of one set of uint8 samples (n, c, h, w) by the further classifiers of the reference."""
    found = {}
    for place in sorted(folders.REFERENCE.glob("classifier?")):
        second = reference_model.load(place, dataset.digest)
        found[f"{second.name(scoring.fid_images)}_by_{place.name}"] = second.fid(samples)
    return found


def of_another(name: str, G: Stack, model: Model, space: FeatureSpace, scoring: Evaluate,
               device: Device) -> dict[str, float]:
    """The chief scores of another generator of the same training, of the first set of z; <score>_of_<name>."""
    chosen = model.sampling.of_average if name == "ema" else model.sampling
    with sampling.evaluating(G.to(device.device), model.network, chosen, device):
        samples, _ = draw(G, model, [space], scoring, scoring.seed, device)
    found = sample_scores.scores_of(space, *space.extractor(samples[:space.count]), scoring.neighbours, scoring.seed)
    chief = [space.name(score) for score in ("fid", "precision", "recall")] + [f"{space.name('fid')}_relative"]
    return {f"{score}_of_{name}": found[score] for score in chief} | (
        {"best_images_seen": model.facts["best"]["images_seen"]} if name == "best" else {})


def pairs(scored: ScoredSet, dataset: Dataset) -> np.ndarray:
    """The samples nearest to a training image, ten in a row, and in the row below these training images."""
    order = np.argsort(scored.nearest.distances, kind="stable")[:PAIRS]
    rows = [part for half in np.array_split(order, 2)
            for part in (scored.images[half], dataset.train_images[scored.nearest.indices[half]])]
    return np.concatenate(rows)


def protocol(scoring: Evaluate, dataset: Dataset, model: Model, spaces: list[FeatureSpace]) -> dict[str, Any]:
    """How the scores were measured, as far as their names do not say."""
    training = len(dataset.train_images)
    facts = {"batch_norm": model.sampling.batch_norm, "seed": scoring.seed, "seeds": scoring.seeds,
             "images_seen": model.facts["images_seen"], "neighbours": scoring.neighbours,
             "real_images": min(scoring.fid_images, training)}
    if dataset.classes > 1:
        facts["probe_images"] = discriminator.many(dataset, scoring)
    if len(spaces) > 1:
        facts |= {"inception_resize": scoring.inception.resize,
                  "inception_weights": spaces[1].extractor.digest.partition("-")[0],
                  "inception_real_images": min(scoring.inception.real_images, training)}
    if few := [space.name("fid") for space in spaces if space.warning]:
        facts["rank_deficient"] = few
    return facts


if __name__ == "__main__":
    stage.main(evaluate)

"""Stage train: one training of a study, from untrained networks to a model, resumable at any moment.

What a killed process needs to go on lies in the repository's scratch folder, under a digest of everything that decides
about the result: parameters, data, reference, code, device and precision. DVC does not know of it, so its run-cache
works, and a changed parameter never resumes another's training.
"""
import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from pipeline import code, files, folders, observing, room, stage, stopping
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, literature, parallel, training
from pipeline.gan.networks import Network
from pipeline.gan.training import Progress
from pipeline.gan.updates import State
from pipeline.observing import Curves, Observer
from pipeline.params import reading
from pipeline.params.sections import Run
from pipeline.scores import reference_model
from pipeline.tracking import tracker
from pipeline.tracking.store import Description
from pipeline.tracking.tracker import Tracker

CURVES_SECONDS = 5.0  # between two updates of the curves on disk


def train(run: str, seed: int) -> None:
    """Trains RUN of params.yaml with SEED into models/RUN/seedSEED.

    Curves and samples go to reports/train/RUN/seedSEED, curves while it trains. Under torchrun all processes train
    together.
    """
    with parallel.group():
        _train(run, seed)


def _train(name: str, seed: int) -> None:
    """What each process does; the first of them logs and saves."""
    study = reading.load()
    run = reading.run(study, name, seed)
    dataset = images.load(folders.data(study.data.name))
    where = f"{reading.PARAMS}: runs.{name}"
    network = network_of(run, dataset, where)
    train_images = dataset.train_images[:run.images]
    check(run, len(train_images), study.train.fid_every, where)
    room.in_memory("train.fid_images", study.train.fid_images * (math.prod(network.image) + 4 * network.z_dim))
    reference = reference_model.load(folders.REFERENCE, dataset.digest)
    code.check_made("reference", reference.facts.get("code"), folders.REFERENCE)
    device = devices.choose(study.hardware)
    observed = {key: value for key, value in asdict(study.train).items() if key not in asdict(run)}
    facts = {"run": asdict(run), "seed": seed, "train": observed, "data": dataset.digest,
             "reference": reference.digest, "device": device.facts}
    key = stage.digest(facts, code.digest("train"))
    scratch, first = folders.work("train", key), parallel.rank() == 0
    model, report = folders.model(name, seed), folders.report("train", name, seed)

    state = training.start(network, run, seed, device)
    description = describe(name, seed, facts, dataset, scratch)
    with tracker.run(description) if first else nullcontext(Tracker()) as tracking:
        observer = Observer(reference, study.train, device, scratch, tracking, study.train.fid_every,
                            lambda progress: progress.epoch_ended, first)
        curves = observer.resume(state)
        if state.images_seen and first:
            print(f"{name}: resuming after {state.images_seen:,} images", file=sys.stderr)
        total = run.epochs * len(train_images)
        steps = training.train(state, train_images, dataset.train_labels, run.batch, total, seed,
                               study.train.report_images, device, run.decay_epochs)
        steps = observer.observe(steps, state, curves)
        written = -CURVES_SECONDS
        for _ in bar(steps, f"{name} seed {seed}", state.images_seen, total, curves) if first else steps:
            if first and time.monotonic() - written >= CURVES_SECONDS:
                write_curves(report, curves)
                written = time.monotonic()
        facts |= {"network": {"name": run.network, "width": run.width, "violate": run.violate}, "leak": run.leak,
                  "images": len(train_images), "images_seen": state.images_seen, "code": code.digest("train"),
                  "packages": code.packages("train"), "collapse": curves.signs}
        others = further(observer, state, curves, facts)
        if first:
            tracking.tags({"model": checkpoint.save_model(model, state.G, state.D, facts, others)})
    if first:
        with stopping.patiently():  # once the checkpoint is gone, a stage that fails would train everything again
            write(report, curves, scratch / "samples", comparable(facts))
            (scratch / observing.STATE).unlink(missing_ok=True)  # first: a half-removed folder must not be resumed
            shutil.rmtree(scratch)


def further(observer: Observer, state: State, curves: Curves, facts: dict[str, Any]) -> dict[str, bytes]:
    """The further generators that the run keeps, by name; of the best, `facts` says when and by what it was."""
    found: dict[str, bytes] = {}
    if state.average is not None:
        found["ema"] = observer.weights(state, averaged=True)
    best = curves.best()
    if state.run.keep == "best" and best is not None and observer.first:
        found["best"] = (observer.scratch / observing.BEST).read_bytes()
        facts["best"] = dict(zip(("distance", "score", "images_seen"), best))
    return found


def network_of(run: Run, dataset: Dataset, where: str) -> Network:
    """The run's network; InputError, which begins with `where` the run stands, when it does not fit the data set."""
    try:
        network = literature.network(run.network, run.width, run.violate)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if dataset.shape[0] != network.image[0]:
        raise InputError(f"{where}.network = {run.network!r}: generates images of {network.image[0]} channels; "
                         f"{dataset.meta['name']} has {dataset.shape[0]}")
    if dataset.shape != network.image:
        raise InputError(f"{where}.network = {run.network!r}: generates images of {network.image}; "
                         f"{dataset.meta['name']} has {dataset.shape} (channels, height, width)")
    if network.classes not in (0, dataset.classes):
        raise InputError(f"{where}.network = {run.network!r}: is conditioned on {network.classes} classes; "
                         f"{dataset.meta['name']} has {dataset.classes}")
    return network


def check(run: Run, images: int, fid_every: int, where: str) -> None:
    """InputError when a mini-batch has more images than there are, or when a curve of one point has the best."""
    if run.batch > images:
        raise InputError(f"{where}.batch = {run.batch}: expected at most {images}, the training images")
    if run.keep == "best" and run.epochs == 1 and fid_every >= images:
        raise InputError(f"{where}.keep = 'best': the curve of one epoch of {images} images has one point; expected "
                         f"train.fid_every = {fid_every} to be smaller, or more epochs")


def describe(name: str, seed: int, facts: dict[str, Any], dataset: Dataset, scratch: Path) -> Description:
    """What MLflow is told about the training at its start."""
    params = facts["run"] | {"seed": seed} | {f"train.{key}": value for key, value in facts["train"].items()}
    tags = {"data": dataset.digest, "parameters": stage.digest(params), "defined_by": scratch.name, "run": name}
    tags |= {f"hardware.{key}": str(value) for key, value in facts["device"].items()}
    return Description(f"{name} seed {seed}", params, dataset.meta, tags, id_file=scratch / "mlflow_run")


def write_curves(report: Path, curves: Curves) -> None:
    """Writes losses.csv, fid.csv, variance.csv and events.csv into the folder `report`, each whole at any moment."""
    for key, rows in vars(curves).items():
        empty = "images_seen,sign,begins,says\n" if key == "events" else "images_seen\n"
        text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g") if rows else empty
        files.write(report / f"{key}.csv", text.encode())


def comparable(facts: dict[str, Any]) -> pd.DataFrame:
    """One row: images seen, mini-batches, and what has to be equal where two trainings are compared."""
    batch, (epochs, rest) = facts["run"]["batch"], divmod(facts["images_seen"], facts["images"])
    batches = epochs * math.ceil(facts["images"] / batch) + math.ceil(rest / batch)
    return pd.DataFrame([{"images_seen": facts["images_seen"], "batches": batches, "data": facts["data"],
                          "reference": facts["reference"]} | facts["device"]])


def write(report: Path, curves: Curves, samples: Path, compared: pd.DataFrame) -> None:
    """Fills the folder `report` with the curves, the sample grids and the row of training.csv, and nothing else."""
    with files.replacing(report) as temporary:
        write_curves(temporary, curves)
        files.write(temporary / "training.csv", compared.to_csv(index=False).encode())
        (temporary / "samples").mkdir()
        for row in curves.fid:
            shutil.copy(samples / observing.picture(row["images_seen"]), temporary / "samples")


def bar(steps: Iterator[Progress], name: str, done: int, total: int, curves: Curves) -> Iterator[Progress]:
    """Passes progress on and shows it: images/s, losses, time left, and signs of a collapse."""
    interval = 0.5 if sys.stderr.isatty() else 15
    with tqdm(desc=name, initial=done, total=total, unit=" images", unit_scale=True, mininterval=interval,
              smoothing=0.1, dynamic_ncols=True) as shown:
        for progress in steps:
            warning = f", COLLAPSED ({', '.join(curves.signs)})" if curves.signs else ""
            shown.set_postfix_str(f"loss D {progress.loss_D:.3f} G {progress.loss_G:.3f}{warning}", refresh=False)
            shown.update(progress.images_seen - shown.n)
            yield progress


if __name__ == "__main__":
    stage.main(train)

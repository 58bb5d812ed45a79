"""Stage train: one run or recipe, from untrained networks to a model, resumable at any moment.

What a killed process needs to go on lies in `.work/train/<digest>`, a digest of everything that decides about the
result: parameters, data, reference, code, device and precision. DVC does not know of it, so its run-cache works and a
changed parameter never resumes another's training.
"""
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL.Image import Image
from tqdm import tqdm

from pipeline import files, params, stage, store, tracking
from pipeline.data import images, pixels
from pipeline.data.images import Dataset
from pipeline.documents import Study
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, literature, parallel, sampling, training
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.gan.training import Progress
from pipeline.gan.updates import State
from pipeline.scores import frechet
from pipeline.scores import reference as references
from pipeline.scores.reference import Reference
from pipeline.sections import Design
from pipeline.store import Description
from pipeline.tracking import Tracker

WORK = Path(".work/train")
GRID_SEED, FID_SEED = sampling.SEED + 1, sampling.SEED + 2  # of the z of all runs' snapshots
History = dict[str, list[dict[str, float]]]  # "losses" and "fid": rows, each with its images_seen


def train(name: str, data: Path, reference: Path, model: Path, report: Path) -> None:
    """Trains the run NAME of params.yaml on DATA into the folder MODEL; curves and sample grids go to REPORT.

    A name like recipes/paper-64 is a recipe of recipes/params.yaml. Under torchrun all its processes train together.
    """
    with parallel.group():
        _train(name, data, reference, model, report)


def _train(name: str, data: Path, reference: Path, model: Path, report: Path) -> None:
    """What each process does; the first of them logs and saves."""
    section, label = params.study(name)
    run, design = section.runs[label], section.train
    dataset = images.load(data)
    network = network_of(design, dataset, params.place(name))
    train_images = dataset.train_images[:design.images]
    if run.batch > len(train_images):
        raise InputError(f"{params.place(name)}.batch = {run.batch}: expected at most {len(train_images)}, the "
                         "training images")
    real = references.load(reference, dataset.digest)
    device = devices.choose(section.hardware)
    defined_by = {"run": asdict(run), "train": asdict(section.train), "sampling": asdict(section.sampling),
                  "data": dataset.digest, "reference": real.digest, "device": device.facts,
                  "sources": {str(path): digest for path, digest in stage.sources().items()}}
    scratch, first = WORK / stage.digest(defined_by), parallel.rank() == 0

    state = training.start(network, run, design.seed, device)
    history: History = {"losses": [], "fid": []}
    if (scratch / "state.pt").exists():
        history = checkpoint.load_state(scratch / "state.pt", state)
        print(f"{label}: resuming after {state.images_seen:,} images", file=sys.stderr)
    description = describe(section, name, dataset, defined_by, scratch)
    with tracking.run(description) if first else nullcontext(Tracker()) as tracker:
        saved = time.monotonic()
        total = design.epochs * len(train_images)
        steps = training.train(state, train_images, dataset.train_labels, run.batch, total, design.seed,
                               design.report_images, device, design.decay_epochs)
        for progress in bar(steps, label, state.images_seen, total) if first else steps:
            values = {"loss_D": progress.loss_D, "loss_G": progress.loss_G}
            history["losses"].append({"images_seen": progress.images_seen} | values)
            if progress.epoch_ended or due(progress.images_seen, history["fid"], design.fid_every):
                grid, fid = snapshot(state, section, real, device)
                history["fid"].append({"images_seen": progress.images_seen} | fid)
                if first:
                    files.write(scratch / "samples" / picture(progress.images_seen), pixels.png(grid))
                tracker.image("samples", grid, progress.images_seen)
                values |= fid
            tracker.metrics(values, progress.images_seen)
            if first and time.monotonic() - saved >= design.checkpoint_seconds:
                checkpoint.save_state(scratch / "state.pt", state, history)
                saved = time.monotonic()
        facts = {"network": {"name": design.network, "width": design.width, "violate": design.violate},
                 "leak": run.leak, "run": asdict(run), "epochs": design.epochs, "seed": design.seed,
                 "images": len(train_images), "images_seen": state.images_seen, "data": dataset.digest,
                 "reference": real.digest, "device": device.facts}
        if first:
            tracker.tags({"model": checkpoint.save_model(model, state.G, state.D, facts)})
    if first:
        write(report, history, scratch / "samples")
        (scratch / "state.pt").unlink(missing_ok=True)  # first: a half-removed folder must not be resumed
        shutil.rmtree(scratch)


def snapshot(state: State, section: Study, real: Reference, device: Device) -> tuple[Image, dict[str, float]]:
    """The grid of samples of the fixed z, and the Fréchet distance of more, under its name; `state` stays as it is.

    Processes that train together make their shares of the samples.
    """
    wanted, network = section.train, state.network
    z_grid = sampling.prior(network, wanted.grid ** 2, torch.Generator().manual_seed(GRID_SEED))
    z_fid = parallel.share(sampling.prior(network, wanted.fid_images, torch.Generator().manual_seed(FID_SEED)))
    with parallel.alone(), sampling.evaluating(state.G, network, section.sampling, device) as G:
        grid = pixels.grid(sampling.sample(G, network, z_grid, device), wanted.grid)
        seen = real.moments_of(sampling.sample(G, network, z_fid, device))
    everyones = reduce(add, parallel.gathered(seen))
    return grid, {real.name(wanted.fid_images): frechet.distance(everyones, real.moments)}


def write(report: Path, history: History, samples: Path) -> None:
    """Fills the folder `report` with a CSV file for each curve, and the sample grids."""
    with files.replacing(report) as temporary:
        for key, rows in history.items():
            pd.DataFrame(rows).to_csv(temporary / f"{key}.csv", index=False, float_format="%.6g")
        (temporary / "samples").mkdir()
        for row in history["fid"]:
            shutil.copy(samples / picture(row["images_seen"]), temporary / "samples")


def picture(images_seen: float) -> str:
    """The file name of a sample grid."""
    return f"{images_seen:09.0f}.png"


def network_of(design: Design, dataset: Dataset, place: str) -> Network:
    """The network that `design`, which stands in `place`, names; InputError when it does not fit the data set."""
    name = f"{place}: network {design.network!r}"
    try:
        network = literature.network(design.network, design.width, design.violate)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    if dataset.shape[0] != network.image[0]:
        raise InputError(f"{name} makes images of {network.image[0]} channels, {dataset.meta['name']} has "
                         f"{dataset.shape[0]}")
    if dataset.shape != network.image:
        raise InputError(f"{name} makes images of {network.image}, {dataset.meta['name']} has {dataset.shape} "
                         "(channels, height, width)")
    if network.classes not in (0, dataset.classes):
        raise InputError(f"{name} is told one of {network.classes} classes, {dataset.meta['name']} has "
                         f"{dataset.classes}")
    return network


def describe(section: Study, name: str, dataset: Dataset, defined_by: dict[str, Any], scratch: Path) -> Description:
    """What MLflow is told about the run at its start."""
    folder, _, label = name.rpartition("/")
    shared = {f"{part}.{key}": value for part in ("train", "sampling") for key, value in defined_by[part].items()}
    tags = {"data": dataset.digest, "parameters": stage.digest(asdict(section)), "defined_by": scratch.name}
    tags |= {f"hardware.{key}": str(value) for key, value in defined_by["device"].items()}
    return Description(label, defined_by["run"] | shared, dataset.meta, tags, id_file=scratch / "mlflow_run",
                       experiment=store.experiment(folder))


def bar(steps: Iterator[Progress], name: str, done: int, total: int) -> Iterator[Progress]:
    """Passes progress on and shows it: images/s, losses, time left."""
    interval = 0.5 if sys.stderr.isatty() else 15
    with tqdm(desc=name, initial=done, total=total, unit=" images", unit_scale=True, mininterval=interval,
              smoothing=0.1, dynamic_ncols=True) as shown:
        for progress in steps:
            shown.set_postfix_str(f"loss D {progress.loss_D:.3f} G {progress.loss_G:.3f}", refresh=False)
            shown.update(progress.images_seen - shown.n)
            yield progress


def due(images_seen: int, rows: list[dict[str, float]], every: int) -> bool:
    """Whether a multiple of `every` images was passed since the last of `rows`."""
    return images_seen // every > (rows[-1]["images_seen"] if rows else 0) // every


if __name__ == "__main__":
    stage.main(train)

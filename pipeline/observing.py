"""The one observer of a training: it takes snapshots, keeps curves and checkpoints, and tells MLflow.

Stage train and the trials of a search both train through it.
"""
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path

import torch
from PIL.Image import Image
from tqdm import tqdm

from pipeline import files, stopping
from pipeline.data import pixels
from pipeline.errors import InputError
from pipeline.gan import checkpoint, collapse, losses, parallel, sampling
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.training import Progress
from pipeline.gan.updates import State
from pipeline.params.sections import Sampling, Train
from pipeline.scores import frechet
from pipeline.scores.frechet import Moments
from pipeline.scores.reference_model import Reference
from pipeline.tracking.tracker import Tracker

GRID_SEED, FID_SEED = sampling.SEED + 1, sampling.SEED + 2  # of the z of every training's snapshots
STATE, BEST = "state.pt", "best.safetensors"
OF_AVERAGE = "_of_ema"  # behind the names of scores of the average of G's weights

Row = dict[str, float]


@dataclass
class Curves:
    """The curves of a training so far, each row with its images_seen.

    Losses; distances; the variance of samples; and the signs of a collapse as they begin and end.
    """
    losses: list[Row] = field(default_factory=list)
    fid: list[Row] = field(default_factory=list)
    variance: list[Row] = field(default_factory=list)
    events: list[dict[str, float | str]] = field(default_factory=list)

    @property
    def distances(self) -> list[float]:
        """The distance of G itself at each point."""
        return [next(iter(_values(row).values())) for row in self.fid]

    def best(self) -> tuple[float, str, int] | None:
        """The smallest distance, its name, and the images seen by then; the first of equals. None without a point."""
        found = [(value, name, int(row["images_seen"])) for row in self.fid for name, value in _values(row).items()]
        return min(found, key=lambda one: one[0], default=None)

    @property
    def signs(self) -> list[str]:
        """The kinds of signs that have begun and not ended."""
        state = {event["sign"]: event["begins"] for event in self.events}
        return [str(sign) for sign, begins in state.items() if begins]


@dataclass(frozen=True)
class Observer:
    """How a training is observed: its reference, section train, scratch folder, and tracker.

    A snapshot is due when a multiple of `every` images is passed, and when `is_due` says so. Of processes that train
    together only the `first` writes.
    """
    reference: Reference
    params: Train
    device: Device
    scratch: Path
    tracker: Tracker
    every: int
    is_due: Callable[[Progress], bool]
    first: bool = True

    def resume(self, state: State) -> Curves:
        """Brings `state` to its last checkpoint, if there is one that is whole; the curves until then.

        One that is damaged is removed, and said to be so; one that cannot be read is an OSError.
        """
        path = self.scratch / STATE
        try:
            return Curves(**checkpoint.load_state(path, state)) if path.exists() else Curves()
        except InputError as error:
            if self.first:
                tqdm.write(f"{error}; the training begins anew", file=sys.stderr)
            path.unlink(missing_ok=True)
            return Curves()

    def observe(self, steps: Iterator[Progress], state: State, curves: Curves) -> Iterator[Progress]:
        """Passes `steps` of the training of `state` on; `curves` has their losses and, where due, distances.

        Each snapshot's picture is in the scratch folder's samples by then, and the best generator, where the run keeps
        it, in BEST. A run that ends on a collapse ends there, after a last snapshot. One that is asked to stop leaves
        a checkpoint and raises Stopped, all its processes at the same place.
        """
        with stopping.patiently():
            yield from self._observe(steps, state, curves)

    def _observe(self, steps: Iterator[Progress], state: State, curves: Curves) -> Iterator[Progress]:
        if curves.signs and state.run.on_collapse == "stop":  # it had ended so, and was killed before it was saved
            return
        saved = time.monotonic()
        for progress in steps:
            values: Row = {"loss_D": progress.loss_D, "loss_G": progress.loss_G}
            curves.losses.append({"images_seen": progress.images_seen} | values)
            due = self.is_due(progress) or self._passed(progress.images_seen, curves.fid)
            if due:
                values |= self._snapshot(state, curves, progress.images_seen)
            self._watch(curves, progress.images_seen, losses.least_D(state.run.label_smoothing))
            stop = bool(curves.signs) and state.run.on_collapse == "stop"
            if stop and not due:
                values |= self._snapshot(state, curves, progress.images_seen)
            self.tracker.metrics(values, progress.images_seen)
            asked = any(parallel.gathered(stopping.asked()))
            if self.first and (asked or time.monotonic() - saved >= self.params.checkpoint_seconds):
                checkpoint.save_state(self.scratch / STATE, state, vars(curves))
                saved = time.monotonic()
            if asked:
                stopping.obey()
            yield progress
            if stop:
                return

    def _snapshot(self, state: State, curves: Curves, images_seen: int) -> Row:
        """Adds a point to the curves; returns its numbers."""
        before = curves.best()
        found = snapshot(state, self.params, self.reference, self.device)
        curves.fid.append({"images_seen": images_seen} | found.distances)
        curves.variance.append({"images_seen": images_seen} | found.variance)
        if self.first:
            files.write(self.scratch / "samples" / picture(images_seen), pixels.png(found.grid))
        self.tracker.image("samples", found.grid, images_seen)
        best = curves.best()
        if self.first and state.run.keep == "best" and best is not None and best != before:
            averaged = best[1].endswith(OF_AVERAGE)
            files.write(self.scratch / BEST, self.weights(state, averaged))
        return found.distances | found.variance

    def weights(self, state: State, averaged: bool) -> bytes:
        """G's weights; or those of their average, with batch norm's statistics recomputed for it."""
        if not averaged or state.average is None:
            return checkpoint.weights(state.G)
        with parallel.alone(), sampling.evaluating(state.average, state.network, self.params.of_average,
                                                   self.device) as average:
            return checkpoint.weights(average)

    def _watch(self, curves: Curves, images_seen: int, floor: float) -> None:
        """Adds to the curves' events which signs of a collapse have begun or ended, and says so.

        `floor` is the smallest loss that D can have.
        """
        variances = [value for row in curves.variance for value in _values(row).values()]
        now, before = collapse.signs(curves.losses, curves.distances, variances, floor), curves.signs
        for sign in [*(sign for sign in now if sign not in before), *(sign for sign in before if sign not in now)]:
            begins = sign in now
            says = now.get(sign, f"no sign of collapse by the {sign} any more")
            curves.events.append({"images_seen": images_seen, "sign": sign, "begins": int(begins), "says": says})
            if self.first:
                tqdm.write(f"{'warning' if begins else 'recovered'} at {images_seen:,} images: {says}", file=sys.stderr)
                self.tracker.tags({"collapse": ", ".join(curves.signs) or f"recovered at {images_seen:,} images"})

    def _passed(self, images_seen: int, rows: list[Row]) -> bool:
        """Whether a multiple of `every` images was passed since the last of `rows`."""
        return images_seen // self.every > (rows[-1]["images_seen"] if rows else 0) // self.every


@dataclass(frozen=True)
class Snapshot:
    """The grid of samples of the fixed z; the Fréchet distances of more, of G and of the average of its weights, by
    their names; and the variance of G's, as a share of that of the training images, in the reference's features.
    """
    grid: Image
    distances: Row
    variance: Row


def _values(row: Row) -> Row:
    """The numbers of a curve's row without its place."""
    return {key: value for key, value in row.items() if key != "images_seen"}


def snapshot(state: State, params: Train, reference: Reference, device: Device) -> Snapshot:
    """What the training has reached; `state` stays as it is.

    Processes that train together make their shares of the samples.
    """
    network, name = state.network, reference.name(params.fid_images)
    z_grid = sampling.prior(network, params.grid ** 2, torch.Generator().manual_seed(GRID_SEED))
    z_fid = parallel.share(sampling.prior(network, params.fid_images, torch.Generator().manual_seed(FID_SEED)))

    def moments_of(net: Stack, chosen: Sampling) -> tuple[Image, Moments]:
        with parallel.alone(), sampling.evaluating(net, network, chosen, device) as G:
            grid = pixels.grid(sampling.sample(G, network, z_grid, device), params.grid)
            fake = reference.moments_of(sampling.sample(G, network, z_fid, device))
        return grid, reduce(add, parallel.gathered(fake))

    grid, moments = moments_of(state.G, params)
    distances = {name: frechet.distance(moments, reference.moments)}
    if state.average is not None:
        distances[f"{name}{OF_AVERAGE}"] = frechet.distance(moments_of(state.average, params.of_average)[1],
                                                            reference.moments)
    share = moments.covariance.trace().item() / reference.moments.covariance.trace().item()
    return Snapshot(grid, distances, {name.replace("fid_", "variance_", 1): share})


def picture(images_seen: float) -> str:
    """The file name of a sample grid."""
    return f"{images_seen:09.0f}.png"

"""The one observer of a training: it takes snapshots, keeps curves and checkpoints, and tells MLflow.

Stage train and the trials of a search both train through it.
"""
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path

import torch
from PIL.Image import Image

from pipeline import files
from pipeline.data import pixels
from pipeline.gan import checkpoint, parallel, sampling
from pipeline.gan.devices import Device
from pipeline.gan.training import Progress
from pipeline.gan.updates import State
from pipeline.params.sections import Train
from pipeline.scores import frechet
from pipeline.scores.reference_model import Reference
from pipeline.tracking.tracker import Tracker

GRID_SEED, FID_SEED = sampling.SEED + 1, sampling.SEED + 2  # of the z of every training's snapshots
STATE = "state.pt"

Row = dict[str, float]


@dataclass
class Curves:
    """The curves of a training so far: rows of losses and of distances, each with its images_seen."""
    losses: list[Row] = field(default_factory=list)
    fid: list[Row] = field(default_factory=list)


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
        """Brings `state` to its last checkpoint, if there is one; the curves until then."""
        path = self.scratch / STATE
        return Curves(**checkpoint.load_state(path, state)) if path.exists() else Curves()

    def observe(self, steps: Iterator[Progress], state: State, curves: Curves) -> Iterator[Progress]:
        """Passes `steps` of the training of `state` on; `curves` has their losses and, where due, distances.

        Each snapshot's picture is in the scratch folder's samples by then.
        """
        saved = time.monotonic()
        for progress in steps:
            values: Row = {"loss_D": progress.loss_D, "loss_G": progress.loss_G}
            curves.losses.append({"images_seen": progress.images_seen} | values)
            if self.is_due(progress) or self._passed(progress.images_seen, curves.fid):
                grid, fid = snapshot(state, self.params, self.reference, self.device)
                curves.fid.append({"images_seen": progress.images_seen} | fid)
                if self.first:
                    files.write(self.scratch / "samples" / picture(progress.images_seen), pixels.png(grid))
                self.tracker.image("samples", grid, progress.images_seen)
                values |= fid
            self.tracker.metrics(values, progress.images_seen)
            if self.first and time.monotonic() - saved >= self.params.checkpoint_seconds:
                checkpoint.save_state(self.scratch / STATE, state, vars(curves))
                saved = time.monotonic()
            yield progress

    def _passed(self, images_seen: int, rows: list[Row]) -> bool:
        """Whether a multiple of `every` images was passed since the last of `rows`."""
        return images_seen // self.every > (rows[-1]["images_seen"] if rows else 0) // self.every


def snapshot(state: State, params: Train, reference: Reference, device: Device) -> tuple[Image, Row]:
    """The grid of samples of the fixed z, and the Fréchet distance of more, under its name; `state` stays as it is.

    Processes that train together make their shares of the samples.
    """
    network = state.network
    z_grid = sampling.prior(network, params.grid ** 2, torch.Generator().manual_seed(GRID_SEED))
    z_fid = parallel.share(sampling.prior(network, params.fid_images, torch.Generator().manual_seed(FID_SEED)))
    with parallel.alone(), sampling.evaluating(state.G, network, params, device) as G:
        grid = pixels.grid(sampling.sample(G, network, z_grid, device), params.grid)
        fake = reference.moments_of(sampling.sample(G, network, z_fid, device))
    moments = reduce(add, parallel.gathered(fake))
    return grid, {reference.name(params.fid_images): frechet.distance(moments, reference.moments)}


def picture(images_seen: float) -> str:
    """The file name of a sample grid."""
    return f"{images_seen:09.0f}.png"

"""Where trials are scored, by what number, and which of them go on from one rung to the next.

Optuna's successive halving has its rungs at the steps min_resource x reduction_factor^k, k = 0, 1, ... (Li et al. 2020,
arXiv 1810.05934). Ours are at the same steps: the first is the minimal resource, and each is the reduction factor times
the one before. Steps are what `search.equal` counts, so that the dashboard's axis reads in images or updates.
"""
import copy
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from pipeline.params.searching import Search
from pipeline.params.sections import Run
from pipeline.tuning import notes

PENALTY = math.log(10)  # a collapsed training counts as if its distance were ten times what it is
COMPARED = 4  # complete trials before the first is compared with their median


def objective(distance: float, collapsed: bool) -> float:
    """What Optuna minimises: ln of the distance, and more where the training has collapsed."""
    return math.log(distance) + (PENALTY if collapsed else 0.0)


def images_at(rung: int, search: Search, batch: int, n: int) -> int:
    """The images that a training on `n` images has seen at `rung`; the last batch of an epoch may be smaller."""
    if search.equal == "images":
        return rung
    epochs, updates = divmod(rung, math.ceil(n / batch))
    return epochs * n + min(updates * batch, n)


@dataclass(frozen=True)
class Course:
    """Where a training is scored: images seen, each with its rung, ascending; it ends at the last.

    Over the last `decay` epochs the learning rate falls.
    """
    places: dict[int, int]
    decay: int = 0

    @property
    def length(self) -> int:
        """The images of the whole training."""
        return max(self.places)

    def passed(self, images_seen: float) -> int:
        """How many of the places such a training has reached."""
        return sum(place <= images_seen for place in self.places)


def course(search: Search, run: Run, n: int, whole: bool) -> Course:
    """The course of `run` on `n` images: to the last rung or, when it is `whole`, to the length that the run has.

    The end of the whole one has its images in a rung's place.
    """
    places = {images_at(rung, search, run.batch, n): rung for rung in search.rungs}
    if not whole:
        return Course(places)
    length = run.epochs * n
    return Course({images: rung for images, rung in places.items() if images < length} | {length: length},
                  run.decay_epochs)


def budget(search: Search, batch: int) -> int:
    """The images of a complete trial; those of updates but for epochs that end with a smaller batch."""
    return search.rungs[-1] * (1 if search.equal == "images" else batch)


def pruner(search: Search) -> BasePruner:
    """The pruner of params.yaml. Optuna prunes no trial of two objectives."""
    if len(search.objectives) == 2 or search.pruner == "none":
        return NopPruner()
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=COMPARED, n_warmup_steps=0)
    shortest, longest = search.rungs[0], search.rungs[-1]
    factor = reduction(search)
    if search.pruner == "halving":
        return Once(SuccessiveHalvingPruner(min_resource=shortest, reduction_factor=factor))
    # Optuna floors a quotient of logarithms, which may be a little less than the whole number that it stands for.
    return HyperbandPruner(min_resource=shortest, max_resource=longest + 1, reduction_factor=factor)


def reduction(search: Search) -> int:
    """How many times each rung is the one before; 1 in as many trials goes on."""
    return next((longer // shorter for shorter, longer in pairwise(search.rungs)), 2)


class Once(BasePruner):
    """Optuna's `pruner` among the trials that count: of several attempts at one trial, the last.

    Otherwise a killed worker would leave the scores of its trial behind twice, and another trial would be pruned for
    it. Hyperband takes a trial's bracket from its number, which another attempt has not, and has no use for this.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self.pruner = pruner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether `trial` ends here."""
        counted = copy.copy(study)

        def get_trials(**named: Any) -> list[FrozenTrial]:
            return [one for one in study.get_trials(**named)
                    if one.state != TrialState.FAIL or notes.read(one).reason]

        counted.get_trials = get_trials  # type: ignore[assignment, method-assign]
        return self.pruner.prune(counted, trial)

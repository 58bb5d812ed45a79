"""What has been read of a study: finished trials never change, so that each is looked at once."""
from collections import Counter
from collections.abc import Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from pipeline.tuning import notes
from pipeline.tuning.notes import Notes

Key = tuple[tuple[str, Any], ...]


def first(trial: FrozenTrial | Trial) -> int:
    """The number of the first attempt at this trial."""
    retry_of = notes.read(trial).retry_of
    return trial.number if retry_of is None else retry_of


def key(known: Notes) -> Key:
    """What a trial was given when it was enqueued, as something to look up."""
    return tuple(sorted(known.order.attributes.items()))


class Ledger:
    """A study's trials as of the last `read`, which costs what is new or unfinished, however many there are.

    By the number of the first attempt: `latest` attempts; trials that are `counted`; `lost` ones, whose latest attempt
    FAILED without a reason; and, by checkpoint too, `deaths`, the attempts that began from it and lost their process.
    `begun` are the orders that there are trials of.
    """

    def __init__(self) -> None:
        self.known = 0
        self.unfinished: list[FrozenTrial] = []
        self.latest: dict[int, int] = {}
        self.counted: dict[int, FrozenTrial] = {}
        self.lost: dict[int, FrozenTrial] = {}
        self.deaths: Counter[tuple[int, int]] = Counter()
        self.begun: set[Key] = set()
        self.total = 0  # how many trials the study was last told of
        self.fail_stale_at = 0.0  # when this process looks for stale heartbeats again

    def read(self, study: Study) -> None:
        """Brings everything up to date, from one reading: a trial that ends between two would count twice."""
        trials: Sequence[FrozenTrial] = study.get_trials(deepcopy=False)
        new = trials[self.known:]
        for trial in new:
            self.begun.add(key(notes.read(trial)))
            self.latest[first(trial)] = trial.number
            self.lost.pop(first(trial), None)
        looked_at = [*(trials[trial.number] for trial in self.unfinished), *new]
        for trial in looked_at:
            if trial.state.is_finished():
                self._finished(trial, notes.read(trial))
        self.known, self.unfinished = len(trials), [trial for trial in looked_at if not trial.state.is_finished()]

    def running(self) -> list[FrozenTrial]:
        """Trials that somebody works on, or has died on."""
        return [trial for trial in self.unfinished if trial.state == TrialState.RUNNING]

    def _finished(self, trial: FrozenTrial, known: Notes) -> None:
        number = first(trial)
        if trial.state != TrialState.FAIL or known.reason:
            self.counted[number] = trial
            return
        if not known.interrupted:
            self.deaths[number, known.checkpoint or 0] += 1
        if self.latest[number] == trial.number:
            self.lost[number] = trial

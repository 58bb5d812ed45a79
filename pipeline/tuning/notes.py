"""What a search writes on a trial: Optuna's user attributes, typed. The dashboard shows them under the same names."""
from dataclasses import dataclass, field, fields
from typing import Any

from optuna.trial import FrozenTrial, Trial


@dataclass(frozen=True)
class Notes:
    """What is known of a trial beside its parameters; what is empty is not written.

    `first` names a run that is tried first. A repetition trains the run of trial `of` with another `seed`. `retry_of`
    is the first attempt at a trial whose process died, and `checkpoint` stands for the one that this attempt began
    from. `process` runs it; it was `interrupted`, which is nobody's fault, or ran into `trouble`, or failed for a
    `reason`, which counts as a result. Its training may have ended on a `collapse`. `scores` are those so far, after
    `images_seen`.
    """
    first: str = ""
    of: int | None = None
    seed: int | None = None
    retry_of: int | None = None
    checkpoint: int | None = None
    process: str = ""
    interrupted: bool = False
    trouble: str = ""
    reason: str = ""
    collapse: str = ""
    images_seen: int | None = None
    mlflow_run: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, Any]:
        """The user attributes that say this."""
        simple = {name: getattr(self, name) for name in SIMPLE}
        return {name: value for name, value in simple.items() if not (value is None or value is False or value == "")
                } | self.scores

    @property
    def order(self) -> "Notes":
        """What a trial was given when it was enqueued, and another attempt at it needs."""
        return Notes(first=self.first, of=self.of, seed=self.seed)


SIMPLE = [one.name for one in fields(Notes) if one.name != "scores"]


def read(trial: Trial | FrozenTrial) -> Notes:
    """The notes on a trial."""
    told = trial.user_attrs
    return Notes(**{name: told[name] for name in SIMPLE if name in told},
                 scores={key: value for key, value in told.items() if key.startswith(("fid_", "probe_"))})


def write(trial: Trial, notes: Notes) -> None:
    """Adds `notes` to those on a trial that runs."""
    for key, value in notes.attributes.items():
        trial.set_user_attr(key, value)


def says(trial: Trial | FrozenTrial, notes: Notes) -> bool:
    """Whether `notes` are among those on the trial."""
    return notes.attributes.items() <= trial.user_attrs.items()

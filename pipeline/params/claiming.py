"""Section claims of params.yaml: what is claimed of a study's runs, and the rule by which trainings decide it."""
import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.sections import Label, Section

# The accuracies of a transfer, by the names that they have with all of D's layers.
ACCURACY = re.compile(r"probe_accuracy_\d+_labels(_of_untrained_D|_of_pixels)?")

Words = Annotated[str, Field(max_length=300, pattern=r"^[^\p{Cc}]*$")]


@dataclass(frozen=True, kw_only=True)
class Claim(Section):
    """A claim, in what words, by whom, and what decides it, which is set before the trainings are looked at.

    With `better: [one, other]` it compares two runs by trainings of equal seed: `one` has the smaller `of`, by more
    than a factor of `by`. Otherwise `of`, less the score `minus` or divided by the score `over`, of all trainings of
    `runs` is `at_least` or `at_most` a number; or that of `transfer`, one of the study's transfers, an accuracy, within
    what so many test images can tell. Without any of them there is no experiment; `needs` says what is missing.

    The study's seeds decide it, or so many `seeds` of them, the first. Where seeds were added because a first look left
    claims open, chance has a second try: `looks` counts them, and each look has its share of the level (Bonferroni).

    `of` is `distance`, that at the end of the training; `best`, the smallest on its curve; `unsteadiness`, the standard
    deviation of the steps of ln distance in the second half of the curve; or the name of a score. Compared runs have
    seen `equal` images or mini-batches. Claims of one `family` are corrected together, by Holm's method.
    """
    says: Words = ""
    source: Words = ""
    better: list[Label] = field(default_factory=list)
    runs: list[Label] = field(default_factory=list)
    transfer: Label | None = None
    of: Label = "distance"
    minus: Label | None = None
    over: Label | None = None
    by: Annotated[float, Field(gt=1, le=100)] = 1.25
    at_least: float | None = None
    at_most: float | None = None
    equal: Literal["images", "batches"] = "images"
    family: Words = ""
    seeds: Annotated[int, Field(ge=1)] | None = None
    looks: Annotated[int, Field(ge=1, le=100)] = 1
    needs: Words = ""

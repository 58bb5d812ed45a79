"""The two parameter files, whole: what params.yaml and recipes/params.yaml are made of, as frozen dataclasses."""
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pipeline.finished import Evaluate, Internals
from pipeline.sections import Data, Design, Hardware, Name, Reference, Run, Sampling, Search, Section, Train, Watch


@dataclass(frozen=True, kw_only=True)
class Common(Section):
    """What the stages before a training are told."""
    data: Data
    hardware: Hardware
    reference: Reference
    sampling: Sampling
    evaluate: Evaluate


@dataclass(frozen=True, kw_only=True)
class Study(Common):
    """Trainings that share all but their run."""
    train: Train
    internals: Internals
    runs: Annotated[dict[Name, Run], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Params(Study):
    """params.yaml."""
    search: Search


@dataclass(frozen=True, kw_only=True)
class Recipe(Run, Design):
    """One system of the literature: the data set it is trained on, by its name in the section data, and the rest."""
    data: Name


@dataclass(frozen=True, kw_only=True)
class Transfer(Section):
    """The D of a `recipe`, probed on another data set, `data`."""
    recipe: Name
    data: Name


@dataclass(frozen=True, kw_only=True)
class Recipes(Section):
    """recipes/params.yaml: trainings that share what does not decide about them."""
    hardware: Hardware
    data: dict[Name, Data]
    reference: Reference
    train: Watch
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    transfers: dict[Name, Transfer]
    sampling: Sampling
    evaluate: Evaluate
    internals: Internals

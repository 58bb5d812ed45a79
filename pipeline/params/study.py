"""A whole params.yaml: what one study is."""
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from pipeline.params.claiming import Claim
from pipeline.params.scoring import Evaluate, Internals
from pipeline.params.searching import Search
from pipeline.params.sections import Data, Hardware, Label, Place, ReferenceFit, Run, Section, Seed, Train


@dataclass(frozen=True, kw_only=True)
class Transfer(Section):
    """A discriminator of another study, by its model's folder, that is probed on this study's data."""
    model: Place


@dataclass(frozen=True, kw_only=True)
class Study(Section):
    """`runs` x `seeds` trainings on one data set, what is measured and claimed of them, and a search for more."""
    data: Data
    hardware: Hardware = field(default_factory=Hardware)
    reference: ReferenceFit = field(default_factory=ReferenceFit)
    train: Train = field(default_factory=Train)
    runs: Annotated[dict[Label, Run], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = field(default_factory=lambda: [0])
    evaluate: Evaluate = field(default_factory=Evaluate)
    internals: Internals
    search: Search = field(default_factory=Search)
    transfers: dict[Label, Transfer] = field(default_factory=dict)
    claims: dict[Label, Claim] = field(default_factory=dict)

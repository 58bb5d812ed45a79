"""dcgan check: whether params.yaml is one that can be run, before DVC removes a result to make it anew."""
import argparse
import math
from typing import TYPE_CHECKING

from pipeline.errors import DivergedError, InputError

if TYPE_CHECKING:
    from pipeline.estimate import Duration

EXAMPLE = "example: dcgan check --time && dvc repro report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan check` takes."""
    parser.add_argument("--time", action="store_true", help="say also how long the trainings take on this machine, by "
                        "two seconds of them")


def run(given: argparse.Namespace) -> None:
    """Says how many trainings there are, or what is wrong."""
    from pipeline.params import reading
    study = reading.load()
    print(f"{reading.PARAMS}: {len(study.runs)} runs x {len(study.seeds)} seeds on {study.data.name}", flush=True)
    if given.time:
        from pipeline import estimate
        try:
            found = estimate.estimate(study)
        except (InputError, DivergedError, OSError) as error:  # the stages will say so where it matters
            print(f"How long they take cannot be measured: {error}")
            return
        print(said(found) if found else "How long they take is known once `dvc repro fetch` has brought the images.")


def said(found: "Duration") -> str:
    """A duration in words."""
    minutes = math.ceil(found.seconds / 60)
    length = f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 90 else f"{minutes / 60:.1f} hours"
    rates = " to ".join(dict.fromkeys(f"{rate:,.0f}" for rate in (found.slowest, found.fastest)))
    return (f"Training all of them anew, one by one, takes about {length} on this machine: {found.images:,} "
            f"images, {rates} a second.\nTheir scores come on top; DVC trains only what is missing. "
            "`dcgan new short --epochs 1` makes a shorter study.")

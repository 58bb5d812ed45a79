"""dcgan check: whether params.yaml is one that can be run, before DVC removes a result to make it anew."""
import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.estimate import Estimate

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
        found = estimate.estimate(study)
        print(said(found) if found else "How long they take is known once `dvc repro fetch` has brought the images.")


def said(found: "Estimate") -> str:
    """An estimate in words."""
    minutes = found.seconds / 60
    length = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
    rates = " to ".join(dict.fromkeys(f"{rate:,.0f}" for rate in (found.slowest, found.fastest)))
    return (f"Training all of them anew takes about {length} on this machine: {found.images:,} images, {rates} a "
            "second.\nTheir scores come on top; DVC trains only what is missing. `dcgan new short --epochs 1` makes a "
            "shorter study.")

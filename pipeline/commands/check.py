"""dcgan check: whether params.yaml is one that can be run, before DVC removes a result to make it anew."""
import argparse

EXAMPLE = "example: dcgan check && dvc repro report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan check` takes: nothing."""


def run(given: argparse.Namespace) -> None:
    """Says how many trainings there are, or what is wrong."""
    from pipeline.params import reading
    study = reading.load()
    print(f"{reading.PARAMS}: {len(study.runs)} runs x {len(study.seeds)} seeds on {study.data.name}")

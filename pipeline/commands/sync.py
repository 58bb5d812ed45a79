"""dcgan sync: tells MLflow what it did not take at the time, because it was away or too slow."""
import argparse
import sys

from pipeline.errors import InputError

EXAMPLE = "example: MLFLOW_TRACKING_URI=http://mlflow.example.org:5000 dcgan sync"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`dcgan sync` takes nothing."""


def run(given: argparse.Namespace) -> None:
    """Tells what is kept in .work/tracking of the repository; InputError when something has to stay there."""
    from pipeline.tracking import connection, replay
    connection.connect()
    outcome = replay.replay()
    print(f"sync: MLflow took {outcome.entries} entries of {len(outcome.runs)} runs")
    for folder, reasons in outcome.refused.items():
        for reason in reasons:
            print(f"sync: {folder}: {reason}", file=sys.stderr)
    if outcome.away:
        raise InputError(f"MLflow does not answer ({outcome.away}); what is left stays in .work/tracking")
    if outcome.refused:
        raise InputError(f"MLflow refuses what is left in {len(outcome.refused)} folders; delete a folder to "
                         "give it up")

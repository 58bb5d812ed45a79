"""dcgan dashboard: the trials of all searches in a browser, with their samples, until Ctrl-C."""
import argparse
import sys
from importlib.metadata import entry_points

from pipeline import folders
from pipeline.errors import InputError

EXAMPLE = "example: dcgan dashboard 8081"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan dashboard` takes."""
    parser.add_argument("port", nargs="?", type=int, default=8080, help="default 8080")


def run(given: argparse.Namespace) -> None:
    """Serves optuna-dashboard on the storage of params.yaml and the artifacts in the repository."""
    from pipeline.params import reading
    from pipeline.tuning import storages, trials
    if not 0 < given.port < 1 << 16:
        raise InputError(f"{given.port}: expected a port from 1 to 65535")
    url = reading.load().search.storage
    journal = folders.repository() / storages.JOURNAL
    if url is None and not journal.exists():
        raise InputError(f"{journal}: not found: there is no search yet; `dvc repro search` begins one")
    storages.open_storage(url, folders.repository()).close()  # says in one line what is wrong with it
    artifacts = folders.repository() / trials.ARTIFACTS
    artifacts.mkdir(exist_ok=True)
    # In this process, because a database's password must not stand in the system's list of processes.
    sys.argv = ["optuna-dashboard", url or str(journal), "--artifact-dir", str(artifacts), "--port", str(given.port)]
    serve, = entry_points(group="console_scripts", name="optuna-dashboard")
    print(f"The trials are at http://127.0.0.1:{given.port}/dashboard")
    serve.load()()

"""The command `dcgan`.

    dcgan STAGE             runs a stage of dvc.yaml, like train@test4, with the command that `dvc repro` has for it;
                            `dcgan search` is one more worker for a search that runs, or goes on with one
    dcgan recipe NAME       trains and scores one system of the literature, smaller if asked: dcgan recipe --help
    dcgan sample MODEL OUT  images of a trained generator: dcgan sample --help
    dcgan walk MODEL OUT    a walk through its latent space: dcgan walk --help
    dcgan compare RUN RUN   what two runs differ in, and whether it shows: dcgan compare --help
    dcgan promote           takes the winner of the search into params.yaml, as runs.searched
    dcgan dashboard [PORT]  shows the searches in a browser, with the samples of every trial
"""
import argparse
import importlib
import shlex
import subprocess
import sys
from importlib.metadata import entry_points

from pipeline import params, promote, stage, store
from pipeline.errors import DivergedError, InputError
from pipeline.trials import ARTIFACTS
from pipeline.tuning import storages

MODULES = {"recipe": "recipes", "sample": "sample", "walk": "walk", "compare": "compare"}


def main() -> None:
    """Runs the command line and exits with its status."""
    parser = argparse.ArgumentParser(prog="dcgan", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if given.command == "promote":
        sys.argv = ["dcgan promote", *given.words]
        stage.main(promote.promote)
        return
    try:
        if given.command in MODULES:
            importlib.import_module(f"pipeline.{MODULES[given.command]}").main(given.words)
        elif given.command == "dashboard":
            dashboard(*given.words[:1])
        else:
            sys.exit(subprocess.run([sys.executable, *command_of(given.command)[1:]]).returncode)
    except (InputError, DivergedError, OSError) as error:
        sys.exit(f"dcgan: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def command_of(name: str) -> list[str]:
    """The words of the command that dvc.yaml has for the stage `name`; the first is python."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    try:
        return shlex.split(Repo().stage.load_one(name=name).cmd)
    except DvcException as error:
        raise InputError(f"{name}: neither a command of `dcgan --help` nor a stage of dvc.yaml ({error})") from None


def dashboard(port: str = "8080") -> None:
    """Serves optuna-dashboard on the storage of params.yaml and the artifacts in this folder, until Ctrl-C."""
    url = params.load().search.storage
    journal = store.root() / storages.JOURNAL
    if url is None and not journal.exists():
        raise InputError(f"{journal}: not found: there is no search yet; `dvc repro search` begins one")
    storages.open_storage(url, store.root()).close()  # says in one line what is wrong with it
    artifacts = store.root() / ARTIFACTS
    artifacts.mkdir(exist_ok=True)
    # In this process, because a database's password must not stand in the system's list of processes.
    sys.argv = ["optuna-dashboard", url or str(journal), "--artifact-dir", str(artifacts), "--port", port]
    serve, = entry_points(group="console_scripts", name="optuna-dashboard")
    print(f"The trials are at http://127.0.0.1:{port}/dashboard")
    serve.load()()


if __name__ == "__main__":
    main()

"""dcgan publish: puts the models and data of all studies that have results into a DVC remote, for clones to pull.

A clone of the repository, whose .dvc/config names the remote then, has them by `dvc pull`; `dvc repro` trains nothing.
"""
import argparse
import subprocess
import sys
from pathlib import Path

from pipeline.errors import InputError

EXAMPLE = "example: dcgan publish s3://bucket/dcgan && git commit -m Publish .dvc/config studies/*/.dvc/config"
REMOTE = "published"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan publish` takes."""
    parser.add_argument("remote", help="any remote of DVC's: a folder, s3://bucket/path, ssh://host/path, …")


def run(given: argparse.Namespace) -> None:
    """Names the remote in the configuration of every study with a dvc.lock, and pushes what the lock names."""
    from pipeline import folders
    if not given.remote.strip():
        raise InputError("publish: no remote; expected a folder, or an address like s3://bucket/path")
    remote = given.remote if "://" in given.remote else str(Path(given.remote).expanduser().absolute())
    home = folders.repository()
    places = [lock.parent for lock in (home / "dvc.lock", *sorted(home.glob(f"{folders.STUDIES}/*/dvc.lock")))
              if lock.exists()]
    if not places:
        raise InputError(f"publish: {home} has no dvc.lock; run `dvc repro report` first")
    for place in places:
        for words in (["remote", "add", "--quiet", "--force", "--default", REMOTE, remote], ["push", "--quiet"]):
            if subprocess.run([sys.executable, "-m", "dvc", *words], cwd=place).returncode:
                raise InputError(f"publish: `dvc {' '.join(words)}` failed in {place}; its own lines above say why")
        print(f"publish: {place.relative_to(home) if place != home else 'this study'}: in {remote}")
    print("publish: commit .dvc/config and studies/*/.dvc/config; a clone gets what each names by "
          "`dvc pull` in its folder")

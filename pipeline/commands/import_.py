"""dcgan import: bring a network that the paper's authors trained, as a model like those of runs."""
import argparse
from pathlib import Path

from pipeline.errors import InputError

EXAMPLE = """\
example: dcgan import radford-svhn; dcgan sample published:radford-svhn house_numbers.png
radford-svhn makes house numbers; radford-imagenet32 is a discriminator, for `transfers` in params.yaml."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan import` takes."""
    parser.add_argument("name", help="radford-svhn or radford-imagenet32")
    parser.add_argument("--from", type=Path, dest="directory", metavar="DIRECTORY",
                        help="a folder with the authors' .npy files; default: their repository on GitHub")


def run(given: argparse.Namespace) -> None:
    """Brings the model."""
    from pipeline import published
    if given.directory is not None and not given.directory.is_dir():
        raise InputError(f"--from {given.directory}: not a folder")
    published.bring(given.name, given.directory)
    print(f"{published.ADDRESS}{given.name}: {published.folder(given.name)}")

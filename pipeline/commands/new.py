"""dcgan new: a study of your own, as a folder in studies/ that begins as a copy of another one.

Its params.yaml differs from the other study's as you ask, and is yours to edit. Nothing else changes.
"""
import argparse
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline import files, folders, temporary
from pipeline.errors import InputError, suggestion

EXAMPLE = "example: dcgan new mine --from udacity-svhn --epochs 2 --width 0.5 --data eurosat"
LINKS = ("dvc.yaml", "pipeline", ".dvcignore")  # to the repository's own
CONFIG = """\
# A study is a DVC project of its own that shares the repository's cache.
[core]
    analytics = false
    check_update = false
[cache]
    dir = ../../../.dvc/cache
"""
BUILT_IN = ("mnist", "fashion_mnist", "cifar10", "svhn", "digits")
ARCHIVES = {"eurosat": "eurosat64.zip", "cifar10-pictures": "cifar10.zip", "pictures": "pictures.zip"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan new` takes."""
    parser.add_argument("name", help="of the new folder in studies/")
    parser.add_argument("--from", dest="source", metavar="STUDY", help="default: the repository's own study")
    parser.add_argument("--epochs", type=int, help="of every run; epochs of falling learning rate shrink alike")
    parser.add_argument("--width", type=float, help="times as many channels")
    parser.add_argument("--images", type=int, help="how many training images at most")
    parser.add_argument("--data", help=f"a data set: {', '.join(BUILT_IN)}, or pictures in the repository's pictures/: "
                        + ", ".join(f"{name} ({archive})" for name, archive in ARCHIVES.items()))
    parser.add_argument("--seeds", type=int, nargs="+", help="of every run; default: the other study's")


def run(given: argparse.Namespace) -> None:
    """Makes the folder, or says why it cannot be made; then there is none."""
    from pydantic import TypeAdapter, ValidationError
    from ruamel.yaml import YAML

    from pipeline.params import reading
    from pipeline.params.sections import Label
    try:
        TypeAdapter(Label).validate_python(given.name)
    except ValidationError:
        raise InputError(f"{given.name!r}: expected a name of letters, digits, - and _") from None
    folder = folders.repository() / folders.STUDIES / given.name
    if folder.exists():
        with suppress(OSError), temporary.folder(folder):  # of a command that was killed when its study was done
            pass
        raise InputError(f"{folder}: is there already; choose another name")
    source = source_of(given.source)
    reading.load(source)
    yaml = YAML()
    yaml.width = 200
    content = yaml.load(source.read_text())
    move(content, source.parent, folder)
    change(content, given)
    buffer = io.BytesIO()
    yaml.dump(content, buffer)
    with files.replacing(folder) as made:
        (made / reading.PARAMS).write_bytes(buffer.getvalue())
        try:
            reading.load(made / reading.PARAMS)
        except InputError as error:
            raise InputError(str(error).replace(str(made), str(folder))) from None
        link(made)
    print(f"{folder}: edit its params.yaml; `cd {os.path.relpath(folder)} && dvc repro report` trains, scores and "
          "reports it")


def source_of(name: str | None) -> Path:
    """The params.yaml of the study `name`, or of the repository's own; InputError with the nearest name."""
    root = folders.repository()
    if name is None:
        return root / "params.yaml"
    known = sorted(path.parent.name for path in (root / folders.STUDIES).glob("*/params.yaml"))
    if name not in known:
        raise InputError(f"--from {name}: no such study{suggestion(name, known)}; there are {', '.join(known)}")
    return root / folders.STUDIES / name / "params.yaml"


def move(content: dict[str, Any], source: Path, folder: Path) -> None:
    """Relative paths of `content`, a params.yaml in the folder `source`, mean the same in `folder`; but a study's own
    models stay its own.
    """
    inception = (content.get("evaluate") or {}).get("inception") or {}
    for section, key in ((content.get("data") or {}, "directory"), (inception, "weights"),
                         *((transfer, "model") for transfer in (content.get("transfers") or {}).values())):
        path = section.get(key)
        if path and not path.startswith(("~", "/")) and not (key == "model" and path.startswith("models/")):
            section[key] = os.path.relpath(source / path, folder)


def change(content: dict[str, Any], given: argparse.Namespace) -> None:
    """Makes `content`, a params.yaml, what the command line asks for; runs that say otherwise follow."""
    train = content["train"] = content.get("train") or {}
    for section in (train, *(run for run in content["runs"].values() if run)):
        if given.epochs is not None and section.get("decay_epochs"):
            before = section.get("epochs", train.get("epochs", 2))
            section["decay_epochs"] = round(section["decay_epochs"] * given.epochs / before)
    for key, value in (("epochs", given.epochs), ("images", given.images)):
        if value is not None:
            for section in said(content, key):
                section[key] = value
    if given.width is not None:
        for section in said(content, "width"):
            section["width"] = section.get("width", 1) * given.width
    if given.seeds is not None:
        content["seeds"] = given.seeds
    if given.data is not None:
        content["data"] = data_of(given.data, train.get("network", "slides"))


def said(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Section train, and the runs that have `key` themselves."""
    return [content["train"], *(run for run in content["runs"].values() if run and key in run)]


def data_of(name: str, network: str) -> dict[str, Any]:
    """Section data for a data set of this name, pictures in the size of the network; InputError with the nearest."""
    if name in BUILT_IN:
        return {"name": name}
    if name not in ARCHIVES:
        known = (*BUILT_IN, *ARCHIVES)
        raise InputError(f"--data {name}: no such data set{suggestion(name, known)}; there are {', '.join(known)}")
    from pipeline.gan import literature
    channels, size, _ = literature.network(network).image
    return {"name": "images", "directory": f"../../pictures/{ARCHIVES[name]}",
            "pictures": {"size": size, "channels": channels, "smallest": min(size, 64)}}


def link(folder: Path) -> None:
    """Makes `folder` a study: links to the stages, the code and what DVC ignores, and DVC's configuration."""
    for name in LINKS:
        (folder / name).symlink_to(Path("../..") / name)
    files.write(folder / ".dvc" / "config", CONFIG.encode())
    files.write(folder / ".dvc" / ".gitignore", b"/config.local\n/tmp\n/cache\n")

"""`dcgan recipe`: one system of the literature, as it is or scaled down, trained and scored.

A scaled recipe becomes an entry of recipes/params.yaml whose name says what differs, like
paper-64-width25-epochs2-images4000-on-eurosat; the recipe it comes from stays as it is.
"""
import argparse
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from pipeline import files, params
from pipeline.documents import Recipe
from pipeline.errors import InputError

FOLDER = Path("recipes")
EXAMPLE = "example: dcgan recipe paper-64 --width 0.25 --epochs 2 --data eurosat"


def main(words: list[str]) -> None:
    """Runs `dcgan recipe` with `words` and exits with DVC's status."""
    parser = argparse.ArgumentParser(prog="dcgan recipe", description=__doc__.split("\n\n")[1], epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a recipe of recipes/params.yaml")
    parser.add_argument("--width", type=float, help="so many times its channels")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's; the falling learning rate shrinks alike")
    parser.add_argument("--images", type=int, help="so many training images at most")
    parser.add_argument("--data", help="another data set of recipes/params.yaml")
    given = parser.parse_args(words)
    name = write(given.name, given.width, given.epochs, given.images, given.data)
    python = Path(sys.executable)
    environment = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(python), "-m", "dvc", "repro", f"{FOLDER}/dvc.yaml:evaluate@{name}"]
    sys.exit(subprocess.run(command, env=environment).returncode)


def write(name: str, width: float | None, epochs: int | None, images: int | None, data: str | None) -> str:
    """The name of the recipe that differs from `name` as asked; it stands in recipes/params.yaml afterwards."""
    recipe = params.recipe_of(f"{FOLDER}/{name}")
    scaled, suffix = recipe, ""
    if width is not None and width != 1:
        percent = f"{100 * width:g}".replace(".", "p")  # a dot would split DVC's names
        scaled, suffix = replace(scaled, width=recipe.width * width), f"-width{percent}"
    if epochs is not None and epochs != recipe.epochs:
        decay = round(recipe.decay_epochs * epochs / recipe.epochs)
        scaled, suffix = replace(scaled, epochs=epochs, decay_epochs=decay), suffix + f"-epochs{epochs}"
    if images is not None and images != recipe.images:
        scaled, suffix = replace(scaled, images=images), suffix + f"-images{images}"
    if data is not None and data != recipe.data:
        scaled, suffix = replace(scaled, data=data), suffix + f"-on-{data}"
    if suffix:
        add(name + suffix, scaled)
    return name + suffix


def add(name: str, recipe: Recipe) -> None:
    """Puts `recipe` at the head of the section recipes, if it is not there.

    InputError, and nothing is changed, when its numbers are impossible.
    """
    path = FOLDER / params.PARAMS
    before = path.read_text()
    if re.search(rf"(?m)^ +{re.escape(name)}:", before):
        if params.recipe_of(f"{FOLDER}/{name}") != recipe:
            raise InputError(f"{path}: recipes.{name} is there with other numbers; rename or delete it")
        return
    line = f"  {name}: {{" + ", ".join(f"{key}: {_yaml(value)}" for key, value in asdict(recipe).items()) + "}\n"
    files.write(path, re.sub(r"(?m)^recipes:.*\n", lambda head: head[0] + line, before, count=1).encode())
    try:
        params.study(f"{FOLDER}/{name}")
    except InputError:
        files.write(path, before.encode())
        raise


def _yaml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)

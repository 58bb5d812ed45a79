"""dcgan promote: take the winner of the search into params.yaml, as runs.searched.

An act of its own, not a stage: DVC's graph has no loop, and what a study trains stands in params.yaml alone. Comments
in params.yaml stay. Once the run is trained and evaluated, the same command makes its generator MLflow's champion.
"""
import argparse
import io
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files, folders
from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.params.study import Study

EXAMPLE = "example: dvc repro search && dcgan promote && dvc repro report && dcgan promote"
NAME = "searched"
AGAIN = "`dvc repro report` trains and reports it, then `dcgan promote` makes its generator MLflow's champion"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan promote` takes."""
    parser.add_argument("best", nargs="?", type=Path, default=folders.report("search") / "best.yaml",
                        help="the file that names the winner; default reports/search/best.yaml")
    parser.add_argument("--anyway", action="store_true", help="also if it was not shown to beat the run it had to beat")


def run(given: argparse.Namespace) -> None:
    """Writes the winner into params.yaml; or says that it is there, and makes its generator MLflow's champion."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    from pipeline.params import reading
    study, content = reading.load(), content_of(given.best)
    winner = read(given.best, content)
    if not (content.get("beats") or given.anyway):
        raise InputError(f"{given.best}: {shortfall(content)}; nothing was promoted, `dcgan promote --anyway` does it")
    before = study.runs.get(NAME)
    known = before and {key: getattr(before, key) for key in winner}
    if winner == known:
        print(f"promote: {reading.PARAMS} has this run already, as runs.{NAME}; {crowned(study)}")
        return
    yaml = YAML()
    yaml.width = 200
    content = yaml.load(files.read(reading.PARAMS).decode())
    added = CommentedMap(winner)
    added.fa.set_flow_style()
    content["runs"][NAME] = added
    buffer = io.BytesIO()
    yaml.dump(content, buffer)
    check(buffer.getvalue())
    files.write(reading.PARAMS, buffer.getvalue())
    was = f" (it was {known})" if known else ""
    print(f"promote: {reading.PARAMS}: runs.{NAME} is {winner}{was}; {AGAIN}")


def crowned(study: "Study") -> str:
    """Makes the generator of the promoted run, of the study's first seed, MLflow's champion; says so, or what lacks."""
    from pipeline import records
    from pipeline.gan.checkpoint import ModelFacts
    from pipeline.tracking import champion
    folder = folders.model(NAME, study.seeds[0])
    if not (folder / "model.json").exists():
        return AGAIN
    facts = records.read(folder / "model.json", ModelFacts, "run `dvc repro` to train it")
    if facts.get("run") != asdict(study.runs[NAME]):  # of a winner before
        return AGAIN
    if os.environ.get("DCGAN_TRACKING") == "off":
        return "DCGAN_TRACKING is off, so that MLflow is not told"
    address = champion.crown(folder, facts["sha256"]["generator.safetensors"])
    return f"MLflow has its generator as {address}" if address else (
        f"MLflow has no generator of it: `dcgan sync` tells what was kept, `dvc repro -f -s evaluate@{NAME}-"
        f"{study.seeds[0]}` tells it anew")


def check(content: bytes) -> None:
    """InputError when params.yaml would not be valid with this content; nothing is written."""
    from pipeline.params import reading
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / reading.PARAMS
        path.write_bytes(content)
        try:
            reading.load(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), f"{reading.PARAMS} with the winner")) from None


def content_of(best: Path) -> dict[str, Any]:
    """What is in best.yaml; InputError when that is no winner of a search."""
    from pipeline.params import reading
    try:
        content = reading.yaml(best)
    except FileNotFoundError:
        raise InputError(f"{best}: not found: no search has been finished; run `dvc repro search`") from None
    except InputError as error:
        raise InputError(f"{best}: no winner of a search ({error}); run `dvc repro search`") from None
    if not isinstance(content, dict) or not isinstance(content.get("run"), dict):
        raise InputError(f"{best}: no winner of a search (no `run`); run `dvc repro search`")
    return content


def read(best: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The winning run; InputError when it is none."""
    from pydantic import TypeAdapter, ValidationError

    from pipeline import errors
    from pipeline.params.sections import Run
    try:
        checked = TypeAdapter(Run).validate_json(json.dumps(content["run"]))
    except ValidationError as error:
        raise InputError(f"{best}: no winner of a search ({errors.of_schema(error)}); run `dvc repro search`") from None
    return {key: getattr(checked, key) for key in content["run"]}


def shortfall(content: dict[str, Any]) -> str:
    """Why the best candidate is not simply promoted."""
    if "beats" not in content:
        return "does not say whether its run beats another at the study's length"
    found = content.get("ln_ratio")
    try:
        interval = f" (ln of the ratio of their distances: {found['low']:.2f} to {found['high']:.2f})" if found else ""
    except (KeyError, TypeError, ValueError):
        interval = ""
    trial, other = (content.get(key, "?") for key in ("trial", "against"))
    return f"trial {trial} does not beat {other} at the study's length{interval}"

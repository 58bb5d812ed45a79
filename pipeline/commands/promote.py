"""dcgan promote: take the winner of the search into params.yaml, as runs.searched.

An act of its own, not a stage: DVC's graph has no loop, and what a study trains stands in params.yaml alone. Comments
in params.yaml stay.
"""
import argparse
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from pipeline import files, folders
from pipeline.errors import InputError

EXAMPLE = "example: dvc repro search && dcgan promote && dvc repro report"
NAME = "searched"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan promote` takes."""
    parser.add_argument("best", nargs="?", type=Path, default=folders.report("search") / "best.yaml",
                        help="the file that names the winner; default reports/search/best.yaml")


def run(given: argparse.Namespace) -> None:
    """Writes the winner into params.yaml, or says that it is there."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    from pipeline.params import reading
    study, winner = reading.load(), read(given.best)
    before = study.runs.get(NAME)
    known = before and {key: getattr(before, key) for key in winner}
    again = "`dvc repro report` trains and reports it"
    if winner == known:
        print(f"promote: {reading.PARAMS} has this run already, as runs.{NAME}; {again}")
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
    print(f"promote: {reading.PARAMS}: runs.{NAME} is {winner}{was}; {again}")


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


def read(best: Path) -> dict[str, Any]:
    """What best.yaml says of the winning run; InputError when there is none."""
    from pydantic import TypeAdapter, ValidationError

    from pipeline import errors
    from pipeline.params import reading
    from pipeline.params.sections import Run
    try:
        winner: dict[str, Any] = reading.yaml(best)["run"]
        checked = TypeAdapter(Run).validate_json(json.dumps(winner))
        return {key: getattr(checked, key) for key in winner}
    except FileNotFoundError:
        raise InputError(f"{best}: not found: no search has been finished; run `dvc repro search`") from None
    except (InputError, KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = errors.of_schema(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise InputError(f"{best}: no winner of a search ({reason}); run `dvc repro search`") from None

"""`dcgan promote`: the winner of a search becomes the run `searched` of params.yaml, whose comments stay.

An act of its own, not a stage: DVC's graph has no loop, and what a study trains stands in params.yaml alone.
"""
import io
import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from pipeline import files, params, stage
from pipeline.errors import InputError
from pipeline.params import PARAMS
from pipeline.sections import Run

NAME = "searched"


def promote(best: Path = Path("reports/search/best.yaml")) -> None:
    """Writes the run in the file BEST into params.yaml, as runs.searched."""
    before = params.load().runs.get(NAME)
    run = read(best)
    if run == before:
        print(f"promote: {PARAMS} has this run already, as runs.{NAME}; `dvc repro report` trains and reports it")
        return
    yaml = YAML()
    yaml.width = 200
    content = yaml.load(PARAMS.read_text())
    added = CommentedMap(asdict(run))
    added.fa.set_flow_style()
    content["runs"][NAME] = added
    buffer = io.BytesIO()
    yaml.dump(content, buffer)
    files.write(PARAMS, buffer.getvalue())
    print(f"promote: {PARAMS}: runs.{NAME} is {asdict(run)}" + (f" (it was {asdict(before)})" if before else "")
          + "; `dvc repro report` trains and reports it")


def read(best: Path) -> Run:
    """The run in best.yaml; InputError when there is none."""
    try:
        found = YAML(typ="safe", pure=True).load(best.read_text())["run"]
        return TypeAdapter(Run).validate_json(json.dumps(found))
    except FileNotFoundError:
        raise InputError(f"{best}: not found: no search has been finished; run `dvc repro search`") from None
    except (YAMLError, KeyError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{best}: no winner of a search ({reason}); run `dvc repro search`") from None


if __name__ == "__main__":
    stage.main(promote)

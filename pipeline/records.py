"""JSON files that this project wrote: each is read through a schema, so that a damaged one is one line."""
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline import errors, files
from pipeline.errors import InputError


def read(path: Path, schema: Any, again: str) -> Any:
    """The content of `path`, which has what `schema`, a type, asks for; what else it has stays.

    InputError when the file is missing or has not; `again` says what makes it anew.
    """
    try:
        content = files.read(path)
        TypeAdapter(schema).validate_json(content)
        return json.loads(content)
    except FileNotFoundError:
        raise InputError(f"{path}: not found; {again}") from None
    except ValidationError as error:
        raise InputError(f"{path}: not what this project writes ({errors.of_schema(error)}); {again}") from None

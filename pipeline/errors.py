"""Errors that a user can mend: stages print them as one line, without a traceback, and exit with status 1."""
import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(Exception):
    """Something the user gave cannot be used: says what was found, what was expected, and in which key or file."""


class DivergedError(Exception):
    """A training left the finite numbers; there is no score to report."""


class ScoreError(ValueError):
    """There is no such score of these images: too few of them, or features that are not finite. Never a number."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """" (did you mean 'x'?)" with the one of `known` that looks like `name`, or ''."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def printable(text: str) -> str:
    """`text` in one line, with escapes for what a terminal obeys, turns around or cannot show."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode()
                   for one in text)


def of_schema(error: "ValidationError") -> str:
    """The first thing that a schema found wrong."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"

"""Errors that a user can mend: stages print them as one line, without a traceback, and exit with status 1."""


class InputError(Exception):
    """Something the user gave cannot be used: says what was found, what was expected, and in which key or file."""


class DivergedError(Exception):
    """A training left the finite numbers; there is no score to report."""

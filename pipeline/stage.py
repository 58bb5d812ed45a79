"""What all stages share: the command line, one-line errors, and the guard that records no result of other code."""
import argparse
import hashlib
import inspect
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import code, files, stopping
from pipeline.errors import DivergedError, InputError, ScoreError, printable


def main(stage: Callable[..., None]) -> None:
    """Calls `stage` with the command line's words, one for each of its parameters, and exits with its status.

    SIGTERM and Ctrl-C end it as `stopping` says, with 143 and 130.

    The stage runs only if code/<stage> is the fingerprint of the code that is here, and fails if that has changed by
    its end: DVC hashes dependencies after the command (treeverse/dvc#11058), so it would record code that never ran.
    """
    name = Path(inspect.getfile(stage)).stem
    parser = argparse.ArgumentParser(prog=f"python -m pipeline.{name}", description=stage.__doc__)
    for parameter in inspect.signature(stage).parameters.values():
        parser.add_argument(parameter.name, type=parameter.annotation)
    words = vars(parser.parse_args())
    try:
        with stopping.listening():
            code.check(name)
            stage(**words)
            code.check(name)
    except (InputError, DivergedError, ScoreError, OSError, MemoryError) as error:
        sys.exit(printable(f"{name}: {str(error) or 'out of memory'}"))
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):  # PyTorch has no type of its own for a CPU without memory
            raise
        sys.exit(f"{name}: out of memory")
    except KeyboardInterrupt as interrupt:
        print(f"{name}: interrupted{f' by {interrupt}' if str(interrupt) else ''}", file=sys.stderr)
        if isinstance(interrupt, stopping.Stopped):
            sys.stdout.flush()
            os._exit(interrupt.status)  # taking the interpreter apart takes seconds on a busy machine
        sys.exit(130)


def write_scores(path: Path, scores: dict[str, Any]) -> None:
    """Writes one dict of scores to a JSON file; ScoreError names one that is not finite."""
    for name, value in scores.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ScoreError(f"{name} is {value}, which is no score")
    files.write(path, (json.dumps(scores, indent=2, allow_nan=False) + "\n").encode())


def digest(*facts: Any) -> str:
    """SHA-256 of anything that JSON can hold, as 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

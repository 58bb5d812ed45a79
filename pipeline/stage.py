"""What all stages share: the command line, one-line errors, and a watch over the code that runs."""
import argparse
import hashlib
import inspect
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import DivergedError, InputError, ScoreError


def main(stage: Callable[..., None]) -> None:
    """Calls `stage` with the command line's words, one for each of its parameters, and exits with its status."""
    name = Path(inspect.getfile(stage)).stem
    parser = argparse.ArgumentParser(prog=f"python -m pipeline.{name}", description=stage.__doc__)
    for parameter in inspect.signature(stage).parameters.values():
        optional = parameter.default is not parameter.empty
        parser.add_argument(parameter.name, type=parameter.annotation, nargs="?" if optional else None,
                            default=parameter.default if optional else None)
    words = vars(parser.parse_args())
    before = sources()
    try:
        stage(**words)
    except (InputError, DivergedError, ScoreError, OSError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    moved = [str(path) for path, digest in sources().items() if before.get(path, digest) != digest]
    if moved:
        # DVC hashes dependencies after the command (treeverse/dvc#11058): it would record code that never ran.
        sys.exit(f"{name}: {', '.join(moved)} changed while this stage ran; run it again")


def sources() -> dict[Path, str]:
    """SHA-256 of every file of this package that the process has imported, by path from the project's root."""
    package = Path(__file__).resolve().parent
    paths = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    ours = {Path(file).resolve() for file in paths if file and Path(file).resolve().is_relative_to(package)}
    return {file.relative_to(package.parent): files.sha256(file) for file in sorted(ours)}


def write_scores(path: Path, scores: dict[str, Any]) -> None:
    """Writes one dict of scores to a JSON file; ScoreError names one that is not finite."""
    for name, value in scores.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ScoreError(f"{name} is {value}, which is no score")
    files.write(path, (json.dumps(scores, indent=2, allow_nan=False) + "\n").encode())


def digest(*facts: Any) -> str:
    """SHA-256 of anything that JSON can hold, as 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

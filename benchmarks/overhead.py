"""What a training costs beside its arithmetic: python -m benchmarks.overhead

The stage `train` runs test4 for one epoch of data/arrays/mnist as a user runs it, MLflow and checkpoints included
(data and reference come from `dvc repro reference`). Timed inside it: the training steps and the snapshots (samples,
features, Fréchet distance). All else, from reading the data to the last byte of the report, is overhead; what Python
needs to start is `benchmarks.startup`'s.
"""
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline import folders, observing, train
from pipeline.gan import updates

spent: dict[str, float] = {}


def main() -> None:
    """Prints seconds of arithmetic and of the rest, and the share of the rest."""
    if not (Path("data/arrays/mnist").exists() and Path("models/reference").exists()):
        sys.exit("benchmarks.overhead: data/arrays/mnist or models/reference is absent: run `dvc repro reference`")
    here = Path.cwd()
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["train"]["epochs"] = 1
    for rule, update in updates.RULES.items():
        updates.RULES[rule] = timed("steps", update)
    observing.snapshot = timed("snapshots", observing.snapshot)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        os.environ["DVC_ROOT"] = folder  # MLflow's store is there
        yaml.dump(params, Path("params.yaml"))
        for part in (Path("code"), folders.data("mnist"), folders.REFERENCE):
            part.parent.mkdir(exist_ok=True)
            part.symlink_to(here / part)
        begin = time.perf_counter()
        train.train("test4", 0)
        whole = time.perf_counter() - begin
    rest = whole - sum(spent.values())
    print(f"{whole:.1f} s: steps {spent['steps']:.1f}, snapshots {spent['snapshots']:.1f}, all else {rest:.2f}, which "
          f"is {rest / whole:.1%}")


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose seconds are added to `spent`."""
    def call(*words: Any) -> Any:
        begin = time.perf_counter()
        result = function(*words)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begin
        return result
    return call


if __name__ == "__main__":
    main()

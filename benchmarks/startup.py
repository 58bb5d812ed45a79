"""How long one waits for help, fingerprints, a stage, and a `dvc repro` that has nothing to do.

    python -m benchmarks.startup

After `dvc repro report`. Medians; the first start after a boot, which reads PyTorch from disk, takes longer.
"""
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

REPETITIONS = 5
PYTHON = [sys.executable, "-u", "-m"]


def main() -> None:
    """Prints seconds, and how many columns and bytes DVC has for the study."""
    for what, call in (("dcgan --help", lambda: whole(*PYTHON, "pipeline", "--help")),
                       ("dcgan search --help", lambda: whole(*PYTHON, "pipeline", "search", "--help")),
                       ("python -m pipeline.code", lambda: whole(*PYTHON, "pipeline.code")),
                       ("first line of python -m pipeline.train", lambda: first_line("train", "test4", "0")),
                       ("dvc repro report with nothing to do", idle)):
        print(f"{what}: {median(call):.2f} s", flush=True)
    table = subprocess.run(["dvc", "exp", "show", "--csv"], check=True, capture_output=True, text=True).stdout
    print(f"dvc exp show: {len(table.splitlines()[0].split(','))} columns")


def median(call: Callable[[], float]) -> float:
    """The median of what `call` measures."""
    return statistics.median(call() for _ in range(REPETITIONS))


def whole(*words: str) -> float:
    """Seconds of a command."""
    begin = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - begin


def first_line(stage: str, *words: str) -> float:
    """Seconds until a stage shows something; then it is stopped."""
    begin = time.perf_counter()
    with subprocess.Popen([*PYTHON, f"pipeline.{stage}", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        assert process.stdout
        process.stdout.read(1)
        seconds = time.perf_counter() - begin
        process.kill()
    return seconds


def idle() -> float:
    """Seconds of a `dvc repro` that runs nothing."""
    begin = time.perf_counter()
    output = subprocess.run(["dvc", "repro", "report"], check=True, capture_output=True, text=True).stdout
    if "Running stage" in output:
        sys.exit("benchmarks.startup: `dvc repro report` had something to do; measure again")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()

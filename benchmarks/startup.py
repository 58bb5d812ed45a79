"""How long one waits for the first line of a stage, and for a `dvc repro` that has nothing to do: python -m
benchmarks.startup

After `dvc repro`. Medians; the first start after a boot, which reads PyTorch from disk, takes longer.
"""
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

REPETITIONS = 5


def main() -> None:
    """Prints seconds."""
    words = ("test4", "data/mnist", "models/reference", "models/test4", "reports/train/test4")
    for what, call in (("first line of python -m pipeline.train", lambda: first_line("train", *words)),
                       ("python -m pipeline.report --help", lambda: first_line("report", "--help")),
                       ("dvc repro report with nothing to do", idle)):
        print(f"{what}: {median(call):.2f} s", flush=True)


def median(call: Callable[[], float]) -> float:
    """The median of what `call` measures."""
    return statistics.median(call() for _ in range(REPETITIONS))


def first_line(stage: str, *words: str) -> float:
    """Seconds until a stage shows something; then it is stopped."""
    begin = time.perf_counter()
    with subprocess.Popen([sys.executable, "-u", "-m", f"pipeline.{stage}", *words], stdout=subprocess.PIPE,
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

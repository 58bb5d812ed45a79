"""What the options of a run cost: python -m benchmarks.options

Steps of test4 on random images, without options and with each, in turns; medians of the ratios of their times.
"""
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.contestants import chosen
from pipeline.gan import literature, training
from pipeline.params.sections import Run

OPTIONS = {"none, again": Run(batch=100), "ema": Run(batch=100, ema=0.999), "flip": Run(batch=100, flip=True),
           "label_smoothing": Run(batch=100, label_smoothing=0.1)}
ROUNDS, STEPS = 9, 4


def main() -> None:
    """Prints a table."""
    plain, others = steps(Run(batch=100)), {name: steps(run) for name, run in OPTIONS.items()}
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(ROUNDS):
        for name, other in others.items():
            ratios[name].append(timed(other) / timed(plain))
    print("| option | time of a step, with / without |\n|---|---:|")
    for name, found in ratios.items():
        print(f"| {name} | {statistics.median(found):.3f} |")


def steps(run: Run) -> Callable[[], object]:
    """What trains STEPS mini-batches more."""
    device = chosen("auto", True)
    images = np.random.default_rng(0).integers(0, 256, (6000, 1, 28, 28), np.uint8)
    state = training.start(literature.network("slides"), run, 0, device)
    progress = training.train(state, images, np.zeros(len(images), np.uint8), run.batch, 10**9, 0, STEPS * run.batch,
                              device, 0)
    return lambda: next(progress)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()

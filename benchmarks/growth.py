"""How time and memory grow: python -m benchmarks.growth

With the number of images (made-up ones in a memory-mapped file, up to a million), the width, the resolution, the batch
and the number of processes under torchrun with one thread each. Every point is a process of its own that takes a few
training steps; memory is what it keeps beside mapped files (RssAnon, Linux). benchmarks/growth.csv has every number,
benchmarks/growth.png shows them.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from benchmarks.contestants import chosen
from pipeline.gan import literature, parallel, training
from pipeline.params.sections import Run

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

STEPS = 8
ONE_THREAD = "processes of one thread"
# What varies, its values, and the network, width, images, batch and processes that a value stands for.
AXES: dict[str, list[tuple[float, tuple[str, float, int, int, int]]]] = {
    "images in the data set": [(n, ("slides", 1, n, 100, 1)) for n in (1_000, 10_000, 60_000, 250_000, 1_000_000)],
    "width": [(width, ("slides", width, 1_000, 100, 1)) for width in (0.25, 0.5, 1, 2)],
    "resolution": [(literature.network(name).image[1], (name, 1, 1_000, 128, 1))
                   for name in ("slides", "udacity-svhn", "torch-64")],
    "batch": [(batch, ("slides", 1, 1_000, batch, 1)) for batch in (32, 64, 128, 256, 512)],
    ONE_THREAD: [(count, ("slides", 1, 1_024, 256, count)) for count in (1, 2)],
}


def main() -> None:
    """Measures every point, writes the CSV file and the picture."""
    rows = []
    for axis, points in AXES.items():
        for value, setting in points:
            threads = {"OMP_NUM_THREADS": "1"} if axis == ONE_THREAD else {}
            rows.append({"axis": axis, "value": value} | measured(*setting, threads))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv("benchmarks/growth.csv", index=False, float_format="%.4g")
    draw(table)


def measured(name: str, width: float, images: int, batch: int, processes: int,
             environment: dict[str, str]) -> dict[str, float]:
    """Images per second and MB of one point."""
    words = [name, str(width), str(images), str(batch)]
    launcher = [sys.executable] if processes == 1 else [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run([*launcher, "-m", "benchmarks.growth", *words], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def point(name: str, width: float, count: int, batch: int) -> None:
    """Prints what one process, or the first of several, measures."""
    network = literature.network(name, width)
    with tempfile.TemporaryDirectory(dir=".") as folder, parallel.group():
        images = np.lib.format.open_memmap(f"{folder}/images.npy", "w+", np.uint8, (count, *network.image))
        run = Run(batch=batch, lr=2e-4, beta1=0.5, leak=0.2)
        device = chosen("auto", True)
        state = training.start(network, run, 0, device)
        steps = training.train(state, images, np.zeros(count, np.uint8), batch, 10**9, 0, batch, device, 0)
        seconds = []
        for _ in range(STEPS + 2):
            begin = time.perf_counter()
            progress = next(steps)
            if not progress.epoch_ended:  # its last batch may be a small one
                seconds.append(time.perf_counter() - begin)
        kept = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith("RssAnon"))
        if parallel.rank() == 0:
            print(json.dumps({"images_per_second": batch / statistics.median(seconds[2:]), "MB": kept / 1000}))


def draw(table: pd.DataFrame) -> None:
    """A column for each axis: images per second above, memory below."""
    figure, axes = pyplot.subplots(2, len(AXES), figsize=(3 * len(AXES), 5.5), layout="constrained", sharex="col")
    for column, axis in enumerate(AXES):
        points = table[table.axis == axis]
        for place, (key, label) in enumerate((("images_per_second", "images/s"), ("MB", "memory of a process, MB"))):
            shown = axes[place, column]
            shown.plot(points.value, points[key], marker="o", color="#0072B2")
            shown.set_ylim(0, 1.1 * points[key].max())
            shown.grid(alpha=0.3)
            if axis.startswith("images"):
                shown.set_xscale("log")
            elif axis != "batch":
                shown.set_xticks(points.value)
            if column == 0:
                shown.set_ylabel(label)
        axes[1, column].set_xlabel(axis)
    figure.savefig("benchmarks/growth.png", dpi=110)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        point(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()

"""Seconds of the probe's linear SVM and of scikit-learn's LinearSVC: python -m benchmarks.svm [CIFAR]

One after the other, at the C that validation chooses, on features of an untrained D: 60,000 x 3,072 of the slides' on
MNIST (data/arrays/mnist, from `dvc repro fetch`) and, where the folder CIFAR (if none is given, the data of
studies/article-cifar10-20-epochs) holds images of 32x32, 10,000 x 7,168 of Udacity's on those. LinearSVC takes many
minutes. Then, in a process of its own, 50,000 x 28,672 made-up features, which is what the paper probes on CIFAR-10,
mapped from a file of 5.7 GB: its peak memory.
"""
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from sklearn.svm import LinearSVC

from pipeline.data import images
from pipeline.gan import devices, literature
from pipeline.gan.build import build
from pipeline.params.sections import Hardware
from pipeline.scores import probe, svm

REPETITIONS = 3  # of ours; LinearSVC runs once
GRID = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
LARGE = 50_000, 28_672
Result = TypeVar("Result")


def main() -> None:
    """Prints a row for each shape, then the time and peak memory of the largest."""
    cifar = Path(sys.argv[1] if len(sys.argv) > 1 else "studies/article-cifar10-20-epochs/data/arrays/images")
    print("| features | C | here, s | LinearSVC, s | ratio | accuracy here | of LinearSVC |\n"
          "|---|---:|---:|---:|---:|---:|---:|")
    for folder, network, count in ((cifar, "udacity-svhn", 10_000), (Path("data/arrays/mnist"), "slides", 60_000)):
        if folder.exists():
            print(compared(folder, network, count), flush=True)
        else:
            print(f"{folder} is absent: not measured", file=sys.stderr)
    code = "from benchmarks.svm import large; large()"
    print(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout, end="")


def compared(folder: Path, name: str, count: int) -> str:
    """A row of the table: the first `count` training images, accuracies on the test images."""
    dataset, network = images.load(folder), literature.network(name)
    D = build(network, 0.2, torch.Generator().manual_seed(0))[1]
    device = devices.choose(Hardware(device="cpu", precision="auto", fast=True))
    x, test = probe.features(D, network, (dataset.train_images[:count], dataset.test_images), device)
    y, kept = dataset.train_labels[:count], count * 3 // 4
    C = probe.choose(GRID, lambda C: svm.accuracy(svm.fit(x[:kept], y[:kept], 10, C), x[kept:], y[kept:]),
                     count - kept)
    ours, seconds = timed(lambda: svm.fit(x, y, 10, C), REPETITIONS)
    theirs, their_seconds = timed(lambda: LinearSVC(C=C).fit(x, y), 1)
    accuracies = svm.accuracy(ours, test, dataset.test_labels), theirs.score(test, dataset.test_labels)
    return (f"| {count:,} x {x.shape[1]:,} | {C:g} | {seconds:.1f} | {their_seconds:.1f} "
            f"| {their_seconds / seconds:.0f} | {accuracies[0]:.2%} | {accuracies[1]:.2%} |")


def large() -> None:
    """Fits the largest features, of ten noisy prototypes with features as unevenly scaled as real ones."""
    n, d = LARGE
    with tempfile.TemporaryDirectory(dir=".") as folder:
        x = np.lib.format.open_memmap(f"{folder}/x.npy", "w+", np.float32, (n, d))
        rng = np.random.default_rng(0)
        labels, scale = rng.integers(10, size=n), np.exp(-6 * np.arange(d) / d, dtype=np.float32)
        prototypes = rng.normal(0, 0.15, (10, d)).astype(np.float32)
        for part in np.array_split(np.arange(n), 100):
            noise = rng.standard_normal((len(part), d), np.float32)
            x[part] = scale * np.maximum(prototypes[labels[part]] + noise, 0)
        w, seconds = timed(lambda: svm.fit(x, labels, 10, 1e-4), 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux, mapped pages included
        print(f"\n{n:,} x {d:,}: {seconds:.0f} s, at most {peak:.1f} GB, of which the features' file is up to "
              f"{x.nbytes / 1e9:.1f}; {svm.accuracy(w, x[:2000], labels[:2000]):.1%} of training examples right")


def timed(call: Callable[[], Result], repetitions: int) -> tuple[Result, float]:
    """What `call` returns, and the median of its seconds."""
    seconds = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - begin)
    return result, float(np.median(seconds))


if __name__ == "__main__":
    main()

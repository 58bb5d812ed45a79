"""Seconds of this project's scores and of what people would use instead: python -m benchmarks.scores

On the CPU, with the threads that the environment allows, taking turns. Fréchet distances from given moments, 2,048
dimensions: scipy's matrix root as pytorch-fid calls it, and the eigenvalues of the product as torch-fidelity does.
Precision, recall, density and coverage of 10,000 images against 10,000: prdc with the eight jobs that it asks
scikit-learn for, and with one, which its users cannot choose. Each of these runs in a process of its own, whose peak
memory, features and libraries included, is told.
"""
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import sqrtm

from pipeline.scores import frechet, manifold

REPETITIONS = 3
IMAGES, NEIGHBOURS = 10_000, 5


def main() -> None:
    """Prints both tables."""
    print("| Fréchet distance, 2,048 dimensions | here, s | sqrtm, s | eigvals, s | sqrtm / here | eigvals / here "
          "| sqrtm, relative difference | eigvals, relative difference |\n|---|---:|---:|---:|---:|---:|---:|---:|")
    for n in (10_000, 1_000):
        a, b = (frechet.moments(torch.from_numpy(features(n, 2048, seed))) for seed in (1, 2))
        print(f"| {n:,} images " + frechet_row(a, b), flush=True)
    print(f"\n| PRDC, {IMAGES:,} x {IMAGES:,} | here, s | prdc, s | prdc, 1 job, s | prdc / here | prdc, 1 job / here "
          "| here, MB | prdc, MB | largest difference |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for d in (2048, 128):
        print(f"| {d:,} dimensions " + manifold_row(d), flush=True)


def frechet_row(a: frechet.Moments, b: frechet.Moments) -> str:
    """Median seconds of each, their ratios to the first, and the others' relative differences from it."""
    contestants: list[Callable[[frechet.Moments, frechet.Moments], float]] = [frechet.distance, rooted, eigenvalues]
    seconds: list[list[float]] = [[], [], []]
    values = [0.0] * 3
    for _ in range(REPETITIONS):
        for i, distance in enumerate(contestants):
            pair = [frechet.Moments(m.count, m.mean, m.scatter) for m in (a, b)]  # which know no factors yet
            begin = time.perf_counter()
            values[i] = distance(*pair)
            seconds[i].append(time.perf_counter() - begin)
    medians = [statistics.median(s) for s in seconds]
    return "| " + " | ".join([*(f"{m:.2f}" for m in medians), *(f"{m / medians[0]:.1f}" for m in medians[1:]),
                              *(f"{abs(v / values[0] - 1):.0e}" for v in values[1:])]) + " |"


def rooted(a: frechet.Moments, b: frechet.Moments) -> float:
    """The distance by a root of the product of covariances."""
    s, t = a.covariance.numpy(), b.covariance.numpy()
    gap = (a.mean - b.mean).numpy()
    return float(gap @ gap + s.trace() + t.trace() - 2 * sqrtm(s @ t).real.trace())


def eigenvalues(a: frechet.Moments, b: frechet.Moments) -> float:
    """The distance by the eigenvalues of the product of covariances."""
    s, t = a.covariance.numpy(), b.covariance.numpy()
    gap = (a.mean - b.mean).numpy()
    overlap = np.sqrt(np.linalg.eigvals(s @ t).astype(complex)).real.sum()
    return float(gap @ gap + s.trace() + t.trace() - 2 * overlap)


def features(n: int, d: int, seed: int) -> np.ndarray:
    """float32 (n, d), not negative; 32 directions stand out, as in features of real images."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(32, d)) / 5
    result = np.empty((n, d), np.float32)
    for part in np.split(result, 10):  # what making them takes shall not hide the scores' memory
        part[:] = np.maximum(rng.normal(size=(len(part), 32)) @ mixing + 0.1 * (seed + rng.normal(size=part.shape)), 0)
    return result


def manifold_row(d: int) -> str:
    """Median seconds, ratio, peak memories and the largest difference of values."""
    results: dict[str, list[dict]] = {"here": [], "prdc": [], "prdc_1": []}
    for _ in range(REPETITIONS):
        for who, seen in results.items():
            command = [sys.executable, "-m", "benchmarks.scores", who, str(d)]
            seen.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1]))
    seconds = [statistics.median(one["seconds"] for one in seen) for seen in results.values()]
    megabytes = [max(one["megabytes"] for one in results[who]) for who in ("here", "prdc")]
    ours, theirs = results["here"][0]["scores"], results["prdc"][0]["scores"]
    difference = max(abs(ours[key] - theirs[key]) for key in ours)
    return "| " + " | ".join([*(f"{s:.1f}" for s in seconds), *(f"{s / seconds[0]:.1f}" for s in seconds[1:]),
                              *(f"{m:.0f}" for m in megabytes), f"{difference:.0e}"]) + " |"


def contestant(who: str, d: int) -> None:
    """Prints one run's seconds, megabytes and scores as JSON."""
    real, fake = features(IMAGES, d, 1), features(IMAGES, d, 2)
    score = manifold.scores
    if who != "here":
        import prdc
        score = prdc.compute_prdc
        if who == "prdc_1":
            import sklearn.metrics
            parallel = sklearn.metrics.pairwise_distances
            sklearn.metrics.pairwise_distances = lambda x, y, metric, n_jobs: parallel(x, y, metric=metric, n_jobs=1)
    begin = time.perf_counter()
    scores = score(real, fake, NEIGHBOURS)
    print(json.dumps({"seconds": time.perf_counter() - begin, "scores": {k: float(v) for k, v in scores.items()},
                      "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    contestant(sys.argv[1], int(sys.argv[2])) if sys.argv[1:] else main()

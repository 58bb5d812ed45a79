"""Whether the fast way trains other networks than the plain one: python -m benchmarks.quality [NETWORK] [FIRST:END]

The same trainings, seed by seed, the fast way (in bfloat16 where the machine is faster with it) and the plain way
(`precision: fp32, fast: false`): test4 on data/arrays/mnist, and `torch-64` on the data of studies/paper-64-eurosat.
Fréchet distance of 5,000 samples and the linear probe of D, from 5,000 training images to the test images.

Pairs of equal seed begin with the same weights and see the same images, so the test is paired: the 95 % t-interval of
the mean ratio of distances, in the logarithm, and of the mean difference of accuracies. benchmarks/quality.csv has
every number; what is in it is not trained again. FIRST:END chooses seeds, so that several processes share the work.
"""
import sys
from math import exp
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from tqdm import tqdm

from benchmarks.contestants import chosen
from pipeline.data import images
from pipeline.gan import literature, sampling, training
from pipeline.gan.devices import Device
from pipeline.params.sections import Run, Sampling
from pipeline.scores import probe, reference_model

TEST4 = Run(batch=100, lr=2e-4, beta1=0.5, leak=0.2)
TORCH = Run(batch=128, lr=2e-4, beta1=0.5, leak=0.2)
EUROSAT = "studies/paper-64-eurosat"
# Network, run, data, reference, training images seen, seeds.
STUDIES = (("slides", TEST4, "data/arrays/mnist", "models/reference", 20_000, 20),
           ("torch-64", TORCH, f"{EUROSAT}/data/arrays/images", f"{EUROSAT}/models/reference", 4_500, 3))
STATISTICS = Sampling(batch_norm="recomputed", statistics_images=5000)
SAMPLES, PROBED = 5000, 5000
CSV = Path("benchmarks/quality.csv")


def main() -> None:
    """Writes the CSV file and prints a table."""
    table = pd.read_csv(CSV) if CSV.exists() else pd.DataFrame()
    for name, run, data, classifier, total, seeds in STUDIES:
        if name not in (sys.argv[1:2] or (name,)):
            continue
        if not (Path(data).exists() and Path(classifier).exists()):
            print(f"{data} or {classifier} is absent: not measured", file=sys.stderr)
            continue
        for seed in tqdm(range(*map(int, sys.argv[2].split(":"))) if len(sys.argv) > 2 else range(seeds), name):
            for way, device in (("fast", chosen("auto", True)), ("plain", chosen("fp32", False))):
                kind = {"network": name, "images": total, "seed": seed, "way": way,
                        "dtype": str(device.dtype).removeprefix("torch."),
                        "cpu": kind_of_cpu()}
                if len(table) and (table[list(kind)] == pd.Series(kind)).all(axis=1).any():
                    continue
                fid, accuracy = scores(name, run, Path(data), Path(classifier), total, seed, device)
                table = pd.concat([table, pd.DataFrame([kind | {"fid": fid, "probe": accuracy}])], ignore_index=True)
                table.to_csv(CSV, index=False, float_format="%.6g")
    print("| network | images | fast in | pairs | distance, fast / plain | 95 % | p | probe, fast - plain | 95 % |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|")
    for (network, cpu), group in table.groupby(["network", "cpu"], sort=False):
        pairs = group.pivot(index="seed", columns="way", values=["fid", "probe"]).dropna()
        if len(pairs) < 2:
            continue
        logs = pd.Series(np.log(pairs["fid", "fast"] / pairs["fid", "plain"]))
        points = 100 * (pairs["probe", "fast"] - pairs["probe", "plain"])
        ratio, gap = (interval(values) for values in (logs, points))
        dtype = group[group.way == "fast"]["dtype"].iloc[0]
        print(f"| {network} | {group.images.iloc[0]:,} | {dtype} | {len(pairs)} | {exp(ratio[0]):.3f} "
              f"| {exp(ratio[1]):.3f} to {exp(ratio[2]):.3f} | {stats.ttest_1samp(logs, 0).pvalue:.2f} "
              f"| {gap[0]:+.2f} points | {gap[1]:+.2f} to {gap[2]:+.2f} |")


def kind_of_cpu() -> str:
    """The CPU's name with the widest of the instructions that decide about rounding here."""
    has = torch.cpu.get_capabilities()
    return f"{has['cpu_name']}, {next(flag for flag in ('amx_bf16', 'avx512_bf16', 'avx512_f', 'avx2') if has[flag])}"


def interval(values: "pd.Series[float]") -> tuple[float, float, float]:
    """The mean of at least two values, and the ends of its 95 % t-interval."""
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5)
    mean = float(values.mean())
    return mean, mean - half, mean + half


def scores(name: str, run: Run, data: Path, classifier: Path, total: int, seed: int, device: Device,
           ) -> tuple[float, float]:
    """Fréchet distance and probe accuracy of one training."""
    dataset, network = images.load(data), literature.network(name)
    real = reference_model.load(classifier, dataset.digest)
    state = training.start(network, run, seed, device)
    for _ in training.train(state, dataset.train_images, dataset.train_labels, run.batch, total, seed, total, device,
                            0):
        pass
    z = sampling.prior(network, SAMPLES, torch.Generator().manual_seed(1))
    with sampling.evaluating(state.G, network, STATISTICS, device) as G:
        fid = real.fid(sampling.sample(G, network, z, device))
    train, test = probe.features(state.D, network, (dataset.train_images[:PROBED], dataset.test_images), device)
    found = probe.score(train, dataset.train_labels[:PROBED], test, dataset.test_labels, dataset.classes, 0.25, [0.01])
    return fid, found["accuracy_test"]


if __name__ == "__main__":
    main()

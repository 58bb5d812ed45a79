"""Whether the fast way trains other networks than the plain one: python -m benchmarks.quality [NETWORK]

The same trainings, seed by seed, the fast way (in bfloat16 where the machine is faster with it) and the plain way
(`precision: fp32, fast: false`): test4 on data/mnist, and `torch-64` on the data of studies/paper-64-eurosat. Fréchet
distance of 5,000 samples and the linear probe of D, from 5,000 training images to the test images. A two-sided
Mann-Whitney test says whether the difference of the two groups could be chance. benchmarks/quality.csv has every
number.
"""
import sys
from pathlib import Path

import pandas as pd
import torch
from scipy.stats import mannwhitneyu
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
STUDIES = (("slides", TEST4, "data/mnist", "models/reference", 20_000, 5),
           ("torch-64", TORCH, f"{EUROSAT}/data/images", f"{EUROSAT}/models/reference", 4_500, 3))
STATISTICS = Sampling(batch_norm="recomputed", statistics_images=5000)
SAMPLES, PROBED = 5000, 5000
CSV = Path("benchmarks/quality.csv")


def main() -> None:
    """Writes the CSV file and prints a table."""
    table = pd.read_csv(CSV) if CSV.exists() else pd.DataFrame()
    for name, run, data, classifier, total, seeds in STUDIES:
        if name not in (sys.argv[1:] or (name,)):
            continue
        if not (Path(data).exists() and Path(classifier).exists()):
            print(f"{data} or {classifier} is absent: not measured", file=sys.stderr)
            continue
        for seed in tqdm(range(seeds), name):
            for way, device in (("fast", chosen("auto", True)), ("plain", chosen("fp32", False))):
                fid, accuracy = scores(name, run, Path(data), Path(classifier), total, seed, device)
                row = {"network": name, "images": total, "seed": seed, "way": way, "fid": fid, "probe": accuracy}
                if len(table):
                    table = table[(table.network != name) | (table.seed != seed) | (table.way != way)]
                table = pd.concat([table, pd.DataFrame([row])])
                table.to_csv(CSV, index=False, float_format="%.6g")
    print("| network | images | seeds | score | fast | plain | two-sided p |\n|---|---:|---:|---|---:|---:|---:|")
    for network, group in table.groupby("network", sort=False):
        for score in ("fid", "probe"):
            fast, plain = (group[group.way == way][score] for way in ("fast", "plain"))
            print(f"| {network} | {group.images.iloc[0]:,} | {len(fast)} | {score} "
                  f"| {fast.mean():.4g} ± {fast.std():.2g} "
                  f"| {plain.mean():.4g} ± {plain.std():.2g} | {mannwhitneyu(fast, plain).pvalue:.2f} |")


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

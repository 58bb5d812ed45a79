"""What MLflow costs a training: python -m benchmarks.tracking

The same training with tracking on and off, interleaved, each in a process of its own so that importing MLflow
and waiting for it at the end count; the first creates the store.
"""
import os
import statistics
import subprocess
import sys
import tempfile

IMAGES = 20_000
REPETITIONS = 3
STUDY = 120_000  # images that a run of the default study sees
SCRIPT = f"""
import sys, time
import numpy as np
from pipeline import tracking
from pipeline.data import pixels
from pipeline.gan import devices, literature, training
from pipeline.sections import Hardware, Run
from pipeline.store import Description
images = np.random.default_rng(0).integers(0, 256, ({IMAGES}, 1, 28, 28), np.uint8)
device = devices.choose(Hardware(device="auto", precision="auto", fast=True))
state = training.start(literature.network("slides"), Run(batch=100, lr=2e-4, beta1=.5, leak=.2), 0, device)
labels = np.zeros(len(images), np.uint8)
data = {{"name": "noise", "url": "https://example.org/noise", "sha256": "0" * 64}}
begin = time.perf_counter()
with tracking.run(Description("benchmark", {{"lr": 2e-4}}, data, {{}})) as tracker:
    for progress in training.train(state, images, labels, 100, {IMAGES}, 0, 5000, device, 0):
        tracker.metrics({{"loss_D": progress.loss_D, "loss_G": progress.loss_G}}, progress.images_seen)
        if progress.epoch_ended:
            tracker.image("samples", pixels.grid(images[:64], 8), progress.images_seen)
    trained = time.perf_counter()
print(trained - begin, time.perf_counter() - trained)
"""


def main() -> None:
    """Prints the medians of both, and the share of a study's training that the difference is."""
    seconds: dict[str, list[tuple[float, float]]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPETITIONS):
            for tracking, seen in seconds.items():
                environment = os.environ | {"DCGAN_TRACKING": tracking, "DVC_ROOT": folder}
                output = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, text=True,
                                        capture_output=True).stdout
                training, waiting = map(float, output.split())
                seen.append((training, waiting))
    on, off = (statistics.median(a for a, _ in seconds[key]) for key in ("on", "off"))
    waiting = statistics.median(b for _, b in seconds["on"])
    extra = statistics.median(a + b - c - d for (a, b), (c, d) in zip(seconds["on"], seconds["off"]))
    print(f"{IMAGES:,} images: {off:.1f} s without MLflow, {on:.1f} s with it and {waiting:.1f} s waiting at its end; "
          f"{extra:.1f} s more, {extra / (off * STUDY / IMAGES):.1%} of a run of {STUDY:,} images")


if __name__ == "__main__":
    main()

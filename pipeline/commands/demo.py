"""dcgan demo: digits from nothing in a minute: a small training, a picture of samples, and a walk, in the folder demo.

With the internet there are house numbers too, by the generator of the paper's authors, which is then in published/.

The data are scikit-learn's digits, so that no internet is needed. The networks are those of the paper's conditional
MNIST, an eighth as wide, and repeat pixels in place of strides. DVC and MLflow are not told: nothing here is a result
of the study.
"""
import argparse
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

EXAMPLE = "example: dcgan demo"
MODEL, SAMPLES, WALK = Path("demo/model"), Path("demo/samples.png"), Path("demo/walk.gif")
AUTHORS, HOUSES, STREET = "published:radford-svhn", Path("demo/house_numbers.png"), Path("demo/street.gif")
# Transposed convolutions with strides leave a raster on the digits after so short a training.
NETWORK: dict[str, Any] = {"name": "paper-mnist", "width": 0.125, "violate": ["nearest"]}
SETTINGS: dict[str, Any] = {"epochs": 20, "batch": 32, "lr": 0.002, "beta1": 0.5, "leak": 0.2, "ema": 0.98}
SECONDS = 36.0  # after which a slow or busy CPU begins no further epoch, so that the demo stays within a minute
STATISTICS = 500  # images behind the batch-norm statistics that samples are generated with
NEXT = f"""\
Three commands to go on with (`source .venv/bin/activate` makes dcgan known):
  dcgan sample {MODEL} demo/fours.png --label 4 --generator ema    # fours only
  dcgan explore {MODEL} demo/explore.html --generator ema         # a page to move through the latent space
  make                                                               # the study itself; it says first how long"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan demo` takes: nothing."""


def run(given: argparse.Namespace) -> None:
    """Trains, samples, walks, and says where the pictures are."""
    begin = time.monotonic()
    try:
        make()
    except KeyboardInterrupt:
        print("demo: interrupted; what stands in demo/ is whole, and `dcgan demo` begins anew", file=sys.stderr)
        raise
    print(f"\nDone in {time.monotonic() - begin:.0f} s. Look at {SAMPLES}: a column for each digit, none chosen by "
          f"hand;\nand at {WALK}: a walk between threes. The network is in {MODEL}.\n", flush=True)
    print(f"{houses()}\n\n{NEXT}")


def make() -> None:
    """Fills the folder demo."""
    import torch
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two are slower on so small a network when anything else runs
    try:
        train(MODEL, seconds=SECONDS)
        for words in (["sample", str(MODEL), str(SAMPLES), "--n", "100", "--generator", "ema"],
                      ["walk", str(MODEL), str(WALK), "--label", "3", "--generator", "ema"]):
            show(words)
    finally:
        torch.set_num_threads(threads)


def houses() -> str:
    """Makes house numbers by the authors' own generator, if it can be had; returns what to say of them."""
    from pipeline import published
    try:
        published.model(AUTHORS)
        for words in (["sample", AUTHORS, str(HOUSES)], ["walk", AUTHORS, str(STREET)]):
            show(words)
    except (InputError, OSError) as error:
        return f"There are no house numbers by the generator of the paper's authors: {error}"
    return f"{HOUSES} and {STREET} are by the generator that the paper's authors trained on SVHN."


def train(folder: Path, epochs: int = SETTINGS["epochs"], seconds: float = SECONDS) -> None:
    """Trains a conditional generator of digits into `folder`, as stage train leaves one; says how it goes.

    Training ends after `epochs`, or with the first epoch after so many `seconds`.
    """
    begin = time.monotonic()
    from pipeline.data import digits
    from pipeline.gan import checkpoint, devices, literature, training
    from pipeline.params.sections import Hardware, Run
    run, network = Run(**SETTINGS), literature.network(**NETWORK)
    arrays = digits.arrays()
    images, labels = arrays["train_images"], arrays["train_labels"]
    device = devices.choose(Hardware(device="cpu", precision="fp32"))
    state = training.start(network, run, 0, device)
    print(f"Training on {len(images):,} handwritten digits: G makes images out of random numbers, D tells them from "
          f"real ones.\nEach learns from the other, for {epochs} epochs.", flush=True)
    for progress in training.train(state, images, labels, run.batch, epochs * len(images), 0, len(images), device,
                                   run.decay_epochs):
        epoch, taken = progress.images_seen // len(images), time.monotonic() - begin
        print(f"  epoch {epoch:2} of {epochs}   loss of D {progress.loss_D:.2f}, of G {progress.loss_G:.2f}   "
              f"{taken:4.1f} s", flush=True)
        if taken > seconds and epoch < epochs:
            print(f"  This CPU is slow or busy: training ends here, with epoch {epoch}; digits are less clear.")
            break
    assert state.average is not None
    facts = {"network": NETWORK, "leak": run.leak, "images_seen": state.images_seen,
             "train": {"batch_norm": "recomputed", "statistics_images": STATISTICS}}
    checkpoint.save_model(folder, state.G, state.D, facts, {"ema": checkpoint.weights(state.average)})


def show(words: list[str]) -> None:
    """Runs `dcgan WORDS` in this process, and prints it as one would type it."""
    from pipeline import __main__ as cli
    from pipeline.commands import sample, walk
    print("\n$ dcgan", *words, flush=True)
    {"sample": sample, "walk": walk}[words[0]].run(cli.parser().parse_args(words))

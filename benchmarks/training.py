"""Training and sampling against what people would use instead: python -m benchmarks.training [NAME ...]

Images per second of one training step, and of 10,000 samples, every contestant in a process of its own and all in turns
(`contest.py`); the best of Keras' settings counts. Beside it the share of the machine's arithmetic: the products that
the plain formulation has (torch.utils.flop_counter), at our rate, against the rate of a large matrix product in
bfloat16 measured in the same run. A transform that saves products can push the share past 100 %.
"""
import statistics
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contest import race
from benchmarks.contestants import SAMPLES, chosen
from pipeline.gan import literature, training, updates
from pipeline.gan.updates import Batch
from pipeline.params.sections import Run

WORK = (("slides", 100, 12), ("slides", 256, 6), ("torch-64", 128, 3), ("paper-64", 128, 2),
        ("paper-svhn", 64, 6), ("udacity-svhn", 128, 2), ("article-cifar10", 256, 1))  # last: steps in a turn
ROUNDS = 5
KERAS = (("mixed_bfloat16", False), ("float32", False), ("mixed_bfloat16", True))  # precision, XLA
SLOW_XLA = ("paper-64",)  # XLA is not through with it after eight minutes


def main() -> None:
    """Prints a table of rates and ratios, medians over the rounds; of the networks named, or `samples`, alone."""
    wanted = sys.argv[1:] or [*(name for name, _, _ in WORK), "samples"]
    print(f"{chosen('auto', True).facts}\n| work | batch | here, images/s | textbook | Keras, best "
          "| its setting | textbook: ratio | Keras: ratio | of the bf16 roof |\n"
          "|---|---:|---:|---:|---:|---|---:|---:|---:|")
    for name, batch, steps in WORK:
        if name in wanted:
            print(trained(name, batch, steps), flush=True)
    if "samples" in wanted:
        print(sampled())


def trained(name: str, batch: int, steps: int) -> str:
    """The row of a network."""
    keras = [f"c.keras({name!r}, {batch}, {precision!r}, {xla})" for precision, xla in KERAS
             if not (xla and name in SLOW_XLA)]
    everyone = [f"c.ours({name!r}, {batch})", f"c.textbook({name!r}, {batch})", "c.roof()", *keras]
    ours, textbook, product, *peers = race(everyone, steps, ROUNDS)
    best = min(range(len(peers)), key=lambda i: statistics.median(peers[i]))
    setting = KERAS[best][0] + (", XLA" if KERAS[best][1] else "")
    share = statistics.median(flops(name, batch) / a / (ROOF_FLOPS / b) for a, b in zip(ours, product))
    return f"| {name} | {batch} | {compared(batch, ours, textbook, peers[best], setting)} | {share:.0%} |"


def sampled() -> str:
    """The row of sampling."""
    contestants = ["c.our_samples('slides')", "c.textbook_samples('slides')",
                   *(f"c.keras_samples('slides', {precision!r})" for precision in ("mixed_bfloat16", "float32"))]
    ours, textbook, *peers = race(contestants, 1, ROUNDS)
    best = min(range(len(peers)), key=lambda i: statistics.median(peers[i]))
    cells = compared(SAMPLES, ours, textbook, peers[best], f"{KERAS[best][0]}, predict")
    return f"| {SAMPLES:,} samples of slides | – | {cells} | – |"


def compared(images: int, ours: list[float], textbook: list[float], keras: list[float], setting: str) -> str:
    """The cells of three rates, Keras' setting and both ratios."""
    rates = " | ".join(f"{rate(images, seconds):.0f}" for seconds in (ours, textbook, keras))
    return f"{rates} | {setting} | {ratio(ours, textbook):.2f} | {ratio(ours, keras):.2f}"


ROOF_FLOPS = 2 * 2048 ** 3  # of `contestants.roof`


def rate(images: int, seconds: list[float]) -> float:
    """Images per second."""
    return images / statistics.median(seconds)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as fast as they we are, round by round."""
    return statistics.median(b / a for a, b in zip(ours, theirs))


def flops(name: str, batch: int) -> int:
    """Floating-point operations of one training step, plainly."""
    network, device = literature.network(name), chosen("fp32", False)
    state = training.start(network, Run(batch=batch, lr=2e-4, beta1=0.5, leak=0.2), 0, device)
    mini = Batch(torch.zeros(batch, *network.image), None, torch.randn(batch, network.z_dim))
    turns = 2 if network.updates == "in turns" else 1
    with FlopCounterMode(display=False) as counter:
        for turn in range(turns):
            updates.RULES[network.updates](state, mini, turn, device)
    return counter.get_total_flops() // turns


if __name__ == "__main__":
    main()

"""What of a run MLflow shows, in which section of its pages: at most 25 numbers a run; the file numbers.json has all.

Curves are placed by the images seen. A single number is placed at 0, which MLflow draws as a bar and not as a dot.
"""
import re

LENGTH = r"\d+k?"
CURVE = re.compile(rf"loss_[DG]|(fid|variance)_[a-z]+_{LENGTH}(_of_ema)?")
SECTIONS = (
    ("probe", re.compile(rf"probe_(accuracy_(validation|test|{LENGTH}_labels(_of_untrained_D)?))")),
    ("internals", re.compile(r"(path_length_classifier_\d+|arithmetic_gain|class_purity|change_ratio)")),
    ("search", re.compile(r"(importance_of_\w+|saved_by_pruning|complete|pruned|failed|\w+_of_the_winner)")))
SCORE = re.compile(rf"(fid|kid\d+|precision|recall|coverage)_[a-z]+_{LENGTH}|fid_classifier_{LENGTH}_relative")
GRIDS = ("samples", "final samples")  # the series of pictures that a run is recognised by
SAMPLES, NUMBERS = "samples.png", "numbers.json"


def of_curve(key: str) -> str:
    """The name of a number that may be a point of a curve, like curves/loss_D; '' where MLflow does not show it."""
    return f"curves/{key}" if CURVE.fullmatch(key) else _single(key)


def of_score(key: str) -> str:
    """The name of a score of a finished model, like scores/fid_classifier_10k; '' where MLflow does not show it."""
    return f"scores/{key}" if SCORE.fullmatch(key) else _single(key)


def is_curve(name: str) -> bool:
    """Whether a name is placed by the images seen."""
    return name.startswith("curves/")


def _single(key: str) -> str:
    for section, shown in SECTIONS:
        if match := shown.fullmatch(key):
            return f"{section}/{match[1]}"
    return ""

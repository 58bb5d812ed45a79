"""What a search found, read from its folder: the candidates, every trial, and its pictures with what to see in them."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import rounding
from pipeline.reporting.results import KNOBS
from pipeline.reporting.tables import Picture, Table

PICTURES = {
    "seeds": ("Scores of the candidates, by seed",
              "Each dot is one training; the cross is the seed that the candidate was chosen by, which makes it look "
              "better than it is."),
    "history": ("Scores of all trials in order",
                "The line is the best so far: where it still falls at the end, more trials may find more."),
    "importances": ("Importances of the parameters with their intervals",
                    "How much each parameter decides about reaching the best quarter; where intervals overlap, the "
                    "order means nothing."),
    "slices": ("Score against each parameter",
               "Lower is better; squares are the runs known before, hollow dots were ended early."),
    "contour": ("Learning rate and beta1", "The bar's lower end is best; shades between the dots are interpolated."),
    "parallel": ("Every trial as a line through its parameters", "The best quarter of the trials in colour: where its "
                 "lines run together, they agree on a parameter."),
    "front": ("The Pareto front of distance and probe", "Nothing beats the trials on the line in both."),
}


@dataclass(frozen=True)
class Tuned:
    """A search: a sentence about its winner, its score's name, its tables, its counts, and pictures."""
    winner: str
    score: str
    candidates: Table
    trials: Table
    counts: dict[str, Any]
    pictures: list[Picture]


def read(folder: Path) -> Tuned | None:
    """What is in the folder of a search's report; None where there has been no search."""
    if not (folder / "trials.csv").exists():
        return None
    trials = pd.read_csv(folder / "trials.csv", dtype={"first": str}, keep_default_na=True).fillna({"first": ""})
    repeats = pd.read_csv(folder / "seeds.csv")
    counts = json.loads((folder / "metrics.json").read_text())
    score = next(key for key in trials.columns if key.startswith("fid_"))
    means = repeats.groupby("candidate", sort=False)[score].agg(["mean", "std", "count"]).sort_values("mean")
    trials.insert(0, "name", [row["first"] or f"trial {row['trial']}" for _, row in trials.iterrows()])
    named = trials.set_index("trial")
    rows = [[trial["name"], *_settings(trial), _spread(row), f"{trial[score]:.1f}"]
            for (_, trial), (_, row) in zip(named.loc[means.index].iterrows(), means.iterrows())]
    states = {"COMPLETE": "complete", "PRUNED": "ended early", "FAIL": "failed"}
    probe = "probe_accuracy_validation"
    table = [[row["name"], *_settings(row), _shown(row[score], "{:.1f}"), _shown(100 * row[probe], "{:.2f} %"),
              f"{row['images_seen']:,}", states.get(row["state"], row["state"])] for _, row in trials.iterrows()]
    return Tuned(
        _winner(means, named, score), score,
        Table(["run", *KNOBS, f"mean `{score}` ↓", "by the seed it was chosen by"], rows),
        Table(["run", *KNOBS, f"`{score}` ↓", f"`{probe}` ↑", "images seen", "state"], table),
        counts, [Picture(folder / f"{name}.png", *words) for name, words in PICTURES.items()
                 if (folder / f"{name}.png").exists()])


def _winner(means: pd.DataFrame, named: pd.DataFrame, score: str) -> str:
    """The best candidate on average, beside the best of the runs that were known before."""
    best = means.index[0]
    text = (f"**{named['name'][best].capitalize()}** ({_knobs(named.loc[best])}) wins: its `{score}` is "
            f"{_spread(means.loc[best])} on average over {means['count'][best]:.0f} further seeds")
    known = [candidate for candidate in means.index if named["first"][candidate]]
    if known and known[0] != best:
        text += f"; {named['name'][known[0]]}, the best of the runs known before, has {_spread(means.loc[known[0]])}"
    return text + "."


def _settings(row: "pd.Series[Any]") -> list[str]:
    return [f"{float(row[key]):g}" for key in KNOBS]


def _knobs(row: "pd.Series[Any]") -> str:
    return ", ".join(f"{key} {value}" for key, value in zip(KNOBS, _settings(row)))


def _spread(row: "pd.Series[Any]") -> str:
    return rounding.stated(row["mean"], row["std"]) if row["std"] > 0 else f"{row['mean']:.1f}"


def _shown(value: float, form: str) -> str:
    return form.format(value) if value == value else ""

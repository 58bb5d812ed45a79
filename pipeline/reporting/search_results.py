"""What a search found, said once: for its own page and for the report."""
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.params.searching import SEARCHABLE
from pipeline.reporting import rounding
from pipeline.reporting.blocks import Block, Details, Figures, Heading, Paragraph, Picture, Table
from pipeline.tuning import analysis

PICTURES = {
    "seeds": ("Scores of the candidates, by seed",
              "Each dot is one training. The cross is the seed that the candidate was chosen by, which makes it look "
              "better than it is."),
    "history": ("Scores of all trials in order",
                "The line is the best so far: where it still falls at the end, more trials may find more."),
    "importances": ("Importances of the parameters with their intervals",
                    "How much each parameter decides about reaching the best quarter of the trials (PED-ANOVA, arXiv "
                    "2304.10255). Where intervals overlap, the order means nothing."),
    "slices": ("Score against each parameter",
               "Lower is better. Squares are the runs known before; hollow dots were pruned."),
    "contour": ("Learning rate and beta1", "The bar's lower end is best; shades between the dots are interpolated."),
    "parallel": ("Every trial as a line through its parameters", "The best quarter of the trials in colour: where its "
                 "lines run together, they agree on a parameter."),
    "front": ("The Pareto front of distance and probe", "Nothing beats the trials on the line in both."),
}
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class SearchOutcome:
    """The finished trials of a search, and the repetitions of its candidates with further seeds."""
    trials: pd.DataFrame
    repeats: pd.DataFrame
    score: str

    @property
    def keys(self) -> list[str]:
        """The parameters of runs in the table of trials."""
        return [key for key in SEARCHABLE if key in self.trials]

    @property
    def means(self) -> pd.DataFrame:
        """The candidates, best first."""
        return analysis.means(self.repeats, self.score)

    @property
    def winner(self) -> pd.Series:
        """The winner's row in the table of trials."""
        return self.trials.iloc[int(self.means["candidate"][0])]

    @property
    def known(self) -> pd.Series | None:
        """The best of the runs known before, as a row of `means`; None if none was repeated."""
        known = self.means[self.means["candidate"].isin(self.trials["trial"][self.trials["first"] != ""])]
        return None if known.empty else known.iloc[0]

    def called(self, place: float) -> str:
        """What the trial at this place is called."""
        return str(self.trials["first"].iloc[int(place)]) or f"trial {int(place)}"

    def count(self, state: str) -> int:
        """How many trials ended in this state."""
        return int((self.trials["state"] == state).sum())


def read(folder: Path) -> SearchOutcome | None:
    """What is in the folder of a search's report; None where there has been no search."""
    if not (folder / "trials.csv").exists():
        return None
    trials = pd.read_csv(folder / "trials.csv", dtype={"first": str, "reason": str}).fillna({"first": "", "reason": ""})
    score = next(key for key in trials.columns if key.startswith("fid_"))
    return SearchOutcome(trials, pd.read_csv(folder / "seeds.csv"), score)


def winner(search: SearchOutcome) -> str:
    """Who wins, by how much, and over which of the runs known before."""
    best, means, trial = search.means.iloc[0], search.means, search.winner
    seeds = f"{best['seeds']:.0f} further seed{'s' if best['seeds'] > 1 else ''}"
    if trial["first"]:
        return (f"**{trial['first']}** stays the best of the {len(means)} runs that were trained again with {seeds}: "
                f"its `{search.score}` is {spread(best)} on average.")
    run = ", ".join(f"{key} {value}" for key, value in zip(search.keys, settings(search, trial)))
    text = (f"**{search.called(best['candidate']).capitalize()}** ({run}) wins: its `{search.score}` is {spread(best)} "
            f"on average over {seeds}")
    if search.known is not None:
        name = search.called(search.known["candidate"])
        text += f"; {name}, the best of the runs known before, has {spread(search.known)}"
        if math.isfinite(errors := gap(best, search.known)):
            text += f", {errors:.1f} standard errors of the difference more"
    return text + "."


def gap(best: "pd.Series[Any]", other: "pd.Series[Any]") -> float:
    """The difference of two means over seeds, in standard errors; NaN where a single seed leaves them unknown."""
    error = math.sqrt(best["sd"] ** 2 / best["seeds"] + other["sd"] ** 2 / other["seeds"])
    return float((other["mean"] - best["mean"]) / error) if error > 0 else math.nan


def candidates(search: SearchOutcome) -> Table:
    """The candidates, best first."""
    rows = []
    for _, row in search.means.iterrows():
        trial = search.trials.iloc[int(row["candidate"])]
        failed = f", {row['failed']:.0f} failed" if row["failed"] else ""
        rows.append([search.called(row["candidate"]), *settings(search, trial),
                    spread(row) + failed, shown(trial[search.score], "{:.1f}")])
    return Table(["run", *search.keys, f"mean `{search.score}` ↓", "by the seed it was chosen by"], rows,
                 label="The candidates, each trained again with further seeds")


def all_trials(search: SearchOutcome) -> Table:
    """Every trial."""
    rows = [[search.called(row["trial"]), *settings(search, row), shown(row[search.score], "{:.1f}"),
             shown(100 * row[analysis.PROBE], "{:.2f} %"), shown(row["images_seen"], "{:,.0f}"),
             STATES.get(row["state"], row["state"]) + (f": {row['reason']}" if row["reason"] else "")]
            for _, row in search.trials.iterrows()]
    return Table(["run", *search.keys, f"`{search.score}` ↓", f"`{analysis.PROBE}` ↑", "images seen", "state"], rows,
                 label="All trials of the search")


def front(search: SearchOutcome) -> Table:
    """The complete trials that no other beats in both objectives."""
    complete = search.trials[search.trials["state"] == "COMPLETE"]
    rows = [[search.called(place), *settings(search, row := search.trials.iloc[place]), f"{row[search.score]:.1f}",
             f"{100 * row[analysis.PROBE]:.2f} %"] for place in analysis.front(complete, search.score)]
    return Table(["run", *search.keys, f"`{search.score}` ↓", f"`{analysis.PROBE}` ↑"], rows, label="The Pareto front")


def blocks(search: SearchOutcome, folder: Path) -> list[Block]:
    """All that is said of a search, with its pictures in `folder`."""
    wrong, pairs = analysis.misranked(search.repeats, search.score)
    trust = (f"By one seed alone, {wrong} of {pairs} comparisons of two candidates ({rounding.share(wrong / pairs)}) "
             "come out "
             "against the mean of their other seeds." if pairs else
             "How far one seed can be trusted is not known: that takes two candidates and two further seeds.")
    counts = ", ".join(f"{search.count(state)} {word}" for state, word in STATES.items())
    found: list[Block] = [
        Paragraph(f"{winner(search)} Test images played no part. Longer trainings may rank differently."),
        candidates(search),
        Paragraph("± is the standard deviation over seeds. The mean leaves out the seed that a candidate was chosen "
                  "by, "
                  f"because being chosen makes that one look better than it is. {trust}", "note"),
        Details(f"All {len(search.trials)} trials: {counts}", [all_trials(search)])]
    if (folder / "front.png").exists():
        found += [Heading(3, "The Pareto front"), front(search)]
    return [*found, Figures([Picture(folder / f"{name}.png", *words) for name, words in PICTURES.items()
                             if (folder / f"{name}.png").exists()], "plot drawn")]


def settings(search: SearchOutcome, row: "pd.Series[Any]") -> list[str]:
    """The values of the parameters in this row of the table of trials."""
    return [f"{float(row[key]):g}" for key in search.keys]


def spread(row: "pd.Series[Any]") -> str:
    """A mean ± its standard deviation over seeds."""
    return rounding.stated(row["mean"], row["sd"]) if row["sd"] > 0 else f"{row['mean']:.1f}"


def shown(value: float, form: str) -> str:
    """A number in a form; nothing where there is none."""
    return form.format(value) if value == value else ""

"""What a search found, said once: for its own page and for the report."""
import math
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.params.searching import SEARCHABLE
from pipeline.reporting import rounding
from pipeline.reporting.blocks import Block, Details, Figures, Heading, Paragraph, Picture, Table
from pipeline.tuning import analysis
from pipeline.tuning.analysis import Advantage

PICTURES = {
    "seeds": ("Scores of the candidates at the study's length, by seed",
              "Each dot is one training, the line their mean."),
    "history": ("Scores of all trials in order",
                "The line is the best complete trial so far: where it still falls at the end, more trials may find "
                "more."),
    "importances": ("Importances of the parameters with their intervals",
                    "How much each parameter decides about reaching the best quarter of the trials (PED-ANOVA, arXiv "
                    "2304.10255). Where intervals overlap, the order means nothing."),
    "slices": ("Score against each parameter",
               "Lower is better. Squares are the runs known before; hollow dots were pruned, at an earlier rung."),
    "front": ("The Pareto front of distance and probe", "Nothing beats the trials on the line in both."),
}
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class SearchOutcome:
    """The finished trials of a search, and the trainings of its candidates with further seeds at the study's length.
    """
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
    def known(self) -> int | None:
        """The place of the run that had to be beaten; None if there is none."""
        places = self.repeats["candidate"][self.repeats["against"] == 1]
        return int(places.iloc[0]) if len(places) else None

    @property
    def best(self) -> int:
        """The place of the best candidate other than the run that had to be beaten."""
        places = self.means["candidate"][self.means["candidate"] != self.known]
        return int((places if len(places) else self.means["candidate"]).iloc[0])

    @property
    def winner(self) -> pd.Series:
        """The row of `best` in the table of trials."""
        return self.trials.iloc[self.best]

    @property
    def effect(self) -> Advantage | None:
        """How the best candidate compares with the run that had to be beaten; None where no seed has both."""
        return None if self.known is None else analysis.effect(self.repeats, self.best, self.known, self.score)

    @property
    def beats(self) -> bool:
        """Whether the best candidate never failed, and beats the known run: with its whole interval, or because that
        one failed with every seed. True where there is none to beat.
        """
        if self.row_of(self.best)["failed"]:
            return False
        if self.known is None:
            return True
        return self.effect.better if self.effect else bool(self.row_of(self.known)["seeds"] == 0)

    def row_of(self, place: int) -> "pd.Series[Any]":
        """The row of this candidate in `means`."""
        return self.means[self.means["candidate"] == place].iloc[0]

    def spread(self, place: int) -> str:
        """The mean ± its standard deviation over seeds of this candidate."""
        return spread(self.row_of(place))

    @property
    def length(self) -> int:
        """The images that the candidates were trained with."""
        return int(self.repeats["images_seen"].max())

    def called(self, place: float) -> str:
        """What the trial at this place is called."""
        return str(self.trials["first"].iloc[int(place)]) or f"trial {int(place)}"

    def count(self, state: str) -> int:
        """How many trials ended in this state."""
        return int((self.trials["state"] == state).sum())


def read(folder: Path) -> SearchOutcome | None:
    """What is in the folder of a search's report; None where there has been no search, or none with a confirmation."""
    if not (folder / "trials.csv").exists():
        return None
    trials = pd.read_csv(folder / "trials.csv", dtype={"first": str, "reason": str}).fillna({"first": "", "reason": ""})
    score, repeats = next(key for key in trials.columns if key.startswith("fid_")), pd.read_csv(folder / "seeds.csv")
    return SearchOutcome(trials, repeats, score) if {"against", "images_seen"} <= set(repeats) else None


def winner(search: SearchOutcome) -> str:
    """Whether the best candidate beats the known run at the study's length, and by how much."""
    name, seeds = search.called(search.best), int(search.repeats["seed"].nunique())
    title = f"**{name[:1].upper()}{name[1:]}**" if name.startswith("trial ") else f"**{name}**"
    run = ", ".join(f"{key} {value}" for key, value in zip(search.keys, settings(search, search.winner)))
    found = (f"{title} ({run}) has a `{search.score}` of {search.spread(search.best)} after "
             f"{search.length:,} images, over {seeds} further seed{'s' if seeds > 1 else ''}")
    if search.known is None:
        return f"{found}, the smallest of the candidates. There was no run to beat."
    known = search.called(search.known)
    if search.effect is None:
        return (f"{found}; {known} failed with every seed that they share." if search.beats else
                f"**Nothing beats {known}**: no seed trained both it and {name}.")
    times = f"{ratio(search.effect)} times that of {known}, {search.spread(search.known)}"
    if search.beats:
        return f"{title[:-2]} beats {known}.** {found}: {times}."
    why = ("failed with a seed" if search.row_of(search.best)["failed"] else "is worse" if search.effect.worse else
           "may be as good or worse")
    return f"**Nothing beats {known}.** {found}: {times}; it {why}."


def ratio(effect: Advantage) -> str:
    """exp of the effect with its 95 % interval."""
    if not math.isfinite(effect.low):
        return f"{math.exp(effect.ln):.2f} (one seed, no interval)"
    return f"{math.exp(effect.ln):.2f} (95 % interval {math.exp(effect.low):.2f} to {math.exp(effect.high):.2f})"


def candidates(search: SearchOutcome) -> Table:
    """The candidates, best first."""
    rows = []
    for _, row in search.means.iterrows():
        trial = search.trials.iloc[int(row["candidate"])]
        failed = f", {row['failed']:.0f} failed" if row["failed"] else ""
        rows.append([search.called(row["candidate"]), *settings(search, trial),
                     spread(row) + failed, shown(trial[search.score], "{:.1f}")])
    return Table(["run", *search.keys, f"mean `{search.score}` ↓", "in the search"], rows,
                 label=f"The candidates after {search.length:,} images, each with further seeds")


def agreement(search: SearchOutcome, unit: str) -> list[Block]:
    """How far the rungs rank alike."""
    found = analysis.agreement(search.trials, search.repeats, search.score)
    found = found[found["from"] != search.length] if len(found) else found  # which ranks as itself
    if found.empty:
        return [Paragraph("How far rungs rank alike is not known: no two trials reached the same two rungs.", "note")]
    rows = [[f"{row['from']:,.0f} {unit}", f"{search.length:,} images, the study's length"
             if row["of"] == "candidates" else f"{row['to']:,.0f} {unit}",
             f"{row['n']:.0f} {'trainings of the candidates' if row['of'] == 'candidates' else 'trials'}",
             f"{row['tau']:.2f}"] for _, row in found.iterrows()]
    return [Table(["ranked after", "and after", "over", "Kendall's tau"], rows, label="How far the rungs rank alike"),
            Paragraph("1: the same order, 0: unrelated, -1: reversed. Trials reach a rung only if they were good at "
                      "the one before, and the candidates are the best of them; both make tau smaller than among all "
                      "runs. Candidates are compared with the same seed.", "note")]


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
    counts = ", ".join(f"{search.count(state)} {word}" for state, word in STATES.items())
    found: list[Block] = [
        Paragraph(f"{winner(search)} Test images played no part."),
        candidates(search),
        Paragraph("± is the standard deviation over seeds. The seed of the search is left out, because being chosen by "
                  "it makes a run look better than it is. The ratio is exp of the mean difference of ln, paired by "
                  "seed, with Student's t.", "note"),
        Details(f"All {len(search.trials)} trials: {counts}", [all_trials(search)])]
    if (folder / "front.png").exists():
        found += [Heading(3, "The Pareto front"), front(search)]
    return [*found, Figures([Picture(folder / f"{name}.png", *words) for name, words in PICTURES.items()
                             if (folder / f"{name}.png").exists()], "plot drawn")]


def settings(search: SearchOutcome, row: "pd.Series[Any]") -> list[str]:
    """The values of the parameters in this row of the table of trials."""
    return [setting(row[key]) for key in search.keys]


def setting(value: Any) -> str:
    """A parameter's value; nothing where a run does not set it."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, Real) and not isinstance(value, bool) else str(value)


def spread(row: "pd.Series[Any]") -> str:
    """A mean ± its standard deviation over seeds."""
    return rounding.stated(row["mean"], row["sd"]) if row["sd"] > 0 else f"{row['mean']:.1f}"


def shown(value: float, form: str) -> str:
    """A number in a form; nothing where there is none."""
    return form.format(value) if value == value else ""

"""What a search found, as files: tables, the winner, pictures, and a page. The same trials give the same bytes."""
import io
import math
from dataclasses import asdict, fields
from pathlib import Path

import jinja2
import pandas as pd
from ruamel.yaml import YAML

from pipeline import files, stage
from pipeline.documents import Params
from pipeline.sections import Run
from pipeline.tuning import analysis, pictures, space

STATES = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


def write(report: Path, section: Params, name: str, score: str, trials: pd.DataFrame,
          repeats: pd.DataFrame) -> dict[str, float]:
    """Fills the folder `report` from the table of trials and that of their repetitions; returns the chief numbers."""
    knobs, two = section.search.space, len(section.search.objectives) == 2
    means = analysis.means(repeats, score)
    weights = analysis.importances(trials, knobs, score, section.search.seed)
    winner = trials.iloc[int(means["candidate"][0])]
    wrong, pairs = analysis.misranked(repeats, score)
    states = trials["state"].value_counts()
    numbers = {f"{score}_of_the_winner": means["mean"][0], "saved_by_pruning": analysis.saved(
        trials, section.search.images)}
    numbers |= {name: int(states.get(state, 0)) for name, state in STATES.items()}
    numbers |= {f"importance_of_{row['parameter']}": row["importance"] for _, row in weights.iterrows()}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    page = environment.get_template("search.md.j2").render(
        section=section, name=name, score=score, trials=trials, means=means, winner=winner, wrong=wrong, pairs=pairs,
        numbers=numbers, weights=weights.to_dict("records"), two=two, run=run_of(winner),
        known=known(trials, means), gap=gap, verdicts=analysis.verdicts(trials, knobs, score),
        front=[trials.iloc[place] for place in analysis.front(trials[trials["state"] == "COMPLETE"], score)],
        probe=analysis.PROBE)
    texts = {"report.md": page, "best.yaml": best(name, winner, repeats, score), "trials.csv": csv(trials),
             "seeds.csv": csv(repeats)}
    if all((report / file).exists() and (report / file).read_text() == text for file, text in texts.items()):
        return numbers  # another worker was first, and DVC may be reading
    with files.replacing(report) as temporary:
        for file, text in texts.items():
            files.write(temporary / file, text.encode())
        stage.write_scores(temporary / "metrics.json", numbers)
        pictures.history(trials, score, temporary / "history.png")
        pictures.slices(trials, knobs, score, temporary / "slices.png")
        pictures.contour(trials, knobs, score, temporary / "contour.png")
        pictures.parallel(trials, knobs, score, temporary / "parallel.png")
        pictures.importances(weights, temporary / "importances.png")
        pictures.seeds(trials, repeats, means, score, temporary / "seeds.png")
        if two:
            pictures.front(trials, score, temporary / "front.png")
    return numbers


def csv(table: pd.DataFrame) -> str:
    """The table as CSV: scores with six digits, parameters with all that they have."""
    scores = [key for key in table.columns.astype(str) if key.startswith(("fid_", "probe_"))]
    rounded = {key: table[key].map(lambda value: float(f"{value:.6g}")) for key in scores}
    return table.assign(**rounded).to_csv(index=False)


def run_of(row: pd.Series) -> Run:
    """The run in a row of the table of trials."""
    return Run(**{field.name: space.TYPES[field.name](row[field.name]) for field in fields(Run)})


def known(trials: pd.DataFrame, means: pd.DataFrame) -> pd.Series | None:
    """The best of the first runs that was repeated, joined with its mean."""
    named = means[means["candidate"].isin(trials["trial"][trials["first"] != ""])]
    return None if named.empty else pd.concat([trials.iloc[int(named["candidate"].iloc[0])], named.iloc[0]])


def gap(winner: pd.Series, other: pd.Series) -> float:
    """The difference of two means over seeds, in standard errors; NaN where a single seed leaves them unknown."""
    error = math.sqrt(winner["sd"] ** 2 / winner["seeds"] + other["sd"] ** 2 / other["seeds"])
    return (other["mean"] - winner["mean"]) / error if error > 0 else math.nan


def best(name: str, winner: pd.Series, repeats: pd.DataFrame, score: str) -> str:
    """best.yaml: the winning run and the scores that made it win."""
    scores = repeats[repeats["candidate"] == winner["trial"]].sort_values("seed")
    content = {"study": name, "trial": int(winner["trial"]), "run": asdict(run_of(winner)),
               "scores": {score: [float(f"{value:.6g}") for value in scores[score]],
                          "seeds": scores["seed"].tolist()}}
    text = io.StringIO()
    text.write("# The winner of the search. `dcgan promote` copies `run` into params.yaml, as runs.searched.\n")
    YAML().dump(content, text)
    return text.getvalue()

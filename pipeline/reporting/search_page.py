"""What a search found, as files: tables, the winner, pictures, and a page. The same trials give the same bytes."""
import io
import math
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from pipeline import files, stage, temporary
from pipeline.params.searching import KNOBS, Space
from pipeline.params.sections import Run
from pipeline.params.study import Study
from pipeline.reporting import pages, search_plots, search_results
from pipeline.reporting.blocks import Block, Heading, Items, Report, Table
from pipeline.reporting.search_results import STATES, SearchOutcome
from pipeline.tuning import analysis, rungs, space


def write(report: Path, study: Study, name: str, score: str, trials: pd.DataFrame,
          repeats: pd.DataFrame) -> dict[str, float]:
    """Fills the folder `report` from the table of trials and that of their confirmation; returns the chief numbers."""
    search, knobs = SearchOutcome(trials, repeats, score), knobs_of(study)
    weights = analysis.importances(trials, knobs, score, study.search.seed)
    numbers = numbers_of(search, study, weights)
    texts = {"best.yaml": best(name, search), "trials.csv": csv(trials), "seeds.csv": csv(repeats)}
    if all((report / file).exists() and (report / file).read_text() == text for file, text in texts.items()) and (
            report / "report.md").exists():
        with suppress(OSError), temporary.folder(report):  # which removes what a killed worker left beside it
            pass
        return numbers  # another worker was first, and DVC may be reading
    with files.replacing(report) as new:
        for file, text in texts.items():
            files.write(new / file, text.encode())
        stage.write_scores(new / "scores.json", numbers)
        search_plots.history(trials, score, new / "history.png")
        search_plots.slices(trials, knobs, score, new / "slices.png")
        search_plots.importances(weights, new / "importances.png")
        search_plots.seeds(search, new / "seeds.png")
        if len(study.search.objectives) == 2:
            search_plots.front(trials, score, new / "front.png")
        page = new / "report.md"
        files.write(page, pages.markdown(Report("", blocks(search, study, name, weights, numbers, new)), page))
    return numbers


def numbers_of(search: SearchOutcome, study: Study, weights: pd.DataFrame) -> dict[str, float]:
    """The chief numbers of a search, by name."""
    numbers = {f"{search.score}_of_the_winner": float(search.row_of(search.best)["mean"]),
               "saved_by_pruning": analysis.saved(search.trials, search.trials["batch"].map(
                   lambda batch: rungs.budget(study.search, batch)))}
    if search.effect is not None:
        numbers["ln_ratio_to_the_known"] = search.effect.ln
    numbers |= {word: search.count(state) for state, word in STATES.items()}
    return numbers | {f"importance_of_{row['parameter']}": row["importance"] for _, row in weights.iterrows()}


def blocks(search: SearchOutcome, study: Study, name: str, weights: pd.DataFrame, numbers: dict[str, float],
           folder: Path) -> list[Block]:
    """The page: what search_results says, and what only those who search want to know."""
    params = study.search
    found: list[Block] = [Heading(1, f"Search on {study.data.name}: what Optuna found in {len(search.trials)} trials"),
                          *search_results.blocks(search, folder),
                          Heading(2, "Do short trainings rank like long ones?"),
                          *search_results.agreement(search, params.equal)]
    if len(weights):
        found += [Heading(2, "Importance of the parameters"), Table(
            ["parameter", "importance", "90 % of resampled studies"],
            [[row["parameter"], f"{100 * row['importance']:.0f} %",
              f"{100 * row['low']:.0f} % to {100 * row['high']:.0f} %"] for _, row in weights.iterrows()])]
    reasons = search.trials["reason"][search.trials["state"] == "FAIL"].unique()
    places = ", ".join(f"{rung:,}" for rung in params.rungs)
    return [*found, Heading(2, "Where the numbers come from"), Items([
        f"Trials were drawn by `{params.sampler}` and pruned by `{params.pruner}` after {places} {params.equal}; equal "
        f"{params.equal}, whatever the batch size. They train on all training images but {params.validation:,}, which "
        f"score them. Pruning saved {100 * numbers['saved_by_pruning']:.0f} % of the images.",
        f"The search ended {ended(search, study)}.",
        *([f"Trials failed with: {'; '.join(reasons)}."] if len(reasons) else []),
        f"The study is called `{name}`: the digest changes with the space, the rungs, the data and the code. `make "
        "dashboard` shows its samples, MLflow's search experiment its curves; trials.csv has every trial, seeds.csv "
        "every training of the candidates, best.yaml the winner."])]


def ended(search: SearchOutcome, study: Study) -> str:
    """What ended the trials."""
    if len(search.trials) >= study.search.n_trials:
        return f"after `n_trials: {study.search.n_trials}`"
    return f"by time, after `hours: {study.search.hours}`, with {len(search.trials)} of {study.search.n_trials} trials"


def knobs_of(study: Study) -> Space:
    """What the search drew every one of KNOBS from; those that search.space does not name have one value."""
    return {key: getattr(study.train, key) for key in KNOBS} | study.search.space


def csv(table: pd.DataFrame) -> str:
    """The table as CSV: scores with six digits, parameters with all that they have."""
    scores = [key for key in table.columns.astype(str) if key.startswith(("fid_", "probe_"))]
    rounded = {key: table[key].map(lambda value: float(f"{value:.6g}")) for key in scores}
    return table.assign(**rounded).to_csv(index=False)


def best(name: str, search: SearchOutcome) -> str:
    """best.yaml: the best candidate, its scores, and whether it beats the run that it had to beat."""
    winner, score = search.winner, search.score
    scores = search.repeats[search.repeats["candidate"] == winner["trial"]].sort_values("seed")
    run = {one.name: value for one in fields(Run) if one.name in search.keys
           and (value := space.value_of(one.name, winner[one.name])) is not None}
    content: dict[str, Any] = {
        "study": name, "trial": int(winner["trial"]), "run": run, "images": search.length,
        "scores": {score: [float(f"{value:.6g}") for value in scores[score]], "seeds": scores["seed"].tolist()},
        "against": None if search.known is None else search.called(search.known), "beats": search.beats}
    if search.effect is not None and math.isfinite(search.effect.low):
        content["ln_ratio"] = {key: float(f"{getattr(search.effect, key):.4g}") for key in ("ln", "low", "high")}
    text = io.StringIO()
    text.write("# The best candidate of the search. If it beats the run `against`, `dcgan promote` copies `run` into\n"
               "# params.yaml, as runs.searched. `ln_ratio` is the mean of ln(its score / that of the other), paired\n"
               "# by seed, with its 95 % interval.\n")
    YAML().dump(content, text)
    return text.getvalue()

"""What a search found, as files: tables, the winner, pictures, and a page. The same trials give the same bytes."""
import io
from dataclasses import fields
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from pipeline import files, stage
from pipeline.params.searching import KNOBS
from pipeline.params.sections import Run
from pipeline.params.study import Study
from pipeline.reporting import pages, search_plots, search_results
from pipeline.reporting.blocks import Block, Heading, Items, Paragraph, Report, Table
from pipeline.reporting.search_results import STATES, SearchOutcome
from pipeline.tuning import analysis, space
from pipeline.tuning.space import Space


def write(report: Path, study: Study, name: str, score: str, trials: pd.DataFrame,
          repeats: pd.DataFrame) -> dict[str, float]:
    """Fills the folder `report` from the table of trials and that of their repetitions; returns the chief numbers."""
    search, knobs = SearchOutcome(trials, repeats, score), knobs_of(study)
    weights = analysis.importances(trials, knobs, score, study.search.seed)
    numbers = {f"{score}_of_the_winner": float(search.means["mean"][0]),
               "saved_by_pruning": analysis.saved(trials, study.search.images)}
    numbers |= {word: search.count(state) for state, word in STATES.items()}
    numbers |= {f"importance_of_{row['parameter']}": row["importance"] for _, row in weights.iterrows()}
    texts = {"best.yaml": best(name, search), "trials.csv": csv(trials), "seeds.csv": csv(repeats)}
    if all((report / file).exists() and (report / file).read_text() == text for file, text in texts.items()) and (
            report / "report.md").exists():
        return numbers  # another worker was first, and DVC may be reading
    with files.replacing(report) as temporary:
        for file, text in texts.items():
            files.write(temporary / file, text.encode())
        stage.write_scores(temporary / "scores.json", numbers)
        search_plots.history(trials, score, temporary / "history.png")
        search_plots.slices(trials, knobs, score, temporary / "slices.png")
        search_plots.contour(trials, knobs, score, temporary / "contour.png")
        search_plots.parallel(trials, knobs, score, temporary / "parallel.png")
        search_plots.importances(weights, temporary / "importances.png")
        search_plots.seeds(trials, repeats, search.means, score, temporary / "seeds.png")
        if len(study.search.objectives) == 2:
            search_plots.front(trials, score, temporary / "front.png")
        page = temporary / "report.md"
        files.write(page, pages.markdown(Report("", blocks(search, study, name, weights, numbers, temporary)), page))
    return numbers


def blocks(search: SearchOutcome, study: Study, name: str, weights: pd.DataFrame, numbers: dict[str, float],
           folder: Path) -> list[Block]:
    """The page: what search_results says, and what only those who search want to know."""
    params = study.search
    found: list[Block] = [Heading(1, f"Search on {study.data.name}: what Optuna found in {len(search.trials)} trials"),
                          *search_results.blocks(search, folder)]
    if verdicts := analysis.verdicts(search.trials, knobs_of(study), search.score):
        found += [Heading(2, "Do the slides' conclusions survive?"), Table(
            ["slides", f"the best {verdicts[0]['best']} trials have", "of them nearer to what the slides prefer",
             "of all trials", "so the conclusion …"],
            [[f"{one['key']} {one['preferred']:g} over {one['rejected']:g}", f"{one['low']:.3g} to {one['high']:.3g}",
              f"{100 * one['nearer']:.0f} %", f"{100 * one['of_all']:.0f} %", str(one["verdict"])]
             for one in verdicts]),
            Paragraph("A direction survives where most of the best quarter of the trials, and more of them than of all "
                      "trials, lie nearer to the value that the slides prefer than to the one that they reject. The "
                      "value "
                      "survives where it also lies between the smallest and the largest of the best. With so few "
                      "trials "
                      "this is evidence, not a test.")]
    if len(weights):
        found += [Heading(2, "Importance of the parameters"), Table(
            ["parameter", "importance", "90 % of resampled studies"],
            [[row["parameter"], f"{100 * row['importance']:.0f} %",
              f"{100 * row['low']:.0f} % to {100 * row['high']:.0f} %"] for _, row in weights.iterrows()])]
    reasons = search.trials["reason"][search.trials["state"] == "FAIL"].unique()
    return [*found, Heading(2, "Where the numbers come from"), Items([
        f"Every trial sees {params.images:,} training images and is scored against {params.validation:,} others. "
        "Pruning "
        f"saved {100 * numbers['saved_by_pruning']:.0f} % of the images.",
        *([f"Trials failed with: {'; '.join(reasons)}."] if len(reasons) else []),
        f"The study is called `{name}`: the digest changes with the space, the budget, the data and the code. `make "
        "dashboard` shows its samples, MLflow's search experiment its curves; trials.csv has every trial, seeds.csv "
        "every "
        "repetition, best.yaml the winner."])]


def knobs_of(study: Study) -> Space:
    """What the search drew every one of KNOBS from; those that search.space does not name have one value."""
    return {key: float(getattr(study.train, key)) for key in KNOBS} | study.search.space


def csv(table: pd.DataFrame) -> str:
    """The table as CSV: scores with six digits, parameters with all that they have."""
    scores = [key for key in table.columns.astype(str) if key.startswith(("fid_", "probe_"))]
    rounded = {key: table[key].map(lambda value: float(f"{value:.6g}")) for key in scores}
    return table.assign(**rounded).to_csv(index=False)


def best(name: str, search: SearchOutcome) -> str:
    """best.yaml: the winning run and the scores that made it win."""
    winner, score = search.winner, search.score
    scores = search.repeats[search.repeats["candidate"] == winner["trial"]].sort_values("seed")
    run = {one.name: space.TYPES[one.name](winner[one.name]) for one in fields(Run) if one.name in search.keys}
    content = {"study": name, "trial": int(winner["trial"]), "run": run,
               "scores": {score: [float(f"{value:.6g}") for value in scores[score]],
                          "seeds": scores["seed"].tolist()}}
    text = io.StringIO()
    text.write("# The winner of the search. `dcgan promote` copies `run` into params.yaml, as runs.searched.\n")
    YAML().dump(content, text)
    return text.getvalue()

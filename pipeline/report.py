"""Stage report: what a study's files say, as one page in Markdown and in HTML, and its chief metrics."""
import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import files, folders, records, stage
from pipeline.errors import InputError
from pipeline.figures import save
from pipeline.latent.shown import film
from pipeline.params import reading
from pipeline.params.study import Study
from pipeline.reporting import body, pages, plots, results
from pipeline.reporting.results import Names, Result

REPORTS = Path("reports")


def report() -> None:
    """Writes reports/report.md, details.md, report.html, metrics.json, and the folder reports/report of pictures.

    Trainings without scores are named; DVC has none missing, but the page is of use before all are there.
    """
    study = reading.load()
    scored = {name: results.scored(name, study.seeds, REPORTS) for name in study.runs}
    found = [results.read(name, study.runs[name], seeds, REPORTS) for name, seeds in scored.items() if seeds]
    if not found:
        raise InputError(f"{REPORTS / 'evaluate'}: no training has scores; run `dvc repro report`")
    lacking = [f"{name} seed {seed}" for name, seeds in scored.items() for seed in study.seeds if seed not in seeds]
    controls = records.read(folders.report("controls") / "scores.json", dict[str, float], "run `dvc repro controls`")
    pictures, dark = folders.report("report"), {}
    drawn = plots.drawn(found)
    with files.replacing(pictures) as temporary:
        for name, figure in drawn.items():
            save(figure, temporary / f"{name}.png")
            dark[pictures / f"{name}.png"] = plots.night(figure)
        files.write(temporary / "curves.csv", curves(found).to_csv(index=False, float_format="%.6g").encode())
        films(study, temporary)
    page = body.report(study, found, lacking, controls, pictures)
    for path, content in pages.two_pages(page, REPORTS / "report.md", REPORTS / "details.md").items():
        files.write(path, content)
    files.write(REPORTS / "report.html", pages.html(page, REPORTS / "report.html", pages.Album(dark)))
    files.write(REPORTS / "metrics.json", (json.dumps(metrics(found), indent=2) + "\n").encode())


def curves(found: list[Result]) -> pd.DataFrame:
    """The curves of all trainings in one table."""
    tables = []
    for result in found:
        for training in result.trainings:
            table = training.losses
            for more in (training.fid, training.variance):
                table = table if more.empty else table.merge(more, how="outer", on="images_seen")
            tables.append(table.assign(run=result.name, seed=training.seed))
    whole = pd.concat(tables, ignore_index=True)
    return whole[["run", "seed", *(name for name in whole.columns if name not in ("run", "seed"))]]


def films(study: Study, folder: Path) -> None:
    """The first training of each of internals.runs as a film."""
    shape = json.loads((folders.REFERENCE / "reference.json").read_text())["shape"]
    for name in study.internals.runs:
        try:
            content = film.training_film(folders.report("train", name, study.seeds[0]), (shape[1], shape[2]),
                                         shape[0] == 1, study.internals.milliseconds, study.internals.steps)
        except InputError as error:
            print(f"report: no film of {name}: {error}")
            continue
        files.write(folder / f"film-{name}.webp", content)


def metrics(found: list[Result]) -> dict[str, Any]:
    """The chief metrics of every run: means over trainings and, of several, the half-width of their 95 % t-interval."""
    names = Names.of(found[0].scores)
    chosen = [name for name in (names.fid, names.probe) if name]
    shown: dict[str, Any] = {}
    for result in found:
        shown[result.name] = {name: result.scores[name] for name in chosen}
        if len(result.trainings) > 1:
            shown[result.name] |= {f"{name}_interval": result.interval(name) for name in chosen}
            shown[result.name]["trainings"] = len(result.trainings)
    return shown


if __name__ == "__main__":
    stage.main(report)

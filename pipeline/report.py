"""Stage report: what a study's files say, as one page in Markdown and in HTML, and its chief metrics."""
import json
import os
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

    `dcgan repro` also writes them before all trainings are there: DCGAN_SO_FAR has those that are, like
    test1-0,test2-0.
    """
    study = reading.load()
    planned = {f"{name}-{seed}": (name, seed) for name in study.runs for seed in study.seeds}
    there = os.environ.get("DCGAN_SO_FAR", ",".join(planned)).split(",")
    seeds = {name: [seed for seed in study.seeds if f"{name}-{seed}" in there] for name in study.runs}
    found = [results.read(name, run, seeds[name], REPORTS) for name, run in study.runs.items() if seeds[name]]
    if not found:
        raise InputError(f"DCGAN_SO_FAR = {','.join(there)!r}: expected trainings of {reading.PARAMS}, like "
                         f"{','.join(planned)}")
    lacking = [f"{name} seed {seed}" for key, (name, seed) in planned.items() if key not in there]
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

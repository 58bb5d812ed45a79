"""Stage report: what the study's files say, in one page that reads files only, as Markdown and as HTML."""
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import files, page, params, rounding, stage
from pipeline.documents import Params
from pipeline.errors import InputError
from pipeline.figures import save
from pipeline.reporting import headlines, inside, literature, plots, provenance, results, tables, tuned
from pipeline.reporting.results import Names, Result


def report(reference: Path, training: Path, evaluation: Path, internals: Path, search: Path, recipes: Path,
           cookbook: Path, models: Path, data: Path, constraints: Path, text: Path, web: Path, pictures: Path) -> None:
    """Writes the Markdown file TEXT, the HTML file WEB and the folder PICTURES from folders of others' reports.

    Those are REFERENCE, TRAINING, EVALUATION and INTERNALS of the study, SEARCH, and RECIPES, those of COOKBOOK;
    digests are from MODELS and DATA, versions from CONSTRAINTS. What is not there is said not to be there.
    """
    section = params.load()
    found = [results.read(name, run, training / name, evaluation / name) for name, run in section.runs.items()]
    controls = json.loads((reference / "metrics.json").read_text())
    facts = study(section, found, controls, internals)
    systems = literature.read(recipes, partial(data_of, cookbook))
    facts |= {
        "search": tuned.read(search), "recipes": systems, "recipes_table": literature.table(systems),
        "labelled": literature.generated_labels(systems), "transfers": literature.transfers(recipes),
        "recipes_inside": {one.name: inside.read(recipes / "internals", [one.name])[0] for one in systems},
        "models": provenance.models(models, {
            name: stage.digest(asdict(section.train), asdict(run)) for name, run in section.runs.items()}),
        "data": provenance.facts(data / "meta.json"), "packages": provenance.packages(constraints),
        "cell": tuple(json.loads((models / "reference" / "reference.json").read_text())["shape"][1:]),
        "plots": {name: pictures / f"{name}.png" for name in ("losses", "fid", "classes")}}
    drawn, dark = plots.drawn(found), {}
    with files.replacing(pictures) as temporary:
        for name, figure in drawn.items():
            save(figure, temporary / f"{name}.png")
            dark[pictures / f"{name}.png"] = plots.night(figure)
    files.write(text, page.markdown(facts, text))
    files.write(web, page.html(facts, web, page.Album(dark)))


def study(section: Params, found: list[Result], controls: dict[str, Any], internals: Path) -> dict[str, Any]:
    """What both forms of the report are told of the runs."""
    names = Names.of(section.evaluate.fid_images, found[0].scores)
    changes = [results.change(before, after, names.fid, controls["test_images"])
               for before, after in zip(found, found[1:])]
    scores, meanings = tables.scores(section, found, controls)
    best = min(found, key=lambda result: result.scores[names.fid])
    parts, unseen = inside.read(internals, [one.name for one in found])
    return {
        "section": section, "results": found, "controls": controls, "names": names, "changes": changes, "best": best,
        "protocol": found[0].scores, "meanings": meanings, "parts": parts, "unseen": unseen,
        "colours": plots.coloured([one.name for one in found]), "stated": rounding.stated,
        "accuracy": partial(results.accuracy, images=controls["test_images"]), "percent": headlines.percent,
        "sentences": headlines.sentences(found, names, controls, changes),
        "picture": tables.Picture, "grids": tables.samples(found, names), "pairs": tables.closest(found),
        "chief": tables.chief(found, names, controls), "scores": scores,
        "probes": tables.probes(found, names, controls)}


def data_of(cookbook: Path, recipe: str) -> str:
    """The data set that a recipe is trained on; '' for one that is no longer in the recipes' params.yaml."""
    try:
        return params.recipe_of(f"{cookbook}/{recipe}").data
    except (InputError, OSError):
        return ""


if __name__ == "__main__":
    stage.main(report)

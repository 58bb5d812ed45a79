"""dcgan compare: what two runs differ in, their scores side by side, whether the difference is clear, and a plot.

Scores are paired by seed where both runs have it. One training each decides nothing.
"""
import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import folders, records
from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.params.study import Study
    from pipeline.reporting.blocks import Table
    from pipeline.reporting.results import Result

EXAMPLE = "example: dcgan compare test3 test4 --plot curves.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan compare` takes."""
    for run in ("before", "after"):
        parser.add_argument(run, metavar="RUN", help="a run of this study, like test4, or STUDY/RUN of studies/")
    parser.add_argument("--plot", metavar="FILE", type=Path,
                        help="PNG of both runs' distances and losses; default: .work/compare-RUN-RUN.png")


def run(given: argparse.Namespace) -> None:
    """Prints the comparison and draws the curves."""
    found, studies = both(given.before, given.after)
    text = compared(found, studies, placed(given.before)[0])
    path = plotted(found, given.plot)
    print(f"{text}\n\nCurves: {path}")


def both(before: str, after: str) -> "tuple[list[Result], list[Study]]":
    """The results of two runs, and their studies; InputError when they do not compare."""
    (one, old), (other, new) = (read(name, *placed(name)) for name in (before, after))
    for section in ("data", "reference", "evaluate"):
        if getattr(old, section) != getattr(new, section):
            raise InputError(f"{before} and {after} have other parameters in section {section}, so that their scores "
                             f"do not compare: {getattr(old, section)} and {getattr(new, section)}")
    return [one, other], [old, new]


def compared(found: "list[Result]", studies: "list[Study]", home: Path) -> str:
    """What is printed about two runs, of which the first is of the study in the folder `home`."""
    from pipeline.reporting import changes, headlines, tables
    from pipeline.reporting.results import Names
    names, controls = Names.of(found[0].scores), controls_of(home)
    change = changes.change(found[0], found[1], names)
    shown = [settings(found, studies), tables.scores(studies[0].evaluate, found, controls)[0]]
    if names.probe:
        shown.append(tables.probes(found, names, controls))
    over = " and ".join(dict.fromkeys(one.over for one in found))
    said = [f"± of the scores of samples is {over}.",
            headlines.change(change, names) + headlines.change_of_probe(change, names)]
    if change.seeds < 2:
        said.append(headlines.UNDECIDED if change.seeds else headlines.NO_PAIRS)
    said += headlines.probe(found, names, controls["test_images"])
    return "\n\n".join([*(drawn(table) for table in shown if table.rows), *map(plain, said)])


def controls_of(home: Path) -> dict[str, Any]:
    """The scores of the controls of the study in the folder `home`; InputError where there are none."""
    path = home / folders.report("controls") / "scores.json"
    if not path.exists():
        raise InputError(f"{path} not found: `dvc repro controls` makes it" + (f" in {home}" if home.name else ""))
    again = "run `dvc repro -f -s controls`" + (f" in {home}" if home.name else "")
    found: dict[str, Any] = records.read(path, dict[str, float], again)
    if "test_images" not in found:
        raise InputError(f"{path}: does not say how many test_images it was measured on; {again}")
    return found


def plotted(found: "list[Result]", path: Path | None) -> Path:
    """The PNG that has both runs' curves; InputError for a file of another kind."""
    from pipeline import figures
    from pipeline.reporting import plots
    path = path or folders.work(f"compare-{'-'.join(one.name.replace('/', '_') for one in found)}.png")
    if path.suffix != ".png":
        raise InputError(f"--plot {path}: expected a file that ends in .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figures.save(plots.curves(found), path)
    return path


def placed(name: str) -> tuple[Path, str]:
    """The folder of the study that `name` is a run of, and what the run is called there."""
    study, _, label = name.strip("/").removeprefix("models/").rpartition("/")
    return (folders.repository() / folders.STUDIES / study if study else Path(), label)


def read(name: str, home: Path, label: str) -> "tuple[Result, Study]":
    """The result of a run and its study; InputError when it has not been scored, or with other parameters."""
    from pipeline.params import reading
    from pipeline.reporting import results
    from pipeline.reporting.results import Names
    study = reading.load(home / reading.PARAMS)
    run = reading.run(study, label)
    again = f"`dvc repro evaluate@{label}-{study.seeds[0]}`" + (f" in {home}" if home.name else "")
    stages = locked(home)
    for seed in study.seeds:
        check(name, home, label, seed, study, stages, again)
    try:
        found = results.read(label, run, study.seeds, home / "reports")
    except (OSError, ValueError, KeyError, InputError) as error:
        raise InputError(f"{name}: not scored ({error}); {again} does so") from None
    if not any(key.startswith("fid_") for key in found.scores):
        raise InputError(f"{name}: its scores name no distance; {again} scores it anew")
    if Names.of(found.scores).relative not in found.scores:
        raise InputError(f"{name}: scored by older code, without relative distances; {again} scores it anew")
    return replace(found, name=name.strip("/").removeprefix("models/")), study


def locked(home: Path) -> dict[str, Any]:
    """What dvc.lock says of the stages of the study in the folder `home`; nothing where there is none."""
    from pipeline.params import reading
    try:
        return dict(reading.yaml(home / "dvc.lock")["stages"])
    except (FileNotFoundError, KeyError, TypeError):
        return {}


def check(name: str, home: Path, label: str, seed: int, study: "Study", stages: dict[str, Any], again: str) -> None:
    """InputError when the scores of a training are damaged, or were made with other parameters than today's."""
    path = home / folders.report("evaluate", label, seed) / "scores.json"
    if path.exists():
        records.read(path, dict[str, float | str | list[str]], again)
    for known, today in known_of(home, label, seed, study, stages):
        for key, value in today.items():
            if known.get(key, value) != value:
                raise InputError(f"{name} was scored with {key} {known[key]}, {home / 'params.yaml'} has {value} now; "
                                 f"{again} trains and scores it")


def known_of(home: Path, label: str, seed: int, study: "Study",
             stages: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What a training and its scores were made with, and what the study says now: as the model has it, and DVC, whose
    `stages` they are.
    """
    from pydantic import TypeAdapter, ValidationError

    from pipeline.params import reading
    from pipeline.params.scoring import Evaluate
    from pipeline.params.sections import Run, Train
    train, run = asdict(study.train), asdict(study.runs[label])
    model = home / folders.model(label, seed) / "model.json"
    if model.exists():
        facts = records.read(model, dict[str, Any], f"run `dvc repro train@{label}-{seed}`")
        yield facts.get("run", {}), run
        yield facts.get("train", {}), {key: value for key, value in train.items() if key not in run}
    try:
        trained, scored = (stages[f"{name}@{label}-{seed}"]["params"]["params.yaml"] for name in ("train", "evaluate"))
        shared = reading.inherited({"train": trained["train"], "runs": {label: trained[f"runs.{label}"]}})
        yield asdict(TypeAdapter(Train).validate_json(json.dumps(trained["train"] or {}))), {
            key: value for key, value in train.items() if key not in run}
        yield asdict(TypeAdapter(Run).validate_json(json.dumps(shared["runs"][label]))), run
        yield asdict(TypeAdapter(Evaluate).validate_json(json.dumps(scored["evaluate"] or {}))), asdict(study.evaluate)
    except (KeyError, TypeError, ValidationError):  # DVC has not run it, or not with such parameters
        return


def settings(found: "list[Result]", studies: "list[Study]") -> "Table":
    """The parameters in which the runs differ."""
    from pipeline.reporting.blocks import Table
    from pipeline.reporting.results import shown
    given = [asdict(one.run) | {"seeds": study.seeds} | {
        key: value for key, value in asdict(study.train).items() if key not in asdict(one.run)}
        for one, study in zip(found, studies)]
    rows = [[key, *(shown(one[key]) for one in given)]
            for key in given[0] if given[0][key] != given[1][key]]
    return Table(["parameter", *(one.name for one in found)], rows)


def drawn(table: "Table") -> str:
    """The table in columns, the best of a row with a star."""
    lines = [[plain(cell) for cell in row] for row in [table.heads, *table.rows, *table.controls]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(
        cell.ljust(width) if column < table.left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def plain(markdown: str) -> str:
    """One line of Markdown without its marks; what is bold in a table's cell has a star."""
    text = re.sub(r"^\*\*([^*]*)\*\*$", r"\1 *", markdown)
    return re.sub(r"\*\*?([^* ][^*]*)\*\*?", r"\1", text).replace("`", "")

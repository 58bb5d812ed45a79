"""dcgan compare: what two runs differ in, their scores side by side, and whether the difference is clear."""
import argparse
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import folders
from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.params.study import Study
    from pipeline.reporting.blocks import Table
    from pipeline.reporting.results import Result

EXAMPLE = "example: dcgan compare test3 test4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan compare` takes."""
    for run in ("before", "after"):
        parser.add_argument(run, metavar="RUN", help="a run of this study, like test4, or STUDY/RUN of studies/")


def run(given: argparse.Namespace) -> None:
    """Prints the comparison."""
    print(compared(given.before, given.after))


def compared(before: str, after: str) -> str:
    """What is printed about two runs; InputError when they do not compare."""
    from pipeline.reporting import headlines, results, tables
    from pipeline.reporting.results import Names
    found, studies = [], []
    for name in (before, after):
        home, label = placed(name)
        result, study = read(name, home, label)
        found.append(result)
        studies.append(study)
    old, new = studies
    for section in ("data", "reference", "evaluate"):
        if getattr(old, section) != getattr(new, section):
            raise InputError(f"{before} and {after} have other parameters in section {section}, so that their scores "
                             f"do not compare: {getattr(old, section)} and {getattr(new, section)}")
    names = Names.of(found[0].scores)
    controls = json.loads((placed(before)[0] / folders.report("reference") / "scores.json").read_text())
    change = results.change(found[0], found[1], names, controls["test_images"])
    shown = [settings(found, studies), tables.scores(old.evaluate, found, controls)[0]]
    if names.probe:
        shown.append(tables.probes(found, names, controls))
    said = [headlines.change(change, names), *headlines.probe(found, controls["test_images"])]
    return "\n\n".join([*(drawn(table) for table in shown if table.rows), *map(plain, said)])


def placed(name: str) -> tuple[Path, str]:
    """The folder of the study that `name` is a run of, and what the run is called there."""
    study, _, label = name.strip("/").removeprefix("models/").rpartition("/")
    return (folders.repository() / folders.STUDIES / study if study else Path(), label)


def read(name: str, home: Path, label: str) -> "tuple[Result, Study]":
    """The result of a run and its study; InputError when it has not been scored, or with other parameters."""
    from pipeline.params import reading
    from pipeline.reporting import results
    study = reading.load(home / reading.PARAMS)
    run = reading.run(study, label)
    again = f"`dvc repro evaluate@{label}-{study.seeds[0]}`" + (f" in {home}" if home.name else "")
    try:
        found = results.read(label, run, study.seeds, home / "reports")
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: not scored ({error}); {again} does so") from None
    model = home / folders.model(label, study.seeds[0]) / "model.json"
    if model.exists():
        known: dict[str, Any] = json.loads(model.read_text())["run"]
        for key, value in asdict(run).items():
            if known.get(key) != value:
                raise InputError(f"{name} was scored with {key} {known.get(key)}, {home / reading.PARAMS} has {value} "
                                 f"now; {again} trains and scores it")
    return replace(found, name=name.strip("/").removeprefix("models/")), study


def settings(found: "list[Result]", studies: "list[Study]") -> "Table":
    """The parameters in which the runs differ."""
    from pipeline.reporting.blocks import Table
    given = [asdict(one.run) | {"seeds": study.seeds} | {
        key: value for key, value in asdict(study.train).items() if key not in asdict(one.run)}
        for one, study in zip(found, studies)]
    rows = [[key, *(f"{one[key]:g}" if isinstance(one[key], float) else str(one[key]) for one in given)]
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

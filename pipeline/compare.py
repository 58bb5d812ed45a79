"""`dcgan compare`: what two runs or recipes differ in, their scores side by side, and whether the difference shows."""
import argparse
import json
import re
from dataclasses import asdict
from pathlib import Path

from pipeline import params
from pipeline.documents import Study
from pipeline.errors import InputError
from pipeline.reporting import headlines, results, tables
from pipeline.reporting.results import Names, Result
from pipeline.reporting.tables import Table

EXAMPLE = "example: dcgan compare test3 test4"
REPORTS = Path("reports")


def main(words: list[str]) -> None:
    """Runs `dcgan compare` with `words`."""
    parser = argparse.ArgumentParser(prog="dcgan compare", description=__doc__, epilog=EXAMPLE)
    for run in ("before", "after"):
        parser.add_argument(run, metavar="RUN", help="a run of params.yaml, like test4, or recipes/NAME")
    given = parser.parse_args(words)
    print(compared(given.before, given.after, REPORTS))


def compared(before: str, after: str, reports: Path) -> str:
    """What is printed about two runs whose reports are in the folder `reports`; InputError if they do not compare."""
    old, new = params.study(before)[0], params.study(after)[0]
    if old.data != new.data:
        raise InputError(f"{before} is of {old.data.name}, {after} of {new.data.name}: scores compare within a data "
                         "set only")
    if old.evaluate != new.evaluate:
        raise InputError(f"{before} and {after} are scored in different ways: see evaluate in params.yaml and in "
                         "recipes/params.yaml")
    found = [read(before, old, reports), read(after, new, reports)]
    names = Names.of(old.evaluate.fid_images, found[0].scores)
    controls = json.loads((place(reports, before, "reference") / "metrics.json").read_text())
    change = results.change(found[0], found[1], names.fid, controls["test_images"])
    shown = [settings(found, [old, new]), tables.scores(old, found, controls)[0], tables.probes(found, names, controls)]
    said = [headlines.change(change, names), *headlines.probe(found, controls["test_images"])]
    return "\n\n".join([*map(drawn, shown), *map(plain, said)])


def read(name: str, study: Study, reports: Path) -> Result:
    """The reports of a run or recipe; InputError when it has not been scored."""
    label = name.rpartition("/")[2]
    try:
        return results.read(label, study.runs[label], place(reports, name, "train"), place(reports, name, "evaluate"))
    except FileNotFoundError as error:
        recipe = "recipes/dvc.yaml:" if "/" in name else ""
        raise InputError(f"{error.filename}: not found; `dvc repro {recipe}evaluate@{label}` makes it") from None


def place(reports: Path, name: str, stage: str) -> Path:
    """The folder in which `stage` reports about the run or recipe `name`."""
    folder, _, label = name.rpartition("/")
    if stage == "reference":
        return reports / folder / stage / (params.recipe_of(name).data if folder else "")
    return reports / folder / stage / label


def settings(found: list[Result], studies: list[Study]) -> Table:
    """The parameters in which the runs differ."""
    given = [{f"train.{key}": value for key, value in asdict(study.train).items()} | asdict(one.run)
             for one, study in zip(found, studies)]
    rows = [[key, *(str(one[key]) for one in given)] for key in given[0] if given[0][key] != given[1][key]]
    return Table(["parameter", *(one.name for one in found)], rows or [["none", "differs", ""]])


def drawn(table: Table) -> str:
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

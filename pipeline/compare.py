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
    before, after = (run.strip("/").removeprefix("models/") for run in (given.before, given.after))
    print(compared(before, after, REPORTS))


def compared(before: str, after: str, reports: Path) -> str:
    """What is printed about two runs whose reports are in the folder `reports`; InputError if they do not compare."""
    old, new = params.study(before)[0], params.study(after)[0]
    for section in ("data", "reference", "sampling", "evaluate"):
        if getattr(old, section) != getattr(new, section):
            raise InputError(f"{before} and {after} have other parameters in {section}, so that their scores do not "
                             f"compare: {getattr(old, section)} and {getattr(new, section)}")
    found = [read(before, old, reports), read(after, new, reports)]
    if not any(key.startswith("probe_") for key in found[0].scores):
        raise InputError(f"{old.data.name} has no classes, so that there is no probe to compare")
    names = Names.of(old.evaluate.fid_images, found[0].scores)
    controls = json.loads((reported(reports, before, "reference") / "metrics.json").read_text())
    differ = settings(found, [old, new])
    change = results.change(found[0], found[1], names.fid, controls["test_images"])
    change["changed"] = ", ".join(f"{key} {one} → {other}" for key, one, other in differ.rows)
    shown = [differ, tables.scores(old, found, controls)[0], tables.probes(found, names, controls)]
    said = [headlines.change(change, names), *headlines.probe(found, controls["test_images"])]
    return "\n\n".join([*(drawn(table) for table in shown if table.rows), *map(plain, said)])


def read(name: str, study: Study, reports: Path) -> Result:
    """The reports of a run or recipe; InputError when it has not been scored, or with other parameters."""
    folder, _, label = name.rpartition("/")
    again = f"`dvc repro {f'{folder}/dvc.yaml:' if folder else ''}evaluate@{label}`"
    try:
        trained, scored = (reported(reports, name, stage) for stage in ("train", "evaluate"))
        found = results.read(name, study.runs[label], trained, scored)
    except (OSError, ValueError) as error:
        raise InputError(f"{reported(reports, name, 'evaluate')}: no scores ({error}); {again} makes them") from None
    model = reports.parent / "models" / name / "model.json"
    if model.exists():
        known = json.loads(model.read_text())
        for key, value in asdict(found.run).items():
            if known["run"][key] != value:
                raise InputError(f"{name} was scored with {key} {known['run'][key]:g}, {params.place(name)} has "
                                 f"{value:g} now; {again} trains and scores it")
    return found


def reported(reports: Path, name: str, stage: str) -> Path:
    """The folder in which `stage` reports about the run or recipe `name`."""
    folder, _, label = name.rpartition("/")
    if stage == "reference":
        return reports / folder / stage / (params.recipe_of(name).data if folder else "")
    return reports / folder / stage / label


def settings(found: list[Result], studies: list[Study]) -> Table:
    """The parameters in which the runs differ."""
    given = [{f"train.{key}": value for key, value in asdict(study.train).items()} | asdict(one.run)
             for one, study in zip(found, studies)]
    rows = [[key, *(f"{one[key]:g}" if isinstance(one[key], float) else str(one[key]) for one in given)]
            for key in given[0] if given[0][key] != given[1][key]]
    return Table(["parameter", *(one.name for one in found)], rows)


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

"""Tables, and captioned pictures, of the runs.

Cells are Markdown of one line; rows of controls come last and stay there when the others are sorted.
"""
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import rounding
from pipeline.documents import Study
from pipeline.meanings import SAMPLES, Meaning
from pipeline.reporting import headlines
from pipeline.reporting.results import KNOBS, Names, Result, accuracy


class Picture(NamedTuple):
    """A file, a few words for those who do not see it, what to see, and the run or recipe it is of."""
    path: Path
    alt: str
    caption: str
    of: str = ""


@dataclass(frozen=True)
class Table:
    """Heads, rows, and rows of controls, which are no runs; the first `left` columns hold words."""
    heads: list[str]
    rows: list[list[str]]
    controls: list[list[str]] = field(default_factory=list)
    left: int = 1


def chief(results: list[Result], names: Names, controls: dict[str, Any]) -> Table:
    """Settings and chief scores of every run."""
    images, floor = controls["test_images"], controls.get(f"{names.fid}_of_test_images")
    rows = [[result.name, *result.settings(), result.stated(names.fid), accuracy(result.scores[names.probe], images),
             accuracy(result.scores[f"{names.probe}_of_untrained_D"], images)] for result in results]
    pixels = accuracy(controls[f"{names.probe}_of_pixels"], images)
    real = [] if floor is None else [["*real test images*", "", "", "", "", rounding.stated(floor), "", ""]]
    return Table(["run", *KNOBS, f"`{names.fid}` ↓", f"`{names.probe}` ↑", "same, untrained D"], rows,
                 [*real, ["*raw pixels*", "", "", "", "", "", pixels, ""]])


def scores(section: Study, results: list[Result], controls: dict[str, Any]) -> tuple[Table, list[tuple[str, Meaning]]]:
    """Every score of the samples, a row each, in which the best is bold; and the names of these scores' meanings."""
    evaluate = section.evaluate
    samples = {"inception": evaluate.inception.images, "pixels": evaluate.memorisation_images}
    rows, meanings = [], []
    for meaning in SAMPLES:
        name = meaning.name(samples.get(meaning.extractor, evaluate.fid_images))
        if any(name not in one.scores for one in results):
            continue
        real = controls.get(f"{name}_of_test_images")
        best = {"↓": min, "↑": max}.get(meaning.good, lambda values: None)([one.scores[name] for one in results])
        cells = [result.stated(name, meaning.percent) for result in results]
        cells = [f"**{cell}**" if result.scores[name] == best and len(results) > 1 else cell
                 for cell, result in zip(cells, results)]
        rows.append([f"`{name}` {meaning.good}", *cells,
                     "" if real is None else rounding.stated(real, percent=meaning.percent)])
        meanings.append((name, meaning))
    return Table(["score", *(result.name for result in results), "*test images*"], rows), meanings


def probes(results: list[Result], names: Names, controls: dict[str, Any]) -> Table:
    """What linear probes of every D reach, with its controls: many labels, then few."""
    images, few = controls["test_images"], names.few
    count = f"{int(few.split('_')[2]):,}"
    many = f"{results[0].scores['probe_images']:,}"

    def with_few(values: dict[str, Any], of: str) -> str:
        return rounding.stated(values[f"{few}{of}"], values[f"{few}_interval{of}"], True)

    rows = [[result.name, accuracy(result.scores[names.probe], images),
             accuracy(result.scores[f"{names.probe}_of_untrained_D"], images),
             accuracy(result.scores["accuracy_test_of_supervised_CNN"], images), with_few(result.scores, ""),
             with_few(result.scores, "_of_untrained_D"),
             accuracy(result.scores[few.replace("probe_", "") + "_of_supervised_CNN"], images)] for result in results]
    pixels = ["*raw pixels*", accuracy(controls[f"{names.probe}_of_pixels"], images), "", "",
              with_few(controls, "_of_pixels"), "", ""]
    return Table(["run", f"D, {many} labels", "untrained D", "CNN taught them", f"D, {count} labels", "untrained D",
                  "CNN taught them"], rows, [pixels])


def samples(results: list[Result], names: Names) -> list[Picture]:
    """The grids of samples."""
    return [Picture(one.folder / "samples.png", f"{one.name}: samples", headlines.caption(one, names), one.name)
            for one in results]


def closest(results: list[Result]) -> list[Picture]:
    """The samples that are nearest to training images, with these."""
    return [Picture(one.folder / "closest.png", f"{one.name}: samples above, their nearest training images below",
                    "The closest pairs.", one.name) for one in results]

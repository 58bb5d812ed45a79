"""Tables, and captioned pictures, of the runs."""
from typing import Any

from pipeline.params.scoring import Evaluate
from pipeline.reporting import headlines, rounding
from pipeline.reporting.blocks import Picture, Table
from pipeline.reporting.meanings import SAMPLES, Meaning
from pipeline.reporting.results import Names, Result, accuracy, telling
from pipeline.scores import frechet


def chief(results: list[Result], names: Names, controls: dict[str, Any]) -> Table:
    """Settings and chief scores of every run."""
    images, keys = controls["test_images"], telling(results)
    has_floors = names.floors in results[0].scores
    rows = [[result.name, *result.settings(keys), result.stated(names.relative, True),
             *([result.stated(names.floors)] if has_floors else []), result.stated(names.fid),
             *(result.accuracy(f"{names.probe}{of}", images) for of in ("", "_of_untrained_D") if names.probe)]
            for result in results]
    probes = [f"probe, {_labels(names.probe)} ↑", "same, untrained D"] if names.probe else []
    heads = ["run", *keys, "relative distance ↓", *(["times real ↓"] if has_floors else []), f"`{names.fid}` ↓",
             *probes]
    below = [""] * len(keys)
    below_floors = ["1"] if has_floors else []
    real = [] if f"{names.floored}_of_test_images" not in controls else [[
        "*real test images*", *below, of_real(controls, names, "_relative", True), *below_floors,
        of_real(controls, names), *[""] * len(probes)]]
    pixels = [["*raw pixels*", *[""] * (len(heads) - 3), accuracy(controls[f"{names.probe}_of_pixels"], images), ""]
              ] if names.probe else []
    return Table(heads, rows, [*real, *pixels], label="Settings and chief scores of every run")


def _labels(probe: str) -> str:
    """Of how many labels a probe is, like 10,000 labels."""
    return f"{int(probe.split('_')[2]):,} labels"


def of_real(controls: dict[str, Any], names: Names, kind: str = "", percent: bool = False) -> str:
    """The distance of real test images, with their count where there are fewer of them than samples; '' if unknown."""
    value = controls.get(f"{names.floored}{kind}_of_test_images")
    count = "" if names.floored == names.fid else f" ({names.floored.split('_')[-1]} images)"
    return "" if value is None else rounding.stated(value, percent=percent) + count


def scores(evaluate: Evaluate, results: list[Result], controls: dict[str, Any],
           ) -> tuple[Table, list[tuple[str, Meaning]]]:
    """Every score of the samples, a row each, in which the best is bold; and the names of these scores' meanings."""
    rows, meanings = [], []
    extractor = Names.of(results[0].scores).extractor
    samples = {"inception": [evaluate.inception.images], "pixels": [evaluate.memorisation_images, evaluate.fid_images],
               "classifier": [evaluate.fid_images, controls["test_images"]]}
    named = dict.fromkeys((meaning.name(count, extractor), meaning)
                          for meaning in SAMPLES for count in samples[meaning.extractor])
    for name, meaning in named:
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
    if any("inception" in one.scores for one in results):
        name = frechet.name(evaluate.inception.images, "inception")
        rows.append([f"`{name}` ↓", *(one.scores.get("inception", "") for one in results), ""])
    heads = ["score", *(result.name for result in results), "*test images*"]
    return Table(heads, rows, label="Every score of the samples of every run"), meanings


def probes(results: list[Result], names: Names, controls: dict[str, Any]) -> Table:
    """The accuracies of linear probes of every D, with their controls: many labels, then few."""
    images, chosen = controls["test_images"], [name for name in (names.probe, names.few) if name]

    def of(values: dict[str, Any], name: str, of: str) -> str:
        value, draws = values[f"{name}{of}"], f"{name}_interval{of}"  # over draws of few labels
        return rounding.stated(value, values[draws], True) if draws in values else accuracy(value, images)

    def of_D(result: Result, name: str, suffix: str) -> str:
        several = len(result.trainings) > 1
        return result.accuracy(f"{name}{suffix}", images) if several else of(result.scores, name, suffix)

    rows = [[result.name, *(of_D(result, name, suffix) for name in chosen for suffix in ("", "_of_untrained_D"))]
            for result in results]
    below = [["*raw pixels*", *(cell for name in chosen for cell in (of(controls, name, "_of_pixels"), ""))]]
    CNN = [f"{name.removeprefix('probe_')}_of_supervised_CNN" for name in chosen]
    if all(name in controls for name in CNN):
        below.append(["*supervised CNN*", *(cell for name in CNN for cell in (accuracy(controls[name], images), ""))])
    heads = [head for name in chosen for head in (f"D, {_labels(name)}", "untrained D")]
    return Table(["run", *heads], rows, below, label="Accuracies of probes of every D and their controls")


def recognition(results: list[Result]) -> Table | None:
    """How many training images and test images each D calls real; None where that was not measured."""
    names = [f"D_calls_{split}_images_real" for split in ("training", "test")]
    rows = [[result.name, *(result.stated(name, True) for name in names)] for result in results
            if all(name in result.scores for name in names)]
    return Table(["run", "training images called real", "test images called real"], rows,
                 label="Training and test images that each D calls real") if rows else None


def generators(results: list[Result], names: Names) -> Table | None:
    """The further generators of the runs beside G as it was at the end; None where no run has one."""
    scored = [name for name in (names.relative, names.fid, names.precision, names.recall)
              if any(name in result.scores for result in results)]
    rows = []
    for result in results:
        others = {"_of_ema": "average of G's weights",
                  "_of_best": f"best of the curve, after {_best_at(result)} images"}
        there = {of: text for of, text in others.items() if f"{names.fid}{of}" in result.scores}
        for of, text in ({"": "G at the end"} | there).items() if there else ():
            rows.append([result.name, text, *(
                result.stated(f"{name}{of}", name != names.fid) if f"{name}{of}" in result.scores else ""
                for name in scored)])
    heads = {names.relative: "relative distance ↓", names.fid: f"`{names.fid}` ↓", names.precision: "precision ↑",
             names.recall: "recall ↑"}
    return Table(["run", "generator", *(heads[name] for name in scored)], rows, left=2,
                 label="Further generators of the runs") if rows else None


def _best_at(result: Result) -> str:
    """After how many images the best generators of the trainings were kept, like 40,000 or 40,000 to 60,000."""
    seen = sorted({one.scores["best_images_seen"] for one in result.trainings if "best_images_seen" in one.scores})
    return " to ".join(f"{count:,.0f}" for count in dict.fromkeys((*seen[:1], *seen[-1:])))


def by_seed(results: list[Result], names: Names) -> Table:
    """The chief scores of every training of runs with several seeds."""
    rows = [[result.name, str(training.seed), rounding.stated(training.scores[names.relative], percent=True),
             rounding.stated(training.scores[names.fid]),
             *([rounding.stated(training.scores[names.probe], percent=True)] if names.probe else [])]
            for result in results for training in result.trainings]
    return Table(["run", "seed", "relative distance ↓", f"`{names.fid}` ↓",
                  *([f"`{names.probe}` ↑"] if names.probe else [])], rows, label="Chief scores of every training")


def samples(results: list[Result], names: Names) -> list[Picture]:
    """The grids of samples, of the first seed."""
    return [Picture(one.first.folder / "samples.png", f"{one.name}: samples", headlines.caption(one, names), one.name)
            for one in results]


def closest(results: list[Result]) -> list[Picture]:
    """The samples that are nearest to training images, with these."""
    return [Picture(one.first.folder / "closest.png", f"{one.name}: samples above, their nearest training images below",
                    "The closest pairs.", one.name) for one in results]

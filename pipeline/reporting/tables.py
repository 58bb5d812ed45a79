"""Tables, and captioned pictures, of the runs."""
from typing import Any

from pipeline.params.scoring import Evaluate
from pipeline.params.searching import KNOBS
from pipeline.reporting import headlines, rounding
from pipeline.reporting.blocks import Picture, Table
from pipeline.reporting.meanings import SAMPLES, Meaning
from pipeline.reporting.results import Names, Result, accuracy


def chief(results: list[Result], names: Names, controls: dict[str, Any]) -> Table:
    """Settings and chief scores of every run."""
    images, floor = controls["test_images"], controls.get(f"{names.fid}_of_test_images")
    probes = [f"`{names.probe}` ↑", "same, untrained D"] if names.probe else []
    rows = [[result.name, *result.settings(), result.stated(names.fid),
             *(result.accuracy(f"{names.probe}{of}", images) for of in ("", "_of_untrained_D") if names.probe)]
            for result in results]
    below = [""] * len(KNOBS)
    real = [] if floor is None else [["*real test images*", *below, rounding.stated(floor), *[""] * len(probes)]]
    pixels = [["*raw pixels*", *below, "", accuracy(controls[f"{names.probe}_of_pixels"], images), ""]
              ] if names.probe else []
    return Table(["run", *KNOBS, f"`{names.fid}` ↓", *probes], rows, [*real, *pixels],
                 label="Settings and chief scores of every run")


def scores(evaluate: Evaluate, results: list[Result],
           controls: dict[str, Any]) -> tuple[Table, list[tuple[str, Meaning]]]:
    """Every score of the samples, a row each, in which the best is bold; and the names of these scores' meanings."""
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
    heads = ["score", *(result.name for result in results), "*test images*"]
    return Table(heads, rows, label="Every score of the samples of every run"), meanings


def probes(results: list[Result], names: Names, controls: dict[str, Any]) -> Table:
    """The accuracies of linear probes of every D, with their controls: many labels, then few."""
    images, few = controls["test_images"], names.few
    count = f"{int(few.split('_')[2]):,}"
    many = f"{results[0].scores['probe_images']:,.0f}"

    def with_few(values: dict[str, Any], of: str) -> str:
        return rounding.stated(values[f"{few}{of}"], values[f"{few}_interval{of}"], True)

    def of_few(result: Result, of: str) -> str:
        return result.accuracy(f"{few}{of}", images) if len(result.trainings) > 1 else with_few(result.scores, of)

    CNN = "accuracy_test_of_supervised_CNN", few.replace("probe_", "") + "_of_supervised_CNN"
    rows = [[result.name, result.accuracy(names.probe, images),
             result.accuracy(f"{names.probe}_of_untrained_D", images), result.accuracy(CNN[0], images),
             of_few(result, ""), of_few(result, "_of_untrained_D"), result.accuracy(CNN[1], images)]
            for result in results]
    pixels = ["*raw pixels*", accuracy(controls[f"{names.probe}_of_pixels"], images), "", "",
              with_few(controls, "_of_pixels"), "", ""]
    return Table(["run", f"D, {many} labels", "untrained D", "supervised CNN", f"D, {count} labels", "untrained D",
                  "supervised CNN"], rows, [pixels], label="Accuracies of probes of every D and their controls")


def by_seed(results: list[Result], names: Names) -> Table:
    """The chief scores of every training of runs with several seeds."""
    rows = [[result.name, str(training.seed), rounding.stated(training.scores[names.fid]),
             *([rounding.stated(training.scores[names.probe], percent=True)] if names.probe else [])]
            for result in results for training in result.trainings]
    return Table(["run", "seed", f"`{names.fid}` ↓", *([f"`{names.probe}` ↑"] if names.probe else [])], rows,
                 label="Chief scores of every training")


def samples(results: list[Result], names: Names) -> list[Picture]:
    """The grids of samples, of the first seed."""
    return [Picture(one.first.folder / "samples.png", f"{one.name}: samples", headlines.caption(one, names), one.name)
            for one in results]


def closest(results: list[Result]) -> list[Picture]:
    """The samples that are nearest to training images, with these."""
    return [Picture(one.first.folder / "closest.png", f"{one.name}: samples above, their nearest training images below",
                    "The closest pairs.", one.name) for one in results]

"""Stage report: what the study's files say, in one page that reads files only."""
import itertools
import json
import math
import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from pipeline import files, params, rounding, stage
from pipeline.documents import Params
from pipeline.figures import COLOURS, save
from pipeline.meanings import SAMPLES, Meaning
from pipeline.scores import frechet
from pipeline.sections import Run

FEW = re.compile(r"probe_accuracy_\d+_labels")


@dataclass(frozen=True)
class Result:
    """One run: its parameters, final scores, and curves over images seen."""
    name: str
    run: Run
    scores: dict[str, Any]
    losses: pd.DataFrame
    fid: pd.DataFrame
    classes: pd.DataFrame

    def stated(self, name: str, percent: bool = False) -> str:
        """A score over sets of samples, with the digits that its deviation leaves."""
        return rounding.stated(self.scores[name], self.scores.get(f"{name}_std", 0.0), percent)

    @property
    def swing(self) -> float:
        """The largest factor between neighbours in the second half of the FID's curve; infinite for a single point."""
        points = self.fid.iloc[:, 1].to_list()
        if len(points) < 2:
            return math.inf
        half = points[min(len(points) // 2, len(points) - 2):]
        return max(max(a, b) / max(min(a, b), 1e-9) for a, b in zip(half, half[1:]))


def report(reference: Path, training: Path, evaluation: Path, page: Path, pictures: Path) -> None:
    """Writes the Markdown file PAGE and the folder PICTURES from the folders of the other stages' reports."""
    section = params.load()
    controls = json.loads((reference / "metrics.json").read_text())
    results = [read(name, run, training / name, evaluation / name) for name, run in section.runs.items()]
    fid_name = frechet.name(section.evaluate.fid_images)
    few = next(key for key in results[0].scores if FEW.fullmatch(key))
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    text = environment.get_template("report.md.j2").render(
        section=section, controls=controls, results=results, fid_name=fid_name, stated=rounding.stated,
        table=[row for meaning in SAMPLES if (row := compared(meaning, section, results, controls))],
        few=few, accuracy=partial(accuracy, images=controls["test_images"]), floor=f"{fid_name}_of_test_images",
        best=min(results, key=lambda result: result.scores[fid_name]),
        changes=[change(before, after, fid_name, controls["test_images"])
                 for before, after in zip(results, results[1:])],
        pictures=os.path.relpath(pictures, page.parent), evaluation=os.path.relpath(evaluation, page.parent))
    with files.replacing(pictures) as temporary:
        draw_losses(results, temporary / "losses.png")
        draw_fid(results, temporary / "fid.png")
        draw_classes(results, temporary / "classes.png")
    files.write(page, text.encode())


def read(name: str, run: Run, training: Path, evaluation: Path) -> Result:
    """The result of the run `name` from its two folders."""
    return Result(name, run, json.loads((evaluation / "metrics.json").read_text()),
                  pd.read_csv(training / "losses.csv"), pd.read_csv(training / "fid.csv"),
                  pd.read_csv(evaluation / "classes.csv", dtype={"class": str}))


def compared(meaning: Meaning, section: Params, results: list[Result], controls: dict[str, Any]) -> dict[str, Any]:
    """A row of the table of scores: its name, every run's value, and that of real test images if they have one; or
    nothing, when it was not computed.
    """
    evaluate = section.evaluate
    samples = {"inception": evaluate.inception.images, "pixels": evaluate.memorisation_images}
    name = meaning.name(samples.get(meaning.extractor, evaluate.fid_images))
    if name not in results[0].scores:
        return {}
    real = controls.get(f"{name}_of_test_images")
    return {"meaning": meaning, "name": name, "values": [result.stated(name, meaning.percent) for result in results],
            "real": "" if real is None else rounding.stated(real, percent=meaning.percent)}


def accuracy(value: float, images: int) -> str:
    """An accuracy on so many test images, with its standard error."""
    return rounding.stated(value, math.sqrt(value * (1 - value) / images), percent=True)


def change(before: Result, after: Result, fid_name: str, test_images: int) -> dict[str, Any]:
    """What was changed from one run to the next, and what may be said of its effect.

    A FID ratio counts as seen when it exceeds the swing that either curve makes in its second half; a probe difference
    when it exceeds the sampling error (95 %) of two accuracies on as many test images.
    """
    changed = [f"{key} {getattr(before.run, key):g} → {getattr(after.run, key):g}"
               for key in ("batch", "lr", "beta1", "leak") if getattr(before.run, key) != getattr(after.run, key)]
    fid = before.scores[fid_name], after.scores[fid_name]
    probe = before.scores["probe_accuracy_test"], after.scores["probe_accuracy_test"]
    swing = max(before.swing, after.swing)
    mean = sum(probe) / 2
    probe_error = 1.96 * math.sqrt(2 * mean * (1 - mean) / test_images)
    return {
        "before": before, "after": after, "changed": ", ".join(changed), "fid": fid, "probe": probe,
        "swing": swing, "swing_known": math.isfinite(swing), "fid_seen": max(fid) / max(min(fid), 1e-9) > swing,
        "probe_error": probe_error, "probe_seen": abs(probe[1] - probe[0]) > probe_error,
    }


def draw_losses(results: list[Result], path: Path) -> None:
    """Both losses of all runs, on shared axes, with the values at which D cannot tell real from fake."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True)
    for axis, key, title, blind in ((axes[0], "loss_D", "Discriminator", 2 * math.log(2)),
                                    (axes[1], "loss_G", "Generator", math.log(2))):
        for result, colour in zip(results, itertools.cycle(COLOURS)):
            axis.plot(result.losses["images_seen"] / 1000, result.losses[key], color=colour, label=result.name)
        axis.axhline(blind, color="grey", linestyle=":", label="D cannot tell")
        axis.set(title=title, xlabel="images seen, thousands", ylabel="loss, nats")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


def draw_fid(results: list[Result], path: Path) -> None:
    """The FID of all runs over images seen, on a logarithmic axis."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axis = figure.subplots()
    for result, colour in zip(results, itertools.cycle(COLOURS)):
        axis.plot(result.fid["images_seen"] / 1000, result.fid.iloc[:, 1], "o-", color=colour, label=result.name)
    axis.set(yscale="log", xlabel="images seen, thousands", ylabel="Fréchet distance, classifier features")
    axis.yaxis.set_major_formatter("{x:.0f}")
    axis.yaxis.set_minor_formatter("{x:.0f}")
    figure.legend(loc="outside right center", frameon=False)
    save(figure, path)


def draw_classes(results: list[Result], path: Path) -> None:
    """How often each run makes every class, beside how often it is there."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axis = figure.subplots()
    names = results[0].classes["class"]
    width = 0.8 / (len(results) + 1)
    axis.bar(range(len(names)), 100 * results[0].classes["real"], width, color="lightgrey", label="training images")
    for place, (result, colour) in enumerate(zip(results, itertools.cycle(COLOURS)), 1):
        axis.bar([i + place * width for i in range(len(names))], 100 * result.classes["generated"], width,
                 color=colour, label=result.name)
    axis.set(xlabel="class, as the classifier sees it", ylabel="share, %",
             xticks=[i + width * len(results) / 2 for i in range(len(names))], xticklabels=names)
    figure.legend(loc="outside right center", frameon=False)
    save(figure, path)


if __name__ == "__main__":
    stage.main(report)

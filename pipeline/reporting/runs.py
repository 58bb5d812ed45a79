"""The report's section on the runs: settings, curves, samples, scores, discriminators, and what each change did."""
from pathlib import Path
from typing import Any

from pipeline.params.study import Study
from pipeline.reporting import headlines, tables
from pipeline.reporting.blocks import Block, Details, Figures, Heading, Items, Paragraph, Picture
from pipeline.reporting.changes import Change, rankings
from pipeline.reporting.results import Names, Result


def blocks(study: Study, results: list[Result], controls: dict[str, Any], names: Names, changes: list[Change],
           pictures: Path) -> list[Block]:
    """The whole section; `pictures` is the folder with the report's plots and films."""
    return [*settings(results, controls, names), *curves(study, results, pictures),
            *samples(study, results, controls, names, pictures), *discriminators(study, results, controls, names),
            *effects(changes, names)]


def settings(results: list[Result], controls: dict[str, Any], names: Names) -> list[Block]:
    """Settings and chief scores, what ± is, and how further classifiers rank the runs."""
    several, first = len(results[0].trainings), results[0].first.scores
    spread = (f"Numbers are means over {several} trainings ± the half-width of their 95 % "
              "t-interval." if several > 1 else
              f"Scores of samples are means over {first['seeds']} sets of samples of one generator ± their standard "
              f"deviation; accuracies have their standard error on {controls['test_images']:,} test images. Neither "
              "says how far another seed would be.")
    found: list[Block] = [
        Heading(2, "The runs", "the-runs"), Heading(3, "Settings and chief scores"),
        tables.chief(results, names, controls), Paragraph(spread, "note")]
    if said := [headlines.ranking(one) for one in rankings(results, names)]:
        found.append(Paragraph(" ".join(said)))
    if several > 1:
        found.append(Details("The chief scores of every training", [tables.by_seed(results, names)]))
    return found


def curves(study: Study, results: list[Result], pictures: Path) -> list[Block]:
    """Distances and losses over images seen, and trainings as films."""
    films = [Picture(pictures / f"film-{name}.webp", "A grid of samples that change while the curve below grows",
                     "Samples of the same z all along the training, over the distance so far.", name)
             for name in study.internals.runs if (pictures / f"film-{name}.webp").exists()]
    average = (" Dashed: the average of G's weights." if any(
        len(training.fid.columns) > 2 for result in results for training in result.trainings) else "")
    signs = (" Crosses: a sign of a collapse begins." if any(
        len(training.events) for result in results for training in result.trainings) else "")
    found: list[Block] = [Heading(3, "Learning curves"), Figures([
        Picture(pictures / "fid.png", "Fréchet distance over images seen, logarithmic",
                f"How far samples are from the training images, every {study.train.fid_every:,} images, on "
                f"{study.train.fid_images:,} samples. Lower is better. A curve that still falls at its end has not "
                f"learned all it can.{average}{signs}"),
        Picture(pictures / "losses.png", "Losses of both networks over images seen, logarithmic",
                "Dotted: the losses of a discriminator that cannot tell real from fake, 2 log 2 and log 2. The farther "
                "D's loss is below, the more surely it tells them apart, and the higher is G's.")], "plot")]
    return found + ([Heading(4, "The trainings as films"), Figures(films, "inner")] if films else [])


def samples(study: Study, results: list[Result], controls: dict[str, Any], names: Names,
            pictures: Path) -> list[Block]:
    """Samples, every score of them, further generators, and shares of classes."""
    every, _ = tables.scores(study.evaluate, results, controls)
    first = results[0].first.scores
    few = (" Too few images for a covariance of full rank make these distances too large: "
           f"{', '.join(first['rank_deficient'])}." if "rank_deficient" in first else "")
    found: list[Block] = [
        Heading(3, "Samples"), Paragraph("The same z in every grid, none chosen by hand: compare equal places."),
        Figures(tables.samples(results, names), "grid"), Heading(3, "Every score of the samples"), every,
        Paragraph(f"The best of each row is bold; ± is {results[0].over}. [What they mean](#what-the-numbers-mean) is "
                  f"below.{few}", "note")]
    if generators := tables.generators(results, names):
        found += [Heading(4, "Further generators of the runs"), generators, Paragraph(
            "The best of the curve was chosen by its distance to training images during the training, and is scored "
            "here with other samples.", "note")]
    if len(results[0].first.classes) > 1:
        found.append(Figures([Picture(
            pictures / "classes.png", "Share of each class among samples and training images",
            "Where a bar matches the grey one, the class is generated as often as it occurs in the training set. The "
            "classifier has to name a class for scribbles too.")], "plot"))
    return found


def copies(results: list[Result]) -> list[Block]:
    """The samples that are nearest to training images."""
    return [Heading(2, "The nearest training images", "nearest", apart=True),
            Paragraph("Were training images copied? Above, the samples nearest to a training image; below each, that "
                      "image. Where both are the same picture, it was."), Figures(tables.closest(results), "grid")]


def discriminators(study: Study, results: list[Result], controls: dict[str, Any], names: Names) -> list[Block]:
    """What the discriminators learned, and whether they know training images by heart; nothing where neither is known.
    """
    found: list[Block] = []
    if names.probe:
        found += [tables.probes(results, names, controls), Paragraph(
            f"Accuracy on {controls['test_images']:,} test images ↑ of a linear classifier on D's features, and on "
            "those of the same D untrained. A trained D is worth what it has beyond the untrained one, raw pixels, and "
            "a CNN of D's layers trained on the labels. Where a run has one training, ± of the fewest labels is 1.96 "
            f"standard deviations over {study.evaluate.resamples} draws of them, as the paper reports it.", "note")]
    if recognised := tables.recognition(results):
        found += [recognised, Paragraph(
            "A D that knows its training images by heart calls them real more often than "
            "test images.", "note")]
    return [Heading(3, "What the discriminators learned"), *found] if found else []


def effects(changes: list[Change], names: Names) -> list[Block]:
    """What differs between each run and the one before it, with a verdict where there are pairs of trainings."""
    if not changes:
        return []
    note = ("Pairs of equal seed. The intervals are 95 % t-intervals, of the mean of ln ratio of the distance and of "
            "the mean difference of the probes. A difference is one whose interval excludes ×1, or 0 points."
            if all(one.seeds > 1 for one in changes) else "Without verdicts, as a run has one training.")
    return [Heading(3, "What each change did"),
            Items([headlines.change(one, names) + headlines.change_of_probe(one, names) for one in changes]),
            Paragraph(note, "note")]

"""The report of a study, block by block."""
import json
from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline.params.study import Study
from pipeline.reporting import headlines, inside, other_studies, plots, provenance, rounding, search_results, tables
from pipeline.reporting.blocks import (Block, Card, Cards, Details, Figures, Heading, Items, Paragraph, Picture, Report,
                                       Terms)
from pipeline.reporting.results import Change, Names, Result, change


def report(study: Study, results: list[Result], controls: dict[str, Any], pictures: Path) -> Report:
    """The whole report; `pictures` is the folder with its plots and films."""
    names = Names.of(results[0].scores)
    changes = [change(before, after, names, controls["test_images"]) for before, after in zip(results, results[1:])]
    best = min(results, key=lambda result: result.scores[names.fid])
    title = f"DCGAN on {other_studies.described(study.data)}: " + (
        f"{len(results)} runs compared" if len(results) > 1 else "one run")
    found: list[Block] = [
        Heading(1, title), Paragraph(lead(study, results), "lead"),
        Heading(2, "In short", "in-short"), Cards([card(result, best, len(results), names) for result in results]),
        Paragraph(key_to_cards(results, names, controls), "note"),
        Items(headlines.sentences(results, names, controls, changes)),
        *runs(study, results, controls, names, changes, pictures), *search(), *others(),
        *meanings(study, results, controls, names), *internals(study, best), *provenance.blocks(study)]
    shape = json.loads((folders.REFERENCE / "reference.json").read_text())["shape"]
    return Report(title, found, plots.coloured([result.name for result in results]), (shape[1], shape[2]))


def lead(study: Study, results: list[Result]) -> str:
    """What the study asks."""
    text = ("D. Nguyen's DCGAN slides (Hochschule Offenburg, 2020) train one network with four settings of batch size, "
            "learning rate, Adam's beta1 and LeakyReLU's slope, and end with pictures. Which settings train the better "
            "generator, measured? " if study.train.network == "slides" and not folders.study() else "")
    networks = sorted({result.run.network for result in results})
    seen = sorted({result.scores["images_seen"] for result in results})
    trainings = (f"Every run is trained with {len(study.seeds)} seeds ({', '.join(map(str, study.seeds))})"
                 if len(study.seeds) > 1 else f"Every run is one training, with seed {study.seeds[0]}")
    text += (f"Network: {', '.join(f'`{name}`' for name in networks)}. {trainings}, on "
             f"{' to '.join(f'{count:,.0f}' for count in dict.fromkeys((seen[0], seen[-1])))} images.")
    return text + (" The settings of `searched` were found by Optuna." if "searched" in study.runs else "")


def card(result: Result, best: Result, count: int, names: Names) -> Card:
    """A run at a glance."""
    run, scores = result.run, result.scores
    shown = [f"{word} {rounding.share(scores[name])}" for word, name in (
        ("precision", names.precision), ("recall", names.recall), ("probe", names.probe)) if name in scores]
    stated = result.stated(names.fid)
    return Card(result.name, result is best and count > 1, stated.split(" ± ")[0], stated,
                result.first.folder / "samples.png",
                [f"batch {run.batch}, lr {run.lr:g},", f"beta1 {run.beta1:g},", f"leak {run.leak:g}"], shown)


def key_to_cards(results: list[Result], names: Names, controls: dict[str, Any]) -> str:
    """What the numbers of the cards are."""
    floor = controls.get(f"{names.fid}_of_test_images")
    real = "" if floor is None else f" (real test images: {rounding.stated(floor)})"
    probe = " Probe: accuracy of a linear classifier on D's features." if names.probe else ""
    seeds = len(results[0].trainings)
    trained = (f"Numbers are means over {seeds} trainings; pictures are of the first." if seeds > 1 else
               "Each run is one training with one seed: another seed may rank them differently.")
    return (f"Big: `{names.fid}`, the Fréchet distance of samples from the training images; lower is better{real}. It "
            f"is not an Inception FID.{probe} Samples are of the same z in all runs, none chosen by hand. {trained}")


def runs(study: Study, results: list[Result], controls: dict[str, Any], names: Names, changes: list[Change],
         pictures: Path) -> list[Block]:
    """The section on the runs: settings, curves, samples, scores, discriminators, and what each change did."""
    images, evaluate, first = controls["test_images"], study.evaluate, results[0].first.scores
    several = len(results[0].trainings)
    spread = (f"Numbers are means over {several} trainings ± the half-width of their 95 % "
              "t-interval." if several > 1 else
              f"Scores of samples are means over {first['seeds']} sets ± their standard deviation over sets of "
              "samples of "
              f"one generator; accuracies have their standard error on {images:,} test images.")
    every, meanings_of = tables.scores(evaluate, results, controls)
    few = (" Too few images for a covariance of full rank make these distances too large: "
           f"{', '.join(first['rank_deficient'])}." if "rank_deficient" in first else "")
    found: list[Block] = [
        Heading(2, "The runs", "the-runs"), Heading(3, "Settings and chief scores"),
        tables.chief(results, names, controls), Paragraph(spread, "note")]
    if several > 1:
        found.append(Details("The chief scores of every training", [tables.by_seed(results, names)]))
    found += [*curves(study, results, pictures),
              Heading(3, "Samples"),
              Paragraph("The same z in every grid, none chosen by hand: compare equal places."),
              Figures(tables.samples(results, names), "grid"), Heading(3, "Every score of the samples"), every,
              Paragraph("The best of each row is bold. [What they mean](#what-the-numbers-mean) is "
                        f"below.{few}", "note")]
    if len(results[0].first.classes) > 1:
        found.append(Figures([Picture(
            pictures / "classes.png", "Share of each class among samples and training images",
            "Where a bar matches the grey one, the class is generated as often as it occurs in the training set. The "
            "classifier has to name a class for scribbles too.")], "plot"))
    found += [Paragraph("Were training images copied? Above, the samples nearest to a training image; below each, that "
                        "image. Where both are the same picture, it was."), Figures(tables.closest(results), "grid")]
    if names.probe:
        found += [Heading(3, "What the discriminators learned"), tables.probes(results, names, controls), Paragraph(
            f"Accuracy on {images:,} test images ↑ of a linear classifier on D's features, of the same D untrained, "
            "and of "
            "a CNN of D's layers trained on the labels. A trained D is worth what it has beyond these. With few "
            "labels ± "
            f"is 1.96 standard deviations over {evaluate.resamples} draws of them, as the paper reports it, where a "
            "run has "
            "one training.", "note")]
    if changes:
        warning = ("Pairs of equal seed: the interval is of the mean ratio." if several > 1 else
                   "These are single draws: only repeated trainings can tell a change's effect from luck.")
        effects = [headlines.change(one, names) + headlines.change_of_probe(one, names, images) for one in changes]
        found += [Heading(3, "What each change did"), Items(effects), Paragraph(warning, "note")]
    return found


def curves(study: Study, results: list[Result], pictures: Path) -> list[Block]:
    """Distances and losses over images seen, and trainings as films."""
    films = [Picture(pictures / f"film-{name}.webp", "A grid of samples that change while the curve below grows",
                     "Samples of the same z all along the training, over the distance so far.", name)
             for name in study.internals.runs if (pictures / f"film-{name}.webp").exists()]
    found: list[Block] = [Heading(3, "Learning curves"), Figures([
        Picture(pictures / "fid.png", "Fréchet distance over images seen, logarithmic",
                f"How far samples are from the training images, every {study.train.fid_every:,} images, on "
                f"{study.train.fid_images:,} samples. Lower is better. A curve that still falls at its end has not "
                "learned all it can; differences as small as its ups and downs mean nothing."),
        Picture(pictures / "losses.png", "Losses of both networks over images seen, logarithmic",
                "Dotted: the losses of a discriminator that cannot tell real from fake, 2 log 2 and log 2. The farther "
                "D's loss is below, the more surely it tells them apart, and the higher is G's.")], "plot")]
    return found + ([Heading(4, "The trainings as films"), Figures(films, "inner")] if films else [])


def search() -> list[Block]:
    """The section on the search, if there has been one."""
    found = search_results.read(folders.report("search"))
    title = Heading(2, "The search", "the-search")
    if found is None:
        return [title, Paragraph("No search has been reported yet: `dvc repro search` runs one, `dvc repro -f -s "
                                 "report` "
                                 "then puts it here.", "absent")]
    return [title, *search_results.blocks(found, folders.report("search"))]


def others() -> list[Block]:
    """The section on other studies, in the report of the repository's own."""
    return [] if folders.study() else other_studies.blocks(folders.repository() / folders.STUDIES)


def meanings(study: Study, results: list[Result], controls: dict[str, Any], names: Names) -> list[Block]:
    """What the scores mean and what they may be compared with."""
    scores, evaluate, train = results[0].first.scores, study.evaluate, study.train
    statistics = (f", taken over {train.statistics_images:,} fresh z with the final weights"
                  if train.batch_norm == "recomputed" else "")
    accuracy = next(rounding.stated(value, percent=True)
                    for key, value in controls.items() if key.endswith("_accuracy_test"))
    what = "classifies" if names.probe else "predicts the rotation of"
    text = (f"Samples are generated with {train.batch_norm} batch-norm statistics{statistics}. The reference network "
            f"{what} {accuracy} of the test images correctly and has 128 features. In its features, distances compare "
            "with all training images, the scores of neighbours and kernels with the first "
            f"{scores['real_images']:,}; k "
            f"is {scores['neighbours']}.")
    if "inception_resize" in scores:
        text += (f" Inception's compare with the first {scores['inception_real_images']:,} training images, resized as "
                 f"`{scores['inception_resize']}`, by the weights of SHA-256 {scores['inception_weights'][:12]}….")
    _, known = tables.scores(evaluate, results, controls)
    pairs = [(f"`{name}` {meaning.good}", meaning.text) for name, meaning in known]
    if names.probe:
        pairs.append((f"`{names.probe}` ↑", (
            "Accuracy of a linear L2-SVM on the max-pooled outputs of D's convolutions (the DCGAN paper, sec. 5.1), "
            f"fitted on {scores['probe_images']:,} labelled training images, of which the last "
            f"{100 * evaluate.probe_validation:.0f} % chose C. It is worth what it has beyond its controls: raw "
            "pixels, D "
            "as it was before training, and a CNN of D's layers trained on the labels. The paper's 82.8 % on CIFAR-10 "
            "are "
            "of a D of 28,672 features that was trained on ImageNet.")))
        pairs.append((f"`{names.few}` ↑", (
            f"The same for {evaluate.labels_per_class} labels of each class (sec. 5.2). The paper's error of 22.48 % "
            "on "
            "SVHN is comparable with a study on SVHN, and with no other data set.")))
    return [Heading(2, "What the numbers mean", "what-the-numbers-mean"),
            Paragraph(f"{text} ↓ lower is better, ↑ higher."), Terms(pairs)]


def internals(study: Study, best: Result) -> list[Block]:
    """What was seen inside the networks."""
    topics, unseen = inside.read(folders.report("internals"), study.internals.runs)
    found: list[Block] = [
        Heading(2, "Inside the networks", "inside"),
        Paragraph("What the DCGAN paper does with z and inside the networks (Radford, Metz and Chintala 2016, arXiv "
                  "1511.06434; the section is named with each).")]
    if unseen:
        runs = ", ".join(f"`dvc repro internals@{name}`" for name in unseen)
        found.append(Paragraph(f"Not looked into yet: {', '.join(unseen)}; run {runs}.", "absent"))
    return found + [block for topic in topics for block in topic.blocks(best.name)]

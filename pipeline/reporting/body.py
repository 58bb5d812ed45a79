"""The report of a study, block by block."""
import json
from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline.params.study import Study
from pipeline.reporting import (claims_page, headlines, inside, other_studies, plots, provenance, rounding, runs,
                                search_results, signs, tables)
from pipeline.reporting.blocks import Block, Card, Cards, Heading, Items, Paragraph, Report, Terms
from pipeline.reporting.changes import change
from pipeline.reporting.meanings import FEW, PROBE, RECOGNITION
from pipeline.reporting.results import Names, Result


def report(study: Study, results: list[Result], lacking: list[str], controls: dict[str, Any], pictures: Path) -> Report:
    """The whole report; `lacking` are trainings without scores, `pictures` is the folder with its plots and films."""
    names = Names.of(results[0].scores)
    changes = [change(before, after, names) for before, after in zip(results, results[1:])]
    best = min(results, key=lambda result: result.scores[names.fid])
    title = f"DCGAN on {other_studies.described(study.data)}: " + (
        f"{len(results)} runs compared" if len(results) > 1 else "one run")
    found: list[Block] = [
        Heading(1, title), Paragraph(lead(study, results), "lead"), *to_come(lacking), *claims_page.blocks(),
        Heading(2, "In short", "in-short"), Cards([card(result, best, len(results), names) for result in results]),
        Paragraph(key_to_cards(results, names, controls), "note"),
        Items(headlines.sentences(results, names, controls, changes)),
        *runs.blocks(study, results, controls, names, changes, pictures), *runs.copies(results), *search(),
        *others(), *meanings(study, results, controls, names), *internals(study, best), *provenance.blocks(study)]
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
    return text + (" The settings of `searched` were found by Optuna."
                   if "searched" in [result.name for result in results] else "")


def to_come(lacking: list[str]) -> list[Block]:
    """What is not in the report yet."""
    return [Paragraph(f"Still to come: {', '.join(lacking)}. `dvc repro report` trains and scores what is missing.",
                      "absent")] if lacking else []


def card(result: Result, best: Result, count: int, names: Names) -> Card:
    """A run at a glance."""
    run, scores = result.run, result.scores
    shown = [f"{word} {rounding.share(scores[name])}" for word, name in (
        ("precision", names.precision), ("recall", names.recall), ("probe", names.probe)) if name in scores]
    times = f"{result.rounded(names.floors)} times real test images" if names.floors in scores else ""
    return Card(result.name, result is best and count > 1, signs.lasts(result), result.rounded(names.relative, True),
                result.stated(names.relative, True), times, result.first.folder / "samples.png",
                [f"batch {run.batch}, lr {run.lr:g},", f"beta1 {run.beta1:g},", f"leak {run.leak:g}"], shown)


def key_to_cards(results: list[Result], names: Names, controls: dict[str, Any]) -> str:
    """What the numbers of the cards are."""
    relative = tables.of_real(controls, names, "_relative", True)
    real = f"; real test images have {relative}" if relative else ""
    probe = " Probe: accuracy of a linear classifier on D's features." if names.probe else ""
    of_most = max(results, key=lambda result: len(result.trainings))
    counts = {len(result.trainings) for result in results}
    fewer = ", or fewer where they are still to come" if len(counts) > 1 else ""
    of_first = " Pictures are of the first training." if len(of_most.trainings) > 1 else ""
    return ("Big: the Fréchet distance of samples from the training images, in percent of the distance of a generator "
            f"that always makes the mean image; lower is better{real}. It is `{names.relative}`, not an Inception FID. "
            f"Numbers are means {of_most.over}{fewer}.{probe} Samples are of the same z in all runs, none chosen by "
            f"hand.{of_first}")


def search() -> list[Block]:
    """The section on the search, if there has been one."""
    found = search_results.read(folders.report("search"))
    title = Heading(2, "The search", "the-search", apart=True)
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
        pairs.append((f"`{names.probe}` ↑", PROBE.format(validation=100 * evaluate.probe_validation)))
    if names.few:
        pairs.append((f"`{names.few}` ↑", FEW.format(labels=evaluate.labels_per_class)))
    if "D_calls_test_images_real" in scores:
        pairs.append(("`D_calls_training_images_real`, `D_calls_test_images_real`", RECOGNITION))
    return [Heading(2, "What the numbers mean", "what-the-numbers-mean", apart=True),
            Paragraph(f"{text} ↓ lower is better, ↑ higher."), Terms(pairs)]


def internals(study: Study, best: Result) -> list[Block]:
    """What was seen inside the networks."""
    topics, unseen = inside.read(folders.report("internals"), study.internals.runs)
    found: list[Block] = [
        Heading(2, "Inside the networks", "inside", apart=True),
        Paragraph("What the DCGAN paper does with z and inside the networks (Radford, Metz and Chintala 2016, arXiv "
                  "1511.06434; the section is named with each).")]
    if unseen:
        runs = ", ".join(f"`dvc repro internals@{name}`" for name in unseen)
        found.append(Paragraph(f"Not looked into yet: {', '.join(unseen)}; run {runs}.", "absent"))
    return found + [block for topic in topics for block in topic.blocks(best.name)]

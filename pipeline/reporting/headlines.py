"""What came out, in one sentence each, and only where a number backs it; **bold** marks runs."""
from collections.abc import Iterator
from typing import Any

from pipeline.reporting import rounding, signs
from pipeline.reporting.changes import Change, Ranking, sampling_error
from pipeline.reporting.results import Names, Result

UNDECIDED = "One training per run decides nothing about a setting: another seed may reverse any difference."
NO_PAIRS = "The runs have no seed in common, so that no trainings can be paired: nothing is decided about a setting."


def sentences(results: list[Result], names: Names, controls: dict[str, Any], changes: list[Change]) -> list[str]:
    """All that may be said of the runs."""
    decided = [change(one, names) for one in changes if one.seeds > 1]
    undecided = [UNDECIDED] if len(decided) < len(changes) else []
    return [*_distance(results, names, controls), *decided, *undecided, *signs.sentences(results),
            *_variety(results, names), *probe(results, names, controls["test_images"]), *_copies(results)]


def caption(result: Result, names: Names) -> str:
    """What one sees in a grid of samples, as far as scores say it."""
    said = [f"Relative distance {result.rounded(names.relative, True)}."]
    classes = result.first.classes
    most = classes.iloc[int(classes["generated"].argmax())] if len(classes) else None
    if most is not None and most["generated"] > 2 * most["real"]:
        said.append(f"The classifier reads {rounding.share(most['generated'])} of them as {most['class']}, and "
                    f"{rounding.share(most['real'])} of the training images.")
    if result.scores.get(names.missing, 0) > 0.5:
        said.append(f"{result.rounded(names.missing)} of {len(classes)} classes are missing.")
    return " ".join([*said, near(result.scores, names)]).strip()


def near(scores: dict[str, Any], names: Names) -> str:
    """Precision and recall in words; '' where they are not known."""
    if not {names.precision, names.recall} <= scores.keys():
        return ""
    return (f"{rounding.share(1 - scores[names.precision])} of the samples lie near no real image, and "
            f"{rounding.share(1 - scores[names.recall])} of the real images near no sample.")


def _distance(results: list[Result], names: Names, controls: dict[str, Any]) -> Iterator[str]:
    ranked = sorted(results, key=lambda result: result.scores[names.fid])
    best, floor = ranked[0], controls.get(f"{names.floored}_relative_of_test_images")
    text = (f"**{best.name}** comes nearest to the training images: its relative Fréchet distance is "
            f"{best.labelled(names.relative, True)}")
    if names.floors in best.scores:
        text += f", {best.rounded(names.floors)} times that of real test images"
    if floor is not None:
        text += f"; real test images have {rounding.stated(floor, percent=True)}"
    if names.floored != names.fid and floor is not None:
        text += f" (these two for {names.floored.split('_')[-1]} images)"
    if len(ranked) > 1:
        text += f"; the next, {ranked[1].name}, has {ranked[1].rounded(names.relative, True)}"
    yield text + "."


def change(found: Change, names: Names) -> str:
    """The distances of two runs and, over at least two pairs of trainings, whether they differ."""
    before, after = found.before, found.after
    text = (f"**{before.name} → {after.name}** ({found.changed or 'nothing changed'}): "
            f"{before.rounded(names.relative, True)} → {after.rounded(names.relative, True)}, ×{found.ratio:.2f}")
    if found.seeds < 2:
        return f"{text}."
    low, high = found.bounds
    return (f"{text} ({low:.2f} to {high:.2f} over {found.seeds} pairs of seeds): "
            f"{'a difference' if found.log_ratio.excludes_0 else 'no clear difference'}.")


def change_of_probe(found: Change, names: Names) -> str:
    """The probes of two runs and, over at least two pairs of trainings, whether they differ; '' without probes."""
    if found.probe is None:
        return ""
    before, after = (result.rounded(names.probe, True) for result in (found.before, found.after))
    if found.seeds < 2:
        return f" The probe went from {before} to {after}."
    gap = rounding.stated(100 * found.probe.mean, 100 * found.probe.half)
    return (f" The probe went from {before} to {after}, by {gap} points over {found.seeds} pairs of seeds: "
            f"{'a difference' if found.probe.excludes_0 else 'no clear difference'}.")


def ranking(found: Ranking) -> str:
    """How another classifier ranks the runs."""
    swaps = ", ".join(f"{one} and {two}" for one, two in found.swapped)
    return (f"By classifier {found.number}, which differs only in its seed, the ranking of the runs agrees with the "
            f"first one's by a Kendall's tau of {found.tau:.2f} (1 is the same order). " + (
                f"Neighbours that change places: {swaps}." if swaps else "No neighbours change places."))


def _variety(results: list[Result], names: Names) -> Iterator[str]:
    if any(not {names.precision, names.recall} <= result.scores.keys() for result in results):
        return
    precise = max(results, key=lambda result: result.scores[names.precision])
    precision, recall = precise.scores[names.precision], precise.scores[names.recall]
    if recall < precision / 4:
        varied = max(results, key=lambda result: result.scores[names.recall])
        yield (f"**{precise.name}** has the highest precision ({rounding.share(precision)}) but little variety: its "
               f"recall is {rounding.share(recall)}" + (
                   f", that of {varied.name} {rounding.share(varied.scores[names.recall])}."
                   if varied is not precise else "."))


def probe(results: list[Result], names: Names, images: int) -> Iterator[str]:
    """In which runs training improved D's features, measured on so many test images; nothing without probes."""
    untrained = f"{names.probe}_of_untrained_D"
    pairs = [(result, (result.scores[names.probe], result.scores[untrained]))
             for result in results if untrained in result.scores]
    if not pairs:
        return
    error = max(sampling_error(values, images) for _, values in pairs)
    better = [result.name for result, (trained, before) in pairs if trained - before > error]
    worse = [result.name for result, (trained, before) in pairs if before - trained > error]
    text = (f"Training measurably improved the discriminator's features in {', '.join(better)} only"
            if better and len(better) < len(pairs) else
            "In every run training measurably improved the discriminator's features" if better else
            "In no run did training measurably improve the discriminator's features")
    text += f"; it made them worse in {', '.join(worse)}" if worse else ""
    yield (f"{text} (accuracy of a linear probe, beyond ±{100 * error:.2f} points of sampling error of the test "
           "images). This compares each of these networks with itself before training; it says nothing about other "
           "seeds.")


def _copies(results: list[Result]) -> Iterator[str]:
    key = next((key for key in results[0].scores if key.startswith("near_copies_") and not key.endswith("_std")), "")
    if key and all(key in result.scores for result in results):
        most = max(results, key=lambda result: result.scores[key])
        share = most.scores[key]
        if share > 0.01:
            yield (f"**{most.name}** may copy: {rounding.share(share)} of its samples are as near to a training image "
                   "as the nearest 1 % of real test images.")
        else:
            count = f"at most {rounding.share(share)}" if share else "none"
            yield (f"Nothing suggests that training images were copied: {count} of the samples are as near to one as "
                   "the nearest 1 % of real test images.")

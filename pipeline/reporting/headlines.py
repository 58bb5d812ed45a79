"""What came out, in one sentence each, and only where a number backs it; **bold** marks runs."""
from collections.abc import Iterator
from typing import Any

from pipeline.reporting import rounding
from pipeline.reporting.results import Change, Names, Result, probe_error


def sentences(results: list[Result], names: Names, controls: dict[str, Any], changes: list[Change]) -> list[str]:
    """All that may be said of the runs."""
    return [*_distance(results, names, controls), *(change(one, names) for one in changes),
            *_variety(results, names), *probe(results, controls["test_images"]), *_copies(results)]


def caption(result: Result, names: Names) -> str:
    """What one sees in a grid of samples, as far as scores say it."""
    said = [f"Distance {result.stated(names.fid)}."]
    classes = result.first.classes
    most = classes.iloc[int(classes["generated"].argmax())] if len(classes) else None
    if most is not None and most["generated"] > 2 * most["real"]:
        said.append(f"The classifier reads {rounding.share(most['generated'])} of them as {most['class']}, and "
                    f"{rounding.share(most['real'])} of the training images.")
    if result.scores.get(names.missing, 0) > 0.5:
        said.append(f"{result.stated(names.missing)} of {len(classes)} classes are missing.")
    return " ".join([*said, near(result.scores, names)]).strip()


def near(scores: dict[str, Any], names: Names) -> str:
    """Precision and recall in words; '' where they are not known."""
    if not {names.precision, names.recall} <= scores.keys():
        return ""
    return (f"{rounding.share(1 - scores[names.precision])} of the samples lie near no real image, and "
            f"{rounding.share(1 - scores[names.recall])} of the real images near no sample.")


def _distance(results: list[Result], names: Names, controls: dict[str, Any]) -> Iterator[str]:
    ranked = sorted(results, key=lambda result: result.scores[names.fid])
    best, floor = ranked[0], controls.get(f"{names.fid}_of_test_images")
    text = f"**{best.name}** comes nearest to the training images: Fréchet distance {best.stated(names.fid)}"
    if len(ranked) > 1:
        text += f"; the next, {ranked[1].name}, has {ranked[1].stated(names.fid)}"
    if floor is not None:
        times = best.scores[names.fid] / max(floor, 1e-9)
        text += f"; real test images have {rounding.stated(floor)}, {times:.0f} times less" if times >= 2 else (
            f"; real test images have {rounding.stated(floor)}")
    yield text + "."


def change(found: Change, names: Names) -> str:
    """What may be said of the difference between two runs."""
    before, after = found.before, found.after
    text = (f"**{before.name} → {after.name}** ({found.changed or 'nothing changed'}): "
            f"{before.stated(names.fid)} → {after.stated(names.fid)}, ×{found.ratio:.2f}")
    if found.seeds > 1:
        verdict = "a difference" if found.seen else "no clear difference"
        return f"{text} ({found.low:.2f} to {found.high:.2f} over {found.seeds} pairs of seeds): {verdict}."
    if found.seen:
        return f"{text}, more than neighbouring points of either curve differ (×{found.swing:.2f})."
    return f"{text}, no clear difference" + (
        ": neighbouring points of the curves differ by up to "
        f"×{found.swing:.2f}." if found.swing < float("inf") else ".")


def change_of_probe(found: Change, names: Names, images: int) -> str:
    """What a change did to the probe; '' where there is none."""
    if found.probe_error is None:
        return ""
    before, after = (result.accuracy(names.probe, images) for result in (found.before, found.after))
    return (f" The probe went from {before} to {after}, {'more' if found.probe_seen else 'no more'} than the sampling "
            f"error of the test images (±{100 * found.probe_error:.2f} points).")


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


def probe(results: list[Result], images: int) -> Iterator[str]:
    """In which runs training improved D's features, measured on so many test images."""
    pairs = [(result, (result.scores["probe_accuracy_test"], result.scores["probe_accuracy_test_of_untrained_D"]))
             for result in results if "probe_accuracy_test_of_untrained_D" in result.scores]
    if not pairs:
        return
    error = max(probe_error(values, images) for _, values in pairs)
    better = [result.name for result, (trained, untrained) in pairs if trained - untrained > error]
    worse = [result.name for result, (trained, untrained) in pairs if untrained - trained > error]
    text = (f"Training measurably improved the discriminator's features in {', '.join(better)} only"
            if better and len(better) < len(pairs) else
            "In every run training measurably improved the discriminator's features" if better else
            "In no run did training measurably improve the discriminator's features")
    text += f" (accuracy of a linear probe, beyond ±{100 * error:.2f} points of sampling error)"
    yield text + (f"; it made them worse in {', '.join(worse)}." if worse else ".")


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

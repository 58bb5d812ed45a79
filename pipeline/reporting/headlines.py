"""What came out, in one sentence each, and only where a number backs it; Markdown's **bold** marks runs."""
from collections.abc import Iterator
from typing import Any

from pipeline import rounding
from pipeline.reporting.results import Names, Result, probe_error


def percent(value: float) -> str:
    """A share in percent, with a decimal near 0 % and 100 %."""
    return f"{100 * value:.0f} %" if value in (0, 1) or 0.0995 <= value < 0.9 else f"{100 * value:.1f} %"


def sentences(results: list[Result], names: Names, controls: dict[str, Any],
              changes: list[dict[str, Any]]) -> list[str]:
    """All that may be said of the runs."""
    return [*_distance(results, names, controls), *(change(one, names) for one in changes),
            *_variety(results, names), *probe(results, controls["test_images"]), *_copies(results)]


def caption(result: Result, names: Names) -> str:
    """What one sees in a grid of samples, as far as scores say it."""
    said = [f"Distance {result.stated(names.fid)}."]
    classes = result.classes
    most = classes.iloc[int(classes["generated"].argmax())] if len(classes) else None
    if most is not None and most["generated"] > 2 * most["real"]:
        said.append(f"{percent(most['generated'])} are read as {most['class']}, of the training images "
                    f"{percent(most['real'])}.")
    if result.scores.get(names.missing, 0) > 0.5:
        said.append(f"{result.stated(names.missing)} of {len(classes)} classes are missing.")
    if {names.precision, names.recall} <= result.scores.keys():
        said.append(f"{percent(1 - result.scores[names.precision])} lie near no real image, and "
                    f"{percent(1 - result.scores[names.recall])} of the real images near none of them.")
    return " ".join(said)


def _distance(results: list[Result], names: Names, controls: dict[str, Any]) -> Iterator[str]:
    ranked = sorted(results, key=lambda result: result.scores[names.fid])
    best, floor = ranked[0], controls.get(f"{names.fid}_of_test_images")
    text = f"**{best.name}** comes nearest to the training images: Fréchet distance {best.stated(names.fid)}"
    if len(ranked) > 1:
        text += f", and {ranked[1].stated(names.fid)} for {ranked[1].name}, the next"
    if floor is not None:
        text += f"; real test images have {rounding.stated(floor)}, so that none is near what could be reached"
        if best.scores[names.fid] < 2 * floor:
            text = text.rpartition(",")[0]
    yield text + "."


def change(found: dict[str, Any], names: Names) -> str:
    """What may be said of a `results.change`."""
    before, after = found["before"], found["after"]
    text = (f"**{before.name} → {after.name}** ({found['changed'] or 'nothing changed'}): "
            f"{before.stated(names.fid)} → {after.stated(names.fid)}")
    if found["fid_seen"]:
        return f"{text}, ×{found['fid'][1] / max(found['fid'][0], 1e-9):.2f}, more than either curve still moved."
    return f"{text}, no difference to speak of" + (
        f": the curves still moved by ×{found['swing']:.2f}." if found["swing_known"] else ".")


def _variety(results: list[Result], names: Names) -> Iterator[str]:
    if any(not {names.precision, names.recall} <= result.scores.keys() for result in results):
        return
    precise = max(results, key=lambda result: result.scores[names.precision])
    precision, recall = precise.scores[names.precision], precise.scores[names.recall]
    if recall < precision / 4:
        varied = max(results, key=lambda result: result.scores[names.recall])
        yield (f"**{precise.name}** has the highest precision ({percent(precision)}), but makes little else: its "
               f"recall is {percent(recall)}, that of {varied.name} {percent(varied.scores[names.recall])}.")


def probe(results: list[Result], images: int) -> Iterator[str]:
    """Whose D's features tell more about the classes than before its training, on so many test images."""
    pairs = [(result, (result.scores["probe_accuracy_test"], result.scores["probe_accuracy_test_of_untrained_D"]))
             for result in results if "probe_accuracy_test_of_untrained_D" in result.scores]
    if not pairs:
        return
    error = max(probe_error(values, images) for _, values in pairs)
    better = [result.name for result, (trained, untrained) in pairs if trained - untrained > error]
    worse = [result.name for result, (trained, untrained) in pairs if untrained - trained > error]
    text = (f"The features of D tell more about the classes than those of the same D before training in "
            f"{', '.join(better)} only" if better and len(better) < len(pairs) else
            "In every run the features of D tell more about the classes than before its training" if better else
            "No D's features tell more about the classes than before its training")
    text += f" (a probe's accuracy, beyond ±{100 * error:.2f} points of sampling error)"
    yield text + (f"; those of {', '.join(worse)} tell less." if worse else ".")


def _copies(results: list[Result]) -> Iterator[str]:
    key = next((key for key in results[0].scores if key.startswith("near_copies_") and not key.endswith("_std")), "")
    if key and all(key in result.scores for result in results):
        most = max(results, key=lambda result: result.scores[key])
        share = most.scores[key]
        if share > 0.01:
            yield (f"**{most.name}** may copy: {percent(share)} of its samples are as near to a training image as the "
                   "nearest 1 % of real test images.")
        else:
            yield ("Nothing says that training images were copied: "
                   f"{'at most ' + percent(share) if share else 'none'} of the samples are as near to one as the "
                   "nearest 1 % of real test images.")

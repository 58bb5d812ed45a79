"""Feature-map ablation ("window dropout"): Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.1."""
from collections.abc import Callable
from functools import partial
from statistics import mean

import numpy as np

from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.latent import ablation, objects
from pipeline.latent.ablation import Ablation, Effect, Evidence, Masks
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row
from pipeline.scores.reference_model import Reference

INK = 127  # grey level above which is ink
SHOWN, DRAWS = 12, 2  # samples, and draws of random maps, of the picture
TO_SEE = ("Without its feature maps the object should be gone or replaced, and the rest of each image should stay. "
          "Dropping as many random maps should change the object less, or the rest more.")
MEASURED = ("fid: distance of new samples from the training images, with all maps and without some; _random is the "
            "mean over draws of as many random maps. evidence_accuracy: share of positions, half of them inside the "
            "object, "
            "that the regression classifies correctly.")
SHARES = ("object_share: share of new samples that contain the object. change: mean change of pixels, 0..1, inside the "
          "object and outside it, in the other ink of the same samples.")
Boxes = list[list[int]]


def look(subject: Subject) -> Findings:
    """Samples with all maps, without those that tell of the object, and without random ones."""
    params, network, G = subject.params, subject.trained.network, subject.trained.G
    find, rest, boxes = _seekers(subject)
    place = ablation.layer(G, params.layer)
    z, fresh = sampling.prior(network, 2 * params.ablation_images, subject.random()).chunk(2)
    images = sampling.sample(G, network, z, subject.device)
    masks = objects.boxes(boxes, len(z), *images.shape[2:]) if boxes else find(images)
    rng = np.random.default_rng(params.seed)
    evidence = ablation.fit(ablation.activations(G, network, z, place, subject.device), masks, ~masks, params.C, rng)
    found = ablation.measure(G, network, fresh, place, evidence.maps, find, rest, params.draws, rng, subject.device)
    pictures = [_picture(found, evidence, find(found.images), params.object)]
    numbers = _distances(found, subject.reference) | {
        "maps_dropped": len(evidence.maps), "maps": len(evidence.weights), "evidence_accuracy": evidence.accuracy}
    if boxes:
        return Findings(TO_SEE, [*pictures, _boxed(images, masks)], numbers, MEASURED,
                        "Boxes were drawn by eye, so nothing finds the object in samples without its maps.")
    return Findings(TO_SEE, pictures, numbers | _shares(found), f"{MEASURED} {SHARES}")


def _seekers(subject: Subject) -> tuple[Masks, Masks, Boxes]:
    """What finds the object in images, and what should stay of these; or, for boxes, nothing, everything, the boxes."""
    params, (channels, height, width) = subject.params, subject.dataset.shape
    if params.object == "boxes":
        if not params.boxes:
            raise InputError("internals.object is boxes, and internals.boxes lists none; expected [sample, left, top, "
                             "right, bottom] for each object that one sees")
        return (lambda images: np.zeros((len(images), height, width), bool),
                lambda images: np.ones((len(images), height, width), bool), params.boxes)
    if channels != 1:
        raise InputError(f"{params.object} are found only in bright ink on a dark ground, in images of one channel; "
                         "for "
                         "others set internals.object to boxes, and list them in internals.boxes")
    ink = partial(objects.ink, threshold=INK)
    if params.object == "loops":
        return partial(objects.loops, threshold=INK, smallest=height * width // 200, rim=height // 7), ink, []
    return partial(objects.strokes, threshold=INK, length=width // 3, thickness=height // 7, rim=1), ink, []


def _distances(found: Ablation, reference: Reference) -> dict[str, float]:
    name = reference.name(len(found.images))
    return {f"{name}_with_all_maps": reference.fid(found.images),
            f"{name}_without": reference.fid(found.dropped.images),
            f"{name}_without_random": mean(reference.fid(one.images) for one in found.random)}


def _shares(found: Ablation) -> dict[str, float]:
    def average(of: Callable[[Effect], float]) -> float:
        return mean(of(one) for one in found.random)

    return {"object_share": found.share, "object_share_without": found.dropped.share,
            "object_share_without_random": average(lambda one: one.share),
            "change_inside": found.dropped.inside, "change_inside_random": average(lambda one: one.inside),
            "change_outside": found.dropped.outside, "change_outside_random": average(lambda one: one.outside)}


def _picture(found: Ablation, evidence: Evidence, masks: np.ndarray, name: str) -> Drawing:
    having = np.flatnonzero(masks.any((1, 2)))
    some = (having if len(having) else np.arange(len(found.images)))[:SHOWN]
    count = len(evidence.maps)
    rows = [Row("all maps", [found.images[some]]), Row(f"without {count}", [found.dropped.images[some]])]
    rows += [Row(f"without {count}\nrandom ones", [one.images[some]]) for one in found.random[:DRAWS]]
    return Drawing("ablation.png", "Samples, and below them the same ones without some feature maps",
                   f"New samples{f' that have {name}' if len(having) else ''}: with all {len(evidence.weights)} maps "
                   f"of a layer, without the {count} that tell of the object, and without as many random ones, drawn "
                   "anew for each row.",
                   sheets.png(sheets.sheet(rows)))


def _boxed(images: np.ndarray, masks: np.ndarray) -> Drawing:
    some = np.flatnonzero(masks.any((1, 2)))[:SHOWN]
    dimmed = np.where(masks[some, None], images[some], images[some] // 3)
    return Drawing("boxes.png", "Samples, and below them what is in the boxes",
                   "The samples in which the object was boxed, and the boxes alone.",
                   sheets.png(sheets.sheet([Row("samples", [images[some]]), Row("boxes", [dimmed])])))


PART = Investigation("ablation", "Feature-map ablation: drawing without an object", "6.3.1", look)

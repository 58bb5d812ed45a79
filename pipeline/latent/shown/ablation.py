"""Feature-map ablation ("window dropout"): Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.1."""
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import mean

import numpy as np

from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.latent import ablation, objects
from pipeline.latent.ablation import Comparison, Effect, Evidence, Masks
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row

SHOWN, DRAWS = 12, 2  # samples, and draws of random maps, of the picture; distances are of these draws too
MEASURED_ON, MOST = 200, 500  # samples with the object, and in all, that a hundred sets of maps are dropped from
UNUSUAL = 0.95  # quantile of the random draws' ratios
TO_SEE = ("Without its feature maps the object should be gone or replaced, and the rest of each image should stay. "
          "Dropping as many random maps should change the object less, or the rest more.")
MEASURED = ("fid: distance of new samples from the training images, with all maps and without some; _random is the "
            "mean over the draws of random maps in the picture. evidence_accuracy: share of positions, half of them "
            "inside the object, that the regression classifies correctly.")
REAL = 2000  # training images that choose a colour
Boxes = list[list[int]]


@dataclass(frozen=True)
class Sought:
    """The object by its `name`, what finds it in images, and the `rest` of them that should stay.

    In words: `others` are the positions outside it that it is told from, and how the object is `found`. For objects in
    `boxes`, which were drawn by hand, nothing is found, and everything should stay.
    """
    name: str
    find: Masks
    rest: Masks
    others: str = ""
    found: str = ""
    boxes: Boxes = field(default_factory=list)


def look(subject: Subject) -> Findings:
    """Samples with all maps, without those that tell of the object, and without random ones."""
    params, network, G = subject.params, subject.trained.network, subject.trained.G
    asked = sought(subject)
    find, rest, boxes = asked.find, asked.rest, asked.boxes
    place = ablation.layer(G, params.layer)
    z, fresh = sampling.prior(network, 2 * params.ablation_images, subject.random()).chunk(2)
    images = sampling.sample(G, network, z, subject.device)
    masks = objects.boxes(boxes, len(z), *images.shape[2:]) if boxes else find(images)
    rng = np.random.default_rng(params.seed)
    evidence = ablation.fit(ablation.activations(G, network, z, place, subject.device),
                            *objects.parted(masks, rest(images)), params.C, rng)
    random = ablation.random_maps(evidence, params.draws, rng)
    draw = ablation.drawer(G, network, fresh, place, subject.device)
    made = [draw(maps) for maps in (np.array([], int), evidence.maps, *random[:DRAWS])]
    found = find(made[0])
    pictures = [_picture(made, evidence, found, asked.name)]
    numbers = _distances(subject, made) | {
        "maps_dropped": len(evidence.maps), "maps": len(evidence.weights), "evidence_accuracy": evidence.accuracy}
    if boxes:
        return Findings(TO_SEE, [*pictures, _boxed(images, masks)], numbers, MEASURED,
                        "Boxes were drawn by eye, so nothing finds the object in samples without its maps.")
    few = fresh[:objects.enough(found[:MOST], MEASURED_ON)]
    compared = ablation.compare(ablation.drawer(G, network, few, place, subject.device), evidence.maps, random, find,
                                rest)
    return Findings(TO_SEE, pictures, numbers | _effects(compared),
                    MEASURED + f" The positions outside the object are {asked.others}."
                    + _explained(asked, len(random), len(few)))


def sought(subject: Subject) -> Sought:
    """The object of `internals.object`; in colour, patches of the hue that the training images have most often."""
    params, (channels, height, width) = subject.params, subject.dataset.shape

    def everything(images: np.ndarray) -> np.ndarray:
        return np.ones((len(images), height, width), bool)

    if params.object == "boxes":
        if not params.boxes:
            raise InputError("internals.object is boxes, and internals.boxes lists none; expected [sample, left, top, "
                             "right, bottom] for each object that one sees")
        return Sought("objects in boxes", lambda images: ~everything(images), everything, boxes=params.boxes)
    if channels == 3:
        smallest = height * width // 50
        hue = objects.commonest(subject.dataset.train_images[:REAL], smallest)
        return Sought(f"{hue} patches", partial(objects.patches, hue=hue, smallest=smallest), everything,
                      "anywhere else in the same samples",
                      f"it is {hue} pixels, {smallest} of them or more that touch one another. Of all colours this one "
                      "has patches that leave half of an image or more in the most training images")
    find: Masks = (partial(objects.loops, smallest=height * width // 200, rim=height // 7) if params.object == "loops"
                   else partial(objects.strokes, length=width // 3, thickness=height // 7, rim=1))
    return Sought(params.object, find, objects.ink, "in other ink of the same samples",
                  "ink is what is brighter than half of its image's brightest pixel")


def _distances(subject: Subject, made: list[np.ndarray]) -> dict[str, float]:
    reference = subject.reference
    name = reference.name(len(made[0]))
    complete, without, *random = map(reference.fid, made)
    return {f"{name}_with_all_maps": complete, f"{name}_without": without, f"{name}_without_random": mean(random)}


def _effects(compared: Comparison) -> dict[str, float]:
    def average(of: Callable[[Effect], float]) -> float:
        return mean(of(one) for one in compared.random)

    dropped, ratios = compared.dropped, compared.ratios
    return {"object_share": compared.share, "object_share_without": dropped.share,
            "object_share_without_random": average(lambda one: one.share),
            "change_inside": dropped.inside, "change_inside_random": average(lambda one: one.inside),
            "change_outside": dropped.outside, "change_outside_random": average(lambda one: one.outside),
            "change_ratio": dropped.ratio, "change_ratio_random": float(ratios.mean()),
            "change_ratio_random_95": float(np.quantile(ratios, UNUSUAL)), "change_ratio_p": compared.p}


def _explained(asked: Sought, draws: int, count: int) -> str:
    """What the numbers of a comparison with so many random `draws` mean, made on so many samples."""
    return (f" object_share: share of {count} new samples that contain the object; {asked.found}. change: mean change "
            f"of pixels, 0..1, inside the object and outside it, {asked.others}, if they have both. change_ratio: the "
            "change inside over the change outside, one grey level added to each; 1 is an effect on both alike. Each "
            f"_random is the mean over {draws} draws of as many random maps, _95 their {UNUSUAL:.0%} quantile, and "
            "change_ratio_p the share of these draws whose ratio is at least as large, the object's maps counted among "
            "them: a small one means that random maps rarely do the same.")


def _picture(made: list[np.ndarray], evidence: Evidence, masks: np.ndarray, name: str) -> Drawing:
    having = np.flatnonzero(objects.having(masks))
    some = (having if len(having) else np.arange(len(masks)))[:SHOWN]
    count = len(evidence.maps)
    labels = ["all maps", f"without {count}", *[f"without {count}\nrandom ones"] * (len(made) - 2)]
    rows = [Row(label, [images[some]]) for label, images in zip(labels, made)]
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

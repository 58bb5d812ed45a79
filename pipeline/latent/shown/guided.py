"""What D's features respond to: Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.2 and fig. 5."""
import numpy as np
import torch
from PIL import Image
from scipy import stats

from pipeline.gan.build import Stack, build
from pipeline.latent import filters, guided
from pipeline.latent.guided import Guided
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row
from pipeline.scores import probe

COLUMNS = 16  # of the sheet of all filters
BLIND = 2000  # draws of images that no feature has chosen


def look(subject: Subject) -> Findings:
    """Images of maximal response and their guided gradients, of D and of an untrained one; the first layer's filters.

    A conditional D is conditioned on no class: its features would respond to that first.
    """
    trained, params = subject.trained, subject.params
    images = subject.dataset.train_images[:params.images]
    _, untrained = build(trained.network, trained.facts["leak"], torch.Generator().manual_seed(trained.facts["seed"]))
    found = [_guided(subject, D, images) for D in (trained.D, untrained.to(subject.device.device))]
    with probe.settled(trained.D, trained.network, subject.dataset.train_images, subject.device):
        first = filters.top(trained.D, trained.network, images, None, 0, params.top, subject.device)
    among = f"among {len(images):,} training images"
    return Findings(
        "A feature that learned something responds to like parts of like images, and its gradients trace them. What "
        "the untrained D shows as well, the data and the layers alone explain.",
        [Drawing("guided.png", "Training images above what in them a feature of D responds to",
                 f"The first {params.features} features of D's last convolution: the {params.top} images of the "
                 f"largest response {among}, and below each what in it the response comes from, by guided "
                 "backpropagation "
                 "(grey is nothing; each on its own scale). Right, the same of D before its training.",
                 sheets.png(_sheet(images, found))),
         Drawing("filters.png", "Filters of D's first convolution, and training images",
                 f"The first {params.features} filters of D's first convolution (grey is a weight of 0), and the "
                 f"{params.top} images {among} that they respond to most.",
                 sheets.png(_tops(subject, images, first.indices))),
         Drawing("first_layer.png", "All filters of D's first convolution",
                 "All filters of D's first convolution, on one scale: grey is a weight of 0.",
                 sheets.png(_all(subject)))], *_purities(subject, found))


def _guided(subject: Subject, D: Stack, images: np.ndarray) -> Guided:
    network, params = subject.trained.network, subject.params
    with probe.settled(D, network, subject.dataset.train_images, subject.device):
        return guided.guided(D, network, images, None, params.features, params.top, subject.device)


def _purities(subject: Subject, found: list[Guided]) -> tuple[dict[str, float], str | None]:
    """How far the images that features respond to are of one class, and what that is."""
    params = subject.params
    labels = subject.dataset.train_labels[:params.images]
    if subject.dataset.classes < 2:
        return {}, None
    blind = np.random.default_rng(params.seed).integers(len(labels), size=(BLIND, params.top))
    trained, untrained, random = (purities(labels[indices])
                                  for indices in (found[0].indices, found[1].indices, blind))
    numbers = {"class_purity": trained.mean(), "class_purity_of_untrained_D": untrained.mean(),
               "class_purity_of_random_images": random.mean(), "class_purity_p": purer(trained, untrained)}
    return {name: float(value) for name, value in numbers.items()}, (
        f"class_purity: of the {params.top} images that a feature of the last convolution responds to most, the share "
        f"of the most frequent class, on average over all {len(trained)} features; the same of an untrained D, and of "
        "as many random images. class_purity_p: of a one-sided Wilcoxon signed-rank test that features tend to be "
        "purer than they were before the training. It takes the features of one D for independent, and is about this "
        "training alone.")


def purities(labels: np.ndarray) -> np.ndarray:
    """float64 (n,): the share of the most frequent label in each row of labels (n, k), from 1 / k to 1."""
    return np.array([np.bincount(row).max() / len(row) for row in labels])


def purer(trained: np.ndarray, untrained: np.ndarray) -> float:
    """The one-sided p-value of the signed-rank test that purities (n,) are higher than those paired with them (n,)."""
    gained = np.round(trained - untrained, 9)  # so that 2/3 - 1/3 and 1 - 2/3 are ties
    return float(stats.wilcoxon(gained, alternative="greater").pvalue) if gained.any() else 1.0


def _sheet(images: np.ndarray, found: list[Guided]) -> Image.Image:
    gradients = [sheets.grey(guided.pictures(one.gradients)) for one in found]
    rows = []
    for feature in range(len(gradients[0])):
        rows += [Row(f"feature {feature + 1}", [images[one.indices[feature]] for one in found], apart=feature > 0),
                 Row("", [one[feature] for one in gradients])]
    return sheets.sheet(rows, ["trained D", "untrained D"])


def _tops(subject: Subject, images: np.ndarray, indices: np.ndarray) -> Image.Image:
    kernels = sheets.grey(filters.first(subject.trained.D, subject.trained.network))
    return sheets.sheet([Row(f"filter {number + 1}", [kernels[number:number + 1], images[indices[number]]])
                         for number in range(min(subject.params.features, len(indices)))],
                        ["weights", "images of the largest response"])


def _all(subject: Subject) -> Image.Image:
    kernels = sheets.grey(filters.first(subject.trained.D, subject.trained.network))
    return sheets.sheet([Row("", [kernels[begin:begin + COLUMNS]]) for begin in range(0, len(kernels), COLUMNS)])


PART = Investigation("guided", "What D's features respond to", "6.2", look)

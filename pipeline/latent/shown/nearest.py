"""Training images next to samples: what Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6, did without."""
from pipeline.gan import sampling
from pipeline.latent import nearest
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row
from pipeline.scores import extractors

NETWORKS = {"classifier": "the data set's classifier", "rotation": "a network that predicts rotations"}


def look(subject: Subject) -> Findings:
    """Samples, each with the training images next to it, in pixels and in features, side by side."""
    params, network, train = subject.params, subject.trained.network, subject.dataset.train_images
    z = sampling.prior(network, params.neighbour_samples, subject.random())
    images = sampling.sample(subject.trained.G, network, z, subject.device)
    real = extractors.reference_features(subject.reference, train, subject.dataset.digest, subject.kept)
    found = nearest.nearest(images, train, subject.reference, real.features, params.neighbours)
    rows = [Row("", [images[at:at + 1], train[found.pixels.indices[at]], train[found.features.indices[at]]])
            for at in range(len(images))]
    return Findings(
        "A sample that equals a training image is a copy. Small shifts fool the distance in pixels, and features hold "
        "only what their classifier needs.",
        [Drawing("neighbours.png", "Samples beside the training images that are most like them",
                 f"Samples, and the {params.neighbours} nearest of all {len(train):,} training images, the nearest "
                 f"first: in pixels, and in features of {NETWORKS[subject.reference.extractor]}.",
                 sheets.png(sheets.sheet(rows, ["sample", "nearest in pixels", "nearest in features"])))], {})


PART = Investigation("neighbours", "Nearest training images", "6", look)

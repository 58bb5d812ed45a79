"""Training images next to samples: what Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6, did without."""
from pipeline.gan import sampling
from pipeline.latent import nearest
from pipeline.parts import sheets
from pipeline.parts.part import Found, Part, Picture, Subject
from pipeline.parts.sheets import Row
from pipeline.scores import extractors

NETWORKS = {"classifier": "the data set's classifier", "turns": "a network that tells how images were turned"}


def look(subject: Subject) -> Found:
    """Samples, each with the training images next to it, in pixels and in features, side by side."""
    asked, network, train = subject.asked, subject.trained.network, subject.dataset.train_images
    z = sampling.prior(network, asked.neighbour_samples, subject.random())
    images = sampling.sample(subject.trained.G, network, z, subject.device)
    real = extractors.real(subject.judge, train, subject.dataset.digest, extractors.KEPT)
    found = nearest.nearest(images, train, subject.judge, real.features, asked.neighbours)
    rows = [Row("", [images[at:at + 1], train[found.pixels.indices[at]], train[found.features.indices[at]]])
            for at in range(len(images))]
    return Found(
        "A sample that equals a training image is a copy; alike, but not the same, is what is wanted. Small shifts "
        "fool the distance of pixels, and features hold only what their classifier needs.",
        [Picture("neighbours.png", "Samples beside the training images that are most like them",
                 f"Samples, and the {asked.neighbours} nearest of all {len(train):,} training images, the nearest "
                 f"first: in pixels, and in features of {NETWORKS[subject.judge.extractor]}.",
                 sheets.png(sheets.sheet(rows, ["sample", "nearest in pixels", "nearest in features"])))], {})


PART = Part("neighbours", "Nearest training images", "6", look)

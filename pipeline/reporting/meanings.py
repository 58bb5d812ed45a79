"""What every score means, which direction is good, and what it may be compared with: the report's words."""
from dataclasses import dataclass
from typing import Literal

from pipeline.scores import frechet


@dataclass(frozen=True)
class Meaning:
    """One score of samples: `score` and `extractor` are parts of its name; `good` is the direction, or a number."""
    score: str
    extractor: str
    good: Literal["↓", "↑", "→ 1", "→ 1 %"]
    percent: bool
    text: str

    def name(self, samples: int) -> str:
        """What the score of so many samples is called."""
        if self.score == "fid_infinity":
            return f"fid_{self.extractor}_infinity"
        return frechet.name(samples, self.extractor, self.score)


FID = ("Fréchet distance between samples and training images, their features taken for Gaussians (Heusel et al. 2017). "
       "It sees both bad and missing pictures, and grows with fewer samples: compare equal counts only. ")
SAMPLES = (
    Meaning("fid", "classifier", "↓", False, FID + "The features are those of a classifier of this very data set. It "
            "is no Inception FID: no published number may be set beside it, nor one of another data set."),
    Meaning("fid", "inception", "↓", False, FID + "The features are Inception-v3's, in the weights and the resizing "
            "that scores.json names. Published numbers may be set beside it when they have the same resizing, count "
            "of samples and real images; many have 50,000."),
    Meaning("fid_infinity", "classifier", "↓", False, "The classifier's distance, extrapolated to infinitely many "
            "samples (Chong & Forsyth 2020): free of the bias of their count, not of that of the training images'. May "
            "be below 0."),
    Meaning("fid_infinity", "inception", "↓", False, "Inception's FID, extrapolated in the same way."),
    Meaning("kid", "classifier", "↓", False, "Kernel distance (Bińkowski et al. 2018), which has no such bias; about "
            "0 for real images. Its scale depends on that of the features: compare within a data set."),
    Meaning("kid", "inception", "↓", False, "The same with Inception's features, as published; many print it times "
            "1,000."),
    Meaning("precision", "classifier", "↑", True, "Share of samples that lie near a real image, in a ball that reaches "
            "to its k-th neighbour (Kynkäänniemi et al. 2019): how many look real. A generator of one good picture "
            "has a perfect one."),
    Meaning("recall", "classifier", "↑", True, "Share of real images that lie near a sample, in balls around samples: "
            "how much of the data can be made. Samples that are scattered everywhere raise it, because their balls "
            "are large."),
    Meaning("density", "classifier", "↑", False, "In how many real images' balls a sample lies, divided by k (Naeem et "
            "al. 2020): as precision, but single outliers among the real images count less. May exceed 1."),
    Meaning("coverage", "classifier", "↑", True, "Share of real images whose ball holds a sample: as recall, but "
            "scattered samples do not raise it. Published numbers of these four are in Inception's or VGG's features, "
            "with k 3 or 5, of other counts of images."),
    Meaning("precision", "inception", "↑", True, "As above, in Inception's features."),
    Meaning("recall", "inception", "↑", True, "As above, in Inception's features."),
    Meaning("density", "inception", "↑", False, "As above, in Inception's features."),
    Meaning("coverage", "inception", "↑", True, "As above, in Inception's features."),
    Meaning("score", "classifier", "↑", False, "What the Inception score is (Salimans et al. 2016) with this data "
            "set's classifier, from 1 to the number of classes: each sample of a sure class, all classes alike. It "
            "never looks at a real image. Not comparable with an Inception score."),
    Meaning("score", "inception", "↑", False, "The Inception score over all samples at once, not over ten parts."),
    Meaning("missing_classes", "classifier", "↓", False, "How many of the classes the classifier never sees among the "
            "samples."),
    Meaning("class_divergence", "classifier", "↓", False, "Kullback-Leibler divergence of the samples' classes from "
            "the training labels', in nats: 0 for the same shares."),
    Meaning("memorisation", "pixels", "→ 1", False, "Median distance of a sample to its nearest training image, in "
            "pixels, divided by that of real test images. Far below 1 are copies, and blurred samples, which are "
            "near to everything: look at the closest pairs. Well above 1 the samples are unlike any image."),
    Meaning("near_copies", "pixels", "→ 1 %", True, "Share of samples nearer to a training image than all but the "
            "nearest 1 % of real test images: 1 % is what real images have, more needs a look at the closest pairs."),
)

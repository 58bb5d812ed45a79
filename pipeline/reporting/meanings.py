"""What every score means, which direction is good, and what it may be compared with: the report's words."""
from dataclasses import dataclass
from typing import Literal

from pipeline.scores import frechet


@dataclass(frozen=True)
class Meaning:
    """One score of samples: `score`, `extractor`, `kind` are parts of its name; `good` is a direction or a number."""
    score: str
    extractor: Literal["classifier", "inception", "pixels"]
    good: Literal["↓", "↑", "→ 1", "→ 1 %"]
    percent: bool
    text: str
    kind: str = ""

    def name(self, samples: int, features: str = "classifier") -> str:
        """What the score of so many samples is called, where the data set's own `features` are the classifier's."""
        extractor = features if self.extractor == "classifier" else self.extractor
        if self.score == "fid_infinity":
            return f"fid_{extractor}_infinity"
        return frechet.name(samples, extractor, self.score) + self.kind


FID = ("Fréchet distance between samples and training images, their features taken for Gaussians (Heusel et al. 2017). "
       "It sees both bad and missing pictures, and grows with fewer samples: compare equal counts only. ")
SAMPLES = (
    Meaning("fid", "classifier", "↓", True, "The distance `fid_classifier`, divided by the trace of the covariance of "
            "the training images' features. That is the distance of a generator that always makes the same image, of "
            "mean features: 100 %. 0 % are the training images themselves; worse than 100 % is possible. Compare "
            "within a data set and its classifier; beside it belongs what real test images have.", "_relative"),
    Meaning("fid", "classifier", "↓", False, "The distance as a multiple of that of as many real test images, which no "
            "generator can be expected to beat: 1 is as near as they are. Where there are fewer test images than "
            "samples, both sides have the count of the test images. Compare within a data set.", "_floors"),
    Meaning("fid", "classifier", "↓", False, FID + "The features are those of a classifier of this very data set; of "
            "images without labels, of a network that predicts rotations. It is no Inception FID: no published number "
            "may be set beside it, nor one of another data set."),
    Meaning("fid", "classifier", "↓", False, "The same distance by a second classifier, which differs from the first "
            "only in its seed. Its scale is its own: compare the order of the runs, not the two numbers.",
            "_by_classifier2"),
    Meaning("fid", "inception", "↓", False, FID + "The features are Inception-v3's, in the weights and the resizing "
            "that scores.json names. Published numbers may be set beside it when they have the same resizing, count "
            "of samples and real images; many have 50,000."),
    Meaning("fid_infinity", "classifier", "↓", False, "The classifier's distance, extrapolated to infinitely many "
            "samples (Chong & Forsyth 2020): free of the bias of their count, not of that of the training images'. May "
            "be below 0."),
    Meaning("fid_infinity", "inception", "↓", False, "Inception's FID, extrapolated in the same way."),
    Meaning("kid1000", "classifier", "↓", False, "Kernel distance (Bińkowski et al. 2018), the mean over random "
            "subsets of 1,000. It has no bias by the count of samples; about 0 for real images. Its scale depends on "
            "that of the features: compare within a data set."),
    Meaning("kid1000", "inception", "↓", False, "The same with Inception's features. Published numbers may be set "
            "beside it when their subsets have 1,000 images too; many print it times 1,000."),
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
    Meaning("missing_classes", "classifier", "↓", False, "How many classes are missing. A sample counts for a class "
            "when the classifier is confident of it, by at least 90 % unless `evaluate.confidence` says otherwise. A "
            "class is missing when its share of such samples is less than a tenth of its share of the training images. "
            "The classifier's own errors count too: compare within a data set."),
    Meaning("class_divergence", "classifier", "↓", False, "Kullback-Leibler divergence of the samples' classes from "
            "the training labels', in nats: 0 for the same shares."),
    Meaning("memorisation", "pixels", "→ 1", False, "Median distance of a sample to its nearest training image, in "
            "pixels, divided by that of real test images. Far below 1 are copies, and blurred samples, which are "
            "near to everything: look at the closest pairs. Well above 1 the samples are unlike any image."),
    Meaning("near_copies", "pixels", "→ 1 %", True, "Share of samples nearer to a training image than all but the "
            "nearest 1 % of real test images: 1 % is what real images have, more needs a look at the closest pairs."),
    Meaning("checkerboard", "pixels", "→ 1", False, "Energy of patterns with a period of 2 pixels in the samples, "
            "divided by that in real images. Well above 1 are checkerboard artefacts of transposed convolutions (Odena "
            "et al. 2016), or noise; far below 1 the samples are blurred. Compare between data sets with care: "
            "images with little such energy make the ratio large."),
)
PROBE = (
    "Accuracy on test images of a linear L2-SVM on the max-pooled outputs of D's convolutions (the DCGAN paper, sec. "
    "5.1), fitted on that many labelled training images, of which the last {validation:.0f} % chose C. It is worth "
    "what it has beyond its controls: D as it was before training, raw pixels, and a CNN of D's layers trained on the "
    "same labels, with its learning rate and length chosen by the same validation images. The paper's 82.8 % on "
    "CIFAR-10 are of a D of 28,672 features that was trained on ImageNet.")
FEW = ("The same for {labels} labels of each class (sec. 5.2). The paper's error of 22.48 % on SVHN is comparable with "
       "a study on SVHN, and with no other data set.")
RECOGNITION = (
    "Shares of the training images and of the test images that D calls real: neither high nor low is better. A D that "
    "knows its training images by heart calls them real more often than test images; equal shares are what a D has "
    "that learned what such images have in common. Compare the two shares of one run; D's with other losses have other "
    "thresholds.")

"""Stage evaluate: the scores of a trained model. Nothing is ever chosen by the test images it uses."""
import copy
from pathlib import Path

import torch

from pipeline import files, params, stage, store, tracking
from pipeline.data import images, pixels
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, sampling
from pipeline.gan.build import build
from pipeline.gan.checkpoint import Model
from pipeline.gan.devices import Device
from pipeline.scores import probe
from pipeline.scores import reference as references
from pipeline.sections import Evaluate
from pipeline.store import Description


def evaluate(name: str, data: Path, reference: Path, model: Path, report: Path) -> None:
    """Scores the model in MODEL, of the run or recipe NAME, against DATA and REFERENCE.

    Metrics and samples go to REPORT.
    """
    section, label = params.study(name)
    dataset = images.load(data)
    real = references.load(reference, dataset.digest)
    trained = checkpoint.load_model(model)
    if trained.facts["data"] != dataset.digest:
        raise InputError(f"{model}: trained on other data than {data}; run `dvc repro`")
    device = devices.choose(section.hardware)
    scoring = section.evaluate

    network, G = trained.network, trained.G.to(device.device)
    trained.D.to(device.device)
    z = sampling.prior(network, scoring.fid_images, torch.Generator().manual_seed(scoring.seed))
    with sampling.evaluating(G, network, section.sampling, device):
        fakes = sampling.sample(G, network, z, device)
        scored = sampling.by_rows(copy.deepcopy(G).cpu(), network)
    scores = {real.name(scoring.fid_images): real.fid(fakes)}
    used = min(scoring.probe_images, len(dataset.train_images))
    if dataset.classes > 1:
        scores |= probes(trained, dataset, used, scoring, device)
    protocol = {"batch_norm": section.sampling.batch_norm, "probe_images": used, "seed": scoring.seed,
                "images_seen": trained.facts["images_seen"]}
    grid = pixels.grid(fakes[:100], 10)
    with files.replacing(report) as temporary:
        stage.write_scores(temporary / "metrics.json", scores | protocol)
        files.write(temporary / "samples.png", pixels.png(grid))

    tags = {"model": trained.digest, "data": dataset.digest}
    description = Description(label, trained.facts["run"], dataset.meta, tags, same="model",
                              experiment=store.experiment(name.rpartition("/")[0]))
    with tracking.run(description) as tracker:
        tracker.image("final samples", grid, trained.facts["images_seen"])
        tracker.model(scored, sampling.example(network), scores, trained.facts["images_seen"])
    print(f"{label}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))


def probes(trained: Model, dataset: Dataset, used: int, scoring: Evaluate, device: Device) -> dict[str, float]:
    """The linear probe on D's features, fitted on the first `used` training images, and on those of an untrained D."""
    network = trained.network
    _, untrained = build(network, trained.facts["leak"], torch.Generator().manual_seed(trained.facts["seed"]))
    found = []
    for net in (trained.D, untrained.to(device.device)):
        train, test = probe.features(net, network, (dataset.train_images[:used], dataset.test_images), device)
        found.append(probe.score(train, dataset.train_labels[:used], test, dataset.test_labels, dataset.classes,
                                 scoring.probe_validation, scoring.probe_C))
    return {"probe_accuracy_test": found[0]["accuracy_test"],
            "probe_accuracy_test_of_untrained_D": found[1]["accuracy_test"],
            "probe_C": found[0]["C"], "probe_C_of_untrained_D": found[1]["C"]}


if __name__ == "__main__":
    stage.main(evaluate)

"""Stage evaluate: the scores of a trained model. Nothing is ever chosen by the test images it uses."""
import copy
from pathlib import Path

import torch

from pipeline import files, params, stage, tracking
from pipeline.data import images, pixels
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, sampling
from pipeline.gan.networks import build
from pipeline.scores import frechet, probe
from pipeline.scores import reference as references
from pipeline.store import Description


def evaluate(name: str, data: Path, reference: Path, model: Path, report: Path) -> None:
    """Scores the model in MODEL, of the run NAME, against DATA and REFERENCE; metrics and samples go to REPORT."""
    section = params.load()
    dataset = images.load(data)
    real = references.load(reference, dataset.digest)
    trained = checkpoint.load_model(model)
    if trained.facts["data"] != dataset.digest:
        raise InputError(f"{model}: trained on other data than {data}; run `dvc repro`")
    device = devices.choose(section.hardware)
    scoring = section.evaluate

    G, D = trained.G.to(device.device), trained.D.to(device.device)
    z = torch.randn(scoring.fid_images, trained.network.z_dim, generator=torch.Generator().manual_seed(scoring.seed))
    with sampling.evaluating(G, trained.network.z_dim, section.sampling, device):
        fakes = sampling.sample(G, z, device)
        scored = copy.deepcopy(G).cpu()
    _, untrained = build(trained.network, trained.facts["leak"], torch.Generator().manual_seed(trained.facts["seed"]))
    used = min(scoring.probe_images, len(dataset.train_images))
    probes = {}
    for key, net in (("", D), ("_untrained", untrained.to(device.device).eval())):
        probes[key] = probe.score(probe.features(net, dataset.train_images[:used], device),
                                  dataset.train_labels[:used],
                                  probe.features(net, dataset.test_images, device), dataset.test_labels,
                                  dataset.classes, scoring.probe_validation, scoring.probe_C)
    scores = {
        frechet.name(scoring.fid_images): real.fid(fakes),
        "probe_accuracy_test": probes[""]["accuracy_test"],
        "probe_accuracy_test_of_untrained_D": probes["_untrained"]["accuracy_test"],
        "probe_C": probes[""]["C"],
        "probe_C_of_untrained_D": probes["_untrained"]["C"],
    }
    protocol = {"batch_norm": section.sampling.batch_norm, "probe_images": used, "seed": scoring.seed,
                "images_seen": trained.facts["images_seen"]}
    grid = pixels.grid(fakes[:100], 10)
    with files.replacing(report) as temporary:
        stage.write_scores(temporary / "metrics.json", scores | protocol)
        files.write(temporary / "samples.png", pixels.png(grid))

    tags = {"model": trained.digest, "data": dataset.digest}
    description = Description(name, trained.facts["run"], dataset.meta, tags, same="model")
    with tracking.run(description) as tracker:
        tracker.image("final samples", grid, trained.facts["images_seen"])
        tracker.model(scored, trained.network.z_dim, scores, trained.facts["images_seen"])
    print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))


if __name__ == "__main__":
    stage.main(evaluate)

"""Stage transfer: what a discriminator that was trained on one data set sees in another.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 5.1: trained on ImageNet, probed on CIFAR-10, 82.8 %.
"""
from pathlib import Path

from pipeline import params, stage, store, tracking
from pipeline.data import images
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices
from pipeline.scores import discriminator
from pipeline.store import Description


def transfer(name: str, data: Path, model: Path, report: Path) -> None:
    """Probes the discriminator in MODEL on DATA, as the transfer NAME has it; metrics go to REPORT."""
    book, wanted = params.transfer(name)
    dataset = images.load(data)
    trained = checkpoint.load_model(model)
    network, facts = trained.network, trained.facts
    if dataset.classes < 2:
        raise InputError(f"{data}: has one class only; a probe needs two")
    if dataset.shape != network.image:
        raise InputError(f"{params.place(name, 'transfers')}: {wanted.recipe} sees images of {network.image}, "
                         f"{wanted.data} has {dataset.shape} (channels, height, width)")
    device = devices.choose(book.hardware)
    scores = discriminator.of(trained.D, network, facts["leak"], facts["seed"], dataset, book.evaluate, device)
    scores |= discriminator.of_pixels(dataset, book.evaluate)
    found = {"trained_on": facts["data"], "probed_on": dataset.digest, "images_seen": facts["images_seen"],
             "probe_images": min(book.evaluate.probe_images or len(dataset.train_images), len(dataset.train_images))}
    stage.write_scores(report / "metrics.json", scores | found)

    folder, _, label = name.rpartition("/")
    tags = {"trained": trained.digest, "data": dataset.digest, "transfer": label}
    description = Description(label, {"recipe": wanted.recipe, "data": wanted.data}, dataset.meta, tags,
                              same="transfer", experiment=store.experiment(folder))
    with tracking.run(description) as tracker:
        tracker.metrics(scores, facts["images_seen"])
    print(f"{label}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))


if __name__ == "__main__":
    stage.main(transfer)

"""Stage transfer: what a discriminator that was trained on other images tells about the study's.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 5.1: trained on ImageNet, probed on CIFAR-10, 82.8 %.
"""
from pathlib import Path

from pipeline import folders, stage
from pipeline.data import images
from pipeline.errors import InputError, suggestion
from pipeline.gan import checkpoint, devices
from pipeline.params import reading
from pipeline.scores import discriminator
from pipeline.tracking import tracker
from pipeline.tracking.store import Description


def transfer(name: str) -> None:
    """Probes the discriminator that transfers.NAME lists on the study's data; scores go to reports/transfer/NAME."""
    study = reading.load()
    if name not in study.transfers:
        raise InputError(f"params.yaml: transfers: no {name!r}{suggestion(name, study.transfers)}; there are "
                         f"{', '.join(study.transfers) or 'none'}")
    source = study.transfers[name].model
    dataset = images.load(folders.data(study.data.name))
    D, network, facts = checkpoint.load_discriminator(Path(source))
    if dataset.classes < 2:
        raise InputError(f"{folders.data(study.data.name)}: has one class only; a probe needs two")
    if dataset.shape != network.image:
        raise InputError(f"params.yaml: transfers.{name}.model = {source}: takes images of {network.image}; the "
                         f"study's have {dataset.shape} (channels, height, width)")
    scores = discriminator.of(D, network, facts["leak"], facts.get("seed", 0), dataset, study.evaluate,
                              devices.choose(study.hardware))
    scores |= discriminator.of_pixels(dataset, study.evaluate)
    made = facts["sha256"]
    length = {key: facts[key] for key in ("images_seen", "trained") if key in facts}  # who published may not say it
    protocol = {"trained_on": facts.get("data", facts.get("trained_on")), "probed_on": dataset.digest,
                "test_images": len(dataset.test_images), "discriminator": made["discriminator.safetensors"]} | length
    stage.write_scores(folders.report("transfer", name) / "scores.json", scores | protocol)

    # MLflow's run of the training has the digest of its generator as a tag too.
    tags = {"trained": made.get("generator.safetensors", made["discriminator.safetensors"]), "data": dataset.digest,
            "transfer": name}
    with tracker.run(Description(name, {"model": source}, dataset.meta, tags, same="transfer")) as tracking:
        tracking.metrics(scores, facts.get("images_seen", 0))
    print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))
    if any(claim.transfer == name for claim in study.claims.values()):
        print("`dcgan claims` rules on what is claimed of it")


if __name__ == "__main__":
    stage.main(transfer)

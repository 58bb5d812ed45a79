"""Stage internals: what the DCGAN paper does with z and inside a trained pair, as pictures and numbers.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.
"""
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline import code, files, folders, progress, stage
from pipeline.data import images
from pipeline.gan import checkpoint, devices, sampling
from pipeline.latent.shown import ablation, arithmetic, guided, nearest, walks
from pipeline.latent.shown.part import Drawing, Subject, entry
from pipeline.params import reading
from pipeline.scores import reference_model
from pipeline.tracking import tracker
from pipeline.tracking.store import Description

PARTS = (walks.PART, arithmetic.PART, guided.PART, ablation.PART, nearest.PART)


def internals(run: str) -> None:
    """Looks inside the networks of RUN and the study's first seed; results go to reports/internals/RUN."""
    study = reading.load()
    reading.run(study, run)
    seed, report = study.seeds[0], folders.report("internals", run)
    dataset = images.load(folders.data(study.data.name))
    reference = reference_model.load(folders.REFERENCE, dataset.digest)
    code.check_made("reference", reference.facts.get("code"), folders.REFERENCE)
    model = checkpoint.load_model(folders.model(run, seed), dataset.digest)
    code.check_made("train", model.facts.get("code"), folders.model(run, seed))
    device = devices.choose(study.hardware)
    model.G.to(device.device)
    model.D.to(device.device)
    subject = Subject(model, dataset, reference, study.internals, device, folders.work("features"))
    with sampling.evaluating(model.G, model.network, model.sampling, device):
        entries = [entry(part, subject) for part in progress.shown(PARTS, f"internals of {run}")]
    parts, pictures = [part for part, _ in entries], [picture for _, drawn in entries for picture in drawn]
    numbers = {key: value for part in parts for key, value in part.get("numbers", {}).items()}
    protocol = {"batch_norm": model.sampling.batch_norm, "seed": study.internals.seed,
                "images_seen": model.facts["images_seen"]}
    write(report, parts, pictures, numbers | protocol)

    description = Description(f"{run} seed {seed}", model.facts["run"], dataset.meta,
                              {"model": model.digest, "data": dataset.digest}, same="model")
    with tracker.run(description) as tracking:
        tracking.metrics(numbers, model.facts["images_seen"])
        for picture in pictures:
            if picture.file.endswith(".png"):
                with Image.open(io.BytesIO(picture.content)) as still:
                    tracking.image(Path(picture.file).stem, still.convert("RGB"), model.facts["images_seen"])
            else:
                tracking.file(report / "pictures" / picture.file)
    print(f"{run}: " + "; ".join(f"{part['name']}: " + ("absent" if "absent" in part else ", ".join(
        [f"{len(part['pictures'])} pictures", *(f"{key} {value:.4g}" for key, value in part["numbers"].items())]))
        for part in parts))


def write(report: Path, parts: list[dict[str, Any]], pictures: list[Drawing], scores: dict[str, Any]) -> None:
    """Fills the folder `report` with scores.json, parts.json and the folder pictures."""
    with files.replacing(report) as temporary:
        stage.write_scores(temporary / "scores.json", scores)
        files.write(temporary / "parts.json", (json.dumps(parts, indent=2, ensure_ascii=False) + "\n").encode())
        (temporary / "pictures").mkdir()
        for picture in pictures:
            files.write(temporary / "pictures" / picture.file, picture.content)


if __name__ == "__main__":
    stage.main(internals)

"""Stage internals: what the DCGAN paper does with z and inside the networks of a finished run, in pictures and numbers.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.
"""
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline import files, params, stage, store, tracking
from pipeline.data import images
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, sampling
from pipeline.parts import neighbours, oblivion, responses, story, sums, walk
from pipeline.parts.part import Picture, Subject, entry
from pipeline.scores import reference as references
from pipeline.store import Description

PARTS = (walk.PART, sums.PART, responses.PART, oblivion.PART, neighbours.PART, story.PART)


def internals(name: str, data: Path, reference: Path, model: Path, trained: Path, report: Path) -> None:
    """Looks inside the model in MODEL, of the run or recipe NAME, with DATA, REFERENCE and what its training reported.

    That is in the folder TRAINED. Pictures, numbers and what there is to see go to REPORT.
    """
    section, label = params.study(name)
    dataset = images.load(data)
    judge = references.load(reference, dataset.digest)
    found = checkpoint.load_model(model)
    if found.facts["data"] != dataset.digest:
        raise InputError(f"{model}: trained on other data than {data}; run `dvc repro`")
    device = devices.choose(section.hardware)
    found.G.to(device.device)
    found.D.to(device.device)
    subject = Subject(found, dataset, judge, trained, section.internals, device)
    with sampling.evaluating(found.G, found.network, section.sampling, device):
        entries = [entry(part, subject) for part in PARTS]
    parts, pictures = [part for part, _ in entries], [one for _, some in entries for one in some]
    numbers = {key: value for part in parts for key, value in part.get("numbers", {}).items()}
    protocol = {"batch_norm": section.sampling.batch_norm, "seed": section.internals.seed,
                "images_seen": found.facts["images_seen"]}
    write(report, parts, pictures, numbers | protocol)

    description = Description(label, found.facts["run"], dataset.meta, {"model": found.digest, "data": dataset.digest},
                              same="model", experiment=store.experiment(name.rpartition("/")[0]))
    with tracking.run(description) as tracker:
        tracker.metrics(numbers, found.facts["images_seen"])
        for picture in pictures:
            if picture.file.endswith(".png"):
                with Image.open(io.BytesIO(picture.content)) as still:
                    tracker.image(Path(picture.file).stem, still.convert("RGB"), found.facts["images_seen"])
            else:
                tracker.file(report / "pictures" / picture.file)
    print(f"{label}: " + "; ".join(f"{part['name']}: " + ("absent" if "absent" in part else ", ".join(
        [f"{len(part['pictures'])} pictures", *(f"{key} {value:.4g}" for key, value in part["numbers"].items())]))
        for part in parts))


def write(report: Path, parts: list[dict[str, Any]], pictures: list[Picture], scores: dict[str, Any]) -> None:
    """Fills the folder `report` with metrics.json, parts.json and the folder pictures."""
    with files.replacing(report) as temporary:
        stage.write_scores(temporary / "metrics.json", scores)
        files.write(temporary / "parts.json", (json.dumps(parts, indent=2, ensure_ascii=False) + "\n").encode())
        (temporary / "pictures").mkdir()
        for picture in pictures:
            files.write(temporary / "pictures" / picture.file, picture.content)


if __name__ == "__main__":
    stage.main(internals)

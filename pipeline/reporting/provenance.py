"""What leads from the page to what made it: digests of models, data and parameters, and the versions of packages."""
import json
from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline.params.study import Study
from pipeline.reporting.blocks import Block, Commands, Details, Heading, Paragraph, Table

NOT_RECORDED = "*not recorded*"


def blocks(study: Study) -> list[Block]:
    """The section on where the numbers come from."""
    known = {f"{run} seed {seed}": facts(folders.model(run, seed) / "model.json")
             for run in study.runs for seed in study.seeds}
    found: list[Block] = [
        Heading(2, "Where the numbers come from", "provenance", apart=True),
        Paragraph("Every number and picture is from files under `reports/`, which DVC's stages wrote. `params.yaml` "
                  "has what differs from the defaults in docs/settings.md, `code/` the digest of every module, "
                  "`dvc.lock` those of inputs and outputs, and MLflow the curves, seconds and machines: of a run there "
                  "the tag `model` begins as the generator here, and `data` as the data."),
        models(known),
        Paragraph("The first 16 hexadecimal digits of SHA-256, as models/*/*/model.json name them. Asked for: device "
                  f"`{study.hardware.device}`, precision `{study.hardware.precision}`.", "note"),
        data(facts(folders.data(study.data.name) / "meta.json"))]
    if (versions := packages(known)).rows:
        found.append(Details("Versions of packages, as installed when the runs were trained", [versions]))
    return [*found, Paragraph("To make this page again, with the same bytes where the files are the same:"), Commands([
        "pip install -c constraints.txt -e .", "dvc repro report          # what is missing, and this page",
        "dvc repro -f -s report    # this page alone, after a search or another study"])]


def models(known: dict[str, dict[str, Any]]) -> Table:
    """The digests of every training's code, networks and data, and its device."""
    rows = []
    for name, found in known.items():
        digests = found.get("sha256", {})
        shown = [found.get("code"), digests.get("generator.safetensors"), digests.get("discriminator.safetensors"),
                 found.get("data")]
        on = found.get("device")
        device = f"{on['device']}, {on['dtype']}, threads: {on['threads']}" if on else NOT_RECORDED
        rows.append([name, *(f"`{one[:16]}`" if one else NOT_RECORDED for one in shown), device])
    return Table(["training", "code", "generator", "discriminator", "data", "trained on"], rows, left=6,
                 label="Digests and device of every training")


def data(known: dict[str, Any]) -> Block:
    """A paragraph on the data set."""
    if not known:
        return Paragraph("The data set's meta.json is not here, so that its source and digest cannot be named.",
                         "absent")
    counts = known["counts"]
    return Paragraph(f"Data: {known['source']} ({known['licence']}), {counts['train']:,} training and "
                     f"{counts['test']:,} test images, SHA-256 `{known['sha256']}`.")


def packages(known: dict[str, dict[str, Any]]) -> Table:
    """The versions of the packages that decide about results, and the trainings that had others than the first."""
    trainings = {name: found["packages"] for name, found in known.items() if found.get("packages")}
    names = sorted({name for versions in trainings.values() for name in versions})
    rows = []
    for name in names:
        versions = {training: found.get(name, "none") for training, found in trainings.items()}
        usual = next(iter(versions.values()))
        others = [f"{version} ({training})" for training, version in versions.items() if version != usual]
        rows.append([name, ", ".join([usual, *others])])
    return Table(["package", "version"], rows, label="Versions of packages")


def facts(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where there is none."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found

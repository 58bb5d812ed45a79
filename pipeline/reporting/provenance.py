"""What leads from the page to what made it: digests of models, data and parameters, and the versions of packages."""
import json
from pathlib import Path
from typing import Any

from pipeline.reporting.tables import Table

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "pillow", "matplotlib", "Jinja2", "dvc",
            "mlflow", "optuna")
NOT_RECORDED = "*not recorded*"


def models(folder: Path, parameters: dict[str, str]) -> Table:
    """The digests of every run's `parameters`, networks and data, and its device, as model.json names them."""
    rows = []
    for name, digest in parameters.items():
        known = facts(folder / name / "model.json")
        digests = known.get("sha256", {})
        found = [digests.get("generator.safetensors"), digests.get("discriminator.safetensors"), known.get("data")]
        on = known.get("device")
        device = f"{on['device']}, {on['dtype']}, threads: {on['threads']}" if on else NOT_RECORDED
        rows.append([name, f"`{digest}`", *(f"`{one[:16]}`" if one else NOT_RECORDED for one in found), device])
    return Table(["run", "parameters", "generator", "discriminator", "data", "trained on"], rows, left=6)


def packages(constraints: Path) -> Table:
    """The versions of the packages that decide about numbers and pictures, as the file pins them."""
    lines = constraints.read_text().splitlines() if constraints.exists() else []
    pinned = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return Table(["package", "version"], [[name, pinned[name]] for name in PACKAGES if name in pinned])


def facts(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where there is none."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found

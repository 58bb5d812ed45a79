"""Where a study keeps what it reads and writes, from its own folder on, and where the repository keeps its scratch.

A study is a folder with a params.yaml: the repository itself, or one of studies/. Stages run inside it.
"""
import os
from pathlib import Path

STUDIES = "studies"
ARRAYS = Path("data/arrays")  # below data, where people may keep pictures of their own: DVC deletes what stages write
REFERENCE = Path("models/reference")
WRITTEN = (ARRAYS, Path("models"), Path("reports"), Path("code"))  # by stages


def data(name: str) -> Path:
    """The arrays of the study's data set."""
    return ARRAYS / name


def directory(given: str, study: Path) -> Path:
    """What data.directory of a study, in the folder `study`, means; RuntimeError when ~name is nobody's."""
    return study / Path(given).expanduser()


def classifier(number: int, reference: Path = REFERENCE) -> Path:
    """Classifier `number` of a `reference`, whose first one lies in that folder itself."""
    return reference / f"classifier{number + 1}" if number else reference


def model(run: str, seed: int) -> Path:
    """The networks of one training."""
    return Path("models") / run / f"seed{seed}"


def report(stage: str, run: str = "", seed: int | None = None) -> Path:
    """What `stage` reports: all of it, about one run, or about one training."""
    folder = Path("reports") / stage / run
    return folder if seed is None else folder / f"seed{seed}"


def home() -> Path:
    """The study's own folder, also when DVC runs an experiment in a copy of it."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def study() -> str:
    """The name of the study among studies/, or '' for the repository's own."""
    return home().name if home().parent.name == STUDIES else ""


def repository() -> Path:
    """The repository's folder, which its studies share."""
    return home().parent.parent if study() else home()


def work(*parts: str) -> Path:
    """A path in the repository's scratch folder, which neither DVC nor git looks at."""
    return repository().joinpath(".work", *parts)

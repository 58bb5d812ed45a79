"""What MLflow's pages say and show first: descriptions of experiments and runs, and columns of the table of runs."""
import base64
import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from pipeline import folders
from pipeline.tracking.names import SAMPLES

NOTE = "mlflow.note.content"
VIEW = "dcgan"
SECTIONS = ("curves", "scores", "probe", "internals", "search")  # of the charts, as one looks at them
KNOBS = ("batch", "lr", "beta1", "leak")


def of_experiment(name: str) -> str:
    """The description of an experiment: what its runs are, how to read them, and where the report is."""
    study = name.removeprefix("dcgan").removesuffix(" search").strip()
    search = name.endswith(" search")
    folder = folders.repository() / (Path(folders.STUDIES, study) if study else "") / "reports"
    report = folder / "search/report.md" if search else folder / "report.html"
    runs = "One run is one trial of the search, folded under its study" if search else "One run is one training"
    return (f"{runs}, of the study {study or 'in the repository itself'}. **Start with `curves/fid_…`**: the distance "
            "of samples from real images in a classifier's features, smaller is better, and only numbers of one name "
            "compare. `curves/loss_…` do not say which run is better. `scores/…` are of the finished generator, "
            "`probe/…` the accuracy of a linear classifier on D's features, `internals/…` of what is inside the "
            "networks; docs/scores.md says what each means.\n\n"
            f"The report: `{report}`")


def of_run(run_id: str, about: str) -> str:
    """The description of a run: its last sample grid, and `about`."""
    return f"{about}\n\n![samples](get-artifact?path={SAMPLES}&run_uuid={run_id})"


def columns(metrics: Iterable[str]) -> list[str]:
    """The columns of the table of runs that have these metrics: distance, probe, and the four parameters."""
    found = sorted(metrics)
    chosen: list[str] = []
    for pattern in (r"scores/fid_[a-z]+_\d+k?", r"curves/fid_[a-z]+_\d+k?", r"probe/accuracy_(validation|\d+_labels)"):
        fitting = [name for name in found if re.fullmatch(pattern, name)]
        if fitting and not (pattern.startswith("curves") and chosen):
            chosen.append(min(fitting, key=lambda name: (-_count(name), name)))
    return [f"metrics.`{name}`" for name in chosen] + [f"params.`{name}`" for name in KNOBS]


def _count(name: str) -> int:
    """The number in a name, which is a number of images or labels."""
    return int((re.findall(r"\d+", name) or ["0"])[-1])


def view(metrics: Iterable[str], grouped: bool = False) -> tuple[str, str]:
    """The tag of an experiment that keeps a view of its runs, which have these metrics, and its value for MLflow.

    The table has the columns of `columns`, and the smallest of the first comes first if that is a number. Trainings of
    one run can be `grouped`: curves are then their means with what lies between the smallest and the largest.
    """
    found = sorted(metrics)
    shown = columns(found)
    sections = [{"uuid": name, "name": name, "display": True, "isReordered": False} for name in SECTIONS
                if any(metric.startswith(f"{name}/") for metric in found)]
    state: dict[str, object] = {"selectedColumns": shown, "runsHiddenMode": "FIRST_20_RUNS", "compareRunCharts": [],
                                "compareRunSections": sections, "isAccordionReordered": True}
    if shown[0].startswith("metrics."):
        state |= {"orderByKey": shown[0], "orderByAsc": True}
    if grouped:
        state |= {"groupBy": {"aggregateFunction": "average",
                              "groupByKeys": [{"mode": "tag", "groupByData": "run"}]}}
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return f"mlflow.sharedViewState.{VIEW}", f"deflate;{packed}"


def address(base: str, experiment_id: str, charts: bool) -> str:
    """Where the runs are, as a table or as charts; another word about their order would make MLflow ignore the view."""
    return (f"{base}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"
            f"&compareRunsMode={'CHART' if charts else 'TABLE'}&viewStateShareKey={VIEW}")

"""What studies are called, and what the dashboard says about them."""
import warnings
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna_dashboard import save_note

from pipeline import stage
from pipeline.params.searching import values_of
from pipeline.params.study import Study as Params
from pipeline.tuning import setup as setups
from pipeline.tuning.analysis import PROBE
from pipeline.tuning.setup import Setup
from pipeline.tuning.trials import CONFIRMED

DIGITS = 8  # of the digest of the conditions


def name(params: Params, conditions: dict[str, Any]) -> str:
    """A name to read, with a digest of the conditions, so that trials of other conditions are never mixed."""
    search = params.search
    networks = values_of(search.space.get("network", params.train.network))
    what = networks[0] if len(networks) == 1 else f"{len(networks)} networks"
    ends = "-".join(dict.fromkeys(short(rung) for rung in (search.rungs[0], search.rungs[-1])))
    return f"{what} on {params.data.name}, {ends} {search.equal} ({stage.digest(conditions)[:DIGITS]})"


def short(count: int) -> str:
    """A count with k for thousands."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def confirmation(study: str, params: Params) -> str:
    """The name of the study that trains the candidates of `study` at their length."""
    epochs, decay = params.train.epochs, params.train.decay_epochs
    return f"{study}{CONFIRMED}after {epochs} epoch{'s' if epochs > 1 else ''}" + (
        f", falling over {decay}" if decay else "")


def label(study: Study, setup: Setup, params: Params) -> None:
    """Names the objectives of a new study, and writes on it what it is and how to read it."""
    names = [f"ln {setup.score}", PROBE][:len(study.directions)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if study.metric_names == names:
            return
        study.set_metric_names(names)
    save_note(study, note(study, setup, params))


def note(study: Study, setup: Setup, params: Params) -> str:
    """Markdown for the study's page of the dashboard."""
    search, known = params.search, setups.against(params.search)
    _, confirms, when = study.study_name.partition(CONFIRMED)
    rungs = ", ".join(f"{rung:,}" for rung in search.rungs)
    beside = f", and {known}," if known else ""
    what = (f"The best trials of the search{beside} trained with further seeds, {when}: the winner is chosen here."
            if confirms else
            f"Each trial trains one run of `{params.train.network}` on {params.data.name} and is scored after {rungs} "
            f"{search.equal}. Trials that fall behind are pruned there (`{search.pruner}`, `{search.sampler}`).")
    return "\n\n".join([
        what,
        f"**Objective**: ln of `{setup.score}`, the Fréchet distance to {search.validation:,} training images that no "
        "trial trains on. Lower is better; 0.7 less is half the distance. A collapsed training counts as ten times its "
        "distance. Test images are never read.",
        f"**Steps** of the curves are {search.equal} seen. Of trials that end at different steps compare the curves, "
        "not the values.",
        f"**A trial's attributes**: `{setup.score}` is its distance, `first` the name of a run known before, `reason` "
        "why it failed, `mlflow_run` its run in MLflow. Its note shows samples.",
        "`reports/search/report.md` has the conclusions."])

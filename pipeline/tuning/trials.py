"""One trial of a search: a short training that is measured on the way, and reported to MLflow and to the dashboard.

A trial whose process dies goes on from its checkpoint in the scratch folder, whoever takes it up on the same machine;
elsewhere from the one in the store of artifacts, if that is shared, or anew.
"""
import math
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch
from optuna.artifacts import upload_artifact
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from optuna_dashboard import save_note
from optuna_dashboard.artifact import get_artifact_path
from tqdm import tqdm

from pipeline import stage
from pipeline.errors import DivergedError, InputError, ScoreError
from pipeline.gan import literature, training
from pipeline.gan.updates import State
from pipeline.params.sections import Run
from pipeline.scores import probe
from pipeline.tracking import store, tracker
from pipeline.tracking.store import Description
from pipeline.tracking.tracker import Tracker
from pipeline.tuning import artifacts, notes, rungs, space, studies
from pipeline.tuning.analysis import AT, PROBE
from pipeline.tuning.curve import points
from pipeline.tuning.notes import Notes
from pipeline.tuning.rungs import Course
from pipeline.tuning.setup import Setup

RESULTS = (DivergedError, ScoreError, InputError)  # the last of a batch size that the network cannot take
FAULTS = (OSError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError)
CONFIRMED = ", confirmed "  # in the name of the study that trains the candidates, after that of their own


def attempt(setup: Setup, study: Study, trial: Trial) -> None:
    """Runs `trial` to its end: a training that diverges is a result too, with a reason and without a score.

    Whatever else goes wrong says nothing about the trial: it and its checkpoint are left to the next worker, and this
    one ends; with one line, an InputError, where the machine is at fault.
    """
    try:
        complete(setup, study, trial)
    except UpdateFinishedTrialError:
        tqdm.write(f"trial {trial.number}: this process was silent for so long that another took it", file=sys.stderr)
    except BaseException as error:
        release(study, trial, error)
        if isinstance(error, FAULTS) or "DefaultCPUAllocator" in str(error):  # a CPU without memory has no type
            raise InputError(f"trial {trial.number}: {said(error)}; nothing is lost: mend that and start again to go "
                             "on") from None
        raise


def release(study: Study, trial: Trial, error: BaseException) -> None:
    """Gives `trial` back, so that the next worker goes on from its checkpoint; it counts as lost unless the machine, or
    somebody's will, ended it.
    """
    blameless = isinstance(error, (KeyboardInterrupt, OSError, torch.AcceleratorError))
    with suppress(Exception):  # the storage may be what failed: then others see that this process has ended
        notes.write(trial, Notes(interrupted=blameless, trouble=said(error)))
        study.tell(trial, state=TrialState.FAIL)


def said(error: BaseException) -> str:
    """An error as one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")


def complete(setup: Setup, study: Study, trial: Trial) -> None:
    """Trains and scores `trial`, and tells the study, the dashboard and MLflow."""
    run, state, reason, tracking = run_of(setup, trial), TrialState.FAIL, "", Tracker()
    scratch = studies.scratch(study, trial, stage.digest(asdict(run), notes.read(trial).seed))
    try:
        with (studies.heartbeat(setup.storage, trial),
              artifacts.carried(setup.search.artifacts, study, trial, scratch),
              tracker.run(describe(setup, study, trial, run, scratch)) as tracking):
            try:
                state = fit(setup, trial, run, scratch, tracking)
            except RESULTS as error:  # the other trials may do better
                reason = said(error)
                tracking.tags({"optuna.state": state.name, "optuna.reason": reason})
                raise Failed from None
            tracking.tags({"optuna.state": state.name})
    except Failed:
        notes.write(trial, Notes(reason=reason))
    annotate(setup, trial, tracking.address, scratch / "samples")
    artifacts.forget(setup.search.artifacts, study, trial)  # first: nobody looks for them once the trial has ended
    scores = notes.read(trial).scores
    study.tell(trial, objectives(setup, study, trial) if state == TrialState.COMPLETE else None, state)
    shutil.rmtree(scratch, ignore_errors=True)
    outcome = reason or f"{setup.score} {scores[setup.score]:.2f}"
    tried = ", ".join(f"{key} {space.label(getattr(run, key))}" for key in space.shown(setup.search.space))
    tqdm.write(f"trial {trial.number} {state.name.lower()}: {outcome}; {tried}", file=sys.stderr)


class Failed(Exception):
    """Ends a trial's run in MLflow as FAILED."""


def run_of(setup: Setup, trial: Trial | FrozenTrial) -> Run:
    """The run that `trial` trains."""
    return space.run_of(trial.params, setup.search.space, setup.train.run, exact=bool(notes.read(trial).first))


def objectives(setup: Setup, study: Study, trial: Trial) -> list[float]:
    """What Optuna is told of a complete trial: ln of its distance, with the penalty of a collapse, and the probe."""
    known = notes.read(trial)
    values = [rungs.objective(known.scores[setup.score], bool(known.collapse)), known.scores.get(PROBE, math.nan)]
    return values[:len(study.directions)]


def fit(setup: Setup, trial: Trial, run: Run, scratch: Path, tracking: Tracker) -> TrialState:
    """Trains `run` and leaves its scores with `trial`; COMPLETE, or PRUNED when it was hopeless or collapsed."""
    seed, course = seed_of(setup, trial), course_of(setup, trial, run)
    state = training.start(literature.network(run.network, run.width, run.violate), run, seed, setup.device)
    single, ended, collapse = len(trial.study.directions) == 1, TrialState.COMPLETE, ""
    for point in points(setup, state, run, course, seed, scratch, tracking):
        collapse = point.collapse
        scores = {setup.score: point.fid} | ({f"{setup.score}{AT}{point.step}": point.fid} if point.rung else {})
        notes.write(trial, Notes(images_seen=point.images_seen, scores=scores))
        if single:
            trial.report(rungs.objective(point.fid, bool(point.collapse)), point.step)
        if point.stopped or single and point.images_seen < course.length and trial.should_prune():
            tracking.tags({"optuna.pruned_at": str(point.step)})
            ended = TrialState.PRUNED
            break
    accuracy = probe_accuracy(setup, state)
    notes.write(trial, Notes(collapse=collapse, scores={PROBE: accuracy}))
    tracking.metrics({PROBE: accuracy}, state.images_seen)
    return ended


def confirms(trial: Trial | FrozenTrial) -> bool:
    """Whether the trial trains a candidate with a further seed at the study's length."""
    return notes.read(trial).seed is not None


def course_of(setup: Setup, trial: Trial | FrozenTrial, run: Run) -> Course:
    """Where `trial` is scored."""
    return rungs.course(setup.search, run, len(setup.train_images), whole=confirms(trial))


def seed_of(setup: Setup, trial: Trial) -> int:
    """The seed of a repetition, or else of all trials."""
    seed = notes.read(trial).seed
    return setup.search.seed if seed is None else seed


def probe_accuracy(setup: Setup, state: State) -> float:
    """The accuracy on the validation images of the linear probe on D's features, fitted on training images."""
    count = setup.search.probe_images
    train, validation = probe.features(state.D, state.network, (setup.train_images[:count], setup.validation_images),
                                       setup.device)
    found = probe.score(train, setup.train_labels[:count], validation, setup.validation_labels,
                        setup.reference.facts["classes"], setup.scoring.probe_validation, setup.search.probe_C)
    return found["accuracy_test"]


def describe(setup: Setup, study: Study, trial: Trial, run: Run, scratch: Path) -> Description:
    """What MLflow is told about a trial at its start."""
    known = notes.read(trial)
    name = known.first or f"trial {trial.number if known.of is None else known.of}"
    name += "" if known.seed is None else f", seed {known.seed}"
    params = asdict(run) | {"images": course_of(setup, trial, run).length, "seed": seed_of(setup, trial)}
    tags = {"optuna.study": study.study_name, "optuna.trial": str(trial.number), "data": setup.meta["sha256"]}
    tags |= {f"hardware.{key}": str(value) for key, value in setup.device.facts.items()}
    return Description(name, params, setup.meta, tags, id_file=scratch / "mlflow_run",
                       experiment=store.experiment("search"), parent=study.study_name.partition(CONFIRMED)[0])


def annotate(setup: Setup, trial: Trial, address: str, samples: Path) -> None:
    """Shows on the trial's page of the dashboard what came out, and where MLflow has it."""
    known = notes.read(trial)
    lines = [f"{key}: **{known.scores[key]:.6g}**" for key in (setup.score, PROBE) if key in known.scores]
    lines += [f"failed: {known.reason}"] if known.reason else [known.collapse] if known.collapse else []
    if address:
        notes.write(trial, Notes(mlflow_run=address.rpartition("/")[2]))
        server = os.environ.get("MLFLOW_TRACKING_URI", "")
        server = server.rstrip("/") if server.startswith("http") else "http://127.0.0.1:5000"
        lines.append(f"[MLflow run]({server}{address}), once `make ui` runs")
    if pictures := sorted(samples.glob("*.png")):
        kept = artifacts.opened(setup.search.artifacts)
        artifact = upload_artifact(artifact_store=kept, file_path=str(pictures[-1]), study_or_trial=trial)
        lines.append(f"![samples]({get_artifact_path(trial, artifact)})")
    save_note(trial, "\n\n".join(lines))

"""One trial of a search: a short training that is measured on the way, told to MLflow and to the dashboard.

A trial whose process dies goes on from its checkpoint in `.work/search/<study>`, whoever takes it up on the same
machine; elsewhere it begins anew.
"""
import math
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from optuna_dashboard import save_note
from optuna_dashboard.artifact import get_artifact_path
from sqlalchemy.exc import SQLAlchemyError

from pipeline import files, stage, store, tracking, train
from pipeline.data import pixels
from pipeline.errors import DivergedError
from pipeline.gan import checkpoint, literature, training
from pipeline.gan.updates import State
from pipeline.laboratory import Laboratory
from pipeline.scores import probe
from pipeline.sections import Run
from pipeline.store import Description
from pipeline.tracking import Tracker
from pipeline.tuning import space, studies
from pipeline.tuning.analysis import PROBE

EXPERIMENT = "dcgan search"
ARTIFACTS = "optuna_artifacts"
WORK = Path(".work/search")


def attempt(laboratory: Laboratory, study: Study, trial: Trial) -> None:
    """Runs `trial` to its end, whatever that is: a failure is a result too, with a reason and without a score."""
    run, state, reason, tracker = run_of(laboratory, trial), TrialState.FAIL, "", Tracker()
    kind = stage.digest(asdict(run), trial.user_attrs.get("seed"))
    scratch = WORK / study.study_name / f"{studies.first(trial)}-{kind}"
    try:
        with (studies.heartbeat(laboratory.storage, trial),
              tracking.run(describe(laboratory, study, trial, run, scratch)) as tracker):
            try:
                state = fit(laboratory, trial, run, scratch, tracker)
            except (StorageInternalError, SQLAlchemyError, UpdateFinishedTrialError):
                raise
            except Exception as error:  # of a network, a score or the disk: the other trials may do better
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                tracker.tags({"optuna.state": state.name, "optuna.reason": reason})
                if not isinstance(error, DivergedError):
                    traceback.print_exc()
                raise Failed from None
            tracker.tags({"optuna.state": state.name})
    except Failed:
        trial.set_user_attr("reason", reason)
    except KeyboardInterrupt:
        trial.set_user_attr("interrupted", True)
        study.tell(trial, state=TrialState.FAIL)  # without a reason: the next attempt goes on from the checkpoint
        raise
    except UpdateFinishedTrialError:
        print(f"trial {trial.number}: this process was silent for so long that another took it", file=sys.stderr)
        return
    note(laboratory, trial, tracker.address, scratch / "samples.png")
    objectives = (laboratory.score, PROBE)[:len(study.directions)]
    values = [trial.user_attrs[key] for key in objectives] if state == TrialState.COMPLETE else None
    study.tell(trial, values, state)
    shutil.rmtree(scratch, ignore_errors=True)
    score = reason or f"{laboratory.score} {trial.user_attrs[laboratory.score]:.2f}"
    tried = ", ".join(f"{key} {value:g}" for key, value in asdict(run).items())
    print(f"trial {trial.number} {state.name.lower()}: {score}; {tried}", file=sys.stderr)


class Failed(Exception):
    """Ends a trial's run in MLflow as FAILED."""


def run_of(laboratory: Laboratory, trial: Trial | FrozenTrial) -> Run:
    """The run that `trial` trains."""
    return space.run_of(trial.params, laboratory.section.search.space, exact="first" in trial.user_attrs)


def fit(laboratory: Laboratory, trial: Trial, run: Run, scratch: Path, tracker: Tracker) -> TrialState:
    """Trains `run` and leaves its scores with `trial`; COMPLETE, or PRUNED when it was hopeless."""
    section, device = laboratory.section, laboratory.device
    seed = trial.user_attrs.get("seed", section.search.seed)
    design = section.train
    network = literature.network(design.network, design.width, design.violate)
    state = training.start(network, run, seed, device)
    ended = TrialState.COMPLETE
    for point in points(laboratory, state, run, seed, scratch, tracker):
        trial.set_user_attr(laboratory.score, point.fid)
        trial.set_user_attr("images_seen", point.images_seen)
        if len(trial.study.directions) == 1:
            trial.report(point.fid, point.place)
            if point.place < section.search.images and trial.should_prune():
                tracker.tags({"optuna.pruned_at": str(point.place)})
                ended = TrialState.PRUNED
                break
    accuracy = probe_accuracy(laboratory, state)
    trial.set_user_attr(PROBE, accuracy)
    tracker.metrics({PROBE: accuracy}, state.images_seen)
    return ended


@dataclass(frozen=True)
class Point:
    """One distance on the curve of a trial. Trials of all batch sizes have the same places; the images that were seen
    are up to a batch more.
    """
    place: int
    images_seen: int
    fid: float


def points(laboratory: Laboratory, state: State, run: Run, seed: int, scratch: Path,
           tracker: Tracker) -> Iterator[Point]:
    """Trains `state` to the end of the budget; yields a point at every multiple of search.fid_every and at the end.

    What an earlier attempt has already seen comes first.
    """
    section, device, kept = laboratory.section, laboratory.device, scratch / "state.pt"
    budget, every = section.search.images, section.search.fid_every
    report = math.gcd(every, section.train.report_images)
    rows: list[dict[str, Any]] = checkpoint.load_state(kept, state) if kept.exists() else []
    yield from (Point(**row) for row in rows)
    saved = time.monotonic()
    for progress in training.train(state, laboratory.train_images, laboratory.train_labels, run.batch, budget, seed,
                                   report, device, decay=0):  # its length is a budget, not epochs
        values = {"loss_D": progress.loss_D, "loss_G": progress.loss_G}
        ended = progress.images_seen == budget
        if point_due := ended or train.due(progress.images_seen, rows, every):
            grid, fid = train.snapshot(state, section, laboratory.real, device)
            values |= fid
            files.write(scratch / "samples.png", pixels.png(grid))
            tracker.image("samples", grid, progress.images_seen)
            place = budget if ended else progress.images_seen // every * every
            rows.append({"place": place, "images_seen": progress.images_seen, "fid": fid[laboratory.score]})
        tracker.metrics(values, progress.images_seen)
        if time.monotonic() - saved >= section.train.checkpoint_seconds:
            checkpoint.save_state(kept, state, rows)
            saved = time.monotonic()
        if point_due:
            yield Point(**rows[-1])


def probe_accuracy(laboratory: Laboratory, state: State) -> float:
    """The linear probe on D's features, fitted on training images, of the validation images."""
    section, device = laboratory.section, laboratory.device
    count = section.search.probe_images
    train, validation = probe.features(state.D, state.network, (laboratory.train_images[:count],
                                                                laboratory.validation_images), device)
    found = probe.score(train, laboratory.train_labels[:count], validation, laboratory.validation_labels,
                        laboratory.real.facts["classes"], section.evaluate.probe_validation, section.search.probe_C)
    return found["accuracy_test"]


def describe(laboratory: Laboratory, study: Study, trial: Trial, run: Run, scratch: Path) -> Description:
    """What MLflow is told about a trial at its start."""
    told = trial.user_attrs
    name = told.get("first") or f"trial {told.get('of', trial.number)}"
    name += f", seed {told['seed']}" if "seed" in told else ""
    parameters = asdict(run) | {"images": laboratory.section.search.images,
                                "seed": told.get("seed", laboratory.section.search.seed)}
    tags = {"optuna.study": study.study_name, "optuna.trial": str(trial.number), "data": laboratory.meta["sha256"]}
    tags |= {f"hardware.{key}": str(value) for key, value in laboratory.device.facts.items()}
    return Description(name, parameters, laboratory.meta, tags, id_file=scratch / "mlflow_run", experiment=EXPERIMENT,
                       parent=study.study_name.removesuffix("-seeds"))


def note(laboratory: Laboratory, trial: Trial, address: str, samples: Path) -> None:
    """Shows on the trial's page of the dashboard what came out, and where MLflow has it."""
    told = trial.user_attrs
    lines = [f"{key}: **{told[key]:.6g}**" for key in (laboratory.score, PROBE) if key in told]
    if "reason" in told:
        lines.append(f"failed: {told['reason']}")
    if address:
        trial.set_user_attr("mlflow_run", address.rpartition("/")[2])
        server = os.environ.get("MLFLOW_TRACKING_URI", "")
        server = server.rstrip("/") if server.startswith("http") else "http://127.0.0.1:5000"
        lines.append(f"[MLflow run]({server}{address}), once `make ui` runs")
    if samples.exists():
        folder = store.root() / ARTIFACTS
        folder.mkdir(exist_ok=True)
        kept = FileSystemArtifactStore(folder)
        artifact = upload_artifact(artifact_store=kept, file_path=str(samples), study_or_trial=trial)
        lines.append(f"![samples]({get_artifact_path(trial, artifact)})")
    save_note(trial, "\n\n".join(lines))

"""One trial of a search: a short training that is measured on the way, and reported to MLflow and to the dashboard.

A trial whose process dies goes on from its checkpoint in the scratch folder, whoever takes it up on the same machine;
elsewhere from the one in the store of artifacts, if that is shared, or anew.
"""
import math
import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from optuna.artifacts import upload_artifact
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from optuna_dashboard import save_note
from optuna_dashboard.artifact import get_artifact_path
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from pipeline import folders, observing, stage
from pipeline.errors import DivergedError
from pipeline.gan import literature, training
from pipeline.gan.updates import State
from pipeline.observing import Curves, Observer
from pipeline.params.sections import Run
from pipeline.scores import probe
from pipeline.tracking import store, tracker
from pipeline.tracking.store import Description
from pipeline.tracking.tracker import Tracker
from pipeline.tuning import artifacts, notes, space, studies
from pipeline.tuning.analysis import PROBE
from pipeline.tuning.notes import Notes
from pipeline.tuning.setup import Setup


def attempt(setup: Setup, study: Study, trial: Trial) -> None:
    """Runs `trial` to its end, whatever that is: a failure is a result too, with a reason and without a score."""
    run, state, reason, tracking = run_of(setup, trial), TrialState.FAIL, "", Tracker()
    kind = stage.digest(asdict(run), notes.read(trial).seed)
    scratch = folders.work("search", study.study_name, f"{studies.first(trial)}-{kind}")
    try:
        with (studies.heartbeat(setup.storage, trial),
              artifacts.carried(setup.search.artifacts, study, trial, scratch),
              tracker.run(describe(setup, study, trial, run, scratch)) as tracking):
            try:
                state = fit(setup, trial, run, scratch, tracking)
            except (StorageInternalError, SQLAlchemyError, UpdateFinishedTrialError):
                raise
            except Exception as error:  # of a network, a score or the disk: the other trials may do better
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                tracking.tags({"optuna.state": state.name, "optuna.reason": reason})
                if not isinstance(error, DivergedError):
                    traceback.print_exc()
                raise Failed from None
            tracking.tags({"optuna.state": state.name})
    except Failed:
        notes.write(trial, Notes(reason=reason))
    except KeyboardInterrupt:
        notes.write(trial, Notes(interrupted=True))
        study.tell(trial, state=TrialState.FAIL)  # without a reason: the next attempt goes on from the checkpoint
        raise
    except UpdateFinishedTrialError:
        tqdm.write(f"trial {trial.number}: this process was silent for so long that another took it", file=sys.stderr)
        return
    annotate(setup, trial, tracking.address, scratch / "samples")
    artifacts.forget(setup.search.artifacts, study, trial)  # first: nobody looks for them once the trial has ended
    scores = notes.read(trial).scores
    objectives = (setup.score, PROBE)[:len(study.directions)]
    study.tell(trial, [scores[key] for key in objectives] if state == TrialState.COMPLETE else None, state)
    shutil.rmtree(scratch, ignore_errors=True)
    outcome = reason or f"{setup.score} {scores[setup.score]:.2f}"
    tried = ", ".join(f"{key} {getattr(run, key):g}" for key in space.shown(setup.search.space))
    tqdm.write(f"trial {trial.number} {state.name.lower()}: {outcome}; {tried}", file=sys.stderr)


class Failed(Exception):
    """Ends a trial's run in MLflow as FAILED."""


def run_of(setup: Setup, trial: Trial | FrozenTrial) -> Run:
    """The run that `trial` trains."""
    return space.run_of(trial.params, setup.search.space, setup.train.run, exact=bool(notes.read(trial).first))


def fit(setup: Setup, trial: Trial, run: Run, scratch: Path, tracking: Tracker) -> TrialState:
    """Trains `run` and leaves its scores with `trial`; COMPLETE, or PRUNED when it was hopeless or collapsed."""
    seed = seed_of(setup, trial)
    state = training.start(literature.network(run.network, run.width, run.violate), run, seed, setup.device)
    ended, single = TrialState.COMPLETE, len(trial.study.directions) == 1
    for point in points(setup, state, run, seed, scratch, tracking):
        notes.write(trial, Notes(images_seen=point.images_seen, collapse=point.collapse,
                                 scores={setup.score: point.fid}))
        if single:
            trial.report(point.fid, point.place)
        if point.collapse or single and point.place < setup.search.images and trial.should_prune():
            tracking.tags({"optuna.pruned_at": str(point.place)})
            ended = TrialState.PRUNED
            break
    accuracy = probe_accuracy(setup, state)
    notes.write(trial, Notes(scores={PROBE: accuracy}))
    tracking.metrics({PROBE: accuracy}, state.images_seen)
    return ended


def seed_of(setup: Setup, trial: Trial) -> int:
    """The seed of a repetition, or else of all trials."""
    seed = notes.read(trial).seed
    return setup.search.seed if seed is None else seed


@dataclass(frozen=True)
class Point:
    """One distance on the curve of a trial: that of the average of G's weights, where the run has one, and else of G.

    Trials of all batch sizes have the same places; the images that were seen are up to a batch more. Where the training
    ends on a `collapse`, the place is the images that were seen.
    """
    place: int
    images_seen: int
    fid: float
    collapse: str = ""


def points(setup: Setup, state: State, run: Run, seed: int, scratch: Path, tracking: Tracker) -> Iterator[Point]:
    """Trains `state` to the end of the budget; yields a point at every multiple of search.fid_every and at the end.

    What an earlier attempt has already seen comes first.
    """
    budget, every = setup.search.images, setup.search.fid_every
    observer = Observer(setup.reference, setup.train, setup.device, scratch, tracking, every,
                        lambda progress: progress.images_seen == budget)
    curves, yielded = observer.resume(state), 0
    score = f"{setup.score}{observing.OF_AVERAGE}" if run.ema else setup.score

    def fresh() -> Iterator[Point]:
        nonlocal yielded
        for number, row in enumerate(curves.fid[yielded:], yielded + 1):
            seen = int(row["images_seen"])
            says = collapse(curves, run) if number == len(curves.fid) else ""
            yield Point(seen if says or seen == budget else seen // every * every, seen, row[score], says)
        yielded = len(curves.fid)

    yield from fresh()
    steps = training.train(state, setup.train_images, setup.train_labels, run.batch, budget, seed,
                           math.gcd(every, setup.train.report_images), setup.device, decay=0)  # a budget, not epochs
    for _ in observer.observe(steps, state, curves):
        yield from fresh()


def collapse(curves: Curves, run: Run) -> str:
    """The sign of a collapse that the training of `run` ended on, or ''."""
    if run.on_collapse != "stop" or not curves.signs:
        return ""
    *_, last = (event for event in curves.events if event["begins"] and event["sign"] in curves.signs)
    return f"collapsed at {last['images_seen']:,} images: {last['says']}"


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
    params = asdict(run) | {"images": setup.search.images, "seed": seed_of(setup, trial)}
    tags = {"optuna.study": study.study_name, "optuna.trial": str(trial.number), "data": setup.meta["sha256"]}
    tags |= {f"hardware.{key}": str(value) for key, value in setup.device.facts.items()}
    return Description(name, params, setup.meta, tags, id_file=scratch / "mlflow_run",
                       experiment=store.experiment("search"), parent=study.study_name.removesuffix("-seeds"))


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

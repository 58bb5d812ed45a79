"""Stage search: Optuna looks for better runs, and anyone may help.

A trial trains one run on part of the training images and is scored by the others; test images are never read. Then the
best are trained again with further seeds, and the winner is the best on average. `dcgan promote` makes it one of the
study's runs.

Every process that is started with this stage's command works on the same study. Its name holds a digest of all that
decides about a trial's score, code included, so that trials made under other conditions are never mixed.
"""
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from pipeline import findings, params, sections, stage, store, tracking, train, trials
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.documents import Params
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.gan.devices import Device
from pipeline.laboratory import Laboratory, prepare
from pipeline.scores import reference as references
from pipeline.scores.reference import Reference
from pipeline.sections import Search
from pipeline.store import Description
from pipeline.tuning import analysis, space, storages, studies
from pipeline.tuning.studies import Direction, Wanted

POLL_SECONDS = 1.0
# What decides about a trial's score. The rest of the code may change without beginning a new study.
DECIDING = ("pipeline/data/", "pipeline/gan/", "pipeline/scores/", "pipeline/tuning/space.py", "pipeline/laboratory.py",
            "pipeline/search.py", "pipeline/train.py", "pipeline/trials.py")


def search(data: Path, reference: Path, report: Path) -> None:
    """Works on the study until it is finished, with DATA and REFERENCE; what it found goes to the folder REPORT."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    section = params.load()
    dataset = images.load(data)
    check(section, dataset)
    real = references.load(reference, dataset.digest)
    device = devices.choose(section.hardware)
    conditions = conditions_of(section, dataset, real, device)
    name = f"dcgan-{section.data.name}-{stage.digest(conditions)}"
    storage = storages.open_storage(section.search.storage, store.root())
    described = Description(name, flat(conditions), dataset.meta, {"study": name}, same="study",
                            experiment=trials.EXPERIMENT)
    try:
        study = studies.open_study(storage, name, conditions, directions(section), pruner(section))
        with tracking.run(described) as tracker:
            laboratory = prepare(section, dataset, real, device, storage)
            work(laboratory, study, first_runs(section), section.search.n_trials)
            finished = studies.finished(study)[:section.search.n_trials]
            table = analysis.table(finished, section.search.space, laboratory.score)
            repeats = confirm(laboratory, study, table)
            with FileLock(store.root() / ".work" / "findings.lock"):  # workers end together
                found = findings.write(report, section, name, laboratory.score, table, repeats)
                tracker.metrics(found, len(table))
                for path in sorted(report.iterdir()):
                    tracker.file(path)
    except (StorageInternalError, SQLAlchemyError) as error:
        raise InputError(f"{storage.name}: does not answer any more ({type(error).__name__}); nothing is lost: start "
                         "again to go on") from None
    finally:
        storage.close()
    print(f"search: {report / 'report.md'} says what {len(table)} trials found; "
          "`dcgan promote` takes the winner into params.yaml")


def check(section: Params, dataset: Dataset) -> None:
    """InputError when the section search does not fit the data set."""
    train.network_of(section.train, dataset, "params.yaml: train")
    wanted, n = section.search, len(dataset.train_images)
    largest = max(wanted.probe_images, *sections.values_of(wanted.space["batch"]))
    if n - wanted.validation < largest:
        raise InputError(f"params.yaml: search.validation = {wanted.validation} leaves {n - wanted.validation} of {n} "
                         f"training images; search.probe_images and the largest batch need {largest:g}")


def conditions_of(section: Params, dataset: Dataset, real: Reference, device: Device) -> dict[str, Any]:
    """All that decides about the scores of a study's trials, as JSON has it."""
    wanted = asdict(section.search)
    for key in ("n_trials", "candidates", "seeds", "storage"):
        del wanted[key]  # how many trials there are, and where
    code = {str(path): digest for path, digest in stage.sources().items() if str(path).startswith(DECIDING)}
    conditions = wanted | {
        "first": {name: asdict(section.runs[name]) for name in section.search.first},
        "network": [section.train.network, section.train.width, section.train.violate],
        "fid_images": section.train.fid_images, "sampling": asdict(section.sampling),
        "probe_validation": section.evaluate.probe_validation, "data": dataset.digest, "reference": real.digest,
        "dtype": str(device.dtype), "code": stage.digest(code)}
    return json.loads(json.dumps(conditions))


def flat(conditions: dict[str, Any]) -> dict[str, Any]:
    """The conditions as MLflow's parameters, which have one level."""
    return {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in conditions.items()}


def directions(section: Params) -> list[Direction]:
    """Distances are minimised, accuracies maximised."""
    both: list[Direction] = ["minimize", "maximize"]
    return both[:len(section.search.objectives)]


def pruner(section: Params) -> optuna.pruners.BasePruner:
    """Ends what is worse than the median of the complete trials at the same place, in the second half of the budget.

    Hyperband wants more trials than a small study has, and earlier distances say little about the last one. Optuna
    prunes no two objectives.
    """
    if len(section.search.objectives) == 2:
        return NopPruner()
    return MedianPruner(n_startup_trials=4, n_warmup_steps=section.search.images // 2)


def first_runs(section: Params) -> list[Wanted]:
    """The trials that a study begins with: those of the runs in search.first that the space holds."""
    wanted = []
    for name in section.search.first:
        drawn = space.drawn_of(section.runs[name], section.search.space)
        if drawn is None:
            print(f"search: {name} lies outside search.space and is not tried", file=sys.stderr)
        else:
            wanted.append((drawn, {"first": name}))
    return wanted


def work(laboratory: Laboratory, study: Study, first: Sequence[Wanted], n_trials: int) -> None:
    """Runs trials, those of `first` before others, until `n_trials` are finished, by whomever."""
    wanted, said = laboratory.section.search, False
    while len(studies.finished(study)) < n_trials:
        trial = studies.claim(laboratory.storage, study, space.distributions(wanted.space), first, n_trials,
                              lambda begun: sampler(wanted, begun))
        if trial is not None:
            trials.attempt(laboratory, study, trial)
            continue
        if not said:
            print("search: waiting for the trials of other workers", file=sys.stderr)
        said = True
        time.sleep(POLL_SECONDS)


def sampler(wanted: Search, begun: int) -> TPESampler:
    """The sampler of the trial that `begun` others came before."""
    seed = np.random.SeedSequence([wanted.seed, begun]).generate_state(1)[0].item()
    return TPESampler(seed=seed, n_startup_trials=wanted.n_startup_trials)


def confirm(laboratory: Laboratory, study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Trains the best trials again with further seeds, as a study of its own; one row for each training."""
    wanted, score = laboratory.section.search, laboratory.score
    chosen = analysis.candidates(table, score, wanted.candidates, len(wanted.objectives) == 2)
    if not chosen:
        reasons = table["reason"][table["reason"] != ""]
        raise InputError(f"search: none of {len(table)} trials was completed; the first failed with: {reasons.iloc[0]}"
                         if len(reasons) else f"search: none of {len(table)} trials was completed")
    finished, jobs = studies.finished(study), {}
    for place in chosen:
        told, run = finished[place].user_attrs, trials.run_of(laboratory, finished[place])
        drawn = space.drawn_of(run, wanted.space) or {}
        for seed in range(wanted.seed + 1, wanted.seed + 1 + wanted.seeds):
            job = {"of": studies.first(finished[place]), "seed": seed}
            jobs[place, seed] = drawn, job | ({"first": told["first"]} if "first" in told else {})
    again = studies.open_study(laboratory.storage, f"{study.study_name}-seeds", study.user_attrs["conditions"],
                               directions(laboratory.section), NopPruner())
    others = {studies.first(trial) for trial in again.get_trials(deepcopy=False)
              if not any(job.items() <= trial.user_attrs.items() for _, job in jobs.values())}
    work(laboratory, again, list(jobs.values()), len(jobs) + len(others))
    rows = []
    for (place, seed), (_, job) in jobs.items():
        trial, = (trial for trial in studies.finished(again) if job.items() <= trial.user_attrs.items())
        told = trial.user_attrs if trial.state == TrialState.COMPLETE else {}
        rows.append({"candidate": place, "seed": seed} | {key: told.get(key) for key in (score, analysis.PROBE)})
    found = pd.DataFrame(rows).astype({score: float, analysis.PROBE: float})
    if found[score].isna().all():
        raise InputError(f"search: none of the {len(chosen)} best trials could be repeated with another seed")
    return found


if __name__ == "__main__":
    stage.main(search)

"""Stage search: Optuna looks for better runs, and anyone may help.

A trial trains one run on part of the training images and is scored by the others, in the features of a classifier that
was fitted on the first part; test images are never read. Trials that fall behind are pruned at the rungs. Then the best
and the run that they have to beat are trained with further seeds at the length of the study, and the winner is the best
on average there. `dcgan promote` makes it one of the runs of params.yaml.

Every process that is started with this stage's command works on the same study of Optuna's. Its name holds a digest of
all that decides about a trial's score, code included, so that trials made under other conditions are never mixed.
"""
import itertools
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import optuna
import pandas as pd
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.pruners import NopPruner
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from pipeline import folders, stage
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.params import reading
from pipeline.params.searching import values_of
from pipeline.params.study import Study as Params
from pipeline.reporting import search_page
from pipeline.tracking import store, tracker
from pipeline.tracking.store import Description
from pipeline.train import network_of
from pipeline.tuning import analysis, naming, notes, rungs, samplers
from pipeline.tuning import setup as setups
from pipeline.tuning import shared, space, storages, studies, trials
from pipeline.tuning.notes import Notes
from pipeline.tuning.setup import Setup
from pipeline.tuning.studies import Order

POLL_SECONDS = 1.0


def search() -> None:
    """Works on the search of params.yaml until it is finished; what it found goes to reports/search."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    params = reading.load()
    dataset = images.load(folders.data(params.data.name))
    check(params, dataset)
    device = devices.choose(params.hardware)
    conditions = setups.conditions_of(params, dataset, device)
    name = naming.name(params, conditions)
    storage = storages.open_storage(params.search.storage, folders.repository())
    description = Description(name, flat(conditions), dataset.meta, {"study": name}, same="study",
                              experiment=store.experiment("search"))
    try:
        study = studies.open_study(storage, name, conditions, samplers.directions(params.search),
                                   rungs.pruner(params.search))
        with tracker.run(description) as tracking:  # before the first trial, which nests under it
            setup = setups.prepare(params.search, params.train, params.evaluate, dataset, params.reference, device,
                                   storage)
            shared.check(storage, study, setup.reference.digest)
            naming.label(study, setup, params)
            work(setup, study, first_runs(params), params.search.n_trials, params.search.hours)
            finished = studies.finished(study)[:params.search.n_trials]
            table = analysis.table(finished, params.search.space, params.train.run, setup.score)
            repeats = confirm(setup, study, table, params)
            report = folders.report("search")
            with FileLock(folders.work("search.lock")):  # workers end together
                numbers = search_page.write(report, params, name, setup.score, table, repeats)
                tracking.metrics(numbers, len(table))
                for path in sorted(report.iterdir()):
                    tracking.file(path)
    except (StorageInternalError, SQLAlchemyError) as error:
        raise InputError(f"{storage.name}: does not answer any more ({type(error).__name__}); nothing is lost: start "
                         "again to go on") from None
    finally:
        storage.close()
    print(f"search: {report / 'report.md'} says what {len(table)} trials found; "
          "`dcgan promote` takes the winner into params.yaml")


def check(params: Params, dataset: Dataset) -> None:
    """InputError when section search does not fit the data set, or names networks that there are not."""
    search, n, base = params.search, len(dataset.train_images), params.train.run
    samplers.check(search)
    network_of(base, dataset, f"{reading.PARAMS}: train")
    built = [key for key in search.space if key in ("network", "width", "violate")]
    for values in itertools.product(*(values_of(search.space[key]) for key in built)):
        drawn = {key: space.label(value) for key, value in zip(built, values)}
        network_of(space.run_of(drawn, search.space, base, exact=True), dataset,
                   f"{reading.PARAMS}: search.space with {', '.join(f'{key} {value}' for key, value in drawn.items())}")
    batches = values_of(search.space.get("batch", params.train.batch))
    largest = max(search.probe_images, params.reference.batch, *batches)
    if n - search.validation < largest:
        raise InputError(f"{reading.PARAMS}: search.validation = {search.validation}: leaves {n - search.validation} "
                         f"of {n} training images; search.probe_images, reference.batch and the largest batch need "
                         f"{largest:g}")
    name = setups.against(search)
    if search.against and space.drawn_of(params.runs[name], search.space, base) is None:
        raise InputError(f"{reading.PARAMS}: search.against = {name!r}: lies outside search.space, or differs from "
                         "section train elsewhere; expected a run that the search could draw")


def flat(conditions: dict[str, Any]) -> dict[str, Any]:
    """The conditions as MLflow's parameters, which have one level."""
    return {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in conditions.items()}


def first_runs(params: Params) -> list[Order]:
    """The trials that a study begins with: those of the known runs that the space holds."""
    orders = []
    for name in setups.tried_first(params.search):
        drawn = space.drawn_of(params.runs[name], params.search.space, params.train.run)
        if drawn is None:
            print(f"search: {name} lies outside search.space, or differs from section train, and is not tried",
                  file=sys.stderr)
        else:
            orders.append((drawn, Notes(first=name)))
    return orders


def work(setup: Setup, study: Study, orders: Sequence[Order], n_trials: int, hours: float | None = None) -> None:
    """Runs trials, `orders` before others, until `n_trials` are finished, by whatever worker.

    Once the first trial began `hours` ago, no further one begins, and those that run are waited for.
    """
    search, waiting = setup.search, False
    with tqdm(desc="search", total=n_trials, unit=" trials", disable=None, leave=False, dynamic_ncols=True) as bar:
        while (count := len(studies.finished(study))) < n_trials:
            bar.update(count - bar.n)
            late = hours is not None and age(study) > hours
            trial = studies.claim(setup.storage, study, space.distributions(search.space), orders,
                                  0 if late else n_trials, lambda begun: samplers.sampler(search, begun),
                                  lambda drawn: space.whole(drawn, search.space, setup.train.run))
            if trial is not None:
                space.draw(trial, search.space, setup.train.run)
                trials.attempt(setup, study, trial)
                continue
            if late and not any(trial.state == TrialState.RUNNING for trial in study.get_trials(deepcopy=False)):
                break
            if not waiting:
                tqdm.write("search: waiting for the trials of other workers", file=sys.stderr)
            waiting = True
            time.sleep(POLL_SECONDS)
    studies.tidy(study)


def age(study: Study) -> float:
    """The hours since the first trial of the study began; 0 before that."""
    begun = [trial.datetime_start.timestamp() for trial in study.get_trials(deepcopy=False) if trial.datetime_start]
    return (time.time() - min(begun)) / 3600 if begun else 0.0


def confirm(setup: Setup, study: Study, table: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Trains the best trials with further seeds at the study's length, as a study of its own; a row for each training.
    """
    search, score, known = setup.search, setup.score, setups.against(setup.search)
    chosen = analysis.candidates(table, score, search.candidates, len(search.objectives) == 2, known)
    if not chosen:
        reasons = table["reason"][table["state"] == "FAIL"]
        why = f"; the first failed with: {reasons.iloc[0]}" if len(reasons) else ""
        beside = f" beside {known}" if "COMPLETE" in set(table["state"]) else ""
        raise InputError(f"none of {len(table)} trials{beside} was completed{why}")
    finished = studies.finished(study)
    orders: dict[tuple[int, int], Order] = {}
    for place in chosen:
        drawn = space.drawn_of(trials.run_of(setup, finished[place]), search.space, setup.train.run) or {}
        for seed in range(search.seed + 1, search.seed + 1 + search.seeds):
            order = Notes(first=notes.read(finished[place]).first, of=studies.first(finished[place]), seed=seed)
            orders[place, seed] = drawn, order
    conditions = study.user_attrs["conditions"] | {
        key: getattr(params.train, key) for key in ("epochs", "decay_epochs")}
    again = studies.open_study(setup.storage, naming.confirmation(study.study_name, params), conditions,
                               samplers.directions(search), NopPruner())
    naming.label(again, setup, params)
    others = {studies.first(trial) for trial in again.get_trials(deepcopy=False)
              if not any(notes.says(trial, order) for _, order in orders.values())}
    work(setup, again, list(orders.values()), len(orders) + len(others))
    rows = []
    for (place, seed), (_, order) in orders.items():
        trial, = (trial for trial in studies.finished(again) if notes.says(trial, order))
        told = notes.read(trial)
        scores: dict[str, float | None] = dict(told.scores if trial.state != TrialState.FAIL else {})
        rows.append({"candidate": place, "seed": seed, "against": int(bool(known) and order.first == known),
                     score: scores.get(score), analysis.PROBE: scores.get(analysis.PROBE),
                     "images_seen": told.images_seen or 0} | analysis.at_rungs(scores, score))
    repeats = pd.DataFrame(rows)
    repeats = repeats.astype({key: float for key in repeats if key == analysis.PROBE or str(key).startswith(score)})
    if repeats[score][repeats["against"] == 0].isna().all():
        raise InputError(f"none of the {len(chosen)} best trials could be repeated with another seed")
    return repeats


if __name__ == "__main__":
    stage.main(search)

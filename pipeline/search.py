"""Stage search: Optuna looks for better runs, and anyone may help.

A trial trains one run on part of the training images and is scored by the others, in the features of a classifier that
was fitted on the first part; test images are never read. Then the best are trained again with further seeds, and the
winner is the best on average. `dcgan promote` makes it one of the runs of params.yaml.

Every process that is started with this stage's command works on the same study of Optuna's. Its name holds a digest of
all that decides about a trial's score, code included, so that trials made under other conditions are never mixed.
"""
import json
import sys
import time
from collections.abc import Sequence
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
from tqdm import tqdm

from pipeline import folders, stage
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.params import reading
from pipeline.params.searching import Search, values_of
from pipeline.params.study import Study as Params
from pipeline.reporting import search_page
from pipeline.tracking import store, tracker
from pipeline.tracking.store import Description
from pipeline.train import network_of
from pipeline.tuning import analysis, notes, shared, space, storages, studies, trials
from pipeline.tuning.notes import Notes
from pipeline.tuning.setup import Setup, conditions_of, prepare
from pipeline.tuning.studies import Direction, Order

POLL_SECONDS = 1.0


def search() -> None:
    """Works on the search of params.yaml until it is finished; what it found goes to reports/search."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    params = reading.load()
    dataset = images.load(folders.data(params.data.name))
    check(params, dataset)
    device = devices.choose(params.hardware)
    conditions = conditions_of(params, dataset, device)
    name = f"dcgan-{params.data.name}-{stage.digest(conditions)}"
    storage = storages.open_storage(params.search.storage, folders.repository())
    description = Description(name, flat(conditions), dataset.meta, {"study": name}, same="study",
                              experiment=store.experiment("search"))
    try:
        study = studies.open_study(storage, name, conditions, directions(params.search), pruner(params.search))
        with tracker.run(description) as tracking:
            setup = prepare(params.search, params.train, params.evaluate, dataset, params.reference, device, storage)
            shared.check(storage, study, setup.reference.digest)
            work(setup, study, first_runs(params), params.search.n_trials)
            finished = studies.finished(study)[:params.search.n_trials]
            table = analysis.table(finished, params.search.space, params.train.run, setup.score)
            repeats = confirm(setup, study, table)
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
    """InputError when section search does not fit the data set."""
    network_of(params.train.run, dataset, f"{reading.PARAMS}: train")
    search, n = params.search, len(dataset.train_images)
    batches = values_of(search.space.get("batch", float(params.train.batch)))
    largest = max(search.probe_images, params.reference.batch, *batches)
    if n - search.validation < largest:
        raise InputError(f"{reading.PARAMS}: search.validation = {search.validation}: leaves {n - search.validation} "
                         f"of {n} training images; search.probe_images, reference.batch and the largest batch need "
                         f"{largest:g}")


def flat(conditions: dict[str, Any]) -> dict[str, Any]:
    """The conditions as MLflow's parameters, which have one level."""
    return {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in conditions.items()}


def directions(search: Search) -> list[Direction]:
    """Distances are minimised, accuracies maximised."""
    both: list[Direction] = ["minimize", "maximize"]
    return both[:len(search.objectives)]


def pruner(search: Search) -> optuna.pruners.BasePruner:
    """Prunes what is worse than the median of the complete trials at the same place, in the second half of the budget.

    Hyperband wants more trials than a small study has, and earlier distances say little about the last one. Optuna
    prunes no two objectives.
    """
    if len(search.objectives) == 2:
        return NopPruner()
    return MedianPruner(n_startup_trials=4, n_warmup_steps=search.images // 2)


def first_runs(params: Params) -> list[Order]:
    """The trials that a study begins with: those of the runs in search.first that the space holds."""
    orders = []
    for name in params.search.first:
        drawn = space.drawn_of(params.runs[name], params.search.space, params.train.run)
        if drawn is None:
            print(f"search: {name} lies outside search.space, or differs from section train, and is not tried",
                  file=sys.stderr)
        else:
            orders.append((drawn, Notes(first=name)))
    return orders


def work(setup: Setup, study: Study, orders: Sequence[Order], n_trials: int) -> None:
    """Runs trials, `orders` before others, until `n_trials` are finished, by whatever worker."""
    search, waiting = setup.search, False
    with tqdm(desc="search", total=n_trials, unit=" trials", disable=None, leave=False, dynamic_ncols=True) as bar:
        while (count := len(studies.finished(study))) < n_trials:
            bar.update(count - bar.n)
            trial = studies.claim(setup.storage, study, space.distributions(search.space), orders, n_trials,
                                  lambda begun: sampler(search, begun))
            if trial is not None:
                trials.attempt(setup, study, trial)
                continue
            if not waiting:
                tqdm.write("search: waiting for the trials of other workers", file=sys.stderr)
            waiting = True
            time.sleep(POLL_SECONDS)


def sampler(search: Search, begun: int) -> TPESampler:
    """The sampler of the trial that `begun` others came before."""
    seed = np.random.SeedSequence([search.seed, begun]).generate_state(1)[0].item()
    return TPESampler(seed=seed, n_startup_trials=search.n_startup_trials)


def confirm(setup: Setup, study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Trains the best trials again with further seeds, as a study of its own; one row for each training."""
    search, score = setup.search, setup.score
    chosen = analysis.candidates(table, score, search.candidates, len(search.objectives) == 2)
    if not chosen:
        reasons = table["reason"][table["state"] == "FAIL"]
        why = f"; the first failed with: {reasons.iloc[0]}" if len(reasons) else ""
        raise InputError(f"none of {len(table)} trials was completed{why}")
    finished = studies.finished(study)
    orders: dict[tuple[int, int], Order] = {}
    for place in chosen:
        drawn = space.drawn_of(trials.run_of(setup, finished[place]), search.space, setup.train.run) or {}
        for seed in range(search.seed + 1, search.seed + 1 + search.seeds):
            order = Notes(first=notes.read(finished[place]).first, of=studies.first(finished[place]), seed=seed)
            orders[place, seed] = drawn, order
    again = studies.open_study(setup.storage, f"{study.study_name}-seeds", study.user_attrs["conditions"],
                               directions(search), NopPruner())
    others = {studies.first(trial) for trial in again.get_trials(deepcopy=False)
              if not any(notes.says(trial, order) for _, order in orders.values())}
    work(setup, again, list(orders.values()), len(orders) + len(others))
    rows = []
    for (place, seed), (_, order) in orders.items():
        trial, = (trial for trial in studies.finished(again) if notes.says(trial, order))
        scores = notes.read(trial).scores if trial.state == TrialState.COMPLETE else {}
        rows.append({"candidate": place, "seed": seed} | {key: scores.get(key) for key in (score, analysis.PROBE)})
    repeats = pd.DataFrame(rows).astype({score: float, analysis.PROBE: float})
    if repeats[score].isna().all():
        raise InputError(f"none of the {len(chosen)} best trials could be repeated with another seed")
    return repeats


if __name__ == "__main__":
    stage.main(search)

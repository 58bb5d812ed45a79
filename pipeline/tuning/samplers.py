"""Who draws the parameters of a trial, and what may be asked of it."""
import importlib.util
import warnings
from collections.abc import Callable

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler

from pipeline.errors import InputError
from pipeline.params.searching import Search, when
from pipeline.tuning.studies import Direction


def check(search: Search) -> None:
    """InputError when the sampler needs a package that is not installed."""
    if search.sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
        raise InputError("params.yaml: search.sampler = 'cmaes': needs the package cmaes: pip install cmaes")


def directions(search: Search) -> list[Direction]:
    """Distances are minimised, accuracies maximised."""
    both: list[Direction] = ["minimize", "maximize"]
    return both[:len(search.objectives)]


def sampler(search: Search, begun: int) -> BaseSampler:
    """The sampler of the trial that `begun` others came before.

    TPE learns from pruned trials too; a Gaussian process and CMA-ES only from complete ones. Parameters with a
    condition are drawn together by TPE, and one by one by the others.
    """
    seed = np.random.SeedSequence([search.seed, begun]).generate_state(1)[0].item()
    random = search.n_startup_trials
    grouped = any(when(knob) for knob in search.space.values()) and len(search.objectives) == 1
    samplers: dict[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: (TPESampler(seed=seed, n_startup_trials=random, multivariate=True, group=True) if grouped else
                        TPESampler(seed=seed, n_startup_trials=random)),
        "gp": lambda: GPSampler(seed=seed, n_startup_trials=random),
        "cmaes": lambda: CmaEsSampler(seed=seed, n_startup_trials=random, warn_independent_sampling=False),
        "random": lambda: RandomSampler(seed=seed)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return samplers[search.sampler]()

"""What the finished trials say: which are best, how sure that is, and which parameters made the difference.

Everything is a function of the finished trials alone, whoever ran them and when.
"""
import itertools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from scipy import stats

from pipeline.params.searching import Space
from pipeline.params.sections import Run
from pipeline.tuning import notes, rungs, space

PROBE = "probe_accuracy_validation"
BEST = 0.25  # the share of the trials that counts as the best
DRAWS = 100  # bootstrap samples behind an interval of importance
CONFIDENCE = 0.95
AT = "_at_"  # between the name of a score and the rung where it was measured


def table(trials: list[FrozenTrial], knobs: Space, base: Run, score: str) -> pd.DataFrame:
    """One row for each finished trial: its place, state, run, `score` (lower is better), probe accuracy, and length,
    then the score at each rung.

    Scores of PRUNED trials are the last that they had, and those whose training has collapsed have that as their
    reason. FAILED ones have a reason and no score, not even one that they had on the way.
    """
    rows = []
    for place, trial in enumerate(trials):
        failed, known = trial.state == TrialState.FAIL, notes.read(trial)
        run = space.run_of(trial.params, knobs, base, exact=bool(known.first))
        scores = known.scores | {"images_seen": known.images_seen}
        rows.append({"trial": place, "first": known.first, "state": trial.state.name}
                    | {key: space.label(getattr(run, key)) for key in space.shown(knobs)}
                    | {key: None if failed else scores.get(key) for key in (score, PROBE, "images_seen")}
                    | {"reason": (known.reason or "its process died each time") if failed else known.collapse}
                    | ({} if failed else at_rungs(known.scores, score)))
    found = pd.DataFrame(rows)
    return found.astype({key: float for key in found if key == PROBE or str(key).startswith(score)})


def at_rungs(scores: Mapping[str, float | None], score: str) -> dict[str, float | None]:
    """Those of `scores` that were measured at rungs, the shortest rung first."""
    names = [name for name in scores if name.startswith(score + AT)]
    return {name: scores[name] for name in sorted(names, key=rung_of)}


def rung_of(name: str) -> int:
    """The rung in the name of a score at it."""
    return int(name.rpartition(AT)[2])


def ranking(trials: pd.DataFrame, score: str) -> list[int]:
    """The places of the trials, best first: those that went further before others, then by what Optuna minimises.

    Complete trials come first, failed ones last, as Optuna's TPE ranks them.
    """
    state = trials["state"].map({"COMPLETE": 0, "PRUNED": 1, "FAIL": 2})
    keys = pd.DataFrame({"state": state, "short": -trials["images_seen"].fillna(0), "score": minimised(trials, score)})
    keys.loc[state == 0, "short"] = 0  # complete ones went equally far, though not in images of equal updates
    return list(trials["trial"].loc[keys.sort_values(["state", "short", "score"], kind="stable").index])


def minimised(trials: pd.DataFrame, score: str) -> pd.Series:
    """The score of each trial, times the penalty of those that collapsed."""
    collapsed = (trials["reason"] != "") & (trials["state"] != "FAIL")
    return trials[score] * collapsed.map({True: math.exp(rungs.PENALTY), False: 1.0})


def candidates(trials: pd.DataFrame, score: str, count: int, two: bool, against: str) -> list[int]:
    """The places of the `count` best trials other than the run `against`, and of that one; empty without another.

    Where too few are complete, those that were pruned last follow. With two objectives, the best are those of the
    Pareto front with the smallest scores.
    """
    known = trials["first"].eq(against) if against else pd.Series(False, trials.index)
    if two:
        complete = trials[trials["state"] == "COMPLETE"]
        sound = trials["trial"].isin(front(complete, score))
    else:
        sound = (trials["state"] == "COMPLETE") | (trials["state"] == "PRUNED") & (trials["reason"] == "")
    eligible = set(trials["trial"][sound & ~known])
    others = [place for place in ranking(trials, score) if place in eligible][:count]
    return [*others, *trials["trial"][known][:1]] if others else []


def front(complete: pd.DataFrame, score: str) -> list[int]:
    """The places of the trials that no other beats in both the score and the probe's accuracy."""
    points = list(zip(complete["trial"], minimised(complete, score), complete[PROBE]))
    return [place for place, fid, probe in points
            if not any(f <= fid and p >= probe and (f, p) != (fid, probe) for _, f, p in points)]


def means(repeats: pd.DataFrame, score: str) -> pd.DataFrame:
    """For each candidate: mean, standard deviation and count of its scores over seeds, and how often it failed.

    Best first; whoever failed with a seed comes behind those that never did.
    """
    groups = repeats.groupby("candidate")[score]
    found = pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), "seeds": groups.count(),
                          "failed": groups.size() - groups.count()})
    return found.reset_index().sort_values(["failed", "mean", "candidate"], ignore_index=True)


@dataclass(frozen=True)
class Advantage:
    """The mean over `seeds` of ln(score of one run / score of another), and its 95 % interval; NaN for one seed."""
    ln: float
    low: float
    high: float
    seeds: int

    @property
    def better(self) -> bool:
        """Whether the interval lies wholly below 0."""
        return self.high < 0

    @property
    def worse(self) -> bool:
        """Whether the interval lies wholly above 0."""
        return self.low > 0


def effect(repeats: pd.DataFrame, one: int, other: int, score: str) -> Advantage | None:
    """The effect of training candidate `one` instead of `other`, paired by seed, by Student's t of the differences.

    None when no seed has both.
    """
    by_seed = repeats.pivot(index="seed", columns="candidate", values=score)
    found = (by_seed[one] / by_seed[other]).dropna().map(math.log)
    if found.empty:
        return None
    mean, n = float(found.mean()), len(found)
    error = float(found.std()) / math.sqrt(n)
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error if n > 1 else math.nan
    return Advantage(mean, mean - width, mean + width, n)


def agreement(trials: pd.DataFrame, repeats: pd.DataFrame, score: str) -> pd.DataFrame:
    """Kendall's tau-b between the scores at each two neighbouring rungs, and between each rung and the full length.

    Over the trials that reached both rungs, and the mean over seeds of those over the candidates. `n` is how many
    trials, or trainings, are behind it. No row where fewer than two can be compared.
    """
    rows = []
    names = sorted((str(name) for name in trials if str(name).startswith(score + AT)), key=rung_of)
    for low, high in itertools.pairwise(names):
        both = trials[[low, high]].dropna()
        if len(both) > 1:
            rows.append({"of": "trials", "from": rung_of(low), "to": rung_of(high), "n": len(both),
                         "tau": tau(both[low], both[high])})
    for name in sorted((str(name) for name in repeats if str(name).startswith(score + AT)), key=rung_of):
        both = repeats[["seed", name, score]].dropna()
        groups = [group for _, group in both.groupby("seed") if len(group) > 1]
        if groups:
            rows.append({"of": "candidates", "from": rung_of(name), "to": math.nan, "n": sum(map(len, groups)),
                         "tau": float(np.mean([tau(group[name], group[score]) for group in groups]))})
    return pd.DataFrame(rows, columns=["of", "from", "to", "n", "tau"]).dropna(subset="tau", ignore_index=True)


def tau(first: pd.Series, second: pd.Series) -> float:
    """Kendall's tau-b of two rankings; NaN where all of one are tied."""
    return float(stats.kendalltau(first, second).statistic)


def saved(trials: pd.DataFrame, budgets: pd.Series) -> float:
    """The share of all images, `budgets` for the trials that did not fail, that ending trials early saved."""
    ran = trials["state"] != "FAIL"
    return float(1 - trials["images_seen"][ran].sum() / budgets[ran].sum()) if ran.any() else 0.0


def importances(trials: pd.DataFrame, knobs: Space, score: str, seed: int) -> pd.DataFrame:
    """How much each parameter decides about reaching the best quarter of the trials; shares that add to 1.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv 2304.10255) of the parameters that every trial has. Trials are
    ranked as in `ranking`. `low` and `high` enclose 90 % of what resampled trials give. Empty when fewer than two
    trials are complete.
    """
    drawn = space.distributions(knobs)
    if (trials["state"] == "COMPLETE").sum() < 2 or not drawn:
        return pd.DataFrame(columns=["parameter", "importance", "low", "high"])
    order = {place: rank for rank, place in enumerate(ranking(trials, score))}
    ranked = [optuna.create_trial(
        state=TrialState.COMPLETE, value=float(order[row["trial"]]), distributions=drawn,  # only the order counts
        params={key: space.label(space.value_of(key, row[key])) for key in drawn}) for _, row in trials.iterrows()]
    rng = np.random.default_rng(seed)
    draws = [rng.choice(len(ranked), len(ranked)) for _ in range(DRAWS)]
    resampled = pd.DataFrame([_importance([ranked[place] for place in draw]) for draw in draws])
    found = _importance(ranked)
    rows = [{"parameter": key, "importance": found[key], "low": resampled[key].quantile(0.05),
             "high": resampled[key].quantile(0.95)} for key in drawn]
    return pd.DataFrame(rows).sort_values("importance", ascending=False, ignore_index=True)


def _importance(ranked: list[FrozenTrial]) -> dict[str, float]:
    study = optuna.create_study()
    study.add_trials(ranked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # resampled trials may all be equally good: equal importances
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST))

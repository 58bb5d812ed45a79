"""What the finished trials say: which are best, how sure that is, and which parameters made the difference.

Everything is a function of the finished trials alone, whoever ran them and when.
"""
import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from pipeline.params.searching import Knob, Range
from pipeline.params.sections import Run
from pipeline.tuning import notes, space
from pipeline.tuning.space import Space

PROBE = "probe_accuracy_validation"
BEST = 0.25  # the share of the trials that counts as the best
DRAWS = 200  # bootstrap samples behind an interval of importance


@dataclass(frozen=True)
class Conclusion:
    """The slides prefer one value of a parameter to another."""
    key: str
    preferred: float
    rejected: float


SLIDES = (Conclusion("beta1", 0.5, 0.9), Conclusion("lr", 2e-4, 1e-4), Conclusion("leak", 0.2, 0.3))


def table(trials: list[FrozenTrial], knobs: Space, base: Run, score: str) -> pd.DataFrame:
    """One row for each finished trial: its place, state, run, `score` (lower is better), probe accuracy, and length.

    Scores of PRUNED trials are the last that they had, and those whose training ended on a collapse have that as their
    reason. FAILED ones have a reason and no score, not even one that they had on the way.
    """
    rows = []
    for place, trial in enumerate(trials):
        failed, known = trial.state == TrialState.FAIL, notes.read(trial)
        run = space.run_of(trial.params, knobs, base, exact=bool(known.first))
        scores = known.scores | {"images_seen": known.images_seen}
        rows.append({"trial": place, "first": known.first, "state": trial.state.name}
                    | {key: getattr(run, key) for key in space.shown(knobs)}
                    | {key: None if failed else scores.get(key) for key in (score, PROBE, "images_seen")}
                    | {"reason": (known.reason or "its process died each time") if failed else known.collapse})
    return pd.DataFrame(rows).astype({score: float, PROBE: float})


def candidates(trials: pd.DataFrame, score: str, count: int, two: bool) -> list[int]:
    """The places of the `count` best complete trials, and of the best of the first runs.

    With two objectives, the best are those of the Pareto front with the smallest scores.
    """
    complete = trials[trials["state"] == "COMPLETE"].sort_values(score, kind="stable")
    best = complete[complete["trial"].isin(front(complete, score))] if two else complete
    known = complete[complete["first"] != ""]
    return list(dict.fromkeys([*best["trial"][:count], *known["trial"][:1]]))


def front(complete: pd.DataFrame, score: str) -> list[int]:
    """The places of the trials that no other beats in both the score and the probe's accuracy."""
    points = list(zip(complete["trial"], complete[score], complete[PROBE]))
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


def misranked(repeats: pd.DataFrame, score: str) -> tuple[int, int]:
    """How many of all (pair of candidates, seed) rank against the mean of the other seeds, and how many there are."""
    by_seed = repeats.pivot(index="seed", columns="candidate", values=score)
    wrong = total = 0
    for a, b in itertools.combinations(by_seed.columns, 2):
        gaps = (by_seed[a] - by_seed[b]).dropna()
        if len(gaps) > 1:
            others = (gaps.sum() - gaps) / (len(gaps) - 1)
            wrong += int((gaps * others < 0).sum())
            total += len(gaps)
    return wrong, total


def saved(trials: pd.DataFrame, budget: int) -> float:
    """The share of all images, `budget` for each trial that did not fail, that ending trials early saved."""
    ran = trials[trials["state"] != "FAIL"]
    return 1 - ran["images_seen"].sum() / (budget * len(ran)) if len(ran) else 0.0


def importances(trials: pd.DataFrame, knobs: Space, score: str, seed: int) -> pd.DataFrame:
    """How much each parameter decides about reaching the best quarter of the trials; shares that add to 1.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv 2304.10255). Trials that were ended early or failed count as not
    among the best. `low` and `high` enclose 90 % of what resampled trials give. Empty when fewer than two trials are
    complete.
    """
    drawn = space.distributions(knobs)
    complete = trials["state"] == "COMPLETE"
    if complete.sum() < 2 or not drawn:
        return pd.DataFrame(columns=["parameter", "importance", "low", "high"])
    # Only the order counts; Optuna leaves out what is not finite.
    values = trials[score].where(complete, trials[score][complete].max() + 1).to_numpy()
    rng = np.random.default_rng(seed)
    everything = np.arange(len(trials))
    draws = [rng.choice(everything, len(everything)) for _ in range(DRAWS)]
    resampled = pd.DataFrame([_importance(trials, values, draw, drawn) for draw in draws])
    found = _importance(trials, values, everything, drawn)
    rows = [{"parameter": key, "importance": found[key], "low": resampled[key].quantile(0.05),
             "high": resampled[key].quantile(0.95)} for key in drawn]
    return pd.DataFrame(rows).sort_values("importance", ascending=False, ignore_index=True)


def _importance(trials: pd.DataFrame, values: np.ndarray, rows: np.ndarray,
                drawn: dict[str, BaseDistribution]) -> dict[str, float]:
    study = optuna.create_study()
    study.add_trials([optuna.create_trial(state=TrialState.COMPLETE, value=values[row], distributions=drawn,
                                          params={key: trials[key].iloc[row].item() for key in drawn})
                      for row in rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # resampled trials may all be equally good: equal importances
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST))


def best_quarter(trials: pd.DataFrame, score: str) -> pd.DataFrame:
    """The best quarter of all trials, and at least two: complete ones, best first."""
    complete = trials[trials["state"] == "COMPLETE"].sort_values(score, kind="stable")
    return complete[:max(2, math.ceil(BEST * len(trials)))]


def verdicts(trials: pd.DataFrame, knobs: Space, score: str) -> list[dict[str, Any]]:
    """What the best quarter says of each of the slides' conclusions whose parameter was searched.

    One survives when most of the best, and more of them than of all trials, lie nearer to the preferred value.
    """
    best, found = best_quarter(trials, score), []
    for conclusion in SLIDES:
        key, knob = conclusion.key, knobs[conclusion.key]
        if not isinstance(knob, Range | list):
            continue
        nearer, of_all = (float(np.mean([_nearer(value, conclusion, knob) for value in table[key]]))
                          for table in (best, trials))
        inside = best[key].min() <= conclusion.preferred <= best[key].max()
        if nearer < of_all and nearer < 0.5:
            verdict = "does not survive"
        elif nearer > of_all and nearer > 0.5:
            verdict = "survives" if inside else "the direction survives, the value does not"
        else:
            verdict = "stays open"
        found.append({"key": key, "preferred": conclusion.preferred, "rejected": conclusion.rejected,
                      "low": best[key].min(), "high": best[key].max(), "nearer": nearer, "of_all": of_all,
                      "best": len(best), "verdict": verdict})
    return found


def _nearer(value: float, conclusion: Conclusion, knob: Knob) -> bool:
    """Whether `value` is nearer to what the slides prefer than to what they reject."""
    scale = math.log if isinstance(knob, Range) and knob.log else float
    return abs(scale(value) - scale(conclusion.preferred)) < abs(scale(value) - scale(conclusion.rejected))

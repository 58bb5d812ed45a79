"""The commands that are disturbed: what each is given, what it makes, and the small study that all begin with."""
import functools
import importlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from pipeline import __main__ as cli
from pipeline import code, stage
from pipeline.data import digits
from tests.chaos import operations
from tests.chaos.operations import Plan
from tests.conftest import FORKS, PRELOADED, write_params

# As small as the schema allows, so that a command takes a second or two. Every number that needs a clock is out.
TINY: dict[str, Any] = {
    "data": {"name": "images", "directory": "pictures",
             "pictures": {"size": 28, "channels": 1, "smallest": 28, "test": 0.25, "deduplicate": False}},
    "reference.epochs": 1, "reference.batch": 50,
    "train.network": "guidelines-28", "train.width": 0.125, "train.epochs": 1, "train.fid_every": 80,
    "train.fid_images": 20, "train.statistics_images": 20, "train.grid": 2, "train.report_images": 50,
    "train.checkpoint_seconds": 0,
    "evaluate.fid_images": 40, "evaluate.probe_images": 100, "evaluate.seeds": 1, "evaluate.memorisation_images": 20,
    "evaluate.generated_labels": [20], "evaluate.labels_per_class": 2, "evaluate.resamples": 2,
    "evaluate.supervised_epochs": 1, "evaluate.probe_C": [0.1],
    "internals.points": 2, "internals.steps": 2, "internals.path_pairs": 2, "internals.trials": 2,
    "internals.images": 20, "internals.draws": 2, "internals.candidates": 40, "internals.exemplars": 2,
    "internals.ablation_images": 70,
    "search.rungs": [100], "search.pruner": "none", "search.validation": 40, "search.probe_images": 100,
    "search.n_trials": 2,
    "search.first": ["test4", "test1"], "search.candidates": 1, "search.seeds": 1, "search.space.batch": [50, 100],
    "runs": {"test1": {"batch": 50, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
             "test4": {"batch": 50, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}},
    "transfers": {"own": {"model": "models/test4/seed0"}}, "hardware.precision": "fp32"}
PICTURES = 20  # of each digit
BEST = "trial: 0\nrun: {batch: 64, lr: 0.001, beta1: 0.25, leak: 0.1}\nagainst: test4\nbeats: true\n"
ENVIRONMENT = {"DCGAN_TRACKING": "off", "OMP_NUM_THREADS": "1"}
LOCK_SECONDS = 3  # after which a worker takes the journal's lock from one that was killed; Optuna's own number is 30
PARTIAL = ".dcgan-partial"


@dataclass(frozen=True)
class Case:
    """A command, the outputs that appear whole or not at all, and others that are whole in the end.

    Whoever made all of them and starts `again` gets an error that says so, if that is a text.
    """
    words: tuple[str, ...]
    whole: tuple[str, ...]
    others: tuple[str, ...] = ()
    again: str = ""

    @property
    def name(self) -> str:
        return self.words[0]


CASES = {case.name: case for case in (
    Case(("fetch",), ("data/arrays/images",)),
    Case(("reference",), ("models/reference",)),
    Case(("controls",), ("reports/controls/scores.json",)),
    Case(("train", "test4", "0"), ("models/test4/seed0",), ("reports/train/test4/seed0",)),  # curves are shown early
    Case(("evaluate", "test4", "0"), ("reports/evaluate/test4/seed0",)),
    Case(("internals", "test4"), ("reports/internals/test4",)),
    Case(("transfer", "own"), ("reports/transfer/own/scores.json",)),
    Case(("claims",), ("reports/claims",)),
    Case(("search",), ("reports/search",)),
    Case(("report",), ("reports/report", "reports/report.md", "reports/details.md", "reports/report.html",
                       "reports/metrics.json")),
    Case(("promote",), ("params.yaml",)),
    Case(("new", "mine"), ("studies/mine",), again="is there already; choose another name"),
)}
INPUTS = ("code", "pictures", "params.yaml", "dvc.yaml", "data", "models", "reports", ".work/reference")


def base(folder: Path) -> Path:
    """Makes `folder` a study in which every stage but the search has run."""
    (folder / "code").mkdir(parents=True)
    for name in code.stages():
        (folder / "code" / name).write_text(fingerprints()[name])
    write_params(folder / "params.yaml", TINY)
    found = digits.arrays()
    for label in range(10):
        (folder / f"pictures/{label}").mkdir(parents=True)
        for i, image in enumerate(found["train_images"][found["train_labels"] == label][:PICTURES, 0]):
            Image.fromarray(image).save(folder / f"pictures/{label}/{i:02}.png")
    for case in CASES.values():
        if case.name not in ("search", "promote", "new", "report"):
            ended = Running(case, folder, Plan()).end()
            assert ended.status == 0, ended.errors
    for words in (("train", "test1", "0"), ("evaluate", "test1", "0")):
        ended = Running(Case(words, ()), folder, Plan()).end()
        assert ended.status == 0, ended.errors
    (folder / "reports/search").mkdir()
    (folder / "reports/search/best.yaml").write_text(BEST)
    return folder


def prepared(case: Case, made: Path, folder: Path) -> Path:
    """A fresh study in `folder`, with all that the study `made` has but what `case` makes."""
    for part in INPUTS:
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (made / part).is_dir():
            shutil.copytree(made / part, target, symlinks=True)
        elif (made / part).exists():
            shutil.copy(made / part, target)
    for path in (*case.whole, *case.others):
        if path != "params.yaml":
            remove(folder / path)
    if case.name == "reference":
        remove(folder / ".work/reference")
    if case.name == "search":
        remove(folder / "reports")
    return folder


@functools.cache
def fingerprints() -> dict[str, str]:
    """What code.fingerprint says; a process needs a second or two for it."""
    return {name: code.fingerprint(name) for name in (
        *code.stages(), "scores.classifier", "scores.frechet", "scores.reference_model", "tuning.trials")}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Ended:
    """The status of a process, its two outputs, and the operations on files that it did or began."""
    status: int
    output: str
    errors: str
    operations: list[str]


class Running:
    """A command in a process of its own, whose operations on files are watched."""

    def __init__(self, case: Case, folder: Path, plan: Plan, first: Callable[[], None] | None = None) -> None:
        self.logs = folder / ".logs"
        self.logs.mkdir(exist_ok=True)
        FORKS.set_forkserver_preload([*PRELOADED, "pipeline.commands.promote", "pipeline.commands.new", __name__])
        self.process = FORKS.Process(target=_run, args=(
            case.words, folder, self.logs, plan, first, fingerprints()))
        self.process.start()

    def end(self) -> Ended:
        """What is known when the process has ended."""
        self.process.join()
        read = [(self.logs / name).read_text() for name in ("output", "errors", "operations")]
        status = self.process.exitcode
        self.process.close()
        return Ended(status, read[0], read[1], read[2].splitlines())


def _run(words: tuple[str, ...], folder: Path, logs: Path, plan: Plan, first: Callable[[], None] | None,
         known: dict[str, str]) -> None:
    os.chdir(folder)
    code.fingerprint = lambda module: known[module]
    os.environ.update(ENVIRONMENT)
    os.environ.pop("DVC_ROOT", None)
    for name, number in (("output", 1), ("errors", 2)):
        os.dup2(os.open(logs / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))
    torch.set_num_threads(1)
    sys.argv = [words[0], *words[1:]]
    if words[0] == "search":
        from optuna.storages import journal

        from pipeline.tuning import analysis
        journal.JournalFileSymlinkLock.__init__.__defaults__ = (LOCK_SECONDS,)
        analysis.DRAWS = 2
    if first is not None:
        first()
    operations.watch(folder, logs / "operations", plan)
    if words[0] in code.stages():
        stage.main(getattr(importlib.import_module(f"pipeline.{words[0]}"), words[0]))
    else:
        sys.argv = ["dcgan", *words]
        cli.main()

"""The study as DVC runs it: what is declared, what reruns, the run-cache, experiments, studies, killed trainings."""
import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline import code
from pipeline.commands.new import link
from tests.conftest import ROOT, SMALL, Params, change_params, stage, started, write_params

STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
RUNS = {"test1": {"batch": 64, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
        "test4": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}}
TRAININGS = ["test1-0", "test4-0"]
EVERYTHING = {"code", "fetch", "reference", "controls", "internals@test4", "claims", "report",
              *(f"{name}@{key}" for name in ("train", "evaluate") for key in TRAININGS)}


def body(name: str) -> dict[str, Any]:
    return STAGES[name].get("do", STAGES[name])


def outputs_of(name: str) -> Iterator[tuple[str, bool]]:
    """(path, whether DVC's cache keeps it) of everything that a stage writes."""
    for out in body(name).get("outs", []) + body(name).get("metrics", []) + body(name).get("plots", []):
        path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
        yield path, options.get("cache", True)


def test_a_stage_depends_on_its_fingerprint_and_on_no_module() -> None:
    assert set(STAGES) == {"code", *code.stages()}
    for name in code.stages():
        deps = body(name)["deps"]
        assert deps[0] == f"code/{name}" and not any("pipeline" in dep or dep.endswith(".py") for dep in deps)
        assert body(name)["cmd"].startswith(f"python -m pipeline.{name}")


def test_nothing_depends_on_the_search() -> None:
    assert not any("search" in dep for name in STAGES if name != "search" for dep in body(name)["deps"])


def test_every_output_is_either_ignored_by_hand_or_meant_for_git() -> None:
    """In the repository's study and in those of studies/, whose fingerprints are not in git."""
    for name in STAGES:
        for path, cached in outputs_of(name):
            for old, new in (("${item.run}", "a"), ("${item.seed}", "0"), ("${item}", "a"), ("${key}", "a"),
                             ("${data.name}", "mnist")):
                path = path.replace(old, new)
            for folder in ("", "studies/x/"):
                ignored = subprocess.run(["git", "check-ignore", "-q", folder + path], cwd=ROOT).returncode == 0
                for_git = path.startswith("reports/") and path != "reports/report.html"
                if path == "code":
                    assert ignored == (folder != "") and not cached
                else:
                    assert cached == ignored == (not for_git), folder + path


def test_the_files_that_people_read_stay_short() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 170
    lock = ROOT / "dvc.lock"
    assert not lock.exists() or lock.stat().st_size <= 25_000
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


TOGETHER = pytest.mark.xdist_group("clone")  # in one process, one after the other


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone for several tests."""
    return cloned(tmp_path_factory.mktemp("clone") / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A clone in which nothing has run yet."""
    return cloned(tmp_path / "project")


def cloned(folder: Path) -> Path:
    """A fresh clone of this project, as it stands here, with a study small enough for a test: two runs on digits."""
    folder.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=True, text=True).stdout.split("\0")
    for file in listed:
        if file and (ROOT / file).is_file() and not file.startswith(("reports/", "studies/", "code/")) and (
                file != "dvc.lock"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file, follow_symlinks=False)
    write_params(folder / "params.yaml", {"runs": RUNS, "search.first": ["test1", "test4"]})
    home = folder / "studies/small"
    home.mkdir(parents=True)
    write_params(home / "params.yaml", {"runs": {"test4": {"lr": 3e-4}}, "search.first": []})
    link(home)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A small study")
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def active() -> dict[str, str]:
    """What a user with an active environment has; tracking stays off."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}


def dcgan_repro(folder: Path) -> str:
    """What `dcgan repro` and its children print."""
    result = subprocess.run([sys.executable, "-m", "pipeline", "repro"], cwd=folder, env=active(), capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def dvc(folder: Path, *words: str, fails: bool = False) -> str:
    """Runs dvc as a user does."""
    result = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, env=active(), capture_output=True,
                            text=True)
    assert (result.returncode != 0) == fails, result.stdout + result.stderr
    return result.stdout + (result.stderr if fails else "")


def recorded(folder: Path) -> None:
    """The study has its report, and git has both; quick where that is so already."""
    dvc(folder, "repro", "report")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Results", "--allow-empty")


def ran(output: str) -> set[str]:
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.slow
def test_the_study_in_a_fresh_clone(fresh: Path) -> None:
    """From nothing to a report; nothing; code that changes or does not; one branch; the run-cache; the same bytes."""
    clone = fresh
    output = dcgan_repro(clone)
    assert ran(output) == EVERYTHING and "=== training 1 of 2: test1-0 ===" in output
    assert re.search(r"shows what is there so far.\n\n=== training 2 of 2: test4-0, about \d+ minute", output)
    page = (clone / "reports/report.md").read_text()
    assert "| test1 | 64 |" in page and "| test4 | 100 |" in page and "Still to come" not in page
    assert dcgan_repro(clone) == "Everything is up to date: reports/report.html\n"
    status = git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line[3:].split("/")[0] for line in status} == {"dvc.lock", "reports", "code"}
    assert ran(dvc(clone, "repro", "report")) == set()
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "Results")

    losses = clone / "pipeline/gan/losses.py"
    before = losses.read_text()
    edit(losses, '"""', '"""Other words. ')
    assert "code" in dvc(clone, "status")
    assert ran(dvc(clone, "repro", "report")) == {"code"} and git(clone, "status", "--porcelain", "code") == ""
    losses.write_text(before.replace("clamp(min=-60)", "clamp(min=-59)"))
    assert ran(dvc(clone, "repro", "code")) == {"code"}
    changed = {line[3:] for line in git(clone, "status", "--porcelain", "code").splitlines()}
    assert changed == {f"code/{name}" for name in ("train", "evaluate", "internals", "transfer", "search")}
    assert set(json.loads(dvc(clone, "status", "--json"))) >= {f"train@{key}" for key in TRAININGS}
    losses.write_text(before)
    output = dvc(clone, "repro", "report")
    assert ran(output) == {"code"}  # as it was: nothing else runs
    assert (clone / "reports/report.md").read_text() == page

    parameters = (clone / "params.yaml").read_text()
    change_params(clone / "params.yaml", {"runs.test4.lr": 1e-3})
    changed = {"train@test4-0", "evaluate@test4-0", "internals@test4", "claims", "report"}
    assert ran(dvc(clone, "repro", "report")) == changed
    (clone / "params.yaml").write_text(parameters)
    output = dvc(clone, "repro", "report")
    assert "train@test4-0" not in ran(output) and "is cached - skipping run" in output
    assert (clone / "reports/report.md").read_text() == page

    change_params(clone / "params.yaml", {"seeds": [0, 3]})
    assert {name for name in ran(dvc(clone, "repro", "evaluate")) if "@" in name} == {
        f"{name}@{run}-3" for name in ("train", "evaluate") for run in RUNS}
    (clone / "params.yaml").write_text(parameters)
    git(clone, "clean", "-fdq", "reports")  # what the third seed left
    dvc(clone, "repro", "report")
    assert {name for name in ran(dvc(clone, "repro", "-f", "train@test4-0")) if "@" in name} == {"train@test4-0"}
    assert ran(dvc(clone, "repro", "report")) == set()  # the same bytes


@TOGETHER
@pytest.mark.slow
def test_what_dvc_shows(clone: Path) -> None:
    """Chief metrics without warnings, few columns, plots of every training, and what a parameter changed."""
    recorded(clone)
    shown = subprocess.run([sys.executable, "-m", "dvc", "metrics", "show"], cwd=clone, capture_output=True, text=True)
    assert shown.returncode == 0 and "test4.fid_classifier_400" in shown.stdout and not shown.stderr.strip()
    columns = dvc(clone, "exp", "show", "--csv").splitlines()[0].split(",")
    assert not any("studies" in column for column in columns)
    plots = json.loads(dvc(clone, "plots", "show", "--json"))["data"]
    assert all(f"reports/train/{run}/seed0/losses.csv" in " ".join(plots) for run in RUNS)
    change_params(clone / "params.yaml", {"runs.test4.leak": 0.3})
    assert "runs.test4.leak" in dvc(clone, "params", "diff")
    git(clone, "checkout", "params.yaml")


@TOGETHER
@pytest.mark.slow
def test_experiments_in_the_workspace_in_a_copy_and_in_the_queue(clone: Path) -> None:
    """They share scratch, precision and MLflow's store with the repository, and leave it as it was."""
    recorded(clone)
    assert "test4" in dvc(clone, "exp", "run", "-S", "runs.test4.leak=0.1", "report")
    assert "leak: 0.1" in (clone / "params.yaml").read_text()
    git(clone, "reset", "-q", "--hard")
    output = dvc(clone, "exp", "run", "--temp", "-S", "runs.test4.leak=0.15", "evaluate@test4-0")
    assert ran(output) >= {"train@test4-0"} and "leak: 0.15" not in (clone / "params.yaml").read_text()
    assert not list(clone.glob(".dvc/tmp/exps/**/.work")) and (clone / ".work/reference").exists()
    dvc(clone, "exp", "run", "--queue", "-S", "runs.test1.leak=0.25", "train@test1-0")
    dvc(clone, "exp", "run", "--run-all")
    shown = dvc(clone, "exp", "show", "--csv")
    assert all(value in shown for value in ("0.1,", "0.15", "0.25"))
    assert git(clone, "status", "--porcelain", "--untracked-files=no") == ""


@TOGETHER
@pytest.mark.slow
def test_a_study_is_a_folder_of_its_own_that_shares_what_others_made(clone: Path) -> None:
    recorded(clone)
    home, fitted = clone / "studies/small", sorted((clone / ".work/reference").iterdir())
    output = dvc(home, "repro", "report")
    assert ran(output) >= {"controls", "train@test4-0", "report"}
    for name in ("fetch", "reference"):  # from the run-cache of the repository's own study
        assert f"Stage '{name}' is cached - skipping run" in output
    assert fitted and sorted((clone / ".work/reference").iterdir()) == fitted  # nor is a classifier fitted again
    assert (home / "reports/report.md").exists() and (home / "dvc.lock").exists()
    status = git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert all(line[3:].startswith(("studies/small/reports", "studies/small/dvc.lock")) for line in status), status
    assert "studies" not in dvc(clone, "status")
    output = dvc(home, "exp", "run", "--temp", "-S", "runs.test4.lr=0.001", "train@test4-0")
    assert ran(output) >= {"train@test4-0"}


@TOGETHER
@pytest.mark.slow
def test_a_search_and_its_promoted_winner(clone: Path) -> None:
    """The search in the study's clone; its winner becomes a run, which is trained, scored and reported like any."""
    dvc(clone, "repro", "report")
    assert ran(dvc(clone, "repro")) == {"search"} and ran(dvc(clone, "repro")) == set()
    lock = (clone / "dvc.lock").read_bytes()
    assert ran(dvc(clone, "repro", "-f", "-s", "search")) == {"search"} and (clone / "dvc.lock").read_bytes() == lock
    result = subprocess.run([sys.executable, "-m", "pipeline", "promote", "--anyway"], cwd=clone, capture_output=True,
                            text=True)
    assert result.returncode == 0 and "runs.searched is" in result.stdout
    assert ran(dvc(clone, "repro", "report")) == {"train@searched-0", "evaluate@searched-0", "claims", "report"}
    page = (clone / "reports/report.md").read_text()
    assert "| searched |" in page and "searched: samples" in page


@TOGETHER
@pytest.mark.slow
def test_dvc_commit_over_other_code_is_found_out(clone: Path) -> None:
    """DVC records what it is told to; the next stage refuses to build on it, in one line."""
    recorded(clone)
    losses = clone / "pipeline/gan/losses.py"
    before = losses.read_text()
    losses.write_text(before.replace("clamp(min=-60)", "clamp(min=-58)"))
    try:
        dvc(clone, "repro", "code")
        dvc(clone, "commit", "-f", "train@test4-0")
        output = dvc(clone, "repro", "-s", "evaluate@test4-0", fails=True)
        line, = [line for line in output.splitlines() if line.startswith("evaluate: ")]
        assert "models/test4/seed0" in line and "code/train" in line and "dvc repro" in line
    finally:
        losses.write_text(before)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_training_that_is_killed_ends_in_the_same_bytes(
        study: Params, tmp_path: Path, sent: signal.Signals) -> None:
    study({"train.checkpoint_seconds": 0, "train.epochs": 4})
    assert stage("train", "test4", "0").returncode == 0
    undisturbed = contents(tmp_path)
    shutil.rmtree(tmp_path / "models/test4")
    shutil.rmtree(tmp_path / "reports/train")
    process, read = started("train", "test4", "0")
    curve = tmp_path / "reports/train/test4/seed0/losses.csv"
    while not (list(tmp_path.glob(".work/train/*/state.pt")) and curve.exists()):
        assert process.is_alive(), read()
        time.sleep(0.01)
    assert curve.read_text().startswith("images_seen")  # it grows while the training runs
    os.kill(process.pid, sent)
    process.join()
    assert process.exitcode == (-9 if sent == signal.SIGKILL else 130) and not (tmp_path / "models/test4").exists()
    resumed = stage("train", "test4", "0")
    assert resumed.returncode == 0 and "resuming after" in resumed.stderr
    assert contents(tmp_path) == undisturbed and not list(tmp_path.glob(".work/train/*"))


def contents(folder: Path) -> dict[str, bytes]:
    """Everything that the training of test4 leaves."""
    found = {str(path.relative_to(folder)): path.read_bytes() for part in ("models/test4", "reports/train")
             for path in (folder / part).rglob("*") if path.is_file()}
    assert len(found) >= 6
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_tracking_changes_no_byte(study: Params, tmp_path: Path) -> None:
    """Fingerprints leave pipeline.tracking out because of this."""
    found = []
    for tracking in ("off", "on"):
        for words in (["train", "test4", "0"], ["evaluate", "test4", "0"]):
            result = stage(*words, environment={"DCGAN_TRACKING": tracking, "MLFLOW_DISABLE_TELEMETRY": "true"})
            assert result.returncode == 0, result.stderr
        scored = tmp_path / "reports/evaluate/test4/seed0"
        found.append(contents(tmp_path) | {path.name: path.read_bytes() for path in scored.iterdir()})
        shutil.rmtree(tmp_path / "models/test4")
    assert found[0] == found[1] and (tmp_path / "mlflow.db").exists()


@pytest.mark.slow
def test_two_processes_train_one_run(study: Params, tmp_path: Path) -> None:
    """As README has it; the fingerprint is checked by each of them."""
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "pipeline.train", "test4", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    study({"train.epochs": 1, "train.images": 400})
    result = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    facts = json.loads((tmp_path / "models/test4/seed0/model.json").read_text())
    assert facts["device"]["processes"] == 2 and facts["images_seen"] == 400
    (tmp_path / "code/train").write_text("0" * 16 + "  pipeline/train.py\n")
    result = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)
    assert result.returncode != 0 and result.stderr.count("code/train was recorded for other code") == 2


def test_model_json_has_every_effective_value_and_the_installed_versions(studied: Path) -> None:
    facts = json.loads((studied / "models/test4/seed0/model.json").read_text())
    assert facts["run"] == {"network": "slides", "width": 1.0, "violate": [], "images": None, "epochs": 2,
                            "decay_epochs": 0, "batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2, "lr_G": None,
                            "lr_D": None, "d_steps": 1, "label_smoothing": 0.0, "flip": False, "ema": 0.0,
                            "keep": "last", "on_collapse": "warn"}
    assert facts["seed"] == 0 and facts["train"]["fid_every"] == 1000 and facts["train"]["batch_norm"] == "recomputed"
    assert facts["packages"] == code.packages("train") and facts["code"] == code.digest("train")


def test_what_does_not_fit_the_data_is_refused_and_nothing_is_lost(study: Params, tmp_path: Path) -> None:
    kept = tmp_path / "models/test4/seed0/old"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    for changes, message in (
            ({"runs.test4.batch": 1438}, "runs.test4.batch = 1438: expected at most 1437, the training images"),
            ({"train.network": "udacity-svhn"}, "generates images of 3 channels; digits has 1"),
            ({"train.network": "torch-46"}, "no network 'torch-46' (did you mean 'torch-64'?)")):
        study(changes)
        result = stage("train", "test4", "0")
        assert result.returncode == 1 and result.stderr.count("\n") == 1
        assert "params.yaml: runs.test4" in result.stderr and message in result.stderr
        assert kept.read_text() == "kept"


@pytest.mark.slow
def test_pictures_without_classes_are_trained_on_and_scored(params: Params, tmp_path: Path) -> None:
    """Their distance is taken in the features of rotation prediction, and says so; there is no probe."""
    from PIL import Image

    from pipeline.data import digits
    (tmp_path / "faces").mkdir()
    for i, image in enumerate(digits.arrays()["train_images"][:300, 0]):
        Image.fromarray(image).save(tmp_path / f"faces/{i:03}.png")
    data = {"name": "images", "directory": "faces",
            "pictures": {"size": 28, "channels": 1, "smallest": 28, "test": 0.2, "deduplicate": False}}
    changes = {"data": data, "train.network": "guidelines-28", "train.width": 0.25, "train.epochs": 1}
    params(changes)
    for words in (["fetch"], ["reference"], ["controls"], ["train", "test4", "0"], ["evaluate", "test4", "0"]):
        result = stage(*words)
        assert result.returncode == 0, result.stderr
    controls, scores = (json.loads((tmp_path / "reports" / path / "scores.json").read_text())
                        for path in ("controls", "evaluate/test4/seed0"))
    assert not any("class" in key.split("_by_")[0] or "probe" in key for key in controls | scores)
    assert controls["test_images"] == 60 and controls["rotation_accuracy_test"] > 0.4
    assert scores["fid_rotation_400"] > controls["fid_rotation_60_of_test_images"]
    params(changes | {"train.network": "paper-mnist"})
    result = stage("train", "test4", "0")
    assert result.returncode == 1 and "is conditioned on 10 classes; images has 1" in result.stderr


def test_no_module_name_and_no_class_name_has_two_meanings() -> None:
    """Rooms share no basename, but for a topic's mathematics and its pictures; no class is called like another."""
    paths = [path for path in (ROOT / "pipeline").rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    names = [path.stem for path in paths if "shown" not in path.parts]
    assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)
    rooms: dict[str, set[str]] = {}
    for path in paths:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                rooms.setdefault(node.name, set()).add(path.relative_to(ROOT / "pipeline").parts[0])
    assert not {name for name, found in rooms.items() if len(found) > 1}


def test_a_small_study_has_every_section() -> None:
    assert set(SMALL) == {"data", "hardware", "reference", "train", "runs", "seeds", "evaluate", "internals", "search",
                          "transfers", "claims"}

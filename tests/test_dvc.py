"""The study as DVC runs it: dependencies, outputs, repetition, run-cache, and a training that is killed."""
import ast
import json
import os
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

from tests.conftest import ROOT, SMALL, Params, change_params
from tests.conftest import stage as run_stage

FILES = {file: YAML(typ="safe").load((ROOT / file).read_text())["stages"] for file in ("dvc.yaml", "recipes/dvc.yaml")}
STAGES = [(file, name) for file, stages in FILES.items() for name in stages]


def body(name: str, file: str = "dvc.yaml") -> dict[str, Any]:
    return FILES[file][name].get("do", FILES[file][name])


def outputs_of(stage: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """(path, whether DVC's cache keeps it) of everything that a stage writes."""
    for out in stage.get("outs", []) + stage.get("metrics", []) + stage.get("plots", []):
        path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
        yield path, options.get("cache", True)


def imports(file: Path, found: set[Path] | None = None) -> set[Path]:
    """`file` and every file of this package that it imports, directly or not, at its top or inside a function."""
    found = found if found is not None else set()
    if file in found or not file.is_file():
        return found
    found |= {file}
    for parent in file.parents[:len(file.relative_to(ROOT / "pipeline").parts)]:
        imports(parent / "__init__.py", found)
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in names:
            if module.split(".")[0] == "pipeline":
                imports(ROOT / (module.replace(".", "/") + ".py"), found)
    return found


@pytest.mark.parametrize(("file", "name"), STAGES)
def test_a_stages_deps_are_its_modules_and_the_files_it_reads(file: str, name: str) -> None:
    """DVC does not follow imports: a module that is missing here could change without the stage running again."""
    listed = {dep for dep in body(name, file)["deps"] if dep.endswith(".py")}
    assert listed == {str(path.relative_to(ROOT)) for path in imports(ROOT / f"pipeline/{name}.py")}
    beside = {dep for dep in body(name, file)["deps"] if dep.startswith("pipeline/")} - listed
    assert beside == {str(path.relative_to(ROOT)) for path in (ROOT / "pipeline").glob(f"{name}.*")
                      if path.suffix != ".py"}


def test_the_search_depends_on_all_its_parameters_and_on_the_runs_that_it_begins_with() -> None:
    """Not on search.storage, where no number comes from, nor on all runs: promoting one must not start a new search."""
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    listed = body("search")["params"]
    assert {key for key in listed if key.startswith("search.")} == {
        f"search.{key}" for key in params["search"] if key != "storage"}
    assert [key for key in listed if key.startswith("runs.")] == [f"runs.{name}" for name in params["search"]["first"]]


def test_nothing_depends_on_the_search() -> None:
    for file, name in STAGES:
        assert not any(dep.startswith("reports/search") for dep in body(name, file)["deps"])


@pytest.mark.parametrize(("file", "name"), STAGES)
def test_a_stages_command_names_its_module_and_every_file_it_reads_and_writes(file: str, name: str) -> None:
    stage = body(name, file)
    python, dash_m, module, *words = stage["cmd"].split()
    assert (python, dash_m, module) == ("python", "-m", f"pipeline.{name}")
    outputs = [path for path, _ in outputs_of(stage)]
    inputs = [dep for dep in stage["deps"] if not dep.startswith("pipeline/")]
    for path in inputs + outputs:
        assert any(path == word or path.startswith(word + "/") for word in words), path


def test_every_output_is_either_ignored_by_hand_or_meant_for_git() -> None:
    for file, name in STAGES:
        for path, cached in outputs_of(body(name, file)):
            path = path.replace("${key}", "test1").replace("${data.name}", "mnist")
            ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0
            large = path in ("reports/recipes/train/test1/samples", "reports/report.html")
            for_git = path.startswith("reports/") and not large
            assert cached == ignored == (not for_git), path


def test_recipes_run_in_the_projects_folder_and_the_study_does_without_them() -> None:
    """`dvc repro` looks at dvc.yaml alone: nothing of it needs a recipe."""
    for name in FILES["recipes/dvc.yaml"]:
        stage = body(name, "recipes/dvc.yaml")
        assert stage["wdir"] == ".." and all("recipes/" in path for path, _ in outputs_of(stage))
        assert all("recipes/" in word for word in stage["cmd"].split()[3:])
    for name in FILES["dvc.yaml"]:
        assert "recipes" not in str(body(name) | {"cmd": ""})  # the report shows those that are there


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of this project, as it stands here, with a study small enough for a test: two runs on digits."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    folder.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=True, text=True).stdout.split("\0")
    for file in listed:
        if file and (ROOT / file).is_file() and not file.startswith("reports/") and file != "dvc.lock":
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
    change_params(ROOT / "params.yaml", folder / "params.yaml", SMALL | {"search.first": ["test1", "test4"], "runs": {
        "test1": {"batch": 64, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
        "test4": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}}})
    change_params(ROOT / "recipes/params.yaml", folder / "recipes/params.yaml", {
        key: value for key, value in SMALL.items() if key.split(".")[0] in ("reference", "sampling", "evaluate")
        or key in ("train.fid_every", "train.fid_images", "train.grid", "train.report_images")})
    described = (folder / "dvc.yaml").read_text().replace("      - runs.test2\n      - runs.test3\n", "")
    (folder / "dvc.yaml").write_text(described)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A small study")
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def dvc(folder: Path, *words: str) -> str:
    """Runs dvc as a user with an active environment does; tracking stays off."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    result = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, env=environment, capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def ran(output: str) -> set[str]:
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


@pytest.mark.slow
def test_the_study_in_a_fresh_clone(clone: Path) -> None:
    """From nothing to a report; nothing; one branch; the run-cache; and everything again, to the same bytes."""
    everything = {"fetch", "reference", "report",
                  *(f"{stage}@{run}" for stage in ("train", "evaluate", "internals") for run in ("test1", "test4"))}
    assert ran(dvc(clone, "repro", "report")) == everything
    page = (clone / "reports/report.md").read_text()
    assert "| test1 | 64 |" in page and "| test4 | 100 |" in page
    lock = (clone / "dvc.lock").read_bytes()
    status = git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line[3:].split("/")[0] for line in status} == {"dvc.lock", "reports"}

    assert ran(dvc(clone, "repro", "report")) == set()
    assert (clone / "dvc.lock").read_bytes() == lock

    parameters = (clone / "params.yaml").read_text()
    change_params(clone / "params.yaml", clone / "params.yaml", {"runs.test4.lr": 1e-3})
    assert ran(dvc(clone, "repro", "report")) == {"train@test4", "evaluate@test4", "internals@test4", "report"}
    (clone / "params.yaml").write_text(parameters)
    output = dvc(clone, "repro", "report")
    # What internals writes is in no cache: seconds of work, which are done again.
    assert ran(output) == {"internals@test4", "report"} and output.count("is cached - skipping run") == 2
    assert (clone / "dvc.lock").read_bytes() == lock and (clone / "reports/report.md").read_text() == page

    assert ran(dvc(clone, "repro", "-f", "report")) == everything
    assert (clone / "dvc.lock").read_bytes() == lock

    assert "fid_classifier_400" in dvc(clone, "metrics", "show")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "Results")
    change_params(clone / "params.yaml", clone / "params.yaml", {"runs.test4.leak": 0.3})
    assert "runs.test4.leak" in dvc(clone, "params", "diff")


@pytest.mark.slow
def test_a_search_and_its_promoted_winner(clone: Path) -> None:
    """The search in the study's clone; its winner becomes a run, which is trained, scored and reported like any."""
    dvc(clone, "repro", "report")
    assert ran(dvc(clone, "repro")) == {"search"} and ran(dvc(clone, "repro")) == set()
    lock = (clone / "dvc.lock").read_bytes()
    assert ran(dvc(clone, "repro", "-f", "-s", "search")) == {"search"} and (clone / "dvc.lock").read_bytes() == lock
    result = subprocess.run([sys.executable, "-m", "pipeline", "promote"], cwd=clone, capture_output=True, text=True)
    assert result.returncode == 0 and "runs.searched is" in result.stdout
    assert ran(dvc(clone, "repro")) == {"train@searched", "evaluate@searched", "internals@searched", "report"}
    page = (clone / "reports/report.md").read_text()
    assert "| searched |" in page and "searched: samples" in page
    status = git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line[3:].split("/")[0] for line in status} <= {"dvc.lock", "reports", "params.yaml"}


@pytest.mark.slow
def test_recipes_scaled_down_from_the_command_line(clone: Path) -> None:
    """A conditional one, and one with another order of updates and batch norm in D: trained, scored, and only once."""
    names = {"paper-mnist": "paper-mnist-width12p5-epochs2-images600-on-digits",
             "ablation-pooling-1": "ablation-pooling-1-width25-epochs1-images400-on-digits"}
    for recipe, name in names.items():
        words = ["--width", "0.125", "--epochs", "2", "--images", "600", "--data", "digits"] if "mnist" in name else [
            "--width", "0.25", "--epochs", "1", "--images", "400", "--data", "digits"]
        command = [sys.executable, "-m", "pipeline", "recipe", recipe, *words]
        result = subprocess.run(command, cwd=clone, capture_output=True, text=True,
                                env=os.environ | {"DVC_NO_ANALYTICS": "1"})
        assert result.returncode == 0, result.stdout + result.stderr
        again = subprocess.run(command, cwd=clone, capture_output=True, text=True)
        assert ran(result.stdout) >= {f"recipes/dvc.yaml:train@{name}"}
        assert again.returncode == 0 and not ran(again.stdout)
        scores = json.loads((clone / f"reports/recipes/evaluate/{name}/metrics.json").read_text())
        assert scores["fid_classifier_400"] > 0 and 0 < scores["probe_accuracy_test"] <= 1
        assert (clone / f"reports/recipes/evaluate/{name}/samples.png").exists()
    status = git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line[3:].split("/")[0] for line in status} <= {"dvc.lock", "reports", "params.yaml", "recipes"}


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_training_that_is_killed_ends_in_the_same_bytes(params: Params, tmp_path: Path, sent: signal.Signals) -> None:
    params({"train.checkpoint_seconds": 0, "train.epochs": 4})
    assert run_stage("fetch", "digits", "data/digits").returncode == 0
    assert run_stage("reference", "digits", "data/digits", "models/reference", "reports/reference").returncode == 0

    def words(run: str) -> list[str]:
        return ["test4", "data/digits", "models/reference", f"models/{run}", f"reports/{run}"]

    assert run_stage("train", *words("undisturbed")).returncode == 0
    training = subprocess.Popen([sys.executable, "-m", "pipeline.train", *words("killed")], stderr=subprocess.PIPE)
    while not list(tmp_path.glob(".work/train/*/state.pt")):
        assert training.poll() is None
        time.sleep(0.02)
    training.send_signal(sent)
    training.communicate()
    assert training.returncode == (-9 if sent == signal.SIGKILL else 130)
    assert not (tmp_path / "models/killed").exists()

    resumed = run_stage("train", *words("killed"))
    assert resumed.returncode == 0 and "resuming after" in resumed.stderr
    for folder in ("models", "reports"):
        expected = sorted(file for file in (tmp_path / folder / "undisturbed").rglob("*") if file.is_file())
        assert len(expected) >= 3
        for file in expected:
            twin = tmp_path / folder / "killed" / file.relative_to(tmp_path / folder / "undisturbed")
            assert twin.read_bytes() == file.read_bytes(), file
    assert not list(tmp_path.glob(".work/train/*"))


def test_what_does_not_fit_the_data_is_refused_and_nothing_is_lost(params: Params, tmp_path: Path) -> None:
    assert run_stage("fetch", "digits", "data/digits").returncode == 0
    assert run_stage("reference", "digits", "data/digits", "models/reference", "reports/reference").returncode == 0
    words = ["test4", "data/digits", "models/reference", "models/test4", "reports/test4"]
    (tmp_path / "models/test4").mkdir()
    (tmp_path / "models/test4/old").write_text("kept")
    params({"runs.test4.batch": 1438})
    result = run_stage("train", *words)
    assert result.returncode == 1
    assert result.stderr == "train: params.yaml: runs.test4.batch = 1438: expected at most 1437, the training images\n"
    assert (tmp_path / "models/test4/old").read_text() == "kept"

"""Fingerprints: what changes them, what does not, and the stages that refuse to run over others' code."""
import ast
import functools
import resource
import shutil
import sys
from pathlib import Path

import pytest

from pipeline import code
from pipeline.errors import InputError
from pipeline.params.study import Study
from tests.conftest import ROOT, Params, python, stage

GOLDEN = "236dd853e746e1a8"  # the same on Python 3.11, 3.12, 3.13 and 3.14


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that may be edited, and whose fingerprints are taken."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "ROOT", tmp_path)
    monkeypatch.setattr(code, "of_syntax", functools.cache(code.of_syntax))  # of each tree once, for all stages
    return tmp_path / "pipeline"


def changed(copy: Path, file: str, old: str, new: str) -> set[str]:
    """The stages whose fingerprint changes when a piece of a file does."""
    before = {stage: code.fingerprint(stage) for stage in code.stages()}
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1))
    return {stage for stage in code.stages() if code.fingerprint(stage) != before[stage]}


def test_the_committed_fingerprints_are_current() -> None:
    for name in code.stages():
        assert (ROOT / "code" / name).read_text() == code.fingerprint(name), f"run `dvc repro code`: {name}"


def test_a_digest_is_the_same_on_every_python() -> None:
    """The sample has every form of syntax whose tree differs between Pythons."""
    assert code.of_syntax(ast.parse((ROOT / "tests/golden/syntax.txt").read_text())) == GOLDEN


@pytest.mark.parametrize(("old", "new"), [
    ('"""', '"""Another word. '), ("\n\n\n", "\n\n\n# A comment.\n"), ("import torch\n", "import torch  # why\n"),
    ("    return -torch.exp(-logits_fake.clamp(min=-60))",
     "\n    return (\n        - torch.exp(\n            - logits_fake.clamp(min = -60)))")])
def test_comments_docstrings_and_layout_change_nothing(copy: Path, old: str, new: str) -> None:
    assert changed(copy, "gan/losses.py", old, new) == set()


@pytest.mark.parametrize(("file", "old", "new", "stages"), [
    ("gan/updates.py", "0.999", "0.9999", {"train", "search"}),
    ("scores/kernel.py", "rng", "random", {"controls", "evaluate"}),
    ("latent/walks.py", "def ", "def a() -> None:\n    pass\n\n\ndef ", {"internals"}),
    ("data/mnist.py", "1.2.6", "1.2.7", {"fetch"}),
    ("reporting/templates/report.css", "{", " {", {"report", "search"}),
    ("tuning/space.py", "DIGITS = 3", "DIGITS = 4", {"report", "search"}),
    ("params/searching.py", "n_trials: Count = 14", "n_trials: Count = 15", {"report", "search"}),
    ("params/checks.py", "return", "return  str() or", set()),
    ("tracking/store.py", "20.0", "21.0", set()),
    ("errors.py", "n=1", "n=2", set(code.stages()))])
def test_behaviour_changes_the_stages_that_import_it(
        copy: Path, file: str, old: str, new: str, stages: set[str]) -> None:
    assert changed(copy, file, old, new) == stages | changed_by_checkpoint(file)


def changed_by_checkpoint(file: str) -> set[str]:
    """A saved state knows the updates, so that whatever loads a model imports them."""
    return {"evaluate", "internals", "transfer"} if file == "gan/updates.py" else set()


def test_going_back_gives_the_same_fingerprint(copy: Path) -> None:
    before = code.fingerprint("train")
    assert changed(copy, "gan/losses.py", "F.softplus", "torch.nn.functional.softplus")
    shutil.copy(ROOT / "pipeline/gan/losses.py", copy / "gan/losses.py")
    assert code.fingerprint("train") == before


def test_versions_that_decide_about_bits_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"torch", "numpy", "scipy"} <= set(code.packages("train")) and "jinja2" not in code.packages("train")
    assert "Jinja2" in code.packages("report") and "optuna" in code.packages("search")
    before = code.fingerprint("train")
    real = code.version
    monkeypatch.setattr(code, "version", lambda name: "9.9+cpu" if name == "torch" else real(name))
    assert code.fingerprint("train") == before.replace(f"torch {real('torch').partition('+')[0]}", "torch 9.9")


def test_packages_have_no_code_of_their_own() -> None:
    """Fingerprints leave __init__.py out."""
    for path in (ROOT / "pipeline").rglob("__init__.py"):
        assert len(ast.parse(path.read_text()).body) == 1, path


def test_every_section_that_a_stage_is_given_is_in_its_fingerprint() -> None:
    """params.study is not followed, so a stage must import the module of each section that dvc.yaml gives to it."""
    from ruamel.yaml import YAML
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    home = {"evaluate": "scoring", "internals": "scoring", "search": "searching"}
    sections = set(Study.__dataclass_fields__)
    for name in code.stages():
        given = {param.split(".")[0] for param in stages[name].get("do", stages[name]).get("params", [])}
        assert given <= sections
        for section in given:
            assert f"pipeline/params/{home.get(section, 'sections')}.py" in code.fingerprint(name), (name, section)


def test_it_takes_no_torch_and_little_time(tmp_path: Path) -> None:
    script = ("from pipeline import code; code.code(); "
              "assert not {'torch', 'mlflow', 'optuna'} & set(sys.modules)")
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = python("-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}", folder=tmp_path)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    assert end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime < 4  # 1.5 s on a quiet core
    assert {path.name for path in (tmp_path / "code").iterdir()} == set(code.stages())


def test_a_stage_refuses_other_code_than_the_recorded_one_and_says_what_to_run(params: Params, tmp_path: Path) -> None:
    recorded = (tmp_path / "code/fetch").read_text()
    (tmp_path / "code/fetch").write_text(recorded.replace("pipeline/fetch.py", "pipeline/other.py"))
    result = stage("fetch")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and not (tmp_path / "data").exists()
    assert "pipeline/fetch.py" in result.stderr and "dvc repro code" in result.stderr
    (tmp_path / "code/fetch").write_text(recorded.replace("numpy ", "numpy 9."))
    result = stage("fetch")
    assert result.returncode == 1 and "numpy" in result.stderr and "dvc repro -f code" in result.stderr
    (tmp_path / "code/fetch").unlink()
    result = stage("fetch")
    assert result.returncode == 1 and "code/fetch: not found" in result.stderr and result.stderr.count("\n") == 1


def test_a_stage_outside_a_study_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    result = stage("train", "test4", "0", folder=tmp_path / "elsewhere")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "params.yaml: not found" in result.stderr


def test_nothing_is_built_on_a_result_of_other_code(study: Params, studied: Path, tmp_path: Path) -> None:
    """`dvc commit` over a model of other code: the next stage sees whose it is."""
    shutil.copytree(studied / "models/test4", tmp_path / "models/test4")
    assert stage("evaluate", "test4", "0").returncode == 0
    model = tmp_path / "models/test4/seed0/model.json"
    model.write_text(model.read_text().replace(code.digest("train"), "0" * 16))
    result = stage("evaluate", "test4", "0")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "models/test4/seed0" in result.stderr and "0" * 16 in result.stderr and "code/train" in result.stderr


def test_code_that_moves_under_a_running_stage_is_not_recorded(
        params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pipeline import fetch
    from pipeline import stage as runner
    states = iter([code.fingerprint("fetch"), "0123456789abcdef  pipeline/fetch.py\n"])
    monkeypatch.setattr(code, "fingerprint", lambda name: next(states))
    monkeypatch.setattr(sys, "argv", ["fetch"])
    monkeypatch.setattr(fetch, "reading", None)

    def fetch_nothing() -> None:
        """Does nothing."""

    monkeypatch.setattr("inspect.getfile", lambda function: "fetch.py")
    with pytest.raises(SystemExit) as end:
        runner.main(fetch_nothing)
    assert "code/fetch was recorded for other code" in str(end.value.code)


def test_a_digest_stands_for_a_module_and_what_it_imports(copy: Path) -> None:
    before = code.digest("tuning.trials"), code.digest("scores.classifier")
    assert changed(copy, "gan/losses.py", "F.softplus", "torch.nn.functional.softplus")
    assert code.digest("tuning.trials") != before[0] and code.digest("scores.classifier") == before[1]
    with pytest.raises(InputError, match="made by code None"):
        code.check_made("train", None, Path("models/a"))

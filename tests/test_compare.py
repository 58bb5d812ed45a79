"""`dcgan compare`: what differs, the scores with the better one marked, and only differences that show."""
import json
from pathlib import Path

import pytest

from pipeline import compare
from pipeline.errors import InputError
from tests import made_up
from tests.conftest import ROOT, Params, stage


@pytest.fixture
def reports(params: Params, tmp_path: Path) -> Path:
    return made_up.study(tmp_path, params)


def line(text: str, begin: str) -> list[str]:
    return next(found for found in text.splitlines() if found.startswith(begin)).split()


def test_parameters_scores_and_what_may_be_said(reports: Path) -> None:
    text = compare.compared("test1", "test3", reports)
    assert line(text, "batch") == ["batch", "256", "100"] and line(text, "beta1") == ["beta1", "0.9", "0.5"]
    assert "leak" not in text and "train." not in text  # which they have in common
    # 120.5 / 1 and / 3: the lower distance has the star; made-up precisions are equal, and both are best.
    assert line(text, "fid_classifier_10k")[2:] == ["120.5", "±", "0.4", "40.2", "±", "0.4", "*", "0.95"]
    assert line(text, "precision_classifier_10k").count("*") == 2
    assert line(text, "raw pixels")[2:5] == ["91.8", "±", "0.3"]
    assert "test1 → test3 (batch 256 → 100, lr 0.0001 → 0.0002, beta1 0.9 → 0.5): 120.5 ± 0.4 → 40.2 ± 0.4" in text
    assert "no difference to speak of" in text  # their curves still fall by more than that
    assert "`" not in text and "**" not in text


def test_a_run_beside_itself_differs_in_nothing(reports: Path) -> None:
    assert line(compare.compared("test2", "test2", reports), "none") == ["none", "differs"]


def test_what_cannot_be_compared_is_one_line(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/params.yaml").write_text((ROOT / "recipes/params.yaml").read_text())
    for words, message in ((("test1", "recipes/slides-mnist"), "test1 is of digits, recipes/slides-mnist of mnist"),
                           (("test1", "tset4"), "did you mean 'test4'"),
                           (("recipes/slides-mnist", "recipes/slides-mnist"),
                            "slides-mnist/metrics.json: not found; `dvc repro recipes/dvc.yaml:evaluate@slides-mni")):
        with pytest.raises(InputError, match=message) as error:
            compare.compared(*words, reports)
        assert "\n" not in str(error.value)


def test_the_command_prints_it_and_its_help_an_example(reports: Path) -> None:
    result = stage("__main__", "compare", "test3", "test4")
    assert result.returncode == 0 and result.stdout == compare.compared("test3", "test4", Path("reports")) + "\n"
    assert json.loads((reports / "evaluate/test4/metrics.json").read_text())["fid_classifier_10k"] == 120.5 / 4
    assert line(result.stdout, "fid_classifier_10k")[5] == "30.1"
    result = stage("__main__", "compare", "--help")
    assert compare.EXAMPLE in result.stdout

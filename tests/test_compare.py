"""`dcgan compare`: what differs, the scores with the better one marked, and only differences that show."""
import shutil
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
    text = compare.compared("test2", "test2", reports)
    assert text.startswith("score") and "test2 → test2 (nothing changed)" in text


def test_networks_and_lengths_are_among_what_has_changed(reports: Path, tmp_path: Path) -> None:
    """Two recipes of one data set that differ in the network only."""
    (tmp_path / "recipes").mkdir()
    book = (ROOT / "recipes/params.yaml").read_text()
    (tmp_path / "recipes/params.yaml").write_text(book)
    for name in ("ablation-baseline-0", "ablation-pooling-0"):
        for stage_name in ("train", "evaluate"):
            shutil.copytree(reports / stage_name / "test1", reports / "recipes" / stage_name / name)
    shutil.copytree(reports / "reference", reports / "recipes/reference/mnist")
    text = compare.compared("recipes/ablation-baseline-0", "recipes/ablation-pooling-0", reports)
    assert line(text, "train.violate") == ["train.violate", "[]", "['pooling']"]
    assert "recipes/ablation-pooling-0 (train.violate [] → ['pooling']): 120.5 ± 0.4 → 120.5 ± 0.4" in text


def test_scores_of_other_parameters_are_not_taken_for_todays(reports: Path, tmp_path: Path) -> None:
    made = dict(made_up.RUNS["test4"], leak=0.7)
    made_up.write(tmp_path / "models/test4/model.json", {"run": made})
    with pytest.raises(InputError, match=r"test4 was scored with leak 0.7, params.yaml: runs.test4 has 0.2 now; "
                                         "`dvc repro evaluate@test4`"):
        compare.compared("test3", "test4", reports)


def test_what_cannot_be_compared_is_one_line(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/params.yaml").write_text((ROOT / "recipes/params.yaml").read_text())
    for words, message in ((("test1", "recipes/slides-mnist"), "recipes/slides-mnist have other parameters in data"),
                           (("test1", "tset4"), "did you mean 'test4'"),
                           (("recipes/slides-mnist", "recipes/slides-mnist"),
                            "evaluate/slides-mnist: no scores .*; `dvc repro recipes/dvc.yaml:evaluate@slides-m")):
        with pytest.raises(InputError, match=message) as error:
            compare.compared(*words, reports)
        assert "\n" not in str(error.value)


def test_the_command_prints_it_and_its_help_an_example(reports: Path) -> None:
    result = stage("__main__", "compare", "models/test3/", "test4")
    assert result.returncode == 0 and result.stdout == compare.compared("test3", "test4", Path("reports")) + "\n"
    assert line(result.stdout, "fid_classifier_10k")[5] == "30.1"
    result = stage("__main__", "compare", "--help")
    assert compare.EXAMPLE in result.stdout

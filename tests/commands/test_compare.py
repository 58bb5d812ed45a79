"""dcgan compare: what differs, the scores with the better one marked, and only differences that are clear."""
import shutil
from pathlib import Path

import pytest

from pipeline.commands import compare
from pipeline.errors import InputError
from tests.conftest import ROOT, Params, python
from tests.reporting import made_up


@pytest.fixture
def reports(params: Params, tmp_path: Path) -> Path:
    return made_up.study(tmp_path, params)


def line(text: str, begin: str) -> list[str]:
    return next(found for found in text.splitlines() if found.startswith(begin)).split()


def test_parameters_scores_and_what_may_be_said(reports: Path) -> None:
    text = compare.compared("test1", "test3")
    assert line(text, "batch") == ["batch", "256", "100"] and line(text, "beta1") == ["beta1", "0.9", "0.5"]
    assert "leak" not in text and "network" not in text  # which they have in common
    # 120.5 / 1 and / 3: the lower distance has the star; made-up precisions are equal, and both are best.
    assert line(text, "fid_classifier_10k")[2:] == ["120.5", "±", "0.4", "40.2", "±", "0.4", "*", "0.95"]
    assert line(text, "precision_classifier_10k").count("*") == 2
    assert line(text, "raw pixels")[2:5] == ["91.8", "±", "0.3"]
    assert "test1 → test3 (batch 256 → 100, lr 0.0001 → 0.0002, beta1 0.9 → 0.5): 120.5 ± 0.4 → 40.2 ± 0.4" in text
    assert "no clear difference" in text  # their curves still fall by more than that
    assert "`" not in text and "**" not in text


def test_a_run_beside_itself_differs_in_nothing(reports: Path) -> None:
    text = compare.compared("test2", "test2")
    assert text.startswith("score") and "test2 → test2 (nothing changed)" in text


def test_runs_of_other_studies_compare_too_with_their_seeds(reports: Path, tmp_path: Path) -> None:
    home = tmp_path / "studies/guidelines"
    home.mkdir(parents=True)
    (home / "params.yaml").write_text((ROOT / "studies/guidelines/params.yaml").read_text())
    for name, times in (("guidelines", 1.0), ("pooling", 2.0)):
        for seed in range(3):
            place = Path(name) / f"seed{seed}"
            made_up.trained(home / "reports/train" / place, [9, 8])
            made_up.scored(home / "reports/evaluate" / place,
                           {"fid_classifier_10k": times * (5 + seed)} | made_up.SCORES)
    shutil.copytree(reports / "reference", home / "reports/reference")
    text = compare.compared("guidelines/guidelines", "guidelines/pooling")
    assert line(text, "violate") == ["violate", "[]", "['pooling']"]
    assert "(violate nothing → pooling)" in text and "×2.00 (2.00 to 2.00 over 3 pairs of seeds)" in text


def test_scores_of_other_parameters_are_not_taken_for_todays(reports: Path, tmp_path: Path) -> None:
    made_up.write(tmp_path / "models/test4/seed0/model.json", {"run": dict(made_up.RUNS["test4"], leak=0.7)})
    with pytest.raises(InputError, match=r"test4 was scored with .*evaluate@test4-0"):
        compare.compared("test3", "test4")


def test_what_cannot_be_compared_is_one_line(reports: Path, tmp_path: Path) -> None:
    home = tmp_path / "studies/other"
    home.mkdir(parents=True)
    (home / "params.yaml").write_text((ROOT / "studies/slides-mnist/params.yaml").read_text())
    for words, message in ((("test1", "tset4"), "did you mean 'test4'"), (("test1", "other/test4"), "other/test4: not"),
                           (("test1", "nowhere/test4"), "nowhere/params.yaml: not found")):
        with pytest.raises(InputError, match=message) as error:
            compare.compared(*words)
        assert "\n" not in str(error.value)
    made_up.trained(home / "reports/train/test4/seed0", [9, 8])
    made_up.scored(home / "reports/evaluate/test4/seed0", {"fid_classifier_10k": 3.0} | made_up.SCORES)
    with pytest.raises(InputError, match="other parameters in section data"):
        compare.compared("test1", "other/test4")


def test_the_command_prints_it_and_its_help_an_example(reports: Path) -> None:
    result = python("-m", "pipeline", "compare", "models/test3/", "test4")
    assert result.returncode == 0 and "test4" in result.stdout, result.stderr
    assert line(result.stdout, "fid_classifier_10k")[5] == "30.1"
    assert compare.EXAMPLE in python("-m", "pipeline", "compare", "--help").stdout

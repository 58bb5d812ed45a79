"""dcgan compare: what differs, the scores with the better one marked, and only differences that are clear."""
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from scipy import stats

from pipeline.commands import compare
from pipeline.errors import InputError
from pipeline.figures import COLOURS
from pipeline.reporting import headlines, plots, rounding
from tests.conftest import ROOT, Params, python
from tests.reporting import made_up


@pytest.fixture
def reports(params: Params, tmp_path: Path) -> Path:
    return made_up.study(tmp_path, params)


def line(text: str, begin: str) -> list[str]:
    return next(found for found in text.splitlines() if found.startswith(begin)).split()


def compared(before: str, after: str) -> str:
    return compare.compared(*compare.both(before, after), compare.placed(before)[0])


def test_parameters_scores_and_no_verdict_of_one_seed(reports: Path) -> None:
    text = compared("test1", "test3")
    assert line(text, "batch") == ["batch", "256", "100"] and line(text, "beta1") == ["beta1", "0.9", "0.5"]
    assert not {"leak", "network"} & {found.split(" ")[0] for found in text.splitlines()}  # which they have in common
    # 120.5 / 1 and / 3: the lower distance has the star; made-up precisions are equal, and both are best.
    assert line(text, "fid_classifier_10k ")[2:] == ["120.5", "±", "0.4", "40.2", "±", "0.4", "*", "0.95"]
    assert line(text, "precision_classifier_10k").count("*") == 2
    assert line(text, "raw pixels")[2:5] == ["91.8", "±", "0.3"]
    assert ("test1 → test3 (batch 256 → 100, lr 0.0001 → 0.0002, beta1 0.9 → 0.5): 48.20 % → 16.07 %, ×0.33."
            in text)
    assert headlines.UNDECIDED in text and "difference." not in text.replace(headlines.UNDECIDED, "")
    assert "`" not in text and "**" not in text


def test_a_run_beside_itself_differs_in_nothing(reports: Path) -> None:
    text = compared("test2", "test2")
    assert text.startswith("score") and "test2 → test2 (nothing changed)" in text


def study_of(home: Path, reports: Path, distances: dict[str, list[float]], probes: dict[str, list[float]]) -> None:
    """A study like guidelines with these runs, whose distances and probes are those of seeds 0, 1 and on."""
    home.mkdir(parents=True)
    seeds = list(range(len(next(iter(distances.values())))))
    text = (ROOT / "studies/guidelines/params.yaml").read_text()
    (home / "params.yaml").write_text(re.sub(r"seeds: \[.*\]", f"seeds: {seeds}", text))
    for name, values in distances.items():
        for seed, value in enumerate(values):
            place = Path(name) / f"seed{seed}"
            made_up.trained(home / "reports/train" / place, [9, 8])
            probe = {"probe_accuracy_10000_labels": probes[name][seed]}
            made_up.scored(home / "reports/evaluate" / place, made_up.SCORES | made_up.distances(value) | probe)
    shutil.copytree(reports / "controls", home / "reports/controls")


def test_runs_of_other_studies_are_paired_by_seed(reports: Path, tmp_path: Path) -> None:
    """Distances that differ by factors of ten between seeds: SciPy's paired interval of the logarithms is printed."""
    before, after = [5.0, 50.0, 500.0], [6.0, 58.0, 610.0]
    study_of(tmp_path / "studies/guidelines", reports, {"guidelines": before, "pooling": after},
             {"guidelines": [0.9, 0.7, 0.8], "pooling": [0.91, 0.72, 0.81]})
    text = compared("guidelines/guidelines", "guidelines/pooling")
    tested = stats.ttest_rel(np.log(after), np.log(before))
    low, high = np.exp(tested.confidence_interval(0.95))
    ratio = math.exp(np.mean(np.log(after) - np.log(before)))
    assert line(text, "violate") == ["violate", "–", "pooling"] and "(violate – → pooling)" in text
    assert f"×{ratio:.2f} ({low:.2f} to {high:.2f} over 3 pairs of seeds): a difference." in text
    half = stats.t.ppf(0.975, 2) * stats.sem([1, 2, 1])  # points of the probe, whose mean is 4/3
    assert tested.pvalue < 0.05 and half > 4 / 3
    assert f"by {rounding.stated(4 / 3, half)} points over 3 pairs of seeds: no clear difference." in text
    assert headlines.UNDECIDED not in text and headlines.NO_PAIRS not in text


def test_both_runs_curves_are_drawn_once_for_each_seed(reports: Path, tmp_path: Path) -> None:
    found, _ = compare.both("test1", "test3")
    path = compare.plotted(found, None)
    assert path == (tmp_path / ".work/compare-test1-test3.png").resolve()
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width > 600
    study_of(tmp_path / "studies/guidelines", reports, {"guidelines": [5, 6, 7], "pooling": [6, 7, 8]},
             dict.fromkeys(("guidelines", "pooling"), [0.9] * 3))
    found, _ = compare.both("guidelines/guidelines", "guidelines/pooling")
    distances, loss_D, loss_G = plots.curves(found).axes
    drawn = [line for line in distances.lines if len(line.get_xdata()) == 2]
    assert [line.get_color() for line in drawn] == [COLOURS[0]] * 3 + [COLOURS[1]] * 3
    assert {line.get_linewidth() for line in drawn} == {0.8}
    assert len(loss_D.lines) == len(loss_G.lines) == 6 + 1  # and the dotted line
    with pytest.raises(InputError, match="expected a file that ends in .png"):
        compare.plotted(found, tmp_path / "curves.txt")


def test_scores_of_older_code_are_one_line(reports: Path) -> None:
    scores = {key: value for key, value in made_up.SCORES.items()} | {"fid_classifier_10k": 9.0}
    made_up.write(reports / "evaluate/test4/seed0/scores.json", scores)
    with pytest.raises(InputError, match="test4: scored by older code.*evaluate@test4-0"):
        compared("test3", "test4")
    shutil.rmtree(reports / "controls")
    with pytest.raises(InputError, match="dvc repro controls"):
        compared("test2", "test3")


def test_scores_of_other_parameters_are_not_taken_for_todays(reports: Path, tmp_path: Path) -> None:
    made_up.write(tmp_path / "models/test4/seed0/model.json", {"run": dict(made_up.RUNS["test4"], leak=0.7)})
    with pytest.raises(InputError, match=r"test4 was scored with .*evaluate@test4-0"):
        compared("test3", "test4")


def test_what_cannot_be_compared_is_one_line(reports: Path, tmp_path: Path) -> None:
    home = tmp_path / "studies/other"
    home.mkdir(parents=True)
    (home / "params.yaml").write_text((ROOT / "studies/slides-mnist/params.yaml").read_text())
    for words, message in ((("test1", "tset4"), "did you mean 'test4'"), (("test1", "other/test4"), "other/test4: not"),
                           (("test1", "nowhere/test4"), "nowhere/params.yaml: not found")):
        with pytest.raises(InputError, match=message) as error:
            compared(*words)
        assert "\n" not in str(error.value)
    made_up.trained(home / "reports/train/test4/seed0", [9, 8])
    made_up.scored(home / "reports/evaluate/test4/seed0", made_up.distances(3.0) | made_up.SCORES)
    with pytest.raises(InputError, match="other parameters in section data"):
        compared("test1", "other/test4")


def test_the_command_prints_it_and_its_help_an_example(reports: Path) -> None:
    result = python("-m", "pipeline", "compare", "models/test3/", "test4", "--plot", "made/curves.png")
    assert result.returncode == 0 and "test4" in result.stdout, result.stderr
    assert line(result.stdout, "fid_classifier_10k ")[5] == "30.1"
    assert result.stdout.splitlines()[-1].split()[-1] == "made/curves.png" and Path("made/curves.png").exists()
    assert compare.EXAMPLE in python("-m", "pipeline", "compare", "--help").stdout


@pytest.mark.parametrize(("section", "key", "value"), [
    ("evaluate", "neighbours", 9), ("evaluate", "seeds", 7), ("train", "batch_norm", "running"),
    ("train", "epochs", 20), ("train", "statistics_images", 300), ("runs.test4", "epochs", 9)])
def test_scores_that_dvc_recorded_with_other_parameters_are_refused(
        reports: Path, tmp_path: Path, section: str, key: str, value: int | str) -> None:
    params = YAML(typ="safe").load((tmp_path / "params.yaml").read_text())
    trained = {"train": dict(params["train"]), "runs.test4": dict(params["runs"]["test4"]), "hardware": None}
    recorded = {"train@test4-0": trained, "evaluate@test4-0": {"evaluate": dict(params["evaluate"])}}

    def written(stages: dict[str, Any]) -> None:
        with open(tmp_path / "dvc.lock", "w") as file:
            YAML().dump({"schema": "2.0", "stages": {
                name: {"cmd": "x", "params": {"params.yaml": found}} for name, found in stages.items()}}, file)

    written(recorded)
    compared("test3", "test4")
    next(found for found in recorded.values() if section in found)[section][key] = value
    written(recorded)
    with pytest.raises(InputError, match=rf"test4 was scored with {key} {value}, .*evaluate@test4-0"):
        compared("test3", "test4")


def test_scores_of_too_few_images_for_their_features_compare_too(reports: Path) -> None:
    for run in ("test3", "test4"):
        path = reports / f"evaluate/{run}/seed0/scores.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rank_deficient": ["fid_classifier_10k"]}))
    assert "fid_classifier_10k" in compared("test3", "test4")


@pytest.mark.parametrize("content", ["", "[]", "null", "3", "{", '{"fid_classifier_10k": [1]}', '{"a": null}', "{}"])
def test_damaged_scores_are_one_line(reports: Path, content: str) -> None:
    (reports / "evaluate/test4/seed0/scores.json").write_text(content)
    with pytest.raises(InputError, match="test4.*evaluate@test4-0") as error:
        compared("test3", "test4")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["train/test4/seed0/losses.csv", "train/test4/seed0/fid.csv",
                                  "evaluate/test4/seed0/classes.csv"])
def test_damaged_tables_are_one_line(reports: Path, file: str) -> None:
    (reports / file).write_bytes(b"")
    with pytest.raises(InputError, match="test4: not scored") as error:
        compared("test3", "test4")
    assert "\n" not in str(error.value)

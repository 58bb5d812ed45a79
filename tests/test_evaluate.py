"""Stage evaluate with everything that it can be asked for: a conditional generator, Inception's features, two sets."""
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from benchmarks.inception import write_weights
from pipeline import code, controls, evaluate, files, folders, reference
from pipeline.data import digits, images
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, training
from pipeline.params.sections import Run
from pipeline.scores import inception
from tests.conftest import FP32, Params, write_params

SETTINGS = {"evaluate.fid_images": 150, "evaluate.inception.images": 12, "evaluate.inception.real_images": 10,
            "reference.epochs": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, fingerprints: Path) -> Path:
    """A study of digits with its reference and its controls; tests copy it."""
    folder = tmp_path_factory.mktemp("evaluated") / "study"
    shutil.copytree(fingerprints, folder / "code")
    write_params(folder / "params.yaml", SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        images.save(folder / "data/arrays/digits", digits.arrays(), digits.FACTS)
        reference.reference()
        controls.controls()
    return folder


@pytest.fixture
def report(params: Params, tmp_path: Path, made: Path) -> Path:
    """A study like `made` with an untrained conditional model; the folder where it is scored."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    run = Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2)
    state = training.start(literature.network("paper-mnist", 0.125), run, 0, FP32)
    facts = {"network": {"name": "paper-mnist", "width": 0.125}, "leak": 0.2, "seed": 0, "images": 1000, "run": {},
             "data": images.load(tmp_path / "data/arrays/digits").digest, "images_seen": 0,
             "code": code.digest("train"),
             "train": {"batch_norm": "recomputed", "statistics_images": 200}}
    checkpoint.save_model(folders.model("test4", 0), state.G, state.D, facts)
    return tmp_path / "reports/evaluate/test4/seed0"


def test_a_model_has_the_scores_of_its_further_generators(report: Path, params: Params) -> None:
    """Both are the last one here, once with the z of the first set: equal but for the mean over sets."""
    params(SETTINGS | {"evaluate.inception.images": 0, "evaluate.seeds": 1})
    folder = folders.model("test4", 0)
    model = checkpoint.load_model(folder)
    facts = model.facts | {"best": {"images_seen": 40}}
    checkpoint.save_model(folder, model.G, model.D, facts, {name: checkpoint.weights(model.G)
                                                            for name in checkpoint.FURTHER})
    evaluate.evaluate("test4", 0)
    scores = json.loads((report / "scores.json").read_text())
    for name in checkpoint.FURTHER:
        for score in ("fid_classifier_150", "fid_classifier_150_relative", "recall_classifier_150"):
            assert scores[f"{score}_of_{name}"] == pytest.approx(scores[score], rel=1e-6)
    assert scores["best_images_seen"] == 40


def test_weights_that_cannot_be_had_are_an_error_only_where_they_are_required_or_named(
        report: Path, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "RELEASES", ("http://127.0.0.1:9/none.pth",))  # where nobody listens
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for asked in ({}, {"evaluate.inception.weights": str(tmp_path / "none.pth"), "evaluate.inception.required": False}):
        params(SETTINGS | asked)
        with pytest.raises(InputError, match="Inception's weights"):
            evaluate.evaluate("test4", 0)
    params(SETTINGS | {"evaluate.inception.required": False, "evaluate.seeds": 1})
    evaluate.evaluate("test4", 0)
    scores = json.loads((report / "scores.json").read_text())
    assert scores["inception"].startswith("not computed") and not any("inception_12" in name for name in scores)


def test_without_controls_there_is_one_line(report: Path, params: Params) -> None:
    params(SETTINGS | {"evaluate.inception.images": 0})
    (folders.report("controls") / "scores.json").unlink()
    with pytest.raises(InputError, match="run `dvc repro controls`"):
        evaluate.evaluate("test4", 0)


@pytest.mark.slow
def test_every_score_is_there_under_its_own_name(report: Path, tmp_path: Path, params: Params,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights.pth"
    write_weights(weights, 0)
    params(SETTINGS | {"evaluate.inception.weights": str(weights)})
    with pytest.raises(InputError, match="expected 6726825d0af5"):
        evaluate.evaluate("test4", 0)
    for function in (inception.find, inception.load):  # random weights, for once
        monkeypatch.setattr(function, "__defaults__", (files.sha256(weights),))
    evaluate.evaluate("test4", 0)
    scores = json.loads((report / "scores.json").read_text())
    for count in ("classifier_150", "inception_12"):
        kid = "kid150" if count.startswith("classifier") else "kid10"  # of as many real images
        for score in ("fid", kid, "precision", "recall", "density", "coverage", "score"):
            assert f"{score}_{count}" in scores and f"{score}_{count}_std" in scores
    assert scores["fid_classifier_150_floors"] > 10 and 0.1 < scores["fid_classifier_150_relative"] < 10
    assert scores["fid_classifier_150_by_classifier2"] != scores["fid_classifier_150"]
    assert 0 <= scores["D_calls_test_images_real"] <= 1 and scores["missing_classes_classifier_150"] > 5
    assert scores["rank_deficient"] == ["fid_inception_12"]
    assert (scores["inception_resize"], scores["inception_real_images"], scores["seeds"]) == ("tf1", 10, 2)
    error = scores["nearest_neighbour_error_validation_200"]  # of noise: chance; the last 437 images are held out
    assert 0.75 < error <= 1 and scores["nearest_neighbour_error_validation_200_of_real_images"] < 0.2
    assert scores["fid_classifier_150_std"] > 0 and scores["memorisation_pixels_100"] > 1
    classes = pd.read_csv(report / "classes.csv")
    assert classes["real"].sum() == pytest.approx(1, abs=1e-4) == classes["generated"].sum()
    with Image.open(report / "closest.png") as pairs:
        assert pairs.size == (10 * 29 - 1, 4 * 29 - 1)


def test_a_second_evaluation_finds_the_real_features_again(report: Path, tmp_path: Path, params: Params) -> None:
    params(SETTINGS | {"evaluate.inception.images": 0, "evaluate.seeds": 1})
    evaluate.evaluate("test4", 0)
    first = (report / "scores.json").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob(".work/features/*")}
    evaluate.evaluate("test4", 0)
    assert kept and kept == {path: path.stat().st_mtime_ns for path in tmp_path.glob(".work/features/*")}
    assert (report / "scores.json").read_bytes() == first


def test_another_count_than_the_controls_is_one_error_and_the_old_report_stays(report: Path, params: Params) -> None:
    report.mkdir(parents=True)
    (report / "scores.json").write_text("old")
    params(SETTINGS | {"evaluate.inception.images": 0, "evaluate.fid_images": 5})
    with pytest.raises(InputError, match="fid_classifier_5_of_test_images"):  # the controls were of more
        evaluate.evaluate("test4", 0)
    assert (report / "scores.json").read_text() == "old"

"""Stage evaluate with everything that it can be asked for: a conditional generator, Inception's features, two sets."""
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmarks.inception import write_weights
from pipeline import evaluate, files, reference
from pipeline.data import digits, images
from pipeline.errors import InputError, ScoreError
from pipeline.gan import checkpoint, literature, training
from pipeline.scores import inception
from pipeline.sections import Run
from tests.conftest import FP32, Params

ASKED = {"evaluate.fid_images": 150, "evaluate.inception.images": 12, "evaluate.inception.real_images": 10,
         "reference.epochs": 1}


@pytest.fixture
def words(params: Params, tmp_path: Path) -> list[Path]:
    """The folders of the digits, their reference and an untrained conditional model, and where the report goes."""
    params(ASKED)
    images.save(tmp_path / "data", digits.arrays(), digits.FACTS)
    reference.reference("digits", tmp_path / "data", tmp_path / "reference", tmp_path / "reports")
    run = Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2)
    state = training.start(literature.network("paper-mnist", 0.125), run, 0, FP32)
    facts = {"network": {"name": "paper-mnist", "width": 0.125}, "leak": 0.2, "seed": 0, "images": 1000, "run": {},
             "data": images.load(tmp_path / "data").digest, "images_seen": 0}
    checkpoint.save_model(tmp_path / "model", state.G, state.D, facts)
    return [tmp_path / "data", tmp_path / "reference", tmp_path / "model", tmp_path / "report"]


@pytest.mark.slow
def test_every_score_is_there_under_its_own_name(words: list[Path], tmp_path: Path, params: Params,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights.pth"
    write_weights(weights, 0)
    params(ASKED | {"evaluate.inception.weights": str(weights)})
    with pytest.raises(InputError, match="expected 6726825d0af5"):
        evaluate.evaluate("test4", *words)
    for function in (inception.find, inception.load):  # random weights, for once
        monkeypatch.setattr(function, "__defaults__", (files.sha256(weights),))
    evaluate.evaluate("test4", *words)
    scores = json.loads((words[-1] / "metrics.json").read_text())
    for count in ("classifier_150", "inception_12"):
        for score in ("fid", "kid", "precision", "recall", "density", "coverage", "score"):
            assert f"{score}_{count}" in scores and f"{score}_{count}_std" in scores
    assert scores["rank_deficient"] == ["fid_inception_12"]
    assert (scores["inception_resize"], scores["inception_real_images"], scores["seeds"]) == ("tf1", 10, 2)
    error = scores["nearest_neighbour_error_validation_200"]  # of noise: chance; the last 437 images are held out
    assert 0.75 < error <= 1 and scores["nearest_neighbour_error_validation_200_of_real_images"] < 0.2
    assert scores["fid_classifier_150_std"] > 0 and scores["memorisation_pixels_100"] > 1
    classes = pd.read_csv(words[-1] / "classes.csv")
    assert classes["real"].sum() == pytest.approx(1, abs=1e-4) == classes["generated"].sum()
    with Image.open(words[-1] / "closest.png") as pairs:
        assert pairs.size == (10 * 29 - 1, 4 * 29 - 1)


def test_a_second_evaluation_finds_the_real_features_again(words: list[Path], tmp_path: Path, params: Params) -> None:
    params(ASKED | {"evaluate.inception.images": 0, "evaluate.seeds": 1})
    evaluate.evaluate("test4", *words)
    first = (words[-1] / "metrics.json").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob(".work/features/*")}
    evaluate.evaluate("test4", *words)
    assert kept and kept == {path: path.stat().st_mtime_ns for path in tmp_path.glob(".work/features/*")}
    assert (words[-1] / "metrics.json").read_bytes() == first


def test_too_few_samples_are_one_error_and_the_old_report_stays(words: list[Path], params: Params) -> None:
    words[-1].mkdir()
    (words[-1] / "metrics.json").write_text("old")
    params(ASKED | {"evaluate.inception.images": 0, "evaluate.fid_images": 5})
    with pytest.raises(ScoreError, match="need 6 real images; there are 5"):
        evaluate.evaluate("test4", *words)
    assert (words[-1] / "metrics.json").read_text() == "old"

"""Stage train with what a run may ask for: the best generator, an average, and an end when it collapses."""
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pipeline import folders, observing, train
from pipeline.errors import InputError
from pipeline.gan import checkpoint, sampling
from pipeline.params import reading
from pipeline.scores import frechet, reference_model
from tests.conftest import FP32, Params, stage

REPORT = Path("reports/train/test4/seed0")
NARROW = {"train.network": "guidelines-28", "train.width": 0.25, "train.fid_every": 500, "hardware.precision": "fp32"}


def model_of(folder: Path = Path()) -> checkpoint.Model:
    return checkpoint.load_model(folder / folders.model("test4", 0))


@pytest.mark.slow
def test_the_best_generator_and_the_average_are_saved_beside_the_last(study: Params) -> None:
    """Each has the distance that the curve says it had."""
    study(NARROW | {"train.keep": "best", "train.ema": 0.9, "train.epochs": 3})
    result = stage("train", "test4", "0")
    assert result.returncode == 0, result.stderr
    fid, model = pd.read_csv(REPORT / "fid.csv"), model_of()
    name, columns = fid.columns[1], fid.drop(columns="images_seen")
    assert list(columns) == [name, f"{name}_of_ema"] and set(model.others) == {"ema", "best"}
    best = model.facts["best"]
    assert best["distance"] == pytest.approx(columns.to_numpy().min(), rel=1e-5)
    where = fid.images_seen == best["images_seen"]
    assert fid[where][best["score"]].item() == pytest.approx(best["distance"], rel=1e-5)
    params = reading.load().train
    reference = reference_model.load(folders.REFERENCE, model.facts["data"])
    z = sampling.prior(model.network, params.fid_images, torch.Generator().manual_seed(observing.FID_SEED))
    for net, expected in ((model.G, fid[name].iloc[-1]), (model.others["best"], best["distance"]),
                          (model.others["ema"], fid[f"{name}_of_ema"].iloc[-1])):
        with sampling.evaluating(net, model.network, params.of_average, FP32):
            distance = reference.fid(sampling.sample(net, model.network, z, FP32))
        assert distance == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_a_killed_training_keeps_the_same_best(study: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed behind its best, or before it: the same bytes as undisturbed."""
    study(NARROW | {"train.keep": "best", "train.ema": 0.9, "train.epochs": 3, "train.checkpoint_seconds": 0})
    monkeypatch.setattr("sys.argv", ["train"])
    train.train("test4", 0)
    expected = {path.name: path.read_bytes() for path in folders.model("test4", 0).iterdir()}
    points = len(pd.read_csv(REPORT / "fid.csv"))
    original = observing.Observer._snapshot
    for stop in range(1, points, 2):
        shutil.rmtree("models/test4")
        left = stop

        def dying(self: Any, *words: Any) -> Any:
            nonlocal left
            found = original(self, *words)
            left -= 1
            if left == 0:
                raise KeyboardInterrupt  # the snapshot is on disk, the checkpoint is an older one
            return found

        monkeypatch.setattr(observing.Observer, "_snapshot", dying)
        with pytest.raises(KeyboardInterrupt):
            train.train("test4", 0)
        monkeypatch.setattr(observing.Observer, "_snapshot", original)
        train.train("test4", 0)
        assert {path.name: path.read_bytes() for path in folders.model("test4", 0).iterdir()} == expected


def test_a_collapse_is_marked_and_ends_the_training_where_that_is_asked(
        study: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Distances are planted: the third is four times the best, the fifth is well again."""
    planted = iter([200.0, 100.0, 400.0, 390.0, 120.0, 110.0, 105.0] * 2)
    monkeypatch.setattr(frechet, "distance", lambda a, b: next(planted))
    for on_collapse, points in (("warn", 7), ("stop", 3)):
        study(NARROW | {"train.on_collapse": on_collapse, "train.fid_every": 480})
        train.train("test4", 0)
        events = pd.read_csv(REPORT / "events.csv")
        fid = pd.read_csv(REPORT / "fid.csv")
        assert len(fid) == points and events.sign.tolist() == ["distance", "distance"][:1 + (points > 3)]
        assert events.images_seen[0] == fid.images_seen[2] and events.begins.tolist() == [1, 0][:len(events)]
        facts = model_of().facts
        assert facts["collapse"] == ([] if points > 3 else ["distance"])
        assert facts["images_seen"] == fid.images_seen.iloc[-1] and (facts["images_seen"] == 2 * 1437) == (points > 3)
        assert "the distance is 4.0 times its best" in capsys.readouterr().err


def test_a_training_that_goes_well_has_no_events(studied: Path) -> None:
    events = pd.read_csv(studied / REPORT / "events.csv")
    variance = pd.read_csv(studied / REPORT / "variance.csv")
    assert events.empty and list(events) == ["images_seen", "sign", "begins", "says"]
    assert len(variance) == len(pd.read_csv(studied / REPORT / "fid.csv")) and (variance.iloc[:, 1] > 0).all()
    assert not model_of(studied).others and "best" not in model_of(studied).facts


def test_a_curve_of_one_point_has_no_best(study: Params) -> None:
    study({"train.keep": "best", "train.epochs": 1, "train.fid_every": 5000})
    with pytest.raises(InputError, match="keep = 'best': the curve of one epoch of 1437 images has one point"):
        train.train("test4", 0)


@pytest.mark.slow
def test_a_training_whose_checkpoint_is_damaged_says_so_and_begins_anew(study: Params, studied: Path) -> None:
    study({"train.checkpoint_seconds": 0})
    folder = Path(".work/train")

    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save_model", dying)
        train.train("test4", 0)
    path, = folder.glob(f"*/{observing.STATE}")
    path.write_bytes(path.read_bytes()[:-9])
    result = stage("train", "test4", "0")
    assert result.returncode == 0 and "Traceback" not in result.stderr
    assert "state.pt: the checkpoint is damaged" in result.stderr and "resuming" not in result.stderr
    assert model_of().digest == model_of(studied).digest


def test_what_trainings_are_compared_by(studied: Path) -> None:
    table, facts = pd.read_csv(studied / REPORT / "training.csv", dtype=str), model_of(studied).facts
    row, = table.to_dict("records")
    assert row == {"images_seen": "2874", "batches": str(2 * math.ceil(1437 / facts["run"]["batch"])),
                   "data": facts["data"], "reference": facts["reference"],
                   **{key: str(value) for key, value in facts["device"].items()}}


@pytest.mark.parametrize(("seen", "batches"), [(0, 0), (30, 1), (100, 4), (130, 5), (200, 8)])
def test_short_mini_batches_are_counted(seen: int, batches: int) -> None:
    facts = {"run": {"batch": 30}, "images": 100, "images_seen": seen, "data": "d", "reference": "r", "device": {}}
    assert train.comparable(facts)["batches"].tolist() == [batches]

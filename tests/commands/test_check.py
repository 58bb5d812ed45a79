"""dcgan check: params.yaml is judged before DVC removes a result."""
import itertools
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline import estimate, folders
from pipeline.errors import InputError
from pipeline.params import reading
from tests.conftest import PLAIN, ROOT, Params, command


def test_it_counts_the_trainings_or_names_what_is_wrong(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    command("check")
    assert capsys.readouterr().out == "params.yaml: 4 runs x 1 seeds on digits\n"
    params({"data.directory": "data/arrays/digits"})
    with pytest.raises(InputError, match="data.directory = 'data/arrays/digits': overlaps .* DVC deletes"):
        command("check")


def test_it_measures_how_long_trainings_take(params: Params, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    """At made-up rates: those of test1, of batch 256, are higher."""
    monkeypatch.setattr(estimate, "rate", lambda run, device, seconds: run.batch / 10)
    params({"seeds": [0, 1], "train.images": 100, "runs.test1.epochs": 5, "runs.test2.images": 10**6})
    found = estimate.estimate(reading.load())
    assert found is not None and found.images == 2 * (500 + 2 * 1437 + 200 + 200)
    assert found.seconds == pytest.approx(2 * (500 / 25.6 + (2 * 1437 + 400) / 10))
    assert (found.slowest, found.fastest) == (10, 25.6)
    command("check", "--time")
    assert "takes about 12 minutes on this machine: 7,548 images, 10 to 26 a second." in capsys.readouterr().out
    params({"data": {"name": "images", "directory": "pictures",
                     "pictures": {"size": 28, "channels": 1, "smallest": 28}}})
    command("check", "--time")
    assert "once `dvc repro fetch` has brought the images" in capsys.readouterr().out


def test_a_rate_is_of_whole_batches_by_the_clock(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a tenth of a second passes on whenever it is asked: one batch of 100 for each, and one for the end.
    """
    clock = itertools.count()
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock) / 10)
    params({"train.width": 0.25, "runs.test4.lr": 1.0})
    assert estimate.rate(reading.load().runs["test4"], PLAIN, 0.45) == pytest.approx(400 / 0.6)


def test_what_cannot_be_measured_stops_nothing(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    params({"hardware.device": "mps"})
    command("check", "--time")
    assert "cannot be measured: params.yaml: hardware.device" in capsys.readouterr().out


def test_a_place_beside_what_stages_write_is_a_users_own(params: Params) -> None:
    for place in ("data/images", "data/mnist", "pictures", "../elsewhere", "/tmp/x.zip", "models.zip"):
        params({"data.directory": place})
        command("check")


def test_make_asks_before_dvc_runs() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if re.search("&& (dvc|dcgan) repro", line)]
    asked = [line.split("&&")[1].strip() for line in lines]
    assert asked == ["dcgan check --time", "dcgan check"]


def test_dvc_deletes_only_what_the_check_knows_of() -> None:
    """DVC removes every output before its stage runs."""
    outputs = []
    for stage in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"].values():
        made = stage.get("do", stage)
        for kind in ("outs", "plots", "metrics"):
            outputs += [next(iter(one)) if isinstance(one, dict) else one for one in made.get(kind, [])]
    assert str(folders.data("${data.name}")) in outputs and len(outputs) > 10
    assert all(any(Path(one).is_relative_to(place) for place in folders.WRITTEN) for one in outputs)

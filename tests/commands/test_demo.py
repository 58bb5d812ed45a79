"""`dcgan demo`: digits that a classifier of real ones recognises, an end in time, and a stop in one line."""
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from pipeline import published
from pipeline.commands import demo
from pipeline.data import digits
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, training
from pipeline.params.sections import Run
from tests.conftest import FP32, command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(published, "bring", away)
    return tmp_path


def away(name: str) -> None:
    raise InputError(f"{name}: no source answered")


@pytest.mark.slow
def test_the_digits_are_recognised_and_only_scratch_is_left_outside_demo(folder: Path,
                                                                         capsys: pytest.CaptureFixture[str],
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SECONDS", 600.0)
    command("demo")
    # A CPU with bfloat16 is timed once, and the scratch folder remembers how fast it is.
    assert {path.name for path in folder.iterdir()} - {".work"} == {"demo"}
    with Image.open(demo.SAMPLES) as found:
        sheet = np.asarray(found)
    samples = np.stack([sheet[29 * (i // 10):29 * (i // 10) + 28, 29 * (i % 10):29 * (i % 10) + 28].ravel()
                        for i in range(100)])
    real = digits.arrays()
    judge = LogisticRegression(max_iter=500).fit(real["train_images"].reshape(-1, 784) / 255, real["train_labels"])
    assert judge.score(real["test_images"].reshape(-1, 784) / 255, real["test_labels"]) > 0.93
    assert judge.score(samples / 255, np.arange(100) % 10) > 0.7  # chance: 0.1
    with Image.open(demo.WALK) as walk:
        assert walk.n_frames > 50
    said = capsys.readouterr().out
    assert str(demo.SAMPLES) in said and str(demo.WALK) in said and said.endswith(demo.NEXT + "\n")


def test_a_slow_cpu_ends_in_time_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    demo.train(Path("model"), epochs=3, seconds=0.0)
    assert json.loads(Path("model/model.json").read_text())["images_seen"] == 1437
    assert "training ends here, with epoch 1;" in capsys.readouterr().out


def test_house_numbers_are_made_where_the_authors_generator_is(folder: Path) -> None:
    assert demo.houses().endswith("radford-svhn: no source answered") and not demo.HOUSES.exists()
    state = training.start(literature.network("paper-svhn"), Run(batch=64, lr=5e-4, beta1=0.5, leak=0.2), 0, FP32)
    facts = {"network": {"name": "paper-svhn"}, "leak": 0.2, "train": {"statistics_images": 100}}
    checkpoint.save_model(published.folder("radford-svhn"), state.G, state.D, facts)
    assert str(demo.HOUSES) in demo.houses()
    with Image.open(demo.HOUSES) as sheet, Image.open(demo.STREET) as walk:
        assert sheet.size == (8 * 33 - 1, 8 * 33 - 1) and walk.n_frames > 50


def test_an_interrupted_demo_leaves_what_was_there_and_says_one_line(monkeypatch: pytest.MonkeyPatch,
                                                                     capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    demo.train(Path("demo/model"), epochs=1)
    before = {path.name: path.read_bytes() for path in Path("demo/model").iterdir()}
    monkeypatch.setattr(training, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command("demo")
    said = capsys.readouterr().err
    assert said.startswith("demo: interrupted") and said.count("\n") == 1
    assert {path.name: path.read_bytes() for path in Path("demo/model").iterdir()} == before

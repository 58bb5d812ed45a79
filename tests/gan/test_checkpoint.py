"""Models and states on disk: the same after loading, refused when damaged."""
import json
from pathlib import Path

import pytest
import torch

from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, training
from pipeline.gan.updates import State
from pipeline.params.sections import Run
from tests.conftest import FP32

SLIDES = literature.network("slides")
RUN = Run(batch=20, lr=2e-4, beta1=0.5, leak=0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    state = training.start(SLIDES, RUN, 0, FP32)
    checkpoint.save_model(tmp_path / "model", state.G, state.D, {"network": {"name": "slides"}, "leak": 0.2})
    return tmp_path / "model"


def test_a_model_is_loaded_as_it_was_saved(folder: Path) -> None:
    state, model = training.start(SLIDES, RUN, 0, FP32), checkpoint.load_model(folder)
    for net in ("G", "D"):
        saved, loaded = getattr(state, net).state_dict(), getattr(model, net).state_dict()
        assert list(saved) == list(loaded) and all(torch.equal(saved[key], loaded[key]) for key in saved)
    assert not model.G.training and not model.D.training and model.G[2].negative_slope == 0.2


@pytest.mark.parametrize(("file", "damage"), [
    ("generator.safetensors", "truncate"), ("discriminator.safetensors", "flip"), ("model.json", "truncate"),
    ("generator.safetensors", "remove"), ("model.json", "network")])
def test_a_damaged_model_is_refused_in_one_line(folder: Path, file: str, damage: str) -> None:
    path = folder / file
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    elif damage == "network":
        path.write_text(json.dumps(json.loads(content) | {"network": {"name": "unheard of"}}))
    else:
        path.write_bytes(content[:-9] if damage == "truncate" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError) as error:
        checkpoint.load_model(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_a_state_goes_on_from_disk_as_if_it_had_never_stopped(tmp_path: Path, dataset: Dataset) -> None:
    images = dataset.train_images[:100]

    def go_on(state: State) -> list[training.Progress]:
        return list(training.train(state, images, dataset.train_labels, RUN.batch, 200, 0, 40, FP32, 0))

    undisturbed = training.start(SLIDES, RUN, 0, FP32)
    progress = go_on(undisturbed)
    stopped = training.start(SLIDES, RUN, 0, FP32)
    steps = training.train(stopped, images, dataset.train_labels, RUN.batch, 200, 0, 40, FP32, 0)
    next(steps), next(steps)
    checkpoint.save_state(tmp_path / "state.pt", stopped, {"rows": [{"images_seen": 80, "loss_D": 0.1}]})

    resumed = training.start(SLIDES, RUN, 1, FP32)  # another seed: everything comes from the file
    assert checkpoint.load_state(tmp_path / "state.pt", resumed) == {"rows": [{"images_seen": 80, "loss_D": 0.1}]}
    assert go_on(resumed) == progress[2:]
    for key, value in undisturbed.G.state_dict().items():
        assert torch.equal(value, resumed.G.state_dict()[key])


@pytest.mark.parametrize("damage", [b"", b"nonsense", "truncated", "a bit"])
def test_a_damaged_state_is_refused_and_changes_nothing(tmp_path: Path, damage: bytes | str) -> None:
    path, state = tmp_path / "state.pt", training.start(SLIDES, RUN, 0, FP32)
    checkpoint.save_state(path, training.start(SLIDES, RUN, 1, FP32), {})
    content = path.read_bytes()
    path.write_bytes(damage if isinstance(damage, bytes) else content[:-9] if damage == "truncated" else (
        content[:999] + bytes([content[999] ^ 1]) + content[1000:]))
    with pytest.raises(checkpoint.DamagedError, match=r"state\.pt: a damaged checkpoint of [\d,]+ bytes$"):
        checkpoint.load_state(path, state)
    expected = training.start(SLIDES, RUN, 0, FP32).G.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in state.G.state_dict().items())

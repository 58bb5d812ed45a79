"""Stage transfer: a discriminator that never saw a data set, probed on it, beside all controls."""
import json
import shutil
from pathlib import Path

import pytest

from pipeline import params, transfer
from pipeline.data import digits, images
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, training
from pipeline.sections import Run
from tests.conftest import FP32, ROOT, SMALL, change_params


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose recipes have two transfers, the digits, and a D that says it was trained on something else."""
    (tmp_path / "recipes").mkdir()
    book = tmp_path / "recipes/params.yaml"
    shutil.copy(ROOT / "recipes/params.yaml", book)
    change_params(book, book, {key: value for key, value in SMALL.items() if key.startswith("evaluate.")} | {
        "transfers": {"to-digits": {"recipe": "slides-mnist", "data": "digits"}}})
    monkeypatch.chdir(tmp_path)
    images.save(tmp_path / "data", digits.arrays(), digits.FACTS)
    state = training.start(literature.network("slides", 0.25), Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2), 0, FP32)
    facts = {"network": {"name": "slides", "width": 0.25}, "leak": 0.2, "seed": 3, "data": "other", "images_seen": 700}
    checkpoint.save_model(tmp_path / "model", state.G, state.D, facts)
    return tmp_path / "model"


def test_a_transfer_has_the_probe_and_every_control(model: Path, tmp_path: Path) -> None:
    transfer.transfer("recipes/to-digits", tmp_path / "data", model, tmp_path / "report")
    scores = json.loads((tmp_path / "report/metrics.json").read_text())
    assert scores["trained_on"] == "other" != scores["probed_on"]
    assert (scores["images_seen"], scores["probe_images"]) == (700, 600)
    for suffix in ("", "_of_untrained_D", "_of_pixels"):
        assert scores[f"probe_accuracy_test{suffix}"] > 0.85 and 0.7 < scores[f"probe_accuracy_200_labels{suffix}"] < 1
        assert 0 < scores[f"probe_accuracy_200_labels_interval{suffix}"] < 0.1
    assert scores["accuracy_test_of_supervised_CNN"] > 0.2 and "accuracy_200_labels_of_supervised_CNN" in scores


def test_images_of_another_shape_are_refused(model: Path, tmp_path: Path) -> None:
    arrays = {name: array[..., :20] if name.endswith("images") else array for name, array in digits.arrays().items()}
    images.save(tmp_path / "narrow", arrays, digits.FACTS)
    with pytest.raises(InputError, match=r"recipes/params.yaml: transfers.to-digits: slides-mnist sees images of "
                                         r"\(1, 28, 28\), digits has \(1, 28, 20\)"):
        transfer.transfer("recipes/to-digits", tmp_path / "narrow", model, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_the_transfers_are_of_recipes_and_data_sets_that_exist() -> None:
    book, _ = params.transfer(str(ROOT / "recipes" / "imagenet32-to-cifar10"))
    assert book.transfers["imagenet32-to-cifar10"].recipe == "paper-imagenet32"
    for wanted in book.transfers.values():
        assert wanted.recipe in book.recipes and wanted.data in book.data


def test_an_unknown_transfer_is_refused_with_the_nearest(model: Path) -> None:
    with pytest.raises(InputError, match=r"no transfer 'to-digit' \(did you mean 'to-digits'\?\)"):
        params.transfer("recipes/to-digit")

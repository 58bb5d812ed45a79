"""Stage transfer: a discriminator that never saw a data set, probed on it, beside its controls."""
import json
from pathlib import Path

import pytest

from pipeline import transfer
from pipeline.data import digits, images
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, training
from pipeline.params.sections import Run
from pipeline.reporting import other_studies
from tests.conftest import FP32, Params


@pytest.fixture
def project(params: Params, tmp_path: Path) -> Path:
    """A study of digits that lists a D which says that it was trained on something else."""
    params({"transfers": {"elsewhere": {"model": "../other/models/a/seed3"}}})
    images.save(tmp_path / "data/arrays/digits", digits.arrays(), digits.FACTS)
    state = training.start(literature.network("slides", 0.25), Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2), 0, FP32)
    facts = {"network": {"name": "slides", "width": 0.25}, "leak": 0.2, "seed": 3, "data": "other", "images_seen": 700}
    checkpoint.save_model(tmp_path.parent / "other/models/a/seed3", state.G, state.D, facts)
    return tmp_path


@pytest.mark.slow
def test_a_transfer_has_the_probe_and_its_controls(project: Path) -> None:
    transfer.transfer("elsewhere")
    scores = json.loads((project / "reports/transfer/elsewhere/scores.json").read_text())
    assert scores["trained_on"] == "other" != scores["probed_on"]
    assert scores["images_seen"] == 700 and scores["test_images"] == 360
    for suffix in ("", "_of_untrained_D", "_of_pixels"):
        assert scores[f"probe_accuracy_600_labels{suffix}"] > 0.85
        assert 0.7 < scores[f"probe_accuracy_200_labels{suffix}"] < 1
        assert 0 < scores[f"probe_accuracy_200_labels_interval{suffix}"] < 0.1


def test_images_of_another_shape_are_refused(project: Path) -> None:
    arrays = {name: array[..., :20] if name.endswith("images") else array for name, array in digits.arrays().items()}
    images.save(project / "data/arrays/digits", arrays, digits.FACTS)
    with pytest.raises(InputError, match=r"transfers.elsewhere.model = .*\(1, 28, 28\).*\(1, 28, 20\)"):
        transfer.transfer("elsewhere")
    assert not (project / "reports").exists()


def test_an_unknown_transfer_and_a_model_that_is_not_there_are_one_line(project: Path, params: Params) -> None:
    with pytest.raises(InputError, match=r"no 'elsewher' \(did you mean 'elsewhere'\?\)"):
        transfer.transfer("elsewher")
    params({"transfers": {"elsewhere": {"model": "../nowhere"}}})
    with pytest.raises(InputError, match="nowhere/model.json: not found"):
        transfer.transfer("elsewhere")


def test_a_discriminator_without_its_last_layers_says_so_in_its_scores(project: Path) -> None:
    """Nor need it say with which seed, or for how many images, it was trained."""
    state = training.start(literature.network("slides", 0.25), Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2), 0, FP32)
    checkpoint.save(project.parent / "other/models/a/seed3",
                    {"discriminator": checkpoint.weights(checkpoint.first_layers(state.D, 1))},
                    {"network": {"name": "slides", "width": 0.25}, "leak": 0.2, "layers": 1, "trained": "9 epochs"})
    transfer.transfer("elsewhere")
    scores = json.loads((project / "reports/transfer/elsewhere/scores.json").read_text())
    assert scores["trained"] == "9 epochs" and "images_seen" not in scores
    assert "probe_accuracy_600_labels" not in scores and scores["probe_accuracy_600_labels_of_pixels"] > 0.85
    for suffix in ("", "_of_untrained_D"):
        assert scores[f"probe_of_1_layers_accuracy_600_labels{suffix}"] > 0.85
    reports = project.parent / "reports-of" / "mine"
    (reports / "reports").mkdir(parents=True)
    (project / "reports/transfer").rename(reports / "reports/transfer")
    table = other_studies.transfers(reports.parent)
    assert table is not None
    row, = table.rows
    assert row[:2] == ["mine: elsewhere, its first 1 layers", "9 epochs"] and row[4] == "" and all(row[2:4] + row[5:])

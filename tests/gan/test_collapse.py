"""Signs of a collapse: there where they should be, and not in a training that goes well."""
import pytest

from pipeline.gan import collapse
from pipeline.gan.losses import least_D


def losses(*D: float, G: float = 1.0) -> list[dict[str, float]]:
    return [{"images_seen": 5000.0 * place, "loss_D": value, "loss_G": G} for place, value in enumerate(D, 1)]


def test_a_training_that_goes_well_has_no_sign() -> None:
    assert not collapse.signs([], [], [])
    assert not collapse.signs(losses(1.2, 1.3, 0.9, 1.1), [800, 300, 320, 250], [0.1, 0.6, 0.8, 0.7])


@pytest.mark.parametrize(("D", "G", "there"), [
    ((1.2, 1e-3, 1e-3, 1e-3), 7.0, True), ((1.2, 1.1, 1e-3, 1e-3), 7.0, False), ((1e-3, 1e-3, 1e-3, 0.5), 7.0, False),
    ((1.2, 6.5), 695.0, True)])
def test_a_D_that_is_sure_for_long_or_beyond_doubt_is_one(D: tuple[float, ...], G: float, there: bool) -> None:
    assert ("losses" in collapse.signs(losses(*D, G=G), [], [])) == there


def test_label_smoothing_raises_the_band_of_Ds_loss() -> None:
    sure = losses(0.33, 0.33, 0.33)  # the entropy of targets .9 and .1 is .325
    assert not collapse.signs(sure, [], [])
    assert "below 0.35 nats" in collapse.signs(sure, [], [], least_D(0.1))["losses"]


def test_the_bands_are_those_of_the_run() -> None:
    """The committed search winner: 163, then 897 with black samples."""
    assert list(collapse.signs(losses(1.0), [400, 163, 897], [0.2, 0.8, 0.0])) == ["distance", "variance"]
    assert not collapse.signs(losses(1.0), [400, 163, 480], [0.2, 0.8, 0.09])
    assert not collapse.signs(losses(1.0), [897], [0.001])  # what an untrained generator begins with

"""Numbers with the digits that are significant."""
import pytest

from pipeline.reporting.rounding import stated


@pytest.mark.parametrize(("value", "deviation", "percent", "expected"), [
    (254.5609, 2.15, False, "255 ± 2"), (254.5609, 1.349, False, "254.6 ± 1.3"),
    (0.97251, 0.0016, True, "97.25 ± 0.16 %"),
    (1234.5, 26, False, "1,230 ± 30"), (0.0123, 0.0009, False, "0.0123 ± 0.0009"), (-0.02, 0.5, False, "0.0 ± 0.5"),
    (0.7458, 0.0, False, "0.7458"), (3.0, 0.0, False, "3"), (0.0, 0.0, True, "0 %"), (2836.77, 0.0, False, "2,837")])
def test_the_last_digit_is_the_deviations_first(value: float, deviation: float, percent: bool, expected: str) -> None:
    assert stated(value, deviation, percent) == expected

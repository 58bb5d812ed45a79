"""Pictures show names as they are."""
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from pipeline import figures


def drawn(path: Path, name: str) -> bytes:
    figure = Figure(figsize=(2, 2))
    axes = figure.add_subplot()
    axes.bar([0, 1], [1, 1000], label=name)
    axes.set_xticks([0, 1], [name, "b"])
    axes.set_yscale("log")
    axes.set_title(name)
    axes.legend()
    figures.save(figure, path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["$\\frac$", "$x$", "5 $ and 6 $", "$", r"\alpha"])
def test_a_class_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Between two dollars Matplotlib reads mathematics, and \\frac without its parts is an error."""
    assert drawn(tmp_path / "a.png", name) == drawn(tmp_path / "b.png", name) != drawn(tmp_path / "c.png", "x")

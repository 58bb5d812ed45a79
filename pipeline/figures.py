"""How pictures look, wherever they are drawn: one set of colours, no frames, the same bytes for the same numbers."""
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

# Okabe & Ito's colours, which colour-blind readers can distinguish.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def save(figure: Figure, path: Path) -> None:
    """The figure as a PNG; the same figure gives the same bytes."""
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    for text in figure.findobj(Text):
        if "$" in text.get_text() and "mathdefault" not in text.get_text():  # a class may be called $x$
            text.set_parse_math(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})

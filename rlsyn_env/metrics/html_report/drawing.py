"""Matplotlib figures as data URIs: no pyplot, no global state, no date, readable in greyscale."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

REAL = "#1d3c5a"
SYNTHETIC = "#d9822b"
NEUTRAL = "#777777"
REAL_FILL = "#c3ccd4"
HATCH = "////"
REAL_LABEL = "held-out real"
SYNTHETIC_LABEL = "synthetic"

SMALL = (3.6, 2.5)
SQUARE = (4.4, 4.0)

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "rlsyn",
    "path.simplify": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Set the report's look for the figures made and drawn in the block."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A column name in a script the font lacks is drawn as boxes; its text alternative is not.
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield


def draw(size: tuple[float, float], paint: Callable[[Any], None], *, raster: bool = False) -> str:
    """Draw one set of axes and return it as a data URI.

    Args:
        size: width and height in inches.
        paint: draws onto the axes.
        raster: PNG instead of SVG, for thousands of marks.
    """
    with style():
        figure = Figure(figsize=size, layout="constrained")
        paint(figure.subplots())
        buffer = io.BytesIO()
        if raster:
            figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
            kind = "png"
        else:
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
            kind = "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def plain(text: object, length: int = 60) -> str:
    """Return text for a figure: cut to ``length``, and a dollar is no formula."""
    written = " ".join(str(text).split())
    if len(written) > length:
        written = written[: length - 3] + "..."
    return written.replace("$", r"\$")

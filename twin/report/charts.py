"""Charts of a report, as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Line", "line_chart"]

#: Colours of lines, told apart with any colour vision (Okabe & Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Text stays text, in the fonts of whoever reads; the same chart gives the same ids.
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twin",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "text.parse_math": False,
}

#: What matplotlib says about the file; a chart inside a page says nothing about itself.
METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True)
class Line:
    """One line of a chart: minutes into the scene, values, and what it is."""

    label: str
    minutes: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    dots: bool = False
    colour: str | None = None
    style: dict[str, Any] = field(default_factory=dict)


def line_chart(lines: Sequence[Line], *, unit: str, width: float = 6.0, height: float = 2.6) -> str:
    """Draw values over the scene's time.

    Returns
    -------
    An ``<svg>`` element to stand in a page; the same lines give the same text.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        for number, line in enumerate(lines):
            colour = line.colour or COLOURS[number % len(COLOURS)]
            if line.dots:
                axes.plot(
                    line.minutes, line.values, "o", ms=2.5, mfc="none", mew=0.7, color=colour,
                    label=line.label, **line.style,
                )  # fmt: skip
            else:
                axes.plot(
                    line.minutes, line.values, lw=1.4, color=colour, label=line.label, **line.style
                )
        axes.set_xlabel("minutes into the scene")
        axes.set_ylabel(unit)
        axes.grid(visible=True, lw=0.4, alpha=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        if any(line.label for line in lines):
            axes.legend(frameon=False, fontsize=7)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=METADATA)
    text = buffer.getvalue()
    # names of groups would stand several times in a page with several charts
    return re.sub(r'<g id="[^"]*">', "<g>", text[text.index("<svg") :])

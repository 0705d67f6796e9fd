"""Text and legends as small pictures (RGBA, row 0 at the top), drawn by Pillow.

The same panels lie over the 3D picture, in the window and in films, so that a legend's colour is
the very colour of the pixels it explains. `scale` is the size of the design relative to a picture
720 pixels high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.render.palette import INK
from twin.render.text import draw_text, text_size

if TYPE_CHECKING:
    from twin.render.stage import Legend

__all__ = [
    "Canvas",
    "clock_panel",
    "curve_panel",
    "free_spot",
    "info_panel",
    "label_panel",
    "legend_panel",
    "north_panel",
    "note_panel",
    "scale_panel",
    "subtitle_panel",
    "title_panel",
]

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_PAPER = (255, 255, 255)
_FAINT = (104, 112, 122)
_ACCENT = (20, 80, 143)


@dataclass
class Canvas:
    """A panel being drawn, in design units."""

    width: float
    height: float
    scale: float
    opacity: float = 0.88

    def __post_init__(self) -> None:
        from PIL import Image as Pictures
        from PIL import ImageDraw

        size = (max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale)))
        # paper's colour also where nothing is drawn, so that edges of letters do not turn dark
        self.image = Pictures.new("RGBA", size, (*_PAPER, 0))
        self.draw = ImageDraw.Draw(self.image)
        if self.opacity > 0:
            self.draw.rounded_rectangle(
                (0, 0, size[0] - 1, size[1] - 1),
                radius=round(5 * self.scale),
                fill=(*_PAPER, round(255 * self.opacity)),
            )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 13,
        *,
        colour: Colour = INK,
        bold: bool = False,
        anchor: str = "l",
    ) -> None:
        """Write one line, its top at `y`."""
        place = (x * self.scale, y * self.scale)
        points = round(size * self.scale)
        draw_text(self.draw, place, words, points, (*colour, 255), bold=bold, anchor=anchor)

    def box(
        self, x: float, y: float, w: float, h: float, colour: Colour, outline: Colour | None = None
    ) -> None:
        """Fill a rectangle."""
        s = self.scale
        corners = (round(x * s), round(y * s), round((x + w) * s) - 1, round((y + h) * s) - 1)
        self.draw.rectangle(
            corners, fill=(*colour, 255), outline=(*outline, 255) if outline else None
        )

    def shape(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        self.draw.polygon([(x * self.scale, y * self.scale) for x, y in points], (*colour, 255))

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float = 1) -> None:
        """Draw a line."""
        scaled = [(x * self.scale, y * self.scale) for x, y in points]
        self.draw.line(scaled, (*colour, 255), width=max(1, round(width * self.scale)))

    def pixels(self) -> Image:
        """Return what has been drawn."""
        return np.asarray(self.image)


def _width(words: str, size: float, scale: float, *, bold: bool = False) -> float:
    """Width of a line in design units, as it comes out at the scale."""
    return text_size(words, round(size * scale), bold=bold)[0] / scale


def title_panel(title: str, scale: float) -> Image:
    """The title of the picture."""
    canvas = Canvas(_width(title, 21, scale, bold=True) + 28, 40, scale)
    canvas.text(14, 7, title, 21, bold=True)
    return canvas.pixels()


def subtitle_panel(words: str, scale: float) -> Image:
    """The line under a title."""
    canvas = Canvas(_width(words, 13, scale) + 28, 28, scale)
    canvas.text(14, 4, words, 13, colour=_FAINT)
    return canvas.pixels()


def clock_panel(local: str, elapsed: str, scale: float) -> Image:
    """Date and time of day, and the time since the start."""
    split = 16 + _width(elapsed, 18, scale, bold=True)
    canvas = Canvas(split + _width(local, 14, scale) + 28, 34, scale)
    canvas.text(14, 5, elapsed, 18, colour=_ACCENT, bold=True)
    canvas.text(split + 14, 8, local, 14)
    return canvas.pixels()


def note_panel(note: str, scale: float, *, widest: float = 460.0) -> Image:
    """The lines about sources; a long note is broken between words."""
    lines: list[str] = []
    for word in note.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, 11, scale) <= widest:
            lines[-1] = longer
        else:
            lines.append(word)
    canvas = Canvas(max(_width(t, 11, scale) for t in lines) + 16, 6 + 15 * len(lines), scale, 0.7)
    for number, line in enumerate(lines):
        canvas.text(8, 3 + 15 * number, line, 11, colour=_FAINT)
    return canvas.pixels()


def legend_panel(groups: Sequence[tuple[str, Legend]], scale: float) -> Image:
    """Titles, each with its colours and what they mean."""
    row, pad = 19, 12
    widest = max(
        [_width(title, 12.5, scale, bold=True) for title, _ in groups]
        + [34 + _width(text, 12.5, scale) for _, entries in groups for _, text in entries]
    )
    rows = sum(len(entries) for _, entries in groups)
    titles = sum(bool(title) for title, _ in groups)
    height = 2 * pad + row * rows + 22 * titles + 8 * (len(groups) - 1)
    canvas = Canvas(widest + 2 * pad, height, scale)
    y = float(pad)
    for title, entries in groups:
        if title:
            canvas.text(pad, y - 2, title, 12.5, bold=True)
            y += 22
        for colour, text in entries:
            canvas.box(pad, y + 2, 24, 14, colour)
            canvas.text(pad + 34, y, text, 12.5)
            y += row
        y += 8
    return canvas.pixels()


def label_panel(name: str, value: str, scale: float) -> Image:
    """The name of a place and its value."""
    names = _width(name, 11.5, scale) if name else 0.0
    gap = 7 if name and value else 0
    canvas = Canvas(names + gap + _width(value, 11.5, scale, bold=True) + 12, 20, scale)
    canvas.text(6, 2, name, 11.5)
    canvas.text(6 + names + gap, 2, value, 11.5, colour=_ACCENT, bold=True)
    return canvas.pixels()


def info_panel(title: str, rows: Sequence[tuple[str, str]], scale: float) -> Image:
    """What is known of a thing: its name, and keys with values."""
    keys = max([_width(k, 12, scale) for k, _ in rows], default=0.0)
    values = max([_width(v, 12, scale, bold=True) for _, v in rows], default=0.0)
    width = max(keys + values + 18, _width(title, 14, scale, bold=True)) + 28
    canvas = Canvas(width, 42 + 19 * len(rows), scale, opacity=0.94)
    canvas.text(14, 9, title, 14, bold=True)
    for number, (key, value) in enumerate(rows):
        canvas.text(14, 34 + 19 * number, key, 12, colour=_FAINT)
        canvas.text(14 + keys + 18, 34 + 19 * number, value, 12, bold=True)
    return canvas.pixels()


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 · 10ⁿ that is not above `longest`."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(next(k * power for k in (5, 2, 1) if k * power <= longest * (1 + 1e-9)))


def scale_panel(metres_per_pixel: float, scale: float) -> Image:
    """A scale bar of a round length."""
    length = round_length(metres_per_pixel * 190 * scale)
    wide = length / metres_per_pixel / scale
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    canvas = Canvas(wide + 28, 34, scale)
    canvas.text(14 + wide / 2, 3, text, 12, anchor="m")
    for half, colour in ((0, INK), (1, _PAPER)):
        canvas.box(14 + half * wide / 2, 21, wide / 2, 6, colour, outline=INK)
    return canvas.pixels()


def north_panel(heading: float, scale: float) -> Image:
    """A needle that points north, for a view whose upward direction is `heading` (° from north)."""
    canvas = Canvas(46, 46, scale)
    a = np.deg2rad(-heading)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])

    def at(x: float, y: float) -> tuple[float, float]:
        dx, dy = turn @ (x, y)
        return 23 + float(dx), 23 + float(dy)

    canvas.shape([at(0, -9), at(6.5, 12), at(0, 8)], INK)
    canvas.shape([at(0, -9), at(-6.5, 12), at(0, 8)], (150, 156, 164))
    x, y = at(0, -15)
    canvas.text(x, y - 7.5, "N", 11, bold=True, anchor="m")
    return canvas.pixels()


def curve_panel(
    series: Sequence[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    title: str,
    unit: str,
    now: float,
    scale: float,
) -> Image:
    """Draw curves over hours, with a line at the present time `now`, s.

    The first of `series` (label, times in s, values) is drawn as a line, the others as points.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from twin.render.text import families, printable

    ink = tuple(c / 255 for c in INK)
    style: dict[str, Any] = {"fontfamily": families(), "color": ink}
    figure = Figure(figsize=(3.9, 2.2), dpi=100 * scale, facecolor=(1, 1, 1, 0.94))
    axes = figure.add_axes((0.15, 0.19, 0.81, 0.66), facecolor="none")
    for number, (label, times, values) in enumerate(series):
        if number == 0:
            axes.plot(times / 3600, values, color="#14508f", lw=1.6, label=label)
        else:
            axes.plot(times / 3600, values, ".", color="#d9482b", ms=3.5, label=label)
    axes.axvline(now / 3600, color=ink, lw=0.9, ls="--")
    axes.set_title(printable(title), fontsize=9, loc="left", fontweight="bold", **style)
    axes.set_xlabel("hours since the start", fontsize=7.5, **style)
    axes.set_ylabel(unit, fontsize=7.5, **style)
    axes.tick_params(labelsize=7, colors=ink)
    axes.grid(visible=True, lw=0.4, color="#cccccc")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False, loc="best")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def free_spot(
    x: float,
    y: float,
    width: int,
    height: int,
    gap: float,
    taken: Sequence[tuple[float, float, float, float]],
    size: tuple[int, int],
) -> tuple[float, float] | None:
    """Return where a label fits beside a point: right, left, above; None where nowhere."""
    for left, low in (
        (x + gap, y - height / 2),
        (x - gap - width, y - height / 2),
        (x - width / 2, y + (height + gap) / 2),
    ):
        inside = min(left, low) >= 0 and left + width <= size[0] and low + height <= size[1]
        if inside and not any(
            left < tx + tw and tx < left + width and low < ty + th and ty < low + height
            for tx, ty, tw, th in taken
        ):
            return left, low
    return None

"""The window's controls: layer list, time line, help. Drawn as panels, hit by pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from twin.render.palette import INK
from twin.render.panels import Canvas

__all__ = ["HELP", "LAYERS_WIDTH", "LayerList", "Timeline", "help_panel"]

Image = npt.NDArray[np.uint8]

_BLUE, _GREY, _PALE = (20, 80, 143), (150, 156, 164), (214, 220, 227)

#: Keys and what they do.
HELP = (
    ("drag", "turn the city"),
    ("shift + drag, middle button", "move"),
    ("wheel, right button", "nearer, farther"),
    ("click", "what is this?"),
    ("space", "play, pause"),
    ("← →", "one step back, on"),
    ("home, end", "first, last time"),
    ("1 – 9", "layers on and off"),
    ("p", "plan, seen from above"),
    ("o", "overview"),
    ("escape", "close the box"),
    ("h", "this help"),
    ("q", "leave"),
)

LAYERS_WIDTH = 168.0
_ROW = 24.0


class LayerList:
    """One row for each layer, with its key and a tick."""

    def __init__(self, names: Sequence[tuple[str, str]]) -> None:
        self.names = list(names)

    def draw(self, visible: dict[str, bool], scale: float) -> Image:
        """Draw the rows."""
        canvas = Canvas(LAYERS_WIDTH, 12 + _ROW * (len(self.names) + 1), scale)
        for number, (key, name) in enumerate(self.names):
            y = 6 + _ROW * number
            colour = _BLUE if visible[key] else (255, 255, 255)
            canvas.box(10, y + 5, 14, 14, colour, outline=_BLUE if visible[key] else _GREY)
            if visible[key]:
                tick = [(13, y + 12), (16, y + 15.5), (21.5, y + 8.5)]
                canvas.line(tick, (255, 255, 255), 1.8)
            canvas.text(32, y + 4, name, 12.5)
            if number < 9:
                canvas.text(LAYERS_WIDTH - 12, y + 4, str(number + 1), 11, colour=_GREY, anchor="r")
        y = 6 + _ROW * len(self.names)
        canvas.text(32, y + 4, "Help", 12.5, colour=_GREY)
        canvas.text(LAYERS_WIDTH - 12, y + 4, "h", 11, colour=_GREY, anchor="r")
        return canvas.pixels()

    def row_at(self, y: float, scale: float) -> str | None:
        """Return the key of the layer `y` pixels below the panel's top."""
        number = int((y / scale - 6) // _ROW)
        return self.names[number][0] if 0 <= number < len(self.names) else None


class Timeline:
    """Play button and a track from the first to the last time."""

    WIDTH, HEIGHT, LEFT, RIGHT = 560.0, 40.0, 52.0, 18.0

    def __init__(self, times: npt.NDArray[np.float64]) -> None:
        self.times = times

    def draw(self, index: int, playing: bool, scale: float) -> Image:
        """Draw button, track and thumb."""
        canvas = Canvas(self.WIDTH, self.HEIGHT, scale)
        if playing:
            for x in (18.0, 26.0):
                canvas.box(x, 13, 5, 14, _BLUE)
        else:
            canvas.shape([(18, 12), (18, 28), (32, 20)], _BLUE)
        track = self.WIDTH - self.LEFT - self.RIGHT
        canvas.box(self.LEFT, 18.5, track, 3, _PALE)
        x = self.LEFT + track * self._share(index)
        canvas.box(self.LEFT, 18.5, max(x - self.LEFT, 1), 3, _BLUE)
        s = scale
        canvas.draw.ellipse(
            ((x - 7) * s, 13 * s, (x + 7) * s, 27 * s), (*_BLUE, 255), (255, 255, 255, 255)
        )
        return canvas.pixels()

    def on_button(self, x: float, scale: float) -> bool:
        """Say whether `x` pixels from the panel's left is the play button."""
        return x / scale < self.LEFT - 10

    def index_at(self, x: float, scale: float) -> int:
        """Return the position of the clock nearest to `x` pixels from the panel's left."""
        share = np.clip((x / scale - self.LEFT) / (self.WIDTH - self.LEFT - self.RIGHT), 0, 1)
        first, last = self.times[0], self.times[-1]
        return int(np.argmin(np.abs(self.times - (first + share * (last - first)))))

    def x_of(self, index: int, scale: float) -> float:
        """Return how far the thumb is from the panel's left, pixels."""
        return (self.LEFT + (self.WIDTH - self.LEFT - self.RIGHT) * self._share(index)) * scale

    def _share(self, index: int) -> float:
        span = float(self.times[-1] - self.times[0])
        return float(self.times[index] - self.times[0]) / span if span > 0 else 0.0


def help_panel(scale: float) -> Image:
    """Keys and what they do."""
    canvas = Canvas(390, 46 + 20 * len(HELP), scale, opacity=0.95)
    canvas.text(16, 11, "Keys and mouse", 14, bold=True)
    for number, (key, meaning) in enumerate(HELP):
        canvas.text(16, 38 + 20 * number, key, 12, bold=True)
        canvas.text(232, 38 + 20 * number, meaning, 12, colour=INK)
    return canvas.pixels()

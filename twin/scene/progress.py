"""Telling people how far the work is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Protocol, TextIO

from twin.units import format_duration

__all__ = ["Bar", "Lines", "Progress", "Quiet", "for_stream"]


class Progress(Protocol):
    """Is told of stages, and of how far a stage has come."""

    def stage(self, text: str) -> None:
        """A new stage begins."""
        ...

    def update(self, fraction: float, text: str = "") -> None:
        """The present stage has come so far (0…1)."""
        ...

    def done(self) -> None:
        """The last stage is over."""
        ...

    def leave(self) -> None:
        """The work ends early; what is said next begins a line of its own."""
        ...


class Quiet:
    """Says nothing."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def update(self, fraction: float, text: str = "") -> None:
        """Say nothing."""

    def done(self) -> None:
        """Say nothing."""

    def leave(self) -> None:
        """Say nothing."""


class Lines:
    """A line for each stage, and one now and then within a long one."""

    #: Seconds between two lines within a stage.
    EVERY = 10.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._last = self._began

    def stage(self, text: str) -> None:
        """Write the stage with the time since the start."""
        self._last = time.monotonic()
        print(f"[{self._last - self._began:6.1f} s] {text}", file=self._stream, flush=True)

    def update(self, fraction: float, text: str = "") -> None:
        """Write a line if the last one is long ago."""
        now = time.monotonic()
        if now - self._last >= self.EVERY:
            self._last = now
            since = now - self._began
            print(f"[{since:6.1f} s]   {fraction:4.0%} {text}", file=self._stream, flush=True)

    def done(self) -> None:
        """Nothing more to say."""

    def leave(self) -> None:
        """Every line is ended already."""


class Bar:
    """One line at the bottom of a terminal, with a bar and the time that is left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._began = time.monotonic()
        self._drawn = 0.0

    def stage(self, text: str) -> None:
        """Leave the last stage's line standing and begin a new one."""
        self._finish()
        self._text, self._began = text, time.monotonic()
        self._draw(None, "")

    def update(self, fraction: float, text: str = "") -> None:
        """Redraw the line, ten times a second at most."""
        if time.monotonic() - self._drawn > 0.1 or fraction >= 1.0:
            self._draw(min(max(fraction, 0.0), 1.0), text)

    def done(self) -> None:
        """Leave the last line standing."""
        self._finish()

    def leave(self) -> None:
        """End the line as it stands."""
        if self._text:
            self._stream.write("\n")
            self._stream.flush()
            self._text = ""

    def _finish(self) -> None:
        if self._text:
            took = time.monotonic() - self._began
            self._write(f"✓ {self._text} ({took:.1f} s)")
            self._stream.write("\n")
            self._stream.flush()
            self._text = ""

    def _draw(self, fraction: float | None, text: str) -> None:
        self._drawn = time.monotonic()
        if fraction is None:
            self._write(f"… {self._text}")
            return
        filled = round(20 * fraction)
        left = ""
        spent = self._drawn - self._began
        if fraction > 0.02 and spent > 2.0:
            left = f", {format_duration(spent * (1 - fraction) / fraction)} left"
        bar = "█" * filled + "░" * (20 - filled)
        self._write(f"… {self._text} {bar} {fraction:4.0%} {text}{left}")

    def _write(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[K" + line[:width])
        self._stream.flush()


def for_stream(stream: TextIO | None = None) -> Progress:
    """Return a bar for a terminal and lines for anything else; by default for standard error."""
    stream = stream or sys.stderr
    return Bar(stream) if stream.isatty() else Lines(stream)

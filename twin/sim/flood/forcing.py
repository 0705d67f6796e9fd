"""What drives a flood over time: constants, series, functions, and design storms.

A forcing is anything with ``mean(start, end)``: its mean over a step. Means of series are exact, so
the volume that enters does not depend on the steps that a run happens to take.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from twin.errors import InputError

__all__ = ["Forcing", "ForcingLike", "Series", "as_forcing", "block_storm", "chicago_storm"]


class Forcing(Protocol):
    """A quantity over time."""

    def mean(self, start: float, end: float) -> Any:
        """Return the mean over an interval, s; the value itself where it has no length."""
        ...


#: What users may give: a value, ``(times, values)``, or a function of time; SI.
ForcingLike: TypeAlias = (
    float | tuple[npt.ArrayLike, npt.ArrayLike] | Callable[[float], Any] | Forcing
)


class Constant:
    """The same value always."""

    def __init__(self, value: float) -> None:
        self.value = value

    def mean(self, start: float, end: float) -> float:
        """Return the value."""
        return self.value


class Function:
    """A function of time, taken at the middle of the step."""

    def __init__(self, function: Callable[[float], Any]) -> None:
        self.function = function

    def mean(self, start: float, end: float) -> Any:
        """Return the function's value at the middle of the interval."""
        return self.function(0.5 * (start + end))


class Series:
    """Values at times, linear between them and held before the first and after the last.

    Parameters
    ----------
    times
        Seconds, ascending; two equal times make a jump.
    values
        One for each time, SI.
    what
        What the series is, for messages.

    Raises
    ------
    InputError
        If times descend, or a number is missing or not finite.

    Examples
    --------
    >>> Series([0.0, 10.0], [0.0, 1.0]).mean(0.0, 20.0)
    0.75
    """

    def __init__(self, times: npt.ArrayLike, values: npt.ArrayLike, what: str = "series") -> None:
        self.times = np.atleast_1d(np.asarray(times, np.float64))
        self.values = np.atleast_1d(np.asarray(values, np.float64))
        if self.times.ndim != 1 or self.times.shape != self.values.shape or not len(self.times):
            raise InputError(
                f"The {what} needs one value for each time, but has times of shape "
                f"{self.times.shape} and values of shape {self.values.shape}."
            )
        if not (np.isfinite(self.times).all() and np.isfinite(self.values).all()):
            bad = int(np.argmin(np.isfinite(self.times) & np.isfinite(self.values)))
            raise InputError(f"The {what} has no finite time and value at position {bad}.")
        steps = np.diff(self.times)
        if (steps < 0).any():
            bad = int(np.argmax(steps < 0))
            raise InputError(
                f"The times of the {what} must ascend, but {self.times[bad + 1]:g} s follows "
                f"{self.times[bad]:g} s at position {bad + 1}. Sort the series by time."
            )
        self._integral = np.concatenate(
            [[0.0], np.cumsum(0.5 * (self.values[1:] + self.values[:-1]) * steps)]
        )

    def value(self, time: float) -> float:
        """Return the value at a time, s; after the jump where two values share it."""
        i = int(np.searchsorted(self.times, time, side="right")) - 1
        if i < 0:
            return float(self.values[0])
        if i >= len(self.times) - 1:
            return float(self.values[-1])
        share = (time - self.times[i]) / (self.times[i + 1] - self.times[i])
        return float(self.values[i] + share * (self.values[i + 1] - self.values[i]))

    def integral(self, time: float) -> float:
        """Return the integral from the first time to `time`, s."""
        i = int(np.searchsorted(self.times, time, side="right")) - 1
        if i < 0:
            return float(self.values[0] * (time - self.times[0]))
        mean = 0.5 * (self.values[i] + self.value(time))
        return float(self._integral[i] + mean * (time - self.times[i]))

    def mean(self, start: float, end: float) -> float:
        """Return the mean over an interval, s."""
        if end <= start:
            return self.value(start)
        return (self.integral(end) - self.integral(start)) / (end - start)


def as_forcing(value: ForcingLike, what: str) -> Forcing:
    """Turn what a user gives into a forcing; `what` names it in messages.

    Raises
    ------
    InputError
        If it is none of a finite number, ``(times, values)`` and a function.
    """
    if isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise InputError(f"The {what} must be finite, not {value!r}.")
        return Constant(float(value))
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return Series(value[0], value[1], what)
    if hasattr(value, "mean") and not isinstance(value, np.ndarray):
        return value
    if callable(value):
        return Function(value)
    raise InputError(
        f"The {what} must be a number, (times, values) or a function of time, "
        f"not {type(value).__name__}."
    )


def block_storm(depth: float, duration: float, *, begins: float = 0.0) -> Series:
    """Return a storm of constant intensity, m/s.

    Parameters
    ----------
    depth
        Rain depth in all, m.
    duration, begins
        Its length and beginning, s.
    """
    _check_storm(depth, duration)
    rate, end = depth / duration, begins + duration
    return Series([begins, begins, end, end], [0.0, rate, rate, 0.0], "block storm")


def chicago_storm(
    depth: float,
    duration: float,
    peak: float = 0.4,
    *,
    offset: float = 600.0,
    exponent: float = 0.7,
    begins: float = 0.0,
) -> Series:
    """Return a Chicago storm (Keifer & Chu 1957, J. Hydraul. Div. ASCE 83), m/s.

    The storm whose heaviest t seconds, for every t, follow the mean intensity
    ``a / (t + offset)^exponent``; here scaled so that the whole brings `depth`.

    Parameters
    ----------
    depth
        Rain depth in all, m.
    duration, begins
        Its length and beginning, s.
    peak
        Share of the duration that lies before the peak.
    offset, exponent
        Of the intensity formula of the place, s and 1. The defaults are a common shape of such
        formulas, not those of a certain city.
    """
    _check_storm(depth, duration)
    if not 0 < peak < 1:
        raise InputError(f"A Chicago storm peaks between 0 and 1 of its duration, not at {peak!r}.")
    if not (offset > 0 and 0 < exponent < 1):
        raise InputError(
            f"A Chicago storm needs an offset above 0 s and an exponent between 0 and 1, "
            f"not {offset!r} and {exponent!r}."
        )
    # mean intensities between fine times around the peak, from the curve of the depth
    share = np.linspace(0.0, 1.0, 61) ** 2
    before, after = peak * duration * share, (1 - peak) * duration * share
    top = begins + peak * duration

    def fallen(span: npt.NDArray[np.float64], part: float) -> npt.NDArray[np.float64]:
        t = span / part
        return part * t / (t + offset) ** exponent

    scale = depth / float(fallen(before[-1:], peak)[0] + fallen(after[-1:], 1 - peak)[0])
    edges = np.concatenate([top - before[::-1], (top + after)[1:]])
    curve = scale * np.concatenate(
        [-fallen(before, peak)[::-1], fallen(after, 1 - peak)[1:]]
    )  # depth since the peak
    rates = np.diff(curve) / np.diff(edges)
    values = np.concatenate([[0.0], np.repeat(rates, 2), [0.0]])
    return Series(np.repeat(edges, 2), values, "Chicago storm")


def _check_storm(depth: float, duration: float) -> None:
    if not (math.isfinite(depth) and depth >= 0):
        raise InputError(f"A storm brings 0 m or more, not {depth!r}.")
    if not (math.isfinite(duration) and duration > 0):
        raise InputError(f"A storm lasts more than 0 s, not {duration!r}.")

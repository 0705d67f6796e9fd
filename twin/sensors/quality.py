"""Quality flags of readings, after QARTOD.

Flags and tests are those of the U.S. IOOS manuals for real-time quality control (QARTOD), with
the definitions of ``ioos_qc``: gross range, spike, rate of change and flat line. A flag is a
function of the datastream's stored series alone, whatever the order in which its readings came: a
reading that comes late revises the flags of its neighbours.

All values here are SI; times are microseconds, UTC.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from twin.errors import SensorError

if TYPE_CHECKING:
    from twin.sensors.datastream import Datastream

__all__ = [
    "FAIL",
    "GOOD",
    "MISSING",
    "NOT_EVALUATED",
    "SUSPECT",
    "USABLE",
    "Checks",
    "QualityControl",
    "QualityLimits",
    "flag_alone",
    "flag_series",
]

GOOD, NOT_EVALUATED, SUSPECT, FAIL, MISSING = 1, 2, 3, 4, 9

#: Flags of the readings that a simulation may be driven with.
USABLE = (GOOD, NOT_EVALUATED, SUSPECT)


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Limits of a datastream's quality tests, in the datastream's unit; None leaves a test out.

    Parameters
    ----------
    suspect_minimum, suspect_maximum
        Range of what is usual; beyond it a reading is suspect.
    spike_suspect, spike_fail
        Largest distance of a reading from the mean of the one before and the one after.
    rate_suspect, rate_fail
        Largest change between neighbouring readings, in the unit per second.
    flat_suspect, flat_fail
        For how long, s, a reading may stay the same.
    flat_tolerance
        Readings that differ by no more than this are the same.
    """

    suspect_minimum: float | None = None
    suspect_maximum: float | None = None
    spike_suspect: float | None = None
    spike_fail: float | None = None
    rate_suspect: float | None = None
    rate_fail: float | None = None
    flat_suspect: float | None = None
    flat_fail: float | None = None
    flat_tolerance: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None:
                continue
            if not math.isfinite(value):
                raise SensorError(f"Quality limit {f.name} is {value!r}; give a finite number.")
            if f.name not in {"suspect_minimum", "suspect_maximum"} and value < 0:
                raise SensorError(f"Quality limit {f.name} is {value:g}; it cannot be negative.")


@dataclass(frozen=True, slots=True)
class Checks:
    """All limits of one datastream in SI; ±inf where there is none, times in µs."""

    fail: tuple[float, float]
    suspect: tuple[float, float]
    spike: tuple[float, float]
    rate: tuple[float, float]
    flat: tuple[float, float]
    tolerance: float
    #: Whether any test is set at all.
    any: bool
    #: Whether a flag depends on the reading's neighbours.
    contextual: bool

    @classmethod
    def of(cls, datastream: Datastream) -> Checks:
        """Gather and convert the limits of a datastream."""
        limits, factor = datastream.limits, abs(datastream.factor)
        none = QualityLimits()
        ranged = any(
            v is not None
            for v in (
                datastream.minimum,
                datastream.maximum,
                limits.suspect_minimum,
                limits.suspect_maximum,
            )
        )
        pointwise = replace(limits, suspect_minimum=None, suspect_maximum=None, flat_tolerance=0.0)
        contextual = pointwise != none

        def point(value: float | None, default: float) -> float:
            return default if value is None else datastream.to_si(value)

        def step(value: float | None) -> float:
            return math.inf if value is None else value * factor

        def span(seconds: float | None) -> float:
            return math.inf if seconds is None else seconds * 1e6

        return cls(
            fail=(point(datastream.minimum, -math.inf), point(datastream.maximum, math.inf)),
            suspect=(
                point(limits.suspect_minimum, -math.inf),
                point(limits.suspect_maximum, math.inf),
            ),
            spike=(step(limits.spike_suspect), step(limits.spike_fail)),
            rate=(step(limits.rate_suspect), step(limits.rate_fail)),
            flat=(span(limits.flat_suspect), span(limits.flat_fail)),
            tolerance=step(limits.flat_tolerance),
            any=ranged or contextual,
            contextual=contextual,
        )

    @property
    def memory(self) -> int:
        """How far back, µs, a reading can still bear on the flag of another."""
        return int(max((f for f in self.flat if math.isfinite(f)), default=0.0))


def flag_series(
    times: Sequence[int], values: Sequence[float], checks: Checks, first: int = 0
) -> list[int]:
    """Return the flags of a series' readings from index `first` on.

    - gross range: fail outside `checks.fail`, suspect outside `checks.suspect`;
    - spike: ``|v[n] - (v[n-1] + v[n+1]) / 2|`` above the limit; the two ends are not judged;
    - rate of change: ``|v[n] - v[n-1]| / (t[n] - t[n-1])`` above the limit;
    - flat line: the readings of a whole window that ends at n stay within the tolerance.

    The worst verdict stands (fail, suspect, good); without any test it is "not evaluated". The
    flat-line test differs from ``ioos_qc`` in two points: a window is measured in time rather than
    in a number of median intervals, so that gaps do not stretch it, and a sensor stuck at exactly
    one value is found with tolerance 0.

    Parameters
    ----------
    times
        µs, ascending.
    values
        SI, finite.
    """
    flags = []
    for n in range(first, len(times)):
        flag = flag_alone(values[n], checks)
        if checks.contextual and flag != FAIL:
            flag = max(flag, _contextual(times, values, checks, n))
        flags.append(flag)
    return flags


def flag_alone(value: float, checks: Checks) -> int:
    """Return the flag of a reading as far as it can be told without its neighbours."""
    if not checks.any:
        return NOT_EVALUATED
    if not checks.fail[0] <= value <= checks.fail[1]:
        return FAIL
    return GOOD if checks.suspect[0] <= value <= checks.suspect[1] else SUSPECT


def _contextual(times: Sequence[int], values: Sequence[float], checks: Checks, n: int) -> int:
    """Return the worst verdict of the tests that look at a reading's neighbours."""
    value = values[n]
    worst = GOOD
    if 0 < n < len(times) - 1:
        spike = abs(value - (values[n - 1] + values[n + 1]) / 2)
        worst = max(worst, _grade(spike, checks.spike))
    if n > 0 and times[n] > times[n - 1]:
        rate = abs(value - values[n - 1]) / ((times[n] - times[n - 1]) / 1e6)
        worst = max(worst, _grade(rate, checks.rate))
    longest = checks.flat[1] if math.isfinite(checks.flat[1]) else checks.flat[0]
    if math.isfinite(longest):
        # how long, looking back, the readings have kept within the tolerance
        low = high = value
        still = 0
        for k in range(n - 1, -1, -1):
            low, high = min(low, values[k]), max(high, values[k])
            if high - low > checks.tolerance:
                break
            still = times[n] - times[k]
            if still >= longest:
                break
        if still >= checks.flat[1]:
            worst = FAIL
        elif still >= checks.flat[0]:
            worst = max(worst, SUSPECT)
    return worst


def _grade(amount: float, limits: tuple[float, float]) -> int:
    if amount > limits[1]:
        return FAIL
    return SUSPECT if amount > limits[0] else GOOD


#: Reads (time µs, variant, value, flag) of one datastream from the store: what lies in a closed
#: interval of times, and as a guard the two readings before it and the two after it.
Neighbourhood = Callable[[int, int], "list[tuple[int, str, float, int]]"]


class _Window:
    """A stretch of a datastream's series in memory, in the order of (time, variant)."""

    def __init__(self, rows: Sequence[tuple[int, str, float, int]], low: int, high: int) -> None:
        self.keys = [(r[0], r[1]) for r in rows]
        self.values = [r[2] for r in rows]
        self.flags = [r[3] for r in rows]
        # a guard that is not complete means that the series begins, or ends, here
        self.has_begin = sum(r[0] < low for r in rows) < 2
        self.has_end = sum(r[0] > high for r in rows) < 2

    def covers(self, time: int, memory: int) -> bool:
        """Whether all that a reading at `time` can change, and what that rests on, is here."""
        before = bisect_left(self.keys, (time, "")) - 1
        return self.has_begin or (before >= 1 and self.keys[before][0] - memory >= self.keys[0][0])

    def insert(self, key: tuple[int, str], value: float) -> int:
        place = len(self.keys)
        if self.keys and key < self.keys[-1]:
            place = bisect_left(self.keys, key)
        self.keys.insert(place, key)
        self.values.insert(place, value)
        self.flags.insert(place, 0)
        return place

    def forget(self, memory: int) -> None:
        """Drop what can no longer bear on a reading that comes in order."""
        cut = min(bisect_left(self.keys, (self.keys[-1][0] - memory, "")) - 1, len(self.keys) - 3)
        # in large bites, since dropping from the front of a list is not free
        if cut > max(16, len(self.keys) // 2):
            del self.keys[:cut], self.values[:cut], self.flags[:cut]
            self.has_begin = False


class QualityControl:
    """Flags new readings, and revises those of their neighbours, datastream by datastream.

    It keeps the newest part of each series in memory, as much as its tests look back; for a
    reading older than that it reads the neighbourhood from the store.
    """

    def __init__(self) -> None:
        self._windows: dict[int, _Window] = {}

    def clear(self) -> None:
        """Forget all that is in memory; the store will be asked again."""
        self._windows.clear()

    def judge(
        self,
        stream: int,
        checks: Checks,
        new: Sequence[tuple[int, str, float]],
        neighbourhood: Neighbourhood,
    ) -> dict[tuple[int, str], int]:
        """Return by (time, variant) the flags of `new` and all flags that change because of them.

        Parameters
        ----------
        stream
            Number of the datastream.
        new
            Readings (time µs, variant, value SI) that are not in the store yet.
        neighbourhood
            See `Neighbourhood`.
        """
        oldest, newest = min(r[0] for r in new), max(r[0] for r in new)
        high = newest
        window = self._windows.get(stream)
        if window is None or not window.covers(oldest, checks.memory):
            # the flag of the reading before rests on what lies up to a memory's length before it;
            # the new readings bear on what lies up to a memory's length after the next one
            around = [r[0] for r in neighbourhood(oldest, newest)]
            low = min([*around, oldest]) - checks.memory
            high = min((t for t in around if t > newest), default=newest) + checks.memory
            window = _Window(neighbourhood(low, high), low, high)
        first = len(window.keys)
        for time, variant, value in sorted(new):
            first = min(first, window.insert((time, variant), value))
        first = max(first - 1, 0)
        flags = flag_series([k[0] for k in window.keys], window.values, checks, first)
        if not window.has_end:
            # nothing changes any more beyond `high`, and the last reading there lacks a neighbour
            del flags[bisect_left(window.keys, (high + 1, "")) - first :]
        changed = {}
        for n, flag in enumerate(flags, first):
            if flag != window.flags[n]:
                changed[window.keys[n]] = window.flags[n] = flag
        if window.has_end:
            window.forget(checks.memory)
            self._windows[stream] = window
        else:
            # what is in memory of the newest part may lack some of these
            self._windows.pop(stream, None)
        return changed

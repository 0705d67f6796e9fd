"""Who walks: distributions of speed and delay, and streams of arrivals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon

from twin.errors import SimulationError

__all__ = [
    "WEIDMANN",
    "Distribution",
    "LogNormal",
    "Normal",
    "Source",
    "Uniform",
    "draw",
]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Normal:
    """A normal distribution cut off at `low` and `high`."""

    mean: float
    sd: float
    low: float = 0.0
    high: float = math.inf

    def draw(self, rng: np.random.Generator, number: int) -> FloatArray:
        """Return `number` values; those beyond the limits are drawn again."""
        values = rng.normal(self.mean, self.sd, number)
        for _ in range(100):
            bad = (values < self.low) | (values > self.high)
            if not bad.any():
                return values
            values[bad] = rng.normal(self.mean, self.sd, int(bad.sum()))
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class LogNormal:
    """A lognormal distribution, cut off at `high`; `mu` and `sigma` are those of the logarithm."""

    mu: float
    sigma: float
    high: float = math.inf

    def draw(self, rng: np.random.Generator, number: int) -> FloatArray:
        """Return `number` values."""
        return np.minimum(rng.lognormal(self.mu, self.sigma, number), self.high)


@dataclass(frozen=True)
class Uniform:
    """A uniform distribution from `low` to `high`."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, number: int) -> FloatArray:
        """Return `number` values."""
        return rng.uniform(self.low, self.high, number)


Distribution = Normal | LogNormal | Uniform

#: Free walking speed of adults: mean and standard deviation of Weidmann (1993), m/s.
WEIDMANN = Normal(1.34, 0.26, 0.5, 2.2)


def draw(
    value: float | npt.ArrayLike | Distribution,
    rng: np.random.Generator,
    number: int,
    *,
    name: str,
    low: float,
    high: float,
) -> FloatArray:
    """Return one value for each of `number` people from a scalar, an array or a distribution.

    Raises
    ------
    SimulationError
        If a value is not finite or lies outside `low` … `high`, or there are too many or too few.
    """
    if isinstance(value, Normal | LogNormal | Uniform):
        values = value.draw(rng, number)
    else:
        given = np.asarray(value, dtype=np.float64)
        if given.ndim > 1 or (given.ndim == 1 and given.size != number):
            raise SimulationError(
                f"{name}: {given.size} values for {number} people; give one value, one for each, "
                "or a distribution."
            )
        values = np.broadcast_to(given, (number,)).copy()
    bad = ~(np.isfinite(values) & (values >= low) & (values <= high))
    if bad.any():
        raise SimulationError(
            f"{name} must be between {low:g} and {high:g}, not {values[bad][0]:g} "
            f"(person {int(np.flatnonzero(bad)[0])} of {number})."
        )
    return values


@dataclass
class Source:
    """A stream of arrivals at an area; see `CrowdModel.add_source`.

    `next` is the time of the next arrival, `waiting` how many have come and found no room, `retry`
    when they try again.
    """

    surface: int
    area: Polygon | MultiPolygon
    rate: float
    until: float
    desired_speed: float | Distribution
    radius: float
    field: int
    next: float
    waiting: int = 0
    retry: float = math.inf

    def due(self, now: float) -> float:
        """Return when somebody next wants to come in, s."""
        return min(self.next, max(self.retry, now) if self.waiting else math.inf)

    @property
    def exhausted(self) -> bool:
        """Whether nobody will come any more."""
        return self.waiting == 0 and self.next > self.until

    def arrivals(self, now: float, rng: np.random.Generator) -> int:
        """Return how many want to come in now."""
        while self.next <= now + 1e-9 and self.next <= self.until:
            self.waiting += 1
            self.next += float(rng.exponential(1.0 / self.rate))
        if self.next > self.until:
            self.next = math.inf
        return self.waiting

    def places(self, number: int, taken: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return room for up to `number` people in the area, found by chance."""
        inner = self.area.buffer(-self.radius)
        west, south, east, north = inner.bounds if not inner.is_empty else (0.0,) * 4
        found: list[FloatArray] = []
        for _ in range(20 * number):
            if len(found) == number or inner.is_empty:
                break
            place = rng.uniform((west, south), (east, north))
            others = np.vstack([taken, *found]) if found else taken
            apart = np.hypot(*(others - place).T)
            if apart.min(initial=math.inf) >= 2 * self.radius and shapely.contains_xy(
                inner, *place
            ):
                found.append(place)
        return np.array(found).reshape(-1, 2)

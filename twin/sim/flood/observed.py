"""Forcings that are read while the flood runs: a gauge, or the mean of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.sim.flood.forcing import Series
from twin.sim.simulation import Observations

__all__ = ["GaugeMean", "Observed"]


@dataclass(frozen=True, slots=True)
class GaugeMean:
    """The mean of what several datastreams read at the same time.

    Parameters
    ----------
    datastreams
        Their ids.
    """

    datastreams: tuple[str, ...]


class Observed:
    """A forcing read from datastreams; `read` must have seen an interval before it is asked of it.

    Between two readings it is linear; after the last one that is known it is held.

    Parameters
    ----------
    observations
        Who to ask.
    datastreams
        Whose mean it is.
    """

    def __init__(self, observations: Observations, datastreams: tuple[str, ...]) -> None:
        self._observations = observations
        self.datastreams = datastreams
        #: last reading used of each datastream: time (s) and value; NaN before the first
        self.last = np.full((len(datastreams), 2), np.nan)
        self._series: Series | None = None

    def read(self, start: float, end: float) -> None:
        """Ask for the readings of an interval, s.

        Raises
        ------
        SimulationError
            If a datastream has no reading by then, so that nothing can be held.
        """
        read: list[Series] = []
        for k, name in enumerate(self.datastreams):
            times, values = self._observations.series(name, start, end)
            times, values = np.asarray(times, float), np.asarray(values, float)
            if np.isfinite(self.last[k, 0]):
                newer = times > self.last[k, 0]
                times = np.concatenate([self.last[k, :1], times[newer]])
                values = np.concatenate([self.last[k, 1:], values[newer]])
            if not len(times):
                raise SimulationError(
                    f"There is no reading of {name!r} up to {end:g} s, but the flood needs one. "
                    "Start later, give a value in its place, or see whether the sensor sends."
                )
            read.append(Series(times, values, f"readings of {name!r}"))
            past = np.flatnonzero(times <= end)
            if len(past):
                self.last[k] = times[past[-1]], values[past[-1]]

        # each is linear between its own times, and so is their mean between the times of all
        times = np.unique(np.concatenate([s.times for s in read]))
        mean = np.mean([np.interp(times, s.times, s.values) for s in read], axis=0)
        self._series = Series(times, mean)

    def mean(self, start: float, end: float) -> float:
        """Return the mean over an interval inside the one that was read."""
        if self._series is None:
            raise SimulationError(f"Nothing has been read of {', '.join(self.datastreams)} yet.")
        return float(self._series.mean(start, end))

    @property
    def state(self) -> npt.NDArray[np.float64]:
        """What must be kept to go on from here."""
        return self.last.copy()

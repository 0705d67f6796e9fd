"""Observations on the clock of a scene: seconds since its start, in SI, usable ones only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import SensorError
from twin.sensors.hub import SensorHub
from twin.sensors.quality import USABLE

if TYPE_CHECKING:
    from twin.sensors.store import Store

__all__ = ["SceneObservations"]


class SceneObservations:
    """What simulations are given of the readings: usable ones, on the scene's clock.

    Usable are the quality flags good, suspect and not evaluated; failed and missing readings are
    left out.

    Parameters
    ----------
    source
        The store, or the hub that writes it.
    start
        The scene's start, with its offset from UTC.
    """

    def __init__(self, source: Store | SensorHub, start: datetime) -> None:
        if start.tzinfo is None:
            raise SensorError(f"The scene's start {start.isoformat()} lacks its offset from UTC.")
        self._source = source
        self.start = start

    @property
    def _store(self) -> Store:
        return self._source.store if isinstance(self._source, SensorHub) else self._source

    def series(
        self, datastream: str, start: float, end: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return times (seconds since the scene's start) and values (SI) of an interval.

        The last observation at or before `start` and the first at or after `end` are included, so
        that values can be interpolated over the whole of the interval; times are ascending, and of
        several readings of one time the first stands.
        """
        first, last = self._moment(start), self._moment(end)
        if last < first:
            raise SensorError(f"An interval from {start:g} s to {end:g} s ends before it starts.")
        found = self._store.series(datastream, *self._store.neighbours(datastream, first, last))
        usable = np.isin(found.quality, USABLE)
        times, places = np.unique(self._seconds(found.time[usable]), return_index=True)
        return times, found.value[usable][places]

    def latest(self, datastream: str, at: float) -> tuple[float, float] | None:
        """Return time and value of the last observation at or before a time, if there is one."""
        moment = self._moment(at)
        before, _ = self._store.neighbours(datastream, moment, moment)
        times, values = self.series(datastream, (before - self.start).total_seconds(), at)
        known = np.flatnonzero(times <= at)
        return (float(times[known[-1]]), float(values[known[-1]])) if len(known) else None

    def _moment(self, seconds: float) -> datetime:
        return self.start + timedelta(seconds=float(seconds))

    def _seconds(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
        origin = np.datetime64(self.start.astimezone(UTC).replace(tzinfo=None), "us")
        return (times - origin).astype(np.int64) / 1e6

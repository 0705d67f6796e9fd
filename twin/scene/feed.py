"""The readings of a scene while it runs: broker, client, store, and the replay of a record.

A replayed record is taken in up to an hour beyond the scene's end before the first step: late rows
and quality flags that a later reading settles are then the same in every run, at any speed. Live
readings are waited for step by step.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from twin.errors import Interrupted, SensorError
from twin.scene.build import fleet, forcing_streams
from twin.scene.progress import Progress, Quiet
from twin.sensors.payloads import to_us

if TYPE_CHECKING:
    import pandas as pd

    from twin.scene.scene import Scene
    from twin.sensors.datastream import Datastream
    from twin.sensors.hub import SensorHub
    from twin.sensors.replay import Replay
    from twin.sim.simulation import Observations, Simulation

__all__ = ["Feed"]

#: Fields that can be held against what a datastream of a property reads.
COUNTERPARTS = {"water_level": "flood.level", "water_depth": "flood.depth"}


class Feed:
    """Starts what the scene's `[sensors]` asks for, and ends it; does nothing without that table.

    Parameters
    ----------
    scene
        The scene.
    path
        Directory of the run, which gets the store ``observations.db``.
    progress
        Told of how many readings are in.
    should_stop
        Asked while waiting.
    """

    #: Longest wait for readings that do not come, s.
    PATIENCE = 60.0
    #: How far beyond the scene's end a record is taken in before the start.
    LOOKAHEAD = timedelta(hours=1)
    #: How old the latest reading of a driving datastream may be at the scene's start.
    LATEST = timedelta(hours=1)

    def __init__(
        self,
        scene: Scene,
        path: Path,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.scene = scene
        self.path = path
        self.progress = progress or Quiet()
        self.should_stop = should_stop
        self.streams: list[Datastream] = fleet(scene)
        self._driving = forcing_streams(scene, self.streams)
        self.observations: Observations | None = None
        self._ends = contextlib.ExitStack()
        self._hub: SensorHub | None = None
        self._replay: Replay | None = None
        self._owed = 0

    def __enter__(self) -> Self:
        sensors = self.scene.model.sensors
        if sensors is None:
            return self
        from twin.sensors.broker import EmbeddedBroker
        from twin.sensors.hub import SensorHub
        from twin.sensors.observations import SceneObservations
        from twin.sensors.replay import Replay

        with contextlib.ExitStack() as ends:
            url = sensors.broker
            if url == "embedded":
                url = ends.enter_context(EmbeddedBroker()).url
            hub = SensorHub(self.path / "observations.db", url, self.streams)
            self._hub = ends.enter_context(hub)
            self.observations = SceneObservations(hub, self.scene.model.clock.start)
            if sensors.replay is not None:
                file = self.scene.path(sensors.replay.file)
                replay = Replay(file, url, self.streams, speed=sensors.replay.speed)
                until = to_us(self._moment(self.scene.model.clock.duration) + self.LOOKAHEAD)
                self._owed = max(
                    (n for n, row in enumerate(replay.record, start=1) if row[0] <= until),
                    default=0,
                )
                self._replay = ends.enter_context(replay)
                self._check_record(replay)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.__exit__(kind, error, trace)

    def wait(self, target: float) -> None:
        """Wait until the readings up to `target`, s, are in the store.

        Raises
        ------
        SensorError
            If they do not come, naming the datastreams that are late.
        Interrupted
            If `should_stop` says so meanwhile.
        """
        if self._hub is None:
            return
        if self._replay is None:
            if self._driving:
                self._hub.wait_until(self._moment(target), self._driving, timeout=self.PATIENCE)
        elif self._owed:
            self._take_in(self._owed)
            self._owed = 0

    def finish(self) -> dict[str, int]:
        """Take in the rest of the record; return what the store then holds."""
        if self._hub is None:
            return {}
        if self._replay is not None:
            self._take_in(len(self._replay.record))
        counts = self._hub.store.counts()
        return {
            "stored": counts["observations"],
            "conflicts": counts["conflicts"],
            "dead_letters": len(self._hub.store.dead_letters()),
        }

    def simulated(self, simulations: Sequence[Simulation]) -> pd.DataFrame:
        """Return what the simulations have where datastreams measure the same, as series rows."""
        import pandas as pd

        rows = []
        for simulation in simulations:
            written = {spec.name for spec in simulation.writes}
            fields = {f: simulation.give(f) for f in set(COUNTERPARTS.values()) & written}
            for stream in self.streams:
                found = fields.get(COUNTERPARTS.get(stream.property, ""))
                if found is None or stream.location is None:
                    continue
                value = float(found.grid.sample(found.values, *stream.location))
                if np.isfinite(value):
                    row = (simulation.time, simulation.name, stream.id, stream.property, "m")
                    rows.append((*row, value))
        columns = ["time", "simulation", "place", "quantity", "unit", "value"]
        return pd.DataFrame(rows, columns=columns)

    def _check_record(self, replay: Replay) -> None:
        """Refuse a record that has nothing to say of the scene's time."""
        start, end = self._moment(0.0), self._moment(self.scene.model.clock.duration)
        for name in self._driving:
            last = replay.due(name, to_us(end))
            if last < to_us(start - self.LATEST):
                record = replay.record
                raise SensorError(
                    f"sensors.replay: the record has no reading of {name!r}, which drives the "
                    f"scene, between {start - self.LATEST} and {end}; its readings run from "
                    f"{record.start} to {record.end}. See whether clock.start is meant so."
                )

    def _take_in(self, count: int) -> None:
        """Wait until the hub has dealt with as many messages of the record."""
        assert self._hub is not None
        assert self._replay is not None
        hub, replay = self._hub, self._replay
        last, since = -1, time.monotonic()
        while (received := hub.stats.received) < count:
            hub.check()
            replay.check()
            if self.should_stop():
                raise Interrupted("Stopped while taking in readings.")
            now = time.monotonic()
            published = replay.published
            if received + published != last:
                last, since = received + published, now
            elif now - since > self.PATIENCE and (replay.ended.is_set() or replay.unanswered):
                raise SensorError(
                    f"Of {len(replay.record)} recorded readings the broker has taken {published} "
                    f"and passed on {received}, and for {self.PATIENCE:g} s nothing has moved; see "
                    "whether it still answers."
                )
            self.progress.update(received / count, f"{received} of {count} readings")
            time.sleep(0.02)

    def _moment(self, seconds: float) -> datetime:
        return self.scene.model.clock.start + timedelta(seconds=seconds)

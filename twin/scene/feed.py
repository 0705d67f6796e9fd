"""The readings of a scene while it runs: broker, client, store, and the replay of a record.

`Feed.wait` holds the scene's clock until the readings of the coming interval are in the store, so a
replay gives the same numbers at any speed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from twin.errors import SensorError
from twin.scene.build import fleet, forcing_streams
from twin.scene.progress import Progress

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

    A replayed record is waited for as a whole, up to `LOOKAHEAD` beyond the scene's end, before the
    first step: late rows and quality flags that a later reading settles are then the same in every
    run. Live readings are waited for step by step.

    Parameters
    ----------
    scene
        The scene.
    path
        Directory of the run, which gets the store ``observations.db``.
    """

    #: Longest wait for readings that do not come, s.
    PATIENCE = 60.0
    #: How far beyond the scene's end a record is taken in before the start.
    LOOKAHEAD = timedelta(hours=1)

    def __init__(self, scene: Scene, path: Path) -> None:
        self.scene = scene
        self.path = path
        self.streams: list[Datastream] = fleet(scene)
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
        from twin.sensors.payloads import to_us
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
                hub.follow(replay)
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
        """
        if self._hub is None:
            return
        if self._replay is None:
            names = forcing_streams(self.scene)
            if names:
                self._hub.wait_until(self._moment(target), names, timeout=self.PATIENCE)
        elif self._owed:
            self._take_in(self._owed)
            self._owed = 0

    def finish(self, progress: Progress) -> dict[str, int]:
        """Take in the rest of the record; return what became of the readings."""
        if self._hub is None:
            return {}
        if self._replay is not None:
            self._take_in(len(self._replay.record), progress)
        stats = self._hub.stats
        return {
            "received": stats.received,
            "stored": stats.stored,
            "duplicates": stats.duplicates,
            "conflicts": stats.conflicts,
            "dead_letters": stats.dead_letters,
        }

    def simulated(self, simulations: Sequence[Simulation]) -> pd.DataFrame:
        """Return what the simulations have where datastreams measure the same, as series rows."""
        import pandas as pd

        rows = []
        for stream in self.streams:
            field = COUNTERPARTS.get(stream.property)
            if field is None or stream.location is None:
                continue
            for simulation in simulations:
                if field in {spec.name for spec in simulation.writes}:
                    found = simulation.give(field)
                    value = float(found.grid.sample(found.values, *stream.location))
                    if np.isfinite(value):
                        row = (simulation.time, simulation.name, stream.id, stream.property, "m")
                        rows.append((*row, value))
        columns = ["time", "simulation", "place", "quantity", "unit", "value"]
        return pd.DataFrame(rows, columns=columns)

    def _take_in(self, count: int, progress: Progress | None = None) -> None:
        """Wait until the hub has dealt with as many messages of the record."""
        assert self._hub is not None
        assert self._replay is not None
        last, since = -1, time.monotonic()
        while (received := self._hub.stats.received) < count:
            self._hub.check()
            self._replay.check()
            now = time.monotonic()
            sent = self._replay.published
            if received + sent != last:
                last, since = received + sent, now
            elif now - since > self.PATIENCE and self._replay.ended.is_set():
                raise SensorError(
                    f"Of {sent} readings sent to the broker only {received} came back within "
                    f"{self.PATIENCE:g} s; see that the broker passes them on."
                )
            if progress is not None:
                progress.update(received / count, f"{received} of {count} readings")
            time.sleep(0.02)

    def _moment(self, seconds: float) -> datetime:
        return self.scene.model.clock.start + timedelta(seconds=seconds)

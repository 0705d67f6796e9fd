"""Several simulations advanced together, exchanging fields by name at sync points.

Between two sync points every simulation computes on its own with what it was given at the first;
at each point the declared fields are carried from their writer to their readers. The interval is
the coupling's time scale: small against the time in which the exchanged fields change (a flood
rises a few millimetres in half a minute), large against the simulations' own steps.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from twin.errors import SimulationError, did_you_mean
from twin.sim.simulation import Simulation

__all__ = ["Coupling"]


class Coupling:
    """Advance `simulations` together.

    Parameters
    ----------
    simulations
        In the order in which they are advanced. It makes no difference to what they compute: all
        fields are carried before the first one goes on.
    interval
        Time between sync points, s.
    reads
        By name of a simulation, the fields that it shall take, no others. Those must have a writer;
        without an entry a simulation takes all that there are of the fields that it can read.

    Raises
    ------
    SimulationError
        If two simulations share a name, two write a field that a third reads, or one needs a field
        that none writes.
    """

    def __init__(
        self,
        simulations: Sequence[Simulation],
        *,
        interval: float = 30.0,
        reads: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        if not (math.isfinite(interval) and interval > 0):
            raise SimulationError(f"The sync interval must be above 0 s, not {interval!r}.")
        self.simulations = list(simulations)
        self.interval = float(interval)
        names = [s.name for s in self.simulations]
        twice = {n for n in names if names.count(n) > 1}
        if twice:
            raise SimulationError(
                f"Two simulations are called {sorted(twice)[0]!r}; give one another name."
            )
        writers: dict[str, list[Simulation]] = {}
        for simulation in self.simulations:
            for spec in simulation.writes:
                writers.setdefault(spec.name, []).append(simulation)
        self.exchanges: list[tuple[Simulation, Simulation, str]] = []
        for simulation in self.simulations:
            known = {spec.name: spec for spec in simulation.reads}
            chosen = (reads or {}).get(simulation.name)
            for name in () if chosen is None else chosen:
                if name not in known:
                    raise SimulationError(
                        f"{simulation.name!r} cannot read {name!r}. {did_you_mean(name, known)}"
                    )
            for spec in simulation.reads:
                writing = writers.get(spec.name, [])
                asked = chosen is not None and spec.name in chosen
                if chosen is not None and spec.optional and not asked:
                    continue
                if len(writing) > 1:
                    raise SimulationError(
                        f"Both {writing[0].name!r} and {writing[1].name!r} write {spec.name!r}, "
                        f"which {simulation.name!r} reads; only one can be meant."
                    )
                if writing:
                    self.exchanges.append((writing[0], simulation, spec.name))
                elif asked or not spec.optional:
                    raise SimulationError(
                        f"{simulation.name!r} needs {spec.name!r}, which no simulation writes. "
                        + did_you_mean(spec.name, writers)
                    )

    @property
    def time(self) -> float:
        """Seconds since the scene's start."""
        return min((s.time for s in self.simulations), default=0.0)

    def advance(self, until: float) -> None:
        """Compute on to exactly `until`, s, exchanging fields at each sync point on the way."""
        for target in self.sync_points(self.time, until):
            self.step(target)

    def step(self, target: float) -> None:
        """Carry every field from its writer to its readers, then compute on to `target`, s."""
        for writer, reader, name in self.exchanges:
            reader.take(name, writer.give(name))
        for simulation in self.simulations:
            simulation.advance(target)

    def sync_points(self, start: float, end: float) -> Iterator[float]:
        """Yield the sync points after `start` up to and including `end`.

        They are multiples of the interval counted from zero, whatever `start` is, so that a
        resumed run meets the same ones.
        """
        step = math.floor(start / self.interval + 1e-9) + 1
        while step * self.interval < end - 1e-9:
            yield step * self.interval
            step += 1
        if end > start:
            yield end

    def checkpoint(self, directory: Path) -> None:
        """Write the state of every simulation into its own folder below an empty `directory`."""
        for simulation in self.simulations:
            folder = directory / simulation.name
            folder.mkdir()
            simulation.checkpoint(folder)

    def restore(self, directory: Path) -> None:
        """Take up the states that `checkpoint` wrote."""
        for simulation in self.simulations:
            folder = directory / simulation.name
            if not folder.is_dir():
                raise SimulationError(
                    f"The checkpoint {str(directory)!r} does not know {simulation.name!r}."
                )
            simulation.restore(folder)

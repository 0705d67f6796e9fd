"""Polygons in, trajectories out: the driver of a microscopic crowd."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from shapely.geometry import LineString, MultiPolygon, Polygon

from twin.errors import GeometryError, SimulationError, did_you_mean
from twin.geo.grid import Grid
from twin.sim.crowd import kernels, tables
from twin.sim.crowd.demand import WEIDMANN, Distribution, Source, draw
from twin.sim.crowd.exits import Area, build_exits, surface_of
from twin.sim.crowd.kernels import PERSON, STRANDED, WAITING
from twin.sim.crowd.lattice import build_lattice
from twin.sim.crowd.places import check_apart, check_places, free_places
from twin.sim.crowd.population import Population
from twin.sim.crowd.surfaces import Link, Surface, cut_edges, find_links
from twin.sim.crowd.velocity import CollisionFreeSpeed, HeadingSpeed, choose_model
from twin.sim.crowd.ways import ANY, Ways
from twin.sim.saved import load_arrays, save_arrays

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrowdModel", "Present"]

FloatArray = npt.NDArray[np.float64]
#: Speeds and radii that can be those of people, m/s and m.
SPEEDS, RADII = (0.05, 5.0), (0.05, 0.6)


class Present(NamedTuple):
    """Those who are here, one value each: ids, places (m), index of the surface, state."""

    ids: npt.NDArray[np.int32]
    x: FloatArray
    y: FloatArray
    surface: npt.NDArray[np.int32]
    state: npt.NDArray[np.uint8]


class CrowdModel:
    """People who walk from where they are to the exits, minding each other and the walls.

    Each person takes the quickest way by distance and ground, and by queues if `reroute_every` is
    set. The last
    step before the time asked for is shortened so that it ends there.

    Parameters
    ----------
    walkable
        A polygon in metres, holes being obstacles, or several `Surface` with their `links`.
    exits
        Polygon by name; where there are several surfaces, ``(surface, polygon)``. Whoever steps
        into it is out. Only the part on the surface counts.
    model
        "heading" (default), "collision_free_speed", or one of the models' dataclasses.
    time_step
        s.
    seed
        Of everything drawn by chance.
    cell_size
        Of the raster of the floor field, m. Doors should be wider than a cell.
    links
        Where surfaces join: `Link` objects or ``(surface, surface, LineString)``. None: wherever
        two surfaces share an edge at the same elevation.
    reroute_every
        How often people look for the quickest way as queues make it, s; 0: never, everybody goes
        the way that is quickest without others. Queues outdoors count only if there is no indoors.
    record_every
        Steps between two entries of `trajectories`; 0 records none.

    Raises
    ------
    GeometryError
        If a polygon is not valid, an exit does not touch its surface, or a link not its surfaces.

    Examples
    --------
    >>> from shapely.geometry import box
    >>> crowd = CrowdModel(box(0, 0, 10, 2), {"east": box(9, 0, 10, 2)}, seed=1)
    >>> ids = crowd.add([(1.0, 1.0)], desired_speed=1.0)
    >>> crowd.advance(20.0)
    >>> crowd.evacuated
    1
    """

    def __init__(
        self,
        walkable: Area | Sequence[Surface],
        exits: Mapping[str, Area | tuple[str, Area]],
        *,
        model: str | HeadingSpeed | CollisionFreeSpeed = "heading",
        time_step: float = 0.05,
        seed: int = 0,
        cell_size: float = 0.25,
        links: Sequence[Link | tuple[str, str, LineString]] | None = None,
        reroute_every: float = 0.0,
        record_every: int = 10,
    ) -> None:
        if not (math.isfinite(time_step) and 0.0 < time_step <= 0.25):
            raise SimulationError(
                f"time_step must be above 0 and at most 0.25 s, not {time_step!r}."
            )
        if not (math.isfinite(cell_size) and 0.05 <= cell_size <= 2.0):
            raise SimulationError(f"cell_size must be 0.05 to 2 m, not {cell_size!r}.")
        if isinstance(walkable, Polygon | MultiPolygon):
            walkable = [Surface("ground", walkable)]
        self.surfaces = tuple(walkable)
        names = [s.name for s in self.surfaces]
        if not names or len(set(names)) != len(names):
            raise GeometryError(f"Surfaces need names that differ; got {names}.")
        if links is None:
            self.links = find_links(self.surfaces)
        else:
            self.links = [k if isinstance(k, Link) else Link(*k) for k in links]
        self.time_step = float(time_step)
        self._rng = np.random.default_rng(seed)
        self._model, self._parameters = choose_model(model)
        self._index = {name: k for k, name in enumerate(names)}
        edges = cut_edges(self.surfaces, self.links)
        lattice, self._ground = build_lattice(self.surfaces, self.links, edges, cell_size)
        self._linked = np.eye(len(names), dtype=np.bool_)
        for link in self.links:
            a, b = self._index[link.first], self._index[link.second]
            self._linked[a, b] = self._linked[b, a] = True
        self._outdoor = np.array([s.kind == "outdoor" for s in self.surfaces])
        self._reroute = round(reroute_every / self.time_step)
        self.exit_names = tuple(exits)
        self._exits, self._rings, seeds = build_exits(exits, self.surfaces, lattice, self._ground)
        self._ways = Ways(self.surfaces, lattice, self._ground, seeds)
        self._ways.to(ANY)

        self.time = 0.0
        # now = origin + steps * time_step; a shortened step makes its end the new origin
        self._origin, self._steps = 0.0, 0
        self.record_every = int(record_every)
        self._taken, self._recorded, self._looked = 0, -1, -1
        self._records: list[tuple[npt.NDArray[Any], ...]] = []
        self._sources: list[Source] = []
        self._population = Population()

    # --- people ---------------------------------------------------------------------------------

    def add(
        self,
        people: int | npt.ArrayLike,
        *,
        area: str | Area | tuple[str, Area] | None = None,
        desired_speed: float | npt.ArrayLike | Distribution = WEIDMANN,
        radius: float | npt.ArrayLike = 0.2,
        exit: str | None = None,  # noqa: A002
        start_time: float | npt.ArrayLike | Distribution = 0.0,
    ) -> npt.NDArray[np.int64]:
        """Add people and return their ids.

        Parameters
        ----------
        people
            Their places, an array (n, 2) in metres, or how many: they are then spread over `area`.
        area
            A surface's name, a polygon, or ``(surface, polygon)``. With places, the surface that
            they are on, where that is not plain.
        desired_speed
            Free walking speed on level ground, m/s: one for all, one for each, or a distribution.
        radius
            m.
        exit
            Name of the exit to take; None: the quickest.
        start_time
            When each sets out, s; until then they stand.

        Raises
        ------
        SimulationError
            If a place is in a wall, on somebody else, or without a way to the exit, or there is no
            room for so many, or a speed or radius cannot be that of a person.
        """
        field = self._field_of(exit)
        places = np.asarray(people, dtype=np.float64)
        number = int(places) if places.ndim == 0 else len(places)
        if number < 0:
            raise SimulationError(f"Cannot add {number} people.")
        size = draw(radius, self._rng, number, name="radius", low=RADII[0], high=RADII[1])
        present = self._present
        if places.ndim == 0:
            s, shape = self._area(area)
            taken = self.positions[present["surface"] == s]
            widest = float(size.max(initial=RADII[0]))
            xy = free_places(shape, number, radius=widest, rng=self._rng, taken=taken)
            surface = np.full(number, s, np.int32)
        else:
            xy = places
            surface = check_places(self.surfaces, xy, None if area is None else self._area(area)[0])
            check_apart(
                xy,
                self.positions,
                np.concatenate([surface, present["surface"]]),
                np.concatenate([size, present["radius"]]),
            )
        speed = draw(
            desired_speed, self._rng, number, name="desired_speed", low=SPEEDS[0], high=SPEEDS[1]
        )
        start = draw(start_time, self._rng, number, name="start_time", low=0.0, high=math.inf)
        return self._enter(xy, surface, speed, size, start, field)

    def add_source(
        self,
        area: str | Area | tuple[str, Area],
        rate: float,
        *,
        start: float = 0.0,
        until: float = math.inf,
        desired_speed: float | Distribution = WEIDMANN,
        radius: float = 0.2,
        exit: str | None = None,  # noqa: A002
    ) -> None:
        """Let people arrive in `area` by chance, on average `rate` per second (a Poisson stream).

        Whoever finds no room waits outside and comes in as soon as there is some.
        """
        if not (math.isfinite(rate) and rate > 0):
            raise SimulationError(f"A source needs a rate above 0 persons/s, not {rate!r}.")
        s, shape = self._area(area)
        draw(desired_speed, self._rng, 0, name="desired_speed", low=SPEEDS[0], high=SPEEDS[1])
        first = start + float(self._rng.exponential(1.0 / rate))
        self._sources.append(
            Source(s, shape, rate, until, desired_speed, radius, self._field_of(exit), first)
        )

    def _area(self, area: str | Area | tuple[str, Area] | None) -> tuple[int, Area]:
        """Return the surface of an area, and the part of it that lies on the surface."""
        if area is None:
            if len(self.surfaces) > 1:
                raise SimulationError(
                    f"Say in which area: {did_you_mean('', [s.name for s in self.surfaces])}"
                )
            area = self.surfaces[0].name
        name, shape = area if isinstance(area, tuple) else (None, area)
        if isinstance(shape, str):
            s = surface_of(self.surfaces, shape, None, f"The area {shape!r}")
            return s, self.surfaces[s].polygon
        x, y = shape.centroid.coords[0]
        s = surface_of(self.surfaces, name, shape, f"The area at ({x:.2f}, {y:.2f})")
        part: Any = shape.intersection(self.surfaces[s].polygon)
        return s, part

    def _enter(
        self,
        xy: FloatArray,
        surface: npt.NDArray[np.int32],
        speed: FloatArray,
        radius: FloatArray,
        start: FloatArray,
        field: int,
    ) -> npt.NDArray[np.int64]:
        new = np.zeros(len(xy), PERSON)
        new["x"], new["y"] = xy.T
        new["speed"], new["radius"], new["start"] = speed, radius, start
        new["surface"], new["field"], new["state"] = surface, field, WAITING
        new["exit"] = new["outdoor_link"] = -1
        new["exit_time"] = new["outdoor_time"] = np.nan
        ways = self._ways
        if ways.as_built:
            found = kernels.ways_out(self._ground, ways.phi, ways.ux, ways.uy, field, new)
            for k in np.flatnonzero(~found)[:1].tolist():
                exit_ = ways.destinations[field]
                to = "any exit" if exit_ == ANY else f"exit {self.exit_names[exit_]!r}"
                raise SimulationError(
                    f"No way leads to {to} for {(~found).sum()} of {len(xy)} people, the first at "
                    f"({xy[k, 0]:.2f}, {xy[k, 1]:.2f}) on {self.surfaces[surface[k]].name!r}."
                )
        return self._population.add(new)

    # --- the way --------------------------------------------------------------------------------

    def _field_of(self, exit_name: str | None) -> int:
        """Return the row of the potential that leads to an exit, solving it if it is new."""
        if exit_name is not None and exit_name not in self.exit_names:
            raise SimulationError(
                f"No exit {exit_name!r}. {did_you_mean(exit_name, self.exit_names)}"
            )
        return self._ways.to(ANY if exit_name is None else self.exit_names.index(exit_name))

    def _look_around(self) -> None:
        """Find the ways anew from how people have got on since the last look, if it is time."""
        if not self._reroute or self._taken % self._reroute or self._looked == self._taken:
            return
        self._looked = self._taken
        moved = self._population.moved()
        self._ways.look_around(self._present, moved, self._reroute * self.time_step)

    def set_field(
        self,
        name: str,
        values: npt.NDArray[Any],
        grid: Grid,
        *,
        surface: str | None = None,
    ) -> None:
        """Let a field of the surroundings act on the walkers, from now on.

        Parameters
        ----------
        name
            "speed_factor": share of their speed that people can still walk at, 1 free, 0
            impassable.
        values, grid
            Array and grid. NaN, and ground beyond the grid, is free.
        surface
            Where it acts; None: on all outdoor surfaces, or, where there are none, on all.

        Notes
        -----
        Walkers are slowed at once. The ways are sought anew if somewhere the share has changed by
        more than 0.1 since they were last sought, or ground has become passable or impassable.
        """
        if name != "speed_factor":
            raise SimulationError(f"No field {name!r}. {did_you_mean(name, ['speed_factor'])}")
        s = None
        if surface is not None:
            s = surface_of(self.surfaces, surface, None, f"The field {name!r}")
        self._ways.set_factor(values, grid, s)

    # --- time -----------------------------------------------------------------------------------

    def advance(self, until: float) -> None:
        """Walk on to exactly this time, s.

        Raises
        ------
        SimulationError
            If `until` is in the past.
        """
        if not self.time - 1e-9 <= until < math.inf:
            raise SimulationError(f"Cannot go from {self.time:g} s back to {until!r} s.")
        while True:
            now = self._origin + self._steps * self.time_step
            self._arrive(now)
            self._record()
            self._look_around()
            whole = math.floor((until - now) / self.time_step + 1e-6)
            if whole < 1:
                break
            for source in self._sources:
                due = (source.due(now) - now) / self.time_step
                whole = max(1, math.ceil(min(due, whole)))
            if self._reroute:
                whole = min(whole, self._reroute - self._taken % self._reroute)
            if self.record_every:
                whole = min(whole, self.record_every - self._taken % self.record_every)
            asleep = self._population.asleep(now, self.time_step)
            if asleep:
                whole = min(whole, asleep)
                self._taken += whole
            else:
                self._run(whole, self.time_step, now)
            self._steps += whole
        if until - now > 1e-6 * self.time_step:
            self._run(1, until - now, now)
            self._origin, self._steps = float(until), 0
        self.time = float(until)

    def _run(self, steps: int, dt: float, now: float) -> None:
        crowd, ways = self._population, self._ways
        if crowd.present:
            crowd.present = kernels.run(
                steps, dt, now, crowd.present, crowd.people, crowd.listed, crowd.order, crowd.aims,
                crowd.near, crowd.headings, crowd.torus, self._linked, self._outdoor, self._ground,
                ways.factor, np.array(ways.destinations), ways.phi, ways.ux, ways.uy, self._exits,
                self._rings, self._model, self._parameters,
            )  # fmt: skip
        self._taken += steps

    def _arrive(self, now: float) -> None:
        """Let those in whom the sources have sent by now, as far as there is room."""
        for source in self._sources:
            number = source.arrivals(now, self._rng)
            if number == 0:
                continue
            here = self._present["surface"] == source.surface
            xy = source.places(number, self.positions[here], self._rng)
            source.waiting, source.retry = number - len(xy), now + 0.5
            n = len(xy)
            limits = {"low": SPEEDS[0], "high": SPEEDS[1]}
            speed = draw(source.desired_speed, self._rng, n, name="desired_speed", **limits)
            self._enter(
                xy,
                np.full(n, source.surface, np.int32),
                speed,
                np.full(n, source.radius),
                np.full(n, now),
                source.field,
            )

    def _record(self) -> None:
        if (
            not self.record_every
            or self._taken % self.record_every
            or self._recorded == self._taken
        ):
            return
        self._recorded = self._taken
        ids, p = self._population.here.copy(), self._present
        frame = np.full(len(ids), self._taken // self.record_every, np.int32)
        self._records.append((ids, frame, p["x"], p["y"], p["surface"]))

    # --- what there is to see -------------------------------------------------------------------

    @property
    def _present(self) -> npt.NDArray[np.void]:
        """Those who are still here; a copy."""
        return self._population.people[self._population.here]

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Ids of the people who are still here."""
        return self._population.here.astype(np.int64)

    @property
    def positions(self) -> FloatArray:
        """Their places, (n, 2), m."""
        return np.column_stack([self._present["x"], self._present["y"]])

    @property
    def velocities(self) -> FloatArray:
        """Their velocities, (n, 2), m/s."""
        return np.column_stack([self._present["vx"], self._present["vy"]])

    @property
    def remaining(self) -> int:
        """How many are still here, those who wait at a source without room included."""
        return self._population.present + sum(s.waiting for s in self._sources)

    @property
    def evacuated(self) -> int:
        """How many have left by an exit."""
        return self._population.count - self._population.present

    @property
    def stranded(self) -> int:
        """How many stand in impassable ground or have no way out."""
        return int((self._present["state"] == STRANDED).sum())

    @property
    def finished(self) -> bool:
        """Whether everybody is out and nobody will come."""
        return self._population.present == 0 and all(s.exhausted for s in self._sources)

    @property
    def frame_rate(self) -> float:
        """Frames of `trajectories` per second."""
        return 1.0 / (self.time_step * self.record_every) if self.record_every else 0.0

    def present(self) -> Present:
        """Return copies of the places and surfaces of those who are here."""
        p = self._present
        return Present(self._population.here.copy(), p["x"], p["y"], p["surface"], p["state"])

    @property
    def left_indoors(self) -> tuple[npt.NDArray[Any], FloatArray]:
        """How and when people first came outdoors, for each ever added.

        The name of the link, "" for those who did not, and the time, s.
        """
        ever = self._population.ever
        names = np.array([*(k.name for k in self.links), ""], dtype=object)
        return names[ever["outdoor_link"]], ever["outdoor_time"].copy()

    def table(self) -> pd.DataFrame:
        """Return those who are here: id, x, y, z (m), surface, and state, a word."""
        return tables.people(self.surfaces, self._population.here, self._present)

    @property
    def trajectories(self) -> pd.DataFrame:
        """The recorded places: id, frame, x, y, z (m), surface."""
        return tables.trajectories(self.surfaces, self._records)

    @property
    def egress(self) -> pd.DataFrame:
        """Who has left: id, exit, time (s), by time."""
        return tables.egress(self.exit_names, self._population.ever)

    # --- to stop and go on ----------------------------------------------------------------------

    def checkpoint(self, path: str | Path) -> None:
        """Write the state to a file (NPZ), atomically; the place itself is not written."""
        state = {
            "time": self.time,
            "origin": self._origin,
            "steps": self._steps,
            "taken": self._taken,
            "recorded": self._recorded,
            "looked": self._looked,
            "cells": self._ways.factor.size,
            "destinations": self._ways.destinations,
            "random": self._rng.bit_generator.state,
            "sources": [[s.next, s.waiting, s.retry] for s in self._sources],
        }
        arrays: dict[str, Any] = self._population.state()
        for k, column in enumerate(zip(*self._records, strict=True) if self._records else ()):
            arrays[f"record_{k}"] = np.concatenate(list(column))
        save_arrays(
            Path(path),
            state=np.array(json.dumps(state)),
            delay=self._ways.delay,
            factor=self._ways.factor,
            solved=self._ways.solved,
            # not solved anew on restoring: each surface was last solved at a time of its own
            phi=self._ways.phi,
            ux=self._ways.ux,
            uy=self._ways.uy,
            **arrays,
        )

    def restore(self, path: str | Path) -> None:
        """Take up a state that `checkpoint` wrote, in a model set up in the same way.

        Raises
        ------
        SimulationError
            If there is none, or it is of another place, or of a model with other sources.
        """
        arrays = load_arrays(Path(path), "a crowd", "state", "people")
        state = json.loads(str(arrays["state"]))
        ways = self._ways
        if state["cells"] != ways.factor.size or len(state["sources"]) != len(self._sources):
            raise SimulationError(
                f"{path} holds the state of another crowd model ({state['cells']} cells, "
                f"{len(state['sources'])} sources; here {ways.factor.size} and "
                f"{len(self._sources)}). Set the model up as it was before restoring."
            )
        self._population.take_up(arrays)
        ways.delay[:] = arrays["delay"]
        ways.factor[:], ways.solved[:] = arrays["factor"], arrays["solved"]
        records = [arrays[f"record_{k}"] for k in range(5) if f"record_{k}" in arrays]
        self._records = [tuple(records)] if records else []
        self.time, self._origin, self._steps = state["time"], state["origin"], state["steps"]
        self._taken, self._recorded = state["taken"], state["recorded"]
        self._looked = state["looked"]
        self._rng.bit_generator.state = state["random"]
        for source, (following, waiting, retry) in zip(
            self._sources, state["sources"], strict=True
        ):
            source.next, source.waiting, source.retry = following, waiting, retry
        ways.destinations = list(state["destinations"])
        ways.phi, ways.ux, ways.uy = (np.array(arrays[name]) for name in ("phi", "ux", "uy"))

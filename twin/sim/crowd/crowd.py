"""The people of a station, or of a square, on their way to safe ground: a crowd on a `City`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import shapely

from twin.errors import SimulationError, did_you_mean
from twin.geo.grid import Grid
from twin.sim.crowd.demand import WEIDMANN, Distribution, Uniform, draw
from twin.sim.crowd.layout import STREET, Area, Bounds, lay_out
from twin.sim.crowd.model import CrowdModel
from twin.sim.crowd.velocity import Model
from twin.sim.crowd.wading import DANGEROUS, specific_force, wading_factor
from twin.sim.fields import FLOOD_DEPTH, FLOOD_SPEED
from twin.sim.saved import load_arrays, save_arrays
from twin.sim.simulation import FieldSpec, GridField, Results, Snapshot

if TYPE_CHECKING:
    import pandas as pd

    from twin.geo.city import City

__all__ = ["Crowd"]

FloatArray = npt.NDArray[np.float64]

#: Cells on which densities are counted, m.
DENSITY_CELL = 2.0
#: How often densities and peak flows are taken, s.
SAMPLE_EVERY = 1.0
#: Over which time the peak flow of an exit is averaged, s.
FLOW_WINDOW = 30.0
#: People per m² on platforms for one per m² elsewhere, where `shares` are not given.
PLATFORM_WEIGHT = 2.0


class Crowd:
    """People who leave a place for the assembly areas of a city; a `Simulation`.

    Parameters
    ----------
    city
        The city. Streets are the window without buildings, water, underpasses and flood walls.
    interior
        Name of the interior (a station) in which people are at the start, or None.
    area
        Without an interior, where people are: a polygon or (west, south, east, north), m.
    people
        How many.
    begins
        When the alarm is given, s.
    pre_movement
        Time from the alarm until a person sets out, s: (shortest, longest) of a uniform
        distribution, or another distribution.
    desired_speed
        Free walking speed, m/s.
    reach
        How far around the interior or area the streets are walked, m.
    bounds
        Window of the streets instead of `reach`, (west, south, east, north), m.
    goals
        Polygons to walk to, by name, instead of the city's assembly areas.
    shares
        Share of the people by level (id or name) of the interior; by default by the area
        of the levels that have rooms, platforms (levels or rooms called so) counting twice.
    model, time_step, seed, cell_size, reroute_every
        As for `CrowdModel`.

    Notes
    -----
    Everybody walks to the assembly area that is nearest in walking time; their capacities do not
    bind. Water slows and stops people outdoors only (see `wading`). Speeds on stairs are those of
    Weidmann.

    Raises
    ------
    SimulationError, GeometryError
        If the place, the goals or the people do not fit together; the message says where.
    """

    reads: ClassVar[tuple[FieldSpec, ...]] = (
        replace(FLOOD_DEPTH, optional=True),
        replace(FLOOD_SPEED, optional=True),
    )
    writes: ClassVar[tuple[FieldSpec, ...]] = (
        FieldSpec("crowd.density", "m-2", "persons per square metre"),
    )

    def __init__(
        self,
        city: City,
        *,
        people: int,
        interior: str | None = None,
        area: Area | Bounds | None = None,
        name: str = "crowd",
        begins: float = 0.0,
        pre_movement: tuple[float, float] | Distribution = (0.0, 120.0),
        desired_speed: float | Distribution = WEIDMANN,
        reach: float = 400.0,
        bounds: Bounds | None = None,
        goals: Mapping[str, Area] | None = None,
        shares: Mapping[str, float] | None = None,
        model: str | Model = "heading",
        time_step: float = 0.05,
        seed: int = 0,
        cell_size: float = 0.5,
        reroute_every: float = 10.0,
    ) -> None:
        if people < 1:
            raise SimulationError(f"A crowd needs at least one person, not {people}.")
        if isinstance(area, tuple):
            area = shapely.box(*area)
        self.name = name
        self.city = city
        self.interior = interior
        self.people = int(people)
        self.begins = float(begins)
        place = lay_out(city, interior, area, bounds=bounds, reach=reach, goals=goals)
        self.model = CrowdModel(
            place.surfaces,
            place.goals,
            links=place.links,
            model=model,
            time_step=time_step,
            seed=seed,
            cell_size=cell_size,
            reroute_every=reroute_every,
            record_every=0,
        )
        self.grid = Grid.from_bounds(city.crs, place.bounds, DENSITY_CELL)
        if isinstance(pre_movement, tuple):
            pre_movement = Uniform(*pre_movement)
        groups: list[tuple[Any, int]] = [((STREET, area), self.people)]
        if interior is not None:
            groups = self._groups(place.levels, shares)
        rng = np.random.default_rng([seed, 1])
        self._first_start = math.inf
        for where, number in groups:
            wait = draw(pre_movement, rng, number, name="pre_movement", low=0.0, high=math.inf)
            start = self.begins + wait
            self.model.add(number, area=where, desired_speed=desired_speed, start_time=start)
            self._first_start = min(self._first_start, float(start.min(initial=math.inf)))
        self._water: dict[str, GridField] = {}
        self._water_is_new = False
        self._force: GridField | None = None
        self._exposed = np.zeros(self.people, dtype=bool)
        self._max_density = np.zeros(self.grid.shape, np.float32)

    def _groups(
        self, levels: list[str], shares: Mapping[str, float] | None
    ) -> list[tuple[Any, int]]:
        """Return where on the interior's levels how many people stand at the start."""
        assert self.interior is not None
        inside = self.city.interiors[self.interior]
        if shares is not None:
            ids = {str(row["name"]): str(key) for key, row in inside.levels.iterrows()}
            for key in shares:
                if key not in levels and key not in ids:
                    raise SimulationError(
                        f"shares: the interior has no level {key!r}. "
                        f"{did_you_mean(key, [*levels, *ids])}"
                    )
            weights = {ids.get(k, k): float(v) for k, v in shares.items()}
        else:
            weights = {}
            rooms = inside.levels[inside.levels.index.isin(inside.spaces["level"])]
            for key, row in (rooms if len(rooms) else inside.levels).iterrows():
                spaces = inside.spaces[inside.spaces["level"] == key]
                words = " ".join([str(row["name"]), *map(str, spaces["use"])]).lower()
                weight = PLATFORM_WEIGHT if "platform" in words else 1.0
                weights[str(key)] = weight * row.geometry.area
        total = sum(weights.values())
        if not (math.isfinite(total) and total > 0 and min(weights.values()) >= 0):
            raise SimulationError(f"shares must not be negative and not all 0: {dict(weights)!r}.")
        # largest remainders, so that the numbers add up
        exact = np.array([self.people * w / total for w in weights.values()])
        numbers = np.floor(exact).astype(int)
        order = np.argsort(numbers - exact, kind="stable")
        numbers[order[: self.people - int(numbers.sum())]] += 1
        return list(zip(weights, numbers.tolist(), strict=True))

    # --- the contract of a simulation -------------------------------------------------------------

    @property
    def time(self) -> float:
        """Seconds since the scene's start."""
        return self.model.time

    @property
    def finished(self) -> bool:
        """Whether everybody has arrived."""
        return self.model.finished

    def advance(self, until: float) -> None:
        """Walk on to exactly this time, s.

        Raises
        ------
        SimulationError
            If the water's speed was given, but not its depth.
        """
        if self._water and "flood.depth" not in self._water:
            raise SimulationError(
                f"{self.name!r} is given flood.speed without flood.depth, which it needs to tell "
                "where there is water. Let it read both, the depth alone, or neither."
            )
        if self._water_is_new and until > self._first_start and not self.finished:
            self._wade()
        if self.time < self._first_start:
            self.model.advance(min(until, self._first_start))
        while self.time < until and not self.finished:
            following = (math.floor(self.time / SAMPLE_EVERY + 1e-9) + 1) * SAMPLE_EVERY
            self.model.advance(min(following, until))
            self._sample()
        self.model.advance(until)

    def _wade(self) -> None:
        """Slow and stop people where there is water."""
        self._water_is_new = False
        depth = self._water["flood.depth"]
        speed = self._water.get("flood.speed")
        flow = np.zeros_like(depth.values) if speed is None else speed.resample(depth.grid)
        self._force = GridField(specific_force(depth.values, flow), depth.grid)
        self.model.set_field("speed_factor", wading_factor(depth.values, flow), depth.grid)

    def give(self, name: str) -> GridField:
        """Return the density of people on the streets, persons/m²."""
        if name != self.writes[0].name:
            raise SimulationError(f"{self.name!r} writes no {name!r}; it writes crowd.density.")
        return GridField(self._density(), self.grid)

    def take(self, name: str, value: GridField) -> None:
        """Accept the depth or the speed of water on the ground."""
        known = [spec.name for spec in self.reads]
        if name not in known:
            raise SimulationError(f"{self.name!r} reads no {name!r}. {did_you_mean(name, known)}")
        if value.grid.crs != self.city.crs:
            raise SimulationError(
                f"{name} comes in {value.grid.crs}, the crowd walks in {self.city.crs}."
            )
        self._water[name] = value
        self._water_is_new = True

    def snapshot(self) -> Snapshot:
        """Return where everybody is, and how many have arrived."""
        street = len(self.model.surfaces) - 1
        return Snapshot(
            self.time,
            {"density": GridField(self._density(), self.grid)},
            self.table(),
            {
                "remaining [persons]": float(self.model.remaining),
                "evacuated [persons]": float(self.model.evacuated),
                "stranded [persons]": float(self.model.stranded),
                "at street [persons]": float((self.model.present().surface == street).sum()),
                "exposed [persons]": float(self._exposed.sum()),
            },
        )

    def table(self) -> pd.DataFrame:
        """Return those on their way: id, x, y, z (m), surface, state."""
        table = self.model.table()
        if self.city.terrain is not None:
            out = (table["surface"] == STREET).to_numpy()
            level = self.city.terrain.sample(table["x"].to_numpy()[out], table["y"].to_numpy()[out])
            z = table["z"].to_numpy().copy()
            z[out] = np.where(np.isfinite(level), level, z[out])
            table["z"] = z
        return table

    def results(self) -> Results:
        """Return who arrived where and when, the flows of the station's exits, and densities."""
        egress = self._egress()
        times = egress["time_s"].to_numpy()
        areas = egress["exit"].value_counts()
        summary: dict[str, Any] = {
            "people": self.people,
            "evacuated": self.model.evacuated,
            "remaining": self.model.remaining,
            "stranded": self.model.stranded,
            "exposed": int(self._exposed.sum()),
            "t50_s": _reached(times, 0.50, self.people),
            "t95_s": _reached(times, 0.95, self.people),
            "last_s": _reached(times, 1.00, self.people),
            "max_density_1_m2": float(self._max_density.max()),
            "assembly_areas": {k: int(areas.get(k, 0)) for k in self.model.exit_names},
        }
        tables = {"egress": egress}
        if self.interior is not None:
            via, when = self.model.left_indoors
            tables["exits"] = self._exits(via, when)
            summary["station"] = self.interior
            summary["left_station"] = int(np.isfinite(when).sum())
            summary["station_clear_s"] = _reached(when[np.isfinite(when)], 1.0, self.people)
        spec = FieldSpec("crowd.max_density", "m-2", "greatest density of people")
        maps = {"max_density": (spec, GridField(self._max_density.copy(), self.grid))}
        return Results(maps, tables, summary, _headlines(summary, self.begins))

    def checkpoint(self, directory: Path) -> None:
        """Write the whole state into an existing, empty directory."""
        self.model.checkpoint(directory / "people.npz")
        arrays: dict[str, Any] = {"exposed": self._exposed, "max_density": self._max_density}
        if self._force is not None:
            grid = self._force.grid
            arrays["force"] = self._force.values
            arrays["force_grid"] = np.array([grid.west, grid.north, grid.cell_size])
        save_arrays(directory / "crowd.npz", **arrays)

    def restore(self, directory: Path) -> None:
        """Take up a state that `checkpoint` wrote; the run then continues bit for bit.

        Raises
        ------
        SimulationError
            If there is none in `directory`, or it is of another crowd.
        """
        path = directory / "crowd.npz"
        arrays = load_arrays(path, "a crowd", "exposed", "max_density")
        for name, mine in (("exposed", self._exposed), ("max_density", self._max_density)):
            if arrays[name].shape != mine.shape:
                raise SimulationError(f"{path} was written for another crowd: {name} differs.")
        self.model.restore(directory / "people.npz")
        self._exposed[:], self._max_density[:] = arrays["exposed"], arrays["max_density"]
        self._force = None
        if "force" in arrays:
            values = arrays["force"]
            west, north, cell = (float(v) for v in arrays["force_grid"])
            rows, cols = values.shape
            self._force = GridField(values, Grid(self.city.crs, west, north, cell, (rows, cols)))
        self._water, self._water_is_new = {}, False

    # --- what is counted on the way ---------------------------------------------------------------

    def _sample(self) -> None:
        """Note densities, and who stands in dangerous water."""
        p = self.model.present()
        where = self._cells(p.x, p.y) + p.surface.astype(np.int64) * (self._max_density.size + 1)
        cells, count = np.unique(where, return_counts=True)
        cells %= self._max_density.size + 1
        inside = cells < self._max_density.size
        density = (count[inside] / self.grid.cell_area).astype(np.float32)
        np.maximum.at(self._max_density.ravel(), cells[inside], density)
        if self._force is not None:
            out = p.surface == len(self.model.surfaces) - 1
            force = self._force.grid.sample(self._force.values, p.x[out], p.y[out])
            self._exposed[p.ids[out][force > DANGEROUS]] = True

    def _cells(self, x: FloatArray, y: FloatArray) -> npt.NDArray[np.int64]:
        """Return the flat cell of the density grid that holds each point; its size if none does."""
        row, col = self.grid.index(x, y)
        inside = (row >= 0) & (row < self.grid.rows) & (col >= 0) & (col < self.grid.cols)
        return np.where(inside, row * self.grid.cols + col, self._max_density.size)

    def _density(self) -> npt.NDArray[np.float32]:
        """Return the density of people on the streets, persons/m²."""
        p = self.model.present()
        out = p.surface == len(self.model.surfaces) - 1
        size = self._max_density.size
        count = np.bincount(self._cells(p.x[out], p.y[out]), minlength=size + 1)[:size]
        return (count.reshape(self.grid.shape) / self.grid.cell_area).astype(np.float32)

    def _egress(self) -> pd.DataFrame:
        """Return who arrived: id, exit (assembly area), time_s, left_station_s, station_exit."""
        table = self.model.egress.rename(columns={"time": "time_s"})
        if self.interior is not None:
            via, when = self.model.left_indoors
            table["left_station_s"] = when[table["id"]]
            table["station_exit"] = via[table["id"]]
        return table

    def _exits(self, via: npt.NDArray[Any], when: FloatArray) -> pd.DataFrame:
        """Return for each exit of the station how many left by it, when, and how fast at most."""
        import pandas as pd

        names = [k.name for k in self.model.links if STREET in (k.first, k.second)]
        rows = []
        for name in dict.fromkeys(names):
            times = np.sort(when[via == name])
            within = np.searchsorted(times, times + FLOW_WINDOW) - np.arange(times.size)
            rows.append(
                {
                    "exit": name,
                    "persons": times.size,
                    "first_s": times[0] if times.size else math.nan,
                    "last_s": times[-1] if times.size else math.nan,
                    "peak_flow_1_s": within.max(initial=0) / FLOW_WINDOW,
                }
            )
        columns = ["exit", "persons", "first_s", "last_s", "peak_flow_1_s"]
        return pd.DataFrame(rows, columns=columns)


def _reached(times: FloatArray, share: float, people: int) -> float | None:
    """Return when this share of all people had passed, s; None if that many have not."""
    needed = math.ceil(share * people)
    return float(np.sort(times)[needed - 1]) if times.size >= needed else None


def _headlines(summary: Mapping[str, Any], alarm: float) -> tuple[str, ...]:
    """Say what a duty officer must know, the gravest first; times count from the alarm."""
    people, lines = summary["people"], []

    def minutes(time: float) -> str:
        return f"{(time - alarm) / 60.0:.0f} min"

    if summary["stranded"]:
        lines.append(f"{summary['stranded']:,} of {people:,} people are cut off.")
    if summary["exposed"]:
        lines.append(f"{summary['exposed']:,} of {people:,} people went through dangerous water.")
    if summary["remaining"]:
        left = f"{summary['remaining']:,} of {people:,} people"
        lines.append(f"{left} have not reached safe ground.")
    if summary["last_s"] is not None:
        half, last = minutes(summary["t50_s"]), minutes(summary["last_s"])
        lines.append(
            f"All {people:,} people reached safe ground, half of them within {half} of the alarm, "
            f"the last after {last}."
        )
    if summary.get("station_clear_s") is not None:
        clear = minutes(summary["station_clear_s"])
        lines.append(f"Nobody was left in {summary['station']} {clear} after the alarm.")
    return tuple(lines)

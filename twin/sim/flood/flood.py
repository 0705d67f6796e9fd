"""`Flood`: shallow water on a city, as one of the simulations of a scene."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from twin.errors import InputError, SimulationError
from twin.sim.fields import FLOOD_DEPTH, FLOOD_SPEED
from twin.sim.flood import impacts
from twin.sim.flood.boundaries import SIDES, Boundary, Discharge, Stage
from twin.sim.flood.findings import FLOODED, PEAKS, headlines, peak_maps, summary
from twin.sim.flood.forcing import Forcing, ForcingLike, as_forcing
from twin.sim.flood.ground import Gate, Source, gate_cells, lay_ground, waters
from twin.sim.flood.observed import GaugeMean, Observed
from twin.sim.flood.solver import ShallowWater
from twin.sim.saved import load_arrays, save_arrays
from twin.sim.simulation import FieldSpec, GridField, Observations, Results, Snapshot

if TYPE_CHECKING:
    from twin.geo.city import City

__all__ = ["Flood"]

#: A forcing, the id of a datastream, or several of them.
Driven: TypeAlias = ForcingLike | str | GaugeMean

#: Streets are looked at, and moving gates are set, at least this often, s.
WATCH = 30.0
#: Steps in which a gate opens.
GATE_STEPS = 20


class Flood:
    """Rain, river and gates on a city.

    Parameters
    ----------
    city
        Terrain is a must; buildings, streets, water, defences and underpasses are taken where
        there are any.
    resolution
        Edge of a cell, m.
    bounds
        West, south, east, north, m; by default the city's.
    rain
        m/s: a value, ``(times, values)``, a function of time, a design storm, the id of a
        datastream, or the `GaugeMean` of several.
    boundaries
        For "west", "east", "north", "south" one of `Wall` (default), `Open`, `Stage`, `Discharge`;
        the value of the latter two may be the id of a datastream. On a side that the city's waters
        reach they hold for the water's cells only: land beside a river is behind its banks.
    gates
        Which gates of the city's defences open, and when; the others stay shut.
    sources
        Water that comes in at points.
    buildings
        "blocks": no water gets in, roofs shed their rain to the nearest ground; "raised": beds
        5 m above the ground, on which it rains as elsewhere; "none": as if they were not there.
    manning
        Roughness, s m^(−1/3); by default by cover (`twin.sim.flood.ground.ROUGHNESS`).
    infiltration
        What the ground takes, m/s.
    initial_level
        Level at which the waters start that reach a side with a stage (all, without one), m. By
        default the stage outside at the start. Other waters start at the level at which the city
        keeps them (`level_m`), or dry where it does not say it.
    observations
        Where datastreams are read; needed where one is named.

    Notes
    -----
    Not modelled: sewers and drains, seepage through walls, water inside buildings, debris.
    """

    reads: ClassVar[tuple[FieldSpec, ...]] = ()
    writes: ClassVar[tuple[FieldSpec, ...]] = (
        FLOOD_DEPTH,
        FLOOD_SPEED,
        FieldSpec("flood.level", "m", "Water level", "water_surface_height_above_reference_datum"),
        FieldSpec("flood.velocity_x", "m s-1", "Velocity to the east"),
        FieldSpec("flood.velocity_y", "m s-1", "Velocity to the north"),
    )

    def __init__(
        self,
        city: City,
        *,
        resolution: float,
        bounds: tuple[float, float, float, float] | None = None,
        name: str = "flood",
        rain: Driven | None = None,
        boundaries: Mapping[str, Boundary] | None = None,
        gates: Sequence[Gate] = (),
        sources: Sequence[Source] = (),
        buildings: Literal["blocks", "raised", "none"] = "blocks",
        manning: float | None = None,
        infiltration: float = 0.0,
        initial_level: float | None = None,
        order: int = 1,
        precision: Literal["float64", "float32"] = "float64",
        observations: Observations | None = None,
    ) -> None:
        self.city, self.name = city, name
        self.grid = city.grid(resolution, bounds)
        self._observations = observations
        self._observed: list[Observed] = []
        self._initial_level = initial_level
        ground = lay_ground(city, self.grid, buildings, manning)
        self._ground = ground
        self._usable = np.isfinite(ground.bed)
        self._gates = gate_cells(city, self.grid, gates)
        self.solver = ShallowWater(
            ground.bed,
            self.grid.cell_size,
            manning=np.where(self._usable, ground.manning, 0.0),
            order=order,
            precision=precision,
            boundaries=self._resolve_sides(boundaries or {}),
            flooded_depth=FLOODED,
        )
        if rain is not None:
            self.solver.rain_on(self._driven(rain, "rain"), ground.rain)
        self.solver.infiltration = infiltration
        for source in sources:
            row, col = self._cell(source)
            flow: Any = source.discharge
            self.solver.add_source(row, col, self._driven(flow, "discharge of a source"))
        self._watch_city(ground.owner)
        self._begun = False

    # --- set-up -------------------------------------------------------------------------------

    def _driven(self, value: Driven, what: str) -> Forcing:
        if not isinstance(value, (str, GaugeMean)):
            return as_forcing(value, what)
        names = (value,) if isinstance(value, str) else tuple(value.datastreams)
        if self._observations is None:
            raise InputError(
                f"The {what} is to come from {', '.join(map(repr, names))}, but the flood is given "
                "no observations to read."
            )
        if not names:
            raise InputError(f"The {what} names no datastream.")
        forcing = Observed(self._observations, names)
        self._observed.append(forcing)
        return forcing

    def _resolve_sides(self, given: Mapping[str, Boundary]) -> dict[str, Boundary]:
        """Read the forcing of each side, and keep it to the water's cells where there are any."""
        water = self._ground.water & self._usable
        ends = {"west": water[:, 0], "east": water[:, -1], "north": water[0], "south": water[-1]}
        sides: dict[str, Boundary] = {}
        for side, boundary in given.items():
            sides[side] = boundary
            if isinstance(boundary, (Stage, Discharge)) and side in SIDES:
                where = boundary.where
                if where is None and ends[side].any():
                    where = ends[side]
                if isinstance(boundary, Stage):
                    level = self._driven(boundary.level, f"stage in the {side}")
                    sides[side] = Stage(level, where)
                else:
                    flow = self._driven(boundary.flow, f"discharge in the {side}")
                    sides[side] = Discharge(flow, where)
        self._stages = {s: b for s, b in sides.items() if isinstance(b, Stage)}
        return sides

    def _cell(self, source: Source) -> tuple[int, int]:
        """Return the domain's cell nearest to a source; within three cells, or it is an error."""
        row, col = (int(k) for k in self.grid.index(source.x, source.y))
        rows, cols = np.nonzero(self._usable)
        away = np.maximum(np.abs(rows - row), np.abs(cols - col))
        nearest = int(np.argmin(away))
        if away[nearest] > 3:
            raise InputError(
                f"The source at ({source.x:g}, {source.y:g}) lies on no ground of the flood: "
                f"outside {self.grid.bounds}, or inside a building."
            )
        return int(rows[nearest]), int(cols[nearest])

    def _watch_city(self, owner: npt.NDArray[np.int32]) -> None:
        city, grid = self.city, self.grid
        self._doors = impacts.around_buildings(grid, city.buildings.geometry, owner, self._usable)
        dry_land = self._usable & ~self._ground.water  # streets over a river run on bridges
        along = impacts.cells_along(grid, city.streets.geometry, dry_land)
        inside = impacts.cells_inside(grid, city.underpasses.geometry, self._usable)
        self._watches = {
            "streets": impacts.Watch(city.streets, along),
            "underpasses": impacts.Watch(city.underpasses, inside),
        }

    def _begin(self) -> None:
        """Fill the waters: put off until the first use, when the first readings have come in."""
        if self._begun:
            return
        self._begun = True
        level = self._initial_level
        if level is None and self._stages:
            for forcing in self._observed:
                forcing.read(0.0, 0.0)
            stages = [as_forcing(b.level, "stage").mean(0.0, 0.0) for b in self._stages.values()]
            level = float(np.mean(stages))
        depth = waters(self._ground, level, list(self._stages))
        if depth.any():
            self.solver.fill(depth)

    # --- Simulation ---------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """Seconds since the scene's start."""
        return self.solver.time

    @property
    def finished(self) -> bool:
        """Never: water can always rise."""
        return False

    def advance(self, until: float) -> None:
        """Compute on to exactly this time, s."""
        self._begin()
        if until > self.time:
            for forcing in self._observed:
                forcing.read(self.time, until)
        while self.time < until:
            start = self.time
            self._set_gates()
            self.solver.advance(min(until, self._next_stop()))
            depth = self.solver.depth
            for watch in self._watches.values():
                watch.look(start, self.time, depth)

    def _next_stop(self) -> float:
        """Return the next time at which streets are looked at or a gate moves, s."""
        stops = [(math.floor(self.time / WATCH + 1e-9) + 1) * WATCH]
        for gate in self._gates:
            opens, step = gate.gate.opens, gate.gate.duration / GATE_STEPS
            if self.time < opens:
                stops.append(opens)
            elif self.time < opens + gate.gate.duration:
                done = math.floor((self.time - opens) / step + 1e-6)
                stops.append(opens + (done + 1) * step)
        return min(stops)

    def _set_gates(self) -> None:
        if not any(gate.gate.opens <= self.time for gate in self._gates):
            return
        bed = self._ground.bed
        changed = False
        for gate in self._gates:
            now = gate.bed(self.time)
            changed |= bool((bed[gate.cells] != now).any())
            bed[gate.cells] = now
        if changed:
            self.solver.set_bed(bed)

    def give(self, name: str) -> GridField:
        """Return the present state of one of the fields in `writes`."""
        self._begin()
        sw = self.solver
        if name == "flood.depth":
            values = sw.depth
        elif name == "flood.level":
            values = np.where(sw.depth >= FLOODED, sw.level, np.nan)
        elif name in {"flood.speed", "flood.velocity_x", "flood.velocity_y"}:
            wet = sw.depth >= FLOODED
            u, v = np.where(wet, sw.u, 0.0), np.where(wet, sw.v, 0.0)
            values = {"d": np.hypot(u, v), "x": u, "y": v}[name[-1]]
        else:
            raise SimulationError(f"The flood has no field {name!r} to give.")
        return GridField(self._masked(values), self.grid)

    def take(self, name: str, value: GridField) -> None:
        """Refuse: the flood reads no field of others."""
        raise SimulationError(f"The flood reads no field, and so cannot take {name!r}.")

    def snapshot(self) -> Snapshot:
        """Return depth, speed, level, velocity_x and velocity_y, and the volumes so far."""
        fields = {spec.name.removeprefix("flood."): self.give(spec.name) for spec in self.writes}
        balance = self.solver.balance()
        flooded = self.solver.depth[~self._ground.water] >= FLOODED
        numbers = {
            "stored volume [m3]": balance["stored"],
            "inflow volume [m3]": balance["inflow"],
            "outflow volume [m3]": balance["outflow"],
            "rain volume [m3]": balance["rain"],
            "infiltrated volume [m3]": balance["infiltrated"],
            "flooded area [m2]": float(flooded.sum()) * self.grid.cell_area,
            "closed streets [1]": float(self._watches["streets"].closed.sum()),
        }
        return Snapshot(self.time, fields, None, numbers)

    def results(self) -> Results:
        """Return the maps of maxima, what was hit, and the volume balance."""
        self._begin()
        sw = self.solver
        maps = peak_maps(sw, self.grid, self._usable)
        peaks = {name: getattr(sw, name) for name in PEAKS}
        streets = self._watches["streets"].table(peaks, ("name", "kind"))
        streets.insert(3, "length_m", self.city.streets.geometry.length.to_numpy())
        tables = {
            "buildings": impacts.impact_table(
                self.city.buildings, self._doors, peaks, ("name", "use")
            ),
            "streets": streets,
            "underpasses": self._watches["underpasses"].table(peaks, ("name", "floor_m")),
        }
        figures = summary(sw, self._usable, self._usable & ~self._ground.water, tables)
        return Results(maps, tables, figures, headlines(figures, tables))

    def run(self, until: float) -> Results:
        """Advance to `until`, s, and return the results."""
        self.advance(until)
        return self.results()

    def checkpoint(self, directory: Path) -> None:
        """Write the whole state into an existing, empty directory."""
        self._begin()
        watches = {f"watch_{k}": w.state for k, w in self._watches.items()}
        observed = {f"observed_{k}": f.state for k, f in enumerate(self._observed)}
        save_arrays(
            directory / "flood.npz",
            ground=self._ground.bed,
            **self.solver.state(),
            **watches,
            **observed,
        )

    def restore(self, directory: Path) -> None:
        """Take up a state that `checkpoint` wrote; the run then continues bit for bit.

        Raises
        ------
        SimulationError
            If there is none, or it is of another city or set-up.
        """
        path = directory / "flood.npz"
        state = load_arrays(path, "a flood", "ground", "h")
        mine = {f"watch_{k}": w.state.shape for k, w in self._watches.items()}
        mine |= {f"observed_{k}": f.state.shape for k, f in enumerate(self._observed)}
        for name, shape in mine.items():
            if name not in state or state[name].shape != shape:
                raise SimulationError(
                    f"{path} was written for another city or other forcings: {name} differs."
                )
        self.solver.set_state(state)
        self._ground.bed[...] = state["ground"]
        for name, watch in self._watches.items():
            watch.restore(state[f"watch_{name}"])
        for k, forcing in enumerate(self._observed):
            forcing.last = state[f"observed_{k}"].copy()
        self._begun = True

    def _masked(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return np.where(self._usable, values, np.nan).astype(np.float32)

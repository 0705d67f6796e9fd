"""What a scene's tables are made into: the City, the fleet of sensors, the simulations."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.errors import InputError, SceneError, did_you_mean
from twin.scene.model import (
    CrowdSimulation,
    DesignStorm,
    DischargeBoundary,
    FloodSimulation,
    GaugeRain,
    SeriesFile,
    StageBoundary,
    VectorSource,
)
from twin.units import to_si

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.geo.sources import Source
    from twin.geo.terrain import Terrain
    from twin.scene.model import CitySources
    from twin.scene.scene import Scene
    from twin.sensors.datastream import Datastream
    from twin.sim.coupling import Coupling
    from twin.sim.simulation import Observations, Simulation

__all__ = ["build_city", "build_coupling", "build_simulations", "fleet", "forcing_streams"]

#: Cell of a terrain that is one level everywhere, m.
LEVEL_CELL = 2.0


def build_city(scene: Scene) -> City:
    """Build the City from the scene's sources.

    Raises
    ------
    SceneError, InputError
        If a source is missing or cannot be used.
    """
    from twin.geo.city import City
    from twin.geo.sources import Source

    scene.inputs()  # says all that is missing at once
    sources = scene.model.city
    domain = scene.model.domain

    def vector(name: str) -> Source | None:
        source: VectorSource | None = getattr(sources, name)
        if source is None:
            return None
        return Source(scene.path(source.file), source.layer, source.columns, source.crs)

    return City.from_files(
        buildings=vector("buildings"),
        terrain=_terrain(scene, sources),
        streets=vector("streets"),
        water=vector("water"),
        defences=vector("defences"),
        underpasses=vector("underpasses"),
        assembly_areas=vector("assembly_areas"),
        bim=[
            {
                "path": scene.path(model.file),
                "name": model.name or model.file.stem,
                "georeference": None if model.placement is None else model.placement.model_dump(),
            }
            for model in sources.bim
        ],
        crs=domain.crs,
        vertical_datum=domain.vertical_datum,
        bounds=domain.bounds,
    )


def _terrain(scene: Scene, sources: CitySources) -> Source | Terrain:
    from twin.geo.grid import Grid
    from twin.geo.sources import Source
    from twin.geo.terrain import Terrain

    given = sources.terrain
    if given.file is not None:
        return Source(scene.path(given.file), crs=given.crs)
    domain = scene.model.domain
    if domain.bounds is None:
        raise SceneError("A terrain that is one level needs domain.bounds, to know where it ends.")
    grid = Grid.from_bounds(domain.crs, domain.bounds, LEVEL_CELL)
    return Terrain(np.full(grid.shape, given.level, np.float32), grid, domain.vertical_datum)


def fleet(scene: Scene) -> list[Datastream]:
    """Return the datastreams of the scene, those of the table of the fleet first."""
    from twin.sensors.datastream import Datastream, by_id, read_fleet

    sensors = scene.model.sensors
    if sensors is None:
        return []
    streams = [] if sensors.fleet is None else read_fleet(scene.path(sensors.fleet))
    for row in sensors.datastreams:
        values = row.model_dump(exclude_none=True)
        streams.append(Datastream(**values))
    by_id(streams)  # refuses ids that occur twice
    return streams


def build_simulations(
    scene: Scene, city: City, observations: Observations | None
) -> list[Simulation]:
    """Set up every simulation of the scene on the City.

    Raises
    ------
    SceneError
        If the scene asks for a datastream or an output that is not there.
    """
    makers: dict[str, Callable[..., Simulation]] = {"flood": _flood, "crowd": _crowd}
    made = [
        makers[table.kind](table, scene, city, observations) for table in scene.model.simulation
    ]
    known = {spec.name.partition(".")[2] for s in made for spec in s.writes}
    for name in scene.model.output.fields:
        if name not in known:
            raise SceneError(f"output.fields: nothing writes {name!r}. {did_you_mean(name, known)}")
    return made


def build_coupling(scene: Scene, simulations: Sequence[Simulation]) -> Coupling:
    """Join the simulations as the scene wants it.

    Raises
    ------
    SimulationError
        If one is to read what it cannot, or what none writes.
    """
    from twin.sim.coupling import Coupling

    reads = {
        table.name: table.reads
        for table in scene.model.simulation
        if isinstance(table, CrowdSimulation) and table.reads is not None
    }
    return Coupling(simulations, interval=scene.model.clock.sync, reads=reads)


# --- flood ---------------------------------------------------------------------------------------


def _flood(
    table: FloodSimulation, scene: Scene, city: City, observations: Observations | None
) -> Simulation:
    from twin.sim.flood import Discharge, Flood, Gate, Open, Source, Stage, Wall

    streams = {s.id: s for s in fleet(scene)}

    def value(given: Any, what: str, dimension: str) -> Any:
        if isinstance(given, SeriesFile):
            return _series(given, scene, dimension)
        if isinstance(given, str):
            _ask_for(given, streams, what)
        return given

    boundaries: dict[str, Any] = {}
    for side, given in table.boundaries.items():
        what = f"simulation[{table.name}].boundaries.{side}"
        if isinstance(given, StageBoundary):
            boundaries[side] = Stage(value(given.stage, what, "length"))
        elif isinstance(given, DischargeBoundary):
            boundaries[side] = Discharge(value(given.discharge, what, "discharge"))
        else:
            boundaries[side] = {"wall": Wall, "open": Open}[given]()
    gates = city.defences.index[city.defences["kind"] == "gate"].astype(str).tolist()
    for gate in table.gates:
        if gate.id not in gates:
            raise SceneError(
                f"simulation[{table.name}].gates: the city has no gate {gate.id!r}. "
                f"{did_you_mean(gate.id, gates)}"
            )
    return Flood(
        city,
        name=table.name,
        resolution=table.resolution,
        order=table.order,
        precision=table.precision,
        rain=_rain(table, scene, streams),
        infiltration=table.infiltration,
        initial_level=table.initial_level,
        boundaries=boundaries,
        gates=[Gate(g.id, opens=g.opens, duration=g.takes) for g in table.gates],
        sources=[
            Source(
                *s.location, value(s.discharge, f"simulation[{table.name}].sources", "discharge")
            )
            for s in table.sources
        ],
        buildings=table.buildings,
        manning=table.manning,
        observations=observations,
    )


def forcing_streams(scene: Scene, streams: Sequence[Datastream]) -> list[str]:
    """Return the ids of those of the `streams` that drive the scene's simulations."""
    names: list[str] = []
    for table in scene.model.simulation:
        if isinstance(table, FloodSimulation):
            stages = [b.stage for b in table.boundaries.values() if isinstance(b, StageBoundary)]
            names += [s for s in stages if isinstance(s, str)]
            if isinstance(table.rain, GaugeRain):
                names += _gauges(table.rain, streams)
    return list(dict.fromkeys(names))


def _gauges(rain: GaugeRain, streams: Iterable[Datastream]) -> list[str]:
    if rain.gauges is True:
        return [s.id for s in streams if s.property == "rainfall"]
    return list(rain.gauges)


def _rain(table: FloodSimulation, scene: Scene, streams: dict[str, Datastream]) -> Any:
    from twin.sim.flood import GaugeMean, block_storm, chicago_storm

    rain = table.rain
    what = f"simulation[{table.name}].rain"
    if isinstance(rain, DesignStorm):
        if rain.design == "chicago":
            return chicago_storm(rain.depth, rain.duration, peak=rain.peak, begins=rain.begins)
        return block_storm(rain.depth, rain.duration, begins=rain.begins)
    if isinstance(rain, GaugeRain):
        names = _gauges(rain, streams.values())
        for name in names:
            _ask_for(name, streams, what)
        if not names:
            raise SceneError(f"{what}: the fleet has no datastream of the property 'rainfall'.")
        return GaugeMean(tuple(names))
    if isinstance(rain, SeriesFile):
        return _series(rain, scene, "speed")
    return rain


def _ask_for(name: str, streams: dict[str, Datastream], what: str) -> None:
    if name not in streams:
        raise SceneError(f"{what}: there is no datastream {name!r}. {did_you_mean(name, streams)}")


def _series(
    given: SeriesFile, scene: Scene, dimension: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Read a CSV of time (s since the scene's start) and value, and return the values in SI."""
    path = scene.path(given.file)
    times: list[float] = []
    values: list[float] = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if not any(row) or (line == 1 and not _is_number(row[0])):
                continue  # an empty line, or the heads of the columns
            if len(row) < 2 or not (_is_number(row[0]) and _is_number(row[1])):
                raise InputError(
                    f"{path.as_posix()}:{line}: {','.join(row)!r} is not a time in s and a value."
                )
            times.append(float(row[0]))
            values.append(to_si(float(row[1]), given.unit, dimension))
    if not times or any(b <= a for a, b in itertools.pairwise(times)):
        raise InputError(f"{path.as_posix()} must hold times in s that rise, and their values.")
    return np.array(times), np.array(values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --- crowd ---------------------------------------------------------------------------------------


def _crowd(
    table: CrowdSimulation, scene: Scene, city: City, observations: Observations | None
) -> Simulation:
    from twin.sim.crowd import Crowd

    place = table.place
    return Crowd(
        city,
        name=table.name,
        interior=place if isinstance(place, str) else None,
        area=None if isinstance(place, str) else place,
        people=table.people,
        begins=table.begins,
        pre_movement=table.pre_movement,
        reach=table.reach,
        model=table.model,
        time_step=table.time_step,
        reroute_every=table.reroute,
        seed=scene.model.seed,
    )

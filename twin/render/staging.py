"""Stages made from a City or a Run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.render.palette import AGENTS, DEPTH, STILL_WATER, USES, use_colours, use_group
from twin.render.shapes import Mesh, areas, draped, ribbons, walls
from twin.render.stage import (
    INSIDE,
    Clock,
    Gauge,
    Layer,
    People,
    Pins,
    Relief,
    Sheet,
    Solids,
    Stage,
)

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.run import Run

__all__ = ["city_stage", "run_stage"]

#: Most cells along an edge of the relief; above, every k-th cell is taken.
RELIEF_CELLS = 2048

_STREETS = {"footway": (226, 217, 200), "underpass": (150, 148, 150)}
#: How far walls are carried on into the ground, m.
_BURIED = 0.6
#: Buildings where their use is not what is shown.
_PLAIN = (232, 229, 223)
_ROAD = (206, 205, 203)
_WALL = (122, 116, 110)
_GATE = (196, 108, 32)
_ASSEMBLY = (120, 176, 120)

#: What interiors are made of: part of the IFC class → colour.
_PARTS = {
    "Slab": (214, 211, 204),
    "Stair": (236, 188, 92),
    "Transport": (236, 188, 92),
    "Ramp": (236, 188, 92),
    "Door": (150, 104, 66),
    "Wall": (190, 196, 204),
    "Column": (150, 158, 168),
}
_PART = (178, 184, 190)


def city_stage(city: City, *, title: str = "", note: str = "") -> Stage:
    """Put a city on the stage; see `Stage.from_city`."""
    west, south, east, north = city.bounds
    origin = (float(west), float(south))
    relief = _relief(city, origin)
    layers = [Layer("terrain", "Terrain", relief)]
    layers += _ground_layers(city, origin, relief)
    if len(city.buildings):
        layers.append(Layer("buildings", "Buildings", _buildings(city, origin)))
    for name, interior in sorted(city.interiors.items()):
        if interior.meshes:
            shape = _interior(interior, origin)
            layers.append(Layer(f"{INSIDE}{name}", f"Inside {name}", shape, visible=False))
    return Stage(
        title=title or "City",
        note=note,
        crs=city.crs,
        origin=origin,
        bounds=(0.0, 0.0, float(east - west), float(north - south)),
        layers=tuple(layers),
    )


def run_stage(run: Run, *, city: City | None = None) -> Stage:
    """Put a run on the stage; see `Stage.from_run`."""
    if city is None:
        from twin.geo.city import City as SavedCity

        city = SavedCity.open(run.city_path)
    scene = run.lock["scene"]
    stage = city_stage(city, title=run.title, note=str(scene.get("notice") or ""))
    relief = stage.layer("terrain").shape
    assert isinstance(relief, Relief)
    layers = [_with_impacts(layer, run) for layer in stage.layers if layer.key != "water"]
    place = next((i for i, x in enumerate(layers) if x.key == "buildings"), len(layers))
    for simulation in run.simulations:
        if "depth" in run.fields(simulation):
            sheet = _sheet(run, simulation, city, stage.origin)
            layers.insert(place, Layer("flood", "Flood", sheet))
            break
    people = _people(run, stage.origin)
    if people is not None:
        layers.append(Layer("people", "People", people))
    gauges = _gauges(run, stage.origin, relief)
    if gauges:
        layers.append(Layer("gauges", "Gauges", Pins(gauges)))
    return Stage(
        title=stage.title,
        note=stage.note,
        crs=stage.crs,
        origin=stage.origin,
        bounds=stage.bounds,
        layers=tuple(layers),
        clock=Clock(run.times, run.start),
    )


def _with_impacts(layer: Layer, run: Run) -> Layer:
    """Give buildings and streets what happened to them, and buildings one quiet colour."""
    shape = layer.shape
    if layer.key not in {"buildings", "streets"} or not isinstance(shape, Solids):
        return layer
    if layer.key == "buildings":
        # beside the classes of the water, colours of use would be a second scale to read
        colours = np.full_like(shape.colours, 0) + np.array(_PLAIN, np.uint8)
        shape = replace(shape, colours=colours, legend=())
    impacts = run.impacts()
    if len(impacts):
        rows = impacts[impacts["layer"] == layer.key].drop_duplicates("id").set_index("id")
        rows = rows.drop(
            columns=["layer", "geometry", "simulation", *shape.table.columns], errors="ignore"
        )
        shape = replace(shape, table=shape.table.join(rows.dropna(axis=1, how="all")))
    return replace(layer, shape=shape)


def _local(geometries: Any, origin: tuple[float, float]) -> npt.NDArray[Any]:
    """Return shapely geometries moved to the local frame."""
    import shapely

    shift = np.asarray(origin)
    moved: npt.NDArray[Any] = shapely.transform(
        shapely.force_2d(np.asarray(geometries, dtype=object)), lambda xy: xy - shift
    )
    return moved


def _banded(lines: npt.NDArray[Any], widths: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return the areas that lines of some width cover."""
    import shapely

    banded: npt.NDArray[Any] = shapely.buffer(
        lines, np.asarray(widths) / 2, cap_style="flat", join_style="mitre"
    )
    return banded


def _relief(city: City, origin: tuple[float, float]) -> Relief:
    """The city's terrain, or flat ground at zero where it has none."""
    if city.terrain is None:
        west, south, east, north = city.bounds
        cell = max(east - west, north - south) / 64
        shape = (int(np.ceil((north - south) / cell)), int(np.ceil((east - west) / cell)))
        elevation, north_edge, west_edge = np.zeros(shape, np.float32), north, west
    else:
        grid = city.terrain.grid
        stride = int(np.ceil(max(grid.shape) / RELIEF_CELLS))
        rows, cols = (n // stride * stride for n in grid.shape)
        elevation = city.terrain.elevation[:rows, :cols]
        if stride > 1:
            blocks = elevation.reshape(rows // stride, stride, cols // stride, stride)
            elevation = blocks[:, stride // 2, :, stride // 2]
        cell, west_edge, north_edge = grid.cell_size * stride, grid.west, grid.north
    water = np.zeros(elevation.shape, dtype=bool)
    if len(city.water):
        water = _burn(city.water.geometry, elevation.shape, west_edge, north_edge, cell)
    return Relief(
        np.ascontiguousarray(elevation, np.float32),
        float(west_edge - origin[0]),
        float(north_edge - origin[1]),
        float(cell),
        water,
    )


def _burn(
    geometries: Any, shape: tuple[int, ...], west: float, north: float, cell: float
) -> npt.NDArray[np.bool_]:
    """Return which cells of a raster have their centre in one of the shapes."""
    from twin.geo.grid import Grid

    grid = Grid("", float(west), float(north), float(cell), (shape[0], shape[1]))
    return np.asarray(grid.rasterize(geometries) > 0)


def _ground_layers(city: City, origin: tuple[float, float], relief: Relief) -> list[Layer]:
    """What lies or stands on the ground, from the lowest."""
    layers = []
    if len(city.water):
        shapes = _local(city.water.geometry, origin)
        mesh = areas(shapes, [_shore_level(s, relief) for s in shapes])
        colours = np.full((len(shapes), 3), STILL_WATER, np.uint8)
        legend = ((STILL_WATER, "River, dock, pond"),)
        solids = Solids(
            mesh, colours, _table(city.water), lit=False, plan=list(shapes), legend=legend
        )
        layers.append(Layer("water", "Water", solids))
    if len(city.streets):
        kinds = city.streets["kind"].to_list()
        colours = np.array([_STREETS.get(k, _ROAD) for k in kinds], np.uint8)
        widths = city.streets["width_m"].fillna(6.0).to_numpy(float)
        lines = _local(city.streets.geometry, origin)
        mesh = ribbons(lines, widths, relief.height, lift=0.05)
        plan = list(_banded(lines, widths))
        solids = Solids(mesh, colours, _table(city.streets), lit=False, plan=plan)
        layers.append(Layer("streets", "Streets", solids))
    if len(city.assembly_areas):
        shapes = _local(city.assembly_areas.geometry, origin)
        colours = np.full((len(shapes), 3), _ASSEMBLY, np.uint8)
        legend = ((_ASSEMBLY, "Assembly area"),)
        mesh, table = draped(shapes, relief.height, lift=0.06), _table(city.assembly_areas)
        solids = Solids(mesh, colours, table, lit=False, plan=list(shapes), legend=legend)
        layers.append(Layer("assembly", "Assembly areas", solids))
    if len(city.defences):
        layers.append(Layer("defences", "Flood defences", _defences(city, origin, relief)))
    return layers


def _rim(shape: Any, relief: Relief) -> npt.NDArray[np.float64]:
    """Ground elevation along a polygon's edge, m."""
    import shapely

    x, y = shapely.get_coordinates(shapely.segmentize(shape.boundary, 20.0)).T
    z = relief.height(x, y)
    return z[np.isfinite(z)]


def _shore_level(shape: Any, relief: Relief) -> float:
    """A level for water of which only the outline is known: half a metre under the bank, m."""
    rim = _rim(shape, relief)
    return float(np.median(rim)) - 0.5 if len(rim) else 0.0


def _defences(city: City, origin: tuple[float, float], relief: Relief) -> Solids:
    gates = (city.defences["kind"] == "gate").to_numpy()
    lines, thickness = _local(city.defences.geometry, origin), max(2.0, relief.cell)
    mesh = walls(
        lines, city.defences["crest_m"].to_numpy(float), relief.height, thickness=thickness
    )
    plan = list(_banded(lines, np.full(len(lines), 1.5 * thickness)))
    colours = np.where(gates[:, None], np.array(_GATE), np.array(_WALL)).astype(np.uint8)
    present = (((_WALL, "Flood wall"), ~gates), ((_GATE, "Flood gate"), gates))
    legend = tuple(entry for entry, which in present if which.any())
    return Solids(mesh, colours, _table(city.defences), plan=plan, legend=legend)


def _buildings(city: City, origin: tuple[float, float]) -> Solids:
    solids = city.solids()
    shift = np.asarray(solids.origin, float) - (*origin, 0.0)
    mesh = Mesh.of(np.asarray(solids.vertices, float) + shift, solids.faces, solids.face_owner)
    _bury(mesh, len(city.buildings))
    uses = city.buildings["use"].to_list()
    groups = {use_group(u) for u in uses}
    legend = (
        tuple((USES[g], g.capitalize()) for g in USES if g in groups) if len(groups) > 1 else ()
    )
    return Solids(
        mesh,
        use_colours(uses),
        _table(city.buildings),
        edges=len(mesh.faces) < 400_000,
        plan=list(_local(city.buildings.geometry, origin)),
        legend=legend,
    )


def _bury(mesh: Mesh, count: int) -> None:
    """Carry walls on into the ground, so that no gap shows where the ground is simplified."""
    owner = np.zeros(len(mesh.vertices), np.int64)
    owner[mesh.faces] = mesh.owner[:, None]
    z = mesh.vertices[:, 2]
    lowest = np.full(count, np.inf, np.float32)
    np.minimum.at(lowest, owner, z)
    z[z <= lowest[owner] + 1e-3] -= _BURIED


def _is_ceiling(kind: str, vertices: npt.NDArray[Any], floors: npt.NDArray[np.float64]) -> bool:
    """Say whether a part would hide a room from above: a roof, a slab on which no level stands."""
    if kind in {"IfcRoof", "IfcCovering"}:
        return True
    if kind != "IfcSlab" or not len(floors):
        return False
    top = float(np.max(vertices[:, 2]))
    return top > floors.min() + 0.1 and float(np.abs(floors - top).min()) > 0.1


def _interior(interior: Any, origin: tuple[float, float]) -> Solids:
    """A building's inside without its ceilings, so that one can look in."""
    import pandas as pd

    shift = np.array([*origin, 0.0])
    meshes: list[Mesh] = []
    rows: list[tuple[Any, ...]] = []
    floors = interior.levels["elevation_m"].to_numpy(float)
    for identifier, kind, name, level, vertices, faces in interior.meshes:
        if _is_ceiling(kind, vertices, floors):
            continue
        meshes.append(Mesh.of(np.asarray(vertices) - shift, faces, np.full(len(faces), len(rows))))
        rows.append((identifier, name, kind, level))
    table = pd.DataFrame(rows, columns=["id", "name", "kind", "level"]).set_index("id")
    colours = [
        next((c for part, c in _PARTS.items() if part in kind), _PART) for kind in table["kind"]
    ]
    return Solids(Mesh.join(meshes), np.array(colours, np.uint8), table, edges=True)


def _table(frame: Any) -> Any:
    """A layer's attributes without its geometry."""
    import pandas as pd

    return pd.DataFrame(frame.drop(columns=frame.geometry.name))


def _sheet(run: Run, simulation: str, city: City, origin: tuple[float, float]) -> Sheet:
    from twin.geo.grid import Grid

    where = run.grid(simulation)
    rows, cols = (int(n) for n in where["shape"])
    grid = Grid(where["crs"], where["west"], where["north"], where["cell_size"], (rows, cols))
    still = np.zeros(grid.shape, dtype=bool)
    if len(city.water):
        still = grid.rasterize(city.water.geometry) > 0
    depths = run.field(simulation, "depth")

    def depth(index: int) -> npt.NDArray[np.float32]:
        return np.asarray(depths[index], dtype=np.float32)

    return Sheet(
        city.bed(grid).astype(np.float32),
        grid.west - origin[0],
        grid.north - origin[1],
        grid.cell_size,
        np.asarray(still),
        np.asarray(city.building_cells(grid) > 0),
        depth,
        DEPTH,
    )


def _people(run: Run, origin: tuple[float, float]) -> People | None:
    table = run.agents()
    if table.empty:
        return None
    table = table.sort_values("time", kind="stable")
    times = run.times
    first = np.searchsorted(table["time"], times - 1e-6)
    last = np.searchsorted(table["time"], times + 1e-6, side="right")
    places = (table[["x", "y", "z"]].to_numpy(float) - (*origin, 0.0)).astype(np.float32)
    named = table["state"].where(table["state"].isin(list(AGENTS)), "walking")
    names = tuple(state for state in AGENTS if (named == state).any())
    codes = {name: code for code, name in enumerate(names)}
    states = np.asarray(named.map(codes), dtype=np.uint8)

    def at(index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        here = slice(first[index], last[index])
        return places[here], states[here]

    return People(at, names)


def _gauges(run: Run, origin: tuple[float, float], relief: Relief) -> tuple[Gauge, ...]:
    """The gauges with a place, from the run's observation store and its simulated series."""
    if not run.observations_path.is_file():
        return ()
    from twin.sensors.observations import SceneObservations
    from twin.sensors.store import Store
    from twin.units import UNITS

    series = run.series()
    computed = {} if series.empty else {str(k): v for k, v in series.groupby("place")}
    gauges = []
    with Store(run.observations_path, read_only=True) as store:
        observations = SceneObservations(store, run.start)
        for sensor in sorted(store.datastreams()):
            if sensor.location is None:
                continue
            shown = UNITS[sensor.unit]  # the sensor's own; what is stored and computed is SI
            simulated = None
            if sensor.id in computed:
                rows = computed[sensor.id].sort_values("time")
                values = (rows["value"].to_numpy(float) - shown.offset) / shown.factor
                simulated = (rows["time"].to_numpy(float), values)
            seconds, read = observations.series(sensor.id, run.times[0], run.times[-1])
            x, y = sensor.location
            east, north = float(x - origin[0]), float(y - origin[1])
            ground = float(relief.height(east, north))
            gauges.append(
                Gauge(
                    sensor.id,
                    sensor.name,
                    (east, north, ground if np.isfinite(ground) else 0.0),
                    sensor.property,
                    sensor.unit,
                    simulated,
                    (seconds, (read - shown.offset) / shown.factor) if len(seconds) else None,
                )
            )
    return tuple(gauges)

"""The ground of a city's crowd: streets around a station, its levels and stairs, and safe places.

Reads a `City` and an `Interior`; what it makes are surfaces, links and goals for `CrowdModel`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon

from twin.errors import GeometryError, SimulationError, did_you_mean
from twin.sim.crowd.surfaces import LINK_TOLERANCE, Link, Surface

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.geo.indoor import Interior

__all__ = ["STREET", "Layout", "lay_out"]

#: Name of the outdoor surface.
STREET = "street"
Bounds = tuple[float, float, float, float]
Area = Polygon | MultiPolygon

#: Half the thickness of a wall drawn as a line, m.
_HALF_WALL = 0.2
#: Speed on stairs as a share of that on level ground, along the plan (Weidmann 1993: 0.61 m/s up,
#: 0.694 m/s down, 1.34 m/s on the level).
_STAIR_UP, _STAIR_DOWN = 0.61 / 1.34, 0.694 / 1.34
#: How far in front of a way out the ground is cleared where a footprint covers it, m.
_PORCH = 6.0


@dataclass(frozen=True)
class Layout:
    """Surfaces, links and goals; names of the levels on which people may stand at the start."""

    surfaces: list[Surface]
    links: list[Link]
    goals: dict[str, tuple[str, Area]]
    levels: list[str]
    bounds: Bounds


def lay_out(
    city: City,
    interior: str | None,
    area: Area | None,
    *,
    bounds: Bounds | None,
    reach: float,
    goals: Mapping[str, Area] | None,
) -> Layout:
    """Lay out the ground around an interior, or around an area outdoors.

    Raises
    ------
    SimulationError
        If the city knows no such interior, or no goal lies within reach.
    GeometryError
        If a way out of the interior does not lead onto open ground.
    """
    inside = None if interior is None else _interior(city, interior)
    if inside is not None:
        core = _polygons(shapely.union_all(list(inside.levels.geometry)))
    elif area is not None:
        core = area
    else:
        raise SimulationError("A crowd needs an interior, or an area outdoors, to start from.")
    window = _window(city, core, bounds, reach)
    street = _open_ground(city, window)
    surfaces: list[Surface] = []
    links: list[Link] = []
    levels: list[str] = []
    if inside is not None:
        surfaces, links, street = _indoors(inside, street)
        levels = [s.name for s in surfaces if s.kind == "level"]
    if street.is_empty:
        raise GeometryError(f"Nothing can be walked on within {_text(window)}.")
    surfaces.append(Surface(STREET, street, _ground_level(city, core), kind="outdoor"))
    found = _goals(city, street, window, goals, core)
    return Layout(surfaces, links, {k: (STREET, v) for k, v in found.items()}, levels, window)


def _interior(city: City, name: str) -> Interior:
    if name not in city.interiors:
        raise SimulationError(
            f"The city has no interior {name!r}. {did_you_mean(name, city.interiors)}"
        )
    return city.interiors[name]


def _window(city: City, core: Area, bounds: Bounds | None, reach: float) -> Bounds:
    """Return the window of the streets: `bounds`, or `reach` around the core, within the city."""
    if bounds is None:
        if not (math.isfinite(reach) and reach > 0):
            raise SimulationError(f"reach must be above 0 m, not {reach!r}.")
        west, south, east, north = core.bounds
        bounds = (west - reach, south - reach, east + reach, north + reach)
    limits = city.bounds
    window = (
        max(bounds[0], limits[0]),
        max(bounds[1], limits[1]),
        min(bounds[2], limits[2]),
        min(bounds[3], limits[3]),
    )
    if window[0] >= window[2] or window[1] >= window[3]:
        raise SimulationError(
            f"The crowd's bounds {_text(bounds)} do not meet the city's {_text(limits)}."
        )
    return window


def _open_ground(city: City, window: Bounds) -> Area:
    """Return the window without buildings, water, underpasses and flood walls."""
    frame = shapely.box(*window)
    blocks: list[Any] = []
    for layer in (city.buildings, city.water, city.underpasses):
        blocks += [g for g in layer.geometry if g is not None and g.intersects(frame)]
    walls = city.defences
    walls = walls[walls["kind"] == "wall"] if len(walls) else walls
    blocks += [
        g.buffer(_HALF_WALL, cap_style="flat") for g in walls.geometry if g.intersects(frame)
    ]
    return _polygons(frame.difference(shapely.union_all(shapely.make_valid(np.array(blocks)))))


def _indoors(inside: Interior, street: Area) -> tuple[list[Surface], list[Link], Area]:
    """Return the surfaces and links of an interior, and the street with its stair heads cut out.

    Stairs that join no level at one of their ends lead nowhere and are left out.
    """
    surfaces, links = [], []
    ends = inside.stairs[["lower", "upper"]]
    stairs = inside.stairs[(ends.isin(inside.levels.index) | (ends == "outside")).all(axis=1)]
    rank = {key: row.elevation_m for key, row in inside.levels.iterrows()}
    for key, row in inside.levels.iterrows():
        surfaces.append(Surface(str(key), _polygons(row.geometry), float(row.elevation_m)))
    outside = [row for _, row in stairs.iterrows() if row.upper == "outside"]
    # people leave towards the street: down the stairs where it lies below
    doors = [rank[e.level] for _, e in inside.exits.iterrows() if e.kind == "door"]
    way_out = [float(row.upper_m) for row in outside] + doors
    street_level = float(np.mean(way_out)) if way_out else math.inf
    for row in outside:
        street = _polygons(street.difference(row.geometry))
    for key, row in stairs.iterrows():
        down = row.upper_m > street_level + 0.5
        factor = _STAIR_DOWN if down else _STAIR_UP
        surfaces.append(
            Surface(str(key), row.geometry, _incline(row), speed_factor=factor, kind="stair")
        )
        upper = STREET if row.upper == "outside" else row.upper
        links.append(Link(str(row.lower), str(key), row.lower_edge, str(row["name"])))
        name = str(row["name"])
        if upper == STREET:
            name = _exit_name(inside, row.upper_edge) or name
            street = _with_porch(street, row.upper_edge, row.geometry, name)
        links.append(Link(str(key), str(upper), row.upper_edge, name))
    for _, row in inside.exits.iterrows():
        if row.kind == "door":
            level = inside.levels.geometry[row.level]
            street = _with_porch(street, row.geometry, level, str(row["name"]))
            links.append(Link(str(row.level), STREET, row.geometry, str(row["name"])))
    return surfaces, links, street


def _incline(stair: Any) -> tuple[float, float, float]:
    """Return the plane that rises from the middle of a stair's lower edge to that of its upper."""
    foot = np.array(stair.lower_edge.centroid.coords[0])
    head = np.array(stair.upper_edge.centroid.coords[0])
    along = head - foot
    slope = (stair.upper_m - stair.lower_m) / max(float(along @ along), 1e-6) * along
    return float(stair.lower_m - slope @ foot), float(slope[0]), float(slope[1])


def _exit_name(inside: Interior, edge: LineString) -> str | None:
    """Return the name of the interior's exit that lies on a stair's upper edge."""
    names = [
        str(row["name"]) for _, row in inside.exits.iterrows() if row.geometry.distance(edge) < 0.5
    ]
    return names[0] if names else None


def _with_porch(street: Area, edge: LineString, inner: Area, name: str) -> Area:
    """Return the street, cleared up to the edge of a way out where a footprint covers it.

    Raises
    ------
    GeometryError
        If open ground is too far.
    """
    on_edge = street.boundary.intersection(edge.buffer(LINK_TOLERANCE)).length
    if on_edge > 0.5 * edge.length:
        return street
    for depth in (1.0, 2.0, 4.0, _PORCH):
        porch = edge.buffer(depth, cap_style="flat").difference(inner)
        if porch.intersection(street).area > 0.25 * edge.length:
            return _polygons(street.union(porch))
    x, y = edge.centroid.coords[0]
    raise GeometryError(
        f"The exit {name!r} at ({x:.1f}, {y:.1f}) does not lead onto open ground: within "
        f"{_PORCH:g} m of it are only buildings, water or flood walls. Check the footprints there, "
        "the interior's place, and the crowd's bounds."
    )


def _ground_level(city: City, core: Area) -> float:
    """Return the terrain's level at the middle of the crowd, m; 0 without terrain."""
    if city.terrain is None:
        return 0.0
    x, y = core.centroid.coords[0]
    level = float(np.asarray(city.terrain.sample(x, y)).ravel()[0])
    return level if math.isfinite(level) else 0.0


def _goals(
    city: City, street: Area, window: Bounds, given: Mapping[str, Area] | None, core: Area
) -> dict[str, Area]:
    """Return the walkable parts of the goals by name: those given, or the assembly areas."""
    if given is None:
        areas = city.assembly_areas
        given = {
            str(row["name"]) or str(key): row.geometry
            for key, row in areas.iterrows()
            if row.geometry is not None
        }
    found = {name: _polygons(shape.intersection(street)) for name, shape in given.items()}
    found = {name: shape for name, shape in found.items() if shape.area >= 1.0}
    if not found:
        there = [f"{name!r} at {shape.distance(core):.0f} m" for name, shape in given.items()]
        known = (
            f"The city's: {', '.join(sorted(there)[:10])}; raise reach or move the bounds."
            if there
            else "The city has none; add the layer assembly_areas, or give goals."
        )
        raise SimulationError(f"No assembly area can be walked to within {_text(window)}. {known}")
    return found


def _polygons(shape: Any) -> Area:
    """Return the polygons among the parts of a shape."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 1e-6]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _text(bounds: Bounds) -> str:
    return "({:.0f}, {:.0f}, {:.0f}, {:.0f})".format(*bounds)

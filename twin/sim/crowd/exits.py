"""Exits: polygons that people leave by, as the kernels and the floor field want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon

from twin.errors import GeometryError, did_you_mean
from twin.sim.crowd.kernels import EXIT, RING_EDGE
from twin.sim.crowd.lattice import INSIDE, Ground, Lattice, cell_centres
from twin.sim.crowd.surfaces import Surface

__all__ = ["Area", "Seeds", "build_exits", "surface_of"]

Area = Polygon | MultiPolygon
#: Cells of an exit and their potential: the signed distance to its edge, m.
Seeds = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


def surface_of(surfaces: Sequence[Surface], name: str | None, shape: Any, what: str) -> int:
    """Return the index of the surface called `name`, or of the only one that `shape` meets.

    Raises
    ------
    GeometryError
        Starting with `what`, if there is no such surface, or none or several that it meets.
    """
    names = [s.name for s in surfaces]
    if name is not None:
        if name not in names:
            raise GeometryError(
                f"{what} is on {name!r}, which is no surface of this model. "
                f"{did_you_mean(name, names)}"
            )
        return names.index(name)
    meets = [k for k, s in enumerate(surfaces) if s.polygon.intersects(shape)]
    if not meets:
        raise GeometryError(f"{what} lies outside the walkable area.")
    if len(meets) > 1:
        raise GeometryError(f"{what} lies on {[names[k] for k in meets]}; say on which surface.")
    return meets[0]


def build_exits(
    exits: Mapping[str, Area | tuple[str, Area]],
    surfaces: Sequence[Surface],
    lattice: Lattice,
    ground: Ground,
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void], list[Seeds]]:
    """Return the exits, the edges of their rings, and the seeds of each for the floor field.

    Raises
    ------
    GeometryError
        If there is none, or one is no valid polygon or does not overlap the walkable area.
    """
    if not exits:
        raise GeometryError("A crowd needs at least one exit.")
    where, edges, seeds = [], [], []
    for name, value in exits.items():
        surface_name, shape = value if isinstance(value, tuple) else (None, value)
        if not isinstance(shape, Polygon | MultiPolygon) or shape.is_empty or not shape.is_valid:
            raise GeometryError(f"Exit {name!r} must be a valid polygon, not {shape!r}.")
        x, y = shape.centroid.coords[0]
        what = f"Exit {name!r} at ({x:.2f}, {y:.2f})"
        s = surface_of(surfaces, surface_name, shape, what)
        if not shape.intersection(surfaces[s].polygon).area > 0:
            raise GeometryError(
                f"{what} lies outside the walkable area of {surfaces[s].name!r}; draw it so that "
                "it overlaps."
            )
        cells = _seeds(lattice, ground, s, shape)
        if cells[0].size == 0:
            raise GeometryError(
                f"{what} covers too thin a slip of the walkable area for cells of "
                f"{lattice.cell_size:g} m; make it larger or the cells smaller."
            )
        rings = [r for p in shapely.get_parts(shape) for r in (p.exterior, *p.interiors)]
        xy = [shapely.get_coordinates(r) for r in rings]
        where.append(s)
        seeds.append(cells)
        edges.append(np.vstack([np.hstack([c[:-1], c[1:]]) for c in xy]))
    table: npt.NDArray[np.void] = np.zeros(len(exits), EXIT)
    last = np.cumsum([len(e) for e in edges])
    table["surface"], table["last"] = where, last
    table["first"][1:] = last[:-1]
    ends = np.vstack(edges)
    ring_edges: npt.NDArray[np.void] = np.zeros(len(ends), RING_EDGE)
    for c, field in enumerate(("ax", "ay", "bx", "by")):
        ring_edges[field] = ends[:, c]
    boxes = np.array([[*e[:, :2].min(axis=0), *e[:, :2].max(axis=0)] for e in edges])
    for c, field in enumerate(("west", "south", "east", "north")):
        table[field] = boxes[:, c]
    return table, ring_edges, seeds


def _seeds(lattice: Lattice, ground: Ground, s: int, shape: Area) -> Seeds:
    """Return the cells in and just before an exit, and their signed distance to its edge, m."""
    h = lattice.cell_size
    x, y = cell_centres(ground, s)
    first = int(ground.windows[s]["first"])
    west, south, east, north = shape.bounds
    near = np.flatnonzero((x > west - h) & (x < east + h) & (y > south - h) & (y < north + h))
    near = near[lattice.status[first + near] == INSIDE]
    points = shapely.points(x[near], y[near])
    shapely.prepare(shape)
    distance = shapely.distance(shape.boundary, points)
    signed = np.where(shapely.contains(shape, points), -np.minimum(distance, 2 * h), distance)
    keep = signed < h / 2
    return (first + near[keep]).astype(np.int64), signed[keep]

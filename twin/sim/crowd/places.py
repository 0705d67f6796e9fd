"""Where people stand at first: places that are free, and checks of places that are given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from twin.errors import SimulationError
from twin.sim.crowd.exits import Area
from twin.sim.crowd.surfaces import Surface

__all__ = ["check_apart", "check_places", "free_places"]

FloatArray = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]

#: Centres may not be nearer to a wall, m.
_NEAREST_WALL = 1e-3


def free_places(
    area: Area,
    number: int,
    *,
    radius: float,
    rng: np.random.Generator,
    taken: FloatArray | None = None,
) -> FloatArray:
    """Return `number` places in `area` where discs of `radius` m overlap no others and no walls.

    The places are points of a triangular lattice, as wide as the number allows, each moved by
    chance within its share of the room.

    Parameters
    ----------
    taken
        Places that are taken already, by discs of the same radius, m.
    Raises
    ------
    SimulationError
        If there is no room for so many.
    """
    if number == 0:
        return np.empty((0, 2))
    inner = area.buffer(-radius)
    least = 2.02 * radius
    spacing = max(least, 1.05 * math.sqrt(area.area / number))
    shapely.prepare(inner)
    west, south, east, north = area.bounds
    while True:
        shift = rng.uniform(0.0, spacing, 2)
        rows = np.arange(south - spacing + shift[1], north + spacing, spacing * math.sqrt(0.75))
        cols = np.arange(west - spacing + shift[0], east + spacing, spacing)
        x, y = np.meshgrid(cols, rows)
        x = x + np.where(np.arange(len(rows)) % 2 == 1, spacing / 2, 0.0)[:, None]
        play = (spacing - least) / 2
        angle, far = rng.uniform(0, 2 * math.pi, x.shape), np.sqrt(rng.uniform(0, 1, x.shape))
        x, y = x + play * far * np.cos(angle), y + play * far * np.sin(angle)
        places = np.column_stack([x.ravel(), y.ravel()])
        places = places[shapely.contains_xy(inner, places)]
        if taken is not None and len(taken) and len(places):
            from scipy.spatial import cKDTree

            distance, _ = cKDTree(taken).query(places)
            places = places[distance >= 2 * radius]
        if len(places) >= number:
            return places[rng.permutation(len(places))[:number]]
        if spacing <= least:
            x0, y0 = area.centroid.coords[0]
            raise SimulationError(
                f"No room for {number} people of radius {radius:g} m on {area.area:.1f} m² around "
                f"({x0:.1f}, {y0:.1f}); it holds about {len(places)}. Give a larger area or fewer."
            )
        spacing = max(least, 0.96 * spacing)


def check_places(surfaces: Sequence[Surface], xy: FloatArray, only: int | None) -> Int32Array:
    """Return the surface that each place is on, or that it must be on.

    Raises
    ------
    SimulationError
        If a place is not finite, in a wall, on no surface, or on several.
    """
    if xy.ndim != 2 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise SimulationError(f"Places must be finite numbers of shape (n, 2), not {xy.shape}.")
    on = np.array([shapely.contains_xy(s.polygon, xy) for s in surfaces])
    if only is not None:
        on[np.arange(len(surfaces)) != only] = False
    hits, surface = on.sum(axis=0), np.argmax(on, axis=0).astype(np.int32)
    for k in np.flatnonzero(hits != 1)[:1].tolist():
        person = f"Person {k} at ({xy[k, 0]:.2f}, {xy[k, 1]:.2f})"
        if hits[k] == 0:
            raise SimulationError(f"{person} is not on walkable ground.")
        names = [s.name for s, there in zip(surfaces, on[:, k], strict=True) if there]
        raise SimulationError(f"{person} could be on {names}; give area=.")
    edges = np.array([s.polygon.boundary for s in surfaces], dtype=object)[surface]
    for k in np.flatnonzero(shapely.distance(shapely.points(xy), edges) < _NEAREST_WALL)[:1]:
        raise SimulationError(f"Person {k} at ({xy[k, 0]:.3f}, {xy[k, 1]:.3f}) is in a wall.")
    return surface


def check_apart(
    new: FloatArray, others: FloatArray, surface: Int32Array, radius: FloatArray
) -> None:
    """Refuse new people whose centre is closer to somebody's than half the sum of their radii.

    `surface` and `radius` are those of the new, then of the others.
    """
    from scipy.spatial import cKDTree

    both = np.vstack([new, others])
    pairs = cKDTree(both).query_pairs(float(radius.max(initial=0.0)), output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    near = np.hypot(*(both[a] - both[b]).T) < 0.5 * (radius[a] + radius[b])
    for k in a[near & (surface[a] == surface[b]) & (a < len(new))][:1].tolist():
        raise SimulationError(
            f"Person {k} at ({new[k, 0]:.2f}, {new[k, 1]:.2f}) stands on somebody else."
        )

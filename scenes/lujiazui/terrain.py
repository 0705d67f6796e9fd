"""Bare ground of the scene as a raster: plots, kerbs and crowned streets, hollows, ramps, river."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import gaussian_filter, map_coordinates
from shapely.geometry.base import BaseGeometry
from twin.scenes.lujiazui import station
from twin.scenes.lujiazui.plan import FAIRWAY_BED, FLOOR, SIDE, SILL, Plan, turned

__all__ = ["CELL", "HOLLOWS", "elevation", "level_at"]

FloatArray = npt.NDArray[np.float64]

#: Edge of a cell, m.
CELL = 2.0

#: Where rain gathers: centre (x, y), how far it reaches (standard deviation) and how deep, m.
HOLLOWS = {
    "Century Avenue": (915.0, 1258.0, 34.0, 0.75),
    "Dongchang Road": (1000.0, 560.0, 42.0, 0.75),
    "Lane 210": (1740.0, 572.0, 55.0, 0.65),
    "Yincheng Middle Road": (1200.0, 790.0, 40.0, 0.55),
    "Fenghe Road": (775.0, 1625.0, 36.0, 0.50),
}
#: Ground that was raised: centre (x, y), reach and height, m.
_RISES = [
    (1080.0, 1370.0, 75.0, 0.85),
    (1250.0, 1420.0, 60.0, 0.55),
    (768.0, 1530.0, 48.0, 0.70),
    (455.0, 1405.0, 45.0, 0.60),
    (964.0, 1100.0, 44.0, 0.60),
    (1060.0, 880.0, 70.0, 0.30),
]

_SEED = 17
_MEAN = 3.25  # ground between hollows and rises, m
_KERB = 0.15  # from the gutter up to the plots, m
_CROWN = 0.10  # from the gutter up to the middle of the carriageway, m
_PROMENADE = 2.9  # the waterside platform outside the wall, m
_BERM = 0.7  # ground against the inner side of the wall above the plots, m
_FOOT_OF_QUAY = -0.4  # river bed at the quay, m


def elevation(plan: Plan) -> npt.NDArray[np.float32]:
    """Compute the ground, m, ``[row, col]`` with row 0 in the north, to the centimetre."""
    n = round(SIDE / CELL)
    centres = (np.arange(n) + 0.5) * CELL
    x, y = np.meshgrid(centres, centres[::-1])
    plots = _plots(x, y, n)

    ground = plots + _berm(plan, x, y)
    carriageway = np.zeros(ground.shape, bool)
    for street in plan.streets:
        if street.drivable and street.kind != "underpass":
            _carve_street(ground, carriageway, plots, street.line, street.width / 2, x, y)
    _level_exits(ground, plan, x, y)
    _pond_banks(ground, plan, x, y)
    _ramps(ground, plan, x, y)
    _waterside(ground, plan, x, y)
    return np.round(ground, 2).astype(np.float32)


def level_at(ground: npt.NDArray[np.floating], x: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Interpolate the ground at scene coordinates, m."""
    px, py = np.atleast_1d(np.asarray(x, dtype=float)), np.atleast_1d(np.asarray(y, dtype=float))
    at = [ground.shape[0] - 0.5 - py / CELL, px / CELL - 0.5]
    found = map_coordinates(ground.astype(float), at, order=1, mode="nearest")
    return np.asarray(found, dtype=float).reshape(np.shape(x))


def _plots(x: FloatArray, y: FloatArray, n: int) -> FloatArray:
    """Gently rolling ground with the hollows and rises."""
    rng = np.random.default_rng(_SEED)
    rolling = gaussian_filter(rng.standard_normal((n // 4, n // 4)), 11, mode="reflect")
    index = (np.arange(n) + 0.5) / 4 - 0.5
    rolling = map_coordinates(rolling, np.meshgrid(index, index, indexing="ij"), order=3,
                              mode="nearest")  # fmt: skip
    ground = _MEAN + 0.13 * rolling / rolling.std()
    for cx, cy, reach, depth in HOLLOWS.values():
        ground -= depth * _bell(x, y, cx, cy, reach)
    for cx, cy, reach, height in _RISES:
        ground += height * _bell(x, y, cx, cy, reach)
    return ground


def _bell(x: FloatArray, y: FloatArray, cx: float, cy: float, reach: float) -> FloatArray:
    return np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * reach**2))


def _berm(plan: Plan, x: FloatArray, y: FloatArray) -> FloatArray:
    """Ground that rises towards the wall, except on the way through a gate."""
    distance = _distance(plan.wall, x, y, 60.0)
    away = _distance(shapely.union_all(list(plan.gates.values())), x, y, 80.0)
    return _BERM * (1 - _ease(distance / 45.0)) * _ease((away - 15.0) / 45.0)


def _carve_street(
    ground: FloatArray,
    done: npt.NDArray[np.bool_],
    plots: FloatArray,
    line: BaseGeometry,
    half: float,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """Lower a carriageway below its plots: gutters at the kerbs, the crown in the middle."""
    window = _window(line, half + CELL, x.shape)
    d = shapely.distance(line, shapely.points(x[window], y[window]))
    crown = plots[window] - _KERB + _CROWN * (1 - (d / half) ** 2)
    on = d <= half
    # where streets cross, the higher of the two crowns
    ground[window] = np.where(
        on, np.where(done[window], np.maximum(ground[window], crown), crown), ground[window]
    )
    done[window] |= on


def _level_exits(ground: FloatArray, plan: Plan, x: FloatArray, y: FloatArray) -> None:
    """Meet the station's stairs at street level, easing out into the ground around."""
    for cx, cy in plan.exits:
        d = np.hypot(x - cx, y - cy)
        share = 1 - _ease((d - 7.0) / 14.0)
        ground += share * (station.STREET_LEVEL - ground)


def _pond_banks(ground: FloatArray, plan: Plan, x: FloatArray, y: FloatArray) -> None:
    """Let the lawn fall to the edge of the pond, whose bed the water layer gives."""
    d = _distance(plan.pond, x, y, 30.0)
    edge = 3.3
    ground += (1 - _ease(d / 25.0)) * np.minimum(edge - ground, 0.0)


def _ramps(ground: FloatArray, plan: Plan, x: FloatArray, y: FloatArray) -> None:
    """Sink the ramps of the underpass; its covered part keeps the street above it."""
    axis = plan.underpass_axis
    middle = axis.project(plan.underpass.centroid)
    window = _window(plan.ramps, CELL, x.shape)
    points = shapely.points(x[window], y[window])
    inside = shapely.contains(plan.ramps, points)
    along = np.abs(shapely.line_locate_point(axis, points) - middle)
    sunk = _ease((156.0 - along) / 120.0)
    ground[window] = np.where(inside, (1 - sunk) * ground[window] + sunk * FLOOR, ground[window])


def _waterside(ground: FloatArray, plan: Plan, x: FloatArray, y: FloatArray) -> None:
    """Lay the promenade outside the wall, the ways through the gates and the bed of the river."""
    points = shapely.points(x, y)
    outside = shapely.contains(
        shapely.Polygon([*plan.wall.coords, (SIDE, SIDE), (0, SIDE), (0, 0)]), points
    )
    ground[outside] = _PROMENADE
    for gate in plan.gates.values():
        (ax, ay), (bx, by) = gate.coords[0], gate.coords[-1]
        turn = np.degrees(np.arctan2(by - ay, bx - ax))
        way = turned((ax + bx) / 2, (ay + by) / 2, gate.length + 4, 44, turn)
        d = shapely.distance(way, points)
        ground += (1 - _ease(d / 10.0)) * np.minimum(SILL - 0.1 - ground, 0.0)
    river = shapely.union_all([plan.fairway, plan.shallows])
    wet = shapely.contains(river, points)
    d = _distance(plan.quay, x, y, 75.0)
    bed = _FOOT_OF_QUAY + (FAIRWAY_BED - _FOOT_OF_QUAY) * _ease(d / 70.0)
    ground[wet] = bed[wet]


def _distance(shape: BaseGeometry, x: FloatArray, y: FloatArray, limit: float) -> FloatArray:
    """Compute the distance to `shape`, m; cells beyond `limit` are given infinity."""
    out = np.full(x.shape, np.inf)
    near = shapely.contains_xy(shape.buffer(limit), x, y)
    out[near] = shapely.distance(shape, shapely.points(x[near], y[near]))
    return out


def _window(shape: BaseGeometry, margin: float, size: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns that cover `shape`."""
    west, south, east, north = shape.bounds
    rows = slice(
        max(0, int((SIDE - north - margin) / CELL)),
        min(size[0], int((SIDE - south + margin) / CELL) + 2),
    )
    cols = slice(max(0, int((west - margin) / CELL)), min(size[1], int((east + margin) / CELL) + 2))
    return rows, cols


def _ease(t: FloatArray) -> FloatArray:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3 - 2 * t)

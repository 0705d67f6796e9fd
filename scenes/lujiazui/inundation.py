"""Storm, river and water in the streets on the recorded day: where the readings come from.

The river and the rain are given curves. The levels in the streets follow from them through a coarse
model that shares nothing with the engine: 20 m cells, buildings only as lost room. So the record is
consistent in space and time without being the output of what it is compared with. On the recorded
day the ferry gate stood open from 08:40.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from twin.scenes.lujiazui.landmarks import Building
from twin.scenes.lujiazui.plan import FLOOR, KEPT_IN_POND, POND_BED, SIDE, SILL, Plan
from twin.scenes.lujiazui.terrain import CELL, level_at

__all__ = ["GATE_OPENS", "rain", "stage", "street_levels"]

FloatArray = npt.NDArray[np.float64]

#: When the ferry gate is opened, hours after midnight.
GATE_OPENS = 8 + 40 / 60

_STORM_CENTRE = (1150.0, 900.0)
_DRAINS = 36e-3 / 3600  # what the sewers take, m/s: the city's one-year design rain, 36 mm/h
_CELL, _STEP = 20.0, 1.5  # of the coarse model, m and s; stable to 8 m of depth
_MODELLED = (8.0, 13.0)  # hours after midnight; the streets are dry before and pumped out after


def stage(hour: npt.ArrayLike) -> FloatArray:
    """Level of the river, m: a spring tide with a storm surge on its morning high water."""
    t = np.asarray(hour, dtype=float)
    tide = 1.75 + 1.55 * np.cos(2 * np.pi * (t - 9.5) / 12.42)
    return np.asarray(tide + 1.0 * np.exp(-(((t - 9.5) / 4.0) ** 2)))


def rain(hour: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Rain at a place, mm/h: drizzle, and from 08:00 to 11:00 a cloudburst, worst at 09:12."""
    t = np.asarray(hour, dtype=float)
    away = np.hypot(np.asarray(x) - _STORM_CENTRE[0], np.asarray(y) - _STORM_CENTRE[1])
    strength = 0.78 + 0.36 * np.exp(-((away / 750.0) ** 2))
    late = away / 1000.0 * 4 / 60  # the cell grows outwards
    s = (t - late - 8.0) / 3.0
    rise = np.clip(s / 0.4, 0.0, 1.0) ** 1.5
    fall = np.clip((1.0 - s) / 0.6, 0.0, 1.0) ** 1.5
    drizzle = np.where((t > 6.5) & (t < 12.5), 3.0, 0.0)
    return np.asarray(strength * (100.0 * np.minimum(rise, fall) + drizzle))


def street_levels(
    plan: Plan,
    ground: FloatArray,
    buildings: list[Building],
    places: dict[str, tuple[float, float]],
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Compute the level at places on land, as (hours, m); dry ground reads its own level.

    Rain less what the sewers take, the open gate as a broad-crested weir, and local inertia between
    the cells (Bates, Horritt and Fewtrell 2010, doi:10.1016/j.jhydrol.2010.03.027).
    """
    n, k = round(SIDE / _CELL), round(_CELL / CELL)
    centres = (np.arange(n) + 0.5) * _CELL
    x, y = np.meshgrid(centres, centres[::-1])
    tiles = np.asarray(ground, dtype=float).reshape(n, k, n, k)
    bed = tiles.mean(axis=(1, 3))
    # the underpass is narrower than a cell: widened a little, it stays one piece
    sunk = shapely.intersects_xy(plan.ramps.buffer(6), x, y)
    bed[sunk] = tiles.min(axis=(1, 3))[sunk]
    bed[shapely.intersects_xy(plan.underpass.buffer(6), x, y)] = FLOOR
    protected = shapely.contains_xy(shapely.Polygon([*plan.wall.coords, (SIDE, 0)]), x, y)
    bed[~protected] = 9.0
    room = 1.0 - _built_share(buildings, n)

    def cell(px: float, py: float) -> tuple[int, int]:
        return int((SIDE - py) / _CELL), int(px / _CELL)

    gate = plan.gates["gate-2"]
    middle = gate.interpolate(0.5, normalized=True)
    behind = cell(middle.x + 26.0, middle.y + 12.0)
    depth = np.zeros((n, n))
    along, across = np.zeros((n, n + 1)), np.zeros((n + 1, n))
    hours, depths = [0.0, _MODELLED[0]], [np.zeros(len(places))] * 2
    for i in range(int((_MODELLED[1] - _MODELLED[0]) * 3600 / _STEP)):
        hour = _MODELLED[0] + i * _STEP / 3600
        if i % 40 == 0:
            fallen = rain(hour, x, y) / 3.6e6
            gain = np.where(protected, _STEP * (fallen / room - _DRAINS), 0.0)
        depth = np.maximum(depth + gain, 0.0)
        if hour >= GATE_OPENS:
            inside = float(bed[behind] + depth[behind])
            volume = _STEP * _weir(float(stage(hour)), inside, gate.length)
            depth[behind] = max(0.0, depth[behind] + volume / (room[behind] * _CELL**2))
        _spread(depth, bed, along, across, room)
        if i % 200 == 199:
            hours.append(hour)
            depths.append(np.array([depth[cell(*p)] for p in places.values()]))
    hours += [22.0, 24.0]
    depths += [np.zeros(len(places))] * 2

    times, table = np.asarray(hours), np.asarray(depths)
    found = {}
    for (name, (px, py)), column in zip(places.items(), table.T, strict=True):
        if plan.underpass.contains(shapely.Point(px, py)):
            level = FLOOR + column
        elif plan.pond.contains(shapely.Point(px, py)):
            level = POND_BED + KEPT_IN_POND + column
        elif protected[cell(px, py)]:
            base = float(level_at(ground, px, py))
            # a gauge stands lower than its cell on average; the first water gathers around it
            level = base + column + np.minimum(column, max(bed[cell(px, py)] - base, 0.0))
        else:  # on the promenade, outside the wall
            level = np.maximum(level_at(ground, px, py), stage(times))
        found[name] = (times, level)
    return found


def _built_share(buildings: list[Building], n: int) -> FloatArray:
    """Share of each cell under buildings, at most 0.7."""
    share = np.zeros((n, n))
    tree = shapely.STRtree([b.shape for b in buildings])
    for row in range(n):
        west = np.arange(n) * _CELL
        south = SIDE - (row + 1) * _CELL
        boxes = shapely.box(west, south, west + _CELL, south + _CELL)
        which, index = tree.query(boxes, predicate="intersects")
        areas = shapely.area(shapely.intersection(boxes[which], tree.geometries[index]))
        np.add.at(share[row], which, areas / _CELL**2)
    return np.minimum(share, 0.7)


def _weir(outside: float, inside: float, width: float) -> float:
    """Flow over the gate's sill into the city, m³/s, reduced by tail water (Villemonte 1947)."""
    high, low = max(outside, inside) - SILL, min(outside, inside) - SILL
    if high <= 0:
        return 0.0
    free = 1.7 * width * high**1.5
    drowned = (1 - (max(low, 0.0) / high) ** 1.5) ** 0.385
    return float(np.copysign(free * drowned, outside - inside))


def _spread(
    h: FloatArray, bed: FloatArray, qx: FloatArray, qy: FloatArray, room: FloatArray
) -> None:
    """Move water between cells for one step, in place; Manning's n is 0.03 s m^-1/3."""
    level, held = bed + h, h * room * _CELL / (5 * _STEP)
    for q, axis in ((qx, 1), (qy, 0)):
        lo = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
        hi = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
        face = (slice(None), slice(1, -1)) if axis else (slice(1, -1), slice(None))
        flow = np.maximum(level[lo], level[hi]) - np.maximum(bed[lo], bed[hi])
        wet = flow > 0.01
        flow = np.where(wet, flow, 1.0)
        pull = 9.81 * flow * _STEP * (level[hi] - level[lo]) / _CELL
        drag = 1 + 9.81 * _STEP * 0.03**2 * np.abs(q[face]) / flow ** (7 / 3)
        new = (q[face] - pull) / drag
        # no more than a fifth of what the giving cell holds leaves through one face
        most = np.where(new > 0, held[lo], held[hi])
        q[face] = np.where(wet, np.clip(new, -most, most), 0.0)
    h += _STEP / _CELL * (qx[:, :-1] - qx[:, 1:] + qy[:-1, :] - qy[1:, :]) / room
    np.maximum(h, 0.0, out=h)

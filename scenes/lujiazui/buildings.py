"""The footprints: landmarks first, then the blocks between the streets, filled by zone.

A zone has a list of lots. Each lot is laid out in rows over what is still free of the block, from
the largest to the smallest; a lot is a tower on its podium, a slab, a court, a shop. Positions,
heights and uses come from one random stream with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from twin.scenes.lujiazui import station
from twin.scenes.lujiazui.landmarks import (
    Building,
    around,
    chamfered,
    cross,
    horseshoe,
    landmarks,
)
from twin.scenes.lujiazui.plan import SIDE, Plan, local, turned

__all__ = ["STOREY_HEIGHT", "raise_buildings"]

SEED = 20260701

#: Height from floor to floor, m.
STOREY_HEIGHT = {
    "office": 4.2,
    "hotel": 3.6,
    "retail": 5.0,
    "residential": 3.0,
    "culture": 5.0,
}

_PAVEMENT = 5.0  # from the kerb to the plots
_FORECOURT = 24.0  # free ground around each exit of the station


@dataclass(frozen=True, slots=True)
class Lot:
    """A kind of plot.

    Attributes
    ----------
    kind
        What stands on it, see `_build`.
    width, depth
        Along and across the rows, m.
    side, front
        Clear ground to the next lot along and across the rows, m.
    share
        Share of possible places that is used; the rest stays free.
    storeys
        Fewest and most storeys.
    """

    kind: str
    width: float
    depth: float
    side: float
    front: float
    share: float
    storeys: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the district that is built alike; `angle` of its rows in degrees."""

    area: Polygon
    angle: float | None
    lots: tuple[Lot, ...]


_CORE = (
    Lot("podium tower", 84, 66, 22, 24, 0.95, (30, 48)),
    Lot("podium tower", 66, 52, 18, 20, 0.9, (22, 36)),
    Lot("court", 58, 44, 16, 18, 0.7, (5, 9)),
    Lot("office", 40, 30, 16, 16, 0.7, (8, 18)),
    Lot("shop", 24, 14, 12, 12, 0.5, (1, 3)),
)
_MIXED = (
    Lot("podium tower", 66, 52, 20, 24, 0.75, (18, 32)),
    Lot("point", 26, 26, 18, 26, 0.8, (24, 33)),
    Lot("office", 40, 28, 14, 16, 0.6, (6, 14)),
    Lot("slab", 46, 13, 9, 17, 0.8, (6, 7)),
    Lot("shop", 22, 12, 10, 10, 0.5, (1, 3)),
)
_WALK_UPS = (
    Lot("slab", 54, 12.5, 8, 16, 0.93, (6, 6)),
    Lot("slab", 38, 12.5, 8, 15, 0.93, (5, 6)),
    Lot("slab", 24, 11, 7, 12, 0.8, (4, 6)),
    Lot("shop", 18, 9, 6, 8, 0.6, (1, 2)),
)
_GARDENS = (
    Lot("point", 30, 28, 20, 36, 0.85, (28, 36)),
    Lot("slab", 48, 14, 12, 26, 0.8, (9, 16)),
    Lot("court", 50, 36, 14, 16, 0.25, (2, 3)),
    Lot("slab", 30, 12, 10, 18, 0.7, (4, 6)),
    Lot("shop", 20, 12, 10, 12, 0.35, (1, 2)),
)
_QUAYSIDE = (
    Lot("pavilion", 22, 11, 26, 10, 0.5, (1, 2)),
    Lot("pavilion", 13, 9, 22, 10, 0.5, (1, 1)),
)


def raise_buildings(plan: Plan) -> list[Building]:
    """Build the district; the order is fixed, landmarks first."""
    rng = np.random.default_rng(SEED)
    named = landmarks()
    free = _free_ground(plan).difference(
        shapely.union_all([b.shape.convex_hull for b in named]).buffer(14)
    )
    built = list(named)
    for zone in _zones(plan):
        blocks = shapely.get_parts(free.intersection(zone.area))
        for block in sorted(blocks, key=lambda b: (round(b.bounds[1]), round(b.bounds[0]))):
            if block.area > 150:
                built += _fill(block, zone, rng)
        free = free.difference(zone.area.buffer(4))
    return _forget(built, rng)


def _free_ground(plan: Plan) -> BaseGeometry:
    taken = [
        plan.carriageways.buffer(_PAVEMENT),
        plan.wall.buffer(9),
        plan.green,
        shapely.union_all([area for _, _, area in plan.assembly]).buffer(8),
        shapely.union_all([plan.ramps, plan.underpass]).buffer(10),
        shapely.union_all(shapely.points(plan.exits)).buffer(_FORECOURT),
        Polygon([local(*p) for p in station.STATION_OUTLINE]).buffer(6),
    ]
    inner = plan.land.intersection(shapely.box(5, 5, SIDE - 5, SIDE - 5))
    outside = inner.difference(Polygon([*plan.wall.coords, (SIDE, 0)]))
    return inner.difference(shapely.union_all([*taken, outside]))


def _zones(plan: Plan) -> list[Zone]:
    avenue = shapely.union_all(
        [s.line for s in plan.streets if s.name.startswith("Riverside Avenue")]
    )
    behind = Polygon([*shapely.line_merge(avenue).coords, (SIDE, 0)])
    if not behind.contains(shapely.Point(1000, 1000)):
        raise ValueError("Riverside Avenue is drawn the wrong way round.")
    quayside = shapely.box(0, 0, SIDE, SIDE).difference(behind)
    return [
        Zone(quayside, None, _QUAYSIDE),
        Zone(
            Polygon([(590, 780), (1430, 780), (1430, 1040), (905, 1400), (590, 1400)]), None, _CORE
        ),
        Zone(shapely.box(200, 860, 700, 1700), None, _CORE),
        Zone(shapely.box(590, 1250, 1190, 1770), None, _CORE),
        Zone(shapely.box(1180, 1360, 2000, 1780), None, _MIXED),
        Zone(shapely.box(1370, 1030, 1720, 1440), None, _CORE),
        Zone(shapely.box(1690, 850, 2000, 1480), 16.0, _WALK_UPS),
        Zone(shapely.box(1390, 600, 2000, 1100), 16.0, _WALK_UPS),
        Zone(shapely.box(1240, 0, 2000, 800), 12.0, _WALK_UPS),
        Zone(shapely.box(600, 560, 1240, 900), None, _MIXED),
        Zone(shapely.box(600, 0, 1440, 640), 8.0, _GARDENS),
    ]


def _fill(block: Polygon, zone: Zone, rng: np.random.Generator) -> list[Building]:
    """Lay out the lots of a zone over a block, largest first."""
    angle = zone.angle if zone.angle is not None else _long_side(block)
    # work in a frame whose x axis runs along the rows
    left = shapely.affinity.rotate(block, -angle, origin=(0, 0))
    built: list[Building] = []
    for lot in zone.lots:
        places = list(_rows(left, lot, rng))
        for x, y in places:
            built += _build(lot, *_turn(x, y, angle), angle, rng)
        taken = [
            shapely.box(x - lot.width / 2 - lot.side, y - lot.depth / 2 - lot.front,
                        x + lot.width / 2 + lot.side, y + lot.depth / 2 + lot.front)
            for x, y in places
        ]  # fmt: skip
        left = left.difference(shapely.union_all(taken))
        if left.is_empty:
            break
    return built


def _rows(area: BaseGeometry, lot: Lot, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Yield centres of lots that fit into `area`, row by row from the south."""
    if area.is_empty or area.area < lot.width * lot.depth:
        return
    west, south, east, north = area.bounds
    w, d = lot.width / 2, lot.depth / 2
    y, step = south + d, 3.0
    while y + d <= north:
        xs = np.arange(west + w, east - w, 2.0)
        fits = shapely.contains(area, shapely.box(xs - w, y - d, xs + w, y + d))
        next_x, used = -np.inf, False
        for x in xs[fits]:
            if x >= next_x:
                next_x, used = x + lot.width + lot.side, True
                if rng.random() < lot.share:
                    yield float(x), float(y)
        y += lot.depth + lot.front if used else step


def _build(lot: Lot, x: float, y: float, angle: float, rng: np.random.Generator) -> list[Building]:
    """Put up what stands on a lot."""
    storeys = int(rng.integers(lot.storeys[0], lot.storeys[1] + 1))
    w, d = lot.width, lot.depth
    match lot.kind:
        case "podium tower":
            shape = _tower(x, y, w, d, angle, rng)
            use = str(rng.choice(["office", "office", "office", "hotel"]))
            levels = int(rng.integers(3, 6))
            podium = around(turned(x, y, w, d, angle), shape)
            return [
                _building(use, storeys, shape),
                _building("retail" if rng.random() < 0.7 else use, levels, podium),
            ]
        case "court":
            inner = turned(x, y, w - 28, d - 26, angle)
            use = str(rng.choice(["office", "retail", "culture"], p=[0.6, 0.3, 0.1]))
            return [_building(use, storeys, around(turned(x, y, w, d, angle), inner))]
        case "office":
            shape = (
                chamfered(x, y, w, d, 5, angle)
                if rng.random() < 0.5
                else horseshoe(x, y, w, d, 11, angle)
            )
            return [_building("office", storeys, shape)]
        case "point":
            return [_building("residential", storeys, cross(x, y, min(w, d), 6, angle))]
        case "slab":
            return [_building("residential", storeys, turned(x, y, w, d, angle))]
        case _:
            use = "retail" if rng.random() < 0.85 else "culture"
            return [_building(use, storeys, turned(x, y, w, d, angle))]


def _tower(
    x: float, y: float, w: float, d: float, angle: float, rng: np.random.Generator
) -> Polygon:
    """Draw a tower that stands a little off the middle of its podium."""
    size = round(0.55 * d, 1)
    dx, dy = rng.uniform(-0.16, 0.16) * w, rng.uniform(-0.1, 0.1) * d
    tx, ty = (a + b for a, b in zip((x, y), _turn(dx, dy, angle), strict=True))
    match int(rng.integers(4)):
        case 0:
            return chamfered(tx, ty, size * 1.25, size, 4, angle)
        case 1:
            return cross(tx, ty, size, 4, angle)
        case 2:
            return chamfered(tx, ty, size, size, round(size * 0.29, 1), angle)
        case _:
            return turned(tx, ty, size * 1.15, size, angle)


def _building(use: str, storeys: int, shape: Polygon) -> Building:
    height = round(storeys * STOREY_HEIGHT[use] + (6.0 if storeys > 12 else 1.2), 1)
    return Building(None, use, height, storeys, shape)


def _forget(buildings: list[Building], rng: np.random.Generator) -> list[Building]:
    """Leave out some heights and storeys of nameless buildings, as registers do."""
    kept = []
    for building, draw in zip(buildings, rng.random(len(buildings)), strict=True):
        if building.name is not None or draw >= 0.07:
            kept.append(building)
        elif draw >= 0.02:
            kept.append(replace(building, height=None))
        else:
            kept.append(replace(building, height=None, storeys=None))
    return kept


def _long_side(block: Polygon) -> float:
    """Return the direction of the longest side of a block, degrees in (−45, 45]."""
    ring = np.asarray(block.simplify(6).exterior.coords)
    sides = np.diff(ring, axis=0)
    dx, dy = sides[np.argmax(np.hypot(*sides.T))]
    degrees = np.degrees(np.arctan2(dy, dx)) % 90
    return round(float(degrees - 90 if degrees > 45 else degrees), 1)


def _turn(x: float, y: float, degrees: float) -> tuple[float, float]:
    a = np.radians(degrees)
    return (
        float(x * np.cos(a) - y * np.sin(a)),
        float(x * np.sin(a) + y * np.cos(a)),
    )

"""Flights of stairs and escalators of an IFC model: their plans, their edges and their heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Polygon

from twin.geo.formats.ifc_mesh import PRECISION, Body, facing, flat, polygonal

__all__ = ["Flight", "flights", "landings"]

FloatArray = npt.NDArray[np.float64]

#: Treads of a straight flight leave its middle line by less than this, m.
STRAIGHT = 0.2


@dataclass(frozen=True)
class Flight:
    """A run of steps, or a moving one, between two edges."""

    id: str
    name: str
    stair: str  # GlobalId of the whole stair
    stair_name: str
    kind: str
    plan: Polygon
    lower_edge: LineString
    upper_edge: LineString
    lower: float
    upper: float
    riser: float
    low: float  # lowest point of the body

    @property
    def width(self) -> float:
        """Width of the narrower edge, m."""
        return float(min(self.lower_edge.length, self.upper_edge.length))


def flights(bodies: dict[int, Body]) -> list[Flight]:
    """Find the flights of stairs, ramps, escalators and moving walkways, in order of entity."""
    found = []
    for body in bodies.values():
        kind = _kind(body.product)
        if kind is not None:
            flight = _flight(body, kind)
            if flight is not None:
                found.append(flight)
    return found


def landings(bodies: dict[int, Body]) -> list[Body]:
    """Find the half landings: slabs that are part of a stair or said to be landings."""
    return [
        body
        for body in bodies.values()
        if body.product.is_a("IfcSlab")
        and (body.product.PredefinedType == "LANDING" or _whole(body.product).is_a("IfcStair"))
    ]


def _kind(product: Any) -> str | None:
    """Say what sort of flight a product is; stairs and ramps made of flights are none themselves."""
    for kind, word in (("IfcStair", "stair"), ("IfcRamp", "ramp")):
        if product.is_a(f"{kind}Flight") or product.is_a(kind):
            return word
    if product.is_a("IfcTransportElement"):
        sort = getattr(product, "PredefinedType", None) or getattr(product, "OperationType", None)
        if sort in {"ESCALATOR", "MOVINGWALKWAY"}:
            return "escalator"
    return None


def _whole(product: Any) -> Any:
    """Return what a product is part of, itself if it is whole."""
    for relation in product.Decomposes:
        return relation.RelatingObject
    return product


def _flight(body: Body, kind: str) -> Flight | None:
    up = facing(body, 1)
    if len(up) == 0:
        return None
    treads = _treads(up)
    if len(treads) >= 3:
        edges = _by_treads(treads)
    else:
        edges = _by_slope(up)
    if edges is None:
        return None
    plan, lower_edge, upper_edge, lower, upper, riser = edges
    whole = _whole(body.product)
    if not whole.is_a("IfcStair") and not whole.is_a("IfcRamp"):
        whole = body.product
    return Flight(
        *(body.product.GlobalId, body.product.Name or "", whole.GlobalId),
        *(whole.Name or "", kind, plan, lower_edge, upper_edge, lower, upper, riser, body.low),
    )


def _treads(up: FloatArray) -> list[tuple[float, Polygon]]:
    """Group level triangles into treads, from the lowest up, as (height, plan)."""
    level = np.ptp(up[:, :, 2], axis=1) < 0.01
    up = up[level]
    heights = up[:, :, 2].mean(axis=1)
    order = np.argsort(heights, kind="stable")
    found: list[tuple[float, Polygon]] = []
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or heights[order[end]] - heights[order[end - 1]] > 0.03:
            plan = polygonal(flat(up[order[start:end]]), 0.02)
            if not plan.is_empty and plan.area > 0.05:
                largest = max(plan.geoms, key=lambda p: p.area)
                found.append((float(heights[order[start]]), largest))
            start = end
    return found


Edges = tuple[Polygon, LineString, LineString, float, float, float]


def _by_treads(treads: list[tuple[float, Polygon]]) -> Edges | None:
    heights = np.array([z for z, _ in treads])
    middles = np.array([p.centroid.coords[0] for _, p in treads])
    riser = float(np.median(np.diff(heights)))
    way = middles[-1] - middles[0]
    length = float(np.hypot(*way))
    # a spiral may end above its start; a straight run of steps goes on
    off = np.inf
    if length > 0.1:
        off = float(np.abs(np.cross(np.append(way / length, 0.0)[None], _lift(middles))).max())
    lower, upper = float(heights[0]) - riser, float(heights[-1])
    # the topmost tread may be missing, being the floor above; levels are matched within a riser
    if off < STRAIGHT:
        plans = shapely.union_all([p for _, p in treads], grid_size=PRECISION)
        plan, first, last = _rectangle(plans, way)
    else:
        plans = shapely.union_all(
            shapely.buffer([p for _, p in treads], 0.02, join_style="mitre"), grid_size=PRECISION
        )
        plan = max(polygonal(plans).geoms, key=lambda p: p.area)
        first = _rectangle(treads[0][1], middles[1] - middles[0])[1]
        last = _rectangle(treads[-1][1], middles[-1] - middles[-2])[2]
    return plan, first, last, lower, upper, riser


def _lift(middles: FloatArray) -> FloatArray:
    return np.column_stack([middles - middles[0], np.zeros(len(middles))])


def _by_slope(up: FloatArray) -> Edges | None:
    """Take a sloping surface as one flight along its steepest line."""
    points = up.reshape(-1, 3)
    middle = points.mean(axis=0)
    away = points - middle
    slope, *_ = np.linalg.lstsq(away[:, :2], away[:, 2], rcond=None)
    if np.hypot(*slope) < 0.02:
        return None
    plan, first, last = _rectangle(flat(up), slope)
    low, high = float(points[:, 2].min()), float(points[:, 2].max())
    return plan, first, last, low, high, 0.2


def _rectangle(
    shape: shapely.geometry.base.BaseGeometry, way: FloatArray
) -> tuple[Polygon, LineString, LineString]:
    """Return the oriented rectangle around a shape, and its first and last edge along `way`."""
    box = shapely.oriented_envelope(shape)
    corners = np.array(box.exterior.coords)[:4]
    sides = np.roll(corners, -1, axis=0) - corners
    along = (sides / np.linalg.norm(sides, axis=1)[:, None]) @ (way / np.hypot(*way))
    k = int(along.argmax())  # the side that leads up; the next is the upper edge
    a, b, c, d = (corners[(k + i) % 4] for i in range(4))
    snapped = shapely.set_precision(Polygon([a, b, c, d]), PRECISION)
    lower, upper = (shapely.set_precision(LineString(ends), PRECISION) for ends in ([d, a], [b, c]))
    return snapped, lower, upper

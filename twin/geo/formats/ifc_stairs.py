"""Flights of stairs and escalators of an IFC model: their plans, their edges and their heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from twin.geo.formats.ifc_mesh import PRECISION, Body, facing, flat, polygonal

__all__ = ["Flight", "Run", "flights", "landings"]

FloatArray = npt.NDArray[np.float64]

#: Treads of a straight flight leave its middle line by less than this, m.
STRAIGHT = 0.2


class Run(NamedTuple):
    """The shape of a flight: its plan, its first and last edge, and their heights, m."""

    plan: Polygon
    lower_edge: LineString
    upper_edge: LineString
    lower: float
    upper: float
    riser: float


@dataclass(frozen=True, eq=False)
class Flight:
    """A run of steps, or a moving one, between two edges."""

    id: str
    name: str
    stair: str  # GlobalId of the whole stair
    stair_name: str
    kind: str
    run: Run
    low: float  # lowest point of the body

    @property
    def plan(self) -> Polygon:
        """What it takes up in plan."""
        return self.run.plan

    @property
    def width(self) -> float:
        """Length of the shorter edge, m."""
        return float(min(self.run.lower_edge.length, self.run.upper_edge.length))


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
    """Say what sort of flight a product is, if any; a whole stair with a body counts as one."""
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
    run = _by_treads(treads) if len(treads) >= 3 else _by_slope(up)
    if run is None:
        return None
    whole = _whole(body.product)
    if not whole.is_a("IfcStair") and not whole.is_a("IfcRamp"):
        whole = body.product
    name, stair_name = body.product.Name or "", whole.Name or ""
    return Flight(body.product.GlobalId, name, whole.GlobalId, stair_name, kind, run, body.low)


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


def _by_treads(treads: list[tuple[float, Polygon]]) -> Run:
    """Take treads as a straight run, or as a winding one if they leave the straight line."""
    heights = np.array([z for z, _ in treads])
    middles = np.array([p.centroid.coords[0] for _, p in treads])
    plans = [p for _, p in treads]
    riser = float(np.median(np.diff(heights)))
    way = middles[-1] - middles[0]
    length = float(np.hypot(*way))
    off = np.inf  # a spiral may end above its start
    if length > 0.1:
        normal = np.array([-way[1], way[0]]) / length
        off = float(np.abs((middles - middles[0]) @ normal).max())
    if off < STRAIGHT:
        plan, first, last = _rectangle(shapely.union_all(plans, grid_size=PRECISION), way)
    else:
        grown = shapely.buffer(plans, 0.02, join_style="mitre")  # across the nosings
        whole = polygonal(shapely.union_all(grown, grid_size=PRECISION))
        plan = max(whole.geoms, key=lambda p: p.area)
        first = _rectangle(plans[0], middles[1] - middles[0])[1]
        last = _rectangle(plans[-1], middles[-1] - middles[-2])[2]
    # the lowest tread is a riser above the floor; the highest is the floor above or a riser below
    return Run(plan, first, last, float(heights[0]) - riser, float(heights[-1]), riser)


def _by_slope(up: FloatArray) -> Run | None:
    """Take a sloping surface as one flight along its steepest line."""
    points = up.reshape(-1, 3)
    middle = points.mean(axis=0)
    away = points - middle
    slope, *_ = np.linalg.lstsq(away[:, :2], away[:, 2], rcond=None)
    if np.hypot(*slope) < 0.02:
        return None
    low, high = float(points[:, 2].min()), float(points[:, 2].max())
    return Run(*_rectangle(flat(up), slope), low, high, 0.0)


def _rectangle(shape: BaseGeometry, way: FloatArray) -> tuple[Polygon, LineString, LineString]:
    """Return the oriented rectangle around a shape, and its first and last edge along `way`."""
    box = shapely.set_precision(shapely.oriented_envelope(shape), PRECISION)
    corners = shapely.get_coordinates(box)[:4]
    sides = np.roll(corners, -1, axis=0) - corners
    along = (sides @ way) / np.linalg.norm(sides, axis=1)
    k = int(along.argmax())  # the side that leads up; the next is the upper edge
    a, b, c, d = (corners[(k + i) % 4] for i in range(4))
    return Polygon([a, b, c, d]), LineString([d, a]), LineString([b, c])

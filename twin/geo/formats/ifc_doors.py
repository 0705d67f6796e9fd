"""Doors, gates and mere openings of an IFC model: the ways through walls and barriers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from twin.geo.formats.ifc_mesh import (
    HEAD,
    KNEE,
    PRECISION,
    Body,
    cut,
    oriented_box,
    polygonal,
)
from twin.geo.formats.ifc_rooms import Level, Room

__all__ = ["Door", "doors", "lead_outside"]

FloatArray = npt.NDArray[np.float64]

#: How far behind a wall the floor may begin that a door leads to, m.
REACH = 0.6


@dataclass(eq=False)
class Door:
    """A door, gate or mere opening, and the floor within it."""

    id: str
    name: str
    kind: str
    level: Level
    width: float
    line: LineString
    sides: list[Room | None]
    way: Polygon
    outside: bool = False


@dataclass(eq=False)
class _Frame:
    """The box of a door: middle, direction of its width, half of its width and of its depth."""

    middle: FloatArray
    along: FloatArray
    half_width: float
    half_depth: float

    @property
    def normal(self) -> FloatArray:
        """Direction through the door."""
        return np.array([-self.along[1], self.along[0]])

    def band(self, start: float, end: float) -> Polygon:
        """Return the rectangle as wide as the door between two depths through it, m."""
        half = self.half_width
        corners = [(-half, start), (half, start), (half, end), (-half, end)]
        return Polygon([self.middle + u * self.along + v * self.normal for u, v in corners])


def doors(
    model: Any, bodies: dict[int, Body], levels: list[Level], rooms: list[Room], unit: float
) -> list[Door]:
    """Find doors, gates, and openings between two rooms that nothing fills.

    The rooms on the two sides are those whose floors lie there, or else those that the space
    boundaries of the model name.
    """
    fillings = model.by_type("IfcRelFillsElement")
    filled = {r.RelatedBuildingElement.id(): r.RelatingOpeningElement.id() for r in fillings}
    hosts = {
        r.RelatedOpeningElement.id(): r.RelatingBuildingElement
        for r in model.by_type("IfcRelVoidsElement")
    }
    bounded = _bounded(model, rooms)
    empty = {
        number
        for number, host in hosts.items()
        if host.is_a("IfcWall") and number not in filled.values()
    }
    found = []
    for number, body in bodies.items():
        product = body.product
        if product.is_a("IfcDoor"):
            sort = getattr(product, "PredefinedType", None)
            if sort == "TRAPDOOR":
                continue
            kind = "gate" if sort in {"GATE", "TURNSTILE"} else "door"
            width = (product.OverallWidth or 0.0) * unit
        elif number in empty:
            kind, width = "opening", 0.0
        else:
            continue
        hole = bodies.get(filled.get(number, -1), body)
        door = _door(kind, body, _frame(hole, product, width), levels, rooms)
        if door is None:
            continue
        for room in bounded.get(number, []):
            if room.level is door.level and room not in door.sides and None in door.sides:
                door.sides[door.sides.index(None)] = room
        if kind != "opening" or (None not in door.sides and door.sides[0] is not door.sides[1]):
            found.append(door)
    return found


def _bounded(model: Any, rooms: list[Room]) -> dict[int, list[Room]]:
    """Return the rooms that the model says an element bounds, by entity number."""
    by_id = {room.id: room for room in rooms}
    found: dict[int, list[Room]] = {}
    for relation in model.by_type("IfcRelSpaceBoundary"):
        element, space = relation.RelatedBuildingElement, relation.RelatingSpace
        room = by_id.get(getattr(space, "GlobalId", ""))
        if element is not None and room is not None:
            found.setdefault(element.id(), []).append(room)
    return found


def _frame(body: Body, product: Any, width: float) -> _Frame:
    """Fit a box around a door or its opening and tell its width from its depth.

    The width is the side as long as the stated width (m, 0 if none is); else the longer one, if
    it is so by far; else that along the x axis of the product, as IFC has it.
    """
    import ifcopenshell.util.placement

    box = oriented_box(body.vertices[:, :2])
    corners = shapely.get_coordinates(box)
    if isinstance(box, Polygon):
        sides = np.diff(corners[:3], axis=0)
    else:  # a body without depth
        way = corners[-1] - corners[0]
        sides = np.array([way, [-way[1], way[0]]]) * [[1.0], [1e-9]]
    length = np.linalg.norm(sides, axis=1)
    units = sides / length[:, None]
    if width > 0.2:
        k = int(np.abs(length - width).argmin())
    elif length.max() > 2.0 * length.min() or product.ObjectPlacement is None:
        k = int(length.argmax())
    else:
        matrix = ifcopenshell.util.placement.get_local_placement(product.ObjectPlacement)
        k = int(np.abs(units @ matrix[:2, 0]).argmax())
    half = (width if width > 0.2 else float(length[k])) / 2
    middle = np.array(box.centroid.coords[0])
    return _Frame(middle, units[k], half, float(length[1 - k]) / 2)


def _door(
    kind: str, body: Body, frame: _Frame, levels: list[Level], rooms: list[Room]
) -> Door | None:
    """Find the level of a door and the rooms on its two sides; None if there is no floor."""
    best: Door | None = None
    most = 0.02
    for level in levels:
        if not -0.5 <= body.low - level.elevation <= 0.6:
            continue
        own = [room for room in rooms if room.level is level]
        sides: list[Room | None] = []
        depths = []
        met = 0.0
        for sign in (1.0, -1.0):
            probe = frame.band(sign * frame.half_depth, sign * (frame.half_depth + REACH))
            parts = [shapely.intersection(probe, room.floor) for room in own]
            part = max(parts, key=lambda p: p.area, default=probe)
            depth = frame.half_depth
            if own and part.area > 0.02:
                sides.append(own[parts.index(part)])
                met += part.area
                points = shapely.get_coordinates(part) - frame.middle
                depth = float((points @ (sign * frame.normal)).min())
            else:
                sides.append(None)
                if not own:  # a floor of slabs, without rooms
                    met += shapely.intersection(probe, level.floor).area
            depths.append(depth + 0.05)
        if met > most:
            most = met
            start, end = (frame.middle + s * frame.half_width * frame.along for s in (-1, 1))
            product = body.product
            best = Door(
                *(product.GlobalId, product.Name or "", kind, level, 2 * frame.half_width),
                *(LineString([start, end]), sides, frame.band(-depths[1], depths[0])),
            )
    return best


def lead_outside(found: list[Door], bodies: dict[int, Body], levels: list[Level]) -> None:
    """Tell the doors that lead outside from those to parts of the building without a space.

    A door leads outside if the way through it ends outside of floors, walls, and what they
    enclose; the property IsExternal is left alone, as writers leave it at its default.
    """
    for level in levels:
        own = [d for d in found if d.level is level and None in d.sides and d.kind == "door"]
        if own:
            house = _house(level, bodies)
            for door in own:
                door.outside = _ends_outside(door, house)


def _ends_outside(door: Door, house: BaseGeometry) -> bool:
    start, end = np.array(door.line.coords)
    way = end - start
    step = np.array([-way[1], way[0]]) / np.hypot(*way) * (0.5 + REACH)
    middle = (start + end) / 2
    return any(not house.contains(shapely.Point(middle + s * step)) for s in (1.0, -1.0))


def _house(level: Level, bodies: dict[int, Body]) -> BaseGeometry:
    """Return the outline of the building on a level: floors, walls and what they enclose."""
    low, high = level.elevation + KNEE, level.elevation + HEAD
    walls = [
        cut(body, low, high)
        for body in bodies.values()
        if (body.product.is_a("IfcWall") or body.product.is_a("IfcCurtainWall"))
        and body.low < high
        and body.high > low
    ]
    closed = shapely.union_all([level.floor, *walls], grid_size=PRECISION).buffer(0.3)
    filled = [Polygon(part.exterior) for part in polygonal(closed).geoms]
    return shapely.union_all(filled).buffer(-0.3)

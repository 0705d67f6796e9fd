"""Floors of an IFC model: its rooms, and the levels that they make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import shapely
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from twin.geo.formats.ifc_mesh import PRECISION, Body, facing, flat, polygonal

__all__ = ["SAME_FLOOR", "Level", "Room", "floors_of_slabs", "floors_of_spaces", "storeys"]

#: Floors within this height of each other are one level, m.
SAME_FLOOR = 0.3
#: Smaller pieces of a slab are no floor, m².
SMALLEST = 0.3


@dataclass(eq=False)
class Level:
    """A floor or half landing."""

    id: str
    name: str
    elevation: float
    floor: BaseGeometry
    landing: bool = False
    walkable: BaseGeometry = field(default_factory=MultiPolygon)


@dataclass(eq=False)
class Room:
    """An IfcSpace."""

    id: str
    name: str
    use: str
    level: Level
    floor: BaseGeometry


def storeys(model: Any) -> dict[int, Any]:
    """Return the storey of each product that is in one, by entity number."""
    found: dict[int, Any] = {}
    ahead = [(storey, storey) for storey in model.by_type("IfcBuildingStorey")]
    while ahead:
        whole, storey = ahead.pop()
        parts = [p for r in getattr(whole, "IsDecomposedBy", ()) for p in r.RelatedObjects]
        parts += [p for r in getattr(whole, "ContainsElements", ()) for p in r.RelatedElements]
        for part in parts:
            if part.id() not in found and not part.is_a("IfcBuildingStorey"):
                found[part.id()] = storey
                ahead.append((part, storey))
    return found


def floors_of_spaces(
    bodies: dict[int, Body], storey_of: dict[int, Any]
) -> tuple[list[Room], list[Level]]:
    """Make levels of the floors of the spaces: one for each storey and height."""
    levels: list[Level] = []
    rooms: list[Room] = []
    taken: dict[str, Level] = {}
    for number, body in bodies.items():
        space = body.product
        if not space.is_a("IfcSpace") or _is_outside(space):
            continue
        down = facing(body, -1)
        floor = polygonal(flat(down[down[:, :, 2].mean(axis=1) < body.low + 0.5]))
        if floor.is_empty:
            continue
        storey = storey_of.get(number, space)
        near = [
            level
            for level in levels
            if abs(level.elevation - body.low) < SAME_FLOOR
            and level.id in taken
            and taken[level.id].name == (storey.Name or "")
        ]
        if near:
            level = near[0]
        else:
            id_ = storey.GlobalId if storey.GlobalId not in taken else space.GlobalId
            level = Level(id_, storey.Name or "", body.low, MultiPolygon())
            taken[id_] = level
            levels.append(level)
        rooms.append(Room(space.GlobalId, _room_name(space), _use(space), level, floor))
    for level in levels:
        # rooms that are drawn a hair apart are joined
        own = [r.floor for r in rooms if r.level is level]
        grown = shapely.union_all(shapely.buffer(own, 0.002, join_style="mitre"))
        level.floor = shapely.set_precision(grown.buffer(-0.002, join_style="mitre"), PRECISION)
    return rooms, levels


def _is_outside(space: Any) -> bool:
    kinds = {
        getattr(space, "PredefinedType", None),
        getattr(space, "InteriorOrExteriorSpace", None),
    }
    return bool(kinds & {"EXTERNAL", "GFA"})


def _room_name(space: Any) -> str:
    parts = [p for p in (space.Name, space.LongName) if p]
    return " ".join(dict.fromkeys(parts))


def _use(space: Any) -> str:
    return str(space.ObjectType or space.LongName or "")


def floors_of_slabs(bodies: dict[int, Body], storey_of: dict[int, Any]) -> list[Level]:
    """Make a level of the floor slabs of each storey, for models without spaces."""
    levels: dict[str, Level] = {}
    for number, body in bodies.items():
        slab = body.product
        if not slab.is_a("IfcSlab") or slab.PredefinedType in {"ROOF", "LANDING"}:
            continue
        storey = storey_of.get(number)
        plan = polygonal(flat(facing(body, 1, steepest=0.99)), SMALLEST)
        if storey is None or plan.is_empty:
            continue
        known = levels.get(storey.GlobalId)
        if known is None or body.high > known.elevation + SAME_FLOOR:
            levels[storey.GlobalId] = Level(storey.GlobalId, storey.Name or "", body.high, plan)
        elif abs(body.high - known.elevation) <= SAME_FLOOR:
            known.floor = shapely.union(known.floor, plan, grid_size=PRECISION)
    return list(levels.values())

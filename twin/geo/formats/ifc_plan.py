"""Levels to walk on, doors and stairs: the plan of a building, cut out of its IFC bodies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from twin.geo.formats.ifc_mesh import PRECISION, Body, cut, facing, flat, polygonal
from twin.geo.formats.ifc_stairs import Flight, flights, landings
from twin.geo.indoor import OUTSIDE

__all__ = ["Door", "Level", "Plan", "Room", "draw"]

FloatArray = npt.NDArray[np.float64]

#: An obstacle is what stands between these heights above the floor, m.
KNEE, HEAD = 0.1, 1.8
#: Floors within this height of each other are one level, and stairs end on a level within it, m.
SAME_FLOOR = 0.3
#: How far from a door or a stair the floor may begin that it leads to, m.
REACH = 0.6
#: Free pieces of floor that are smaller than this are left out, m².
SMALLEST = 0.3

OBSTACLES = (
    *("IfcWall", "IfcColumn", "IfcMember", "IfcPlate", "IfcCurtainWall", "IfcRailing"),
    *("IfcWindow", "IfcFurnishingElement", "IfcBuildingElementProxy", "IfcTransportElement"),
    *("IfcFlowTerminal", "IfcFlowController", "IfcEnergyConversionDevice", "IfcFlowSegment"),
    *("IfcChimney", "IfcBeam", "IfcFooting"),
)


@dataclass
class Level:
    """A floor or half landing."""

    id: str
    name: str
    elevation: float
    floor: BaseGeometry
    landing: bool = False
    walkable: BaseGeometry = field(default_factory=MultiPolygon)


@dataclass
class Room:
    """An IfcSpace."""

    id: str
    name: str
    use: str
    level: Level
    floor: BaseGeometry


@dataclass
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


@dataclass
class Plan:
    """All that people walk through, in model coordinates."""

    levels: list[Level]
    rooms: list[Room]
    doors: list[Door]
    flights: list[Flight]
    ends: dict[str, tuple[str, str]]  # of a flight: ids of its lower and upper level
    level_of: dict[int, str]  # entity number of a product: id of its level
    notes: list[str]


def draw(model: Any, bodies: dict[int, Body], unit: float) -> Plan:
    """Cut the plan out of the bodies of a model.

    Parameters
    ----------
    unit
        Length of the project's unit, m.
    """
    notes: list[str] = []
    storeys = _storeys(model)
    rooms, levels = _rooms(bodies, storeys)
    if not rooms:
        levels = _from_slabs(bodies, storeys)
        if levels:
            notes.append("no IfcSpace: floors are the slabs of each storey without the walls")
    floors = list(levels)
    stairs = flights(bodies)
    for body in landings(bodies):
        plan = polygonal(flat(facing(body, 1)), 0.05)
        if not plan.is_empty:
            name = body.product.Name or "landing"
            levels.append(Level(body.product.GlobalId, name, body.high, plan, landing=True))

    in_the_way = _obstacles(bodies, stairs)
    voids = _slab_voids(model, bodies)
    doors = _doors(model, bodies, floors, rooms, unit)
    for level in levels:
        _clear(level, in_the_way, voids, [d for d in doors if d.level is level])
    ends = _link(stairs, levels)
    _subtract_stairs(stairs, levels, ends)
    _bridge(stairs, levels, ends)
    for level in levels:
        level.walkable = polygonal(level.walkable, min(SMALLEST, level.floor.area / 2))
    _lead_outside(doors, bodies, floors)
    by_storey = {}
    for level in floors:
        by_storey.setdefault(level.id, level.id)
    level_of = {
        i: storeys[i].GlobalId for i in bodies if i in storeys and storeys[i].GlobalId in by_storey
    }
    return Plan(levels, rooms, doors, stairs, ends, level_of, notes)


def _storeys(model: Any) -> dict[int, Any]:
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


def _rooms(bodies: dict[int, Body], storeys: dict[int, Any]) -> tuple[list[Room], list[Level]]:
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
        storey = storeys.get(number, space)
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


def _from_slabs(bodies: dict[int, Body], storeys: dict[int, Any]) -> list[Level]:
    """Make a level of the floor slabs of each storey, for models without spaces."""
    levels: dict[str, Level] = {}
    for number, body in bodies.items():
        slab = body.product
        if not slab.is_a("IfcSlab") or slab.PredefinedType in {"ROOF", "LANDING"}:
            continue
        storey = storeys.get(number)
        plan = polygonal(flat(facing(body, 1, steepest=0.99)), SMALLEST)
        if storey is None or plan.is_empty:
            continue
        known = levels.get(storey.GlobalId)
        if known is None or body.high > known.elevation + SAME_FLOOR:
            levels[storey.GlobalId] = Level(storey.GlobalId, storey.Name or "", body.high, plan)
        elif abs(body.high - known.elevation) <= SAME_FLOOR:
            known.floor = shapely.union(known.floor, plan, grid_size=PRECISION)
    return list(levels.values())


def _obstacles(bodies: dict[int, Body], stairs: list[Flight]) -> list[Body]:
    """Return the bodies that stand in the way, other than flights."""
    moving = {s.id for s in stairs}
    return [
        body
        for body in bodies.values()
        if any(body.product.is_a(kind) for kind in OBSTACLES)
        and body.product.GlobalId not in moving
    ]


def _slab_voids(model: Any, bodies: dict[int, Body]) -> list[Body]:
    """Return the openings in slabs: stair wells and shafts."""
    return [
        bodies[r.RelatedOpeningElement.id()]
        for r in model.by_type("IfcRelVoidsElement")
        if r.RelatingBuildingElement.is_a("IfcSlab") and r.RelatedOpeningElement.id() in bodies
    ]


def _clear(level: Level, in_the_way: list[Body], voids: list[Body], doors: list[Door]) -> None:
    """Take walls, equipment and shafts out of a level, and let the doors through."""
    low, high = level.elevation + KNEE, level.elevation + HEAD
    west, south, east, north = level.floor.bounds
    taken = []
    for body in in_the_way:
        if body.high <= low or body.low >= high:
            continue
        x, y = body.vertices[:, 0], body.vertices[:, 1]
        if x.max() > west and x.min() < east and y.max() > south and y.min() < north:
            taken.append(cut(body, low, high))
    if not level.landing:
        taken += [
            flat(facing(v, 1))
            for v in voids
            if v.low < level.elevation - 0.02
            and v.high > level.elevation - SAME_FLOOR
            and v.high < level.elevation + 1.0
        ]
    blocked = polygonal(shapely.union_all(taken, grid_size=PRECISION))
    free = shapely.difference(level.floor, blocked, grid_size=PRECISION)
    # slivers between a wall and the room beside it are neither
    level.walkable = shapely.union_all(
        [polygonal(free, 0.01), *[d.way for d in doors]], grid_size=PRECISION
    )


# ------------------------------------------------------------------------------------------------
# Doors


def _doors(
    model: Any, bodies: dict[int, Body], levels: list[Level], rooms: list[Room], unit: float
) -> list[Door]:
    """Find doors, gates, and openings in walls that nothing fills."""
    filled = {
        r.RelatedBuildingElement.id(): r.RelatingOpeningElement.id()
        for r in model.by_type("IfcRelFillsElement")
    }
    hosts = {
        r.RelatedOpeningElement.id(): r.RelatingBuildingElement
        for r in model.by_type("IfcRelVoidsElement")
    }
    bounded = _bounded(model, rooms)
    found = []
    for number, body in bodies.items():
        product = body.product
        if product.is_a("IfcDoor"):
            kind = "gate" if getattr(product, "PredefinedType", None) == "GATE" else "door"
            if getattr(product, "PredefinedType", None) == "TRAPDOOR":
                continue
            opening = bodies.get(filled.get(number, -1))
            width = (product.OverallWidth or 0.0) * unit
        elif number in hosts and number not in filled.values() and hosts[number].is_a("IfcWall"):
            kind, opening, width = "opening", None, 0.0
        else:
            continue
        frame = _frame(body if opening is None else opening, product)
        door = _door(frame, body, levels, rooms, width)
        if door is None:
            continue
        door.kind = kind
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
            known = found.setdefault(element.id(), [])
            if room not in known:
                known.append(room)
    return found


@dataclass
class _Frame:
    """The box of a door: middle, direction of its width, half of its width and of its depth."""

    middle: FloatArray
    along: FloatArray
    half_width: float
    half_depth: float


def _frame(body: Body, product: Any) -> _Frame:
    """Fit a box around a door or its opening, its width along the product's x axis."""
    import ifcopenshell.util.placement

    box = shapely.oriented_envelope(shapely.multipoints(body.vertices[:, :2]))
    axis = np.array([1.0, 0.0])
    if product.ObjectPlacement is not None:
        matrix = ifcopenshell.util.placement.get_local_placement(product.ObjectPlacement)
        if math.hypot(*matrix[:2, 0]) > 0.5:
            axis = matrix[:2, 0] / math.hypot(*matrix[:2, 0])
    if isinstance(box, Polygon):
        corners = np.array(box.exterior.coords)
        sides = np.diff(corners[:3], axis=0)
        length = np.linalg.norm(sides, axis=1)
        units = sides / length[:, None]
        fits = np.abs(units @ axis)
        # a placement askew to its door says nothing: the longer side is the width
        k = int(fits.argmax()) if fits.max() > 0.94 else int(length.argmax())
        along = units[k]
        middle = np.array(box.centroid.coords[0])
        return _Frame(middle, along, float(length[k]) / 2, float(length[1 - k]) / 2)
    ends = np.array(box.coords)
    way = ends[-1] - ends[0]
    length = float(np.hypot(*way))
    return _Frame(ends.mean(axis=0), way / length, length / 2, 0.0)


def _door(
    frame: _Frame, body: Body, levels: list[Level], rooms: list[Room], width: float
) -> Door | None:
    """Find the level and the rooms on the two sides of a door; None if it has neither."""
    half = width / 2 if width > 0.2 else frame.half_width
    normal = np.array([-frame.along[1], frame.along[0]])

    def band(start: float, end: float) -> Polygon:
        corners = [(-half, start), (half, start), (half, end), (-half, end)]
        return Polygon([frame.middle + u * frame.along + v * normal for u, v in corners])

    best: tuple[float, Level, list[Room | None], Polygon] | None = None
    for level in levels:
        if not -0.5 <= body.low - level.elevation <= 0.6:
            continue
        own = [r for r in rooms if r.level is level]
        sides: list[Room | None] = []
        depths = []
        met = 0.0
        for sign in (1.0, -1.0):
            probe = band(0.0, sign * (frame.half_depth + REACH))
            area = np.array([shapely.intersection(probe, r.floor).area for r in own])
            depth = frame.half_depth + 0.05
            if own and area.max() > 0.02:
                room = own[int(area.argmax())]
                sides.append(room)
                met += float(area.max())
                near = shapely.intersection(probe, room.floor)
                depth = max(0.0, _nearest(near, frame.middle, sign * normal)) + 0.05
            else:
                sides.append(None)
                if not own:  # floors made of slabs
                    met += float(shapely.intersection(probe, level.floor).area)
            depths.append(depth)
        if met > 0.0 and (best is None or met > best[0]):
            best = (met, level, sides, band(-depths[1], depths[0]))
    if best is None:
        return None
    _, level, sides, way = best
    if sides[0] is sides[1] and sides[0] is not None:
        sides[1] = (
            None if body.product.is_a("IfcDoor") and not _within(frame, sides[0]) else sides[1]
        )
    line = LineString([frame.middle - half * frame.along, frame.middle + half * frame.along])
    name = body.product.Name or ""
    return Door(body.product.GlobalId, name, "door", level, 2 * half, line, sides, way)


def _within(frame: _Frame, room: Room) -> bool:
    return bool(room.floor.contains(shapely.Point(frame.middle)))


def _nearest(shape: BaseGeometry, origin: FloatArray, direction: FloatArray) -> float:
    """Return how far along a direction a shape begins, m."""
    points = shapely.get_coordinates(shape)
    return float(((points - origin) @ direction).min())


def _lead_outside(doors: list[Door], bodies: dict[int, Body], levels: list[Level]) -> None:
    """Tell the doors that lead outside from those to parts of the building without a space."""
    for level in levels:
        own = [d for d in doors if d.level is level and None in d.sides and d.kind == "door"]
        if not own:
            continue
        house = _house(level, bodies)
        for door in own:
            out = [s for s in (1.0, -1.0) if _side_free(door, s, house)]
            door.outside = bool(out) and (any(door.sides) or not level.floor.is_empty)


def _side_free(door: Door, sign: float, house: BaseGeometry) -> bool:
    """Say whether a step through the door ends outside the house."""
    start, end = np.array(door.line.coords)
    way = end - start
    normal = sign * np.array([-way[1], way[0]]) / np.hypot(*way)
    point = shapely.Point((start + end) / 2 + normal * (0.5 + REACH))
    return not house.contains(point)


def _house(level: Level, bodies: dict[int, Body]) -> BaseGeometry:
    """Return the outline of the building on a level: floors and walls, with all that they enclose."""
    low, high = level.elevation + KNEE, level.elevation + HEAD
    walls = [
        cut(body, low, high)
        for body in bodies.values()
        if (body.product.is_a("IfcWall") or body.product.is_a("IfcCurtainWall"))
        and body.low < high
        and body.high > low
    ]
    closed = shapely.union_all([level.floor, *walls], grid_size=PRECISION).buffer(0.3)
    filled = [Polygon(p.exterior) for p in polygonal(closed).geoms]
    return shapely.union_all(filled).buffer(-0.3)


# ------------------------------------------------------------------------------------------------
# Stairs


def _probe(edge: LineString, plan: Polygon, depth: float) -> Polygon:
    """Return the rectangle in front of an edge of a flight, away from its plan."""
    a, b = np.array(edge.coords)
    normal = np.array([b[1] - a[1], a[0] - b[0]]) / np.hypot(*(b - a))
    inward = np.array(plan.centroid.coords[0]) - (a + b) / 2
    if normal @ inward > 0:
        normal = -normal
    return Polygon([a, b, b + depth * normal, a + depth * normal])


def _link(stairs: list[Flight], levels: list[Level]) -> dict[str, tuple[str, str]]:
    """Find the level at each end of each flight: the one whose floor lies before the edge."""
    ends = {}
    for flight in stairs:
        lower = _level_at(flight, flight.lower_edge, flight.lower, levels)
        upper = _level_at(flight, flight.upper_edge, flight.upper, levels)
        # a way out begins or ends where no floor is; one without any floor leads nowhere
        if lower or upper:
            ends[flight.id] = (lower or OUTSIDE, upper or OUTSIDE)
        else:
            ends[flight.id] = ("", "")
    return ends


def _level_at(flight: Flight, edge: LineString, height: float, levels: list[Level]) -> str:
    probe = _probe(edge, flight.plan, REACH)
    best, most = "", 0.1 * REACH * edge.length
    for level in levels:
        if abs(level.elevation - height) <= max(SAME_FLOOR, 1.1 * flight.riser):
            met = shapely.intersection(probe, level.floor).area
            if met > most:
                best, most = level.id, met
    return best


def _subtract_stairs(
    stairs: list[Flight], levels: list[Level], ends: dict[str, tuple[str, str]]
) -> None:
    """Take the footprints of stairs out of the levels that they link or pass through."""
    linked: dict[str, set[str]] = {}
    for flight in stairs:
        linked.setdefault(flight.stair, set()).update(ends[flight.id])
    halves = {level.id: level for level in levels if level.landing}
    for level in levels:
        if level.landing:
            continue
        taken: list[BaseGeometry] = []
        for flight in stairs:
            low, high = level.elevation + 0.05, level.elevation + HEAD
            if level.id in linked[flight.stair] or (flight.low < high and flight.upper > low):
                taken.append(flight.plan)
                taken += [halves[e].floor for e in ends[flight.id] if e in halves]
        level.walkable = shapely.difference(
            level.walkable, shapely.union_all(taken), grid_size=PRECISION
        )


def _bridge(stairs: list[Flight], levels: list[Level], ends: dict[str, tuple[str, str]]) -> None:
    """Lead each level up to the edges of the flights that end on it."""
    by_id = {level.id: level for level in levels}
    plans = shapely.union_all([s.plan for s in stairs])
    for flight in stairs:
        for id_, edge in zip(ends[flight.id], (flight.lower_edge, flight.upper_edge), strict=True):
            level = by_id.get(id_)
            if level is None or level.walkable.is_empty:
                continue
            gap = (
                float(
                    shapely.hausdorff_distance(
                        edge, shapely.intersection(edge, level.walkable.buffer(1e-3))
                    )
                )
                if shapely.intersects(edge, level.walkable.buffer(1e-3))
                else 1.0
            )
            if gap < 2e-3:
                continue
            apron = _probe(
                edge, flight.plan, min(REACH, shapely.distance(edge, level.walkable) + 0.3)
            )
            apron = shapely.difference(apron, plans)
            level.walkable = shapely.union_all([level.walkable, apron], grid_size=PRECISION)

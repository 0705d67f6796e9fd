"""The plan of a building, cut out of its IFC bodies: levels to walk on, doors and stairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from twin.geo.formats.ifc_doors import Door, doors, lead_outside
from twin.geo.formats.ifc_mesh import HEAD, KNEE, PRECISION, Body, cut, facing, flat, polygonal
from twin.geo.formats.ifc_rooms import (
    SAME_FLOOR,
    Level,
    Room,
    floors_of_slabs,
    floors_of_spaces,
    storeys,
)
from twin.geo.formats.ifc_stairs import Flight, flights, landings
from twin.geo.indoor import OUTSIDE

__all__ = ["Plan", "draw"]

#: How far before the edge of a flight the floor may end that it leads to, m.
REACH = 0.6
#: Free pieces of floor that are smaller than this are left out, m².
SMALLEST = 0.3

OBSTACLES = (
    *("IfcWall", "IfcColumn", "IfcMember", "IfcPlate", "IfcCurtainWall", "IfcRailing", "IfcBeam"),
    *("IfcWindow", "IfcFurnishingElement", "IfcBuildingElementProxy", "IfcTransportElement"),
    *("IfcFlowTerminal", "IfcFlowController", "IfcFlowSegment", "IfcEnergyConversionDevice"),
    *("IfcChimney", "IfcFooting"),
)


@dataclass(eq=False)
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
    storey_of = storeys(model)
    rooms, floors = floors_of_spaces(bodies, storey_of)
    if not rooms:
        floors = floors_of_slabs(bodies, storey_of)
        if floors:
            notes.append("no IfcSpace: floors are the slabs of each storey without the walls")
    levels = [*floors, *_half_landings(bodies)]
    stairs = flights(bodies)
    ways = doors(model, bodies, floors, rooms, unit)

    moving = {stair.id for stair in stairs}
    obstacles = [
        body
        for body in bodies.values()
        if any(body.product.is_a(kind) for kind in OBSTACLES)
        and body.product.GlobalId not in moving
    ]
    voids = _slab_voids(model, bodies)
    for level in levels:
        _clear(level, obstacles, [] if level.landing else voids)
        own = [door.way for door in ways if door.level is level]
        level.walkable = shapely.union_all([level.walkable, *own], grid_size=PRECISION)

    ends = _link(stairs, levels)
    _subtract(stairs, levels, ends)
    _bridge(stairs, levels, ends)
    for level in levels:
        level.walkable = polygonal(level.walkable, min(SMALLEST, level.floor.area / 2))
    lead_outside(ways, bodies, floors)

    known = {level.id for level in floors}
    level_of = {
        number: storey_of[number].GlobalId
        for number in bodies
        if number in storey_of and storey_of[number].GlobalId in known
    }
    return Plan(levels, rooms, ways, stairs, ends, level_of, notes)


def _half_landings(bodies: dict[int, Body]) -> list[Level]:
    found = []
    for body in landings(bodies):
        plan = polygonal(flat(facing(body, 1)), 0.05)
        if not plan.is_empty:
            slab = body.product
            found.append(Level(slab.GlobalId, slab.Name or "", body.high, plan, landing=True))
    return found


def _slab_voids(model: Any, bodies: dict[int, Body]) -> list[Body]:
    """Return the openings in slabs: stair wells and shafts."""
    return [
        bodies[relation.RelatedOpeningElement.id()]
        for relation in model.by_type("IfcRelVoidsElement")
        if relation.RelatingBuildingElement.is_a("IfcSlab")
        and relation.RelatedOpeningElement.id() in bodies
    ]


def _clear(level: Level, obstacles: list[Body], voids: list[Body]) -> None:
    """Take walls, equipment and shafts out of the floor of a level."""
    low, high = level.elevation + KNEE, level.elevation + HEAD
    west, south, east, north = level.floor.bounds
    taken = []
    for body in obstacles:
        x, y = body.vertices[:, 0], body.vertices[:, 1]
        beside = x.max() < west or x.min() > east or y.max() < south or y.min() > north
        if body.low < high and body.high > low and not beside:
            taken.append(cut(body, low, high))
    taken += [
        flat(facing(void, 1))
        for void in voids
        if void.low < level.elevation - 0.02 and abs(void.high - level.elevation) < SAME_FLOOR
    ]
    blocked = polygonal(shapely.union_all(taken, grid_size=PRECISION))
    free = shapely.difference(level.floor, blocked, grid_size=PRECISION)
    # slivers between a wall and the room beside it are neither
    level.walkable = polygonal(free, 0.01)


def _link(stairs: list[Flight], levels: list[Level]) -> dict[str, tuple[str, str]]:
    """Find the levels at the two ends of each flight; where one has no floor it leads outside."""
    ends = {}
    for flight in stairs:
        lower = _level_before(flight, flight.run.lower_edge, flight.run.lower, levels)
        upper = _level_before(flight, flight.run.upper_edge, flight.run.upper, levels)
        # with no floor at either end it is no way out, but joins nothing
        other = OUTSIDE if lower or upper else ""
        ends[flight.id] = (lower or other, upper or other)
    return ends


def _level_before(flight: Flight, edge: LineString, height: float, levels: list[Level]) -> str:
    """Return the id of the level whose floor lies before an edge at its height; "" for none."""
    probe = _apron(edge, flight.plan, REACH)
    best, most = "", 0.1 * probe.area
    for level in levels:
        if abs(level.elevation - height) <= max(SAME_FLOOR, 1.1 * flight.run.riser):
            met = shapely.intersection(probe, level.floor).area
            if met > most:
                best, most = level.id, met
    return best


def _apron(edge: LineString, plan: Polygon, depth: float) -> Polygon:
    """Return the rectangle before an edge of a flight, on the side away from its plan."""
    a, b = np.array(edge.coords)
    normal = np.array([b[1] - a[1], a[0] - b[0]]) / np.hypot(*(b - a))
    if normal @ (np.array(plan.centroid.coords[0]) - (a + b) / 2) > 0:
        normal = -normal
    return Polygon([a, b, b + depth * normal, a + depth * normal])


def _subtract(stairs: list[Flight], levels: list[Level], ends: dict[str, tuple[str, str]]) -> None:
    """Take the footprints of stairs out of the levels that they link or pass through."""
    linked: dict[str, set[str]] = {}
    for flight in stairs:
        linked.setdefault(flight.stair, set()).update(ends[flight.id])
    halves = {level.id: level.floor for level in levels if level.landing}
    for level in levels:
        if level.landing:
            continue
        low, high = level.elevation + KNEE, level.elevation + HEAD
        taken: list[BaseGeometry] = []
        for flight in stairs:
            if level.id in linked[flight.stair] or (flight.low < high and flight.run.upper > low):
                taken.append(flight.plan)
                taken += [halves[end] for end in ends[flight.id] if end in halves]
        footprints = shapely.union_all(taken, grid_size=PRECISION)
        level.walkable = shapely.difference(level.walkable, footprints, grid_size=PRECISION)


def _bridge(stairs: list[Flight], levels: list[Level], ends: dict[str, tuple[str, str]]) -> None:
    """Lead each level up to the edges of the flights that end on it, across any gap."""
    by_id = {level.id: level for level in levels}
    plans = shapely.union_all([flight.plan for flight in stairs])
    for flight in stairs:
        edges = (flight.run.lower_edge, flight.run.upper_edge)
        for end, edge in zip(ends[flight.id], edges, strict=True):
            level = by_id.get(end)
            if level is None:
                continue
            apart = shapely.difference(edge, shapely.buffer(level.walkable, 2 * PRECISION))
            if apart.length > 0.01:
                gap = float(shapely.distance(apart.centroid, level.walkable))
                apron = _apron(edge, flight.plan, min(REACH, gap + 0.1))
                floor = [level.walkable, shapely.difference(apron, plans)]
                level.walkable = shapely.union_all(floor, grid_size=PRECISION)

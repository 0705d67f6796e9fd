"""IFC4 entities whose bodies are extruded plans and whose GlobalIds never change."""

from __future__ import annotations

import math
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Point = tuple[float, float]
Point3 = tuple[float, float, float]
Ring = list[Point]
Box = tuple[float, float, float, float]  # west, south, east, north


def step(at: Point, heading: float, ahead: float, left: float = 0.0) -> Point:
    """Step `ahead` along and `left` of a heading in degrees from the x axis."""
    c, s = math.cos(math.radians(heading)), math.sin(math.radians(heading))
    return at[0] + ahead * c - left * s, at[1] + ahead * s + left * c


def band(at: Point, heading: float, start: float, end: float, right: float, left: float) -> Ring:
    """Return the rectangle from `start` to `end` along a heading, between two offsets left."""
    ends = [(start, right), (end, right), (end, left), (start, left)]
    return [step(at, heading, *end) for end in ends]


def corners(box: Box) -> Ring:
    """Return the anticlockwise ring around a box."""
    west, south, east, north = box
    return [(west, south), (east, south), (east, north), (west, north)]


def walls_around(box: Box, thickness: float) -> dict[str, Box]:
    """Return the four walls around a room; those in the south and north take the corners."""
    west, south, east, north = box
    t = thickness
    return {
        "west": (west - t, south, west, north),
        "south": (west - t, south - t, east + t, south),
        "east": (east, south, east + t, north),
        "north": (west - t, north, east + t, north + t),
    }


class Author:
    """IFC entities in station coordinates, with GlobalIds made of class and name."""

    def __init__(self) -> None:
        import ifcopenshell

        self.file = ifcopenshell.file(schema="IFC4")
        self.make = self.file.create_entity
        self.body: Any = None  # the context of the bodies
        self.storeys: dict[str, Any] = {}
        self.contents: dict[str, list[Any]] = {}
        self.spaces: dict[str, Any] = {}
        self._names: dict[str, int] = {}

    def rooted(self, kind: str, name: str, **attributes: Any) -> Any:
        """Make an entity whose GlobalId follows from its class and name."""
        import ifcopenshell.guid

        key = f"{kind}/{name}"
        count = self._names[key] = self._names.get(key, 0) + 1
        uuid = uuid5(NAMESPACE_URL, f"twin/lujiazui/station/{key}/{count}")
        guid = ifcopenshell.guid.compress(uuid.hex)
        return self.make(kind, GlobalId=guid, Name=name, **attributes)

    def point(self, *xyz: float) -> Any:
        return self.make("IfcCartesianPoint", [round(v, 4) + 0.0 for v in xyz])

    def direction(self, *xyz: float) -> Any:
        return self.make("IfcDirection", [round(v, 12) + 0.0 for v in xyz])

    def axes(self, origin: Point3 = (0, 0, 0), z: Point3 = (0, 0, 1), x: Point3 = (1, 0, 0)) -> Any:
        z_axis, x_axis = self.direction(*z), self.direction(*x)
        return self.make("IfcAxis2Placement3D", self.point(*origin), z_axis, x_axis)

    def placement(self, parent: Any, *axes: Point3) -> Any:
        return self.make("IfcLocalPlacement", parent, self.axes(*axes))

    def extrude(self, ring: Ring, axes: Any, depth: float) -> Any:
        line = self.make("IfcPolyline", [self.point(*p) for p in [*ring, ring[0]]])
        profile = self.make("IfcArbitraryClosedProfileDef", "AREA", None, line)
        return self.make("IfcExtrudedAreaSolid", profile, axes, self.direction(0, 0, 1), depth)

    def prism(self, ring: Ring, low: float, high: float) -> Any:
        """Extrude a plan ring from `low` to `high` above the floor of its storey."""
        return self.extrude(ring, self.axes((0, 0, low)), high - low)

    def product(
        self, kind: str, name: str, storey: str, solid: Any, *axes: Point3, **attributes: Any
    ) -> Any:
        """Make a product with a body, in the coordinates of its storey or of `axes` within it."""
        product = self.rooted(kind, name, **attributes)
        product.ObjectPlacement = self.placement(self.storeys[storey].ObjectPlacement, *axes)
        shape = self.make("IfcShapeRepresentation", self.body, "Body", "SweptSolid", [solid])
        product.Representation = self.make("IfcProductDefinitionShape", None, None, [shape])
        return product

    def add(
        self,
        kind: str,
        name: str,
        storey: str,
        ring: Ring,
        low: float,
        high: float,
        predefined_type: str | None = None,
    ) -> Any:
        """Make an element, a plan ring extruded from `low` to `high` above its storey's floor."""
        solid = self.prism(ring, low, high)
        element = self.product(kind, name, storey, solid, PredefinedType=predefined_type)
        self.contents[storey].append(element)
        return element

    def void(self, element: Any, storey: str, ring: Ring, low: float, high: float) -> Any:
        """Cut an opening into an element."""
        name = f"Opening in {element.Name}"
        hole = self.product(
            *("IfcOpeningElement", name, storey, self.prism(ring, low, high)),
            PredefinedType="OPENING",
        )
        self.rooted(
            *("IfcRelVoidsElement", name),
            RelatingBuildingElement=element,
            RelatedOpeningElement=hole,
        )
        return hole

    def aggregate(self, whole: Any, parts: list[Any]) -> None:
        self.rooted("IfcRelAggregates", whole.Name, RelatingObject=whole, RelatedObjects=parts)

    def join(self, element: Any, *spaces: str) -> None:
        """Say that an element, material or virtual, is where spaces meet."""
        virtual = element.is_a("IfcVirtualElement")
        for space in spaces:
            self.rooted(
                *("IfcRelSpaceBoundary", f"{space}, {element.Name}"),
                RelatingSpace=self.spaces[space],
                RelatedBuildingElement=element,
                PhysicalOrVirtualBoundary="VIRTUAL" if virtual else "PHYSICAL",
                InternalOrExternalBoundary="INTERNAL",
            )

    def door(
        self, kind: str, name: str, at: Point, heading: float, width: float, height: float
    ) -> Any:
        """Make a door of the concourse, its width along `heading` with the middle at `at`."""
        leaf = self.prism(corners((0.0, -0.02, width, 0.02)), 0.05, height)
        c, s = math.cos(math.radians(heading)), math.sin(math.radians(heading))
        jamb = (*step(at, heading, -width / 2), 0.0)
        door = self.product("IfcDoor", name, "Concourse", leaf, jamb, (0, 0, 1), (c, s, 0))
        door.OverallWidth, door.OverallHeight, door.PredefinedType = width, height, kind
        door.OperationType = "SINGLE_SWING_LEFT" if kind == "DOOR" else "NOTDEFINED"
        self.contents["Concourse"].append(door)
        return door

"""The metro station of the scene: a stylised Lujiazui station under Century Avenue, as IFC4.

Station coordinates: x along the avenue (grid bearing 115°), y to its left, z up from the street;
metres. `to_grid` turns them into UTM 51N, as the IfcMapConversion in the file does.

Run ``python station.py`` to write ``data/station.ifc`` anew; the same bytes come out every time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.scenes.lujiazui.ifc_author import (
    Author,
    Box,
    Point,
    Point3,
    Ring,
    band,
    corners,
    step,
    walls_around,
)

CRS = "EPSG:32651"
VERTICAL_DATUM = "EPSG:5737"  # Yellow Sea 1985

#: Easting and northing of the middle of the station, on the centre line of Century Avenue, m.
STATION_ORIGIN = (356990.0, 3457120.0)
#: From grid east to the station's x axis, anticlockwise, degrees.
STATION_ROTATION = -25.0
#: Ground at the exits, z = 0 of the station, in the vertical datum, m.
STREET_LEVEL = 3.4
#: Floors of the concourse and of the island platform, in the vertical datum, m.
CONCOURSE_LEVEL = STREET_LEVEL - 6.5
PLATFORM_LEVEL = STREET_LEVEL - 13.0


def to_grid(x: float, y: float) -> tuple[float, float]:
    """Turn station coordinates into easting and northing, m."""
    a = math.radians(STATION_ROTATION)
    return (
        STATION_ORIGIN[0] + x * math.cos(a) - y * math.sin(a),
        STATION_ORIGIN[1] + x * math.sin(a) + y * math.cos(a),
    )


@dataclass(frozen=True)
class Exit:
    """Where a stair from the station meets the street."""

    name: str
    #: Easting and northing of the middle of the street edge, m.
    at: tuple[float, float]
    #: Direction in which one walks out, degrees clockwise from grid north.
    bearing: float
    #: Clear width of the stair, m.
    width: float


def _exit(name: str, x: float, y: float, heading: float, width: float) -> Exit:
    """Place an exit given by station coordinates and the heading from the station's x axis."""
    return Exit(name, to_grid(x, y), (90.0 - STATION_ROTATION - heading) % 360.0, width)


#: Street edges of the exits. Keep about 10 m in front of each free for people to walk away.
EXITS = [
    _exit("Exit 1", -52.0, 35.6, 90.0, 4.0),
    _exit("Exit 2", -69.6, -24.5, 180.0, 3.0),
    _exit("Exit 3", 69.6, 24.5, 0.0, 2.5),
    _exit("Exit 4", 63.2, -25.8, 0.0, 3.2),
]

#: What the station takes up in plan, walls and exit stairs with their parapets and roofs
#: included, as (easting, northing) of an anticlockwise ring, m. Nothing else may be built on it.
STATION_OUTLINE = [
    to_grid(x, y)
    for x, y in [
        *[(-73.0, -13.0), (-70.6, -13.0), (-70.6, -28.0), (-48.0, -28.0), (-48.0, -13.0)],
        *[(49.0, -13.0), (49.0, -28.0), (64.5, -28.0), (64.5, -13.0), (73.0, -13.0)],
        *[(73.0, 13.0), (70.6, 13.0), (70.6, 28.0), (48.0, 28.0), (48.0, 13.0)],
        *[(-49.0, 13.0), (-49.0, 36.5), (-55.0, 36.5), (-55.0, 13.0), (-73.0, 13.0)],
    ]
]


# ------------------------------------------------------------------------------------------------
# Layout in station coordinates, m


CONCOURSE_Z, PLATFORM_Z = CONCOURSE_LEVEL - STREET_LEVEL, PLATFORM_LEVEL - STREET_LEVEL
CONCOURSE: Box = (-60.0, -12.0, 60.0, 12.0)
PLATFORM: Box = (-70.0, -7.0, 70.0, 7.0)
GATES_AT = 40.0  # gate lines at x = ±40 part the paid from the unpaid concourse
LANES = (0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.9)  # clear widths along one gate line
CABINET = (1.8, 0.3, 1.05)  # length along the lane, width, height of a gate cabinet
RISER, TREAD, LANDING = 0.1625, 0.30, 1.8
FLIGHTS = (14, 13, 13)  # risers of the flights of each stair; no more than 18 in one (GB 50157)
RUN = sum(FLIGHTS) * TREAD + 2 * LANDING  # plan length of a straight stair

#: Ways from the platform to the paid concourse: name, x of the foot, y of the middle, heading
#: from the x axis in degrees, clear width.
STAIRS = [
    ("Platform stair W", -33.0, -1.0, 0.0, 3.6),
    ("Platform stair M", -RUN / 2, 0.0, 0.0, 3.0),
    ("Platform stair E", 33.0, 1.0, 180.0, 3.6),
]
ESCALATORS = [
    ("Escalator W", -33.0, 1.6, 0.0, 1.0),
    ("Escalator E", 33.0, -1.6, 180.0, 1.0),
]
#: Thickness of the outer walls, of those of passages, rooms and stair wells, and of balustrades.
WALL, THIN_WALL, WELL_WALL, BALUSTRADE = 0.6, 0.4, 0.3, 0.15
LIFT: Box = (11.7, -1.0, 13.3, 1.0)

#: Exit stairs: foot, heading, and turn at the first landing, degrees; widths are those of `EXITS`.
EXIT_STAIRS = {
    "Exit 1": ((-52.0, 20.0), 90.0, 0.0),
    "Exit 2": ((-54.0, -24.5), 180.0, 0.0),
    "Exit 3": ((54.0, 24.5), 0.0, 0.0),
    "Exit 4": ((52.0, -20.0), -90.0, 90.0),
}
#: Passages from the unpaid concourse to the exit stairs, and the side that the stair leaves by.
PASSAGES: dict[str, tuple[Box, str]] = {
    "Exit 1": ((-54.5, 12.0, -49.5, 20.0), "north"),
    "Exit 2": ((-54.0, -27.0, -49.0, -12.0), "west"),
    "Exit 3": ((49.0, 12.0, 54.0, 27.0), "east"),
    "Exit 4": ((50.0, -20.0, 54.0, -12.0), "south"),
}
#: Staff rooms at the two ends of the concourse, and the side of their door.
ROOMS: dict[str, tuple[Box, str]] = {
    "Station control": ((-60.0, -4.0, -55.6, 4.0), "east"),
    "Ticket office": ((55.6, -4.0, 60.0, 4.0), "west"),
}


# ------------------------------------------------------------------------------------------------
# IFC


def _project(ifc: Author) -> None:
    """Write units, contexts, the map conversion, and the site with its building and storeys."""
    from pyproj import Proj, Transformer

    lon, lat = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform(*STATION_ORIGIN)
    convergence = Proj(CRS).get_factors(lon, lat).meridian_convergence
    # grid north lies `convergence` clockwise of true north
    north = math.radians(90.0 - STATION_ROTATION + convergence)
    model = ifc.make(
        *("IfcGeometricRepresentationContext", None, "Model", 3, 1e-5, ifc.axes()),
        ifc.direction(math.cos(north), math.sin(north)),
    )
    ifc.body = ifc.make(
        *("IfcGeometricRepresentationSubContext", "Body", "Model"),
        ParentContext=model,
        TargetView="MODEL_VIEW",
    )
    quantities = {
        "LENGTHUNIT": "METRE",
        "AREAUNIT": "SQUARE_METRE",
        "VOLUMEUNIT": "CUBIC_METRE",
        "PLANEANGLEUNIT": "RADIAN",
    }
    units = [ifc.make("IfcSIUnit", UnitType=q, Name=name) for q, name in quantities.items()]
    crs = ifc.make("IfcProjectedCRS", CRS, "WGS 84 / UTM zone 51N", "WGS84", VERTICAL_DATUM)
    crs.MapProjection, crs.MapZone, crs.MapUnit = "UTM", "51N", units[0]
    turn = math.radians(STATION_ROTATION)
    axis = (round(math.cos(turn), 12), round(math.sin(turn), 12))
    ifc.make("IfcMapConversion", model, crs, *STATION_ORIGIN, STREET_LEVEL, *axis, 1.0)

    project = ifc.rooted(
        *("IfcProject", "Lujiazui station (stylised)"),
        RepresentationContexts=[model],
        UnitsInContext=ifc.make("IfcUnitAssignment", units),
    )
    site = ifc.rooted("IfcSite", "Century Avenue", ObjectPlacement=ifc.placement(None))
    site.RefLatitude, site.RefLongitude = _degrees(lat), _degrees(lon)
    site.RefElevation = STREET_LEVEL
    building = ifc.rooted("IfcBuilding", "Lujiazui station")
    building.ObjectPlacement = ifc.placement(site.ObjectPlacement)
    for name, z in [("Platform", PLATFORM_Z), ("Concourse", CONCOURSE_Z), ("Street", 0.0)]:
        storey = ifc.rooted("IfcBuildingStorey", name, Elevation=z)
        storey.ObjectPlacement = ifc.placement(building.ObjectPlacement, (0, 0, z))
        ifc.storeys[name], ifc.contents[name] = storey, []
    ifc.aggregate(project, [site])
    ifc.aggregate(site, [building])
    ifc.aggregate(building, list(ifc.storeys.values()))


def _degrees(angle: float) -> list[int]:
    """Split a positive angle into degrees, minutes, seconds, millionths of a second."""
    millionths = round(angle * 3600e6)
    seconds, millionths = divmod(millionths, 1_000_000)
    return [seconds // 3600, seconds // 60 % 60, seconds % 60, millionths]


def _spaces(ifc: Author) -> None:
    """Write the walkable rooms; exit passages reach through the concourse wall."""
    west, south, _, north = CONCOURSE
    _, low, inner, high = ROOMS["Station control"][0]
    inner, low, high = inner + WELL_WALL, low - WELL_WALL, high + WELL_WALL
    unpaid = [
        *[(west, south), (-GATES_AT, south), (-GATES_AT, north), (west, north)],
        *[(west, high), (inner, high), (inner, low), (west, low)],
    ]
    paid = corners((-GATES_AT, south, GATES_AT, north))
    rooms = [
        ("Platform", "platform", "Platform", corners(PLATFORM), 4.5),
        ("Unpaid concourse W", "unpaid concourse", "Concourse", unpaid, 4.5),
        ("Paid concourse", "paid concourse", "Concourse", paid, 4.5),
        ("Unpaid concourse E", "unpaid concourse", "Concourse", [(-x, -y) for x, y in unpaid], 4.5),
    ]
    rooms += [(n, "staff", "Concourse", corners(box), 3.0) for n, (box, _) in ROOMS.items()]
    rooms += [
        (f"Passage to {n}", "exit passage", "Concourse", corners(box), 3.0)
        for n, (box, _) in PASSAGES.items()
    ]
    for name, use, storey, ring, height in rooms:
        ifc.spaces[name] = ifc.product(
            *("IfcSpace", name, storey, ifc.prism(ring, 0.0, height)),
            LongName=name,
            ObjectType=use,
            CompositionType="ELEMENT",
            PredefinedType="USERDEFINED",
        )
    for name in ("Platform", "Concourse"):
        ifc.aggregate(ifc.storeys[name], [ifc.spaces[r[0]] for r in rooms if r[2] == name])


def _platform(ifc: Author) -> None:
    """Write the island platform, its screens, and the box that holds its two tracks."""
    west, south, east, north = PLATFORM
    box: Box = (west, south - 4.0, east, north + 4.0)
    ifc.add("IfcSlab", "Platform slab", "Platform", corners(PLATFORM), -0.5, 0.0, "FLOOR")
    ifc.add("IfcSlab", "Track slab", "Platform", corners(box), -1.9, -1.4, "BASESLAB")
    walls = walls_around(box, WALL)
    for side in ("west", "east"):  # the tunnels leave above the tracks
        walls[side] = (walls[side][0], south, walls[side][2], north)
    for side, wall in walls.items():
        ifc.add(
            "IfcWall", f"Platform wall {side}", "Platform", corners(wall), -1.9, 6.0, "SOLIDWALL"
        )
    for side, y in [("north", north), ("south", south + 0.2)]:
        screen = corners((west, y - 0.2, east, y))
        ifc.add("IfcRailing", f"Screen {side}", "Platform", screen, 0.0, 2.2, "GUARDRAIL")
    for side, x in [("west", west), ("east", CONCOURSE[2] + WALL)]:
        roof = corners((x, south - 4.0, x + east - CONCOURSE[2] - WALL, north + 4.0))
        ifc.add("IfcSlab", f"Platform roof {side}", "Platform", roof, 4.5, 6.0, "ROOF")
    _columns(ifc, "Platform", range(-65, 66, 10), 6.0)


def _concourse(ifc: Author) -> None:
    """Write slabs, walls, exit passages and gate lines of the concourse."""
    walls = walls_around(CONCOURSE, WALL)
    outer = corners((*walls["south"][:2], *walls["north"][2:]))
    slab = ifc.add("IfcSlab", "Concourse slab", "Concourse", outer, -0.5, 0.0, "FLOOR")
    for _, x, y, heading, width in [*STAIRS, *ESCALATORS]:
        well = band((x, y), heading, 0.0, RUN, -width / 2, width / 2)
        ifc.void(slab, "Concourse", well, -0.5, 0.0)
    ifc.void(slab, "Concourse", corners(LIFT), -0.5, 0.0)
    ifc.add("IfcSlab", "Concourse roof", "Concourse", outer, 4.5, 5.3, "ROOF")
    outside = {
        side: ifc.add(
            "IfcWall", f"Concourse wall {side}", "Concourse", corners(wall), -0.5, 5.3, "SOLIDWALL"
        )
        for side, wall in walls.items()
    }
    _columns(ifc, "Concourse", range(-55, 56, 10), 4.5)
    for name, (box, leaves_by) in PASSAGES.items():
        side = "north" if box[1] > 0 else "south"
        ifc.void(outside[side], "Concourse", corners(box), 0.0, 3.0)
        _passage(ifc, name, box, leaves_by, "south" if side == "north" else "north")
    for name, (box, side) in ROOMS.items():
        _room(ifc, name, box, side)
    for side, x in [("W", -GATES_AT), ("E", GATES_AT)]:
        _gate_line(ifc, side, x)


def _columns(ifc: Author, storey: str, places: range, height: float) -> None:
    for x in places:
        for y in (-4.8, 4.8):
            ring = corners((x - 0.35, y - 0.35, x + 0.35, y + 0.35))
            ifc.add("IfcColumn", f"{storey} column {x} {y}", storey, ring, 0.0, height, "COLUMN")


def _passage(ifc: Author, name: str, box: Box, leaves_by: str, inner: str) -> None:
    """Write floor, roof and walls of an exit passage, open to the concourse and to its stair."""
    ifc.add("IfcSlab", f"{name} floor", "Concourse", corners(box), -0.5, 0.0, "FLOOR")
    ifc.add("IfcSlab", f"{name} roof", "Concourse", corners(box), 3.0, 3.5, "ROOF")
    walls = walls_around(box, THIN_WALL)
    del walls[inner]
    for side, ring in walls.items():
        wall = ifc.add(
            "IfcWall", f"{name} {side}", "Concourse", corners(ring), -0.5, 3.5, "SOLIDWALL"
        )
        if side == leaves_by:
            foot, heading, _ = EXIT_STAIRS[name]
            half = _width(name) / 2
            way = band(foot, heading, 0.0, THIN_WALL, -half, half)
            ifc.void(wall, "Concourse", way, 0.0, 3.0)
    edge = ifc.rooted("IfcVirtualElement", f"{name} meets the concourse")
    ifc.contents["Concourse"].append(edge)
    ifc.join(edge, f"Unpaid concourse {'W' if box[0] < 0 else 'E'}", f"Passage to {name}")


def _room(ifc: Author, name: str, box: Box, side: str) -> None:
    """Write walls and door of a staff room that leans on an end wall of the concourse."""
    walls = walls_around(box, WELL_WALL)
    del walls["west" if side == "east" else "east"]
    for s, ring in walls.items():
        west, south, east, north = ring
        clipped = (max(west, CONCOURSE[0]), south, min(east, CONCOURSE[2]), north)
        wall = ifc.add(
            "IfcWall", f"{name} {s}", "Concourse", corners(clipped), 0.0, 4.5, "PARTITIONING"
        )
        if s == side:
            hole = ifc.void(wall, "Concourse", corners((west, -0.5, east, 0.5)), 0.0, 2.1)
            middle = ((west + east) / 2, 0.0)
            door = ifc.door("DOOR", f"{name} door", middle, 90.0, 1.0, 2.1)
            ifc.rooted(
                *("IfcRelFillsElement", door.Name),
                RelatingOpeningElement=hole,
                RelatedBuildingElement=door,
            )
            ifc.join(door, name, f"Unpaid concourse {'W' if box[0] < 0 else 'E'}")


def _gate_line(ifc: Author, side: str, x: float) -> None:
    """Write cabinets with lanes between them, and glass fences from them to the walls."""
    length, thick, high = CABINET
    y = -(sum(LANES) + thick * (len(LANES) + 1)) / 2
    for name, south, north in [("south", CONCOURSE[1], y), ("north", -y, CONCOURSE[3])]:
        fence = corners((x - 0.05, south, x + 0.05, north))
        ifc.add("IfcRailing", f"Fence {side} {name}", "Concourse", fence, 0.0, 1.2, "GUARDRAIL")
    for i, lane in enumerate([*LANES, None], start=1):
        cabinet = corners((x - length / 2, y, x + length / 2, y + thick))
        ifc.add("IfcFurniture", f"Gate cabinet {side}{i}", "Concourse", cabinet, 0.0, high)
        y += thick
        if lane is not None:
            gate = ifc.door("GATE", f"Gate {side}{i}", (x, y + lane / 2), 90.0, lane, high)
            ifc.join(gate, "Paid concourse", f"Unpaid concourse {side}")
            y += lane


def _rising(
    ifc: Author, foot: Point, z: float, heading: float, left: float, right: float, side: Ring
) -> tuple[Any, tuple[Point3, Point3, Point3]]:
    """Return a solid whose side view is `side` (along, up), and the axes to place it in."""
    c, s = math.cos(math.radians(heading)), math.sin(math.radians(heading))
    axes: tuple[Point3, Point3, Point3] = (
        (*step(foot, heading, 0.0, left), z),
        (s, -c, 0),
        (c, s, 0),
    )
    return ifc.extrude(side, ifc.axes(), left - right), axes


def _stair(
    ifc: Author,
    name: str,
    storey: str,
    foot: Point,
    heading: float,
    width: float,
    turn: float = 0.0,
) -> None:
    """Write a stair of three flights and two landings, turning by `turn` at the first landing."""
    half, z, parts = width / 2, 0.0, []
    for i, risers in enumerate(FLIGHTS, start=1):
        flight, axes = _rising(ifc, foot, z, heading, half, -half, _steps(risers))
        part = ifc.product(
            *("IfcStairFlight", f"{name} flight {i}", storey, flight, *axes),
            NumberOfRisers=risers,
            NumberOfTreads=risers,
            RiserHeight=RISER,
            TreadLength=TREAD,
            PredefinedType="STRAIGHT",
        )
        parts.append(part)
        foot, z = step(foot, heading, risers * TREAD), z + risers * RISER
        if i < len(FLIGHTS):
            depth = width if turn and i == 1 else LANDING
            ring = band(foot, heading, 0.0, depth, -half, half)
            parts.append(
                ifc.product(
                    *("IfcSlab", f"{name} landing {i}", storey, ifc.prism(ring, z - 0.3, z)),
                    PredefinedType="LANDING",
                )
            )
            if turn and i == 1:
                foot = step(foot, heading, depth / 2, math.copysign(depth / 2, turn))
                heading += turn
            else:
                foot = step(foot, heading, depth)
    stair = ifc.rooted("IfcStair", name, PredefinedType="USERDEFINED", ObjectType="three flights")
    stair.ObjectPlacement = ifc.placement(ifc.storeys[storey].ObjectPlacement)
    ifc.aggregate(stair, parts)
    ifc.contents[storey].append(stair)


def _steps(risers: int) -> Ring:
    """Return the side view of a flight: steps above, a waist of 0.35 m below."""
    side = [(0.0, 0.0)]
    for i in range(risers):
        side += [(i * TREAD, (i + 1) * RISER), ((i + 1) * TREAD, (i + 1) * RISER)]
    return [*side, (risers * TREAD, risers * RISER - 0.35), (0.35 * TREAD / RISER, 0.0)]


def _climbs(ifc: Author) -> None:
    """Write stairs, escalators and the lift from the platform to the paid concourse."""
    rise = CONCOURSE_Z - PLATFORM_Z
    flat = (RUN - rise / math.tan(math.radians(30.0))) / 2  # level run of an escalator's ends
    belt = [(0.0, 0.0), (flat, 0.0), (RUN - flat, rise), (RUN, rise)]
    truss = [*belt, *[(x, z - 0.5) for x, z in reversed(belt)]]
    rail = [(0.0, 0.0), (RUN, rise), (RUN, rise + 1.0), (0.0, 1.0)]
    for name, x, y, heading, width in STAIRS:
        _stair(ifc, name, "Platform", (x, y), heading, width)
    for name, x, y, heading, width in ESCALATORS:
        solid, axes = _rising(ifc, (x, y), 0.0, heading, width / 2, -width / 2, truss)
        moving = ifc.product(
            "IfcTransportElement", name, "Platform", solid, *axes, PredefinedType="ESCALATOR"
        )
        ifc.contents["Platform"].append(moving)
    for name, x, y, heading, width in [*STAIRS, *ESCALATORS]:
        half, t = width / 2, BALUSTRADE
        for side, right, left in [("left", half, half + t), ("right", -half - t, -half)]:
            solid, axes = _rising(ifc, (x, y), 0.0, heading, left, right, rail)
            handrail = ifc.product(
                *("IfcRailing", f"{name} handrail {side}", "Platform", solid, *axes),
                PredefinedType="HANDRAIL",
            )
            ifc.contents["Platform"].append(handrail)
            ring = band((x, y), heading, -t, RUN, right, left)
            ifc.add("IfcRailing", f"{name} well {side}", "Concourse", ring, 0.0, 1.1, "GUARDRAIL")
        ring = band((x, y), heading, -t, 0.0, -half, half)
        ifc.add("IfcRailing", f"{name} well end", "Concourse", ring, 0.0, 1.1, "GUARDRAIL")
    ifc.add("IfcTransportElement", "Lift", "Platform", corners(LIFT), 0.0, 9.0, "ELEVATOR")


def _exits(ifc: Author) -> None:
    """Write the stairs to the street, the walls of their wells and the roofs over them."""
    top = -CONCOURSE_Z + 1.1  # of the parapets, above the concourse
    t = WELL_WALL
    for name, (start, heading, turn) in EXIT_STAIRS.items():
        half = _width(name) / 2
        _stair(ifc, name, "Concourse", start, heading, 2 * half, turn)
        foot, last, end = start, heading + turn, RUN
        if turn:  # to the left: an outer corner on the right, an inner one on the left
            first = FLIGHTS[0] * TREAD
            foot, end = step(start, heading, first + half, half), RUN - first - LANDING
            walls = [
                band(start, heading, 0.0, first, half, half + t),
                band(start, heading, 0.0, first + 2 * half + t, -half - t, -half),
                band(foot, last, -2 * half, end, -half - t, -half),
            ]
        else:
            walls = [band(foot, last, 0.0, end, -half - t, -half)]
        walls.append(band(foot, last, 0.0, end, half, half + t))
        for ring in walls:
            ifc.add("IfcWall", f"{name} well wall", "Concourse", ring, -0.5, top, "SOLIDWALL")
        roof = band(foot, last, 0.0, end, -half - t, half + t)
        ifc.add("IfcSlab", f"{name} roof", "Street", roof, 2.9, 3.05, "ROOF")
        for along in (0.2, end - 0.2):
            for left in (-half - t / 2, half + t / 2):
                post = band(foot, last, along - 0.08, along + 0.08, left - 0.08, left + 0.08)
                ifc.add("IfcColumn", f"{name} post", "Street", post, 1.1, 2.9, "COLUMN")


def _width(name: str) -> float:
    return next(e.width for e in EXITS if e.name == name)


def write_station(path: str | Path) -> None:
    """Write the station as IFC4, the same bytes every time."""
    ifc = Author()
    _project(ifc)
    _spaces(ifc)
    _platform(ifc)
    _concourse(ifc)
    _climbs(ifc)
    _exits(ifc)
    for name, storey in ifc.storeys.items():
        ifc.rooted(
            *("IfcRelContainedInSpatialStructure", name),
            RelatingStructure=storey,
            RelatedElements=ifc.contents[name],
        )
    header = ifc.file.header
    header.file_description.description = ("ViewDefinition [ReferenceView_V1.2]",)
    header.file_name.name = "station.ifc"
    header.file_name.time_stamp = "2026-01-01T00:00:00"
    header.file_name.author = header.file_name.organization = ("twin",)
    header.file_name.preprocessor_version = header.file_name.originating_system = "twin"
    header.file_name.authorization = "none"
    Path(path).write_text(ifc.file.to_string(), encoding="ascii", newline="\n")


if __name__ == "__main__":
    write_station(Path(__file__).parent / "data" / "station.ifc")

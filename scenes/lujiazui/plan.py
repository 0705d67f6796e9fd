"""The plan of the district: bank, flood wall, streets, underpass, water and open ground.

Everything is drawn here by hand, in metres east and north of the scene's south-western corner.
`generate` moves it to EPSG:32651. The layout follows the real peninsula the way a sketch does: the
big streets go where they go, their bends and the blocks between them are invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon
from shapely.ops import split, substring
from twin.scenes.lujiazui import station

__all__ = [
    "CREST",
    "FAIRWAY_BED",
    "FLOOR",
    "KEPT_IN_POND",
    "ORIGIN",
    "POND_BED",
    "SIDE",
    "SILL",
    "Plan",
    "Street",
    "draw",
]

XY = tuple[float, float]

#: South-western corner of the scene, EPSG:32651, m.
ORIGIN = (356200.0, 3455800.0)
#: Edge of the scene, m.
SIDE = 2000.0

#: Top of the flood wall and of its gates when shut, m. About the 6.9 m of the local Wusong datum to
#: which the walls of the inner city are built.
CREST = 5.2
#: Threshold of the gates, m.
SILL = 2.6
#: Dredged bed of the river and bed of the pond, m. The river is shallower than the real one.
FAIRWAY_BED = -2.4
POND_BED = 2.0
#: Depth of the pond on a dry day, m.
KEPT_IN_POND = 0.8
#: Carriageway of the underpass, m.
FLOOR = -1.8

_WALL_SETBACK = 26.0  # from the quay to the wall; the promenade lies between
_AVENUE_SETBACK = 64.0  # from the quay to the avenue behind the wall
_BANK_STRIP = 70.0  # width over which the bed falls from the quay to the fairway
_GATE_WIDTH = 28.0
_ROUNDABOUT_RADIUS = 38.0


def local(x: float, y: float) -> XY:
    """Take EPSG:32651 to the scene's own metres."""
    return (round(x - ORIGIN[0], 3), round(y - ORIGIN[1], 3))


# Where streets meet, m.
_PEARL = (590.0, 1390.0)
_RING_WEST = (905.0, 1266.0)
_STATION = local(*station.STATION_ORIGIN)
_RING_NORTH = (1000.0, 1490.0)
_RING_NORTHEAST = (1180.0, 1510.0)
_RING_EAST = (1385.0, 1220.0)
_CENTURY_EAST = (1420.0, 1045.0)
_CENTURY_OVER = (1800.0, 901.0)
_DONGTAI_NORTH = (1150.0, 1160.0)
_DONGTAI_MIDDLE = (1155.0, 960.0)
_DONGTAI_SOUTH = (1190.0, 795.0)
_TOWER_WEST = (915.0, 970.0)
_YINCHENG_WEST = (925.0, 780.0)
_FUCHENG_SOUTH = (790.0, 785.0)
_YINCHENG_EAST = (1390.0, 860.0)
_DONGCHANG_WEST = (1000.0, 560.0)
_DONGCHANG_MIDDLE = (1235.0, 625.0)
_DONGCHANG_EAST = (1470.0, 695.0)
_PUDONG = (1540.0, 1370.0)
_RAMP_NORTH = (1690.0, 1100.0)
_RAMP_SOUTH = (1910.0, 702.0)
_RONGCHENG = (1200.0, 250.0)
_SHANGCHENG = (1650.0, 390.0)
_PUCHENG_SOUTH = (1740.0, 180.0)
_FENGHE = (930.0, 1690.0)
_PUDONG_NORTH = (1420.0, 1600.0)


@dataclass(frozen=True, slots=True)
class Street:
    """A street or a piece of one.

    Attributes
    ----------
    width
        From kerb to kerb, m.
    lanes
        Lanes for vehicles, both ways together.
    """

    name: str
    kind: str
    width: float
    lanes: int
    line: LineString

    @property
    def drivable(self) -> bool:
        """Whether vehicles may use it."""
        return self.kind != "footway"

    @property
    def walkable(self) -> bool:
        """Whether people on foot may use it."""
        return self.kind != "underpass"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is fixed before the first building stands."""

    quay: LineString
    wall: LineString
    walls: list[LineString]
    gates: dict[str, LineString]
    land: Polygon
    fairway: Polygon
    shallows: Polygon
    pond: Polygon
    streets: list[Street]
    underpass_axis: LineString
    underpass: Polygon
    ramps: MultiPolygon
    green: Polygon
    assembly: list[tuple[str, int, Polygon]]
    exits: list[XY]

    @property
    def carriageways(self) -> Polygon | MultiPolygon:
        """The area between the kerbs of all streets."""
        return shapely.union_all(
            [s.line.buffer(s.width / 2, cap_style="flat", join_style="mitre") for s in self.streets]
        )


def smooth(points: Sequence[XY], pieces: int = 6) -> LineString:
    """Pass a Catmull-Rom curve through `points`; each of them stays a vertex."""
    p = np.asarray(points, dtype=float)
    if len(p) < 3:
        return LineString(p)
    q = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.arange(pieces)[:, None] / pieces
    curve = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in zip(q[:-3], q[1:-2], q[2:-1], q[3:], strict=True)
    ]
    return LineString(np.round(np.vstack([*curve, p[-1]]), 2))


def circle(x: float, y: float, radius: float, corners: int = 32) -> Polygon:
    """Draw a regular polygon, rounded to the centimetre."""
    a = 2 * np.pi * np.arange(corners) / corners
    return Polygon(np.round(np.column_stack([x + radius * np.cos(a), y + radius * np.sin(a)]), 2))


def turned(x: float, y: float, width: float, depth: float, degrees: float = 0.0) -> Polygon:
    """Draw a rectangle about (x, y), turned counter-clockwise, rounded to the centimetre."""
    a = np.radians(degrees)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, depth / 2]
    spin = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return Polygon(np.round(corners @ spin + [x, y], 2))


def _inside(line: LineString) -> LineString:
    """Cut a line drawn across the scene to its bounds; its ends lie on the edges to the digit."""
    cut = line.intersection(shapely.box(0, 0, SIDE, SIDE)).simplify(0.2)
    cut = shapely.set_precision(cut, 0.01)
    if cut.geom_type != "LineString":
        raise ValueError(f"A line across the scene is cut into {cut.geom_type}.")
    return cut


def _along(line: LineString, at: float) -> npt.NDArray[np.float64]:
    return np.asarray(line.interpolate(at).coords[0])


def _left(line: LineString, at: float) -> npt.NDArray[np.float64]:
    """Unit vector to the left of `line`; for the bank, out into the river."""
    d = _along(line, at + 1.0) - _along(line, at - 1.0)
    return np.array([-d[1], d[0]]) / np.hypot(*d)


@cache
def draw() -> Plan:
    """Draw the plan."""
    bank = smooth(
        [
            (780, -120), (762, 0), (715, 240), (610, 500), (470, 780), (330, 1030), (225, 1240),
            (190, 1420), (235, 1590), (370, 1720), (590, 1790), (900, 1820), (1300, 1832),
            (1700, 1818), (2000, 1796), (2120, 1780),
        ]
    )  # fmt: skip
    quay = _inside(bank)
    wall = _inside(bank.offset_curve(-_WALL_SETBACK))
    promenade = _inside(bank.offset_curve(-_WALL_SETBACK / 2))
    avenue = _inside(bank.offset_curve(-_AVENUE_SETBACK))

    box = shapely.box(0, 0, SIDE, SIDE)
    river, land = sorted(split(box, quay).geoms, key=lambda g: g.distance(Point(0, SIDE)))
    fairway = shapely.set_precision(river.difference(quay.buffer(_BANK_STRIP)), 0.01)
    shallows = shapely.set_precision(river.difference(fairway), 0.01)

    gate_at = {
        "gate-1": wall.project(Point(300, 1600)),
        "gate-2": wall.project(Point(640, 490)),
    }
    gates = {
        name: substring(wall, at - _GATE_WIDTH / 2, at + _GATE_WIDTH / 2)
        for name, at in gate_at.items()
    }
    gates = {name: shapely.set_precision(g, 0.01) for name, g in gates.items()}
    cuts = [0.0]
    for name in sorted(gate_at, key=lambda n: gate_at[n]):
        cuts += [gate_at[name] - _GATE_WIDTH / 2, gate_at[name] + _GATE_WIDTH / 2]
    cuts.append(wall.length)
    walls = [
        shapely.set_precision(substring(wall, a, b), 0.01)
        for a, b in zip(cuts[::2], cuts[1::2], strict=True)
    ]
    # from the promenade through the gate to well behind the wall
    through = {
        name: [
            tuple(_along(wall, at) + d * _left(wall, at))
            for d in (_WALL_SETBACK / 2, 0.0, -20.0, -55.0)
        ]
        for name, at in gate_at.items()
    }

    axis = LineString([_RAMP_NORTH, _RAMP_SOUTH])
    over = axis.project(Point(_CENTURY_OVER))
    underpass = substring(axis, over - 36, over + 36).buffer(11, cap_style="flat")
    ramps = shapely.union_all(
        [
            substring(axis, over - 156, over - 34).buffer(11, cap_style="flat"),
            substring(axis, over + 34, over + 156).buffer(11, cap_style="flat"),
        ]
    )
    exits = [local(*xy) for xy in _exit_points()]
    streets = _streets(through, promenade, avenue, axis, exits)

    green = shapely.polygonize(
        [s.line for s in streets if s.name.startswith(("Century", "Lujiazui Ring"))]
    )
    lawn = max(green.geoms, key=lambda g: g.area)
    return Plan(
        quay=quay,
        wall=wall,
        walls=walls,
        gates=gates,
        land=land,
        fairway=fairway,
        shallows=shallows,
        pond=shapely.set_precision(
            circle(1225, 1330, 46).union(circle(1270, 1290, 34)).simplify(0.5), 0.01
        ),
        streets=streets,
        underpass_axis=axis,
        underpass=shapely.set_precision(underpass, 0.01),
        ramps=shapely.set_precision(ramps, 0.01),
        green=lawn,
        assembly=[
            ("Central Green 陆家嘴中心绿地", 6000, turned(1080, 1370, 130, 90, 8)),
            ("School ground 学校操场", 2500, turned(765, 1532, 84, 56, 40)),
            ("Pearl Plaza 明珠广场", 3000, turned(455, 1405, 70, 60, -22)),
            ("Tower Plaza 中心广场", 1800, turned(964, 1100, 48, 70, 0)),
        ],
        exits=exits,
    )


def _exit_points() -> list[XY]:
    return [e.at for e in station.EXITS]


def _streets(
    through: dict[str, list[XY]],
    promenade: LineString,
    avenue: LineString,
    axis: LineString,
    exits: list[XY],
) -> list[Street]:
    """Draw the streets, end them on one another, and cut them where they meet."""
    ferry, pier = through["gate-2"], through["gate-1"]
    over = (_CENTURY_OVER[0], _CENTURY_OVER[1])
    side = np.array(axis.coords[1]) - axis.coords[0]
    side = np.array([-side[1], side[0]]) / np.hypot(*side) * 24
    frontage = [
        [
            _RAMP_NORTH,
            *(tuple(np.array(p) + s * side) for p in [(1717, 1051), over, (1883, 751)]),
            _RAMP_SOUTH,
        ]
        for s in (1, -1)
    ]

    def st(name: str, kind: str, width: float, lanes: int, *points: XY) -> Street:
        return Street(name, kind, width, lanes, smooth(points))

    drawn = [
        st("Century Avenue 世纪大道", "primary", 40, 8,
           _PEARL, (700, 1355), _STATION, (868, 1283.6), _RING_WEST, _DONGTAI_NORTH,
           _CENTURY_EAST, over, (2000, 825)),
        st("Lujiazui Ring Road 陆家嘴环路", "secondary", 22, 4,
           _DONGCHANG_WEST, (958, 650), _YINCHENG_WEST, _TOWER_WEST, (903, 1130), _RING_WEST,
           (918, 1400), _RING_NORTH, _RING_NORTHEAST, (1318, 1400), _RING_EAST, _CENTURY_EAST),
        st("Yincheng Middle Road 银城中路", "secondary", 24, 4,
           _FUCHENG_SOUTH, _YINCHENG_WEST, _DONGTAI_SOUTH, _YINCHENG_EAST, (1428, 950),
           _CENTURY_EAST),
        st("Fucheng Road 富城路", "secondary", 18, 4,
           _PEARL, (583, 1200), (640, 1010), (705, 890), _FUCHENG_SOUTH),
        st("Huayuan Shiqiao Road 花园石桥路", "residential", 14, 2,
           (430, 965), (640, 1010), (780, 985), _TOWER_WEST, _DONGTAI_MIDDLE),
        st("Dongtai Road 东泰路", "residential", 14, 2,
           _DONGTAI_NORTH, _DONGTAI_MIDDLE, _DONGTAI_SOUTH, _DONGCHANG_MIDDLE),
        st("Dongchang Road 东昌路", "secondary", 22, 4,
           *ferry, (790, 525), _DONGCHANG_WEST, _DONGCHANG_MIDDLE, _DONGCHANG_EAST,
           (1680, 760), _RAMP_SOUTH),
        st("Fenghe Road 丰和路", "secondary", 18, 4,
           _PEARL, (650, 1510), (775, 1625), _FENGHE, (1085, 1640), _RING_NORTHEAST),
        st("Dongyuan Road 东园路", "residential", 14, 2,
           _RING_NORTH, (955, 1590), _FENGHE, (900, 1760)),
        st("Lujiazui West Road 陆家嘴西路", "residential", 16, 2,
           _PEARL, (450, 1330), (330, 1275), (292, 1264)),
        st("Mingzhu Tower Road 明珠塔路", "residential", 12, 2,
           *pier, (455, 1475), _PEARL),
        st("Lujiazui East Road 陆家嘴东路", "secondary", 18, 4,
           _RING_NORTHEAST, (1275, 1590), _PUDONG_NORTH),
        st("Qixia Road 栖霞路", "residential", 14, 2,
           _PUDONG_NORTH, (1610, 1628), (1810, 1632), (2000, 1616)),
        st("Fushan Road 福山路", "residential", 12, 2,
           (1640, 1758), (1610, 1628), (1652, 1408)),
        st("Yuanshen Road 源深路", "residential", 12, 2, (1840, 1752), (1810, 1632), (1830, 1462)),
        st("Pudong Avenue 浦东大道", "primary", 34, 6,
           _RING_EAST, (1450, 1295), _PUDONG, (1760, 1442), (2000, 1500)),
        st("Pudong South Road 浦东南路", "primary", 34, 6,
           (1350, 1770), _PUDONG_NORTH, _PUDONG, _RAMP_NORTH),
        st("Pudong South Road 浦东南路", "primary", 34, 6,
           _RAMP_SOUTH, (2000, 540)),
        st("Pudong South Road, west side 浦东南路西侧辅道", "residential", 9, 2, *frontage[0]),
        st("Pudong South Road, east side 浦东南路东侧辅道", "residential", 9, 2, *frontage[1]),
        st("Rushan Road 乳山路", "residential", 12, 2,
           _RAMP_NORTH, (1860, 1150), (2000, 1200)),
        st("Laoshan Road 崂山路", "residential", 12, 2,
           (1895, 1478), (1880, 1300), (1900, 1160), (1940, 1000), (1965, 840)),
        st("Pucheng Road 浦城路", "secondary", 18, 2,
           _YINCHENG_EAST, _DONGCHANG_EAST, (1560, 540), _SHANGCHENG, _PUCHENG_SOUTH, (1775, 0)),
        st("Shangcheng Road 商城路", "residential", 14, 2,
           _SHANGCHENG, (1830, 425), (2000, 470)),
        st("Rongcheng Road 荣成路", "residential", 14, 2,
           _DONGCHANG_WEST, (1070, 400), _RONGCHENG, (1430, 165), _PUCHENG_SOUTH),
        st("Mingyue Road 明月路", "residential", 12, 2,
           (788, 246), (1000, 290), _RONGCHENG),
        st("Rongcheng Road South 荣成南路", "residential", 12, 2, _RONGCHENG, (1185, 110),
           (1200, 0)),
        st("Lane 210, Pucheng Road 浦城路210弄", "residential", 7, 2,
           (1560, 540), (1740, 572), (1955, 620)),
        st("Lane 88, Dongchang Road 东昌路88弄", "residential", 7, 2,
           (1680, 760), (1740, 572), (1800, 420)),
        st("Lane 33, Rongcheng Road 荣成路33弄", "residential", 7, 2,
           _DONGCHANG_MIDDLE, (1330, 440), (1430, 165)),
        st("Lane 120, Pucheng Road 浦城路120弄", "residential", 7, 2,
           (1330, 440), (1500, 470), (1597, 480)),
        Street("Riverside Avenue 滨江大道", "residential", 10, 2, avenue),
        Street("Riverside Promenade 滨江步道", "footway", 12, 0, promenade),
        Street("Pearl Roundabout 明珠环岛", "secondary", 18, 3,
               LineString(circle(*_PEARL, _ROUNDABOUT_RADIUS).exterior)),
        st("Central Green path 中心绿地步道", "footway", 5, 0,
           (918, 1400), (1010, 1330), (1150, 1290), (1190, 1146)),
        st("Central Green path 中心绿地步道", "footway", 5, 0,
           (1085, 1506), (1150, 1420), (1150, 1290), (1010, 1330), (995, 1230)),
        st("Central Green path 中心绿地步道", "footway", 5, 0,
           (1150, 1290), (1250, 1235), (1330, 1250), (1374, 1240)),
        st("Central Green path 中心绿地步道", "footway", 5, 0,
           (1150, 1420), (1290, 1395), (1330, 1250)),
        st("Tower Plaza walk 中心广场步道", "footway", 8, 0,
           (903, 1130), (975, 1100), (1010, 1180), (1030, 1212)),
        st("School lane 学校弄", "footway", 5, 0, (650, 1510), (705, 1475), (765, 1532)),
        st("Pearl Plaza walk 明珠广场步道", "footway", 8, 0, (455, 1475), (455, 1405), (450, 1330)),
    ]  # fmt: skip
    drawn = [_to_roundabout(s) for s in drawn]
    drawn = _attach(drawn)
    drawn += _exit_links(drawn, exits)
    tunnel = Street("Pudong South Road underpass 浦东南路下立交", "underpass", 22, 4, axis)
    return [*_noded(drawn), tunnel]


def _to_roundabout(street: Street) -> Street:
    """End a street that was drawn to the centre of the roundabout on its ring."""
    if _PEARL not in (street.line.coords[0], street.line.coords[-1]):
        return street
    cut = street.line.difference(circle(*_PEARL, _ROUNDABOUT_RADIUS))
    return replace(street, line=max(shapely.get_parts(cut), key=lambda part: part.length))


def _attach(streets: list[Street], reach: float = 25.0) -> list[Street]:
    """Move each loose end onto the street nearest to it, if one is within `reach`, m."""
    done = []
    for street in streets:
        others = [s.line for s in streets if s is not street]
        points = [list(c) for c in street.line.coords]
        if points[0] == points[-1]:
            done.append(street)
            continue
        for end in (0, -1):
            p = Point(points[end])
            if min(p.x, p.y, SIDE - p.x, SIDE - p.y) <= 0:
                continue
            nearest = min(others, key=p.distance)
            if 0 < nearest.distance(p) <= reach:
                points[end] = list(nearest.interpolate(nearest.project(p)).coords[0])
        done.append(replace(street, line=LineString(points)))
    return done


def _exit_links(streets: list[Street], exits: list[XY]) -> list[Street]:
    """Join every exit of the station to the middle of the nearest street."""
    surface = [s.line for s in streets if s.name != "Riverside Promenade 滨江步道"]
    links = []
    for exit_point in exits:
        p = Point(exit_point)
        street = min(surface, key=p.distance)
        if street.distance(p) > 0:
            kerb = street.interpolate(street.project(p))
            links.append(
                Street("Station forecourt 地铁站前步道", "footway", 6, 0, LineString([p, kerb]))
            )
    return links


def _noded(streets: list[Street]) -> list[Street]:
    """Cut all streets where any two meet, to the centimetre."""
    pieces = shapely.get_parts(shapely.union_all([s.line for s in streets], grid_size=0.01))
    lines = np.array([s.line for s in streets], dtype=object)
    found: list[tuple[int, float, Street]] = []
    for piece in pieces:
        middle = piece.interpolate(0.5, normalized=True)
        owner = int(np.argmin(shapely.distance(lines, middle)))
        street = streets[owner]
        at = street.line.project(middle)
        backwards = street.line.project(Point(piece.coords[0])) > at
        found.append((owner, at, replace(street, line=piece.reverse() if backwards else piece)))
    return [s for _, _, s in sorted(found, key=lambda f: f[:2])]

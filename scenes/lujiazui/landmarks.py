"""Buildings that have a name: towers of the real skyline, and the public buildings of the story.

Heights and storeys are as published. `EXACT` stand at their published coordinates (see the scene's
README for sources); `NAMED` stand in about the right block, put there by eye; `PUBLIC` are
invented. Outlines are all drawn by us.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Transformer
from shapely import Polygon
from twin.scenes.lujiazui.plan import circle, local, turned

__all__ = ["EXACT", "Building", "Landmark", "landmarks"]


@dataclass(frozen=True, slots=True)
class Building:
    """A footprint with what an office knows of it; heights in metres above the ground."""

    name: str | None
    use: str
    height: float | None
    storeys: int | None
    shape: Polygon


@dataclass(frozen=True, slots=True)
class Landmark:
    """A tower at its published place: degrees of WGS 84, metres, storeys above ground."""

    name: str
    latitude: float
    longitude: float
    height: float
    storeys: int | None
    use: str


SHANGHAI_TOWER = Landmark("Shanghai Tower 上海中心大厦", 31.2355, 121.5010, 632.0, 128, "office")
WORLD_FINANCIAL_CENTER = Landmark(
    "Shanghai World Financial Center 上海环球金融中心", 31.23667, 121.50278, 492.0, 101, "office"
)
JIN_MAO = Landmark("Jin Mao Tower 金茂大厦", 31.23722, 121.50139, 420.5, 88, "hotel")
ORIENTAL_PEARL = Landmark(
    "Oriental Pearl Tower 东方明珠广播电视塔", 31.24194, 121.4950, 468.0, None, "culture"
)
IFC_SOUTH = Landmark(
    "Shanghai IFC South Tower 上海国金中心南塔", 31.23856, 121.49681, 250.0, 58, "hotel"
)
IFC_NORTH = Landmark(
    "Shanghai IFC North Tower 上海国金中心北塔", 31.23906, 121.49781, 260.0, 56, "office"
)

#: Towers at their published coordinates.
EXACT = (SHANGHAI_TOWER, WORLD_FINANCIAL_CENTER, JIN_MAO, ORIENTAL_PEARL, IFC_SOUTH, IFC_NORTH)


def landmarks() -> list[Building]:
    """Draw all buildings that have a name."""
    return [*_exact(), *_named(), *_public()]


def place(landmark: Landmark) -> tuple[float, float]:
    """Find the scene coordinates of a tower, m."""
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:32651", always_xy=True)
    x, y = local(*to_grid.transform(landmark.longitude, landmark.latitude))
    return (round(x, 1), round(y, 1))


def cross(x: float, y: float, width: float, notch: float, degrees: float) -> Polygon:
    """Draw a square with its four corners cut out by squares of `notch`, m."""
    a, b = width / 2, width / 2 - notch
    ring = [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b), (b, a), (-b, a), (-b, b), (-a, b),
            (-a, -b), (-b, -b)]  # fmt: skip
    return _spun(ring, x, y, degrees)


def chamfered(
    x: float, y: float, width: float, depth: float, cut: float, degrees: float
) -> Polygon:
    """Draw a rectangle with its corners cut off, m."""
    a, b = width / 2, depth / 2
    ring = [(-a + cut, -b), (a - cut, -b), (a, -b + cut), (a, b - cut), (a - cut, b),
            (-a + cut, b), (-a, b - cut), (-a, -b + cut)]  # fmt: skip
    return _spun(ring, x, y, degrees)


def horseshoe(
    x: float, y: float, width: float, depth: float, wing: float, degrees: float
) -> Polygon:
    """Draw three wings about a court that opens to the local south, m."""
    a, b = width / 2, depth / 2
    ring = [(-a, -b), (-a + wing, -b), (-a + wing, b - wing), (a - wing, b - wing), (a - wing, -b),
            (a, -b), (a, b), (-a, b)]  # fmt: skip
    return _spun(ring, x, y, degrees)


def around(podium: Polygon, *towers: Polygon) -> Polygon:
    """Leave out of a podium the towers that stand on it, so that no two footprints overlap."""
    return Polygon(podium.exterior, [t.exterior for t in towers])


def _spun(ring: list[tuple[float, float]], x: float, y: float, degrees: float) -> Polygon:
    a = np.radians(degrees)
    spin = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return Polygon(np.round(np.asarray(ring) @ spin + [x, y], 2))


def _tower(landmark: Landmark, shape: Polygon) -> Building:
    return Building(landmark.name, landmark.use, landmark.height, landmark.storeys, shape)


def _exact() -> list[Building]:
    x, y = place(SHANGHAI_TOWER)
    # a rounded triangle, as the twisting outer skin shows at its base
    core = Polygon(circle(x, y, 24, 3).buffer(18, quad_segs=5).exterior)
    shanghai = Polygon(
        np.round(
            shapely.affinity.translate(
                core, x - core.centroid.x, y - core.centroid.y
            ).exterior.coords,
            2,
        )
    )
    found = [
        _tower(SHANGHAI_TOWER, shanghai),
        Building("Shanghai Tower podium 上海中心裙房", "retail", 38.0, 7,
                 around(chamfered(x - 5, y - 1, 126, 104, 10, 4), shanghai)),
    ]  # fmt: skip

    x, y = place(WORLD_FINANCIAL_CENTER)
    tower = chamfered(x, y, 58, 58, 14, 45)
    found += [
        _tower(WORLD_FINANCIAL_CENTER, tower),
        Building("World Financial Center podium 环球金融中心裙房", "retail", 24.0, 5,
                 around(turned(x + 20, y - 12, 112, 100, -4), tower)),
    ]  # fmt: skip

    x, y = place(JIN_MAO)
    tower = cross(x, y, 54, 8, 0)
    found += [
        _tower(JIN_MAO, tower),
        Building("Jin Mao podium 金茂裙房", "retail", 30.0, 6, turned(x - 64, y - 18, 42, 92, 0)),
    ]

    x, y = place(ORIENTAL_PEARL)
    shaft = circle(x, y, 14, 24)
    found += [
        _tower(ORIENTAL_PEARL, shaft),
        Building("Oriental Pearl base 东方明珠塔座", "culture", 16.0, 3,
                 around(circle(x, y, 46, 40), shaft)),
    ]  # fmt: skip

    (xs, ys), (xn, yn) = place(IFC_SOUTH), place(IFC_NORTH)
    south, north = chamfered(xs, ys, 44, 44, 8, 28), chamfered(xn, yn, 46, 46, 8, 28)
    found += [
        _tower(IFC_SOUTH, south),
        _tower(IFC_NORTH, north),
        Building("IFC Mall 国金中心商场", "retail", 32.0, 6, turned(755, 1128, 170, 96, -6)),
    ]
    return found


def _named() -> list[Building]:
    convention = Building(
        "International Convention Center 上海国际会议中心",
        "culture",
        51.0,
        11,
        around(chamfered(352, 1432, 92, 66, 14, -24), turned(352, 1432, 40, 20, -24)),
    )
    mall = Building("Super Brand Mall 正大广场", "retail", 50.0, 10, turned(452, 1205, 150, 86, 20))
    exchange = Building(
        "Shanghai Stock Exchange Building 证券大厦",
        "office",
        109.0,
        27,
        horseshoe(1535, 1210, 80, 62, 20, 118),
    )
    return [
        convention,
        mall,
        exchange,
        Building("Shanghai Ocean Aquarium 上海海洋水族馆", "culture", 20.0, 4,
                 circle(600, 1565, 34, 3)),
        Building("Pudong Shangri-La 浦东香格里拉大酒店", "hotel", 180.0, 36,
                 chamfered(425, 1085, 48, 26, 5, 28)),
        Building("Aurora Plaza 震旦国际大楼", "office", 185.0, 37,
                 chamfered(520, 1040, 46, 34, 6, 20)),
        Building("Citigroup Tower 花旗集团大厦", "office", 180.0, 42,
                 chamfered(575, 925, 42, 34, 5, 30)),
        Building("Bank of China Tower 中银大厦", "office", 258.0, 53, circle(850, 1440, 25, 20)),
        Building("Bocom Financial Towers, north 交银金融大厦北楼", "office", 230.0, 52,
                 turned(862, 1582, 16, 32, 30)),
        Building("Bocom Financial Towers, south 交银金融大厦南楼", "office", 197.0, 42,
                 turned(888, 1537, 16, 32, 30)),
        Building("Bank of Shanghai Tower 上海银行大厦", "office", 230.0, 46,
                 chamfered(1045, 1572, 40, 36, 5, 20)),
        Building("One Lujiazui 时代金融中心", "office", 269.0, 47,
                 chamfered(1345, 915, 46, 34, 6, 14)),
        Building("21st Century Tower 21世纪大厦", "office", 210.0, 49,
                 turned(1492, 962, 36, 38, -22)),
        Building("China Insurance Building 中保大厦", "office", 196.0, 38,
                 turned(1478, 1118, 46, 36, -22)),
    ]  # fmt: skip


def _public() -> list[Building]:
    return [
        Building(
            "Riverside School 滨江学校", "school", 18.0, 4, horseshoe(802, 1489, 60, 40, 13, 220)
        ),
        Building(
            "Memorial Hall in the green 绿地纪念馆",
            "culture",
            9.0,
            2,
            around(turned(1060, 1265, 34, 26, 4), turned(1060, 1265, 14, 10, 4)),
        ),
        Building(
            "Dongchang Hospital 东昌医院",
            "hospital",
            42.0,
            10,
            horseshoe(1120, 470, 92, 60, 18, 14),
        ),
        Building(
            "Dongchang Hospital, outpatients 东昌医院门诊楼",
            "hospital",
            21.0,
            5,
            around(turned(1200, 525, 60, 44, 14), turned(1200, 525, 24, 16, 14)),
        ),
        Building(
            "Pucheng School 浦城学校", "school", 16.5, 4, horseshoe(1530, 300, 70, 48, 14, 10)
        ),
        Building(
            "Laoshan School 崂山学校", "school", 16.5, 4, horseshoe(1800, 1330, 70, 46, 14, 16)
        ),
        Building("Ferry hall 东昌路渡口候船楼", "station", 9.0, 2, turned(640, 545, 11, 24, 24)),
    ]

"""The metro station of the scene: a stylised Lujiazui station under Century Avenue, as IFC4.

Station coordinates: x along the avenue (grid bearing 115°), y to its left, z up from the street;
metres. `to_grid` turns them into UTM 51N, as the IfcMapConversion in the file does.

Run ``python station.py`` to write ``data/station.ifc`` anew; the same bytes come out every time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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

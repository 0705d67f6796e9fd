"""Reference systems: which one a city has, and whether data really lie in it.

A city has one projected system in metres and, beside it, a vertical datum. Coordinates are always
(easting, northing) or (longitude, latitude), whatever order the authority lists its axes in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError as ProjError

from twin.errors import CRSError

__all__ = [
    "check_bounds",
    "choose_crs",
    "city_crs",
    "crs_name",
    "known_datum",
    "outside_area_of_use",
    "parse_crs",
    "same_crs",
    "transform_bounds",
    "transformation_accuracy",
    "utm_crs",
    "vertical_datum",
    "vertical_name",
]

Bounds = tuple[float, float, float, float]

#: How far beyond its area of use a system is still taken, degrees: cities straddle zone edges.
AREA_TOLERANCE = 3.0

#: Largest deviation of a projected metre from a metre on the ground. UTM and national grids stay
#: within 0.2 %; Web Mercator is 19 % off in Shanghai and 56 % in Prague.
SCALE_TOLERANCE = 0.02

_GEOGRAPHIC = "EPSG:4326"


def parse_crs(value: Any, *, where: str = "crs") -> CRS:
    """Read a reference system from an authority string, WKT, PROJ string, number or CRS object.

    A compound system is returned whole; see `vertical_name` and `crs_name` for its parts.

    Raises
    ------
    CRSError
        If it cannot be understood.
    """
    try:
        # rasterio's class is not known to pyproj, but its WKT is
        text = value.to_wkt() if hasattr(value, "to_wkt") and not isinstance(value, CRS) else value
        crs = CRS.from_user_input(text)
    except (ProjError, TypeError) as error:
        raise CRSError(
            f"{where}: {value!r} is not a coordinate reference system. "
            "Write an authority code such as 'EPSG:32651', or WKT."
        ) from error
    return crs.source_crs if crs.is_bound and crs.source_crs is not None else crs


def _horizontal(crs: CRS) -> CRS:
    return crs.sub_crs_list[0] if crs.is_compound else crs


def crs_name(crs: Any) -> str:
    """Return the horizontal part as "EPSG:32651", or as WKT where no authority lists it."""
    horizontal = _horizontal(parse_crs(crs))
    known = horizontal.to_authority(min_confidence=70)
    return ":".join(known) if known else str(horizontal.to_wkt())


def vertical_name(crs: Any) -> str | None:
    """Return the vertical datum of a compound or vertical system, None where it has none."""
    parsed = parse_crs(crs)
    parts = parsed.sub_crs_list if parsed.is_compound else [parsed]
    vertical = next((part for part in parts if part.is_vertical), None)
    if vertical is None:
        return None
    known = vertical.to_authority(min_confidence=70)
    return ":".join(known) if known else str(vertical.name)


def vertical_datum(value: str) -> str:
    """Check a vertical datum: an authority code must be a vertical system, a plain name is kept.

    Local datums (Wusong, a works datum) have no code, so any other name is taken as it is.
    """
    if ":" not in value:
        if not value.strip():
            raise CRSError("vertical_datum: the name is empty; write a code such as 'EPSG:5737'.")
        return value.strip()
    found = vertical_name(parse_crs(value, where="vertical_datum"))
    if found is None:
        raise CRSError(
            f"vertical_datum: {value!r} is not a vertical system. Write the code of one, such as "
            "'EPSG:5737' (Yellow Sea 1985) or 'EPSG:5701' (Newlyn), or a plain name."
        )
    return found


def known_datum(name: str) -> str | None:
    """Return the code of a vertical datum, None for a name that PROJ does not know."""
    try:
        return vertical_name(parse_crs(name))
    except CRSError:
        return None


def same_crs(a: Any, b: Any) -> bool:
    """Say whether the horizontal parts of two systems place coordinates alike."""
    if a is b or a == b:
        return True
    left, right = _horizontal(parse_crs(a)), _horizontal(parse_crs(b))
    return bool(left.equals(right, ignore_axis_order=True)) or crs_name(left) == crs_name(right)


def city_crs(value: Any, *, bounds: Bounds | None = None) -> str:
    """Check that a system can carry a city, projected in true metres, and return its name.

    Parameters
    ----------
    value
        The system asked for.
    bounds
        Where the city lies in it; if known, the length of its metre is checked there too.
    """
    crs = _horizontal(parse_crs(value))
    if not crs.is_projected:
        raise CRSError(
            f"{crs_name(crs)} is not projected: a city needs eastings and northings in metres. "
            "Choose a projected system such as the UTM zone ('EPSG:32651'), or leave crs out and "
            "the UTM zone of the data is taken."
        )
    axis = crs.axis_info[0]
    if not math.isclose(axis.unit_conversion_factor, 1.0, rel_tol=1e-9):
        raise CRSError(
            f"{crs_name(crs)} counts in {axis.unit_name}, not in metres. "
            "Choose a projected system in metres; the sources are transformed into it."
        )
    name = crs_name(crs)
    stretch = _stretch(crs, bounds) if bounds is not None else 1.0
    if abs(stretch - 1) > SCALE_TOLERANCE:
        raise CRSError(
            f"A metre of {name} is {1 / stretch:.2f} m on the ground here, so lengths, areas and "
            "flows would be wrong. Choose a local system such as the UTM zone "
            f"({utm_crs(transform_bounds(bounds, crs, _GEOGRAPHIC))!r}); "  # type: ignore[arg-type]
            "the sources are transformed into it."
        )
    return name


def _stretch(crs: CRS, bounds: Bounds) -> float:
    """Return the scale of the projection at the centre of `bounds`."""
    from pyproj import Geod

    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    to_lonlat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = to_lonlat.transform([x, x + 100.0, x], [y, y, y + 100.0])
    if not all(map(math.isfinite, (*lon, *lat))):
        return 1.0  # not on Earth: `check_bounds` says so better
    geod = crs.get_geod() or Geod(ellps="WGS84")
    east = geod.inv(lon[0], lat[0], lon[1], lat[1])[2]
    north = geod.inv(lon[0], lat[0], lon[2], lat[2])[2]
    # the worse of the two directions
    return max((100.0 / east, 100.0 / north), key=lambda scale: abs(scale - 1))


def utm_crs(lonlat: Bounds) -> str:
    """Return the WGS 84 UTM zone of the centre of longitude-latitude bounds.

    Examples
    --------
    >>> utm_crs((121.48, 31.22, 121.52, 31.25))
    'EPSG:32651'
    """
    lon, lat = (lonlat[0] + lonlat[2]) / 2, (lonlat[1] + lonlat[3]) / 2
    zone = int((lon + 180.0) // 6) % 60 + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def choose_crs(sources: Iterable[tuple[CRS, Bounds]]) -> str:
    """Choose a city's system from the systems and bounds of its sources, the first that fits.

    A source that is projected in true metres gives its own; otherwise the UTM zone is taken.
    """
    first: tuple[CRS, Bounds] | None = None
    for crs, bounds in sources:
        first = first or (crs, bounds)
        try:
            return city_crs(crs, bounds=bounds)
        except CRSError:
            continue
    if first is None:
        raise CRSError("No source says where the city lies; give crs, such as 'EPSG:32651'.")
    return utm_crs(transform_bounds(first[1], first[0], _GEOGRAPHIC))


def transform_bounds(bounds: Bounds, source: Any, target: Any) -> Bounds:
    """Return the box in `target` that holds the box `bounds` of `source`."""
    if same_crs(source, target):
        return bounds
    transformer = Transformer.from_crs(
        _horizontal(parse_crs(source)), _horizontal(parse_crs(target)), always_xy=True
    )
    west, south, east, north = transformer.transform_bounds(*bounds, densify_pts=21)
    return (west, south, east, north)


def transformation_accuracy(bounds: Bounds, source: Any, target: Any) -> float:
    """Return how well coordinates are taken from `source` to `target`, m; infinity if not known.

    Where PROJ knows no transformation between two datums it takes one for the other, which may be
    off by hundreds of metres. That is sound for CGCS2000 and WGS 84 alone, which agree to a metre.

    Parameters
    ----------
    bounds
        Where, in `source`.
    """
    if same_crs(source, target):
        return 0.0
    start, end = _horizontal(parse_crs(source)), _horizontal(parse_crs(target))
    if same_crs(start.geodetic_crs, end.geodetic_crs):
        return 0.0  # a projection only, which is exact
    transformer = Transformer.from_crs(start, end, always_xy=True)
    transformer.transform((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    metres = transformer.get_last_used_operation().accuracy
    if metres is not None and metres >= 0:
        return float(metres)
    datums = {crs_name(crs.geodetic_crs) for crs in (start, end)}
    return 1.0 if datums == {"EPSG:4326", "EPSG:4490"} else math.inf


def outside_area_of_use(bounds: Bounds, crs: Any) -> float:
    """Return how far the centre of `bounds` lies outside the area of use of `crs`, degrees.

    0 inside, infinity where the coordinates are nowhere on Earth.
    """
    parsed = _horizontal(parse_crs(crs))
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    to_lonlat = Transformer.from_crs(parsed, _GEOGRAPHIC, always_xy=True)
    lon, lat = to_lonlat.transform(x, y)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return math.inf
    area = parsed.area_of_use
    if area is None:
        return 0.0
    width = (area.east - area.west) % 360 or 360.0
    past = (lon - area.west) % 360  # degrees east of the western edge
    aside = 0.0 if past <= width else min(past - width, 360 - past)
    return max(aside, area.south - lat, lat - area.north, 0.0)


def check_bounds(bounds: Bounds, crs: Any, *, what: str) -> None:
    """Raise `CRSError` where coordinates cannot be in the system they are said to be in.

    Parameters
    ----------
    bounds
        West, south, east, north of the data.
    what
        The data, as the message names them (a file, a layer).
    """
    parsed = _horizontal(parse_crs(crs))
    name = crs_name(parsed)
    shown = ", ".join(f"{b:.10g}" for b in bounds)
    cure = (
        "Say which system the coordinates are really in: Source(path, crs='EPSG:…') in Python, crs "
        "beside file in a scene, "
        "or write it into the file (ogr2ogr -a_srs EPSG:… for vectors, gdal_edit.py -a_srs EPSG:… "
        "for rasters)."
    )
    if not all(map(math.isfinite, bounds)):
        raise CRSError(f"{what}: has coordinates that are not numbers ({shown}). {cure}")
    in_degrees = max(map(abs, bounds[::2])) <= 180 and max(map(abs, bounds[1::2])) <= 90
    if parsed.is_geographic:
        # 360: some raster products count longitudes from 0 to 360
        if max(map(abs, bounds[::2])) > 360.001 or max(map(abs, bounds[1::2])) > 90.001:
            raise CRSError(
                f"{what}: the coordinates ({shown}) are no degrees, but the data are said to be in "
                f"{name}, which is what GeoJSON means if it says nothing. {cure}"
            )
        return
    if in_degrees and bounds[2] - bounds[0] < 2 and bounds[3] - bounds[1] < 2 and any(bounds):
        raise CRSError(
            f"{what}: the coordinates ({shown}) look like degrees, but the data are said to be in "
            f"{name}, which counts in metres. {cure}"
        )
    outside = outside_area_of_use(bounds, parsed)
    if outside > AREA_TOLERANCE:
        where = "nowhere on Earth" if math.isinf(outside) else f"{outside:.0f}° outside its area"
        raise CRSError(
            f"{what}: the coordinates ({shown}) lie {where} in {name} ({parsed.name}). {cure}"
        )

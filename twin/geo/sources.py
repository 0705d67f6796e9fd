"""Read vector files into frames, with one clear error for each thing that can be wrong with them.

Anything GDAL reads is taken (GeoPackage, GeoJSON, Shapefile, FlatGeobuf, SpatiaLite, …), and
GeoParquet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from pyproj import CRS

from twin.errors import CRSError, InputError, did_you_mean
from twin.files import sha256
from twin.geo.crs import Bounds, check_bounds, crs_name, parse_crs, transform_bounds

__all__ = [
    "Source",
    "as_source",
    "existing_file",
    "provenance",
    "read_vector",
    "size_text",
    "survey",
]

_PARQUET = {".parquet", ".geoparquet"}

#: Distance from the city's bounds at which a file is not just beside them, m.
FAR = 10_000.0

#: Formats of which a file that is cut short just ends early where only a part is asked for; they
#: are read whole and their features counted.
_COUNTED = {".fgb"}


@dataclass(frozen=True)
class Source:
    """A file, and how to read it where its own words do not do.

    Parameters
    ----------
    path
        The file.
    layer
        Its layer, needed where it has several and none is called as ours.
    columns
        Our column names against theirs: ``{"height_m": "HOEHE"}``.
    crs
        System of the coordinates, for files that do not say it or say it wrongly.
    """

    path: str | os.PathLike[str]
    layer: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    crs: str | None = None

    @property
    def file(self) -> Path:
        """The path as a `Path`."""
        return Path(self.path)


def as_source(value: Any, *, what: str) -> Source | gpd.GeoDataFrame:
    """Return `value` as a `Source`, or as it is where it is a GeoDataFrame."""
    if isinstance(value, Source | gpd.GeoDataFrame):
        return value
    if isinstance(value, str | os.PathLike):
        return Source(value)
    raise InputError(
        f"{what}: expected a path, a Source or a GeoDataFrame, not {type(value).__name__}."
    )


def existing_file(path: Path, *, what: str) -> Path:
    """Return `path` if it is there; raise `InputError` naming the nearest file otherwise."""
    if path.exists():
        return path
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{what}: there is no file {path}; its folder {folder} does not exist.")
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    hint = did_you_mean(path.name, names) if names else "The folder is empty."
    raise InputError(f"{what}: there is no file {path}. {hint}")


def size_text(path: Path) -> str:
    """Return the size of a file as people read it."""
    size = path.stat().st_size
    return f"{size} bytes" if size < 10_000 else f"{size / 1e6:.2f} MB"


def survey(source: Source | gpd.GeoDataFrame, *, what: str) -> tuple[CRS, Bounds]:
    """Return system and bounds of a source without reading its features, where the file can."""
    if isinstance(source, gpd.GeoDataFrame):
        frame = source
    elif source.file.suffix.lower() in _PARQUET:
        frame, _ = _read(source, None, what=what)
    else:
        import pyogrio

        path = existing_file(source.file, what=what)
        layer = _pick_layer(source, what=what)
        try:
            info = pyogrio.read_info(path, layer=layer, force_total_bounds=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise _unreadable(path, what, error) from error
        return _declared_crs(source, info["crs"], what=what), _bounds(info["total_bounds"])
    crs = _declared_crs(source, frame.crs, what=what)
    return crs, _bounds(frame.total_bounds)


def read_vector(
    source: Source | gpd.GeoDataFrame,
    *,
    what: str,
    crs: str,
    bounds: Bounds | None = None,
) -> tuple[gpd.GeoDataFrame, CRS]:
    """Read a source, bring it into the system `crs`, and return it with the system it came in.

    Parameters
    ----------
    what
        The layer of the city that is being read, as messages name it ("buildings").
    crs
        The city's system; coordinates in another one are transformed.
    bounds
        Only features whose boxes touch these bounds (in `crs`) are returned.

    Raises
    ------
    InputError
        If the file is missing, unreadable or cut short, if the layer does not exist, is not named
        where it must be, or is empty.
    CRSError
        If the coordinates have no system or cannot lie in the one that is given.
    """
    window = None if bounds is None else (bounds, crs)
    if isinstance(source, gpd.GeoDataFrame):
        if source.active_geometry_name is None:
            raise InputError(f"{what}: the GeoDataFrame has no geometry column.")
        frame = source.copy()
        system = _declared_crs(source, frame.crs, what=what)
        _check_place(frame.total_bounds, system, window, named=what)
    else:
        frame, system = _read(source, window, what=what)
    frame = frame.set_crs(system, allow_override=True)
    if frame.active_geometry_name != "geometry":
        frame = frame.rename_geometry("geometry")
    frame = frame.to_crs(crs)
    if bounds is not None:
        west, south, east, north = bounds
        box = frame.bounds
        near = (
            (box["minx"] <= east)
            & (box["maxx"] >= west)
            & (box["miny"] <= north)
            & (box["maxy"] >= south)
        )
        frame = frame[near]
    return frame, system


def _read(
    source: Source, window: tuple[Bounds, str] | None, *, what: str
) -> tuple[gpd.GeoDataFrame, CRS]:
    """Read the features of a file, at least those in the window, and the system they are in."""
    path = existing_file(source.file, what=what)
    suffix = path.suffix.lower()
    named = f"{what}: {source.path}"
    nothing = "has no features. Leave the layer out, or fill it."
    if suffix in _PARQUET:
        try:
            frame = gpd.read_parquet(path)
        except Exception as error:  # pyarrow raises many kinds, all of them mean: not readable
            raise _unreadable(path, what, error) from error
        if frame.empty:
            raise InputError(f"{named} {nothing}")
        system = _declared_crs(source, frame.crs, what=what)
        _check_place(frame.total_bounds, system, window, named=named)
        return frame, system
    import pyogrio

    layer = _pick_layer(source, what=what)
    if suffix == ".shp":
        _check_shapefile(path, what=what)
    try:
        info = pyogrio.read_info(path, layer=layer, force_total_bounds=True)
        if info["features"] == 0:
            raise InputError(f"{named}: layer {layer!r} {nothing}")
        system = _declared_crs(source, info["crs"], what=what)
        _check_place(info["total_bounds"], system, window, named=named)
        box = None
        if window is not None and suffix not in _COUNTED:
            box = transform_bounds(*window, system)
        # rings with too few points become empty here and are listed as findings later
        frame = pyogrio.read_dataframe(path, layer=layer, bbox=box, on_invalid="ignore")
    except InputError:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreadable(path, what, error) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InputError(f"{named}: layer {layer!r} is a table without geometry.")
    if box is None and len(frame) < info["features"]:
        raise _unreadable(
            path, what, f"{len(frame)} of the {info['features']} features could be read"
        )
    return frame, system


def _check_place(
    extent: Any, system: CRS, window: tuple[Bounds, str] | None, *, named: str
) -> None:
    """See that features can lie where they are said to lie, and that it is not far from the city.

    A file in the system of the zone next door lies hundreds of kilometres off; without this its
    layer would just be empty.
    """
    if extent is None or np.isnan(np.asarray(extent, float)).all():
        return  # no geometry at all: the layer's business
    box = _bounds(extent)
    check_bounds(box, system, what=named)
    if window is None:
        return
    (west, south, east, north), crs = window
    there = transform_bounds(box, system, crs)
    aside = max(there[0] - east, west - there[2], 0.0)
    apart = max(there[1] - north, south - there[3], 0.0)
    gap = float(np.hypot(aside, apart))
    if np.isfinite(gap) and gap > FAR:
        raise CRSError(
            f"{named} lies {gap / 1000:.0f} km away from the city's bounds. Either its coordinates "
            f"are not in {crs_name(system)}, as it says, or the bounds are wrong: it covers "
            f"({', '.join(f'{v:.10g}' for v in box)})."
        )


def _check_shapefile(path: Path, *, what: str) -> None:
    """See that a shapefile is as long as its header says; GDAL reads what is missing as nothing.

    The length is the big-endian integer at byte 24, in words of 16 bits (ESRI Shapefile Technical
    Description, July 1998, table 1).
    """
    with path.open("rb") as stream:
        header = stream.read(28)
    stated = 2 * int.from_bytes(header[24:28], "big")
    if path.stat().st_size < stated:
        raise _unreadable(path, what, f"its header says {stated} bytes")


def _pick_layer(source: Source, *, what: str) -> str:
    """Return the layer to read: the one asked for, the only one, or the one called as ours."""
    import pyogrio

    path = existing_file(source.file, what=what)
    try:
        listed = pyogrio.list_layers(path)
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreadable(path, what, error) from error
    names = [str(name) for name, _ in listed]
    spatial = [str(name) for name, geometry in listed if geometry is not None]
    if source.layer is not None:
        if source.layer not in names:
            raise InputError(
                f"{what}: {path} has no layer {source.layer!r}. {did_you_mean(source.layer, names)}"
            )
        return source.layer
    if not spatial:
        raise InputError(f"{what}: {path} holds no layer with geometry.")
    if len(spatial) == 1:
        return spatial[0]
    wanted = what.split(":", maxsplit=1)[0]
    if wanted in spatial:
        return wanted
    raise InputError(
        f"{what}: {path} has several layers; say which, as in "
        f"Source({path.name!r}, layer={spatial[0]!r}). Known: {', '.join(map(repr, spatial))}."
    )


def _declared_crs(source: Source | gpd.GeoDataFrame, found: Any, *, what: str) -> CRS:
    """Return the system of the coordinates: the one the caller states, else the file's own."""
    if isinstance(source, gpd.GeoDataFrame):
        if found is None:
            raise CRSError(
                f"{what}: the GeoDataFrame has no coordinate reference system. "
                "Give it with frame.set_crs('EPSG:…')."
            )
        return parse_crs(found, where=what)
    if source.crs is not None:
        return parse_crs(source.crs, where=f"{what}: {source.path}")
    if found is None:
        raise CRSError(
            f"{what}: {source.path} does not say its coordinate reference system. Write it into "
            "the file (ogr2ogr -a_srs EPSG:… out.gpkg in), or give it: "
            "Source(path, crs='EPSG:…')."
        )
    return parse_crs(found, where=f"{what}: {source.path}")


def _bounds(values: Any) -> Bounds:
    west, south, east, north = (float(v) for v in values)
    return (west, south, east, north)


def _unreadable(path: Path, what: str, error: object) -> InputError:
    reason = " ".join(str(error).split())[:200].rstrip(".")
    return InputError(
        f"{what}: {path} ({size_text(path)}) cannot be read: it is damaged, cut short, or not a "
        f"vector file ({reason}). Fetch or export it again."
    )


def provenance(source: Source | gpd.GeoDataFrame, layer: str, crs: Any) -> dict[str, Any]:
    """Return the record of where a layer came from; its user adds features and notes."""
    record = {"layer": layer, "file": None, "sha256": None, "crs": crs_name(crs)}
    if isinstance(source, Source):
        record |= {"file": str(source.path), "sha256": sha256(source.file)}
    return record

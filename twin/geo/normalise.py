"""Bring any frame into the columns of a layer: geometry, identifiers, attributes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from twin.errors import GeometryError, InputError, did_you_mean
from twin.geo.findings import findings
from twin.geo.layers import Layer

__all__ = ["clip", "flags", "generate_ids", "normalise", "numbers", "texts"]

_YES = {"true", "yes", "y", "t", "1", "designated", "permissive"}

Findings = list[gpd.GeoDataFrame]


def normalise(
    layer: Layer, frame: gpd.GeoDataFrame, columns: Mapping[str, str], *, named: str
) -> tuple[gpd.GeoDataFrame, pd.DataFrame, Findings]:
    """Bring a frame, already in the city's reference system, into the columns of a layer.

    Parameters
    ----------
    columns
        Our column names against theirs, beside the aliases.
    named
        The source, as messages name it.

    Returns
    -------
    frame
        The layer's columns, then the remaining source attributes, indexed by a unique `id`.
    given
        What the source says, in the columns that it has, on the same index: numbers as numbers,
        all else as text.
    findings
        What was repaired, left out or could not be read.

    Raises
    ------
    GeometryError
        If no feature has the layer's kind of geometry.
    InputError
        If a column that is asked for or needed is not there.
    """
    own_index = frame.index.name == "id" and "id" not in frame
    frame = frame.reset_index(drop=not own_index)
    found = _find_columns(layer, frame, columns, named=named)
    frame, faults = _usable(layer, frame, named=named)
    frame, doubled = _index_by_id(layer, frame, found.get("id"))
    faults += doubled
    if layer.family == "polygon":
        frame, repaired = _repair(layer, frame)
        faults += repaired
    else:
        frame, shapeless = _drop_hollow(layer, frame)
        frame = _single_lines(frame)
        faults += shapeless

    given = pd.DataFrame(index=frame.index)
    for column in layer.readable[1:]:
        if column.name in found:
            raw = frame[found[column.name]]
            given[column.name] = numbers(raw) if column.kind == "number" else texts(raw)
            if column.kind == "number":
                faults += _unread(layer, frame, column.name, raw, given[column.name])

    taken = {found[name] for name in layer.names if name in found}
    rest = frame.drop(columns=[*taken, "geometry"])
    rest = rest.rename(columns={name: f"{name}_source" for name in rest if name in layer.names})
    out = gpd.GeoDataFrame(_storable(rest), geometry=frame.geometry, crs=frame.crs)
    blank = {"text": "", "number": np.nan, "flag": False}
    for position, column in enumerate(layer.columns):
        values = pd.Series(blank[column.kind], index=frame.index)
        if column.name in given:
            values = given[column.name]
        if column.kind == "flag":
            values = flags(values) if column.name in given else values
        out.insert(position, column.name, values.astype("str") if column.kind == "text" else values)
    return out, given, faults


def numbers(raw: pd.Series) -> pd.Series:
    """Read numbers, also from text such as "12", "12.5 m", "40 ft"; NaN where there is none.

    Examples
    --------
    >>> numbers(pd.Series(["12", "12.5 m", "10 ft", "tall"])).round(3).tolist()
    [12.0, 12.5, 3.048, nan]
    """
    values = pd.to_numeric(raw, errors="coerce").astype("float64")
    if not pd.api.types.is_numeric_dtype(raw.dtype):
        pattern = r"^\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*(m|ft|')?\s*$"
        parts = texts(raw).str.extract(pattern)
        scale = parts[1].map({"ft": 0.3048, "'": 0.3048}).astype("float64").fillna(1.0)
        values = values.fillna(pd.to_numeric(parts[0]).astype("float64") * scale)
    return values.where(np.isfinite(values))


def texts(raw: pd.Series) -> pd.Series:
    """Read text; "" where there is none, and whole numbers without a decimal point."""
    if pd.api.types.is_float_dtype(raw.dtype) and (raw.dropna() % 1 == 0).all():
        raw = raw.astype("Int64")
    return raw.astype("str").where(raw.notna(), "").astype("str").str.strip()


def flags(words: pd.Series) -> pd.Series:
    """Read yes and no from text; what is not a yes is a no."""
    return words.str.lower().isin(_YES)


def generate_ids(layer: str, geometry: gpd.GeoSeries) -> list[str]:
    """Make identifiers that depend on the shape alone.

    They are hashes of bounding box, area and length in centimetres, so they outlive a new order
    of features or of vertices, and a rebuild; not a change of the city's reference system.
    """
    shapes = geometry.to_numpy()
    extent = np.column_stack([shapely.bounds(shapes), shapely.area(shapes), shapely.length(shapes)])
    keys = np.round(extent * 100).astype("<i8")
    digests = (hashlib.blake2b(key.tobytes(), digest_size=6).hexdigest() for key in keys)
    return [f"{layer}-{digest}" for digest in digests]


def clip(layer: Layer, frame: gpd.GeoDataFrame, box: shapely.Polygon) -> gpd.GeoDataFrame:
    """Keep what lies in a box: buildings whole if they reach into it, all else cut at its edge.

    To touch the edge, or to cross it by less than a centimetre, is not to reach into it.
    """
    frame = frame[frame.intersects(box.buffer(-0.01))]
    if layer.name == "buildings" or shapely.covered_by(frame.geometry.to_numpy(), box).all():
        return frame
    shapes = shapely.intersection(frame.geometry.to_numpy(), box)
    dimension = 2 if layer.family == "polygon" else 1
    mixed = shapely.get_type_id(shapes) == 7  # a collection: it also touches the edge
    shapes[mixed] = [
        shapely.union_all([p for p in s.geoms if shapely.get_dimensions(p) == dimension])
        for s in shapes[mixed]
    ]
    kept = shapely.get_dimensions(shapes) == dimension
    frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))[kept]
    return frame if layer.family == "polygon" else _single_lines(frame)


def _find_columns(
    layer: Layer, frame: gpd.GeoDataFrame, columns: Mapping[str, str], *, named: str
) -> dict[str, str]:
    """Return our column names against the source's, for those that the source has."""
    ours = [column.name for column in layer.readable]
    present = [name for name in frame.columns if name != "geometry"]
    for mine, theirs in columns.items():
        if mine not in ours:
            raise InputError(
                f"{named}: columns names {mine!r}, which {layer.name} do not have. "
                f"{did_you_mean(mine, ours)}"
            )
        if theirs not in present:
            raise InputError(
                f"{named}: there is no column {theirs!r} to read {mine} from. "
                f"{did_you_mean(theirs, present)}"
            )
    lower = {str(name).lower(): name for name in reversed(present)}
    found = dict(columns)
    for column in layer.readable:
        known = [name for name in (column.name, *column.aliases) if name in lower]
        if column.name not in found and known:
            found[column.name] = lower[known[0]]
        if column.required and column.name not in found:
            raise InputError(
                f"{named}: {layer.name} need a column {column.name} ({column.meaning}). Add it, or "
                f"say what it is called: Source(path, columns={{{column.name!r}: '…'}}). "
                f"{did_you_mean(column.name, present)}"
            )
    return found


def _usable(
    layer: Layer, frame: gpd.GeoDataFrame, *, named: str
) -> tuple[gpd.GeoDataFrame, Findings]:
    """Keep the features that have the layer's kind of geometry, in two dimensions."""
    frame = frame.set_geometry(shapely.force_2d(frame.geometry.to_numpy()), crs=frame.crs)
    types = frame.geom_type
    usable = types.isin(layer.geometry_types) & ~frame.geometry.is_empty
    if usable.all():
        return frame, []
    if not usable.any():
        counts = types.fillna("without geometry").value_counts()
        seen = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        raise GeometryError(
            f"{named}: {layer.name} need {' or '.join(layer.geometry_types)}, but the features "
            f"are: {seen}. Is it the right file and layer?"
        )
    left_out = frame.geometry[~usable]
    words = [f"Feature {i} of the source has no {layer.family}; left out." for i in left_out.index]
    left_out.index = pd.Index([""] * len(left_out))
    return frame[usable], [
        findings(layer.name, "geometry-dropped", "warning", words, objects=left_out)
    ]


def _index_by_id(
    layer: Layer, frame: gpd.GeoDataFrame, column: str | None
) -> tuple[gpd.GeoDataFrame, Findings]:
    """Index by the source's identifiers, made unique, or by generated ones."""
    made = generate_ids(layer.name, frame.geometry)
    given = texts(frame[column]).tolist() if column is not None else [""] * len(frame)
    ids: list[str] = []
    seen: dict[str, int] = {}
    doubled = []
    for theirs, ours in zip(given, made, strict=True):
        wanted = theirs or ours
        if theirs in seen and theirs:
            wanted = f"{theirs}~{ours[-6:]}"
            doubled.append(len(ids))
        count = seen[wanted] = seen.get(wanted, 0) + 1
        if count > 1:  # shapes that agree to the centimetre
            wanted = f"{wanted}~{count}"
            seen[wanted] = 1
        ids.append(wanted)
    if column is not None:
        frame = frame.drop(columns=column)
    frame.index = pd.Index(ids, name="id", dtype="str")
    if not doubled:
        return frame, []
    message = "The source gives this identifier to more than one feature; it was made unique."
    rows = frame.geometry.iloc[doubled]
    return frame, [findings(layer.name, "id-duplicate", "warning", message, objects=rows)]


def _repair(layer: Layer, frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, Findings]:
    """Make polygons valid, leave out what vanishes, and unwrap multipolygons of one part."""
    faults: Findings = []
    shapes = frame.geometry.to_numpy()
    invalid = ~shapely.is_valid(shapes)
    if invalid.any():
        reasons = shapely.is_valid_reason(shapes[invalid])
        mended = shapely.make_valid(shapes[invalid], method="structure", keep_collapsed=False)
        before, after = shapely.area(shapes[invalid]), shapely.area(mended)
        broken = frame.geometry[invalid]
        words = [
            f"Invalid polygon ({reason}) repaired; its area went from {old:.1f} to {new:.1f} m²."
            for reason, old, new in zip(reasons, before, after, strict=True)
        ]
        faults.append(findings(layer.name, "geometry-repaired", "warning", words, objects=broken))
        shapes = shapes.copy()
        shapes[invalid] = mended
        frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    frame, hollow = _drop_hollow(layer, frame)
    faults += hollow
    shapes = frame.geometry.to_numpy()
    wrapped = (shapely.get_type_id(shapes) == 6) & (shapely.get_num_geometries(shapes) == 1)
    if wrapped.any():
        shapes = np.where(wrapped, shapely.get_geometry(shapes, 0), shapes)
        frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    return frame, faults


def _drop_hollow(layer: Layer, frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, Findings]:
    """Leave out polygons without area (a square centimetre) and lines without length."""
    shapes = frame.geometry.to_numpy()
    size = shapely.area(shapes) if layer.family == "polygon" else shapely.length(shapes)
    hollow = size < 1e-4
    if not hollow.any():
        return frame, []
    measure = "area" if layer.family == "polygon" else "length"
    message = f"The {layer.family} has no {measure}; left out."
    gone = frame.geometry[hollow]
    return frame[~hollow], [
        findings(layer.name, "geometry-dropped", "warning", message, objects=gone)
    ]


def _single_lines(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Split lines of several parts; the second part of "a" becomes "a:2"."""
    shapes = frame.geometry.to_numpy()
    several = shapely.get_type_id(shapes) == 5
    if not several.any():
        return frame
    # parts that continue each other are one line; single lines keep their direction
    merged = shapes.copy()
    merged[several] = shapely.line_merge(shapes[several], directed=True)
    frame = frame.set_geometry(gpd.GeoSeries(merged, index=frame.index, crs=frame.crs)).explode()
    part = frame.groupby(level=0).cumcount() + 1
    ids = [i if n == 1 else f"{i}:{n}" for i, n in zip(frame.index, part, strict=True)]
    frame.index = pd.Index(ids, name="id", dtype="str")
    return frame


def _unread(
    layer: Layer, frame: gpd.GeoDataFrame, name: str, raw: pd.Series, read: pd.Series
) -> Findings:
    """List the values of a numeric column that are there and are no numbers."""
    words = texts(raw)
    odd = read.isna() & (words != "")
    if not odd.any():
        return []
    messages = [f"{name} is {word!r}, which is no number; taken as unknown." for word in words[odd]]
    rows = frame.geometry[odd]
    return [findings(layer.name, "attribute-unreadable", "warning", messages, objects=rows)]


def _storable(attributes: pd.DataFrame) -> pd.DataFrame:
    """Turn source attributes of mixed kinds (lists, dicts, further geometries) into text."""
    plain = {}
    for name, values in attributes.items():
        mixed = values.dtype == object or str(values.dtype) == "geometry"
        plain[str(name)] = texts(values) if mixed else values
    return pd.DataFrame(plain, index=attributes.index)

"""From a source to what the city keeps of it: data, findings, and the record of where it came from.

Nothing here knows the city; it hands over a system and bounds, and receives frames.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import geopandas as gpd
import shapely

from twin.geo import buildings, ground, streets
from twin.geo.crs import (
    Bounds,
    choose_crs,
    crs_name,
    known_datum,
    parse_crs,
    transform_bounds,
    transformation_accuracy,
)
from twin.geo.findings import findings
from twin.geo.layers import LAYERS
from twin.geo.normalise import Findings, clip, normalise
from twin.geo.sources import Source, as_source, existing_file, provenance, read_vector, survey
from twin.geo.terrain import Terrain
from twin.geo.terrain import survey as survey_raster

if TYPE_CHECKING:
    from twin.geo.indoor import Interior

__all__ = [
    "Record",
    "TerrainSource",
    "VectorSource",
    "read_layer",
    "read_model",
    "read_terrain",
    "system_of",
]

#: What a vector layer, and the terrain, is read from.
VectorSource: TypeAlias = str | os.PathLike[str] | Source | gpd.GeoDataFrame
TerrainSource: TypeAlias = str | os.PathLike[str] | Source | Terrain

#: layer, file, sha256, crs, features, notes.
Record: TypeAlias = dict[str, Any]

_COMPLETE: dict[str, Callable[..., tuple[gpd.GeoDataFrame, Findings]]] = {
    "buildings": buildings.complete,
    "streets": streets.complete,
    "water": ground.complete_water,
    "defences": ground.complete_defences,
}


def system_of(terrain: TerrainSource | None, vectors: Mapping[str, VectorSource]) -> str:
    """Choose a city's reference system from its sources, the terrain before the others."""
    known = []
    if isinstance(terrain, Terrain):
        known.append((parse_crs(terrain.grid.crs), terrain.bounds))
    elif terrain is not None:
        source = _raster(terrain)
        known.append(survey_raster(source.path, source_crs=source.crs))
    known += [survey(as_source(v, what=name), what=name) for name, v in vectors.items()]
    return choose_crs(known)


def read_layer(
    name: str,
    given: VectorSource,
    *,
    crs: str,
    bounds: Bounds | None,
    columns: Mapping[str, str] | None = None,
) -> tuple[gpd.GeoDataFrame, Findings, Record]:
    """Read a source into the columns of a layer, complete what it does not say, cut it to bounds.

    Parameters
    ----------
    columns
        Our column names against the source's, beside those that a `Source` brings itself.
    """
    layer, source = LAYERS[name], as_source(given, what=name)
    renamed = dict(columns or {})
    named = name
    if isinstance(source, Source):
        renamed = dict(source.columns) | renamed
        named = f"{name}: {source.path}"
    raw, system = read_vector(source, what=name, crs=crs, bounds=bounds)
    frame, said, noted = normalise(layer, raw, renamed, named=named)
    if name in _COMPLETE:
        frame, more = _COMPLETE[name](frame, said)
        noted += more
    if bounds is not None:
        frame, noted = _within(name, frame, noted, bounds)
    noted += _accuracy(name, frame.total_bounds, system, crs) if len(frame) else []
    record = provenance(source, name, system)
    record |= {"features": len(frame), "notes": f"{sum(map(len, noted))} findings"}
    return frame, noted, record


def _within(
    name: str, frame: gpd.GeoDataFrame, noted: Findings, bounds: Bounds
) -> tuple[gpd.GeoDataFrame, Findings]:
    """Cut a layer to bounds and drop the findings about what lies outside."""
    frame = clip(LAYERS[name], frame, shapely.box(*bounds))
    kept = {"", *frame.index}
    noted = [table[table["object_id"].isin(kept)] for table in noted]
    if frame.empty:
        message = f"Nothing of the source lies inside the bounds {bounds}."
        noted.append(findings(name, "layer-outside", "warning", message, crs=frame.crs))
    return frame, noted


def _accuracy(name: str, bounds: Any, source: Any, crs: str) -> Findings:
    """Note where coordinates were brought into the city's system by more than a metre's guess."""
    west, south, east, north = (float(v) for v in bounds)
    box = (west, south, east, north)
    metres = transformation_accuracy(transform_bounds(box, crs, source), source, crs)
    if metres <= 1:
        return []
    known = "no transformation is known" if math.isinf(metres) else f"good to {metres:g} m"
    message = f"Transformed from {crs_name(source)} to {crs}: {known}."
    shape = shapely.box(*box)
    return [findings(name, "crs-accuracy", "warning", message, geometry=shape, crs=crs)]


def read_terrain(
    given: TerrainSource, *, crs: str, bounds: Bounds | None
) -> tuple[Terrain, Findings, Record]:
    """Read terrain into the system `crs`, cut to bounds; a `Terrain` is taken as it is."""
    if isinstance(given, Terrain):
        terrain, noted = (given if bounds is None else given.clip(bounds)), []
        record: Record = {"layer": "terrain", "file": None, "sha256": None, "crs": given.grid.crs}
    else:
        source = _raster(given)
        terrain = Terrain.from_file(source.path, crs=crs, bounds=bounds, source_crs=source.crs)
        system, _ = survey_raster(source.path, source_crs=source.crs)
        noted = _accuracy("terrain", terrain.bounds, system, crs)
        record = provenance(source, "terrain", system)
    rows, cols = terrain.grid.shape
    notes = f"{cols} × {rows} cells of {terrain.grid.cell_size:.6g} m"
    return terrain, noted, record | {"features": rows * cols, "notes": notes}


def read_model(
    path: str | os.PathLike[str], *, crs: str, georeference: Any
) -> tuple[Interior, str | None, Record]:
    """Read a building from inside; return it with the code of its vertical datum, if it has one."""
    from twin.geo.formats.ifc import read_interior

    file = existing_file(Path(path), what="bim")
    interior = read_interior(file, crs, georeference=georeference)
    placed = interior.georeference
    notes = [f"placed by {placed['method']}", *interior.notes]
    named = placed.get("vertical_datum")
    datum = None if named is None else known_datum(named)
    if named is not None and datum is None:
        notes.append(f"its vertical datum {named!r} has no code and is taken for the city's")
    record = provenance(Source(file), "interiors", crs)
    record |= {"features": len(interior.spaces), "notes": "; ".join(notes)}
    return interior, datum, record


def _raster(given: str | os.PathLike[str] | Source) -> Source:
    return given if isinstance(given, Source) else Source(given)

"""The layers of a city and their columns: the one place that says what a layer holds.

A source column is found by our name, by one of the aliases (letter case does not matter), or by
`Source.columns`. Columns that no layer knows are kept as they are, behind ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

__all__ = ["ID", "LAYERS", "Column", "Layer", "empty"]


@dataclass(frozen=True)
class Column:
    """A column of a layer.

    `kind` is "text" ("" where unknown), "number" (NaN where unknown) or "flag" (True, False).
    """

    name: str
    kind: str
    meaning: str
    aliases: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Layer:
    """A layer: the geometry it takes and its columns.

    `columns` are stored; `inputs` are read where a source has them, for what they say about the
    stored ones, and stay behind as source attributes.
    """

    name: str
    family: str
    columns: tuple[Column, ...]
    inputs: tuple[Column, ...] = ()

    @property
    def geometry_types(self) -> tuple[str, str]:
        """The types of geometry that are taken."""
        if self.family == "polygon":
            return ("Polygon", "MultiPolygon")
        return ("LineString", "MultiLineString")

    @property
    def readable(self) -> tuple[Column, ...]:
        """Everything that is looked for in a source."""
        return (ID, *self.columns, *self.inputs)

    @property
    def names(self) -> list[str]:
        """Names of the stored columns, without geometry."""
        return [column.name for column in self.columns]


#: Every layer is indexed by it.
ID = Column(
    "id",
    "text",
    "stable identifier",
    ("uid", "uuid", "gml_id", "identificatie", "osm_id", "osmid", "osm_way", "objectid", "gid"),
)
_NAME = Column("name", "text", "name, as people call it", ("naam", "bezeichnung", "label", "名称"))

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer(
            "buildings",
            "polygon",
            (
                _NAME,
                Column(
                    "height_m",
                    "number",
                    "height above ground, m",
                    ("height", "building:height", "bldg_height", "measuredheight", "hoehe"),
                ),
                Column(
                    "height_source",
                    "text",
                    '"attribute", "storeys" or "default"',
                    ("height_basis",),
                ),
                Column(
                    "storeys",
                    "number",
                    "storeys above ground",
                    (
                        "levels",
                        "building:levels",
                        "building_levels",
                        "num_floors",
                        "floors",
                        "stories",
                        "storey",
                    ),
                ),
                Column("use", "text", "use", ("usage", "function", "building:use", "building")),
                Column("ground_m", "number", "lowest terrain under the footprint, m"),
            ),
        ),
        Layer(
            "streets",
            "line",
            (
                _NAME,
                Column(
                    "kind",
                    "text",
                    "kind, as OpenStreetMap's highway",
                    ("highway", "road_class", "fclass", "class", "type"),
                ),
                Column("width_m", "number", "width between the kerbs, m", ("width",)),
                Column("walkable", "flag", "open to people on foot", ("foot",)),
                Column("drivable", "flag", "open to vehicles", ("motor_vehicle",)),
            ),
            (
                Column("lanes", "number", "lanes in all"),
                Column("lane_width_m", "number", "width of one lane, m", ("lane_width",)),
                Column("layer", "number", "level of crossing, below 0 underground"),
                Column("tunnel", "text", "whether the street runs in a tunnel"),
            ),
        ),
        Layer(
            "water",
            "polygon",
            (
                _NAME,
                Column(
                    "kind",
                    "text",
                    '"river", "canal", "lake" or "dock"',
                    ("water", "waterway", "natural", "class", "type"),
                ),
                Column(
                    "bed_m",
                    "number",
                    "level of the bed, m; NaN where the terrain already shows it",
                    ("bed", "bed_level", "bottom_m"),
                ),
                Column(
                    "level_m",
                    "number",
                    "level at which standing water is kept, m; NaN where not known",
                    ("level", "water_level"),
                ),
            ),
        ),
        Layer(
            "defences",
            "line",
            (
                _NAME,
                Column(
                    "kind", "text", '"wall" or "gate"', ("barrier", "man_made", "class", "type")
                ),
                Column(
                    "crest_m",
                    "number",
                    "level of the top, m",
                    ("crest", "crest_level", "top_m", "top_level"),
                    required=True,
                ),
                Column(
                    "sill_m",
                    "number",
                    "level of a gate's opening when open, m; NaN for walls",
                    ("sill", "sill_level"),
                ),
            ),
        ),
        Layer(
            "underpasses",
            "polygon",
            (
                _NAME,
                Column(
                    "floor_m",
                    "number",
                    "level of the carriageway, m; NaN where the terrain already shows it",
                    ("floor", "floor_level"),
                ),
            ),
        ),
        Layer(
            "assembly_areas",
            "polygon",
            (
                _NAME,
                Column("capacity", "number", "people that find room; NaN unknown", ("people",)),
            ),
        ),
    )
}

_DTYPES = {"text": "str", "number": "float64", "flag": "bool"}


def empty(layer: Layer, crs: str) -> gpd.GeoDataFrame:
    """Return the layer with its columns and no rows."""
    columns = {c.name: pd.Series([], dtype=_DTYPES[c.kind]) for c in layer.columns}
    frame = gpd.GeoDataFrame(columns, geometry=[], crs=crs)
    frame.index = pd.Index([], name="id", dtype="str")
    return frame

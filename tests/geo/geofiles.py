"""Small shapes, terrain and rasters that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine

from twin.geo.grid import Grid
from twin.geo.terrain import Terrain

#: A place in Lujiazui, UTM zone 51 north.
CRS = "EPSG:32651"
EAST, NORTH = 357000.0, 3456000.0


def square(x: float, y: float, size: float = 10.0) -> shapely.Polygon:
    """Return a square with its south-western corner at (x, y) from the place."""
    return shapely.box(EAST + x, NORTH + y, EAST + x + size, NORTH + y + size)


def line(*points: tuple[float, float]) -> shapely.LineString:
    """Return a line through points counted from the place."""
    return shapely.LineString([(EAST + x, NORTH + y) for x, y in points])


def frame(shapes: list, crs: str | None = CRS, **columns: list) -> gpd.GeoDataFrame:
    """Return a frame of shapes with columns."""
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)


def flat(level: float = 3.0, *, size: float = 200.0, cell: float = 2.0) -> Terrain:
    """Return level terrain from the place to `size` m east and north of it."""
    cells = round(size / cell)
    grid = Grid(CRS, EAST, NORTH + size, cell, (cells, cells))
    return Terrain(np.full(grid.shape, level, np.float32), grid)


def write_raster(
    path: Path,
    values: np.ndarray,
    transform: Affine | None = None,
    *,
    crs: str | None = CRS,
    driver: str = "GTiff",
    **options: object,
) -> Path:
    """Write a raster, by default of 2 m cells with its north-western corner at the place."""
    bands = values if values.ndim == 3 else values[np.newaxis]
    if driver != "PNG":
        options["transform"] = transform or Affine(2.0, 0.0, EAST, 0.0, -2.0, NORTH)
    with rasterio.open(
        path,
        "w",
        driver=driver,
        count=bands.shape[0],
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=bands.dtype,
        crs=crs,
        **options,
    ) as dataset:
        dataset.write(bands)
    return path

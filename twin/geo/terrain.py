"""Bare-earth terrain: read from a raster, sampled at points, brought onto a grid."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from twin.errors import CRSError, InputError
from twin.geo.crs import (
    Bounds,
    check_bounds,
    crs_name,
    parse_crs,
    same_crs,
    transform_bounds,
    vertical_name,
)
from twin.geo.grid import Grid
from twin.geo.sources import existing_file, size_text

if TYPE_CHECKING:
    import scipy.sparse
    from rasterio.io import DatasetReader
    from rasterio.windows import Window

__all__ = ["Terrain", "resample", "survey"]

#: Elevations outside are no ground on Earth but undeclared fill values, m.
LOWEST, HIGHEST = -9000.0, 9000.0

#: Names of feet in rasters, in metres.
_FEET = {
    **dict.fromkeys(("ft", "foot", "feet", "international foot"), 0.3048),
    **dict.fromkeys(("us survey foot", "us-ft", "us_survey_foot", "ftus"), 1200 / 3937),
}

#: Cells that are read at once at most; above, bounds must narrow the raster.
MOST_CELLS = 400_000_000


@dataclass(frozen=True, eq=False)
class Terrain:
    """Elevation of the bare ground on square cells, north up.

    Parameters
    ----------
    elevation
        float32 ``[row, col]``, m in the vertical datum; NaN where there is no data.
    grid
        Where the cells lie.
    vertical_datum
        What the elevations count from ("EPSG:5737"), None if the source does not say.
    """

    elevation: npt.NDArray[np.float32]
    grid: Grid
    vertical_datum: str | None = None

    def __post_init__(self) -> None:
        if self.elevation.shape != self.grid.shape:
            raise InputError(
                f"Terrain of shape {self.elevation.shape} does not fit a grid of {self.grid.shape}."
            )
        if self.elevation.dtype != np.float32:
            object.__setattr__(self, "elevation", self.elevation.astype(np.float32))

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        crs: str | None = None,
        bounds: Bounds | None = None,
        source_crs: str | None = None,
    ) -> Terrain:
        """Read the first band of a raster that GDAL knows (GeoTIFF, ERDAS .img, ASCII grid, …).

        Elevations in feet are turned into metres where the file says that they are in feet.

        Parameters
        ----------
        crs
            System wanted; the raster is resampled (bilinear) where its own differs, is rotated, or
            has cells that are not square. By default its own.
        bounds
            Part wanted, in `crs`; whole cells that touch it are kept.
        source_crs
            System of the file, where it does not say it or says it wrongly.

        Raises
        ------
        InputError
            If the file is missing, damaged, cut short, not georeferenced, or no elevation.
        CRSError
            If it has no reference system, or cannot lie in the one it has.
        """
        file = existing_file(Path(path), what="terrain")
        with _opened(file) as dataset:
            system = _system(dataset, file, source_crs)
            elevation, transform = _read(dataset, file, system, crs, bounds)
        wanted = crs_name(crs or system)
        if not _north_up_squares(transform) or not same_crs(system, wanted):
            elevation, transform = _warp(elevation, transform, system, wanted)
        grid = Grid(wanted, transform.c, transform.f, transform.a, elevation.shape)
        terrain = cls(elevation, grid, vertical_name(system))
        if bounds is not None:
            terrain = terrain.clip(bounds)
        if not np.isfinite(terrain.elevation).any():
            inside = " inside the bounds" if bounds is not None else ""
            raise InputError(f"terrain: {file} holds no elevation{inside}, only no-data cells.")
        return terrain

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north; m."""
        return self.grid.bounds

    def clip(self, bounds: Bounds) -> Terrain:
        """Return the part that `bounds` touch, whole cells."""
        grid, size = self.grid, self.grid.cell_size
        west, south, east, north = bounds
        slack = 1e-6
        first_row = max(0, math.floor((grid.north - north) / size + slack))
        last_row = min(grid.rows, math.ceil((grid.north - south) / size - slack))
        first_col = max(0, math.floor((west - grid.west) / size + slack))
        last_col = min(grid.cols, math.ceil((east - grid.west) / size - slack))
        if last_row <= first_row or last_col <= first_col:
            raise InputError(_apart(grid.bounds, bounds, grid.crs))
        part = self.elevation[first_row:last_row, first_col:last_col]
        north, west = grid.north - first_row * size, grid.west + first_col * size
        return Terrain(
            np.ascontiguousarray(part),
            Grid(grid.crs, west, north, size, (part.shape[0], part.shape[1])),
            self.vertical_datum,
        )

    def sample(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Interpolate the elevation at points, bilinearly between cell centres.

        Neighbours without data do not count; NaN where the cell that holds the point has none, and
        outside.
        """
        east, north = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        grid, z = self.grid, self.elevation
        out = np.full(east.shape, np.nan)
        inside = grid.contains(east, north)
        row, col = grid.index(east[inside], north[inside])
        # position among cell centres; half a cell at the edge takes the edge's value
        u = np.clip((east[inside] - grid.west) / grid.cell_size - 0.5, 0, grid.cols - 1)
        v = np.clip((grid.north - north[inside]) / grid.cell_size - 0.5, 0, grid.rows - 1)
        left, top = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        right, bottom = np.minimum(left + 1, grid.cols - 1), np.minimum(top + 1, grid.rows - 1)
        a, b = u - left, v - top
        total, weight = np.zeros(u.shape), np.zeros(u.shape)
        for rows, cols, share in (
            (top, left, (1 - a) * (1 - b)),
            (top, right, a * (1 - b)),
            (bottom, left, (1 - a) * b),
            (bottom, right, a * b),
        ):
            value = z[rows, cols].astype(np.float64)
            known = np.isfinite(value)
            total += np.where(known, value, 0.0) * share
            weight += np.where(known, share, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[inside] = np.where(np.isfinite(z[row, col]), total / weight, np.nan)
        return out

    def on(self, grid: Grid) -> npt.NDArray[np.float64]:
        """Bring the terrain onto `grid`: averaged over larger cells, interpolated onto smaller.

        NaN where less than half of a cell (or, on smaller cells, not the centre) has data.
        """
        if not same_crs(grid.crs, self.grid.crs):
            raise CRSError(
                f"The terrain is in {self.grid.crs}, the grid in {grid.crs}. "
                "Make the grid with City.grid, or read the terrain with crs=."
            )
        if grid.cell_size > self.grid.cell_size * (1 + 1e-9):
            return resample(self.elevation, self.grid, grid)
        if _aligned(grid, self.grid):
            return _cut(self.elevation, self.grid, grid)
        return self.sample(grid.x[np.newaxis, :], grid.y[:, np.newaxis])


def survey(path: str | os.PathLike[str], *, source_crs: str | None = None) -> tuple[CRS, Bounds]:
    """Return system and bounds of a raster without reading its cells."""
    file = existing_file(Path(path), what="terrain")
    with _opened(file) as dataset:
        extent = _extent(dataset.transform, dataset.height, dataset.width)
        return _system(dataset, file, source_crs), extent


def resample(
    values: npt.NDArray[Any], source: Grid, target: Grid, *, needed: float = 0.5
) -> npt.NDArray[np.float64]:
    """Average `values` of `source` over the cells of `target`, weighted by area.

    The weights are separable, so two sparse products do it exactly. Cells of which less than the
    share `needed` has data become NaN.
    """
    size, step = target.cell_size, source.cell_size
    down = _overlaps(source.north - target.north, size, target.rows, step, source.rows)
    across = _overlaps(target.west - source.west, size, target.cols, step, source.cols)
    known = np.isfinite(values)
    total = down @ np.where(known, values, 0.0).astype(np.float64) @ across.T
    weight = down @ known.astype(np.float64) @ across.T
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / weight
    mean[weight < needed * target.cell_area * (1 - 1e-9)] = np.nan
    return mean


def _overlaps(
    start: float, size: float, count: int, step: float, cells: int
) -> scipy.sparse.csr_array:
    """Return the lengths that `count` intervals share with `cells` source intervals, m.

    The first run from `start` in lengths of `size`, the others from 0 in lengths of `step`.
    """
    import scipy.sparse

    edges = start + np.arange(count + 1) * size
    first = np.clip(np.floor(edges[:-1] / step).astype(np.int64), 0, cells)
    last = np.clip(np.ceil(edges[1:] / step).astype(np.int64), 0, cells)
    number = np.maximum(last - first, 0)
    row = np.repeat(np.arange(count), number)
    offset = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    col = first[row] + offset
    low = np.maximum(edges[row], col * step)
    high = np.minimum(edges[row + 1], (col + 1) * step)
    shared = np.maximum(high - low, 0.0)
    return scipy.sparse.csr_array((shared, (row, col)), shape=(count, cells))


def _aligned(a: Grid, b: Grid) -> bool:
    """Say whether the cells of two grids coincide."""
    tolerance = 1e-6
    west, north = (a.west - b.west) / b.cell_size, (b.north - a.north) / b.cell_size
    return (
        abs(a.cell_size / b.cell_size - 1) < 1e-9
        and abs(west - round(west)) < tolerance
        and abs(north - round(north)) < tolerance
    )


def _cut(values: npt.NDArray[Any], source: Grid, target: Grid) -> npt.NDArray[np.float64]:
    """Copy the cells of `target` out of an aligned, maybe smaller, `source`."""
    row = round((source.north - target.north) / source.cell_size)
    col = round((target.west - source.west) / source.cell_size)
    out = np.full(target.shape, np.nan)
    top, left = max(0, -row), max(0, -col)
    bottom = min(target.rows, source.rows - row)
    right = min(target.cols, source.cols - col)
    if bottom > top and right > left:
        out[top:bottom, left:right] = values[row + top : row + bottom, col + left : col + right]
    return out


@contextmanager
def _opened(file: Path) -> Iterator[DatasetReader]:
    """Open a raster; whatever GDAL says while it is open becomes one `InputError`."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(file) as dataset:
                yield dataset
    except (RasterioError, OSError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200].rstrip(".")
        raise InputError(
            f"terrain: {file} ({size_text(file)}) cannot be read: it is damaged, cut short, or "
            f"not a raster ({reason}). Fetch or export it again; `gdalinfo -checksum` tells "
            "whether a copy is whole."
        ) from error


def _system(dataset: DatasetReader, file: Path, stated: str | None) -> CRS:
    """Return the raster's reference system, once it is clear that it is terrain that lies in it."""
    if dataset.count >= 3 and dataset.dtypes[0] == "uint8":
        raise InputError(
            f"terrain: {file} has {dataset.count} bands of bytes: a picture, no elevation. "
            "Give a raster of one band in metres."
        )
    t = dataset.transform
    # GDAL counts cells (a damaged .img: from half a cell aside) where it knows no coordinates
    if (t.a, t.b, t.d, t.e) == (1, 0, 0, 1) and abs(t.c) <= 1 and abs(t.f) <= 1:
        raise InputError(
            f"terrain: {file} is not georeferenced: it does not say where its cells lie. "
            "It may be cut short; fetch it again, or export it with its georeference (GeoTIFF)."
        )
    if stated is not None:
        return parse_crs(stated, where=f"terrain: {file}")
    if dataset.crs is None:
        raise CRSError(
            f"terrain: {file} does not say its coordinate reference system. Write it into the "
            "file (gdal_edit.py -a_srs EPSG:… file), or give it: Source(path, crs='EPSG:…')."
        )
    return parse_crs(dataset.crs, where=f"terrain: {file}")


def _read(
    dataset: DatasetReader, file: Path, system: CRS, wanted: str | None, bounds: Bounds | None
) -> tuple[npt.NDArray[np.float32], Any]:
    """Read the part that is wanted, north up unless the raster is rotated; NaN for no data."""
    from affine import Affine
    from rasterio.windows import Window

    extent = _extent(dataset.transform, dataset.height, dataset.width)
    check_bounds(extent, system, what=f"terrain: {file}")
    window = Window(0, 0, dataset.width, dataset.height)
    if bounds is not None:
        window = _window(dataset, transform_bounds(bounds, wanted or system, system), extent)
    if window.width * window.height > MOST_CELLS:
        raise InputError(
            f"terrain: {file} has {dataset.width} × {dataset.height} cells, too many to read at "
            "once. Give bounds, or coarsen it first (gdalwarp -tr)."
        )
    data = dataset.read(1, window=window, masked=True)
    scale, offset, metre = dataset.scales[0], dataset.offsets[0], _metres(dataset, system)
    elevation = np.ma.filled(data.astype(np.float32), np.nan)
    if (scale, offset, metre) != (1.0, 0.0, 1.0):
        elevation = ((elevation * scale + offset) * metre).astype(np.float32)
    elevation[~((elevation > LOWEST) & (elevation < HIGHEST))] = np.nan
    t, col, row = dataset.transform, window.col_off, window.row_off
    west, north = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
    if t.e > 0 and t.b == t.d == 0:  # stored from the south up
        elevation = elevation[::-1]
        north += t.e * elevation.shape[0]
        t = Affine(t.a, 0.0, west, 0.0, -t.e, north)
    transform = Affine(t.a, t.b, west, t.d, t.e, north)
    return np.ascontiguousarray(elevation), transform


def _metres(dataset: DatasetReader, system: CRS) -> float:
    """Return the unit of the elevations in metres: the band's, else that of the vertical system."""
    unit = (dataset.units[0] or "").strip().lower()
    if unit in _FEET:
        return _FEET[unit]
    vertical = [part for part in system.sub_crs_list if part.is_vertical]
    if not unit and vertical:
        return float(vertical[0].axis_info[0].unit_conversion_factor)
    return 1.0


def _window(dataset: DatasetReader, part: Bounds, extent: Bounds) -> Window:
    """Return the cells that a box of the raster's own system touches, and two more around them."""
    from rasterio.windows import Window

    west, south, east, north = part
    if west >= extent[2] or east <= extent[0] or south >= extent[3] or north <= extent[1]:
        raise InputError(_apart(extent, part, crs_name(dataset.crs) if dataset.crs else "its CRS"))
    inverse = ~dataset.transform
    corners = [(x, y) for x in (west, east) for y in (south, north)]
    cols = [inverse.a * x + inverse.b * y + inverse.c for x, y in corners]
    rows = [inverse.d * x + inverse.e * y + inverse.f for x, y in corners]
    left, right = max(0, math.floor(min(cols)) - 2), min(dataset.width, math.ceil(max(cols)) + 2)
    top, bottom = max(0, math.floor(min(rows)) - 2), min(dataset.height, math.ceil(max(rows)) + 2)
    return Window(left, top, right - left, bottom - top)


def _north_up_squares(transform: Any) -> bool:
    return (
        transform.b == transform.d == 0
        and transform.a > 0
        and abs(transform.a + transform.e) <= 1e-6 * transform.a
    )


def _warp(
    elevation: npt.NDArray[np.float32], transform: Any, source: CRS, target: str
) -> tuple[npt.NDArray[np.float32], Any]:
    """Resample onto square cells, north up, in `target`; about as fine as the source."""
    from pyproj import Transformer
    from rasterio.warp import Resampling, reproject

    rows, cols = elevation.shape
    horizontal = source.sub_crs_list[0] if source.is_compound else source
    wkt = horizontal.to_wkt()
    # the shorter edge of the cell in the middle, in metres
    place = Transformer.from_crs(horizontal, target, always_xy=True)
    col, row = cols / 2 + np.array([0, 1, 0]), rows / 2 + np.array([0, 0, 1])
    x, y = place.transform(
        transform.a * col + transform.b * row + transform.c,
        transform.d * col + transform.e * row + transform.f,
    )
    size = float(np.hypot(x[1:] - x[0], y[1:] - y[0]).min())
    box = transform_bounds(_extent(transform, rows, cols), horizontal, target)
    grid = Grid.from_bounds(target, box, size)
    out = np.full(grid.shape, np.nan, dtype=np.float32)
    reproject(
        elevation,
        out,
        src_transform=transform,
        src_crs=wkt,
        src_nodata=np.nan,
        dst_transform=grid.transform,
        dst_crs=target,
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
    )
    return out, grid.transform


def _extent(transform: Any, rows: int, cols: int) -> Bounds:
    """Return the box around a raster, however it is turned."""
    col, row = np.array([0, 0, cols, cols]), np.array([0, rows, 0, rows])
    east = transform.a * col + transform.b * row + transform.c
    north = transform.d * col + transform.e * row + transform.f
    return (float(east.min()), float(north.min()), float(east.max()), float(north.max()))


def _apart(extent: Bounds, bounds: Bounds, crs: str) -> str:
    has = ", ".join(f"{v:.10g}" for v in extent)
    asked = ", ".join(f"{v:.10g}" for v in bounds)
    return (
        f"The terrain does not reach the bounds asked for: it covers ({has}), asked for were "
        f"({asked}), west, south, east, north in {crs}. Check the bounds and the systems of both."
    )

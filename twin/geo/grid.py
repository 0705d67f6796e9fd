"""The raster that simulations run on: square cells, north up, row 0 in the north."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.errors import GeometryError

if TYPE_CHECKING:
    from affine import Affine

__all__ = ["Grid"]

FloatArray = npt.NDArray[np.float64]

#: Most cells of a grid: 16 GB for one field in float64.
MOST_CELLS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the cells of an array ``[row, col]`` lie.

    Parameters
    ----------
    crs
        Projected reference system in metres, as an authority string ("EPSG:32651") or WKT.
    west, north
        Coordinates of the outer corner of cell ``[0, 0]``, m.
    cell_size
        Edge of a cell, m.
    shape
        Rows and columns. Row 0 is the northern row, as in GeoTIFF.

    Examples
    --------
    >>> grid = Grid.from_bounds("EPSG:32651", (0.0, 0.0, 100.0, 50.0), 10.0)
    >>> grid.shape
    (5, 10)
    >>> grid.bounds
    (0.0, 0.0, 100.0, 50.0)
    """

    crs: str
    west: float
    north: float
    cell_size: float
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cell_size) and self.cell_size > 0):
            raise GeometryError(f"A grid needs a cell size above 0 m, not {self.cell_size!r}.")
        if self.shape[0] < 1 or self.shape[1] < 1:
            raise GeometryError(f"A grid needs at least one row and column, not {self.shape!r}.")

    @classmethod
    def from_bounds(
        cls, crs: str, bounds: tuple[float, float, float, float], cell_size: float
    ) -> Grid:
        """Cover `bounds` (west, south, east, north; m) with cells, growing east and south.

        The north-western corner is kept; a remainder smaller than a thousandth of a cell adds none.
        """
        west, south, east, north = bounds
        if not (east > west and north > south):
            raise GeometryError(f"Bounds must be (west, south, east, north), not {bounds!r}.")
        if not (math.isfinite(cell_size) and cell_size > 0):
            raise GeometryError(f"A grid needs a cell size above 0 m, not {cell_size!r}.")
        cols = max(1, math.ceil((east - west) / cell_size - 1e-3))
        rows = max(1, math.ceil((north - south) / cell_size - 1e-3))
        if rows * cols > MOST_CELLS:
            raise GeometryError(
                f"Cells of {cell_size:g} m on {east - west:g} m × {north - south:g} m make "
                f"{rows:,} × {cols:,} of them, more than any machine holds; choose larger cells."
            )
        return cls(crs, float(west), float(north), float(cell_size), (rows, cols))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.shape[0]

    @property
    def cols(self) -> int:
        """Number of columns."""
        return self.shape[1]

    @property
    def cell_area(self) -> float:
        """Area of a cell, m²."""
        return self.cell_size**2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north; m."""
        return (
            self.west,
            self.north - self.rows * self.cell_size,
            self.west + self.cols * self.cell_size,
            self.north,
        )

    @property
    def x(self) -> FloatArray:
        """Easting of the cell centres, one for each column, m."""
        x: FloatArray = self.west + (np.arange(self.cols, dtype=np.float64) + 0.5) * self.cell_size
        return x

    @property
    def y(self) -> FloatArray:
        """Northing of the cell centres, one for each row, from north to south, m."""
        y: FloatArray = self.north - (np.arange(self.rows, dtype=np.float64) + 0.5) * self.cell_size
        return y

    @property
    def transform(self) -> Affine:
        """The affine transform from (column, row) to (x, y), as rasterio uses it."""
        from affine import Affine

        return Affine(self.cell_size, 0.0, self.west, 0.0, -self.cell_size, self.north)

    def index(
        self, x: npt.ArrayLike, y: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return row and column of the cell that holds each point; may lie outside `shape`."""
        col = np.floor((np.asarray(x, float) - self.west) / self.cell_size).astype(np.int64)
        row = np.floor((self.north - np.asarray(y, float)) / self.cell_size).astype(np.int64)
        return row, col

    def contains(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say for each point whether a cell holds it."""
        row, col = self.index(x, y)
        inside: npt.NDArray[np.bool_] = (
            (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)
        )
        return inside

    def sample(
        self, values: npt.NDArray[Any], x: npt.ArrayLike, y: npt.ArrayLike
    ) -> npt.NDArray[Any]:
        """Return the value of the cell that holds each point; NaN outside the grid."""
        row, col = self.index(x, y)
        inside = self.contains(x, y)
        out = np.full(np.shape(row), np.nan)
        out[inside] = values[row[inside], col[inside]]
        return out

    def rasterize(
        self,
        geometries: Iterable[Any],
        values: Sequence[float] | npt.NDArray[Any] | float = 1.0,
        *,
        fill: float = 0.0,
        all_touched: bool = False,
    ) -> FloatArray:
        """Burn shapes into an array of this grid; later shapes win where they overlap.

        Parameters
        ----------
        geometries
            Shapely geometries in the grid's CRS.
        values
            One value for each geometry, or one for all.
        fill
            Value of the cells that no geometry reaches.
        all_touched
            Take every cell that a shape touches, instead of those whose centre it covers (lines:
            those on Bresenham's path).
        """
        from rasterio.features import rasterize

        shapes = list(geometries)
        burnt = np.broadcast_to(np.asarray(values, float), (len(shapes),))
        pairs = [(g, float(v)) for g, v in zip(shapes, burnt, strict=True) if g and not g.is_empty]
        if not pairs:
            return np.full(self.shape, fill, dtype=np.float64)
        out: FloatArray = rasterize(
            pairs,
            out_shape=self.shape,
            transform=self.transform,
            fill=fill,
            all_touched=all_touched,
            dtype="float64",
        )
        return out

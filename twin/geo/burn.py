"""Burn the city's objects into the cells of a grid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

from twin.geo.grid import Grid

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["defend", "line_cells", "lower_to", "owners"]

FloatArray = npt.NDArray[np.float64]
Cells = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def line_cells(grid: Grid, line: Any) -> Cells:
    """Return the cells that a line runs through, each sharing an edge with the next.

    The line is followed from one grid line that it crosses to the next; each crossing moves by one
    row or one column, never both. So no path of cells, not even over corners, leaks through it.
    Cells outside the grid are left out.

    Parameters
    ----------
    line
        LineString in the grid's system.

    Returns
    -------
    rows, cols
        Along the line; a cell occurs as often as the line enters it.
    """
    xy = shapely.get_coordinates(line)
    points = np.column_stack([(grid.north - xy[:, 1]), (xy[:, 0] - grid.west)]) / grid.cell_size
    cells = np.floor(points).astype(np.int64)
    delta = np.diff(points, axis=0)
    moves = np.diff(cells, axis=0)
    order, step = [], []
    for axis in (0, 1):
        count = np.abs(moves[:, axis])
        segment = np.repeat(np.arange(len(moves)), count)
        k = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        sign = np.sign(moves[segment, axis])
        # grid lines in the order they are crossed, and where along the segment that happens
        crossed = cells[segment, axis] + np.where(sign > 0, k + 1, -k)
        along = (crossed - points[segment, axis]) / delta[segment, axis]
        order.append(np.column_stack([segment, along]))
        step.append(np.column_stack([sign * (axis == 0), sign * (axis == 1)]))
    crossings, steps = np.concatenate(order), np.concatenate(step)
    steps = steps[np.lexsort((crossings[:, 1], crossings[:, 0]))]
    path = np.vstack([cells[:1], cells[0] + np.cumsum(steps, axis=0)])
    inside = ((path >= 0) & (path < np.asarray(grid.shape))).all(axis=1)
    return path[inside, 0], path[inside, 1]


def defend(
    ground: FloatArray, grid: Grid, defences: gpd.GeoDataFrame, opened: Collection[str]
) -> FloatArray:
    """Return `ground`, raised to the crests of walls and of gates that are closed.

    Parameters
    ----------
    defences
        The city's layer, indexed by id; defences without a crest do nothing.
    opened
        Ids of gates that are open: their cells lie at the sill, or if it is not known at the
        ground, and that also where they are shared with a wall. Cells without data stay so.
    """
    bed = ground.copy()
    for row in defences[defences["crest_m"].notna()].itertuples():
        if row.Index not in opened:
            cells = line_cells(grid, row.geometry)
            bed[cells] = np.where(np.isnan(bed[cells]), np.nan, np.maximum(bed[cells], row.crest_m))
    for gate in defences[defences.index.isin(opened)].itertuples():
        cells = line_cells(grid, gate.geometry)
        known = np.isfinite(ground[cells]) & np.isfinite(gate.sill_m)
        bed[cells] = np.where(known, gate.sill_m, ground[cells])
    return bed


def lower_to(
    bed: FloatArray, grid: Grid, polygons: Sequence[Any], levels: npt.ArrayLike
) -> FloatArray:
    """Return `bed`, lowered to at most the level of each polygon in the cells that it covers.

    A cell belongs to a polygon that covers its centre; a polygon that covers none takes all cells
    that it touches. Levels that are NaN leave the bed as it is.
    """
    values = np.asarray(levels, float)
    shapes = np.asarray(polygons, dtype=object)
    known = np.isfinite(values)
    # the lowest last, so that it wins where polygons overlap
    order = np.argsort(-values[known], kind="stable")
    shapes, values = shapes[known][order], values[known][order]
    cells = owners(grid, shapes)
    level = np.concatenate([[np.inf], values])[cells]
    for k in np.setdiff1d(np.arange(1, len(shapes) + 1), cells):
        if not owners(grid, shapes[k - 1 : k]).any():
            touched = grid.rasterize(
                shapes[k - 1 : k], values[k - 1], fill=np.inf, all_touched=True
            )
            level = np.minimum(level, touched)
    return np.where(np.isnan(bed), np.nan, np.minimum(bed, level))


def owners(grid: Grid, polygons: Sequence[Any]) -> npt.NDArray[np.int32]:
    """Return for each cell the 1-based position of the polygon over its centre, 0 for none.

    Where polygons overlap the later one wins.
    """
    from rasterio.features import rasterize

    shapes = np.asarray(polygons, dtype=object)
    west, south, east, north = grid.bounds
    box = shapely.bounds(shapes).reshape(-1, 4)
    near = (box[:, 0] < east) & (box[:, 2] > west) & (box[:, 1] < north) & (box[:, 3] > south)
    if not near.any():
        return np.zeros(grid.shape, dtype=np.int32)
    pairs = [(shapes[k], k + 1) for k in np.flatnonzero(near)]
    cells: npt.NDArray[np.int32] = rasterize(
        pairs, out_shape=grid.shape, transform=grid.transform, fill=0, dtype="int32"
    )
    return cells

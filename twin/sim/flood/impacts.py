"""What the water does to buildings, streets and underpasses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

from twin.geo.grid import Grid
from twin.sim.flood.hazard import HAZARD_CLASSES, defra_class

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["CLOSED_DEPTH", "Watch", "around_buildings", "cells_along", "cells_inside"]

#: A street deeper in water than this is closed, m: cars float or stall (Pregnolato et al. 2017,
#: Transp. Res. D 55).
CLOSED_DEPTH = 0.3

Owned = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def cells_along(grid: Grid, lines: Iterable[Any], usable: npt.NDArray[np.bool_]) -> Owned:
    """Return owner, row and column of the usable cells under each line."""
    owners, rows, cols = [], [], []
    for k, line in enumerate(lines):
        dense = shapely.get_coordinates(shapely.segmentize(line, 0.5 * grid.cell_size))
        found = _unique_cells(grid, dense, usable)
        owners.append(np.full(len(found), k))
        rows.append(found[:, 0])
        cols.append(found[:, 1])
    return _joined(owners, rows, cols)


def cells_inside(grid: Grid, polygons: Iterable[Any], usable: npt.NDArray[np.bool_]) -> Owned:
    """Return owner, row and column of the usable cells in each polygon; at least its middle's."""
    owners, rows, cols = [], [], []
    for k, polygon in enumerate(polygons):
        r, c = np.nonzero((grid.rasterize([polygon]) > 0) & usable)
        if not len(r):
            middle = shapely.get_coordinates(shapely.point_on_surface(polygon))
            r, c = _unique_cells(grid, middle, usable).T
        owners.append(np.full(len(r), k))
        rows.append(r)
        cols.append(c)
    return _joined(owners, rows, cols)


def around_buildings(
    grid: Grid,
    footprints: Iterable[Any],
    owner: npt.NDArray[np.int32],
    usable: npt.NDArray[np.bool_],
) -> Owned:
    """Return owner, row and column of the usable cells that touch each building's cells.

    A building too small to own a cell is met in the cell at its middle.
    """
    rows, cols = owner.shape
    padded = np.zeros((rows + 2, cols + 2), owner.dtype)
    padded[1:-1, 1:-1] = owner
    free = np.argwhere(usable & (owner == 0))
    found = []
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            near = padded[free[:, 0] + down, free[:, 1] + right]
            hit = near > 0
            found.append(np.column_stack([near[hit].astype(np.int64) - 1, free[hit]]))
    small = np.setdiff1d(np.arange(len(shapes := list(footprints))), np.unique(owner) - 1)
    for k in small:
        middle = shapely.get_coordinates(shapely.point_on_surface(shapes[k]))
        here = _unique_cells(grid, middle, usable)
        found.append(np.column_stack([np.full(len(here), k), here]))
    table = np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 3), np.int64)
    return table[:, 0], table[:, 1], table[:, 2]


def _unique_cells(
    grid: Grid, points: npt.NDArray[np.float64], usable: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    inside = points[grid.contains(points[:, 0], points[:, 1])]
    row, col = grid.index(inside[:, 0], inside[:, 1])
    keep = usable[row, col]
    return np.unique(np.column_stack([row[keep], col[keep]]), axis=0)


def _joined(owners: list[Any], rows: list[Any], cols: list[Any]) -> Owned:
    def join(parts: list[Any]) -> npt.NDArray[np.int64]:
        return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)

    return join(owners), join(rows), join(cols)


def worst(owned: Owned, values: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    """Return the largest value in the cells of each owner, 0 where it has none."""
    out = np.zeros(count)
    np.maximum.at(out, owned[0], values[owned[1], owned[2]])
    return out


def first(owned: Owned, times: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    """Return the earliest time in the cells of each owner, NaN where there is none."""
    out = np.full(count, np.inf)
    np.fmin.at(out, owned[0], times[owned[1], owned[2]].astype(np.float64))
    return np.where(np.isfinite(out), out, np.nan)


class Watch:
    """Keeps what happens to things that water closes: streets and underpasses.

    Parameters
    ----------
    frame
        The things; indexed by id.
    owned
        The cells of each.
    """

    def __init__(self, frame: gpd.GeoDataFrame, owned: Owned) -> None:
        self.frame = frame
        self.owned = owned
        count = len(frame)
        self.closed = np.zeros(count, np.bool_)
        self.closed_from = np.full(count, np.nan)
        self.reopened = np.full(count, np.nan)
        self.closed_for = np.zeros(count)

    def look(self, start: float, time: float, depth: npt.NDArray[np.floating]) -> None:
        """Take the depths at the end of an interval; what was closed before was so all along."""
        self.closed_for[self.closed] += time - start
        now = worst(self.owned, depth, len(self.frame)) > CLOSED_DEPTH
        self.closed_from[now & np.isnan(self.closed_from)] = time
        self.reopened[self.closed & ~now] = time
        self.reopened[now] = np.nan
        self.closed = now

    @property
    def state(self) -> npt.NDArray[np.float64]:
        """What `restore` takes up."""
        return np.vstack(
            [self.closed.astype(float), self.closed_from, self.reopened, self.closed_for]
        )

    def restore(self, state: npt.NDArray[np.float64]) -> None:
        """Go on from a kept `state`."""
        self.closed = state[0].astype(np.bool_)
        self.closed_from, self.reopened, self.closed_for = (row.copy() for row in state[1:])

    def table(self, peaks: Peaks, columns: tuple[str, ...]) -> pd.DataFrame:
        """Return one row for each thing: its own `columns`, then what happened to it."""
        rows = impact_table(self.frame, self.owned, peaks, columns)
        return rows.assign(
            closed_from_s=self.closed_from, reopened_s=self.reopened, closed_s=self.closed_for
        )


Peaks = dict[str, npt.NDArray[np.floating]]


def impact_table(
    frame: gpd.GeoDataFrame, owned: Owned, peaks: Peaks, columns: tuple[str, ...]
) -> pd.DataFrame:
    """Return one row for each thing: its own `columns`, then what the water was there.

    Parameters
    ----------
    peaks
        Maps "max_depth", "max_speed", "max_hazard" and "arrival_time".
    """
    import pandas as pd

    count = len(frame)
    rows = pd.DataFrame({"id": frame.index.astype(str), **{c: frame[c].array for c in columns}})
    hazard = worst(owned, peaks["max_hazard"], count)
    return rows.assign(
        max_depth_m=worst(owned, peaks["max_depth"], count),
        max_speed_m_s=worst(owned, peaks["max_speed"], count),
        max_hazard=hazard,
        arrival_s=first(owned, peaks["arrival_time"], count),
        **{"class": np.asarray(HAZARD_CLASSES, dtype=object)[defra_class(hazard)]},
    )

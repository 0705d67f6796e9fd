"""Who is near whom: people sorted into the cells of a torus.

The plane is covered with square cells, folded onto a table of a fixed number of rows and columns,
so that the table is as large as the crowd and not as large as the city. People far apart that fall
into the same cell of the table cost a look at their distance, nothing else.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["CELL", "Torus", "make_torus", "sort_into_cells"]

#: Edge of a cell, m: about half the distance at which walkers mind each other.
CELL = 0.8


class Torus(NamedTuple):
    """The table: `start` of each cell's people in sorted order, and its size (powers of two)."""

    start: npt.NDArray[np.int32]
    rows: int
    cols: int


def make_torus(people: int) -> Torus:
    """Return a table with about two to four cells for each person."""
    bits = max(10, math.ceil(math.log2(max(people, 1))) + 1)
    rows, cols = 1 << (bits // 2), 1 << (bits - bits // 2)
    return Torus(np.zeros(rows * cols + 1, np.int32), rows, cols)


@njit(cache=True, nogil=True)
def sort_into_cells(start, rows, cols, count, walkers, order):  # type: ignore[no-untyped-def]
    """Sort the first `count` walkers by cell, stably: `order` lists their places."""
    start[:] = 0
    for a in range(count):
        start[_place(walkers[a], rows, cols) + 1] += 1
    for c in range(rows * cols):
        start[c + 1] += start[c]
    for a in range(count):
        c = _place(walkers[a], rows, cols)
        order[start[c]] = a
        start[c] += 1
    for c in range(rows * cols, 0, -1):
        start[c] = start[c - 1]
    start[0] = 0


@njit(cache=True, nogil=True)
def _place(walker, rows, cols):  # type: ignore[no-untyped-def]
    """Return the cell of the table that a walker falls into."""
    col = np.int64(math.floor(walker.x / CELL)) & (cols - 1)
    row = np.int64(math.floor(walker.y / CELL)) & (rows - 1)
    return row * cols + col

"""The tiles that a step is computed in, and which of them have anything to compute."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from twin.sim.flood.kernels import INERT
from twin.sim.flood.scratch import PAD, SCRATCH, TILE_COLS, TILE_ROWS

__all__ = ["Tiles"]

#: Below this a second thread costs more than it brings, the more so on a busy machine.
CELLS_PER_THREAD = 8192


class Tiles:
    """A grid cut into tiles; dry ones with dry neighbours are left alone.

    Parameters
    ----------
    shape
        Rows and columns of the domain.
    dtype
        Precision of the kernels.
    """

    def __init__(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        rows, cols = shape
        tops, lefts = range(0, rows, TILE_ROWS), range(0, cols, TILE_COLS)
        #: first padded row and column, rows, columns
        self.places = np.array(
            [
                (r + PAD, c + PAD, min(TILE_ROWS, rows - r), min(TILE_COLS, cols - c))
                for r in tops
                for c in lefts
            ],
            np.int64,
        )
        self._shape = (len(tops), len(lefts))
        #: of each tile, as the last step left them: largest sum of speeds, m/s, and largest depth
        #: anywhere and in the two outermost lines in the west, east, north and south, m
        self.fast = np.zeros(len(self.places), dtype)
        self.deep = np.zeros((len(self.places), 5), dtype)
        self._busy = np.ones(self._shape, np.bool_)
        threads: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        self.scratch = np.zeros((threads, SCRATCH), dtype)

    def threads(self, active: npt.NDArray[np.bool_], allowed: int) -> int:
        """Return how many threads are worth waking: few cells are soonest done by one."""
        cells = int((self.places[active, 2] * self.places[active, 3]).sum())
        return max(1, min(allowed, cells // CELLS_PER_THREAD))

    def measure(self, fast: npt.NDArray[Any], depth: npt.NDArray[Any]) -> None:
        """Take speeds and depths of the whole domain, for the first step."""
        for i, (row, col, rows, cols) in enumerate(self.places - [PAD, PAD, 0, 0]):
            here = np.s_[row : row + rows, col : col + cols]
            h = depth[here]
            self.fast[i] = fast[here].max()
            self.deep[i] = [e.max() for e in (h, h[:, :2], h[:, -2:], h[:2], h[-2:])]

    def touch(self, rows: Any = slice(None), cols: Any = slice(None)) -> None:
        """Have the next step compute the tiles of these cells, or all, whatever their water."""
        whole = isinstance(rows, slice)
        at = (rows, cols) if whole else (rows // TILE_ROWS, cols // TILE_COLS)
        self._busy[at] = True

    def active(self, *, raining: bool, sides: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return the tiles to compute, and count the step as done.

        They are those with water in them or at their edge in a neighbour, at a side of `sides`
        (west, east, north, south) or in the rain; and those for which this was so one step ago,
        since the two states between which the kernels alternate may still differ there.
        """
        if raining:
            self._busy[...] = True
            return self._busy.ravel()
        wet = (self.deep > INERT).reshape(*self._shape, 5)
        wide = wet[..., 0].copy()
        wide[:, :-1] |= wet[:, 1:, 1]
        wide[:, 1:] |= wet[:, :-1, 2]
        wide[:-1] |= wet[1:, :, 3]
        wide[1:] |= wet[:-1, :, 4]
        edges: tuple[Any, ...] = (np.s_[:, 0], np.s_[:, -1], np.s_[0], np.s_[-1])
        for forced, edge in zip(sides, edges, strict=True):
            if forced:
                wide[edge] = True
        active = (wide | self._busy).ravel()
        self._busy = wide
        return active

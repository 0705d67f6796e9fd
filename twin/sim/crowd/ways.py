"""The ways out of a place: a potential for every destination in use, kept up to date.

Two things change them: fields of the surroundings (water on the ground), and queues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.geo.grid import Grid
from twin.sim.crowd.congestion import slowed
from twin.sim.crowd.exits import Seeds
from twin.sim.crowd.floor_field import SLOWEST, directions, solve
from twin.sim.crowd.kernels import WALKING, cells_of
from twin.sim.crowd.lattice import INSIDE, Ground, Lattice, cell_centres
from twin.sim.crowd.surfaces import Surface

__all__ = ["ANY", "Ways"]

#: The destination of those who take whichever exit is quickest.
ANY = -1
#: A change of the ground by less than this share of full speed does not change the way taken.
MATERIAL_CHANGE = 0.1


class Ways:
    """Potentials over the cells of all surfaces, and what they are made of.

    Attributes
    ----------
    factor
        Share of full speed that the ground allows now, per cell.
    solved
        The same when the potentials were last solved everywhere.
    delay
        Share of that at which people get on in queues, per cell.
    destinations
        Exit that each potential leads to, or `ANY`.
    phi, ux, uy
        Potential (m) and direction, [destination, cell].
    """

    def __init__(
        self, surfaces: Sequence[Surface], lattice: Lattice, ground: Ground, seeds: list[Seeds]
    ) -> None:
        self.lattice, self.ground, self._seeds = lattice, ground, seeds
        self._dry = np.array([s.speed_factor for s in surfaces], np.float32)[lattice.surface]
        self.factor, self.solved, self._pace = (self._dry.copy() for _ in range(3))
        self.delay = np.ones_like(self._dry)
        outdoor = np.array([s.kind == "outdoor" for s in surfaces])
        self._weathered = np.flatnonzero(outdoor) if outdoor.any() else np.arange(len(surfaces))
        self._heeded = ~outdoor if not outdoor.all() else outdoor
        self._grid_cells: dict[tuple[int, Grid], npt.NDArray[np.int32]] = {}
        self.destinations: list[int] = []
        self.phi, self.ux, self.uy = (np.empty((0, self.factor.size), np.float32) for _ in "123")

    @property
    def as_built(self) -> bool:
        """Whether nothing acts on the ground."""
        return bool(np.array_equal(self.factor, self._dry))

    def to(self, destination: int) -> int:
        """Return the row of the potential that leads to an exit, solving it if it is new."""
        if destination not in self.destinations:
            self.destinations.append(destination)
            row = np.zeros((1, self.factor.size), np.float32)
            self.phi, self.ux, self.uy = (
                np.concatenate([old, row]) for old in (self.phi, self.ux, self.uy)
            )
            self.solve(len(self.destinations) - 1)
        return self.destinations.index(destination)

    def solve(self, f: int, renew: npt.NDArray[np.bool_] | None = None) -> None:
        """Solve a potential, on all surfaces or on those to be renewed."""
        if renew is None:
            renew = np.ones(self.ground.windows.size, np.bool_)
        exit_ = self.destinations[f]
        chosen = self._seeds if exit_ == ANY else [self._seeds[exit_]]
        cells = np.concatenate([c for c, _ in chosen])
        values = np.concatenate([v for _, v in chosen])
        for s in np.flatnonzero(renew):
            window = self.window(int(s))
            free = self.solved[window]
            # a queue makes no way impassable
            pace = np.maximum(free * self.delay[window], np.float32(1.01 * SLOWEST))
            self._pace[window] = np.where(free < SLOWEST, free, pace)
        solve(self.lattice, self._pace, cells, values, renew, self.phi[f])
        directions(self.lattice, self.phi[f], renew, self.ux[f], self.uy[f])

    def set_factor(self, values: npt.NDArray[Any], grid: Grid, surface: int | None) -> None:
        """Let a share of full speed on a grid act on a surface, or on all outdoors."""
        values = np.asarray(values, dtype=np.float64)
        if values.shape != grid.shape:
            raise SimulationError(
                f"speed_factor has shape {values.shape}, its grid {grid.shape}; they must agree."
            )
        clean = np.nan_to_num(values, nan=1.0)
        if clean.min() < 0.0 or clean.max() > 1.0:
            raise SimulationError(
                f"speed_factor must be between 0 and 1, not {clean.min():g} … {clean.max():g}."
            )
        # one more value at the end is that of cells beyond the grid
        padded = np.append(clean.astype(np.float32).ravel(), np.float32(1.0))
        for s in self._weathered.tolist() if surface is None else [surface]:
            window = self.window(s)
            self.factor[window] = self._dry[window] * padded[self._cells_of_grid(s, grid)]
        changed = np.abs(self.factor - self.solved) > MATERIAL_CHANGE * self._dry
        changed |= (self.factor < SLOWEST) != (self.solved < SLOWEST)
        if (changed & (self.lattice.status == INSIDE)).any():
            self.solved[:] = self.factor
            for f in range(len(self.destinations)):
                self.solve(f)

    def look_around(
        self, people: npt.NDArray[np.void], moved: npt.NDArray[np.float64], seconds: float
    ) -> None:
        """Find the ways anew from how far people have `moved` (m) in the last `seconds`."""
        here = np.isfinite(moved) & (people["state"] == WALKING)
        if not here.any() and self.delay.min() == 1.0:
            return
        people, moved = people[here], moved[here]
        cells = cells_of(self.ground, people)
        could = people["speed"] * self.factor[cells] * seconds
        progress = np.minimum(1.0, moved / np.maximum(could, 1e-6))
        for s in np.flatnonzero(self._heeded).tolist():
            window, on = self.window(s), people["surface"] == s
            if on.any() or self.delay[window].min() < 1.0:
                self.delay[window] = slowed(
                    self.delay[window], self.ground, s, cells[on], progress[on]
                )
        for f in range(len(self.destinations)):
            self.solve(f, self._heeded)

    def window(self, s: int) -> slice:
        """Return the cells of a surface."""
        window = self.ground.windows[s]
        first = int(window["first"])
        return slice(first, first + int(window["rows"] * window["cols"]))

    def _cells_of_grid(self, s: int, grid: Grid) -> npt.NDArray[np.int32]:
        """Return for each cell of a surface the flat place of its centre in a grid, or the end."""
        key = (s, grid)
        if key not in self._grid_cells:
            row, col = grid.index(*cell_centres(self.ground, s))
            inside = (row >= 0) & (row < grid.rows) & (col >= 0) & (col < grid.cols)
            flat = np.where(inside, row * grid.cols + col, grid.rows * grid.cols)
            self._grid_cells[key] = flat.astype(np.int32)
        return self._grid_cells[key]

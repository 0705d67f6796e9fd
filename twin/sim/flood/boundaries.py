"""What happens at the four sides of the domain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.errors import InputError, SimulationError, did_you_mean
from twin.sim.flood.edges import DISCHARGE, OPEN, STAGE, WALL, edge_fluxes
from twin.sim.flood.forcing import Forcing, ForcingLike, as_forcing
from twin.sim.flood.kernels import GRAVITY, SOLID
from twin.sim.flood.scratch import PAD
from twin.sim.flood.sweeps import State

__all__ = ["SIDES", "Boundary", "Discharge", "Open", "Sides", "Stage", "Wall"]

#: Sides of the domain, in the order in which kernels number them.
SIDES = ("west", "east", "north", "south")


@dataclass(frozen=True, slots=True)
class Wall:
    """Nothing passes; water is reflected."""

    kind = WALL


@dataclass(frozen=True, slots=True)
class Open:
    """Water leaves as it comes, none enters."""

    kind = OPEN


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A water level outside, as of a river or the sea.

    Acts where the bed at the side lies below it; the rest of the side is a wall.

    Parameters
    ----------
    level
        Water level, m in the bed's datum: a value, ``(times, values)`` or a function of time.
    where
        The cells along the side, from west or north, that it holds for; the rest is a wall. By
        default all.
    """

    level: ForcingLike
    where: npt.NDArray[np.bool_] | None = None
    kind = STAGE


@dataclass(frozen=True, slots=True, eq=False)
class Discharge:
    """Water that enters through a side.

    It is spread as the conveyance of the side's cells, that is by depth^(5/3); over the lowest
    5 cm of the side while that is dry.

    Parameters
    ----------
    flow
        Discharge, m³/s, negative to withdraw: a value, ``(times, values)`` or a function of time.
    where
        The cells along the side, from west or north, that it enters by. By default all.
    """

    flow: ForcingLike
    where: npt.NDArray[np.bool_] | None = None
    kind = DISCHARGE


Boundary = Wall | Open | Stage | Discharge


class Sides:
    """The boundaries of one domain, ready for the kernels.

    Parameters
    ----------
    given
        Boundary of each side; `Wall` where none is given.
    bed
        Padded bed above the kernels' `datum`.
    """

    def __init__(
        self, given: Mapping[str, Boundary], bed: npt.NDArray[np.floating], datum: float
    ) -> None:
        for side, boundary in given.items():
            if side not in SIDES:
                raise InputError(f"Unknown side {side!r}. {did_you_mean(side, SIDES)}")
            if not isinstance(boundary, (Wall, Open, Stage, Discharge)):
                raise InputError(
                    f"The boundary in the {side} must be Wall(), Open(), Stage(…) or "
                    f"Discharge(…), not {boundary!r}."
                )
        self.given = {side: given.get(side, Wall()) for side in SIDES}
        self.forcings: dict[str, Forcing] = {}
        for side, boundary in self.given.items():
            if isinstance(boundary, Stage):
                self.forcings[side] = as_forcing(boundary.level, f"stage in the {side}")
            elif isinstance(boundary, Discharge):
                self.forcings[side] = as_forcing(boundary.flow, f"discharge in the {side}")
        self._datum = datum
        self._kinds = np.array([self.given[s].kind for s in SIDES], np.int64)
        self._values = np.zeros(4)
        #: whether each side has fluxes of its own
        self.forced: npt.NDArray[np.bool_] = self._kinds != WALL
        #: what `edge_fluxes` fills
        self.fluxes = np.zeros((4, 3, max(bed.shape)), bed.dtype)
        #: by side: volume in and out so far, m³
        self.volumes = np.zeros((4, 2))
        self._where = np.zeros((4, max(bed.shape)), np.bool_)
        self._lowest: dict[str, float] = {}
        self._width: dict[str, int] = {}
        self.measure(bed)

    def measure(self, bed: npt.NDArray[np.floating]) -> None:
        """Note where along each side its boundary holds, and how low and wide it is there."""
        core = bed[PAD:-PAD, PAD:-PAD]
        inner = bed[PAD - 1 : -PAD + 1, PAD - 1 : -PAD + 1]
        for i, (lines, ring) in enumerate(
            ((core.T, inner[1:-1].T), (core.T[::-1], inner[1:-1].T[::-1]),
             (core, inner[:, 1:-1]), (core[::-1], inner[::-1, 1:-1]))
        ):  # fmt: skip
            self._lay(i, lines[0])
            if self.given[SIDES[i]].kind == OPEN:
                # the bed goes on outside with its slope, as do the water's depth and velocity
                next_ = lines[min(1, len(lines) - 1)]
                on = 2 * lines[0] - np.where(next_ < SOLID, next_, lines[0])
                ring[0] = np.where(lines[0] < SOLID, on, SOLID)

    def _lay(self, i: int, bed: npt.NDArray[np.floating]) -> None:
        side = SIDES[i]
        given = getattr(self.given[side], "where", None)
        where = np.ones(len(bed), np.bool_) if given is None else np.asarray(given, np.bool_)
        if where.shape != bed.shape:
            raise InputError(
                f"The boundary in the {side} says where it holds for {where.shape} cells, "
                f"but the side has {len(bed)}."
            )
        self._where[i, PAD : PAD + len(bed)] = where
        held = bed[where & (bed < SOLID)]
        self._lowest[side], self._width[side] = float(held.min(initial=np.inf)), len(held)
        if self.given[side].kind == DISCHARGE and not len(held):
            raise InputError(f"The discharge in the {side} has no cell to enter by.")

    def fastest(self, time: float, cell_size: float) -> float:
        """Return the largest sum of speeds that enters through the sides at a time, m/s."""
        found = 0.0
        for side, forcing in self.forcings.items():
            value = float(forcing.mean(time, time))
            if self.given[side].kind == STAGE and self._width[side]:
                depth = max(value - self._datum - self._lowest[side], 0.0)
                found = max(found, 2 * math.sqrt(GRAVITY * depth))
            elif self.given[side].kind == DISCHARGE:
                q = abs(value) / (cell_size * self._width[side])
                found = max(found, 3 * (q * GRAVITY) ** (1 / 3))
        return found

    def fill(self, state: State, bed: Any, start: float, end: float, dx: float) -> None:
        """Compute the fluxes of one step, and book the volumes that they move."""
        if not self.forced.any():
            return
        for side, forcing in self.forcings.items():
            value = float(forcing.mean(start, end))
            if not math.isfinite(value):
                raise SimulationError(f"The boundary in the {side} is {value!r} at {start:g} s.")
            level = self.given[side].kind == STAGE
            self._values[SIDES.index(side)] = value - self._datum if level else value
        edge_fluxes(
            state, bed, self._kinds, self._values, self._where, self.fluxes, end - start, dx,
            self.volumes,
        )  # fmt: skip

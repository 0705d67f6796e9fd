"""What the water meets in a city: bed, buildings, roofs, roughness, gates, standing water."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from twin.errors import InputError, did_you_mean
from twin.geo.grid import Grid

if TYPE_CHECKING:
    from twin.geo.city import City

__all__ = ["Gate", "GateCells", "Ground", "Source", "gate_cells", "lay_ground", "waters"]

#: Height of a building that stands in the water as a raised bed, m: no flood goes over it.
RAISED = 5.0
#: Manning roughness by cover, s m^(−1/3): sealed roads as in the Environment Agency's benchmark
#: test 8A and the Merewether experiment (both 0.02), earth channels in good order 0.025 (Chow 1959,
#: table 5-6), short grass and gardens 0.035 (the same; Merewether takes 0.04, test 8A 0.05).
ROUGHNESS = {"street": 0.02, "water": 0.025, "other": 0.035}


@dataclass(frozen=True, slots=True)
class Gate:
    """When a gate of the city's defences opens.

    Parameters
    ----------
    id
        Of the gate among the city's defences.
    opens
        When it begins to open, s.
    duration
        How long that takes, s; its edge sinks evenly from the crest to the sill.
    """

    id: str
    opens: float
    duration: float = 60.0


@dataclass(frozen=True, slots=True)
class Source:
    """Water that comes in at a point: easting and northing, m, and the discharge, m³/s."""

    x: float
    y: float
    discharge: object


@dataclass(frozen=True, slots=True)
class GateCells:
    """The cells of a gate and their bed when it is shut and when it is open."""

    gate: Gate
    cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    shut: npt.NDArray[np.float64]
    open: npt.NDArray[np.float64]

    def bed(self, time: float) -> npt.NDArray[np.float64]:
        """Return the bed of the gate's cells at a time, s."""
        share = min(1.0, max(0.0, (time - self.gate.opens) / max(self.gate.duration, 1e-9)))
        return self.shut + share * (self.open - self.shut)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a flood runs over.

    Parameters
    ----------
    bed
        m; NaN outside the domain: no data, and buildings that stand as blocks.
    rain
        Share of the rain that a cell gets: 1, and 1 more for each roof cell that drains to it.
    manning
        s m^(−1/3).
    owner
        Building over each cell, as `City.building_cells` counts them.
    water
        Cells of rivers, canals, lakes and docks.
    kept
        Level at which the city keeps the standing water of a cell, m; NaN where there is none.
    """

    bed: npt.NDArray[np.float64]
    rain: npt.NDArray[np.float64]
    manning: npt.NDArray[np.float64]
    owner: npt.NDArray[np.int32]
    water: npt.NDArray[np.bool_]
    kept: npt.NDArray[np.float64]


def lay_ground(
    city: City,
    grid: Grid,
    buildings: Literal["blocks", "raised", "none"],
    manning: float | None,
) -> Ground:
    """Put the city on a grid for a flood, all gates shut.

    Raises
    ------
    InputError
        If `buildings` is none of the ways there are, or no cell is left for water.
    """
    ways = ["blocks", "raised", "none"]
    if buildings not in ways:
        raise InputError(f"Unknown treatment of buildings {buildings!r}. "
                         f"{did_you_mean(buildings, ways)}")  # fmt: skip
    bed = city.bed(grid)
    owner = city.building_cells(grid)
    built = (owner > 0) & np.isfinite(bed)
    rain = np.ones(grid.shape)
    if buildings == "raised":
        bed = np.where(built, bed + RAISED, bed)
    elif buildings == "blocks":
        bed = np.where(built, np.nan, bed)
        if not np.isfinite(bed).any():
            raise InputError("Buildings and missing terrain leave no cell for water to flow over.")
        rain = _shed(built, np.isfinite(bed))
    water = covered(grid, city.water.geometry)
    if manning is None:
        rough = np.full(grid.shape, ROUGHNESS["other"])
        widths = city.streets["width_m"].fillna(6.0).clip(lower=grid.cell_size)
        rough[covered(grid, city.streets.geometry.buffer(0.5 * widths))] = ROUGHNESS["street"]
        rough[water] = ROUGHNESS["water"]
    else:
        rough = np.full(grid.shape, float(manning))
    kept = grid.rasterize(city.water.geometry, city.water["level_m"].to_numpy(), fill=np.nan)
    return Ground(bed, rain, rough, owner, water, kept)


def covered(grid: Grid, shapes: Sequence[object]) -> npt.NDArray[np.bool_]:
    """Return the cells whose centre lies in one of the shapes."""
    found: npt.NDArray[np.bool_] = grid.rasterize(shapes) > 0
    return found


def _shed(roof: npt.NDArray[np.bool_], ground: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Give the rain of each roof cell to the nearest cell of the ground, so that none is lost."""
    from scipy.ndimage import distance_transform_edt

    share = ground.astype(np.float64)
    if roof.any():
        row, col = distance_transform_edt(~ground, return_distances=False, return_indices=True)
        np.add.at(share, (row[roof], col[roof]), 1.0)
    return share


def gate_cells(city: City, grid: Grid, gates: Sequence[Gate]) -> list[GateCells]:
    """Find the cells that each gate closes.

    Raises
    ------
    InputError
        If there is no such gate, or it closes no cell of the grid.
    """
    shut = city.bed(grid)
    found = []
    for gate in gates:
        opened = city.bed(grid, gates_open=[gate.id])
        rows, cols = np.nonzero(opened < shut)
        if not len(rows):
            raise InputError(
                f"The gate {gate.id!r} closes no cell of the flood's grid: it lies outside, its "
                "crest is no higher than the ground, or another defence stands in its place."
            )
        found.append(GateCells(gate, (rows, cols), shut[rows, cols], opened[rows, cols]))
    return found


def waters(ground: Ground, level: float | None, sides: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the depth at which standing water starts, m.

    Waters fill to `level` where they are joined to one of the `sides` through water cells, without
    sides all of them; others (ponds) fill to the level at which the city keeps them, if it says so.
    All else starts dry, however low it lies.
    """
    from scipy.ndimage import label

    bed = ground.bed
    depth = np.where(ground.water & (bed < ground.kept), ground.kept - bed, 0.0)
    if level is None:
        return depth
    wet = ground.water & (bed < level)  # False where NaN
    if sides:
        parts, _ = label(wet)
        edge = {"west": parts[:, 0], "east": parts[:, -1], "north": parts[0], "south": parts[-1]}
        joined = np.unique(np.concatenate([edge[side] for side in sides]))
        wet &= np.isin(parts, joined[joined > 0])
    return np.where(wet, level - bed, depth)

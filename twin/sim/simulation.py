"""What every simulation is: a clock, a state, and a declared table of the fields it exchanges.

A simulation is anything that fulfils `Simulation`. It knows nothing of the others; it names the
fields that it reads and writes, and `twin.sim.coupling` carries them across at the sync points.
A third kind of risk is added by writing one more class that passes ``tests/sim/test_contract.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from twin.geo.grid import Grid

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FieldSpec", "GridField", "Observations", "Results", "Simulation", "Snapshot"]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One row of a simulation's table of fields.

    Parameters
    ----------
    name
        ``"<kind>.<quantity>"``, as in "flood.depth".
    unit
        SI unit.
    long_name
        What it is, in words that a map legend can use.
    standard_name
        CF standard name, where CF has one.
    optional
        Of a field that is read: the simulation also runs without it.
    """

    name: str
    unit: str
    long_name: str
    standard_name: str | None = None
    dtype: str = "float32"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class GridField:
    """An array and the grid it lies on."""

    values: npt.NDArray[Any]
    grid: Grid

    def resample(self, grid: Grid) -> npt.NDArray[Any]:
        """Return the values at the cell centres of another grid of the same CRS; NaN outside."""
        if grid == self.grid:
            return self.values
        x, y = np.meshgrid(grid.x, grid.y)
        return self.grid.sample(self.values, x, y)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a simulation at one time, as it is written and drawn.

    Parameters
    ----------
    time
        Seconds since the scene's start.
    fields
        Gridded quantities by short name ("depth"), always the same names and grid for one
        simulation.
    table
        Things with a place, one a row (the people of a crowd), or None.
    numbers
        Totals at this time by ``"quantity [unit]"`` ("stored volume [m3]").
    """

    time: float
    fields: Mapping[str, GridField]
    table: pd.DataFrame | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    """What a simulation has to say when it is over.

    Parameters
    ----------
    maps
        Gridded results by name ("max_depth"), each with its `FieldSpec`.
    tables
        Tables by name ("impacts", "egress").
    summary
        Figures by plain name, JSON-able.
    headlines
        What a duty officer must know, a sentence each, the gravest first.
    """

    maps: Mapping[str, tuple[FieldSpec, GridField]]
    tables: Mapping[str, pd.DataFrame]
    summary: Mapping[str, Any]
    headlines: tuple[str, ...] = ()


@runtime_checkable
class Observations(Protocol):
    """What a simulation may ask of live readings; the sensor hub fulfils it."""

    def series(
        self, datastream: str, start: float, end: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return times (seconds since the scene's start) and results (SI) in a closed interval."""
        ...


@runtime_checkable
class Simulation(Protocol):
    """The contract; see the module's text."""

    #: Short name, unique within a scene; by default the kind ("flood").
    name: str
    #: Fields taken from others and given to others.
    reads: ClassVar[tuple[FieldSpec, ...]]
    writes: ClassVar[tuple[FieldSpec, ...]]

    @property
    def time(self) -> float:
        """Seconds since the scene's start."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing more can change (all people out); `advance` then only moves the clock."""
        ...

    def advance(self, until: float) -> None:
        """Compute on to exactly this time, s."""
        ...

    def give(self, name: str) -> GridField:
        """Return the present state of one of the fields in `writes`."""
        ...

    def take(self, name: str, value: GridField) -> None:
        """Accept one of the fields in `reads`, valid from now until the next sync point."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the present state for output; arrays are copies."""
        ...

    def results(self) -> Results:
        """Return maxima, tables and summary up to the present time."""
        ...

    def checkpoint(self, directory: Path) -> None:
        """Write the whole state into an existing, empty directory."""
        ...

    def restore(self, directory: Path) -> None:
        """Take up a state that `checkpoint` wrote; the run then continues bit for bit."""
        ...

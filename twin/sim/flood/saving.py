"""What drives a flood in plain numbers, as a checkpoint holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.sim.flood.boundaries import Boundary, Discharge, Open, Sides, Stage, Wall
from twin.sim.flood.forcing import Constant, Forcing, ForcingLike, Series

__all__ = ["PointSource", "boundaries_of", "forcing_of", "plain_forcings"]

#: Rows and columns of its cells, and its discharge, m³/s.
PointSource: TypeAlias = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Forcing]
Plain: TypeAlias = float | list[list[float]]

_KINDS: dict[str, type[Any]] = {k.__name__: k for k in (Wall, Open, Stage, Discharge)}


def plain_forcings(rain: Forcing, sides: Sides, sources: Iterable[PointSource]) -> dict[str, Any]:
    """Return rain, boundaries and sources as JSON can hold them.

    Raises
    ------
    SimulationError
        If a forcing is a Python function, which no file can hold.
    """
    return {
        "rain": _plain(rain, "rain"),
        "boundaries": {
            side: [
                type(boundary).__name__,
                _plain(sides.forcings[side], f"boundary in the {side}")
                if side in sides.forcings
                else None,
            ]
            for side, boundary in sides.given.items()
        },
        "where": {
            side: where.tolist()
            for side, boundary in sides.given.items()
            if (where := getattr(boundary, "where", None)) is not None
        },
        "sources": [
            [rows.tolist(), cols.tolist(), _plain(discharge, "discharge of a source")]
            for rows, cols, discharge in sources
        ],
    }


def boundaries_of(plain: Mapping[str, Any]) -> dict[str, Boundary]:
    """Return the boundaries that `plain_forcings` described."""
    return {
        side: _KINDS[kind]()
        if value is None
        else _KINDS[kind](forcing_of(value), plain["where"].get(side))
        for side, (kind, value) in plain["boundaries"].items()
    }


def _plain(forcing: Forcing, what: str) -> Plain:
    if isinstance(forcing, Constant):
        return forcing.value
    if isinstance(forcing, Series):
        return [forcing.times.tolist(), forcing.values.tolist()]
    raise SimulationError(
        f"The {what} is a Python function, which a checkpoint cannot hold. Give it as a value or "
        "as (times, values)."
    )


def forcing_of(plain: Plain) -> ForcingLike:
    """Return the forcing that stands in plain numbers."""
    return (plain[0], plain[1]) if isinstance(plain, list) else plain

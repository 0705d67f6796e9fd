"""What a crowd has to tell, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.sim.crowd.kernels import GONE
from twin.sim.crowd.surfaces import Surface

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STATES", "egress", "people", "trajectories"]

#: Words for the states of people, by their number.
STATES = ("waiting", "walking", "stranded", "gone")

Record = tuple[npt.NDArray[Any], ...]


def people(
    surfaces: Sequence[Surface], ids: npt.NDArray[Any], present: npt.NDArray[np.void]
) -> pd.DataFrame:
    """Return id, x, y, z (m), surface, state."""
    import pandas as pd

    x, y, surface = present["x"], present["y"], present["surface"]
    return pd.DataFrame(
        {
            "id": ids.astype(np.int64),
            "x": x,
            "y": y,
            "z": _heights(surfaces, x, y, surface),
            "surface": _names(surfaces, surface),
            "state": np.array(STATES, dtype=object)[present["state"]],
        }
    )


def trajectories(surfaces: Sequence[Surface], records: Sequence[Record]) -> pd.DataFrame:
    """Return id, frame, x, y, z (m), surface from records (ids, frames, x, y, surfaces)."""
    import pandas as pd

    empty = tuple(np.empty(0, t) for t in (np.int32, np.int32, np.float64, np.float64, np.int32))
    columns = zip(*(records or [empty]), strict=True)
    ids, frame, x, y, surface = (np.concatenate(list(column)) for column in columns)
    return pd.DataFrame(
        {
            "id": ids.astype(np.int64),
            "frame": frame.astype(np.int64),
            "x": x,
            "y": y,
            "z": _heights(surfaces, x, y, surface),
            "surface": _names(surfaces, surface),
        }
    )


def egress(exit_names: Sequence[str], ever: npt.NDArray[np.void]) -> pd.DataFrame:
    """Return id, exit, time (s) of those who have left, by time."""
    import pandas as pd

    out = np.flatnonzero(ever["state"] == GONE)
    out = out[np.argsort(ever["exit_time"][out], kind="stable")]
    names = np.array(exit_names, dtype=object)
    return pd.DataFrame(
        {"id": out, "exit": names[ever["exit"][out]], "time": ever["exit_time"][out]}
    )


def _heights(
    surfaces: Sequence[Surface], x: npt.NDArray[Any], y: npt.NDArray[Any], on: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    planes = np.array([s.plane for s in surfaces])[on]
    return np.asarray(planes[:, 0] + planes[:, 1] * x + planes[:, 2] * y)


def _names(surfaces: Sequence[Surface], on: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.array([s.name for s in surfaces], dtype=object)[on]

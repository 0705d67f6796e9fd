"""The states of simulations, as arrays in a file (NPZ) that is written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.files import replace_file

__all__ = ["load_arrays", "save_arrays"]


def save_arrays(path: Path, **arrays: npt.ArrayLike) -> None:
    """Write arrays of numbers and text by name."""
    with replace_file(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path, what: str, *names: str) -> dict[str, npt.NDArray[Any]]:
    """Return what `save_arrays` wrote.

    Parameters
    ----------
    what
        Of what it is the state, for the error.
    names
        Arrays that must be there.

    Raises
    ------
    SimulationError
        If there is no such file, or it holds something else.
    """
    try:
        # opened here: NumPy leaves a file open that it cannot read
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise SimulationError(f"{path} is no checkpoint of {what}: {error}") from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise SimulationError(f"{path} is no checkpoint of {what}: no {missing[0]!r} in it.")
    return arrays

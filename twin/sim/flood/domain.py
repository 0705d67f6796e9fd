"""The cells of a domain, and the arrays around it that kernels work on."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from twin.errors import InputError
from twin.sim.flood.scratch import PAD

__all__ = ["ArrayLike", "Domain", "FloatArray", "core"]

FloatArray: TypeAlias = npt.NDArray[np.floating]
ArrayLike: TypeAlias = float | npt.ArrayLike


def core(padded: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the view of a padded array without the cells around the domain."""
    return padded[PAD:-PAD, PAD:-PAD]


class Domain:
    """Which cells can hold water: those where the bed is finite.

    Attributes
    ----------
    inside
        Whether a cell belongs to the domain [row, col].
    shape, padded
        Rows and columns, without and with `PAD` cells around them.
    dtype
        Precision of padded arrays.
    """

    def __init__(self, bed: npt.NDArray[np.float64], dtype: npt.DTypeLike) -> None:
        if bed.ndim != 2 or 0 in bed.shape:
            raise InputError(f"The bed must be an array [row, col], not of shape {bed.shape}.")
        self.inside: npt.NDArray[np.bool_] = np.isfinite(bed)
        if not self.inside.any():
            raise InputError("The bed has no finite cell, so there is no domain to flood.")
        self.shape: tuple[int, int] = (bed.shape[0], bed.shape[1])
        self.padded = (bed.shape[0] + 2 * PAD, bed.shape[1] + 2 * PAD)
        self.dtype = np.dtype(dtype)

    def pad(self, values: ArrayLike = 0.0, around: float = 0.0) -> FloatArray:
        """Return a padded array of `values`, with `around` in the cells around the domain."""
        field = np.full(self.padded, around, self.dtype)
        core(field)[...] = values
        return field

    def given(self, value: ArrayLike, what: str, least: float | None = None) -> FloatArray:
        """Check a field and spread it over the grid; 0 outside the domain."""
        try:
            field = np.broadcast_to(np.asarray(value, np.float64), self.shape)
        except ValueError:
            raise InputError(
                f"The {what} has shape {np.shape(value)}, but the bed has {self.shape}."
            ) from None
        wrong = self.inside & ~np.isfinite(field)
        if least is not None:
            wrong |= self.inside & (field < least)
        if wrong.any():
            row, col = np.argwhere(wrong)[0]
            limit = "finite" if least is None else f"finite and at least {least:g}"
            raise InputError(
                f"The {what} is {field[row, col]:g} at row {row}, column {col}; it must be "
                f"{limit} wherever the bed is."
            )
        return np.where(self.inside, field, 0.0)

    def cells(
        self, rows: npt.ArrayLike, cols: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Check the cells of a source: inside the domain, each named once."""
        r, c = np.atleast_1d(np.asarray(rows, np.intp)), np.atleast_1d(np.asarray(cols, np.intp))
        if r.shape != c.shape or r.ndim != 1 or not len(r):
            raise InputError("A source needs as many rows as columns, and at least one cell.")
        good = (r >= 0) & (r < self.shape[0]) & (c >= 0) & (c < self.shape[1])
        good[good] = self.inside[r[good], c[good]]
        if not good.all():
            bad = int(np.argmin(good))
            raise InputError(
                f"A source at row {r[bad]}, column {c[bad]} lies outside the domain "
                f"({self.shape[0]} rows, {self.shape[1]} columns, NaN excluded)."
            )
        if len({*zip(r.tolist(), c.tolist(), strict=True)}) != len(r):
            raise InputError("A source names the same cell twice; name each cell once.")
        return r, c

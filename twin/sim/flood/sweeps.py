"""One step of a tile as a sweep over its rows, and of all tiles in parallel.

A row is read into the scratch, its faces are computed against the row above, and the row is stored
as soon as all its faces are known; `twin.sim.flood.kernels` has the physics.
"""

# kernels are typed by numba, not by annotations
# mypy: allow-untyped-defs, no-check-untyped-defs

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import get_thread_id, njit, prange

from twin.sim.flood.kernels import faces, load, reconstruct, update
from twin.sim.flood.scratch import (
    ABOVE,
    AX,
    AY,
    CENTRE,
    DEEP,
    DH,
    DRAG,
    EAST,
    F0,
    FAST,
    FL,
    FR,
    FT,
    HAZARD,
    I0,
    I1,
    I2,
    LOWER,
    NORTH,
    PAD,
    QX,
    QY,
    RAIN,
    REST,
    ROW,
    SEEP,
    SOUTH,
    SPEED,
    SX,
    SY,
    TOOK,
    UPPER,
    WEST,
    N,
    S,
    U,
    V,
    X,
    index,
)

__all__ = ["Cells", "Forcing", "Peaks", "State", "step_first", "step_second"]

Array = npt.NDArray[np.floating]


class State(NamedTuple):
    """What moves: arrays [row, col] with `PAD` cells around the domain."""

    h: Array
    qx: Array
    qy: Array
    rest: Array  #: what rounding left out of h, m; one cell where not carried


class Cells(NamedTuple):
    """What stays: bed (`SOLID` outside) and g n², arrays as in `State`."""

    z: Array
    drag: Array


class Forcing(NamedTuple):
    """What acts from outside during one step."""

    rain: float  #: m/s
    pattern: Array  #: share of it that a cell gets, one cell where all get the same
    seep: Array  #: infiltration capacity, m/s, one cell where there is none
    taken: npt.NDArray[np.float64]  #: water infiltrated so far, m
    edges: Array  #: [west, east, north, south; mass, normal and tangential momentum; cell]
    forced: npt.NDArray[np.bool_]  #: whether each side has such fluxes (else a wall)


class Peaks(NamedTuple):
    """What is remembered, float32; and from which depth on a cell counts as flooded."""

    depth: npt.NDArray[np.float32]
    speed: npt.NDArray[np.float32]
    hazard: npt.NDArray[np.float32]
    arrival: npt.NDArray[np.float32]
    flooded: float


@njit(forceinline=True, error_model="numpy")
def _copy(B, target, source, rows, count):
    """Move `rows` neighbouring rows of the scratch."""
    for i in range(rows):
        o = i * ROW
        for c in range(count):
            B[target + o + c] = B[source + o + c]


@njit(forceinline=True, error_model="numpy")
def _fill(B, row, value, count):
    for c in range(count):
        B[row + c] = value


@njit(forceinline=True, error_model="numpy")
def _forcing(B, r, first, count, forcing, cells, old, dt):
    """Rain, infiltration, carried rounding and drag of one row; `first` is its first column."""
    T = B.dtype.type
    if forcing.pattern.shape[0] > 1:
        pattern = forcing.pattern[r]
        rain = dt * T(forcing.rain)
        for c in range(count):
            B[RAIN + c] = rain * pattern[first + c]
    if forcing.seep.shape[0] > 1:
        seep = forcing.seep[r]
        for c in range(count):
            B[SEEP + c] = dt * seep[first + c]
    if old.rest.shape[0] > 1:
        rest = old.rest[r]
        for c in range(count):
            B[REST + c] = rest[first + c]
    else:
        _fill(B, REST, T(0), count)
    drag = cells.drag[r]
    for c in range(count):
        B[DRAG + c] = drag[first + c]


@njit(forceinline=True, error_model="numpy")
def _store(B, r, first, last, origin, forcing, old, new, peaks, time):
    """Write one row of the new state and take its maxima; scratch column `first` is `origin`."""
    h, qx, qy = new.h[r], new.qx[r], new.qy[r]
    for c in range(first, last):
        h[origin + c] = B[DH + c]
    for c in range(first, last):
        qx[origin + c] = B[QX + c]
    for c in range(first, last):
        qy[origin + c] = B[QY + c]
    if old.rest.shape[0] > 1:
        rest = old.rest[r]
        for c in range(first, last):
            rest[origin + c] = B[REST + c]
    if forcing.seep.shape[0] > 1:
        taken = forcing.taken[r]
        for c in range(first, last):
            taken[origin + c] += B[TOOK + c]
    flooded = np.float32(peaks.flooded)
    depth, arrival = peaks.depth[r], peaks.arrival[r]
    now = np.float32(time)
    for c in range(first, last):
        d = np.float32(B[DH + c])
        depth[origin + c] = max(depth[origin + c], d)
        since = min(arrival[origin + c], now)
        arrival[origin + c] = since if d >= flooded else arrival[origin + c]
    speed, hazard = peaks.speed[r], peaks.hazard[r]
    for c in range(first, last):
        speed[origin + c] = max(speed[origin + c], np.float32(B[SPEED + c]))
        hazard[origin + c] = max(hazard[origin + c], np.float32(B[HAZARD + c]))


@njit(forceinline=True, error_model="numpy")
def _side_columns(B, r, count, west, east, edges, forced):
    """Put the fluxes of the western and eastern side into the faces of row r, where they are."""
    if west and forced[0]:
        B[X + F0 + I1] = edges[0, 0, r]
        B[X + FR + I1] = edges[0, 1, r]
        B[X + FT + I1] = edges[0, 2, r]
    if east and forced[1]:
        B[X + F0 + I1 + count] = edges[1, 0, r]
        B[X + FL + I1 + count] = edges[1, 1, r]
        B[X + FT + I1 + count] = edges[1, 2, r]


@njit(forceinline=True, error_model="numpy")
def _side_row(B, faces, momentum, side, origin, first, last, edges):
    """Put the fluxes of the northern or southern side into a row of faces."""
    mass, normal, tangential = edges[side, 0], edges[side, 1], edges[side, 2]
    for c in range(first, last):
        B[faces + F0 + c] = mass[origin + c]
        B[faces + momentum + c] = normal[origin + c]
        B[faces + FT + c] = tangential[origin + c]


@njit(forceinline=True, error_model="numpy")
def _row_depth(B, r, row, rows, first, last, deep):
    """Note the depth of a tile's two northernmost and two southernmost rows."""
    if r < row + 2 or r >= row + rows - 2:
        most = B[DH + first]
        for c in range(first, last):
            most = max(most, B[DH + c])
        if r < row + 2:
            deep[3] = max(deep[3], most)
        if r >= row + rows - 2:
            deep[4] = max(deep[4], most)


@njit(forceinline=True, error_model="numpy")
def _finish(B, first, last, deep):
    """Return the largest sum of speeds of a tile, and note its depths: whole, west, east."""
    fast, most = B[FAST + first], B[DEEP + first]
    for c in range(first, last):
        fast = max(fast, B[FAST + c])
        most = max(most, B[DEEP + c])
    deep[0] = most
    deep[1] = max(B[DEEP + first], B[DEEP + min(first + I1, last - I1)])
    deep[2] = max(B[DEEP + last - I1], B[DEEP + max(first, last - I2)])
    return fast


@njit(error_model="numpy", nogil=True)
def _tile_first(
    B, row, col, rows, cols, whole, old, new, cells, forcing, peaks, dt, dx, time, deep
):
    """One step of order 1 on the tile of `rows` × `cols` cells from [row, col] (padded indices)."""
    T = B.dtype.type
    tdt, ratio, width, flooded = T(dt), T(dt / dx), T(dx / dt), T(peaks.flooded)
    north, south = row == PAD, row + rows == whole[0] - PAD
    west, east = col == PAD, col + cols == whole[1] - PAD
    n = index(cols)
    count = n + index(2 * PAD)  # scratch column 0 is grid column col − PAD
    origin = index(col - PAD)
    first, last = I2, n + I2
    _fill(B, FAST, T(0), count)
    _fill(B, DEEP, T(0), count)
    deep[:] = T(0)
    _fill(B, RAIN, T(dt * forcing.rain), count)
    _fill(B, SEEP, T(0), count)
    _fill(B, SX, T(0), count)
    _fill(B, SY, T(0), count)
    r = row - 1
    load(B, SOUTH, old.h[r], old.qx[r], old.qy[r], cells.z[r], origin, count, width)
    for r in range(row - 1, row + rows):
        # rows of cells: centre r, south r + 1
        _copy(B, CENTRE, SOUTH, index(6), count)
        _copy(B, N, S, index(4), count)
        b = r + 1
        load(B, SOUTH, old.h[b], old.qx[b], old.qy[b], cells.z[b], origin, count, width)
        faces(B, S, CENTRE, SOUTH, V, U, CENTRE, SOUTH, I0, first, last)
        if north and r == row - 1 and forcing.forced[2]:
            _side_row(B, S, FR, 2, origin, first, last, forcing.edges)
        if south and r == row + rows - 1 and forcing.forced[3]:
            _side_row(B, S, FL, 3, origin, first, last, forcing.edges)
        if r >= row:
            faces(B, X, CENTRE, CENTRE, U, V, CENTRE, CENTRE, I1, I1, last)
            _side_columns(B, r, n, west, east, forcing.edges, forcing.forced)
            _forcing(B, r, origin, count, forcing, cells, old, tdt)
            update(B, CENTRE, SX, SY, tdt, ratio, flooded, first, last)
            _store(B, r, first, last, origin, forcing, old, new, peaks, time)
            _row_depth(B, r, row, rows, first, last, deep)
    return _finish(B, first, last, deep)


@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def step_first(scratch, tiles, active, old, new, cells, forcing, peaks, dt, dx, time, fast, deep):
    """One step of order 1 on all active tiles; leaves their largest speeds and depths."""
    whole = old.h.shape
    for t in prange(tiles.shape[0]):
        if active[t]:
            row, col, rows, cols = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
            fast[t] = _tile_first(
                scratch[get_thread_id()], row, col, rows, cols, whole, old, new, cells, forcing,
                peaks, dt, dx, time, deep[t],
            )  # fmt: skip


@njit(error_model="numpy", nogil=True)
def _tile_second(
    B, row, col, rows, cols, whole, old, new, cells, forcing, peaks, dt, dx, time, deep
):
    """One step of order 2 on a tile; a row is finished once the row below it is reconstructed."""
    T = B.dtype.type
    tdt, ratio, width, flooded = T(dt), T(dt / dx), T(dx / dt), T(peaks.flooded)
    north, south = row == PAD, row + rows == whole[0] - PAD
    west, east = col == PAD, col + cols == whole[1] - PAD
    n = index(cols)
    count = n + index(2 * PAD)
    origin = index(col - PAD)
    first, last = I2, n + I2
    _fill(B, FAST, T(0), count)
    _fill(B, DEEP, T(0), count)
    deep[:] = T(0)
    _fill(B, RAIN, T(dt * forcing.rain), count)
    _fill(B, SEEP, T(0), count)
    for i in range(3):
        r = row - 2 + i
        if i > 0:
            _copy(B, NORTH, CENTRE, index(12), count)
        load(B, SOUTH, old.h[r], old.qx[r], old.qy[r], cells.z[r], origin, count, width)
    for r in range(row - 1, row + rows + 1):
        # rows of cells: north r − 1, centre r, south r + 1
        if r > row - 1:
            b = r + 1
            _copy(B, NORTH, CENTRE, index(12), count)
            load(B, SOUTH, old.h[b], old.qx[b], old.qy[b], cells.z[b], origin, count, width)
            _copy(B, AX, SX, I2, count)
        reconstruct(B, cells.drag[r], origin, T(0.5) * tdt, T(0.5) * ratio, I1, last + I1)
        if r > row - 1:
            faces(B, S, ABOVE, UPPER, V, U, NORTH, CENTRE, I0, first, last)
            if north and r == row and forcing.forced[2]:
                _side_row(B, S, FR, 2, origin, first, last, forcing.edges)
            if south and r == row + rows and forcing.forced[3]:
                _side_row(B, S, FL, 3, origin, first, last, forcing.edges)
        if r > row:
            done = r - 1
            _forcing(B, done, origin, count, forcing, cells, old, tdt)
            update(B, NORTH, AX, AY, tdt, ratio, flooded, first, last)
            _store(B, done, first, last, origin, forcing, old, new, peaks, time)
            _row_depth(B, done, row, rows, first, last, deep)
        _copy(B, N, S, index(4), count)
        _copy(B, ABOVE, LOWER, index(4), count)
        faces(B, X, EAST, WEST, U, V, CENTRE, CENTRE, I1, I1, last)
        _side_columns(B, r, n, west, east, forcing.edges, forcing.forced)
    return _finish(B, first, last, deep)


@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def step_second(scratch, tiles, active, old, new, cells, forcing, peaks, dt, dx, time, fast, deep):
    """One step of order 2 on all active tiles; leaves their largest speeds and depths."""
    whole = old.h.shape
    for t in prange(tiles.shape[0]):
        if active[t]:
            row, col, rows, cols = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
            fast[t] = _tile_second(
                scratch[get_thread_id()], row, col, rows, cols, whole, old, new, cells, forcing,
                peaks, dt, dx, time, deep[t],
            )  # fmt: skip

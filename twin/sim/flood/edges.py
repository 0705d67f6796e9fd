"""Fluxes through the outermost faces, as the boundaries of `twin.sim.flood.boundaries` ask."""

# kernels are typed by numba, not by annotations
# mypy: allow-untyped-defs, no-check-untyped-defs

from __future__ import annotations

import numpy as np
from numba import njit

from twin.sim.flood.kernels import DRY, GIVE, GRAVITY, INERT, SOLID
from twin.sim.flood.scratch import PAD

__all__ = ["DISCHARGE", "OPEN", "STAGE", "WALL", "edge_fluxes"]

#: Kinds of boundary, as the kernel numbers them.
WALL, OPEN, STAGE, DISCHARGE = range(4)


@njit(error_model="numpy", nogil=True)
def _inlet_depth(h, z, lowest):
    """Depth by which a cell takes part in an inflow, m."""
    return max(h, lowest + 0.05 - z, 0.0)


@njit(error_model="numpy", nogil=True, cache=True)
def edge_fluxes(state, z, kinds, values, where, edges, dt, dx, volumes):
    """Fluxes through the sides for one step, and the volumes that they move.

    Parameters
    ----------
    kinds, values
        Kind of each side; its level above the kernels' datum, m, or its discharge, m³/s.
    where
        [side, padded cell]: whether the boundary acts there.
    edges
        Filled: [side; mass, normal momentum, tangential momentum; padded cell], positive to the
        east and south.
    volumes
        Added to: [side; in, out], m³.

    Notes
    -----
    A stage imposes its depth and takes the velocity from the wave that leaves the domain,
    ``u + 2c = const``; inflow is at most critical, supercritical outflow keeps its own state.
    """
    rows, cols = z.shape
    for side in range(4):
        kind, value = kinds[side], values[side]
        if kind == WALL:
            continue
        count = rows if side < 2 else cols
        sign = 1.0 if side in (1, 3) else -1.0
        lowest, total = np.inf, 0.0
        if kind == DISCHARGE:
            for i in range(PAD, count - PAD):
                row, col = _edge_cell(side, i, rows, cols)
                if where[side, i] and z[row, col] < SOLID:
                    lowest = min(lowest, float(z[row, col]))
            for i in range(PAD, count - PAD):
                row, col = _edge_cell(side, i, rows, cols)
                if where[side, i] and z[row, col] < SOLID:
                    d = _inlet_depth(float(state.h[row, col]), float(z[row, col]), lowest)
                    total += d ** (5 / 3)
        for i in range(PAD, count - PAD):
            row, col = _edge_cell(side, i, rows, cols)
            h, bed = float(state.h[row, col]), float(z[row, col])
            if kind == OPEN:
                # water goes on outside as inside: no slope of depth and speed for order 2
                out_row, out_col = _across(side, row, col)
                state.h[out_row, out_col] = state.h[row, col]
                state.qx[out_row, out_col] = state.qx[row, col]
                state.qy[out_row, out_col] = state.qy[row, col]
            if bed >= SOLID:
                edges[side, :, i] = 0.0
                continue
            u = v = 0.0
            if h > DRY:
                u, v = float(state.qx[row, col]) / h, float(state.qy[row, col]) / h
            wave = np.sqrt(GRAVITY * h)
            slow = 4 * wave + abs(u) + abs(v)
            normal, along = (sign * u, v) if side < 2 else (sign * v, u)
            most = 0.0
            if h > INERT:
                most = GIVE * h * dx / dt / slow * (wave + max(normal, 0.0))
            mass, push = 0.0, 0.5 * GRAVITY * h * h
            if kind == OPEN:
                if normal > 0:
                    mass = h * normal
                    push += mass * normal
            elif not where[side, i] or (kind == STAGE and value <= bed):
                if normal > 0:  # as a wall reflects
                    push += h * normal * (normal + wave)
            elif kind == STAGE:
                outside = value - bed
                if normal > wave:
                    outside, speed = h, normal
                else:
                    limit = np.sqrt(GRAVITY * outside)
                    speed = max(normal + 2 * (wave - limit), -limit)
                mass = outside * speed
                push = mass * speed + 0.5 * GRAVITY * outside * outside
            else:
                share = _inlet_depth(h, bed, lowest) ** (5 / 3) / total
                mass = -value / dx * share
                deep = max(h, (mass * mass / GRAVITY) ** (1 / 3))
                if deep > 0:
                    push = mass * mass / deep + 0.5 * GRAVITY * deep * deep
            mass = min(mass, most)
            edges[side, 0, i] = sign * mass
            edges[side, 1, i] = push
            edges[side, 2, i] = sign * mass * along if mass > 0 else 0.0
            volume = float(edges[side, 0, i]) * sign * dt * dx
            if volume > 0:
                volumes[side, 1] += volume
            else:
                volumes[side, 0] -= volume


@njit(error_model="numpy", nogil=True)
def _edge_cell(side, i, rows, cols):
    """Row and column (padded) of the i-th cell along a side."""
    if side == 0:
        return i, PAD
    if side == 1:
        return i, cols - PAD - 1
    if side == 2:
        return PAD, i
    return rows - PAD - 1, i


@njit(error_model="numpy", nogil=True)
def _across(side, row, col):
    """Row and column (padded) of the outside cell beyond a side's cell."""
    if side < 2:
        return row, col + 1 if side == 1 else col - 1
    return (row + 1 if side == 3 else row - 1), col

"""The way out: time to the exits as a field over all surfaces, and the direction that shortens it.

The potential φ is the distance to the nearest exit along the quickest way, in metres at full
walking speed. It solves the eikonal equation |∇φ| = 1 / f with f the share of full speed that the
ground allows (1 free, 0 impassable), by Godunov's upwind scheme on the cells of the `Lattice`
(Sethian 1996, PNAS 93, 1591). The scheme's solution is unique, so cells may be updated in any
order; here a list of the cells on the front is swept with a rising threshold, which needs no heap.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.sim.crowd.lattice import EAST, INSIDE, NORTH, SOUTH, WEST, Lattice

__all__ = ["SLOWEST", "directions", "look_up", "segments_cross", "solve"]

#: Ground that allows less than this share of full speed counts as impassable.
SLOWEST = 0.02


@njit(cache=True, nogil=True)
def solve(
    lattice: Lattice,
    factor: npt.NDArray[np.float32],
    seeds: npt.NDArray[np.int64],
    seed_phi: npt.NDArray[np.float64],
    renew: npt.NDArray[np.bool_],
    phi: npt.NDArray[np.float32],
) -> None:
    """Fill `phi` with the potential, infinite where no way leads to a seed.

    Surfaces that are not to be renewed keep theirs, and lend it to those that they join.

    Parameters
    ----------
    factor
        Share of full speed f, per cell.
    seeds, seed_phi
        Cells of the exits and their potential, m.
    renew
        Per surface.
    """
    h = lattice.cell_size
    status, faces, surface = lattice.status, lattice.open, lattice.surface
    count = status.size
    room = count + 64  # a cell adds its four neighbours and their copies at most
    front = np.empty(room, np.int32)
    waiting = np.zeros(count, np.uint8)
    length = 0
    threshold = np.inf
    for c in range(count):
        if not renew[surface[c]]:
            continue
        phi[c] = np.inf
        owner = lattice.owner[c]
        if not renew[surface[owner]] and phi[owner] < np.inf:
            phi[c] = phi[owner]
            threshold = min(threshold, phi[c])
            waiting[c] = 1
            front[length] = c
            length += 1
    for k in range(seeds.size):
        c = seeds[k]
        if factor[c] < SLOWEST or not renew[surface[c]]:
            continue
        phi[c] = min(phi[c], seed_phi[k])
        threshold = min(threshold, seed_phi[k])
        if waiting[c] == 0:
            waiting[c] = 1
            front[length] = c
            length += 1
    while length > 0:
        # cells up to the threshold hand on their value, those beyond stay for the next sweep
        threshold += 0.7 * h
        kept, k = 0, 0
        lowest = np.inf
        while k < length:
            if length > count:
                # close the gap that dealt-with cells have left
                for m in range(k, length):
                    front[kept + m - k] = front[m]
                length -= k - kept
                k = kept
            c = front[k]
            k += 1
            if phi[c] > threshold:
                lowest = min(lowest, phi[c])
                front[kept] = c
                kept += 1
                continue
            waiting[c] = 0
            stride = lattice.stride[surface[c]]
            for side in range(4):
                if faces[c] & (1 << side) == 0:
                    continue
                n = c + (1 if side == 0 else stride if side == 1 else -1 if side == 2 else -stride)
                if status[n] != INSIDE or factor[n] < SLOWEST or phi[n] <= phi[c]:
                    continue
                value = np.float32(_upwind(phi, faces[n], n, stride, h / factor[n]))
                if value >= phi[n]:
                    continue
                copy = n
                following = lattice.copies[n]
                while copy >= 0:
                    if renew[surface[copy]]:
                        phi[copy] = value
                    if renew[surface[copy]] and waiting[copy] == 0:
                        waiting[copy] = 1
                        front[length] = copy
                        length += 1
                    copy = following
                    if copy >= 0:
                        following = lattice.next_copy[copy]
        length = kept
        if threshold < lowest < np.inf:
            threshold = lowest


@njit(cache=True, nogil=True)
def _upwind(phi, bits, n, stride, cost):  # type: ignore[no-untyped-def]
    """Return the value at a cell from its open neighbours, by Godunov's scheme."""
    a = np.float64(np.inf)
    b = np.float64(np.inf)
    if bits & EAST:
        a = min(a, np.float64(phi[n + 1]))
    if bits & WEST:
        a = min(a, np.float64(phi[n - 1]))
    if bits & NORTH:
        b = min(b, np.float64(phi[n + stride]))
    if bits & SOUTH:
        b = min(b, np.float64(phi[n - stride]))
    if abs(a - b) < cost:
        return 0.5 * (a + b + math.sqrt(2.0 * cost * cost - (a - b) * (a - b)))
    return min(a, b) + cost


@njit(cache=True, nogil=True)
def directions(
    lattice: Lattice,
    phi: npt.NDArray[np.float32],
    renew: npt.NDArray[np.bool_],
    ux: npt.NDArray[np.float32],
    uy: npt.NDArray[np.float32],
) -> None:
    """Fill `ux`, `uy` with the unit vector −∇φ/|∇φ| of each cell, zero where there is none."""
    for c in range(phi.size):
        if not renew[lattice.surface[c]]:
            continue
        ux[c] = 0.0
        uy[c] = 0.0
        if lattice.status[c] != INSIDE or phi[c] == np.inf:
            continue
        stride = lattice.stride[lattice.surface[c]]
        bits = lattice.open[c]
        here = phi[c]
        east = here - phi[c + 1] if bits & EAST else -np.inf
        west = here - phi[c - 1] if bits & WEST else -np.inf
        north = here - phi[c + stride] if bits & NORTH else -np.inf
        south = here - phi[c - stride] if bits & SOUTH else -np.inf
        gx = _slope(east, west)
        gy = _slope(north, south)
        norm = math.sqrt(gx * gx + gy * gy)
        if norm > 0.0:
            ux[c] = gx / norm
            uy[c] = gy / norm
    for c in range(phi.size):
        owner = lattice.owner[c]
        if owner != c and renew[lattice.surface[c]]:
            ux[c] = ux[owner]
            uy[c] = uy[owner]


@njit(cache=True, nogil=True)
def _slope(ahead, behind):  # type: ignore[no-untyped-def]
    """Return the descent along an axis from the drops of φ towards both neighbours."""
    if ahead > 0.0 and behind < 0.0 and behind > -np.inf:
        return 0.5 * (ahead - behind)
    if behind > 0.0 and ahead < 0.0 and ahead > -np.inf:
        return 0.5 * (ahead - behind)
    if ahead > 0.0 and ahead >= behind:
        return ahead
    if behind > 0.0:
        return -behind
    return 0.0


@njit(cache=True, nogil=True)
def segments_cross(px, py, qx, qy, ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """Say whether the closed segments pq and ab have a point in common."""
    dx, dy = bx - ax, by - ay
    d1 = dx * (py - ay) - dy * (px - ax)
    d2 = dx * (qy - ay) - dy * (qx - ax)
    if d1 * d2 > 0.0:
        return False
    mx, my = qx - px, qy - py
    d3 = mx * (ay - py) - my * (ax - px)
    d4 = mx * (by - py) - my * (bx - px)
    if d3 * d4 > 0.0:
        return False
    if d1 == 0.0 and d2 == 0.0:
        return (
            min(px, qx) <= max(ax, bx)
            and min(ax, bx) <= max(px, qx)
            and min(py, qy) <= max(ay, by)
            and min(ay, by) <= max(py, qy)
        )
    return True


@njit(cache=True, nogil=True)
def _seen(ground, cell, px, py, qx, qy):  # type: ignore[no-untyped-def]
    """Say whether no wall near `cell` stands between p and q."""
    for n in range(ground.edge_start[cell], ground.edge_start[cell + 1]):
        edge = ground.edges[ground.edge_index[n]]
        if edge.to < 0 and segments_cross(px, py, qx, qy, edge.ax, edge.ay, edge.bx, edge.by):
            return False
    return True


@njit(cache=True, nogil=True)
def look_up(ground, phi, ux, uy, f, s, cell, x, y):  # type: ignore[no-untyped-def]
    """Return (found, φ, direction x, direction y) of potential `f` at a point of surface `s`.

    The four cell centres around the point, which lies in `cell`, count by bilinear weight, as far
    as no wall hides them. Where all four are hidden or have no way out, the nearest centre within
    two cells that has one and is in sight is walked to.
    """
    h = ground.cell_size
    window = ground.windows[s]
    fx = (x - window.west) / h - 0.5
    fy = (y - window.south) / h - 0.5
    i, j = math.floor(fx), math.floor(fy)
    fx -= i
    fy -= j
    stride = window.cols
    base = window.first + np.int64(j) * stride + np.int64(i)
    near_wall = ground.edge_start[cell + 1] > ground.edge_start[cell]
    weights = 0.0
    value = ex = ey = 0.0
    best, best_weight = base, 0.0
    for corner in range(4):
        a, b = corner & 1, corner >> 1
        c = base + a + b * stride
        if phi[f, c] == np.inf:
            continue
        ox, oy = (a - fx) * h, (b - fy) * h
        if near_wall and not _seen(ground, cell, x, y, x + ox, y + oy):
            continue
        w = (fx if a else 1.0 - fx) * (fy if b else 1.0 - fy) + 1e-9
        weights += w
        # the potential at the point, carried from the centre along its slope
        value += w * (phi[f, c] + ux[f, c] * ox + uy[f, c] * oy)
        ex += w * ux[f, c]
        ey += w * uy[f, c]
        if w > best_weight:
            best, best_weight = c, w
    if weights > 0.0:
        value /= weights
        norm = math.sqrt(ex * ex + ey * ey)
        if norm > 0.2 * weights:
            return True, value, ex / norm, ey / norm
        # the ways part here: take that of the nearest centre
        if ux[f, best] != 0.0 or uy[f, best] != 0.0:
            return True, value, np.float64(ux[f, best]), np.float64(uy[f, best])
    nearest = np.inf
    for b in range(-2, 4):
        for a in range(-2, 4):
            c = base + a + b * stride
            if c < 0 or c >= phi.shape[1] or phi[f, c] == np.inf:
                continue
            ox, oy = (a - fx) * h, (b - fy) * h
            d = math.sqrt(ox * ox + oy * oy)
            if d + phi[f, c] < nearest and d > 1e-6 and _seen(ground, cell, x, y, x + ox, y + oy):
                nearest = d + phi[f, c]
                ex, ey = ox / d, oy / d
    return nearest < np.inf, nearest, ex, ey

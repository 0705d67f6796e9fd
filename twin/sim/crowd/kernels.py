"""One step of a crowd: who is awake, which way, how fast, where to, and who is out.

All people move at once: velocities come from the state at the step's start (copied in the order of
the cells), so the result does not depend on the order of the work nor on the number of threads.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from twin.sim.crowd.floor_field import SLOWEST, look_up, segments_cross
from twin.sim.crowd.neighbours import sort_into_cells
from twin.sim.crowd.velocity import velocity

__all__ = ["GONE", "STRANDED", "WAITING", "WALKING", "Exits", "People", "Work", "run", "ways_out"]

FloatArray = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]

WAITING, WALKING, STRANDED, GONE = 0, 1, 2, 3
#: Walkers keep their centre this far from walls, m; it is never less than `_TOO_CLOSE`.
_CLEARANCE = 0.05
_TOO_CLOSE = 1e-4
#: Nobody moves farther than this in one step, m.
_LONGEST_STEP = 0.4
#: Below this number of people one thread does the work.
_FEW = 256


class People(NamedTuple):
    """One value for each person that ever was added, in the order of adding.

    Attributes
    ----------
    x, y, vx, vy
        Place (m) and velocity (m/s).
    speed, radius, start
        Desired speed (m/s), radius (m), time of setting out (s).
    field
        Row of the potentials: 0 the quickest exit, k the k-th exit that was asked for.
    surface, state
        Index of the surface; WAITING, WALKING, STRANDED or GONE.
    exit, exit_time
        Index of the exit taken (-1: none yet) and when, s.
    outdoor_link, outdoor_time
        Link by which the person first came onto an outdoor surface (-1: none), and when, s.
    """

    x: FloatArray
    y: FloatArray
    vx: FloatArray
    vy: FloatArray
    speed: FloatArray
    radius: FloatArray
    start: FloatArray
    field: Int32Array
    surface: Int32Array
    state: npt.NDArray[np.uint8]
    exit: Int32Array
    exit_time: FloatArray
    outdoor_link: Int32Array
    outdoor_time: FloatArray


class Exits(NamedTuple):
    """Exit polygons: surface, box, and the edges ``start[e]:start[e + 1]`` of their rings."""

    surface: Int32Array
    west: FloatArray
    south: FloatArray
    east: FloatArray
    north: FloatArray
    start: Int32Array
    ax: FloatArray
    ay: FloatArray
    bx: FloatArray
    by: FloatArray


class Work(NamedTuple):
    """Room for a step: those present (`active`) and what is found out about them, in that order."""

    active: Int32Array
    cell: Int32Array
    order: Int32Array
    phi: FloatArray
    ex: FloatArray
    ey: FloatArray
    speed: FloatArray
    gaps: FloatArray


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def run(  # type: ignore[no-untyped-def]
    steps, dt, time, present, people, work, near, torus, linked, outdoor, lattice, factor, field_exit,
    phi, ux, uy, exits, model, parameters,
):  # fmt: skip
    """Take `steps` steps of `dt` from `time`; return how many are still present.

    `present` people are listed in ``work.active``. `linked` says which surfaces see each other,
    `outdoor` which are outdoors, `field_exit` which exit each potential leads to (-1: any).
    """
    for n in range(steps):
        now = time + n * dt
        widest = 0.0
        for a in range(present):
            widest = max(widest, people.radius[work.active[a]])
        _orient(present, now, people, work, lattice, factor, phi, ux, uy)
        sort_into_cells(torus, work.active, present, people.x, people.y, work.cell, work.order)
        _gather(present, people, work, near)
        _move(
            present, now + dt, dt, people, work, near, torus, linked, outdoor, lattice, factor,
            field_exit, exits, widest, model, parameters,
        )  # fmt: skip
        left = 0
        for a in range(present):
            i = work.active[a]
            if people.state[i] != GONE:
                work.active[left] = i
                left += 1
        present = left
        if present == 0:
            break
    return present


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def ways_out(lattice, phi, ux, uy, people, ids):  # type: ignore[no-untyped-def]
    """Say for each of `ids` whether a way leads from where they are to the potential's exit."""
    found = np.zeros(ids.size, np.bool_)
    for n in range(ids.size):
        i = ids[n]
        s, x, y = people.surface[i], people.x[i], people.y[i]
        found[n] = look_up(lattice, phi, ux, uy, s, cell_of(lattice, s, x, y), x, y)[0]
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def cell_of(lattice, s, x, y):  # type: ignore[no-untyped-def]
    """Return the cell of surface `s` that holds a point."""
    i = np.int64(math.floor((x - lattice.west[s]) / lattice.cell_size))
    j = np.int64(math.floor((y - lattice.south[s]) / lattice.cell_size))
    return lattice.first[s] + j * lattice.cols[s] + i


@njit(cache=True, nogil=True, parallel=True)  # type: ignore[untyped-decorator]
def _orient(present, now, people, work, lattice, factor, phi, ux, uy):  # type: ignore[no-untyped-def]
    """Wake those whose time has come, and find everybody's direction and speed."""
    if present < _FEW:
        for a in range(present):
            _orient_one(a, now, people, work, lattice, factor, phi, ux, uy)
    else:
        for a in prange(present):
            _orient_one(a, now, people, work, lattice, factor, phi, ux, uy)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _orient_one(a, now, people, work, lattice, factor, phi, ux, uy):  # type: ignore[no-untyped-def]
    i = work.active[a]
    work.phi[a] = -np.inf
    work.ex[a] = work.ey[a] = work.speed[a] = 0.0
    if people.state[i] == WAITING and now < people.start[i] - 1e-9:
        return
    s = people.surface[i]
    cell = cell_of(lattice, s, people.x[i], people.y[i])
    people.state[i] = STRANDED
    if factor[cell] < SLOWEST:
        return
    f = people.field[i]
    found, value, ex, ey = look_up(lattice, phi[f], ux[f], uy[f], s, cell, people.x[i], people.y[i])
    if found:
        people.state[i] = WALKING
        work.phi[a], work.ex[a], work.ey[a] = value, ex, ey
        work.speed[a] = people.speed[i] * factor[cell]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _gather(present, people, work, near):  # type: ignore[no-untyped-def]
    """Copy what neighbours must know of each other, in the order of the cells."""
    for k in range(present):
        a = work.order[k]
        i = work.active[a]
        near.x[k], near.y[k], near.radius[k] = people.x[i], people.y[i], people.radius[i]
        near.speed[k], near.phi[k] = work.speed[a], work.phi[a]
        near.ex[k], near.ey[k] = work.ex[a], work.ey[a]
        near.field[k], near.surface[k], near.person[k] = people.field[i], people.surface[i], i


@njit(cache=True, nogil=True, parallel=True)  # type: ignore[untyped-decorator]
def _move(  # type: ignore[no-untyped-def]
    present, now, dt, people, work, near, torus, linked, outdoor, lattice, factor, field_exit, exits,
    widest, model, parameters,
):  # fmt: skip
    """Move everybody by one step; `now` is the time at its end."""
    if present < _FEW:
        for k in range(present):
            _move_one(
                k, now, dt, people, work, near, torus, linked, outdoor, lattice, factor, field_exit,
                exits, widest, model, parameters,
            )  # fmt: skip
    else:
        for k in prange(present):
            _move_one(
                k, now, dt, people, work, near, torus, linked, outdoor, lattice, factor, field_exit,
                exits, widest, model, parameters,
            )  # fmt: skip


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _move_one(  # type: ignore[no-untyped-def]
    k, now, dt, people, work, near, torus, linked, outdoor, lattice, factor, field_exit, exits,
    widest, model, parameters,
):  # fmt: skip
    i = near.person[k]
    people.vx[i] = people.vy[i] = 0.0
    if people.state[i] != WALKING:
        return
    x, y, s = near.x[k], near.y[k], near.surface[k]
    cell = cell_of(lattice, s, x, y)
    vx, vy = velocity(model, k, near, torus, linked, lattice, cell, widest, work.gaps, parameters)
    step = math.sqrt(vx * vx + vy * vy) * dt
    cut = dt if step <= _LONGEST_STEP else dt * _LONGEST_STEP / step
    new_x, new_y, link_edge = _walk(lattice, cell, x, y, vx * cut, vy * cut)
    to = s if link_edge < 0 else lattice.to[link_edge]
    if factor[cell_of(lattice, to, new_x, new_y)] < SLOWEST:
        return  # not into what is impassable
    people.x[i], people.y[i] = new_x, new_y
    people.vx[i], people.vy[i] = (new_x - x) / dt, (new_y - y) / dt
    people.surface[i] = to
    if to != s and outdoor[to] and people.outdoor_link[i] < 0:
        people.outdoor_link[i] = lattice.link[link_edge]
        people.outdoor_time[i] = now
    wanted = field_exit[people.field[i]]
    for e in range(exits.surface.size):
        if (wanted < 0 or wanted == e) and _in_exit(exits, e, to, new_x, new_y):
            people.state[i] = GONE
            people.exit[i] = e
            people.exit_time[i] = now
            break


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _in_exit(exits, e, s, x, y):  # type: ignore[no-untyped-def]
    """Say whether a point of surface `s` is in an exit's polygon."""
    if exits.surface[e] != s or not (
        exits.west[e] <= x <= exits.east[e] and exits.south[e] <= y <= exits.north[e]
    ):
        return False
    inside = False
    for n in range(exits.start[e], exits.start[e + 1]):
        ay, by = exits.ay[n], exits.by[n]
        if (ay <= y) != (by <= y):
            t = (y - ay) / (by - ay)
            if x < exits.ax[n] + t * (exits.bx[n] - exits.ax[n]):
                inside = not inside
    return inside


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk(lattice, cell, x, y, dx, dy):  # type: ignore[no-untyped-def]
    """Return where a step (dx, dy) ends, and the edge of the link that it crosses (-1: none).

    The step is bent along walls so that the centre keeps `_CLEARANCE`; if it would still touch or
    cross a wall, it is not taken. So nobody is ever on the other side of a wall.
    """
    first, last = lattice.edge_start[cell], lattice.edge_start[cell + 1]
    for _ in range(2):
        for n in range(first, last):
            k = lattice.edge_index[n]
            if lattice.to[k] >= 0:
                continue
            # the nearest point of the wall, seen from the start of the step
            ax, ay = lattice.ax[k] - x, lattice.ay[k] - y
            lx, ly = lattice.bx[k] - lattice.ax[k], lattice.by[k] - lattice.ay[k]
            t = min(max(-(ax * lx + ay * ly) / (lx * lx + ly * ly), 0.0), 1.0)
            wx, wy = ax + t * lx, ay + t * ly
            d = math.sqrt(wx * wx + wy * wy)
            if d > _LONGEST_STEP + _CLEARANCE or d == 0.0:
                continue
            wx, wy = wx / d, wy / d
            into = dx * wx + dy * wy
            excess = into - max(0.0, d - _CLEARANCE)
            if into > 0.0 and excess > 0.0:
                dx -= excess * wx
                dy -= excess * wy
    crossed = -1
    for n in range(first, last):
        k = lattice.edge_index[n]
        ax, ay, bx, by = lattice.ax[k], lattice.ay[k], lattice.bx[k], lattice.by[k]
        if not segments_cross(x, y, x + dx, y + dy, ax, ay, bx, by):
            if lattice.to[k] >= 0:
                continue
            px, py = x + dx - ax, y + dy - ay
            lx, ly = bx - ax, by - ay
            t = min(max((px * lx + py * ly) / (lx * lx + ly * ly), 0.0), 1.0)
            if (px - t * lx) ** 2 + (py - t * ly) ** 2 > _TOO_CLOSE * _TOO_CLOSE:
                continue
        if lattice.to[k] < 0:
            return x, y, -1
        # only from this side to the other counts
        before = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        after = (bx - ax) * (y + dy - ay) - (by - ay) * (x + dx - ax)
        if (before > 0.0) != (after > 0.0):
            crossed = k
    return x + dx, y + dy, crossed

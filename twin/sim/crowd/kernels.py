"""One step of a crowd: who is awake, which way, how fast, where to, and who is out.

All people move at once: velocities come from the state at the step's start (copied in the order of
the cells), so the result does not depend on the order of the work nor on the number of threads.
People, walkers and edges are arrays of records: a compiled function that takes a dozen arrays for
each person spends more time on passing them than on walking.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from twin.sim.crowd.floor_field import SLOWEST, look_up, segments_cross
from twin.sim.crowd.neighbours import sort_into_cells
from twin.sim.crowd.velocity import velocity

__all__ = [
    "EXIT",
    "GONE",
    "PERSON",
    "RING_EDGE",
    "STRANDED",
    "WAITING",
    "WALKING",
    "cells_of",
    "run",
    "ways_out",
]

WAITING, WALKING, STRANDED, GONE = 0, 1, 2, 3
#: Walkers keep their centre this far from walls, m; it is never less than `_TOO_CLOSE`.
_CLEARANCE = 0.05
_TOO_CLOSE = 1e-4
#: Nobody moves farther than this in one step, m.
_LONGEST_STEP = 0.4
#: Who gets on by less than this share of the possible is held up.
_HELD_UP = 0.1
#: Below this number of people one thread does the work.
_FEW = 2000

#: A person: place (m) and velocity (m/s); desired speed (m/s), radius (m), time of setting out (s);
#: when out by an exit, and when first on an outdoor surface, s; for how long held up, s; row of the
#: potentials (0 the quickest exit, k the k-th that was asked for); index of the surface; exit
#: taken, and link by which first outdoors (-1: none yet); state.
PERSON = np.dtype(
    [
        *((name, "f8") for name in ("x", "y", "vx", "vy", "speed", "radius", "start")),
        *((name, "f8") for name in ("exit_time", "outdoor_time", "stuck")),
        *((name, "i4") for name in ("field", "surface", "exit", "outdoor_link", "state")),
    ],
    align=True,
)
#: An exit: its surface, box (m), and edges ``first`` to ``last`` of its rings.
EXIT = np.dtype(
    [
        *((name, "f8") for name in ("west", "south", "east", "north")),
        *((name, "i4") for name in ("surface", "first", "last")),
    ],
    align=True,
)
RING_EDGE = np.dtype([(name, "f8") for name in ("ax", "ay", "bx", "by")])


@njit(cache=True, nogil=True)
def run(  # type: ignore[no-untyped-def]
    steps, dt, time, present, people, active, order, aims, near, headings, torus, linked, outdoor,
    ground, factor, destinations, phi, ux, uy, exits, rings, model, parameters,
):  # fmt: skip
    """Take `steps` steps of `dt` from `time`; return how many are still present.

    `present` people are listed in `active`. `linked` says which surfaces see each other, `outdoor`
    which are outdoors, `destinations` which exit each potential leads to (-1: any).
    """
    start, rows, cols = torus
    for n in range(steps):
        now = time + n * dt
        widest = 0.0
        for a in range(present):
            widest = max(widest, people[active[a]].radius)
        _orient(present, now, people, active, aims, ground, factor, phi, ux, uy)
        sort_into_cells(start, rows, cols, present, aims, order)
        for k in range(present):
            near[k] = aims[order[k]]
        _move(
            present, now + dt, dt, people, near, headings, start, rows, cols, linked, outdoor,
            ground, factor, destinations, exits, rings, widest, model, parameters,
        )  # fmt: skip
        left = 0
        for a in range(present):
            if people[active[a]].state != GONE:
                active[left] = active[a]
                left += 1
        present = left
        if present == 0:
            break
    return present


@njit(cache=True, nogil=True)
def ways_out(ground, phi, ux, uy, f, people):  # type: ignore[no-untyped-def]
    """Say for each person whether a way leads from there to the exit of potential `f`."""
    found = np.zeros(people.size, np.bool_)
    for i in range(people.size):
        p = people[i]
        cell = _cell_of(ground, p.surface, p.x, p.y)
        found[i] = look_up(ground, phi, ux, uy, f, p.surface, cell, p.x, p.y)[0]
    return found


@njit(cache=True, nogil=True)
def cells_of(ground, people):  # type: ignore[no-untyped-def]
    """Return the cell in which each person is."""
    cells = np.empty(people.size, np.int64)
    for i in range(people.size):
        cells[i] = _cell_of(ground, people[i].surface, people[i].x, people[i].y)
    return cells


@njit(cache=True, nogil=True)
def _cell_of(ground, s, x, y):  # type: ignore[no-untyped-def]
    """Return the cell of surface `s` that holds a point."""
    window = ground.windows[s]
    i = np.int64(math.floor((x - window.west) / ground.cell_size))
    j = np.int64(math.floor((y - window.south) / ground.cell_size))
    return window.first + j * window.cols + i


@njit(cache=True, nogil=True, parallel=True)
def _orient(present, now, people, active, aims, ground, factor, phi, ux, uy):  # type: ignore[no-untyped-def]
    """Wake those whose time has come, and find everybody's direction and speed."""
    if present < _FEW:
        for a in range(present):
            _orient_one(a, now, people, active, aims, ground, factor, phi, ux, uy)
    else:
        for a in prange(present):
            _orient_one(a, now, people, active, aims, ground, factor, phi, ux, uy)


@njit(cache=True, nogil=True)
def _orient_one(a, now, people, active, aims, ground, factor, phi, ux, uy):  # type: ignore[no-untyped-def]
    i = active[a]
    p, aim = people[i], aims[a]
    cell = _cell_of(ground, p.surface, p.x, p.y)
    aim.x, aim.y, aim.radius = p.x, p.y, p.radius
    aim.field, aim.surface, aim.person, aim.cell = p.field, p.surface, i, cell
    aim.stuck = p.stuck
    aim.phi = -np.inf
    aim.ex = aim.ey = aim.speed = 0.0
    p.vx = p.vy = 0.0
    if p.state == WAITING and now < p.start - 1e-9:
        return
    p.state = STRANDED
    if factor[cell] < SLOWEST:
        return
    found, value, ex, ey = look_up(ground, phi, ux, uy, p.field, p.surface, cell, p.x, p.y)
    if found:
        p.state = WALKING
        aim.phi, aim.ex, aim.ey = value, ex, ey
        aim.speed = p.speed * factor[cell]


@njit(cache=True, nogil=True, parallel=True)
def _move(  # type: ignore[no-untyped-def]
    present, now, dt, people, near, headings, start, rows, cols, linked, outdoor, ground, factor,
    destinations, exits, rings, widest, model, parameters,
):  # fmt: skip
    """Move everybody by one step; `now` is the time at its end."""
    if present < _FEW:
        for k in range(present):
            if near[k].speed > 0.0:
                vx, vy = velocity(
                    model, k, near, start, rows, cols, linked, ground, widest, headings, parameters
                )
                _move_one(
                    k, vx, vy, now, dt, people, near, outdoor, ground, factor, destinations, exits,
                    rings,
                )  # fmt: skip
    else:
        for k in prange(present):
            if near[k].speed > 0.0:
                vx, vy = velocity(
                    model, k, near, start, rows, cols, linked, ground, widest, headings, parameters
                )
                _move_one(
                    k, vx, vy, now, dt, people, near, outdoor, ground, factor, destinations, exits,
                    rings,
                )  # fmt: skip


@njit(cache=True, nogil=True)
def _move_one(  # type: ignore[no-untyped-def]
    k, vx, vy, now, dt, people, near, outdoor, ground, factor, destinations, exits, rings
):
    """Take a walker as far as walls and water allow, over links, and out if in an exit."""
    me = near[k]
    p = people[me.person]
    step = math.sqrt(vx * vx + vy * vy) * dt
    cut = dt if step <= _LONGEST_STEP else dt * _LONGEST_STEP / step
    x, y, crossed = _walk(ground, me.cell, me.x, me.y, vx * cut, vy * cut)
    to = np.int64(me.surface)
    if crossed >= 0:
        to = ground.edges[crossed].to
    if factor[_cell_of(ground, to, x, y)] < SLOWEST:
        return  # not into what is impassable
    p.x, p.y = x, y
    p.vx, p.vy = (x - me.x) / dt, (y - me.y) / dt
    held_up = p.vx * me.ex + p.vy * me.ey < _HELD_UP * me.speed
    p.stuck = p.stuck + dt if held_up else max(0.0, p.stuck - dt)
    p.surface = to
    if crossed >= 0 and outdoor[to] and p.outdoor_link < 0:
        p.outdoor_link = ground.edges[crossed].link
        p.outdoor_time = now
    wanted = destinations[me.field]
    for e in range(exits.size):
        if (wanted < 0 or wanted == e) and _in_exit(exits[e], rings, to, x, y):
            p.state = GONE
            p.exit = e
            p.exit_time = now
            break


@njit(cache=True, nogil=True)
def _in_exit(exit_, rings, s, x, y):  # type: ignore[no-untyped-def]
    """Say whether a point of surface `s` is in an exit's polygon."""
    if exit_.surface != s or not (
        exit_.west <= x <= exit_.east and exit_.south <= y <= exit_.north
    ):
        return False
    inside = False
    for n in range(exit_.first, exit_.last):
        edge = rings[n]
        if (edge.ay <= y) != (edge.by <= y):
            t = (y - edge.ay) / (edge.by - edge.ay)
            if x < edge.ax + t * (edge.bx - edge.ax):
                inside = not inside
    return inside


@njit(cache=True, nogil=True)
def _walk(ground, cell, x, y, dx, dy):  # type: ignore[no-untyped-def]
    """Return where a step (dx, dy) ends, and the edge of the link that it crosses (-1: none).

    The step is bent along walls so that the centre keeps `_CLEARANCE`; if it would still touch or
    cross a wall, it is not taken. So nobody is ever on the other side of a wall.
    """
    first, last = ground.edge_start[cell], ground.edge_start[cell + 1]
    for _ in range(2):
        for n in range(first, last):
            edge = ground.edges[ground.edge_index[n]]
            if edge.to >= 0:
                continue
            # the nearest point of the wall, seen from the start of the step
            ax, ay = edge.ax - x, edge.ay - y
            lx, ly = edge.bx - edge.ax, edge.by - edge.ay
            t = min(max(-(ax * lx + ay * ly) / (lx * lx + ly * ly), 0.0), 1.0)
            wx, wy = ax + t * lx, ay + t * ly
            d = wx * wx + wy * wy
            if d > (_LONGEST_STEP + _CLEARANCE) ** 2 or d == 0.0:
                continue
            d = math.sqrt(d)
            wx, wy = wx / d, wy / d
            into = dx * wx + dy * wy
            excess = into - max(0.0, d - _CLEARANCE)
            if into > 0.0 and excess > 0.0:
                dx -= excess * wx
                dy -= excess * wy
    crossed = -1
    for n in range(first, last):
        k = ground.edge_index[n]
        edge = ground.edges[k]
        if segments_cross(x, y, x + dx, y + dy, edge.ax, edge.ay, edge.bx, edge.by):
            if edge.to < 0:
                return x, y, -1
            # only from this side to the other counts
            lx, ly = edge.bx - edge.ax, edge.by - edge.ay
            before = lx * (y - edge.ay) - ly * (x - edge.ax)
            after = lx * (y + dy - edge.ay) - ly * (x + dx - edge.ax)
            if (before > 0.0) != (after > 0.0):
                crossed = k
        elif edge.to < 0:
            px, py = x + dx - edge.ax, y + dy - edge.ay
            lx, ly = edge.bx - edge.ax, edge.by - edge.ay
            t = min(max((px * lx + py * ly) / (lx * lx + ly * ly), 0.0), 1.0)
            if (px - t * lx) ** 2 + (py - t * ly) ** 2 <= _TOO_CLOSE * _TOO_CLOSE:
                return x, y, -1
    return x + dx, y + dy, crossed

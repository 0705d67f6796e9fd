"""The models: with what velocity a walker goes on, given who and what is near.

A model is a small dataclass of parameters, named as in its paper, and one compiled function
``(k, near, …, parameters) -> (vx, vy)`` for walker `k` of the sorted crowd `near`. A further one is
added by writing both and giving it a number in `velocity`.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.errors import SimulationError, did_you_mean
from twin.sim.crowd.neighbours import CELL

__all__ = ["MODELS", "WALKER", "CollisionFreeSpeed", "HeadingSpeed", "choose_model", "velocity"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeadingSpeed:
    """Collision-free speed along the best of nine headings, with right of way down the potential.

    A walker looks along nine headings up to 69° (1.2 rad) off the desired direction, takes from the
    free gap g along each the speed min(v0, g / `time_gap`), and goes where (speed +
    `restlessness`) · cos(deviation) is greatest (the choice of heading of Moussaïd, Helbing and
    Theraulaz 2011, PNAS 108, 6884, with the speed law of Tordeux et al. 2016). Of people with the
    same destination only those nearer to it are in the way, hence somebody can always go on and no
    arch forms at a door. People who walk against each other turn their shoulders, and squeeze past
    when they are held up. Overlaps are undone at the rate `push_out`.

    Parameters
    ----------
    time_gap
        T, s.
    restlessness
        Speed that a heading is worth even when nothing moves there, m/s.
    push_out
        1/s.
    wall_radius
        Radius towards walls as a share of the radius towards people: shoulders turn.
    """

    time_gap: float = 0.7
    restlessness: float = 0.05
    push_out: float = 2.0
    wall_radius: float = 0.9
    number: ClassVar[int] = 0


@dataclass(frozen=True)
class CollisionFreeSpeed:
    """The collision-free speed model of Tordeux, Chraibi and Seyfried (2016).

    *Collision-free speed model for pedestrian dynamics*, Traffic and Granular Flow '15, 225–232.
    Defaults and the treatment of walls are those of JuPedSim's ``CollisionFreeSpeedModel``.

    Parameters
    ----------
    time_gap
        T, s.
    strength_neighbor_repulsion, range_neighbor_repulsion
        a and D of the repulsion from people, 1 and m.
    strength_geometry_repulsion, range_geometry_repulsion
        The same for walls.
    """

    time_gap: float = 1.0
    strength_neighbor_repulsion: float = 8.0
    range_neighbor_repulsion: float = 0.1
    strength_geometry_repulsion: float = 5.0
    range_geometry_repulsion: float = 0.02
    number: ClassVar[int] = 1


Model = HeadingSpeed | CollisionFreeSpeed

MODELS: dict[str, type[HeadingSpeed] | type[CollisionFreeSpeed]] = {
    "heading": HeadingSpeed,
    "collision_free_speed": CollisionFreeSpeed,
}


def choose_model(model: str | Model) -> tuple[int, FloatArray]:
    """Return the number and the parameters of a model given by name or as an object.

    Raises
    ------
    SimulationError
        If there is no model of that name, or a parameter is negative or not finite.
    """
    if isinstance(model, str):
        if model not in MODELS:
            raise SimulationError(f"No crowd model {model!r}. {did_you_mean(model, MODELS)}")
        model = MODELS[model]()
    values = np.array(astuple(model), dtype=np.float64)
    for row, value in zip(fields(model), values, strict=True):
        if not (math.isfinite(value) and value > 0):
            raise SimulationError(
                f"{type(model).__name__}: {row.name} must be above 0, not {value!r}."
            )
    return model.number, values


#: One of the crowd as the others see him; the sorted crowd is an array of these.
#: `speed` is what the ground allows this person here (m/s); `phi` the potential (m), -inf for those
#: who stand; `ex`, `ey` the desired direction, zero for those who stand; the rest as in `PERSON`.
WALKER = np.dtype(
    [
        *((name, "f8") for name in ("x", "y", "radius", "speed", "phi", "ex", "ey", "stuck")),
        *((name, "i4") for name in ("field", "surface", "person", "cell")),
    ],
    align=True,
)

#: Deviations from the desired direction in the order in which they are preferred: right first.
_ANGLES = np.array([0.0, -0.3, 0.3, -0.6, 0.6, -0.9, 0.9, -1.2, 1.2])
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_HEADINGS = _ANGLES.size
#: Overlap with a wall, m, below which a walker counts as touching it.
_TOUCH = 0.02


#: Distance that people keep who meet, as a share of the sum of their radii: shoulders are turned,
#: and after `_PATIENCE` seconds without getting on they squeeze past each other.
_SIDEWAYS, _SQUEEZED, _PATIENCE = 0.7, 0.3, 3.0


@njit(cache=True, nogil=True)
def velocity(number, k, near, start, rows, cols, linked, ground, widest, headings, parameters):  # type: ignore[no-untyped-def]
    """Return the velocity of walker `k` by the model of this number, m/s."""
    if number == 0:
        return _heading_speed(
            k, near, start, rows, cols, linked, ground, widest, headings, parameters
        )
    return _collision_free_speed(k, near, start, rows, cols, linked, ground, widest, parameters)


@njit(cache=True, nogil=True)
def _window(x, reach):  # type: ignore[no-untyped-def]
    """Return the first and last cell along one axis within `reach` of a coordinate."""
    return np.int64(math.floor((x - reach) / CELL)), np.int64(math.floor((x + reach) / CELL))


@njit(cache=True, nogil=True)
def _nearest_on_edge(edge, x, y):  # type: ignore[no-untyped-def]
    """Return the vector to the nearest point of an edge, and how far along the edge it lies."""
    ax, ay = edge.ax - x, edge.ay - y
    dx, dy = edge.bx - edge.ax, edge.by - edge.ay
    t = -(ax * dx + ay * dy) / (dx * dx + dy * dy)
    t = min(max(t, 0.0), 1.0)
    return ax + t * dx, ay + t * dy


@njit(cache=True, nogil=True)
def _narrow(headings, k, px, py, radius):  # type: ignore[no-untyped-def]
    """Shorten the gaps of all headings by a disc at (px, py) from the walker."""
    room = radius * radius
    for m in range(_HEADINGS):
        hx, hy = headings[k, 1, m], headings[k, 2, m]
        across = px * hy - py * hx
        along = px * hx + py * hy
        q = room - across * across
        # without branches, so that several headings are done at once
        gap = along - math.sqrt(max(q, 0.0))
        gap = gap if (q > 0.0) & (along > 0.0) else np.inf
        headings[k, 0, m] = min(headings[k, 0, m], gap)


@njit(cache=True, nogil=True)
def _heading_speed(k, near, start, rows, cols, linked, ground, widest, headings, parameters):  # type: ignore[no-untyped-def]
    time_gap, restlessness, push_out, wall_radius = parameters
    me = near[k]
    x, y, radius, free, cell = me.x, me.y, me.radius, me.speed, me.cell
    ex, ey = me.ex, me.ey
    reach = free * time_gap
    shoulder = wall_radius * radius
    squeeze = _SIDEWAYS - (_SIDEWAYS - _SQUEEZED) * min(1.0, me.stuck / _PATIENCE)
    push_x = push_y = 0.0

    first, last = ground.edge_start[cell], ground.edge_start[cell + 1]
    for n in range(first, last):
        edge = ground.edges[ground.edge_index[n]]
        if edge.to >= 0:
            continue
        wx, wy = _nearest_on_edge(edge, x, y)
        d = wx * wx + wy * wy
        if 0.0 < d < (shoulder + _TOUCH) ** 2:
            d = math.sqrt(d)
            # slide: no wish to go into a wall that is touched
            into = (ex * wx + ey * wy) / d
            if into > 0.0:
                ex -= into * wx / d
                ey -= into * wy / d
            if d < shoulder:
                push_x -= (shoulder - d) * wx / d
                push_y -= (shoulder - d) * wy / d
    norm = math.sqrt(ex * ex + ey * ey)
    if norm > 1e-6:
        ex, ey = ex / norm, ey / norm
    else:
        ex, ey = me.ex, me.ey
    # what is known of each heading: its free gap and its direction
    for m in range(_HEADINGS):
        headings[k, 0, m] = np.inf
        headings[k, 1, m] = ex * _COS[m] - ey * _SIN[m]
        headings[k, 2, m] = ex * _SIN[m] + ey * _COS[m]
    for n in range(first, last):
        edge = ground.edges[ground.edge_index[n]]
        if edge.to < 0:
            _narrow_by_wall(headings, k, edge, x, y, shoulder, reach)

    far = reach + radius + widest
    i0, i1 = _window(x, far)
    j0, j1 = _window(y, far)
    low, high = i0 & (cols - 1), i1 & (cols - 1)
    for j in range(j0, j1 + 1):
        row = (j & (rows - 1)) * cols
        for part in range(1 if low <= high else 2):
            a = low if part == 0 else 0
            b = high if low <= high or part == 1 else cols - 1
            for n in range(start[row + a], start[row + b + 1]):
                other = near[n]
                px, py = other.x - x, other.y - y
                both = radius + other.radius
                d2 = px * px + py * py
                if d2 >= (reach + both) * (reach + both) or n == k:
                    continue
                if not linked[me.surface, other.surface]:
                    continue
                if other.field != me.field and other.ex * me.ex + other.ey * me.ey < 0.0:
                    both *= squeeze
                if d2 < both * both:
                    d = math.sqrt(d2)
                    if d > 1e-9:
                        push_x -= (both - d) * px / d
                        push_y -= (both - d) * py / d
                if other.field == me.field and (
                    other.phi > me.phi or (other.phi == me.phi and other.person > me.person)
                ):
                    continue
                if px * ex + py * ey > -both:
                    _narrow(headings, k, px, py, both)

    best, vx, vy = -np.inf, 0.0, 0.0
    for m in range(_HEADINGS):
        v = min(free, max(0.0, headings[k, 0, m] / time_gap))
        score = (v + restlessness) * _COS[m]
        if score > best:
            best = score
            vx, vy = v * headings[k, 1, m], v * headings[k, 2, m]
    return vx + push_out * push_x, vy + push_out * push_y


@njit(cache=True, nogil=True)
def _narrow_by_wall(headings, k, edge, x, y, shoulder, reach):  # type: ignore[no-untyped-def]
    """Shorten the gaps of all headings by a wall: its line and its two ends, as thick as a body."""
    far = reach + shoulder
    wx, wy = _nearest_on_edge(edge, x, y)
    if wx * wx + wy * wy >= far * far:
        return
    ax, ay = edge.ax - x, edge.ay - y
    bx, by = edge.bx - x, edge.by - y
    dx, dy = bx - ax, by - ay
    length = math.sqrt(dx * dx + dy * dy)
    dx, dy = dx / length, dy / length
    # normal towards the wall, and the distance of its line
    nx, ny = -dy, dx
    d = ax * nx + ay * ny
    if d < 0.0:
        nx, ny, d = -nx, -ny, -d
    start, end = ax * dx + ay * dy, bx * dx + by * dy
    for m in range(_HEADINGS):
        into = headings[k, 1, m] * nx + headings[k, 2, m] * ny
        if into > 1e-9:
            gap = max(0.0, (d - shoulder) / into)
            along = gap * (headings[k, 1, m] * dx + headings[k, 2, m] * dy)
            if start <= along <= end:
                headings[k, 0, m] = min(headings[k, 0, m], gap)
    if ax * ax + ay * ay < far * far:
        _narrow(headings, k, ax, ay, shoulder)
    if bx * bx + by * by < far * far:
        _narrow(headings, k, bx, by, shoulder)


@njit(cache=True, nogil=True)
def _collision_free_speed(k, near, start, rows, cols, linked, ground, widest, parameters):  # type: ignore[no-untyped-def]
    time_gap, strength, reach_n, wall_strength, wall_range = parameters
    me = near[k]
    x, y, radius, free, cell = me.x, me.y, me.radius, me.speed, me.cell
    dx, dy = me.ex, me.ey
    # beyond this the repulsion is below 1e-4 of the wish and the gap does not bind
    reach = max(free * time_gap, reach_n * math.log(1e4 * max(strength, 1.0)))
    far = reach + radius + widest
    i0, i1 = _window(x, far)
    j0, j1 = _window(y, far)
    low, high = i0 & (cols - 1), i1 & (cols - 1)
    gap = np.inf
    for turn in range(2):
        # first the direction from all repulsions, then the gap along it
        for j in range(j0, j1 + 1):
            row = (j & (rows - 1)) * cols
            for part in range(1 if low <= high else 2):
                a = low if part == 0 else 0
                b = high if low <= high or part == 1 else cols - 1
                for n in range(start[row + a], start[row + b + 1]):
                    other = near[n]
                    px, py = other.x - x, other.y - y
                    both = radius + other.radius
                    d2 = px * px + py * py
                    if d2 >= (reach + both) * (reach + both) or n == k or d2 == 0.0:
                        continue
                    if not linked[me.surface, other.surface]:
                        continue
                    d = math.sqrt(d2)
                    if turn == 0:
                        push = strength * math.exp((both - d) / reach_n) / d
                        dx -= push * px
                        dy -= push * py
                    elif px * dx + py * dy >= 0.0 and abs(px * dy - py * dx) <= both:
                        gap = min(gap, d - both)
        if turn == 0:
            for n in range(ground.edge_start[cell], ground.edge_start[cell + 1]):
                edge = ground.edges[ground.edge_index[n]]
                if edge.to >= 0:
                    continue
                wx, wy = _nearest_on_edge(edge, x, y)
                d = math.sqrt(wx * wx + wy * wy)
                if d > 0.0:
                    push = wall_strength * math.exp((radius - d) / wall_range) / d
                    dx -= push * wx
                    dy -= push * wy
            norm = math.sqrt(dx * dx + dy * dy)
            if norm == 0.0:
                return 0.0, 0.0
            dx, dy = dx / norm, dy / norm
    v = min(free, max(0.0, gap / time_gap))
    return v * dx, v * dy

"""The shallow-water equations on one tile of the grid, as row sweeps that vectorise.

Each step solves, in conservation form on square cells,

    h_t + (hu)_x + (hv)_y = rain − infiltration
    (hu)_t + (hu² + g h²/2)_x + (huv)_y = −g h z_x − g n² u |u| h^(−1/3)   (and the same for hv)

Reconstruction
    Chen & Noelle (2017, SIAM J. Numer. Anal. 55): the bed at a face is
    ``min(max(zl, zr), min(zl + hl, zr + hr))``. Like Audusse et al. (2004) it keeps a lake at rest
    over any bed and depths positive, but a thin film on a steep slope still feels the whole slope,
    where Audusse's lets it creep: that film is what rain on a city is. Buttinger-Kreuzhuber et al.
    (2019) is the same face bed with linear states, which is what order 2 does here.
Fluxes
    HLL with Einfeldt's speeds and the dry-bed limits of Toro (2001); the tangential momentum rides
    on the mass flux, which is HLLC's contact wave.
Order 2
    MUSCL-Hancock (van Leer 1984): limited slopes of level, depth and velocity, half a step in
    time by the primitive equations (at rest it changes nothing), then one set of fluxes. A cell
    next to a dry or an outside cell, or shallower than its bed is rough, keeps flat states.
Positivity
    Every face may take from its upwind cell at most that cell's share for the face; a cell's four
    shares add up to just under its water. No water is ever clipped or made.
Friction
    Manning, implicit in the new discharge and solved exactly as the quadratic that it is, so a
    steady uniform flow does not depend on the step.

Bit for bit the same answer follows under mirroring, turning and transposing the grid and with any
number of threads: sums are paired symmetrically, there are no fused or reordered operations, and
tiles are fixed. The loops work on a scratch of rows at constant distances, with unsigned indices,
selects for branches and no ``pow``: that is what lets LLVM turn them into vector code.

Symbols: h depth, z bed, u and v velocity along columns (east) and rows (south), q discharge per
width, k and c the water that a cell may give and its wave speed, T the precision.
"""

# kernels are typed by numba, not by annotations
# mypy: allow-untyped-defs, no-check-untyped-defs

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import get_thread_id, njit, prange, types
from numba.extending import intrinsic

__all__ = [
    "DRY",
    "FLUX_LIMIT",
    "GRAVITY",
    "PAD",
    "SCRATCH",
    "SOLID",
    "TILE_COLS",
    "TILE_ROWS",
    "Cells",
    "Forcing",
    "Peaks",
    "State",
    "step_first",
    "step_second",
]

#: Standard gravity as the published test cases use it, m/s².
GRAVITY = 9.81
#: Below this depth water stands still, m.
DRY = 1e-6
#: Below this depth a cell gives no water away, m: films end here, not in subnormal numbers.
INERT = 1e-12
#: The share of its water that a cell can give away in one step.
GIVE = 0.999
#: Bed elevation that marks a cell outside the domain, m.
SOLID = 1e30
#: A sum of speeds beyond this means that the solution has left its physics, m/s.
FLUX_LIMIT = 1e6
#: Shores: flat states where the water is shallower than this, m.
FLAT = 1e-5
#: Generalised minmod: 1 is minmod, 2 the monotonised central limiter.
STEEPNESS = 1.5

#: Rings of cells around the domain.
PAD = 2
TILE_ROWS = 32
TILE_COLS = 128

# The scratch of a tile: rows of `_L` numbers, named by where they start. Indices are unsigned, so
# that no index can be taken for one that counts from the end.
_u = np.uintp
_L = _u(TILE_COLS + 16)
_0 = _u(0)
_1 = _u(1)
_2 = _u(2)
# one row of cells: depth, bed, velocities, shares; three of them (north, centre, south)
_H, _Z, _U, _V, _K, _C = (_u(i) * _L for i in range(6))
_NORTH, _CENTRE, _SOUTH = (_u(6 * i) * _L for i in range(3))
# states at the four faces of a row's cells: depth, bed, velocities
_EAST, _WEST, _UPPER, _LOWER, _ABOVE = (_u(18 + 4 * i) * _L for i in range(5))
# fluxes: mass, momentum on either side, tangential momentum
_F0, _FL, _FR, _FT = (_u(i) * _L for i in range(4))
_X, _N, _S = (_u(38 + 4 * i) * _L for i in range(3))
# source terms of the bed within the cells, of this row and the one above
_SX, _SY, _AX, _AY = (_u(50 + i) * _L for i in range(4))
# what is added to and taken from the cells of a row, and what comes out
_RAIN, _SEEP, _REST, _DRAG = (_u(54 + i) * _L for i in range(4))
_DH, _QX, _QY, _SPEED, _HAZARD, _TOOK = (_u(58 + i) * _L for i in range(6))
_FAST, _DEEP = (_u(64 + i) * _L for i in range(2))
# limited differences of level, depth and velocities along a row and across it
_LX, _HX, _UX, _VX, _LY, _HY, _UY, _VY = (_u(66 + i) * _L for i in range(8))
#: Numbers in one tile's scratch.
SCRATCH = 74 * (TILE_COLS + 16)

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


@intrinsic
def _inverse_cube_root(typing_context, x):
    """x^(−1/3) to 4 %: a third of the exponent, read from the bits of the float32."""

    def generate(context, builder, signature, args):
        single, word = ir.FloatType(), ir.IntType(32)
        value = args[0]
        if x is types.float64:
            value = builder.fptrunc(value, single)
        bits = builder.sitofp(builder.bitcast(value, word), single)
        bits = builder.fmul(bits, ir.Constant(single, -1.0 / 3.0))
        bits = builder.fadd(bits, ir.Constant(single, float(0x54A21D2A)))
        value = builder.bitcast(builder.fptosi(bits, word), single)
        return builder.fpext(value, ir.DoubleType()) if x is types.float64 else value

    return x(x), generate


@njit(forceinline=True, error_model="numpy")
def _cube_root_below(x, one, third, ninth2):
    """x^(−1/3) to 1e-10, by two steps of third order."""
    y = _inverse_cube_root(x)
    r = one - x * y * y * y
    y = y + y * r * (third + ninth2 * r)
    r = one - x * y * y * y
    return y + y * r * (third + ninth2 * r)


@njit(forceinline=True, error_model="numpy")
def _load(B, base, h, qx, qy, z, first, count, width):
    """Read one row of cells, its velocities and what each cell may give per face and second.

    `width` is dx/dt. A face may take ``k (c + max(u, 0))`` for u towards the face: over the four
    faces that is h dx/dt times `GIVE`.
    """
    T = B.dtype.type
    zero, one, four = T(0), T(1), T(4)
    dry, inert, g, give = T(DRY), T(INERT), T(GRAVITY), T(GIVE)
    share = give * width
    for c in range(count):
        d = h[first + c]
        B[base + _H + c] = d
        wet = d > dry
        inv = one / max(d, dry)
        u = qx[first + c] * inv
        v = qy[first + c] * inv
        B[base + _U + c] = u if wet else zero
        B[base + _V + c] = v if wet else zero
    for c in range(count):
        B[base + _Z + c] = z[first + c]
        d = B[base + _H + c]
        wave = np.sqrt(g * d)
        total = four * wave + (abs(B[base + _U + c]) + abs(B[base + _V + c]))
        k = share * d / max(total, inert)
        B[base + _K + c] = k if d > inert else zero
        B[base + _C + c] = wave


@njit(forceinline=True, error_model="numpy")
def _faces(B, out, sl, sr, un, ut, cl, cr, across, first, last):
    """Fluxes through the faces between states `sl` and `sr`, `across` cells apart.

    `un` and `ut` name the normal and the tangential velocity, `cl` and `cr` the cells that give.
    """
    T = B.dtype.type
    zero, half, quarter, two, tiny = T(0), T(0.5), T(0.25), T(2), T(1e-20)
    g, solid = T(GRAVITY), T(SOLID)
    g2 = half * g
    for c in range(first, last):
        r = c + across
        hl, zl, ul, vl = B[sl + _H + c], B[sl + _Z + c], B[sl + un + c], B[sl + ut + c]
        hr, zr, ur, vr = B[sr + _H + r], B[sr + _Z + r], B[sr + un + r], B[sr + ut + r]
        # an outside cell mirrors the inside one
        outl = zl >= solid
        outr = zr >= solid
        hl, zl, ul, hr, zr, ur = (
            hr if outl else hl,
            zr if outl else zl,
            -ur if outl else ul,
            hl if outr else hr,
            zl if outr else zr,
            -ul if outr else ur,
        )
        # the face's bed above either cell's, and the depths above it
        dz = zr - zl
        dl = min(max(zero, dz), hl, dz + hr)
        dr = min(max(zero, -dz), hr, hl - dz)
        a = min(hl - dl, hl)
        b = min(hr - dr, hr)
        wl = np.sqrt(g * a)
        wr = np.sqrt(g * b)
        ws = half * (wl + wr) + quarter * (ul - ur)
        us = half * (ul + ur) + (wl - wr)
        low = min(ul - wl, us - ws)
        top = max(ur + wr, us + ws)
        low = ur - two * wr if a <= zero else low
        top = ul + two * wl if b <= zero else top
        low = min(low, zero)
        top = max(top, zero)
        inv = T(1) / max(top - low, tiny)
        ql = a * ul
        qr = b * ur
        f0 = ((top * ql - low * qr) + low * top * (b - a)) * inv
        ml = ql * ul + g2 * a * a
        mr = qr * ur + g2 * b * b
        f1 = ((top * ml - low * mr) + low * top * (qr - ql)) * inv
        # no more than the upwind cell's share
        most = B[cl + _K + c] * (B[cl + _C + c] + max(B[cl + un + c], zero))
        least = B[cr + _K + r] * (B[cr + _C + r] + max(-B[cr + un + r], zero))
        given = min(max(f0, -least), most)
        given = zero if outl or outr else given
        f1 = f1 + (given - f0) * (ul if f0 > zero else ur)
        B[out + _F0 + c] = given
        B[out + _FL + c] = f1 + g2 * (hl + a) * dl
        B[out + _FR + c] = f1 + g2 * (hr + b) * dr
        B[out + _FT + c] = given * (vl if given > zero else vr)


@njit(forceinline=True, error_model="numpy")
def _update(B, base, sx, sy, dt, ratio, flooded, first, last):
    """New depth and discharge of one row from its fluxes, then friction, speeds and hazard."""
    T = B.dtype.type
    zero, one, two, half, four = T(0), T(1), T(2), T(0.5), T(4)
    third, ninth2 = T(1 / 3), T(2 / 9)
    dry, inert, g, give, solid = T(DRY), T(INERT), T(GRAVITY), T(GIVE), T(SOLID)
    limit, shallow, fast = T(FLUX_LIMIT), T(0.25), T(2)
    for c in range(first, last):
        w = c - _1
        h = B[base + _H + c]
        inside = B[base + _Z + c] < solid
        flow = (B[_X + _F0 + c] - B[_X + _F0 + w]) + (B[_S + _F0 + c] - B[_N + _F0 + c])
        dh = (B[_RAIN + c] - ratio * flow) + B[_REST + c]
        # the ground takes what it can of what is there
        new = h + dh
        soaked = min(B[_SEEP + c], give * new)
        soaked = soaked if new > inert else zero
        dh = dh - soaked if inside else zero
        new = h + dh
        B[_TOOK + c] = soaked if inside else zero
        B[_REST + c] = dh - (new - h)
        B[_DH + c] = new
        ax = (B[_X + _FL + c] - B[_X + _FR + w]) + (B[_S + _FT + c] - B[_N + _FT + c])
        ay = (B[_S + _FL + c] - B[_N + _FR + c]) + (B[_X + _FT + c] - B[_X + _FT + w])
        qx = h * B[base + _U + c] - ratio * (ax + B[sx + c])
        qy = h * B[base + _V + c] - ratio * (ay + B[sy + c])
        moving = inside and new > dry
        qx = qx if moving else zero
        qy = qy if moving else zero
        d = max(new, dry)
        root = np.sqrt(d)
        y = _cube_root_below(d, one, third, ninth2)
        inv = one / d
        m = np.sqrt(qx * qx + qy * qy)
        # q + dt g n² d^(-7/3) q² = q*
        k = dt * B[_DRAG + c] * (inv * inv * y)
        slow = two / (one + np.sqrt(one + four * k * m))
        qx = qx * slow
        qy = qy * slow
        B[_QX + c] = qx
        B[_QY + c] = qy
        sum_ = (abs(qx) + abs(qy)) * inv + two * np.sqrt(g) * root
        sum_ = sum_ if moving else zero
        # also where depth or speed is not a number
        sum_ = sum_ if sum_ < limit and new < solid else limit
        B[_FAST + c] = max(B[_FAST + c], sum_)
        B[_DEEP + c] = max(B[_DEEP + c], new)
        speed = m * slow * inv
        speed = speed if new >= flooded else zero
        B[_SPEED + c] = speed
        # Defra/EA FD2321 (2006): HR = d (v + 0.5) + DF, debris factor of urban ground
        debris = one if new > shallow or speed > fast else zero
        hazard = new * (speed + half) + debris
        B[_HAZARD + c] = hazard if new >= flooded else zero


@njit(forceinline=True, error_model="numpy")
def _limited(a, b, steep, half):
    """Generalised minmod of the differences to either side."""
    m = min(steep * min(abs(a), abs(b)), half * abs(a + b))
    m = m if a > 0 else -m
    return m if (a > 0) == (b > 0) else m - m


@njit(forceinline=True, error_model="numpy")
def _slopes(B, a, b, across_a, across_b, steep, half, flat, solid, c):
    """Differences of level, depth and both velocities across the centre cell c, limited.

    Neighbours are cells c − `across_a` of row set `a` and c + `across_b` of row set `b`.
    """
    i, k = c - across_a, c + across_b
    h, z = B[_CENTRE + _H + c], B[_CENTRE + _Z + c]
    ha, za, hb, zb = B[a + _H + i], B[a + _Z + i], B[b + _H + k], B[b + _Z + k]
    da, db = h - ha, hb - h
    depth = _limited(da, db, steep, half)
    level = _limited(da + (z - za), db + (zb - z), steep, half)
    u, v = B[_CENTRE + _U + c], B[_CENTRE + _V + c]
    su = _limited(u - B[a + _U + i], B[b + _U + k] - u, steep, half)
    sv = _limited(v - B[a + _V + i], B[b + _V + k] - v, steep, half)
    deep = min(ha, hb, h) > flat and max(za, zb, z) < solid
    keep = deep and abs(level - depth) < h
    none = depth - depth
    return (
        level if keep else none,
        depth if keep else none,
        su if keep else none,
        sv if keep else none,
    )


@njit(forceinline=True, error_model="numpy")
def _reconstruct(B, drag, origin, half_step, half_ratio, first, last):
    """States at the four faces of the centre row's cells, half a step on, and its bed slopes.

    The half step feels friction too, without which a uniform flow would run ahead of itself.
    """
    T = B.dtype.type
    one, dry, third, ninth2 = T(1), T(DRY), T(1 / 3), T(2 / 9)
    for c in range(first, last):
        B[_DRAG + c] = drag[origin + c]
    half, steep, flat, solid, g, zero = T(0.5), T(STEEPNESS), T(FLAT), T(SOLID), T(GRAVITY), T(0)
    for c in range(first, last):
        lx, hx, ux, vx = _slopes(B, _CENTRE, _CENTRE, _1, _1, steep, half, flat, solid, c)
        B[_LX + c], B[_HX + c], B[_UX + c], B[_VX + c] = lx, hx, ux, vx
    for c in range(first, last):
        ly, hy, uy, vy = _slopes(B, _NORTH, _SOUTH, _0, _0, steep, half, flat, solid, c)
        B[_LY + c], B[_HY + c], B[_UY + c], B[_VY + c] = ly, hy, uy, vy
    for c in range(first, last):
        h, z = B[_CENTRE + _H + c], B[_CENTRE + _Z + c]
        u, v = B[_CENTRE + _U + c], B[_CENTRE + _V + c]
        lx, hx, ux, vx = B[_LX + c], B[_HX + c], B[_UX + c], B[_VX + c]
        ly, hy, uy, vy = B[_LY + c], B[_HY + c], B[_UY + c], B[_VY + c]
        dh = -half_ratio * ((u * hx + v * hy) + h * (ux + vy))
        du = -half_ratio * ((u * ux + v * uy) + g * lx)
        dv = -half_ratio * ((u * vx + v * vy) + g * ly)
        # where half a step would empty a face the cell stays flat
        lowest = h - half * max(abs(hx), abs(hy)) + dh
        keep = lowest > zero
        lx, hx, ux, vx = (
            lx if keep else zero,
            hx if keep else zero,
            ux if keep else zero,
            vx if keep else zero,
        )
        ly, hy, uy, vy = (
            ly if keep else zero,
            hy if keep else zero,
            uy if keep else zero,
            vy if keep else zero,
        )
        d = max(h, dry)
        y = _cube_root_below(d, one, third, ninth2)
        slow = one / (one + half_step * B[_DRAG + c] * np.sqrt(u * u + v * v) * ((y * y) * (y * y)))
        d = h + dh if keep else h
        u = (u + du) * slow if keep else u
        v = (v + dv) * slow if keep else v
        bx, by = lx - hx, ly - hy
        B[_EAST + _H + c] = d + half * hx
        B[_WEST + _H + c] = d - half * hx
        B[_LOWER + _H + c] = d + half * hy
        B[_UPPER + _H + c] = d - half * hy
        B[_EAST + _Z + c] = z + half * bx
        B[_WEST + _Z + c] = z - half * bx
        B[_LOWER + _Z + c] = z + half * by
        B[_UPPER + _Z + c] = z - half * by
        B[_EAST + _U + c] = u + half * ux
        B[_WEST + _U + c] = u - half * ux
        B[_LOWER + _U + c] = u + half * uy
        B[_UPPER + _U + c] = u - half * uy
        B[_EAST + _V + c] = v + half * vx
        B[_WEST + _V + c] = v - half * vx
        B[_LOWER + _V + c] = v + half * vy
        B[_UPPER + _V + c] = v - half * vy
        B[_SX + c] = g * d * bx
        B[_SY + c] = g * d * by


@njit(forceinline=True, error_model="numpy")
def _copy(B, target, source, rows, count):
    """Move `rows` neighbouring rows of the scratch."""
    for i in range(rows):
        o = i * _L
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
            B[_RAIN + c] = rain * pattern[first + c]
    if forcing.seep.shape[0] > 1:
        seep = forcing.seep[r]
        for c in range(count):
            B[_SEEP + c] = dt * seep[first + c]
    if old.rest.shape[0] > 1:
        rest = old.rest[r]
        for c in range(count):
            B[_REST + c] = rest[first + c]
    else:
        _fill(B, _REST, T(0), count)
    drag = cells.drag[r]
    for c in range(count):
        B[_DRAG + c] = drag[first + c]


@njit(forceinline=True, error_model="numpy")
def _store(B, r, first, last, origin, forcing, old, new, peaks, time):
    """Write one row of the new state and take its maxima; scratch column `first` is `origin`."""
    h, qx, qy = new.h[r], new.qx[r], new.qy[r]
    for c in range(first, last):
        h[origin + c] = B[_DH + c]
    for c in range(first, last):
        qx[origin + c] = B[_QX + c]
    for c in range(first, last):
        qy[origin + c] = B[_QY + c]
    if old.rest.shape[0] > 1:
        rest = old.rest[r]
        for c in range(first, last):
            rest[origin + c] = B[_REST + c]
    if forcing.seep.shape[0] > 1:
        taken = forcing.taken[r]
        for c in range(first, last):
            taken[origin + c] += B[_TOOK + c]
    flooded = np.float32(peaks.flooded)
    depth, arrival = peaks.depth[r], peaks.arrival[r]
    now = np.float32(time)
    for c in range(first, last):
        d = np.float32(B[_DH + c])
        depth[origin + c] = max(depth[origin + c], d)
        since = min(arrival[origin + c], now)
        arrival[origin + c] = since if d >= flooded else arrival[origin + c]
    speed, hazard = peaks.speed[r], peaks.hazard[r]
    for c in range(first, last):
        speed[origin + c] = max(speed[origin + c], np.float32(B[_SPEED + c]))
        hazard[origin + c] = max(hazard[origin + c], np.float32(B[_HAZARD + c]))


@njit(forceinline=True, error_model="numpy")
def _side_columns(B, r, count, west, east, edges, forced):
    """Put the fluxes of the western and eastern side into the faces of row r, where they are."""
    if west and forced[0]:
        B[_X + _F0 + _1] = edges[0, 0, r]
        B[_X + _FR + _1] = edges[0, 1, r]
        B[_X + _FT + _1] = edges[0, 2, r]
    if east and forced[1]:
        B[_X + _F0 + _1 + count] = edges[1, 0, r]
        B[_X + _FL + _1 + count] = edges[1, 1, r]
        B[_X + _FT + _1 + count] = edges[1, 2, r]


@njit(forceinline=True, error_model="numpy")
def _side_row(B, faces, momentum, side, origin, first, last, edges):
    """Put the fluxes of the northern or southern side into a row of faces."""
    mass, normal, tangential = edges[side, 0], edges[side, 1], edges[side, 2]
    for c in range(first, last):
        B[faces + _F0 + c] = mass[origin + c]
        B[faces + momentum + c] = normal[origin + c]
        B[faces + _FT + c] = tangential[origin + c]


@njit(forceinline=True, error_model="numpy")
def _row_depth(B, r, row, rows, first, last, deep):
    """Note the depth of a tile's two northernmost and two southernmost rows."""
    if r < row + 2 or r >= row + rows - 2:
        most = B[_DH + first]
        for c in range(first, last):
            most = max(most, B[_DH + c])
        if r < row + 2:
            deep[3] = max(deep[3], most)
        if r >= row + rows - 2:
            deep[4] = max(deep[4], most)


@njit(forceinline=True, error_model="numpy")
def _finish(B, first, last, deep):
    """Return the largest sum of speeds of a tile, and note its depths: whole, west, east."""
    fast, most = B[_FAST + first], B[_DEEP + first]
    for c in range(first, last):
        fast = max(fast, B[_FAST + c])
        most = max(most, B[_DEEP + c])
    deep[0] = most
    deep[1] = max(B[_DEEP + first], B[_DEEP + min(first + _1, last - _1)])
    deep[2] = max(B[_DEEP + last - _1], B[_DEEP + max(first, last - _2)])
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
    n = _u(cols)
    count = n + _u(2 * PAD)  # scratch column 0 is grid column col − PAD
    origin = _u(col - PAD)
    first, last = _2, n + _2
    _fill(B, _FAST, T(0), count)
    _fill(B, _DEEP, T(0), count)
    deep[:] = T(0)
    _fill(B, _RAIN, T(dt * forcing.rain), count)
    _fill(B, _SEEP, T(0), count)
    _fill(B, _SX, T(0), count)
    _fill(B, _SY, T(0), count)
    r = row - 1
    _load(B, _SOUTH, old.h[r], old.qx[r], old.qy[r], cells.z[r], origin, count, width)
    for r in range(row - 1, row + rows):
        # rows of cells: centre r, south r + 1
        _copy(B, _CENTRE, _SOUTH, _u(6), count)
        _copy(B, _N, _S, _u(4), count)
        b = r + 1
        _load(B, _SOUTH, old.h[b], old.qx[b], old.qy[b], cells.z[b], origin, count, width)
        _faces(B, _S, _CENTRE, _SOUTH, _V, _U, _CENTRE, _SOUTH, _0, first, last)
        if north and r == row - 1 and forcing.forced[2]:
            _side_row(B, _S, _FR, 2, origin, first, last, forcing.edges)
        if south and r == row + rows - 1 and forcing.forced[3]:
            _side_row(B, _S, _FL, 3, origin, first, last, forcing.edges)
        if r >= row:
            _faces(B, _X, _CENTRE, _CENTRE, _U, _V, _CENTRE, _CENTRE, _1, _1, last)
            _side_columns(B, r, n, west, east, forcing.edges, forcing.forced)
            _forcing(B, r, origin, count, forcing, cells, old, tdt)
            _update(B, _CENTRE, _SX, _SY, tdt, ratio, flooded, first, last)
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
    n = _u(cols)
    count = n + _u(2 * PAD)
    origin = _u(col - PAD)
    first, last = _2, n + _2
    _fill(B, _FAST, T(0), count)
    _fill(B, _DEEP, T(0), count)
    deep[:] = T(0)
    _fill(B, _RAIN, T(dt * forcing.rain), count)
    _fill(B, _SEEP, T(0), count)
    for i in range(3):
        r = row - 2 + i
        if i > 0:
            _copy(B, _NORTH, _CENTRE, _u(12), count)
        _load(B, _SOUTH, old.h[r], old.qx[r], old.qy[r], cells.z[r], origin, count, width)
    for r in range(row - 1, row + rows + 1):
        # rows of cells: north r − 1, centre r, south r + 1
        if r > row - 1:
            b = r + 1
            _copy(B, _NORTH, _CENTRE, _u(12), count)
            _load(B, _SOUTH, old.h[b], old.qx[b], old.qy[b], cells.z[b], origin, count, width)
            _copy(B, _AX, _SX, _2, count)
        _reconstruct(B, cells.drag[r], origin, T(0.5) * tdt, T(0.5) * ratio, _1, last + _1)
        if r > row - 1:
            _faces(B, _S, _ABOVE, _UPPER, _V, _U, _NORTH, _CENTRE, _0, first, last)
            if north and r == row and forcing.forced[2]:
                _side_row(B, _S, _FR, 2, origin, first, last, forcing.edges)
            if south and r == row + rows and forcing.forced[3]:
                _side_row(B, _S, _FL, 3, origin, first, last, forcing.edges)
        if r > row:
            done = r - 1
            _forcing(B, done, origin, count, forcing, cells, old, tdt)
            _update(B, _NORTH, _AX, _AY, tdt, ratio, flooded, first, last)
            _store(B, done, first, last, origin, forcing, old, new, peaks, time)
            _row_depth(B, done, row, rows, first, last, deep)
        _copy(B, _N, _S, _u(4), count)
        _copy(B, _ABOVE, _LOWER, _u(4), count)
        _faces(B, _X, _EAST, _WEST, _U, _V, _CENTRE, _CENTRE, _1, _1, last)
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

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

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from twin.sim.flood.scratch import (
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
    HX,
    HY,
    I0,
    I1,
    LOWER,
    LX,
    LY,
    NORTH,
    QX,
    QY,
    RAIN,
    REST,
    SEEP,
    SOUTH,
    SPEED,
    SX,
    SY,
    TOOK,
    UPPER,
    UX,
    UY,
    VX,
    VY,
    WEST,
    C,
    H,
    K,
    N,
    S,
    U,
    V,
    X,
    Z,
)

__all__ = [
    "DRY",
    "FLUX_LIMIT",
    "GIVE",
    "GRAVITY",
    "INERT",
    "SOLID",
    "faces",
    "load",
    "reconstruct",
    "update",
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
def load(B, base, h, qx, qy, z, first, count, width):
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
        B[base + H + c] = d
        wet = d > dry
        inv = one / max(d, dry)
        u = qx[first + c] * inv
        v = qy[first + c] * inv
        B[base + U + c] = u if wet else zero
        B[base + V + c] = v if wet else zero
    for c in range(count):
        B[base + Z + c] = z[first + c]
        d = B[base + H + c]
        wave = np.sqrt(g * d)
        total = four * wave + (abs(B[base + U + c]) + abs(B[base + V + c]))
        k = share * d / max(total, inert)
        B[base + K + c] = k if d > inert else zero
        B[base + C + c] = wave


@njit(forceinline=True, error_model="numpy")
def faces(B, out, sl, sr, un, ut, cl, cr, across, first, last):
    """Fluxes through the faces between states `sl` and `sr`, `across` cells apart.

    `un` and `ut` name the normal and the tangential velocity, `cl` and `cr` the cells that give.
    """
    T = B.dtype.type
    zero, half, quarter, two, tiny = T(0), T(0.5), T(0.25), T(2), T(1e-20)
    g, solid = T(GRAVITY), T(SOLID)
    g2 = half * g
    for c in range(first, last):
        r = c + across
        hl, zl, ul, vl = B[sl + H + c], B[sl + Z + c], B[sl + un + c], B[sl + ut + c]
        hr, zr, ur, vr = B[sr + H + r], B[sr + Z + r], B[sr + un + r], B[sr + ut + r]
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
        most = B[cl + K + c] * (B[cl + C + c] + max(B[cl + un + c], zero))
        least = B[cr + K + r] * (B[cr + C + r] + max(-B[cr + un + r], zero))
        given = min(max(f0, -least), most)
        given = zero if outl or outr else given
        f1 = f1 + (given - f0) * (ul if f0 > zero else ur)
        B[out + F0 + c] = given
        B[out + FL + c] = f1 + g2 * (hl + a) * dl
        B[out + FR + c] = f1 + g2 * (hr + b) * dr
        B[out + FT + c] = given * (vl if given > zero else vr)


@njit(forceinline=True, error_model="numpy")
def update(B, base, sx, sy, dt, ratio, flooded, first, last):
    """New depth and discharge of one row from its fluxes, then friction, speeds and hazard."""
    T = B.dtype.type
    zero, one, two, half, four = T(0), T(1), T(2), T(0.5), T(4)
    third, ninth2 = T(1 / 3), T(2 / 9)
    dry, inert, g, give, solid = T(DRY), T(INERT), T(GRAVITY), T(GIVE), T(SOLID)
    limit, shallow, fast = T(FLUX_LIMIT), T(0.25), T(2)
    for c in range(first, last):
        w = c - I1
        h = B[base + H + c]
        inside = B[base + Z + c] < solid
        flow = (B[X + F0 + c] - B[X + F0 + w]) + (B[S + F0 + c] - B[N + F0 + c])
        dh = (B[RAIN + c] - ratio * flow) + B[REST + c]
        # the ground takes what it can of what is there
        new = h + dh
        soaked = min(B[SEEP + c], give * new)
        soaked = soaked if new > inert else zero
        dh = dh - soaked if inside else zero
        new = h + dh
        B[TOOK + c] = soaked if inside else zero
        B[REST + c] = dh - (new - h)
        B[DH + c] = new
        ax = (B[X + FL + c] - B[X + FR + w]) + (B[S + FT + c] - B[N + FT + c])
        ay = (B[S + FL + c] - B[N + FR + c]) + (B[X + FT + c] - B[X + FT + w])
        qx = h * B[base + U + c] - ratio * (ax + B[sx + c])
        qy = h * B[base + V + c] - ratio * (ay + B[sy + c])
        moving = inside and new > dry
        qx = qx if moving else zero
        qy = qy if moving else zero
        d = max(new, dry)
        root = np.sqrt(d)
        y = _cube_root_below(d, one, third, ninth2)
        inv = one / d
        m = np.sqrt(qx * qx + qy * qy)
        # q + dt g n² d^(-7/3) q² = q*
        k = dt * B[DRAG + c] * (inv * inv * y)
        slow = two / (one + np.sqrt(one + four * k * m))
        qx = qx * slow
        qy = qy * slow
        B[QX + c] = qx
        B[QY + c] = qy
        sum_ = (abs(qx) + abs(qy)) * inv + two * np.sqrt(g) * root
        sum_ = sum_ if moving else zero
        # also where depth or speed is not a number
        sum_ = sum_ if sum_ < limit and new < solid else limit
        B[FAST + c] = max(B[FAST + c], sum_)
        B[DEEP + c] = max(B[DEEP + c], new)
        speed = m * slow * inv
        speed = speed if new >= flooded else zero
        B[SPEED + c] = speed
        # Defra/EA FD2321 (2006): HR = d (v + 0.5) + DF, debris factor of urban ground
        debris = one if new > shallow or speed > fast else zero
        hazard = new * (speed + half) + debris
        B[HAZARD + c] = hazard if new >= flooded else zero


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
    h, z = B[CENTRE + H + c], B[CENTRE + Z + c]
    ha, za, hb, zb = B[a + H + i], B[a + Z + i], B[b + H + k], B[b + Z + k]
    da, db = h - ha, hb - h
    depth = _limited(da, db, steep, half)
    level = _limited(da + (z - za), db + (zb - z), steep, half)
    u, v = B[CENTRE + U + c], B[CENTRE + V + c]
    su = _limited(u - B[a + U + i], B[b + U + k] - u, steep, half)
    sv = _limited(v - B[a + V + i], B[b + V + k] - v, steep, half)
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
def reconstruct(B, drag, origin, half_step, half_ratio, first, last):
    """States at the four faces of the centre row's cells, half a step on, and its bed slopes.

    The half step feels friction too, without which a uniform flow would run ahead of itself.
    """
    T = B.dtype.type
    one, dry, third, ninth2 = T(1), T(DRY), T(1 / 3), T(2 / 9)
    for c in range(first, last):
        B[DRAG + c] = drag[origin + c]
    half, steep, flat, solid, g, zero = T(0.5), T(STEEPNESS), T(FLAT), T(SOLID), T(GRAVITY), T(0)
    for c in range(first, last):
        lx, hx, ux, vx = _slopes(B, CENTRE, CENTRE, I1, I1, steep, half, flat, solid, c)
        B[LX + c], B[HX + c], B[UX + c], B[VX + c] = lx, hx, ux, vx
    for c in range(first, last):
        ly, hy, uy, vy = _slopes(B, NORTH, SOUTH, I0, I0, steep, half, flat, solid, c)
        B[LY + c], B[HY + c], B[UY + c], B[VY + c] = ly, hy, uy, vy
    for c in range(first, last):
        h, z = B[CENTRE + H + c], B[CENTRE + Z + c]
        u, v = B[CENTRE + U + c], B[CENTRE + V + c]
        lx, hx, ux, vx = B[LX + c], B[HX + c], B[UX + c], B[VX + c]
        ly, hy, uy, vy = B[LY + c], B[HY + c], B[UY + c], B[VY + c]
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
        slow = one / (one + half_step * B[DRAG + c] * np.sqrt(u * u + v * v) * ((y * y) * (y * y)))
        d = h + dh if keep else h
        u = (u + du) * slow if keep else u
        v = (v + dv) * slow if keep else v
        bx, by = lx - hx, ly - hy
        B[EAST + H + c] = d + half * hx
        B[WEST + H + c] = d - half * hx
        B[LOWER + H + c] = d + half * hy
        B[UPPER + H + c] = d - half * hy
        B[EAST + Z + c] = z + half * bx
        B[WEST + Z + c] = z - half * bx
        B[LOWER + Z + c] = z + half * by
        B[UPPER + Z + c] = z - half * by
        B[EAST + U + c] = u + half * ux
        B[WEST + U + c] = u - half * ux
        B[LOWER + U + c] = u + half * uy
        B[UPPER + U + c] = u - half * uy
        B[EAST + V + c] = v + half * vx
        B[WEST + V + c] = v - half * vx
        B[LOWER + V + c] = v + half * vy
        B[UPPER + V + c] = v - half * vy
        B[SX + c] = g * d * bx
        B[SY + c] = g * d * by

"""One step of order 1 against the same scheme written plainly with NumPy."""

import numpy as np
import pytest

from twin.sim.flood import ShallowWater
from twin.sim.flood.kernels import DRY, GRAVITY


def hll(hl, ul, hr, ur):
    """Return mass and momentum flux of Einfeldt's HLL with the dry limits."""
    cl, cr = np.sqrt(GRAVITY * hl), np.sqrt(GRAVITY * hr)
    middle, wave = 0.5 * (ul + ur) + cl - cr, 0.5 * (cl + cr) + 0.25 * (ul - ur)
    low = np.where(hl > 0, np.minimum(ul - cl, middle - wave), ur - 2 * cr)
    top = np.where(hr > 0, np.maximum(ur + cr, middle + wave), ul + 2 * cl)
    low, top = np.minimum(low, 0), np.maximum(top, 0)
    span = np.maximum(top - low, 1e-20)
    mass = (top * hl * ul - low * hr * ur + low * top * (hr - hl)) / span
    left, right = (h * u * u + GRAVITY * h * h / 2 for h, u in ((hl, ul), (hr, ur)))
    return mass, (top * left - low * right + low * top * (hr * ur - hl * ul)) / span


def sweep(h, z, un, ut, wall):
    """Return what flows out of each cell along axis 1: mass, normal and tangential momentum."""
    h, z, ut, wall = (np.pad(a, ((0, 0), (1, 1)), mode="edge") for a in (h, z, ut, wall))
    un = np.pad(un, ((0, 0), (1, 1)))
    un[:, 0], un[:, -1] = -un[:, 1], -un[:, -2]
    left, right = np.s_[:, :-1], np.s_[:, 1:]
    hl, zl, ul, vl = h[left], z[left], un[left], ut[left]
    hr, zr, ur, vr = h[right], z[right], un[right], ut[right]
    outl, outr = wall[left], wall[right]
    hl, hr = np.where(outl, hr, hl), np.where(outr, hl, hr)
    zl, zr = np.where(outl, zr, zl), np.where(outr, zl, zr)
    ul, ur = np.where(outl, -ur, ul), np.where(outr, -ul, ur)
    bed = np.minimum(np.maximum(zl, zr), np.minimum(zl + hl, zr + hr))
    a, b = np.minimum(zl + hl - bed, hl), np.minimum(zr + hr - bed, hr)
    mass, push = hll(a, ul, b, ur)
    shut = outl | outr
    shut[:, 0] = shut[:, -1] = True
    mass = np.where(shut, 0.0, mass)
    to_left = push + GRAVITY / 2 * (hl + a) * (bed - zl)
    to_right = push + GRAVITY / 2 * (hr + b) * (bed - zr)
    along = mass * np.where(mass > 0, vl, vr)
    return np.diff(mass), to_left[:, 1:] - to_right[:, :-1], np.diff(along)


@pytest.mark.parametrize("seed", range(4))
def test_a_step_is_the_scheme_that_the_kernels_describe(seed):
    rng = np.random.default_rng(seed)
    shape, dx, n, rain = (9, 11), 2.0, 0.035, 1e-4
    z = rng.random(shape)
    h = np.maximum(rng.random(shape) + 0.2 - (rng.random(shape) < 0.2), 0.0)
    u, v = rng.normal(0, 1, (2, *shape)) * (h > 0)
    wall = rng.random(shape) < 0.1
    h[wall] = u[wall] = v[wall] = 0
    sw = ShallowWater(np.where(wall, np.nan, z), dx, h, u, v, manning=n, order=1)
    sw.rain = rain
    dt = 0.05
    sw.advance(dt)
    assert sw.steps == 1

    south = -v
    flow_x = sweep(h, z, u, south, wall)
    flow_y = [f.T for f in sweep(h.T, z.T, south.T, u.T, wall.T)]
    new = h - dt / dx * (flow_x[0] + flow_y[0]) + dt * rain
    qx = h * u - dt / dx * (flow_x[1] + flow_y[2])
    qy = h * south - dt / dx * (flow_x[2] + flow_y[1])
    drag = dt * GRAVITY * n**2 * np.maximum(new, DRY) ** (-7 / 3)
    slow = 2 / (1 + np.sqrt(1 + 4 * drag * np.hypot(qx, qy)))
    wet = (new > DRY) & ~wall
    expected = [np.where(wet, q * slow / np.maximum(new, DRY), 0.0) for q in (qx, -qy)]
    np.testing.assert_allclose(sw.depth, np.where(wall, 0.0, new), atol=1e-14)
    np.testing.assert_allclose(sw.u, expected[0], atol=1e-9)
    np.testing.assert_allclose(sw.v, expected[1], atol=1e-9)

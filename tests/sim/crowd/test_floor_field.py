"""The potential and its gradient, against what is known without a computer."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Point, box

from twin.geo.grid import Grid
from twin.sim.crowd import CrowdModel
from twin.sim.crowd.lattice import INSIDE, cell_centres


def potential(crowd: CrowdModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y and φ of the walkable cells of a crowd with one surface."""
    x, y = cell_centres(crowd._ground, 0)
    inside = crowd._ways.lattice.status == INSIDE
    return x[inside], y[inside], crowd._ways.phi[0][inside]


def test_distance_along_a_corridor_is_exact() -> None:
    crowd = CrowdModel(box(0, 0, 30, 2), {"end": box(28.93, 0, 30, 2)})
    x, _, phi = potential(crowd)
    assert phi[x < 28] == pytest.approx(28.93 - x[x < 28], abs=1e-3)


def test_distance_in_the_open_is_that_as_the_crow_flies() -> None:
    disc = Point(0, 0).buffer(20)
    crowd = CrowdModel(disc, {"middle": Point(0, 0).buffer(2)})
    x, y, phi = potential(crowd)
    far = np.hypot(x, y) > 4
    assert phi[far] == pytest.approx((np.hypot(x, y) - 2)[far], rel=0.03, abs=0.1)


def test_walls_thinner_than_a_cell_hold() -> None:
    place = box(0, 0, 10, 10).difference(box(4.99, 0, 5.01, 9))
    crowd = CrowdModel(place, {"right": box(9, 0, 10, 1)}, cell_size=0.5)
    x, y, phi = potential(crowd)
    left = (x < 4.9) & (y < 1)
    assert phi[left].min() > 2 * 8  # up along the wall and down again


def test_slow_ground_is_gone_around() -> None:
    grid = Grid.from_bounds("EPSG:32651", (0, 0, 20, 20), 1.0)
    crowd = CrowdModel(box(0, 0, 20, 20), {"end": box(19, 9, 20, 11)}, record_every=1)
    crowd.add([(1.0, 10.0)], desired_speed=1.3)
    factor = np.ones(grid.shape)
    factor[6:14, 8:12] = 0.2
    crowd.set_field("speed_factor", factor, grid)
    crowd.advance(60.0)
    path = crowd.trajectories
    beside = path[(path["x"] > 8) & (path["x"] < 12)]
    assert crowd.remaining == 0
    assert (np.abs(beside["y"] - 10) > 3.5).all()


def test_only_the_surfaces_asked_for_are_solved_anew() -> None:
    from test_surfaces import EXITS, HALL, LINKS, STAIR, STREET

    crowd = CrowdModel([HALL, STAIR, STREET], EXITS, links=LINKS)
    ways = crowd._ways
    before = ways.phi[0].copy()
    ways.phi[0][ways.window(0)] = 7.0
    ways.phi[0][ways.window(1)] = 7.0
    ways.solve(0, np.array([True, True, False]))
    assert np.array_equal(ways.phi[0], before)

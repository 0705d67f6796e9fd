"""Walking in water, against measured points."""

from __future__ import annotations

import numpy as np
import pytest

from twin.sim.crowd.wading import specific_force, wading_factor


def test_speed_in_half_a_metre_of_still_water() -> None:
    """Bernardini et al. 2020: 0.79 m/s; free 1.34 m/s."""
    assert float(wading_factor(0.5, 0.0)) * 1.34 == pytest.approx(0.79, abs=0.01)


def test_shallow_water_does_not_slow_and_deep_water_stops() -> None:
    assert float(wading_factor(0.1, 0.3)) == 1.0
    assert float(wading_factor(0.75, 0.0)) == 0.0
    assert float(wading_factor(0.7, 1.5)) == 0.0
    assert float(wading_factor(np.nan, np.nan)) == 1.0
    assert float(wading_factor(-0.1, 0.0)) == 1.0


def test_the_factor_falls_with_depth_and_speed_without_jumps() -> None:
    depth = np.linspace(0.0, 0.7, 701)
    for speed in (0.0, 0.5, 1.0):
        factor = wading_factor(depth, speed)
        walked = factor > 0
        assert (np.diff(factor[walked]) <= 1e-12).all()
        assert np.abs(np.diff(factor[walked])).max() < 0.01
    assert (np.diff(wading_factor(0.4, np.linspace(0, 2, 50))) <= 0).all()


def test_specific_force() -> None:
    assert float(specific_force(0.5, 2.0)) == pytest.approx(4 * 0.5 / 9.81 + 0.125)

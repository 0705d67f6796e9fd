"""Series, storms and hazard ratings against numbers worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import InputError
from twin.sim.flood import Series, aidr_class, block_storm, chicago_storm, defra_class, defra_rating
from twin.sim.flood.forcing import as_forcing


def test_means_of_a_series_are_exact():
    s = Series([10.0, 20.0, 20.0, 30.0], [1.0, 3.0, 0.0, 4.0])
    assert s.value(15.0) == 2.0
    assert s.value(20.0) == 0.0  # after the jump
    assert s.mean(10.0, 20.0) == 2.0
    assert s.mean(0.0, 10.0) == 1.0  # held before
    assert s.mean(15.0, 25.0) == pytest.approx((2.5 * 5 + 1.0 * 5) / 10)
    assert s.mean(30.0, 99.0) == 4.0  # and after


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30, unique=True).map(sorted))
def test_a_series_brings_the_same_volume_in_any_steps(cuts):
    s = chicago_storm(0.1, 7200.0)
    edges = [0.0, *cuts, 1e4]
    parts = [s.mean(a, b) * (b - a) for a, b in itertools.pairwise(edges) if b > a]
    assert sum(parts) == pytest.approx(0.1, rel=1e-9)


def test_storms_bring_their_depth():
    assert block_storm(0.05, 3600.0, begins=60.0).mean(0.0, 7200.0) * 7200 == pytest.approx(0.05)
    storm = chicago_storm(0.14, 10800.0, 0.4, begins=600.0)
    assert storm.mean(0.0, 600.0) == 0.0
    assert storm.mean(600.0, 11400.0) * 10800 == pytest.approx(0.14)
    assert storm.mean(11400.0, 2e4) == 0.0


def test_the_heaviest_part_of_a_chicago_storm_follows_the_formula():
    """Around the peak, t seconds split as the peak splits the storm have the mean a/(t+b)^n."""
    storm = chicago_storm(0.1, 7200.0, 0.3, offset=600.0, exponent=0.7)
    peak = 0.3 * 7200
    fell = [storm.mean(peak - 0.3 * t, peak + 0.7 * t) * t for t in (600.0, 1800.0, 7200.0)]
    expected = [t / (t + 600.0) ** 0.7 for t in (600.0, 1800.0, 7200.0)]
    np.testing.assert_allclose(np.divide(fell, fell[-1]), np.divide(expected, expected[-1]),
                               rtol=2e-3)  # fmt: skip


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Series([0, 2, 1], [0, 0, 0], "tide"), "times of the tide must ascend, but 1 s"),
    (lambda: Series([0, 1], [0, np.nan]), "no finite time and value at position 1"),
    (lambda: Series([0, 1], [0]), "one value for each time"),
    (lambda: as_forcing("gauge", "rain"), "rain must be a number"),
    (lambda: as_forcing(float("inf"), "rain"), "rain must be finite"),
    (lambda: chicago_storm(0.1, 0.0), "lasts more than 0 s"),
    (lambda: chicago_storm(0.1, 60.0, 1.0), "between 0 and 1 of its duration"),
    (lambda: block_storm(-0.1, 60.0), "0 m or more"),
])  # fmt: skip
def test_forcings_that_cannot_be_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_defra_rating():
    depth, speed = [0.0, 0.2, 0.5, 1.0, 0.2], [9.0, 1.0, 1.0, 2.0, 2.5]
    expected = [0.0, 0.3, 1.75, 3.5, 1.6]
    np.testing.assert_allclose(defra_rating(depth, speed), expected)
    np.testing.assert_array_equal(defra_class([*expected, np.nan]), [0, 0, 2, 3, 2, 0])


def test_the_australian_classes():
    cases = {
        (0.0, 9.0): 1, (0.2, 1.0): 1, (0.35, 0.1): 2, (0.4, 1.4): 2, (0.6, 0.5): 3,
        (0.5, 1.9): 4, (1.3, 0.1): 4, (0.1, 2.1): 5, (2.1, 0.0): 5, (1.0, 3.0): 5,
        (4.1, 0.0): 6, (0.1, 4.1): 6, (1.5, 3.0): 6,
    }  # fmt: skip
    depth, speed = np.array(list(cases)).T
    np.testing.assert_array_equal(aidr_class(depth, speed), list(cases.values()))

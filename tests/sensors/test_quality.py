"""Quality flags: each test by hand, and independence of the order of arrival."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import SensorError
from twin.sensors import Datastream, QualityLimits
from twin.sensors.quality import (
    FAIL,
    GOOD,
    NOT_EVALUATED,
    SUSPECT,
    Checks,
    QualityControl,
    flag_series,
)

GAUGE = Datastream("g", "", "water_level", "m", "g")


def flags(values: list[float], limits: QualityLimits, step: int = 60, **range_: float) -> list[int]:
    """Return the flags of readings every `step` seconds."""
    checks = Checks.of(replace(GAUGE, limits=limits, **range_))
    return flag_series([n * step * 10**6 for n in range(len(values))], values, checks)


def test_without_limits_nothing_is_evaluated() -> None:
    assert flags([1.0, 2.0], QualityLimits()) == [NOT_EVALUATED, NOT_EVALUATED]


def test_gross_range() -> None:
    limits = QualityLimits(suspect_minimum=0.0, suspect_maximum=5.0)
    got = flags([-1.001, -1.0, 0.0, 5.0, 5.001, 9.0, 9.1], limits, minimum=-1.0, maximum=9.0)
    assert got == [FAIL, SUSPECT, GOOD, GOOD, SUSPECT, SUSPECT, FAIL]


def test_spike_is_the_distance_from_the_mean_of_the_neighbours() -> None:
    limits = QualityLimits(spike_suspect=1.0, spike_fail=2.0)
    # distances: end, 0.75, 1.5, 0.75, 1.25 (from the mean of 0 and 5), 2.5, end
    values = [0.0, 0.0, 1.5, 0.0, 0.0, 2.5, 0.0]
    assert flags(values, limits) == [GOOD, GOOD, SUSPECT, GOOD, SUSPECT, FAIL, GOOD]
    # the ends cannot be judged
    assert flags([9.0, 0.0], limits) == [GOOD, GOOD]


def test_rate_of_change_is_per_second() -> None:
    limits = QualityLimits(rate_suspect=0.01, rate_fail=0.1)
    assert flags([0.0, 0.6, 1.21, 7.3, 7.3], limits) == [GOOD, GOOD, SUSPECT, FAIL, GOOD]


def test_flat_line_needs_a_whole_window() -> None:
    limits = QualityLimits(flat_suspect=180, flat_fail=300, flat_tolerance=0.01)
    values = [1.0, 1.005, 1.0, 1.0, 1.0, 1.0, 1.0, 1.2, 1.2]
    assert flags(values, limits) == [GOOD] * 3 + [SUSPECT] * 2 + [FAIL] * 2 + [GOOD] * 2


def test_a_sensor_stuck_at_exactly_one_value_is_found() -> None:
    assert flags([1.0] * 4, QualityLimits(flat_fail=120)) == [GOOD, GOOD, FAIL, FAIL]


def test_the_worst_verdict_stands() -> None:
    limits = QualityLimits(spike_suspect=1.0, rate_fail=0.001)
    assert flags([0.0, 5.0, 0.0], limits)[1] == FAIL


def test_limits_are_in_the_unit_of_the_datastream() -> None:
    celsius = Datastream(
        "t",
        "",
        "air_temperature",
        "degC",
        "t",
        minimum=-40.0,
        limits=QualityLimits(spike_fail=5.0, suspect_maximum=35.0),
    )
    checks = Checks.of(celsius)
    assert checks.fail[0] == pytest.approx(233.15)
    assert checks.suspect[1] == pytest.approx(308.15)
    # a difference has no offset
    assert checks.spike[1] == 5.0


@pytest.mark.parametrize("name", ["spike_fail", "rate_suspect", "flat_fail", "flat_tolerance"])
def test_refuses_limits_that_are_none(name: str) -> None:
    with pytest.raises(SensorError, match=f"{name} is -1; it cannot be negative"):
        QualityLimits(**{name: -1.0})
    with pytest.raises(SensorError, match="finite"):
        QualityLimits(**{name: float("nan")})


LIMITS = [
    QualityLimits(spike_suspect=0.5, spike_fail=2.0),
    QualityLimits(rate_suspect=0.05, rate_fail=0.2),
    QualityLimits(flat_suspect=20.0, flat_fail=50.0, flat_tolerance=1.0),
    QualityLimits(spike_fail=1.0, rate_suspect=0.1, flat_suspect=30.0, suspect_maximum=2.0),
]


@settings(deadline=None, max_examples=300)
@given(data=st.data(), limits=st.sampled_from(LIMITS))
def test_flags_do_not_depend_on_the_order_of_arrival(
    data: st.DataObject, limits: QualityLimits
) -> None:
    checks = Checks.of(replace(GAUGE, limits=limits))
    seconds = data.draw(st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=25))
    values = data.draw(
        st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 4.0])] * len(seconds)),
    )
    arrival = [(s * 10**6, "", v) for s, v in zip(seconds, values, strict=True)]
    stored: dict[tuple[int, str], tuple[float, int]] = {}

    def neighbourhood(low: int, high: int) -> list[tuple[int, str, float, int]]:
        rows = sorted((t, m, v, f) for (t, m), (v, f) in stored.items())
        before, after = [r for r in rows if r[0] < low], [r for r in rows if r[0] > high]
        return [*before[-2:], *[r for r in rows if low <= r[0] <= high], *after[:2]]

    control = QualityControl()
    while arrival:
        batch = arrival[: data.draw(st.integers(1, len(arrival)))]
        del arrival[: len(batch)]
        changed = control.judge(1, checks, batch, neighbourhood)
        for time, identifier, value in batch:
            stored[time, identifier] = (value, changed.pop((time, identifier)))
        for key, flag in changed.items():
            stored[key] = (stored[key][0], flag)
        if data.draw(st.booleans()):
            control.clear()
    rows = sorted((key[0], *found) for key, found in stored.items())
    assert [r[2] for r in rows] == flag_series([r[0] for r in rows], [r[1] for r in rows], checks)


def test_a_late_reading_is_not_forgotten_by_the_newest_window() -> None:
    # readings come in order, then late ones from before the window in memory, then the next
    checks = Checks.of(replace(GAUGE, limits=QualityLimits(spike_suspect=0.5, spike_fail=2.0)))
    stored: list[tuple[int, str, float, int]] = []

    def neighbourhood(low: int, high: int) -> list[tuple[int, str, float, int]]:
        before = [r for r in stored if r[0] < low][-2:]
        after = [r for r in stored if r[0] > high][:2]
        return [*before, *[r for r in stored if low <= r[0] <= high], *after]

    control = QualityControl()
    for batch in ([0, 6, 7, 8], [9, 10, 11, 12, 13, 16, 17, 18], [1, 2, 3, 14], [15]):
        new = [(s * 10**6, "", 4.0 if s == 15 else 0.0) for s in batch]
        changed = control.judge(1, checks, new, neighbourhood)
        stored[:] = sorted(
            [(t, m, v, changed.get((t, m), f)) for t, m, v, f in stored]
            + [(t, m, v, changed[t, m]) for t, m, v in new]
        )
        if batch[0] == 0:
            control.clear()
    assert [r[3] for r in stored if r[0] >= 13 * 10**6] == [
        GOOD,
        SUSPECT,
        FAIL,
        SUSPECT,
        GOOD,
        GOOD,
    ]

"""The same crowd gives the same numbers, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np
import pytest
from shapely.geometry import box

from twin.errors import SimulationError
from twin.sim.crowd import CrowdModel, Uniform

PLACE = box(0, 0, 60, 60).difference(box(20, 20, 40, 40))
EXITS = {"sw": box(0, 0, 4, 4), "ne": box(56, 56, 60, 60)}


def make(people: int, **options: object) -> CrowdModel:
    crowd = CrowdModel(PLACE, EXITS, seed=11, record_every=0, **options)
    crowd.add(people, area=PLACE, start_time=Uniform(0.0, 3.0))
    return crowd


def state(crowd: CrowdModel) -> bytes:
    return crowd.positions.tobytes() + crowd.velocities.tobytes() + crowd.ids.tobytes()


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_one_and_two_threads() -> None:
    ends = []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            crowd = make(2500)
            crowd.advance(4.0)
            ends.append(state(crowd))
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert ends[0] == ends[1]


@pytest.mark.parametrize("model", ["heading", "collision_free_speed"])
def test_a_checkpoint_in_between_changes_nothing(model: str, tmp_path: Path) -> None:
    def start() -> CrowdModel:
        crowd = make(150, model=model, reroute_every=2.0)
        crowd.add_source(box(45, 5, 55, 15), 2.0, exit="sw")
        return crowd

    through, stopped, resumed = start(), start(), start()
    through.advance(10.0)
    through.advance(25.0)
    stopped.advance(10.0)
    stopped.checkpoint(tmp_path / "state.npz")
    resumed.advance(3.0)  # whatever it did before is forgotten
    resumed.restore(tmp_path / "state.npz")
    assert state(resumed) == state(stopped)
    resumed.advance(25.0)
    assert state(resumed) == state(through)
    assert resumed.egress.equals(through.egress)


def test_a_state_of_another_place_is_refused(tmp_path: Path) -> None:
    make(10).checkpoint(tmp_path / "state.npz")
    other = CrowdModel(box(0, 0, 5, 5), {"out": box(4, 0, 5, 5)})
    with pytest.raises(SimulationError, match="another crowd model"):
        other.restore(tmp_path / "state.npz")


def test_stops_on_the_way_change_nothing() -> None:
    one, many = make(200), make(200)
    one.advance(12.0)
    for t in np.arange(1.0, 13.0):
        many.advance(float(t))
    assert state(one) == state(many)


def test_the_order_of_adding_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(np.arange(1, 19, 0.9), np.arange(1, 19, 0.9)), -1).reshape(-1, 2)
    places, speeds = rng.permutation(grid)[:150], rng.uniform(1.0, 1.6, 150)
    ends = []
    for order in (np.arange(150), rng.permutation(150)):
        crowd = CrowdModel(PLACE, EXITS, record_every=0)
        crowd.add(places[order], desired_speed=speeds[order])
        crowd.advance(5.0)
        back = np.full((150, 2), np.nan)
        back[order[crowd.ids]] = crowd.positions
        ends.append(back)
    assert ends[0] == pytest.approx(ends[1], abs=1e-6, nan_ok=True)

"""Cases of RiMEA 4.1.1 and IMO MSC.1/Circ.1533 that need no data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely
from shapely.geometry import box

from twin.sim.crowd import CollisionFreeSpeed, CrowdModel, HeadingSpeed, Surface, Uniform

ADULTS = Uniform(0.97, 1.62)  # IMO: males of 30 to 50 years


def room(width: float) -> tuple:
    """Return the 8 m × 5 m room of IMO test 4 with a door and a yard, and the exit."""
    door = box(8, 2.5 - width / 2, 8.2, 2.5 + width / 2)
    return box(0, 0, 8, 5).union(door).union(box(8.2, -2, 12, 7)), {"out": box(11, -2, 12, 7)}


def door_flow(width: float, model: object = HeadingSpeed(), seed: int = 1) -> tuple[float, int]:
    """Return the mean flow through the door, 1/s, and how many are still in."""
    place, exits = room(width)
    crowd = CrowdModel(place, exits, model=model, seed=seed, record_every=0)
    crowd.add(100, area=box(0, 0, 8, 5), desired_speed=ADULTS)
    crowd.advance(180.0)
    times = crowd.egress["time"].to_numpy()
    return (times.size - 1) / (times[-1] - times[0]), crowd.remaining


@pytest.mark.parametrize("model", ["heading", "collision_free_speed"])
def test_rimea_1_one_person_in_a_corridor(model: str) -> None:
    crowd = CrowdModel(box(0, 0, 42, 2), {"end": box(40.5, 0, 42, 2)}, model=model)
    crowd.add([(0.5, 1.0)], desired_speed=1.33)
    crowd.advance(60.0)
    assert crowd.egress["time"][0] == pytest.approx(40.0 / 1.33, abs=0.1)  # 26 to 34 s are allowed


@pytest.mark.parametrize("upwards", [True, False])
def test_rimea_2_and_3_one_person_on_a_stair(upwards: bool) -> None:
    rise = 4.0 if upwards else -4.0
    surfaces = [
        Surface("foot", box(0, 0, 2, 2), 0.0),
        Surface("stair", box(2, 0, 12, 2), (-0.2 * rise, 0.1 * rise, 0.0), 0.5, "stair"),
        Surface("head", box(12, 0, 16, 2), rise),
    ]
    crowd = CrowdModel(surfaces, {"end": ("head", box(15, 0, 16, 2))}, record_every=1)
    crowd.add([(0.5, 1.0)], area="foot", desired_speed=1.0)
    crowd.advance(60.0)
    path = crowd.trajectories
    on_stair = (path["surface"] == "stair").sum() / crowd.frame_rate
    assert on_stair == pytest.approx(10.0 / 0.5, rel=0.02)
    half_way = path[path["x"] >= 7.0].iloc[0]
    assert half_way["z"] == pytest.approx(rise / 2, abs=0.05)


def test_rimea_4_speed_falls_as_density_grows() -> None:
    speeds = []
    for people in (40, 120, 240, 320):
        crowd = CrowdModel(box(0, 0, 60, 2), {"end": box(59, 0, 60, 2)}, record_every=0, seed=2)
        crowd.add(people, area=box(0, 0, 40, 2), desired_speed=1.34)
        crowd.advance(8.0)
        x = crowd.positions[:, 0]
        middle = (x > 10.0) & (x < 30.0)
        speeds.append(float(crowd.velocities[middle, 0].mean()))
    assert all(a > b + 0.05 for a, b in itertools.pairwise(speeds)), speeds
    assert speeds[0] > 1.25
    assert speeds[-1] < 0.75


def test_rimea_5_everybody_sets_out_at_their_time() -> None:
    starts = np.linspace(10.0, 100.0, 10)
    place, exits = room(1.0)
    crowd = CrowdModel(place, exits, record_every=1, seed=3)
    crowd.add(10, area=box(0, 0, 8, 5), start_time=starts)
    crowd.advance(150.0)
    path = crowd.trajectories.set_index("frame")
    for person, start in enumerate(starts):
        track = path[path["id"] == person]
        moved = np.hypot(track["x"].diff(), track["y"].diff()) > 1e-3
        assert moved.idxmax() / crowd.frame_rate == pytest.approx(start, abs=0.11)


@pytest.mark.parametrize("model", ["heading", "collision_free_speed"])
def test_rimea_6_all_get_round_the_corner(model: str) -> None:
    corner = box(0, 0, 12, 2).union(box(10, 0, 12, 12))
    crowd = CrowdModel(corner, {"end": box(10, 11, 12, 12)}, model=model, record_every=1, seed=4)
    crowd.add(20, area=box(0, 0, 6, 2))
    crowd.advance(90.0)
    path = crowd.trajectories
    assert crowd.remaining == 0
    assert shapely.contains_xy(corner, path["x"], path["y"]).all()


def test_rimea_9_half_the_doors_take_twice_as_long() -> None:
    last = []
    hall = box(0, 0, 30, 20)
    at = {"sw": (4.5, -1), "se": (25.5, -1), "nw": (4.5, 20), "ne": (25.5, 20)}
    for open_doors in (("sw", "se", "nw", "ne"), ("sw", "se")):
        doors = {k: box(x - 0.5, y, x + 0.5, y + 1) for k, (x, y) in at.items() if k in open_doors}
        place = hall
        for door in doors.values():
            place = place.union(door)
        exits = {
            k: door.intersection(box(0, -1, 30, -0.5).union(box(0, 20.5, 30, 21)))
            for k, door in doors.items()
        }
        crowd = CrowdModel(place, exits, record_every=0, seed=5, time_step=0.1)
        crowd.add(1000, area=hall, desired_speed=ADULTS)
        crowd.advance(600.0)
        assert crowd.remaining == 0
        last.append(crowd.egress["time"].max())
    assert 1.6 <= last[1] / last[0] <= 2.4


def test_rimea_10_everybody_takes_the_exit_assigned() -> None:
    place = box(0, 0, 20, 4)
    exits = {"west": box(0, 0, 1, 4), "east": box(19, 0, 20, 4)}
    crowd = CrowdModel(place, exits, seed=6)
    to_east = crowd.add(8, area=box(2, 0, 8, 4), exit="east")
    anywhere = crowd.add(8, area=box(2, 0, 8, 4))
    crowd.advance(60.0)
    taken = crowd.egress.set_index("id")["exit"]
    assert (taken[to_east] == "east").all()
    assert (taken[anywhere] == "west").all()


def test_door_flow_grows_with_the_width() -> None:
    """Seyfried et al. 2009: about 1.9 persons/s for each metre; short doors let more through."""
    widths = np.array([0.8, 1.0, 1.2, 2.0])
    flows = []
    for width in widths:
        flow, left = door_flow(float(width))
        assert left == 0
        flows.append(flow)
    assert (np.diff(flows) > 0).all()
    assert np.mean(flows / widths) == pytest.approx(1.9, rel=0.25)


@pytest.mark.parametrize("seed", range(3))
def test_a_narrow_door_never_clogs(seed: int) -> None:
    flow, left = door_flow(0.5, seed=seed)
    assert left == 0
    assert flow > 0.8


def test_collision_free_speed_lets_through_what_jupedsim_does() -> None:
    """JuPedSim 1.4.2, the same room and people: 1.08 persons/s."""
    flow, left = door_flow(1.0, CollisionFreeSpeed())
    assert left == 0
    assert flow == pytest.approx(1.08, rel=0.1)


def test_people_walking_against_each_other_all_arrive() -> None:
    place = box(0, 0, 30, 3)
    exits = {"west": box(0, 0, 1, 3), "east": box(29, 0, 30, 3)}
    crowd = CrowdModel(place, exits, seed=7, record_every=0)
    crowd.add(40, area=box(1.5, 0, 12, 3), exit="east")
    crowd.add(40, area=box(18, 0, 28.5, 3), exit="west")
    crowd.advance(120.0)
    assert crowd.remaining == 0
    assert crowd.egress["time"].max() < 75.0


def test_imo_8_counterflow_slows() -> None:
    """Two rooms of 10 m × 10 m joined by a corridor of 10 m × 2 m."""
    place = box(0, 0, 10, 10).union(box(10, 4, 20, 6)).union(box(20, 0, 30, 10))
    exits = {"west": box(0, 0, 1, 10), "east": box(29, 0, 30, 10)}
    last = []
    for against in (0, 10, 50):
        crowd = CrowdModel(place, exits, seed=8, record_every=0)
        crowd.add(100, area=box(1.5, 0, 9, 10), exit="east", desired_speed=ADULTS)
        crowd.add(against, area=box(21, 0, 28.5, 10), exit="west", desired_speed=ADULTS)
        crowd.advance(400.0)
        assert crowd.remaining == 0
        last.append(crowd.egress.query("id < 100")["time"].max())
    assert last[0] < last[1] < last[2]


def test_a_symmetric_hall_empties_evenly() -> None:
    place = box(-10, -5, 10, 5)
    exits = {"west": box(-10, -5, -9, 5), "east": box(9, -5, 10, 5)}
    crowd = CrowdModel(place, exits, seed=9, record_every=0)
    half = np.random.default_rng(0).permutation(
        np.stack(np.meshgrid(np.arange(0.6, 8, 0.7), np.arange(-4.5, 4.6, 0.7)), -1).reshape(-1, 2)
    )[:60]
    crowd.add(np.vstack([half, half * [-1, 1]]), desired_speed=1.3)
    crowd.advance(60.0)
    taken = crowd.egress["exit"].value_counts()
    assert taken["west"] == taken["east"] == 60

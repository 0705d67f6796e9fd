"""What CrowdModel takes, refuses and tells."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from twin.errors import GeometryError, SimulationError
from twin.geo.grid import Grid
from twin.sim.crowd import CrowdModel, HeadingSpeed, Normal, Surface, Uniform

HALL = box(0, 0, 20, 10)
EXITS = {"west": box(0, 4, 1, 6), "east": box(19, 4, 20, 6)}


def test_trajectories_are_what_pedpy_reads() -> None:
    crowd = CrowdModel(HALL, EXITS, record_every=4)
    crowd.add(3)
    crowd.advance(1.0)
    table = crowd.trajectories
    assert list(table.columns) == ["id", "frame", "x", "y", "z", "surface"]
    assert crowd.frame_rate == 5.0
    assert sorted(table["frame"].unique()) == [0, 1, 2, 3, 4, 5]
    assert len(table) == 18
    at_end = table[table["frame"] == 5]
    assert np.array_equal(at_end[["x", "y"]].to_numpy(), crowd.positions)


def test_time_is_exactly_what_was_asked_for() -> None:
    crowd = CrowdModel(HALL, EXITS)
    crowd.add([(7.0, 5.0)], desired_speed=1.0)
    before = crowd.positions
    crowd.advance(1.013)
    assert crowd.time == 1.013
    assert np.hypot(*(crowd.positions - before)[0]) == pytest.approx(1.013, abs=1e-6)
    with pytest.raises(SimulationError, match=r"back to 0\.5"):
        crowd.advance(0.5)


def test_closing_an_exit_by_a_field_sends_people_to_the_other() -> None:
    grid = Grid.from_bounds("EPSG:32651", (0, 0, 20, 10), 0.5)
    flooded = np.ones(grid.shape)
    flooded[:, : int(2 / 0.5)] = 0.0
    crowd = CrowdModel(HALL, EXITS, seed=2)
    crowd.add(20, area=box(5, 0, 9, 10))
    crowd.advance(1.0)
    crowd.set_field("speed_factor", flooded, grid)
    crowd.advance(60.0)
    assert (crowd.egress["exit"] == "east").all()
    assert crowd.remaining == 0


def test_those_cut_off_are_stranded_until_the_water_falls() -> None:
    grid = Grid.from_bounds("EPSG:32651", (0, 0, 20, 10), 0.5)
    water = np.ones(grid.shape)
    water[:, 4:8] = water[:, -8:-4] = 0.0  # both ways out are cut
    crowd = CrowdModel(HALL, EXITS, seed=3)
    crowd.add(12, area=box(2.3, 0, 3.7, 10))  # they stand in the water
    crowd.add(12, area=box(8, 0, 12, 10))
    crowd.set_field("speed_factor", water, grid)
    before = crowd.positions
    crowd.advance(10.0)
    assert crowd.stranded == 24
    assert set(crowd.table()["state"]) == {"stranded"}
    assert np.array_equal(crowd.positions, before)
    crowd.set_field("speed_factor", np.ones(grid.shape), grid)
    crowd.advance(60.0)
    assert crowd.stranded == 0
    assert crowd.evacuated == 24


def test_a_field_slows_at_once_and_nan_is_free() -> None:
    grid = Grid.from_bounds("EPSG:32651", (5, 0, 15, 10), 1.0)
    crowd = CrowdModel(HALL, {"east": EXITS["east"]}, record_every=0)
    ids = crowd.add([(6.0, 2.0), (6.0, 8.0)], desired_speed=1.0)
    factor = np.full(grid.shape, 0.95)
    factor[5:] = np.nan
    crowd.set_field("speed_factor", factor, grid)
    crowd.advance(2.0)
    south, north = np.hypot(*crowd.velocities.T)[ids]
    assert (south, north) == pytest.approx((1.0, 0.95), abs=1e-6)


def test_people_walk_around_a_queue_that_they_see() -> None:
    """Of two doors the nearer is narrow; without looking all queue there."""
    place = box(0, 0, 20, 12)
    for door in (box(20, 2, 20.4, 2.6), box(20, 9, 20.4, 11)):
        place = place.union(door)
    place = place.union(box(20.4, 0, 22, 12))
    last = []
    for reroute in (0.0, 5.0):
        crowd = CrowdModel(
            place, {"out": box(21.5, 0, 22, 12)}, seed=4, reroute_every=reroute, record_every=0
        )
        crowd.add(150, area=box(2, 0.5, 16, 5))
        crowd.advance(300.0)
        assert crowd.remaining == 0
        last.append(crowd.egress["time"].max())
    assert last[1] < 0.75 * last[0]


def test_a_source_sends_its_rate_and_loses_nobody() -> None:
    crowd = CrowdModel(HALL, EXITS, seed=5, record_every=0)
    crowd.add_source(box(8, 4, 12, 6), 2.0, until=100.0)
    crowd.advance(50.0)
    assert not crowd.finished
    crowd.advance(160.0)
    assert crowd.finished
    assert crowd.evacuated == pytest.approx(200, abs=45)  # three standard deviations
    choked = CrowdModel(HALL, EXITS, seed=5, record_every=0)
    choked.add_source(box(9, 4, 10, 5), 5.0, until=10.0)
    choked.advance(10.0)
    arrived = choked.remaining + choked.evacuated
    choked.advance(120.0)
    assert choked.finished
    assert choked.evacuated >= arrived > 20


def test_groups_added_one_after_the_other_do_not_overlap() -> None:
    crowd = CrowdModel(HALL, EXITS, seed=6)
    for _ in range(4):
        crowd.add(60, area=HALL)
    apart = np.hypot(*(crowd.positions[:, None] - crowd.positions[None]).transpose(2, 0, 1))
    assert apart[~np.eye(240, dtype=bool)].min() >= 0.4


@pytest.mark.parametrize(
    ("exits", "words"),
    [
        ({}, "at least one exit"),
        ({"north": box(5, 20, 6, 21)}, r"'north' at \(5.50, 20.50\) lies outside"),
        ({"edge": box(20, 4, 21, 6)}, r"'edge' at \(20.50, 5.00\) lies outside"),
        ({"bow": Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])}, "'bow' must be a valid polygon"),
        ({"up": ("roof", box(0, 0, 1, 1))}, "no surface of this model"),
    ],
)
def test_wrong_exits_are_named(exits: dict, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        CrowdModel(HALL, exits)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"people": [(5.0, 5.0), (30.0, 5.0)]}, r"Person 1 at \(30.00, 5.00\) is not on walkable"),
        ({"people": [(5.0, 0.0005)]}, "is in a wall"),
        ({"people": [(5.0, 5.0), (5.05, 5.0)]}, "stands on somebody else"),
        ({"people": [(5.0, float("nan"))]}, "finite"),
        ({"people": 5000}, "No room for 5000 people"),
        ({"people": -1}, "-1"),
        ({"people": 3, "desired_speed": 40.0}, "desired_speed must be between"),
        ({"people": 3, "desired_speed": [1.0, 1.2]}, "2 values for 3 people"),
        ({"people": 3, "radius": 2.0}, "radius must be between"),
        ({"people": 3, "start_time": -5.0}, "start_time"),
        ({"people": 3, "exit": "wst"}, "Did you mean 'west'"),
        ({"people": 3, "area": box(50, 50, 60, 60)}, "outside the walkable"),
        ({"people": 3, "area": "attic"}, "no surface"),
    ],
)
def test_wrong_people_are_named(arguments: dict, words: str) -> None:
    crowd = CrowdModel(HALL, EXITS)
    with pytest.raises((SimulationError, GeometryError), match=words):
        crowd.add(**arguments)


def test_people_without_a_way_out_are_named() -> None:
    split = HALL.difference(box(9, 0, 10, 10))
    crowd = CrowdModel(split, {"east": EXITS["east"]})
    with pytest.raises(SimulationError, match=r"'east' for 1 of 2 people, the first at \(3.00"):
        crowd.add([(15.0, 5.0), (3.0, 5.0)], exit="east")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time_step": 0.0}, "time_step"),
        ({"time_step": 1.0}, "time_step"),
        ({"cell_size": 9.0}, "cell_size"),
        ({"model": "heding"}, "Did you mean 'heading'"),
        ({"model": HeadingSpeed(time_gap=-1.0)}, "time_gap must be above 0"),
    ],
)
def test_wrong_options_are_named(options: dict, words: str) -> None:
    with pytest.raises(SimulationError, match=words):
        CrowdModel(HALL, EXITS, **options)


def test_surfaces_need_names_that_differ() -> None:
    with pytest.raises(GeometryError, match="names that differ"):
        CrowdModel([Surface("a", HALL), Surface("a", HALL)], EXITS)


@pytest.mark.parametrize("values", [np.full((10, 20), 1.5), np.ones((3, 3))])
def test_wrong_fields_are_refused(values: np.ndarray) -> None:
    crowd = CrowdModel(HALL, EXITS)
    grid = Grid.from_bounds("EPSG:32651", (0, 0, 20, 10), 1.0)
    with pytest.raises(SimulationError, match="speed_factor"):
        crowd.set_field("speed_factor", values, grid)


def test_distributions_keep_their_limits() -> None:
    rng = np.random.default_rng(0)
    drawn = Normal(1.34, 0.26, 1.0, 1.5).draw(rng, 2000)
    assert drawn.min() >= 1.0
    assert drawn.max() <= 1.5
    assert Uniform(2.0, 3.0).draw(rng, 2000).mean() == pytest.approx(2.5, abs=0.03)

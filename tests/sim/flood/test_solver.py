"""What must hold for any bed and any water: rest, mass, symmetry, restart, threads, refusals."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import InputError, SimulationError
from twin.sim.flood import Discharge, Open, ShallowWater, Stage, Wall

SHAPE = (14, 17)


def rough(seed, shape=SHAPE, roughness=1.0):
    return roughness * np.random.default_rng(seed).random(shape)


def splash(seed, shape=SHAPE):
    """Water of uneven depth and speed, with dry cells, over a rough bed."""
    rng = np.random.default_rng(seed)
    depth = np.maximum(rng.random(shape) - 0.3, 0.0)
    return {
        "bed": rng.random(shape),
        "depth": depth,
        "u": rng.normal(0, 1, shape),
        "v": rng.normal(0, 1, shape),
    }


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("level", [0.6, 1.3])
def test_a_lake_stays_at_rest_over_any_bed(order, level):
    """0.6 m leaves dry islands, 1.3 m covers everything; without friction nothing is damped."""
    bed = rough(1)
    bed[4:6, 5:8] = np.nan
    sw = ShallowWater(
        bed,
        1.0,
        depth=np.nan_to_num(np.maximum(level - bed, 0.0)),
        manning=0.0,
        order=order,
        boundaries={"west": Stage(level)},
    )
    before = sw.depth
    sw.advance(300.0)
    assert sw.steps > 1000
    assert max(np.abs(sw.u).max(), np.abs(sw.v).max()) < 1e-12
    np.testing.assert_allclose(sw.depth, before, atol=1e-13)


def test_a_lake_stays_at_rest_in_single_precision():
    bed = 500.0 + rough(2)  # far above the datum
    sw = ShallowWater(bed, 1.0, depth=np.maximum(500.6 - bed, 0), manning=0.0, order=1,
                      precision="float32")  # fmt: skip
    sw.advance(100.0)
    assert max(np.abs(sw.u).max(), np.abs(sw.v).max()) < 1e-5


@pytest.mark.parametrize(("precision", "order", "close"), [
    ("float64", 1, 1e-12), ("float64", 2, 1e-12), ("float32", 1, 1e-6),
])  # fmt: skip
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), steep=st.sampled_from([0.1, 1.0, 8.0]))
def test_no_water_is_made_or_lost(precision, order, close, seed, steep):
    """Rain, infiltration, sources, a sink and three kinds of side, on beds as steep as walls."""
    rng = np.random.default_rng(seed)
    bed = steep * rng.random(SHAPE)
    bed[rng.random(SHAPE) < 0.1] = np.nan
    bed[7, 8] = bed[2, 3] = 0.0
    sw = ShallowWater(
        bed,
        2.0,
        depth=np.maximum(rng.random(SHAPE) - 0.5, 0.0),
        u=rng.normal(0, 2, SHAPE),
        v=rng.normal(0, 2, SHAPE),
        order=order,
        precision=precision,
        boundaries={"west": Stage(([0, 20], [0.5, 1.5])), "east": Open(), "south": Discharge(0.3)}
        if np.isfinite(bed[-1]).any()
        else {},
    )
    sw.rain = rng.random(SHAPE) * 1e-4
    sw.infiltration = 2e-5
    sw.add_source(7, 8, lambda t: 0.2 + 0.1 * math.sin(t))
    sw.add_source(2, 3, -0.05)
    sw.advance(20.0)
    b = sw.balance()
    assert sw.depth.min() >= 0
    assert sw.depth[~sw.inside].max(initial=0) == 0
    turnover = b["initial"] + b["inflow"] + b["rain"]
    assert abs(b["error"]) <= close * turnover
    assert b["rain"] == pytest.approx(20 * 4 * sw.rain.mean(0, 1) * sw._pattern_sum, rel=1e-6)
    assert b["infiltrated"] > 0


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_rain_on_steep_dry_ground_is_all_there(precision):
    """360 mm/h on slopes of 1:1 for 100 s, where clipping codes make or lose percents of it."""
    bed = 40.0 * rough(3, (30, 30))
    sw = ShallowWater(bed, 5.0, order=1, precision=precision, boundaries={"south": Open()})
    sw.rain = 0.36 / 3600
    sw.advance(100.0)
    b = sw.balance()
    assert b["rain"] == pytest.approx(0.01 * 900 * 25, rel=1e-7)
    assert abs(b["error"]) <= (1e-12 if precision == "float64" else 1e-6) * b["rain"]


def test_drizzle_below_single_precision_still_rains():
    """A step brings 1e-9 m, which 2 m of water cannot show in float32."""
    sw = ShallowWater(np.zeros((8, 8)), 1.0, depth=2.0, order=1, precision="float32")
    sw.rain = 1e-8
    sw.advance(500.0)
    assert sw.depth.mean(dtype=float) - 2.0 == pytest.approx(5e-6, rel=0.05)


def test_rain_on_part_of_the_ground():
    sw = ShallowWater(np.zeros(SHAPE), 1.0, manning=0.1, order=1)
    share = np.zeros(SHAPE)
    share[3, 4], share[9, 9] = 1.0, 3.0
    sw.rain_on(([0.0, 10.0, 10.0], [1e-4, 1e-4, 0.0]), share)
    sw.advance(30.0)
    assert sw.balance()["rain"] == pytest.approx(4e-3, rel=1e-12)


TURNS = {
    "a quarter turn": (np.rot90, lambda u, v: (-np.rot90(v), np.rot90(u))),
    "a mirror": (np.fliplr, lambda u, v: (-np.fliplr(u), np.fliplr(v))),
    "upside down": (np.flipud, lambda u, v: (np.flipud(u), -np.flipud(v))),
    "transposed": (np.transpose, lambda u, v: (-v.T, -u.T)),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", list(TURNS))
def test_turned_water_flows_the_same_bit_for_bit(order, name):
    turn, turn_flow = TURNS[name]
    start = splash(5)
    start["bed"][3:5, 9] = np.nan
    there = ShallowWater(start["bed"], 1.0, start["depth"], start["u"], start["v"], order=order)
    u, v = turn_flow(start["u"], start["v"])
    here = ShallowWater(turn(start["bed"]), 1.0, turn(start["depth"]), u, v, order=order)
    there.advance(20.0)
    here.advance(20.0)
    np.testing.assert_array_equal(here.depth, turn(there.depth))
    u, v = turn_flow(there.u, there.v)
    np.testing.assert_array_equal(here.u, u)
    np.testing.assert_array_equal(here.v, v)
    np.testing.assert_array_equal(here.max_hazard, turn(there.max_hazard))


@pytest.mark.parametrize("order", [1, 2])
def test_threads_do_not_change_a_bit(order):
    start = splash(6, (100, 300))  # four by two tiles
    depths = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        sw = ShallowWater(start["bed"], 1.0, start["depth"], start["u"], start["v"], order=order)
        sw.rain = 1e-5
        sw.advance(4.0)
        depths.append(sw.depth)
    np.testing.assert_array_equal(*depths)


def test_tiles_do_not_show():
    """A strip that one tile holds, and the same strip where two tiles meet."""
    start = splash(7, (40, 20))
    low = np.full((90, 20), np.nan)
    low[25:65] = start["bed"]

    def run(bed, fill):
        sw = ShallowWater(bed, 1.0, *(fill(start[k]) for k in ("depth", "u", "v")), order=2)
        sw.advance(10.0)
        return sw.depth

    def widen(field):
        out = np.zeros((90, 20))
        out[25:65] = field
        return out

    np.testing.assert_array_equal(run(low, widen)[25:65], run(start["bed"], lambda f: f))


def test_dry_tiles_wake_when_water_comes():
    """A dam break that runs through three tiles, against one whose tiles are all computed."""
    depth = np.zeros((4, 700))
    depth[:, :50] = 5.0
    lone, kept = (ShallowWater(np.zeros((4, 700)), 2.0, depth, manning=0.0, order=1) for _ in "ab")
    for until in np.arange(0.1, 80.0, 0.1):
        kept._tiles.touch()
        lone.advance(until)
        kept.advance(until)
    assert lone.depth[0, 520] > 0.01
    np.testing.assert_array_equal(lone.depth, kept.depth)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_restored_run_goes_on_bit_for_bit(tmp_path, precision):
    def build():
        start = splash(8)
        sw = ShallowWater(
            start["bed"], 1.5, start["depth"], start["u"], start["v"], np.full(SHAPE, 0.04),
            order=1, precision=precision,
            boundaries={"west": Stage(([0, 30], [0.2, 1.4]), np.arange(14) < 9), "east": Open(),
                        "north": Discharge(0.2)},
        )  # fmt: skip
        sw.rain_on(([0, 10, 20], [0.0, 1e-4, 0.0]), 1.0 + start["bed"])
        sw.infiltration = start["bed"] * 1e-5
        sw.add_source([2, 3], [4, 4], ([0, 9], [0.1, 0.0]))
        return sw

    whole = build()
    whole.advance(11.0)
    whole.checkpoint(tmp_path / "state.npz")
    again = ShallowWater.restore(tmp_path / "state.npz")
    whole.advance(27.0)
    again.advance(27.0)
    assert again.time == whole.time
    assert again.steps == whole.steps
    assert again.balance() == whole.balance()
    for name in ("depth", "u", "v", "bed", "max_depth", "max_speed", "max_hazard", "arrival_time"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def test_a_function_cannot_be_kept_in_a_checkpoint(tmp_path):
    sw = ShallowWater(np.zeros(SHAPE), 1.0)
    sw.rain = lambda t: 0.0
    with pytest.raises(SimulationError, match="rain is a Python function"):
        sw.checkpoint(tmp_path / "state.npz")
    with pytest.raises(SimulationError, match="no checkpoint of a flood"):
        ShallowWater.restore(tmp_path / "state.npz")


def test_it_stops_at_the_asked_times_exactly():
    sw = ShallowWater(**splash(9), cell_size=1.0, order=1)
    for until in (0.1, 0.30000001, 7.0, 7.0):
        sw.advance(until)
        assert sw.time == until
    with pytest.raises(SimulationError, match="already stands at 7 s"):
        sw.advance(6.9)


def test_lowering_the_bed_keeps_the_water():
    """A wall with a lake behind it falls: the water runs out, none is made."""
    bed = np.zeros((5, 40))
    bed[:, 20] = 3.0
    depth = np.zeros((5, 40))
    depth[:, :20] = 2.0
    sw = ShallowWater(bed, 1.0, depth, order=2)
    sw.advance(10.0)
    np.testing.assert_array_equal(sw.depth, depth)
    bed[:, 20] = 0.5
    sw.set_bed(bed)
    sw.advance(20.0)
    assert sw.depth[:, 25:].min() > 0.3
    assert abs(sw.balance()["error"]) < 1e-12 * sw.balance()["stored"]
    with pytest.raises(InputError, match=r"shape \(5, 40\) and the outside"):
        sw.set_bed(np.where(np.arange(40) == 3, np.nan, bed))


def test_a_stage_fills_the_basin_to_its_level_and_drains_it_again():
    bed = np.zeros((6, 30))
    bed[:3, 0] = 5.0  # a bank: no way in, whatever the level
    stage = ([0, 300, 1500, 1800, 4000], [0.5, 2.0, 2.0, 0.3, 0.3])
    sw = ShallowWater(bed, 10.0, 0.5, order=1, boundaries={"west": Stage(stage)})
    sw.advance(1500.0)
    np.testing.assert_allclose(sw.level[:, 1:], 2.0, atol=0.03)
    sw.advance(4000.0)
    np.testing.assert_allclose(sw.level[:, 1:], 0.3, atol=0.03)
    came, went = sw.side_volumes()["west"]
    assert came - went == pytest.approx(sw.balance()["stored"] - sw.balance()["initial"])


def test_a_stage_holds_only_where_it_is_said_to():
    sw = ShallowWater(
        np.zeros((6, 9)), 1.0, boundaries={"west": Stage(1.0, np.arange(6) == 0)}, order=1
    )
    sw.advance(1e-3)
    assert sw.depth[0, 0] > 0
    assert sw.depth[1:].max() == 0


def test_a_discharge_brings_its_volume():
    sw = ShallowWater(np.zeros((5, 20)), 2.0, boundaries={"south": Discharge(([0, 100], [0, 2]))})
    sw.advance(100.0)
    assert sw.balance()["inflow"] == pytest.approx(100.0, rel=1e-9)
    assert sw.balance()["stored"] == pytest.approx(100.0, rel=1e-9)


def test_open_sides_let_water_go_but_none_come():
    sides = {side: Open() for side in ("west", "east", "north", "south")}
    slope = np.tile(np.linspace(1, 0, 40), (4, 1))
    sw = ShallowWater(slope, 1.0, 0.2, order=2, boundaries=sides)
    sw.advance(200.0)
    b = sw.balance()
    assert b["inflow"] == 0
    assert b["outflow"] > 0.9 * b["initial"]


def test_maxima_are_taken_at_every_step():
    depth = np.where(np.arange(200) < 20, 3.0, 0.0) * np.ones((3, 1))
    sw = ShallowWater(np.zeros((3, 200)), 1.0, depth, order=1, boundaries={"east": Open()})
    deepest, fastest, seen = sw.depth, np.zeros((3, 200)), np.where(depth > 0, 0.0, np.nan)
    while sw.time < 20:
        steps = sw.steps
        sw.advance(min(sw.time + 0.05, 20))
        assert sw.steps == steps + 1
        flooded = sw.depth >= 0.01
        deepest = np.maximum(deepest, sw.depth)
        fastest = np.maximum(fastest, np.where(flooded, np.hypot(sw.u, sw.v), 0.0))
        seen = np.where(flooded & np.isnan(seen), sw.time, seen)
    np.testing.assert_array_equal(sw.max_depth, deepest.astype(np.float32))
    np.testing.assert_allclose(sw.max_speed, fastest, rtol=1e-6)
    np.testing.assert_array_equal(sw.arrival_time, seen.astype(np.float32))
    whole = ShallowWater(np.zeros((3, 200)), 1.0, depth, order=1, boundaries={"east": Open()})
    whole.advance(20.0)
    np.testing.assert_allclose(whole.max_depth[:, 20:60], deepest[:, 20:60], rtol=0.02)


@pytest.mark.parametrize(("change", "message"), [
    ({"bed": np.full(SHAPE, np.nan)}, "no finite cell"),
    ({"bed": np.zeros(5)}, r"array \[row, col\]"),
    ({"depth": np.zeros((3, 3))}, r"depth has shape \(3, 3\), but the bed has \(14, 17\)"),
    ({"depth": np.full(SHAPE, -0.1)}, "depth is -0.1 at row 0, column 0"),
    ({"depth": np.full(SHAPE, np.nan)}, "depth is nan at row 0"),
    ({"manning": -1.0}, "Manning roughness is -1"),
    ({"u": np.inf}, "u is inf"),
    ({"cell_size": 0.0}, "cell size must be above 0 m, not 0.0"),
    ({"boundaries": {"wset": Wall()}}, "Did you mean 'west'"),
    ({"boundaries": {"west": "open"}}, r"must be Wall\(\), Open\(\)"),
    ({"boundaries": {"west": Stage(([0, 5, 3], [1, 1, 1]))}}, "must ascend, but 3 s follows 5 s"),
    ({"boundaries": {"west": Stage(np.nan)}}, "stage in the west must be finite"),
    ({"precision": "float16"}, "Unknown precision 'float16'"),
    ({"order": 3}, "order of the scheme is 1 or 2, not 3"),
])  # fmt: skip
def test_wrong_input_is_refused(change, message):
    good = {"bed": np.zeros(SHAPE), "cell_size": 1.0}
    with pytest.raises(InputError, match=message):
        ShallowWater(**(good | change))


def test_wrong_forcing_is_refused():
    sw = ShallowWater(np.where(np.arange(17) == 0, np.nan, np.zeros(SHAPE)), 1.0, order=1)
    with pytest.raises(InputError, match="row 3, column 0 lies outside"):
        sw.add_source(3, 0, 1.0)
    with pytest.raises(InputError, match="same cell twice"):
        sw.add_source([3, 3], [1, 1], 1.0)
    with pytest.raises(InputError, match="rain is -1 at row"):
        sw.rain = np.full(SHAPE, -1.0)
    sw.rain = lambda t: math.nan
    with pytest.raises(SimulationError, match="rain at 0 s is nan"):
        sw.advance(1.0)


def test_a_flow_that_leaves_its_physics_is_reported_with_its_place():
    sw = ShallowWater(np.zeros(SHAPE), 1.0, depth=1.0, order=1)
    sw._old.qx[5 + 2, 6 + 2] = np.nan
    with pytest.raises(SimulationError, match=r"left its physics in step 1 .* at row \d+, column"):
        sw.advance(1.0)

"""A crowd on a city: a station under a square, streets, assembly areas, water."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, box

from twin.errors import GeometryError, SimulationError
from twin.geo.grid import Grid
from twin.sim.crowd import Crowd
from twin.sim.simulation import GridField, Simulation

CRS = "EPSG:32651"
X, Y = 356000.0, 3457000.0


def frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> gpd.GeoDataFrame:
    ids = [row.pop("id") for row in rows]
    data = {c: [row.get(c) for row in rows] for c in columns}
    shapes = [row["geometry"] for row in rows]
    return gpd.GeoDataFrame(data, geometry=shapes, index=ids, crs=CRS)


def at(west: float, south: float, east: float, north: float) -> Any:
    return box(X + west, Y + south, X + east, Y + north)


def line(*points: tuple[float, float]) -> LineString:
    return LineString([(X + x, Y + y) for x, y in points])


def station() -> SimpleNamespace:
    """Return a platform 8 m down with two stairs, one to each end of the square."""
    stairs = [("s1", -30.0, -20.0, "Exit 1"), ("s2", 30.0, 20.0, "Exit 2")]
    platform = at(-20, -4, 20, 4)
    return SimpleNamespace(
        levels=frame(
            [{"id": "p", "name": "Platform", "elevation_m": -8.0, "geometry": platform}],
            ("name", "elevation_m"),
        ),
        spaces=frame(
            [
                {
                    "id": "r",
                    "name": "Platform",
                    "level": "p",
                    "use": "platform",
                    "geometry": platform,
                }
            ],
            ("name", "level", "use"),
        ),
        doors=frame([], ("name",)),
        stairs=frame(
            [
                {
                    "id": key,
                    "name": f"Stair {key}",
                    "kind": "stair",
                    "lower": "p",
                    "upper": "outside",
                    "width_m": 3.0,
                    "lower_m": -8.0,
                    "upper_m": 4.0,
                    "lower_edge": line((foot, -1.5), (foot, 1.5)),
                    "upper_edge": line((head, -1.5), (head, 1.5)),
                    "geometry": at(min(head, foot), -1.5, max(head, foot), 1.5),
                }
                for key, head, foot, _ in stairs
            ],
            (
                "name",
                "kind",
                "lower",
                "upper",
                "width_m",
                "lower_m",
                "upper_m",
                "lower_edge",
                "upper_edge",
            ),
        ),
        exits=frame(
            [
                {
                    "id": key,
                    "name": name,
                    "kind": "stair",
                    "level": "p",
                    "width_m": 3.0,
                    "geometry": line((head, -1.5), (head, 1.5)),
                }
                for key, head, _, name in stairs
            ],
            ("name", "kind", "level", "width_m"),
        ),
    )


def city(**layers: Any) -> SimpleNamespace:
    """Return a square of 400 m × 200 m with two assembly areas, a block, a pond and a wall."""
    names = ("name", "kind", "capacity")
    given = {
        "buildings": [{"id": "b", "name": "Block", "geometry": at(-60, 20, 60, 60)}],
        "water": [{"id": "w", "name": "Pond", "geometry": at(-80, -60, -50, -30)}],
        "underpasses": [],
        "defences": [
            {"id": "d", "kind": "wall", "geometry": line((70, -100), (70, -10))},
            {"id": "g", "kind": "gate", "geometry": line((70, -10), (70, 10))},
        ],
        "assembly_areas": [
            {"id": "a1", "name": "West park", "geometry": at(-190, -20, -150, 20)},
            {"id": "a2", "name": "East park", "geometry": at(130, -20, 170, 20)},
        ],
    } | layers
    frames = {k: frame(v, names) for k, v in given.items()}
    bounds = (X - 200, Y - 100, X + 200, Y + 100)
    return SimpleNamespace(
        crs=CRS, bounds=bounds, terrain=None, interiors={"station": station()}, **frames
    )


def water(depth_of_x: Any, value: float = 0.0) -> tuple[GridField, GridField]:
    grid = Grid.from_bounds(CRS, (X - 200, Y - 100, X + 200, Y + 100), 4.0)
    depth = np.broadcast_to(depth_of_x(grid.x - X), grid.shape).astype(np.float32)
    return GridField(depth, grid), GridField(np.full(grid.shape, value, np.float32), grid)


@pytest.fixture
def crowd() -> Crowd:
    return Crowd(city(), interior="station", people=120, pre_movement=(0.0, 10.0), seed=1)


def test_it_is_a_simulation_and_keeps_its_promises(crowd: Crowd) -> None:
    assert isinstance(crowd, Simulation)
    crowd.advance(30.0)
    snapshot = crowd.snapshot()
    assert crowd.time == snapshot.time == 30.0
    assert snapshot.table is not None
    assert list(snapshot.table.columns) == ["id", "x", "y", "z", "surface", "state"]
    assert snapshot.fields["density"].grid == crowd.give("crowd.density").grid == crowd.grid
    on_street = snapshot.numbers["at street [persons]"]
    area = crowd.grid.cell_area
    assert snapshot.fields["density"].values.sum() * area == pytest.approx(on_street)
    assert {s.name for s in crowd.reads} == {"flood.depth", "flood.speed"}
    assert all(s.optional for s in crowd.reads)


def test_all_come_up_and_reach_the_nearer_park(crowd: Crowd) -> None:
    assert set(crowd.table()["z"]) == {-8.0}
    crowd.advance(600.0)
    assert crowd.finished
    results = crowd.results()
    egress, exits = results.tables["egress"], results.tables["exits"]
    assert results.summary["evacuated"] == len(egress) == 120
    assert results.summary["assembly_areas"].keys() == {"West park", "East park"}
    assert (egress["left_station_s"] < egress["time_s"]).all()
    pairs = set(zip(egress["station_exit"], egress["exit"], strict=True))
    assert pairs == {("Exit 1", "West park"), ("Exit 2", "East park")}
    assert exits["persons"].sum() == 120
    assert (exits["peak_flow_1_s"] > 0.3).all()
    assert results.summary["station_clear_s"] == exits["last_s"].max()
    assert results.summary["t50_s"] < results.summary["t95_s"] <= results.summary["last_s"]
    assert results.headlines[0].startswith("All 120 people reached safe ground")
    assert results.headlines[1].startswith("Nobody was left in station")
    spec, field = results.maps["max_density"]
    assert spec.unit == "m-2"
    assert 0.25 <= field.values.max() < 8.0


def test_nobody_walks_through_blocks_water_or_walls(crowd: Crowd) -> None:
    blocks = [*crowd.city.buildings.geometry, *crowd.city.water.geometry]
    wall = crowd.city.defences.geometry.iloc[0]
    for t in range(10, 200, 10):
        crowd.advance(float(t))
        table = crowd.table().query("surface == 'street'")
        points = gpd.points_from_xy(table["x"], table["y"])
        assert not any(b.contains(p) for b in blocks for p in points)
        assert all(wall.distance(p) > 0.15 for p in points)


def test_water_sends_people_the_other_way(crowd: Crowd) -> None:
    depth, speed = water(lambda x: np.where(x < -50, 1.0, 0.0))
    crowd.take("flood.depth", depth)
    crowd.take("flood.speed", speed)
    crowd.advance(900.0)
    assert set(crowd.results().tables["egress"]["exit"]) == {"East park"}
    assert crowd.results().summary["stranded"] == 0
    assert crowd.results().summary["exposed"] == 0


def test_shallow_water_slows_people_down() -> None:
    clear = []
    for level in (0.0, 0.5):
        crowd = Crowd(city(), interior="station", people=40, pre_movement=(0.0, 1.0), seed=2)
        depth, speed = water(lambda x, level=level: np.full_like(x, level))
        crowd.take("flood.depth", depth)
        crowd.take("flood.speed", speed)
        crowd.advance(900.0)
        summary = crowd.results().summary
        assert summary["evacuated"] == 40
        assert summary["exposed"] == (40 if level else 0)
        clear.append(summary["last_s"] - summary["station_clear_s"])
    assert clear[1] > 1.4 * clear[0]


def test_deep_water_everywhere_strands_them(crowd: Crowd) -> None:
    depth, _ = water(lambda x: np.full_like(x, 1.5))
    crowd.take("flood.depth", depth)
    crowd.advance(60.0)
    assert crowd.results().summary["stranded"] == 120
    assert crowd.results().headlines[0] == "120 of 120 people are cut off."
    assert crowd.results().summary["t50_s"] is None


def test_a_square_without_a_station() -> None:
    crowd = Crowd(city(), area=at(-40, -30, 40, 10).bounds, people=80, seed=3)
    crowd.advance(600.0)
    results = crowd.results()
    assert results.summary["evacuated"] == 80
    assert "exits" not in results.tables
    assert "station" not in results.summary


def test_a_resumed_run_gives_the_same_numbers(tmp_path: Path) -> None:
    def make() -> Crowd:
        return Crowd(city(), interior="station", people=60, seed=4)

    def give_water(crowd: Crowd) -> None:
        depth, speed = water(lambda x: np.where(np.abs(x) > 60, 0.5, 0.0))
        crowd.take("flood.depth", depth)
        crowd.take("flood.speed", speed)

    through, stopped, resumed = make(), make(), make()
    for crowd in (through, stopped):
        give_water(crowd)
        crowd.advance(90.0)
    stopped.checkpoint(tmp_path)
    resumed.restore(tmp_path)
    for crowd in (through, resumed):
        give_water(crowd)
        crowd.advance(400.0)
    a, b = through.results(), resumed.results()
    assert a.summary == b.summary
    assert a.tables["egress"].equals(b.tables["egress"])
    assert np.array_equal(a.maps["max_density"][1].values, b.maps["max_density"][1].values)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"interior": "stattion"}, "Did you mean 'station'"),
        ({"interior": None}, "an interior, or an area"),
        ({"people": 0}, "at least one person"),
        ({"shares": {"Mezzanine": 1.0}}, "no level 'Mezzanine'"),
        ({"shares": {"Platform": 0.0}}, "not all 0"),
        ({"reach": 60.0}, r"'West park' at 130 m"),
        ({"reach": -1.0}, "reach"),
        ({"bounds": (0.0, 0.0, 1.0, 1.0)}, "do not meet"),
        ({"people": 100_000}, "No room"),
    ],
)
def test_what_does_not_fit_is_named(options: dict, words: str) -> None:
    with pytest.raises(SimulationError, match=words):
        Crowd(city(), **({"interior": "station", "people": 20} | options))


def test_an_exit_under_a_building_is_named() -> None:
    covered = city(buildings=[{"id": "b", "name": "Mall", "geometry": at(-60, -40, -25, 40)}])
    with pytest.raises(GeometryError, match=r"'Exit 1' at .* does not lead onto open ground"):
        Crowd(covered, interior="station", people=20)


def test_wrong_fields_are_refused(crowd: Crowd) -> None:
    depth, _ = water(lambda x: 0 * x)
    with pytest.raises(SimulationError, match=r"Did you mean 'flood\.depth'"):
        crowd.take("flood.dept", depth)
    with pytest.raises(SimulationError, match="writes no"):
        crowd.give("crowd.speed")


def test_the_speed_of_water_is_of_no_use_without_its_depth() -> None:
    dry = Crowd(city(), interior="station", people=20)
    depth, speed = water(lambda x: 0 * x)
    dry.take("flood.speed", speed)
    with pytest.raises(SimulationError, match=r"flood\.speed without flood\.depth"):
        dry.advance(1.0)
    dry.take("flood.depth", depth)
    dry.advance(1.0)


def test_stairs_that_join_nothing_are_left_out() -> None:
    whole = city()
    inside = whole.interiors["station"]
    for lower, upper in (("p", ""), ("", "outside"), ("", "")):
        loose = inside.stairs.loc[["s1"]].rename(index={"s1": f"loose {lower} {upper}"})
        loose["lower"], loose["upper"] = lower, upper
        inside.stairs = pd.concat([inside.stairs, loose])
    crowd = Crowd(whole, interior="station", people=20, seed=1)
    assert [s.name for s in crowd.model.surfaces] == ["p", "s1", "s2", "street"]


def test_a_queue_on_the_stairs_is_kept_in_a_checkpoint(tmp_path: Path) -> None:
    """Ways inside are found anew as queues grow, those outdoors only as water does."""

    def make() -> Crowd:
        return Crowd(city(), interior="station", people=400, pre_movement=(0.0, 5.0))

    running = make()
    for stop in (45.0, 62.0):
        running.advance(stop)
        folder = tmp_path / f"{stop:g}"
        folder.mkdir()
        running.checkpoint(folder)
        resumed = make()
        resumed.restore(folder)
        kept, taken = running.model._ways, resumed.model._ways
        np.testing.assert_array_equal(kept.phi, taken.phi)
        resumed.advance(stop + 15.0)
        running.advance(stop + 15.0)
        assert running.table().equals(resumed.table())


def test_a_checkpoint_of_another_crowd_is_refused(tmp_path: Path) -> None:
    Crowd(city(), interior="station", people=20).checkpoint(tmp_path)
    with pytest.raises(SimulationError, match="another crowd: exposed differs"):
        Crowd(city(), interior="station", people=21).restore(tmp_path)


def test_before_the_alarm_nobody_moves() -> None:
    late = Crowd(city(), interior="station", people=60, begins=4000.0, seed=5)
    prompt = Crowd(city(), interior="station", people=60, begins=0.0, seed=5)
    before = late.table()
    late.advance(4000.0)
    assert late.table().equals(before)
    assert set(before["state"]) == {"waiting"}
    late.advance(4400.0)
    prompt.advance(400.0)
    times = [c.results().tables["egress"]["time_s"].to_numpy() for c in (late, prompt)]
    assert times[0] - 4000.0 == pytest.approx(times[1], abs=1e-6)

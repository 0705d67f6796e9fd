"""A flood on a small city: river, wall, gate, houses, streets, an underpass, and gauges."""

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, box

from twin.errors import InputError, SimulationError
from twin.geo.city import City
from twin.geo.grid import Grid
from twin.geo.terrain import Terrain
from twin.sim.flood import Discharge, Flood, Gate, GaugeMean, Open, Source, Stage
from twin.sim.simulation import Simulation

CRS = "EPSG:32651"
LAND = 3.0


def frame(rows, **columns):
    return gpd.GeoDataFrame({"id": list(rows), **columns}, geometry=list(rows.values()), crs=CRS)


@pytest.fixture(scope="module")
def city():
    """300 m × 200 m: a river in the west behind a wall with a gate, flat land at 3 m."""
    grid = Grid.from_bounds(CRS, (0, 0, 300, 200), 5.0)
    ground = np.full(grid.shape, LAND, np.float32)
    ground[:, :10] = -1.0
    return City.from_files(
        terrain=Terrain(ground, grid, "local"),
        buildings=frame(
            {"hall": box(120, 40, 160, 80), "kiosk": box(201, 151, 203, 153)},
            name=["Hall", "Kiosk"], height_m=[10.0, 3.0], use=["public", "retail"],
        ),
        streets=frame(
            {"quay": LineString([(70, 5), (70, 195)]), "lane": LineString([(260, 5), (260, 195)]),
             "bridge": LineString([(5, 100), (45, 100)])},
            name=["Quay", "Lane", "Bridge"], kind=["residential"] * 3, width_m=[10.0] * 3,
        ),
        water=frame({"river": box(0, 0, 50, 200), "pond": box(270, 90, 290, 110)},
                    kind=["river", "lake"], bed_m=[np.nan, 2.0]),
        defences=frame(
            {"south": LineString([(57, 0), (57, 90)]), "gate": LineString([(57, 90), (57, 110)]),
             "north": LineString([(57, 110), (57, 200)])},
            kind=["wall", "gate", "wall"], crest_m=[5.0] * 3, sill_m=[np.nan, 2.5, np.nan],
        ),
        underpasses=frame({"dip": box(180, 90, 200, 110)}, name=["Dip"], floor_m=[0.0]),
        crs=CRS,
        vertical_datum="local",
    )  # fmt: skip


class Gauges:
    """Readings every 10 minutes; notes the intervals that it is asked for."""

    def __init__(self, **values):
        self.values = values
        self.asked = []

    def series(self, datastream, start, end):
        self.asked.append((datastream, start, end))
        values = self.values[datastream]
        times = np.arange(len(values)) * 600.0
        near = (times > start - 600) & (times < end + 600)
        return times[near], np.asarray(values, float)[near]


def level(flood, x, y):
    """Return the water level at a point, m."""
    field = flood.give("flood.level")
    return field.grid.sample(field.values, x, y)


def test_it_is_a_simulation(city):
    flood = Flood(city, resolution=5.0)
    assert isinstance(flood, Simulation)
    assert {spec.name for spec in flood.writes} == {
        "flood.depth", "flood.speed", "flood.level", "flood.velocity_x", "flood.velocity_y",
    }  # fmt: skip
    with pytest.raises(SimulationError, match=r"no field 'flood.heat'"):
        flood.give("flood.heat")


def test_the_wall_holds_until_the_gate_opens(city):
    flood = Flood(
        city, resolution=5.0, boundaries={"west": Stage(4.0)}, gates=[Gate("gate", 300.0, 60.0)]
    )
    start = flood.snapshot()
    assert start.fields["depth"].values[5, 3] == pytest.approx(5.0)
    assert start.numbers["flooded area [m2]"] == 0.0
    flood.advance(300.0)
    assert np.nanmax(flood.give("flood.depth").values[:, 13:]) == 0.0
    flood.advance(1500.0)
    row, col = flood.grid.index(57.0, 100.0)
    assert flood.solver.bed[row, col] == 2.5
    assert level(flood, 90.0, 100.0) > LAND + 0.1
    results = flood.results()
    streets = results.tables["streets"].set_index("id")
    assert 300 < streets.loc["quay", "closed_from_s"] <= 600
    assert np.isnan(streets.loc["quay", "reopened_s"])
    assert streets.loc["quay", "closed_s"] == 1500 - streets.loc["quay", "closed_from_s"]
    assert streets.loc["bridge", "max_depth_m"] == 0.0  # over the river, not in it
    under = results.tables["underpasses"].set_index("id").loc["dip"]
    assert under["max_depth_m"] > 2.5
    buildings = results.tables["buildings"].set_index("id")
    assert (buildings["max_depth_m"] > 0.1).all()
    assert buildings.loc["hall", "arrival_s"] < buildings.loc["kiosk", "arrival_s"]
    balance = results.summary["balance"]
    assert abs(balance["error"]) < 1e-12 * balance["stored"]
    assert results.summary["streets_closed"] >= 1
    assert any("Underpass Dip" in line for line in results.headlines)
    assert results.maps["max_depth"][1].values.dtype == np.float32
    assert np.isnan(results.maps["hazard_class"][1].values[flood.grid.index(140, 60)])


def test_a_street_opens_again_when_the_water_has_gone(city):
    river = ([0, 150, 600, 650], [2.0, 4.5, 4.5, 1.0])
    flood = Flood(city, resolution=5.0, boundaries={"west": Stage(river), "east": Open()},
                  gates=[Gate("gate", 0.0)], initial_level=2.0)  # fmt: skip
    flood.advance(2000.0)
    quay = flood.results().tables["streets"].set_index("id").loc["quay"]
    assert quay["closed_from_s"] < 600 < quay["reopened_s"] < 2000
    assert 0 < quay["closed_s"] <= quay["reopened_s"] - quay["closed_from_s"]


@pytest.mark.parametrize("buildings", ["blocks", "raised", "none"])
def test_all_the_rain_on_the_city_arrives(city, buildings):
    flood = Flood(city, resolution=5.0, rain=20e-3 / 600, buildings=buildings)
    flood.advance(600.0)
    assert flood.solver.balance()["rain"] == pytest.approx(20e-3 * 300 * 200, rel=1e-9)
    depth = flood.give("flood.depth").values
    hall = depth[flood.grid.index(140.0, 60.0)]
    assert np.isnan(hall) == (buildings == "blocks")
    if buildings == "raised":
        assert hall < 0.02


def test_waters_fill_where_they_are_joined_to_the_river(city):
    flood = Flood(city, resolution=5.0, boundaries={"west": Stage(2.5)})
    depth = flood.give("flood.depth").values
    assert depth[20, 2] == pytest.approx(3.5)
    assert depth[flood.grid.index(280, 100)] == 0.0  # the pond
    everywhere = Flood(city, resolution=5.0, initial_level=2.5).give("flood.depth").values
    assert everywhere[flood.grid.index(280, 100)] == pytest.approx(0.5)


def test_a_pond_starts_at_the_level_at_which_it_is_kept(city):
    kept = City.from_files(
        terrain=city.terrain,
        water=city.water.assign(level_m=[np.nan, 2.2]).reset_index(),
        crs=CRS,
        vertical_datum="local",
    )
    depth = Flood(kept, resolution=5.0, boundaries={"west": Stage(2.5)}).give("flood.depth").values
    grid = kept.grid(5.0)
    assert depth[grid.index(280, 100)] == pytest.approx(0.2)
    assert depth[20, 2] == pytest.approx(3.5)


def test_a_stage_beside_low_land_is_kept_to_the_river(city):
    flood = Flood(city, resolution=5.0, boundaries={"south": Stage(4.0)})
    flood.advance(300.0)
    assert np.nanmax(flood.give("flood.depth").values[:, 13:]) == 0.0


def test_roughness_goes_by_cover(city):
    flood = Flood(city, resolution=5.0)
    rough = flood._ground.manning
    places = {(25, 50): 0.025, (70, 50): 0.02, (100, 150): 0.035}
    for place, value in places.items():
        assert rough[flood.grid.index(*place)] == value


def test_gauges_drive_it_and_are_asked_for_the_interval_only(city):
    gauges = Gauges(
        river=[2.0, 2.0, 4.0, 4.0, 4.0], a=[0.0, 2e-5, 2e-5, 0, 0], b=[0.0, 4e-5, 4e-5, 0, 0]
    )
    flood = Flood(
        city, resolution=5.0, observations=gauges, boundaries={"west": Stage("river")},
        rain=GaugeMean(("a", "b")),
    )  # fmt: skip
    flood.advance(600.0)
    flood.advance(1200.0)
    assert {(s, e) for _, s, e in gauges.asked} == {(0.0, 0.0), (0.0, 600.0), (600.0, 1200.0)}
    # the mean of the gauges: up to 3e-5 m/s in 600 s, then held for 600 s
    assert flood.solver.balance()["rain"] == pytest.approx(3e-5 * 900 * 60000, rel=1e-9)
    assert level(flood, 20.0, 100.0) == pytest.approx(4.0, abs=0.1)


def test_a_silent_gauge_is_named(city):
    gauges = Gauges(river=[])
    flood = Flood(city, resolution=5.0, observations=gauges, boundaries={"west": Stage("river")})
    with pytest.raises(SimulationError, match=r"no reading of 'river' up to 0 s"):
        flood.advance(10.0)
    with pytest.raises(InputError, match="rain is to come from 'a', but the flood is given no obs"):
        Flood(city, resolution=5.0, rain="a")


def test_a_restored_flood_goes_on_bit_for_bit(city, tmp_path):
    def build():
        gauges = Gauges(river=[2.0, 4.2, 4.2, 3.0, 2.0, 2.0])
        return Flood(
            city, resolution=5.0, observations=gauges, boundaries={"west": Stage("river")},
            gates=[Gate("gate", 100.0, 400.0)], rain=1e-5, infiltration=1e-6,
            sources=[Source(280.0, 50.0, 0.5)],
        )  # fmt: skip

    whole = build()
    whole.advance(350.0)
    whole.checkpoint(tmp_path)
    again = build()
    again.restore(tmp_path)
    assert again.time == 350.0
    whole.advance(900.0)
    again.advance(900.0)
    for field in whole.snapshot().fields:
        np.testing.assert_array_equal(
            whole.snapshot().fields[field].values, again.snapshot().fields[field].values
        )
    mine, theirs = whole.results(), again.results()
    assert mine.summary == theirs.summary
    for name, table in mine.tables.items():
        assert table.equals(theirs.tables[name])
    other = Flood(city, resolution=10.0)
    with pytest.raises(SimulationError, match=r"only fits the set-up|differs"):
        other.restore(tmp_path)


def test_what_cannot_be_is_refused(city):
    with pytest.raises(InputError, match="Did you mean 'gate'"):
        Flood(city, resolution=5.0, gates=[Gate("gat", 0.0)])
    with pytest.raises(InputError, match="lies on no ground"):
        Flood(city, resolution=5.0, sources=[Source(9e3, 0.0, 1.0)])
    with pytest.raises(InputError, match="Did you mean 'blocks'"):
        Flood(city, resolution=5.0, buildings="block")
    with pytest.raises(InputError, match="closes no cell"):
        Flood(city, resolution=5.0, bounds=(100, 0, 300, 200), gates=[Gate("gate", 0.0)])


def test_a_run_advances_and_returns_the_results(city):
    flood = Flood(city, resolution=10.0, boundaries={"north": Discharge(5.0)})
    results = flood.run(60.0)
    assert flood.time == results.summary["time_s"] == 60.0
    assert results.summary["balance"]["inflow"] == pytest.approx(300.0)
    assert {"max_depth", "hazard_class"} <= results.maps.keys()
    assert {"buildings", "streets", "underpasses"} == results.tables.keys()

"""Stages of real cities and observation stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twin.geo.city import City
from twin.geo.terrain import Terrain
from twin.render.stage import Gauge, People, Pins, Solids, Stage
from twin.render.viewer import stage_of
from twin.sensors.datastream import Datastream
from twin.sensors.registry import Observation
from twin.sensors.store import Store


@pytest.fixture(scope="module")
def city(town) -> City:
    return City.from_files(
        buildings=town.buildings,
        terrain=Terrain(town.terrain.elevation, town.terrain.grid),
        streets=town.streets,
        water=town.water,
        defences=town.defences,
        assembly_areas=town.assembly_areas,
        crs=town.crs,
        bounds=town.bounds,
    )


def test_a_real_city_gives_the_layers_of_the_made_one(city: City, town) -> None:
    real, made = Stage.from_city(city), Stage.from_city(town)
    assert [x.key for x in real.layers] == [x.key for x in made.layers if x.key != "inside-hall"]
    assert real.bounds == made.bounds
    buildings = real.layer("buildings").shape
    assert isinstance(buildings, Solids)
    for number in (0, 31):
        of_one = buildings.mesh.faces[buildings.mesh.owner == number].ravel()
        low, high = (f(buildings.mesh.vertices[of_one], axis=0) for f in (np.min, np.max))
        shape = town.buildings.geometry.iloc[number].bounds
        assert low[:2] + real.origin == pytest.approx(shape[:2])
        assert high[:2] + real.origin == pytest.approx(shape[2:])
        # walls go on a little into the ground
        height = town.buildings["height_m"].iloc[number]
        assert height + 0.3 < high[2] - low[2] < height + 3
    assert list(buildings.table.index) == list(town.buildings.index)


def test_a_saved_city_is_viewed_by_its_path(city: City, tmp_path: Path) -> None:
    saved = city.save(tmp_path / "town.city")
    assert [x.key for x in stage_of(saved).layers] == [x.key for x in Stage.from_city(city).layers]


def test_gauges_show_what_was_read_and_what_was_computed(town, town_run, tmp_path: Path) -> None:
    level = Datastream("g1", "Quay", "water_level", "cm", "t/1", (356260.0, 3455900.0))
    rain = Datastream("g2", "", "rainfall", "mm/h", "t/2", (356500.0, 3456000.0))
    nowhere = Datastream("g3", "Lost", "water_level", "m", "t/3")
    path, start = tmp_path / "observations.db", town_run.start
    begun = int(start.timestamp() * 1_000_000)
    with Store(path, [level, rain, nowhere]) as store:
        store.write(
            Observation("g1", begun + minute * 60_000_000, value, "", begun)
            for minute, value in ((-20, 0.2), (-10, 0.5), (5, 1.0), (10, 1.5), (20, None))
        )
        store.write([Observation("g2", begun, 36 / 3.6e6, "", begun)])

    class Answers(type(town_run)):
        observations_path = path

        def series(self) -> pd.DataFrame:
            rows = [(600.0 * k, "flood", "g1", "water_level", "m", 1.0 + k) for k in (1, 0, 2)]
            names = ["time", "simulation", "place", "quantity", "unit", "value"]
            return pd.DataFrame(rows, columns=names)

    stage = Stage.from_run(Answers(town), city=town)
    pins = stage.layer("gauges").shape
    assert isinstance(pins, Pins)
    first, second = pins.gauges
    ground = float(stage.layer("terrain").shape.height(60, 100))
    assert first.place == pytest.approx((60.0, 100.0, ground))
    assert [list(v) for v in first.observed] == [[-600.0, 300.0, 600.0], [50.0, 100.0, 150.0]]
    assert [list(v) for v in first.simulated] == [[0.0, 600.0, 1200.0], [100.0, 200.0, 300.0]]
    assert first.text(900.0) == "250 cm"
    assert (second.name, second.text(0.0), second.text(50.0)) == ("g2", "36.0 mm/h", "")
    assert stage.clock is not None
    assert stage.clock.start == datetime(2026, 7, 1, tzinfo=UTC)


def test_a_gauge_below_zero_is_written_with_a_true_minus() -> None:
    times = np.array([0.0, 60.0])
    gauge = Gauge(
        "g", "Well", (0.0, 0.0, 0.0), "water_level", "m", (times, np.array([-1.03, -1e-3]))
    )
    assert (gauge.text(0.0), gauge.text(60.0)) == ("−1.03 m", "0.00 m")


def test_legends_name_only_what_occurs(town, town_run) -> None:
    class Trapped(type(town_run)):
        def agents(self) -> pd.DataFrame:
            rows = super().agents()
            late = (rows["time"] == 1200.0) & (rows["id"] == 3)
            rows.loc[late, "state"] = "stranded"
            rows.loc[rows["id"] == 4, "state"] = "queueing"  # unknown here: as if walking
            return rows

    def said(stage: Stage, key: str) -> list[str]:
        return [words for _, words in stage.layer(key).shape.legend]

    assert said(Stage.from_run(town_run, city=town), "people") == ["People walking"]
    stage = Stage.from_run(Trapped(town), city=town)
    assert said(stage, "people") == ["People walking", "People stranded"]
    people = stage.layer("people").shape
    assert isinstance(people, People)
    states = [people.states[k] for k in people.at(2)[1]]
    assert states.count("stranded") == 1
    assert states[3] == "stranded"
    assert {people.states[k] for k in people.at(3)[1]} == {"walking"}

    assert said(stage, "defences") == ["Flood wall", "Flood gate"]
    ungated = replace(town)
    ungated.defences = town.defences[town.defences["kind"] == "wall"]
    assert said(Stage.from_city(ungated), "defences") == ["Flood wall"]

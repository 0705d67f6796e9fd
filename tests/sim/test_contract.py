"""What every simulation owes the others; a new one is added to `MAKERS` and tested by this."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from town import make_town

from twin.errors import SimulationError, TwinError
from twin.geo.grid import Grid
from twin.scene import Scene
from twin.sim.crowd import Crowd
from twin.sim.flood import Flood
from twin.sim.simulation import GridField, Simulation

#: Standard names of the CF table that are in use, and their canonical units.
CF_UNITS = {
    "flood_water_thickness": "m",
    "flood_water_speed": "m s-1",
    "water_surface_height_above_reference_datum": "m",
}
MAKERS = {
    "flood": lambda city: Flood(city, resolution=8.0, rain=200e-3 / 3600),
    "crowd": lambda city: Crowd(
        city, people=12, area=(500_010.0, 3_450_010.0, 500_040.0, 3_450_040.0), seed=3, reach=150.0
    ),
}


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return Scene.load(make_town(tmp_path_factory.mktemp("c") / "town") / "scene.toml").city()


@pytest.fixture(params=sorted(MAKERS))
def make(request, city):
    """Make a fresh simulation of one kind."""
    return lambda: MAKERS[request.param](city)


def assert_same(a, b):
    """Assert that two snapshots are equal bit for bit."""
    assert a.time == b.time
    assert a.fields.keys() == b.fields.keys()
    for name in a.fields:
        np.testing.assert_array_equal(a.fields[name].values, b.fields[name].values)
    assert dict(a.numbers) == dict(b.numbers)
    if a.table is not None:
        pd.testing.assert_frame_equal(a.table, b.table)


def test_it_is_a_simulation_with_a_declared_table(make):
    simulation = make()
    assert isinstance(simulation, Simulation)
    assert simulation.time == 0.0
    for spec in (*simulation.reads, *simulation.writes):
        kind, _, quantity = spec.name.partition(".")
        assert kind
        assert quantity
        assert spec.unit
        assert spec.long_name
    assert all(spec.name.startswith(f"{simulation.name}.") for spec in simulation.writes)


def test_its_standard_names_are_those_of_cf_in_cf_units(make):
    simulation = make()
    maps = [spec for spec, _ in simulation.results().maps.values()]
    for spec in (*simulation.reads, *simulation.writes, *maps):
        if spec.standard_name is not None:
            assert CF_UNITS[spec.standard_name] == spec.unit


def test_what_is_read_is_what_another_writes(city):
    simulations = [maker(city) for maker in MAKERS.values()]
    written = {spec.name: spec for s in simulations for spec in s.writes}
    read = [spec for s in simulations for spec in s.reads]
    assert read
    for spec in read:
        assert replace(spec, optional=False) == written[spec.name]


def test_what_it_writes_it_gives_on_one_grid_in_the_declared_type(make):
    simulation = make()
    simulation.advance(20.0)
    snapshot = simulation.snapshot()
    assert {f"{simulation.name}.{n}" for n in snapshot.fields} == {
        spec.name for spec in simulation.writes
    }
    grids = set()
    for spec in simulation.writes:
        field = simulation.give(spec.name)
        assert field.values.shape == field.grid.shape
        assert field.values.dtype == np.dtype(spec.dtype)
        grids.add(field.grid)
    assert len(grids) == 1
    for label in snapshot.numbers:
        assert label.endswith("]")
        assert " [" in label


def test_it_stops_at_exactly_the_asked_time(make):
    simulation = make()
    for until in (0.7, 10.0, 10.0, 33.3):
        simulation.advance(until)
        assert simulation.time == until


def test_a_snapshot_is_a_copy(make):
    simulation = make()
    simulation.advance(20.0)
    before = simulation.snapshot()
    kept = {n: f.values.copy() for n, f in before.fields.items()}
    simulation.advance(40.0)
    for name, values in kept.items():
        np.testing.assert_array_equal(before.fields[name].values, values)


def test_it_continues_bit_for_bit_from_a_checkpoint(make, tmp_path):
    whole, first, second = make(), make(), make()
    whole.advance(30.0)
    whole.advance(60.0)
    first.advance(30.0)
    first.checkpoint(tmp_path)
    second.restore(tmp_path)
    assert_same(first.snapshot(), second.snapshot())
    second.advance(60.0)
    assert_same(whole.snapshot(), second.snapshot())


def test_two_of_the_same_make_are_equal(make):
    a, b = make(), make()
    for simulation in (a, b):
        simulation.advance(45.0)
    assert_same(a.snapshot(), b.snapshot())


def test_a_checkpoint_that_is_not_there_is_said(make, tmp_path):
    with pytest.raises(SimulationError, match=str(tmp_path)):
        make().restore(tmp_path)


@pytest.mark.parametrize("left", [0, 0.5])
def test_a_checkpoint_cut_short_is_said(make, tmp_path, left):
    make().checkpoint(tmp_path)
    for path in tmp_path.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[: int(left * len(whole))])
        with pytest.raises(SimulationError, match=rf"{path.name} is no checkpoint"):
            make().restore(tmp_path)
        path.write_bytes(whole)
    make().restore(tmp_path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(make, tmp_path, monkeypatch):
    make().checkpoint(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fill_the_disk(file, **_):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        make().checkpoint(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_it_refuses_fields_that_it_does_not_know(make):
    simulation = make()
    field = GridField(np.zeros((1, 1)), Grid("EPSG:32651", 0.0, 1.0, 1.0, (1, 1)))
    with pytest.raises(TwinError, match="moon"):
        simulation.take("moon.phase", field)
    with pytest.raises(TwinError, match="moon"):
        simulation.give("moon.phase")


def test_results_are_maps_tables_and_plain_figures(make):
    simulation = make()
    simulation.advance(60.0)
    results = simulation.results()
    for spec, field in results.maps.values():
        assert spec.unit
        assert field.values.shape == field.grid.shape
    for table in results.tables.values():
        assert isinstance(table, pd.DataFrame)
    json.dumps(dict(results.summary))
    assert results.headlines
    assert all(line.endswith(".") for line in results.headlines)

"""Coupling: what is exchanged when, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import SimulationError
from twin.geo.grid import Grid
from twin.sim.coupling import Coupling
from twin.sim.simulation import FieldSpec, GridField, Results, Simulation, Snapshot

GRID = Grid("EPSG:32651", 0.0, 2.0, 1.0, (2, 2))


class Tide:
    """Writes its own time as a level."""

    name = "tide"
    reads = ()
    writes = (FieldSpec("tide.level", "m", "level"),)

    def __init__(self):
        self.time = 0.0
        self.finished = False

    def advance(self, until):
        self.time = until

    def give(self, name):
        assert name == "tide.level"
        return GridField(np.full(GRID.shape, self.time), GRID)

    def take(self, name, value):
        raise AssertionError(name)

    def snapshot(self):
        return Snapshot(self.time, {"level": self.give("tide.level")})

    def results(self):
        return Results({}, {}, {})

    def checkpoint(self, directory):
        (directory / "time").write_text(repr(self.time))

    def restore(self, directory):
        self.time = float((directory / "time").read_text())


class Boat(Tide):
    """Notes which level it was given when."""

    name = "boat"
    reads = (FieldSpec("tide.level", "m", "level"),)
    writes = ()

    def __init__(self):
        super().__init__()
        self.log = []

    def take(self, name, value):
        self.log.append((self.time, float(value.values[0, 0])))


def test_simulation_is_a_protocol_that_these_fulfil():
    assert isinstance(Tide(), Simulation)


def test_readers_get_the_state_of_each_sync_point():
    boat = Boat()
    coupling = Coupling([Tide(), boat], interval=10.0)
    coupling.advance(25.0)
    assert boat.log == [(0.0, 0.0), (10.0, 10.0), (20.0, 20.0)]
    assert coupling.time == boat.time == 25.0


@given(st.lists(st.floats(0.5, 100.0), max_size=6), st.floats(0.5, 30.0))
def test_sync_points_do_not_depend_on_where_a_run_was_resumed(stops, interval):
    coupling = Coupling([Tide()], interval=interval)
    end = 120.0
    whole = set(coupling.sync_points(0.0, end))
    for stop in stops:
        rest = list(coupling.sync_points(stop, end))
        assert rest == sorted(rest)
        assert all(t > stop for t in rest)
        assert set(rest) <= whole
        assert rest[-1] == end


def test_checkpoint_and_restore_reach_every_simulation(tmp_path):
    first = Coupling([Tide(), Boat()], interval=10.0)
    first.advance(30.0)
    first.checkpoint(tmp_path)
    second = Coupling([Tide(), Boat()], interval=10.0)
    second.restore(tmp_path)
    assert second.time == 30.0


def test_a_field_that_nobody_writes_is_refused():
    with pytest.raises(SimulationError, match=r"'boat' needs 'tide\.level'"):
        Coupling([Boat()])


def test_two_of_one_name_are_refused():
    with pytest.raises(SimulationError, match="Two simulations are called 'tide'"):
        Coupling([Tide(), Tide()])


def test_two_writers_of_a_field_that_is_read_are_refused():
    other = Tide()
    other.name = "tide-2"
    Coupling([Tide(), other]).advance(10.0)
    with pytest.raises(SimulationError, match=r"Both 'tide' and 'tide-2' write 'tide\.level'"):
        Coupling([Tide(), other, Boat()])


class Raft(Boat):
    """Reads what it can get, and does without."""

    name = "raft"
    reads = (FieldSpec("tide.level", "m", "level", optional=True),)


def test_a_reader_takes_only_what_it_is_told_to():
    told, silent = Raft(), Raft()
    Coupling([Tide(), told], interval=10.0, reads={"raft": ["tide.level"]}).advance(10.0)
    Coupling([Tide(), silent], interval=10.0, reads={"raft": []}).advance(10.0)
    assert told.log == [(0.0, 0.0)]
    assert silent.log == []
    with pytest.raises(SimulationError, match=r"'raft' needs 'tide\.level'"):
        Coupling([Raft()], reads={"raft": ["tide.level"]})
    with pytest.raises(SimulationError, match=r"'raft' cannot read 'tide\.levl'. Did you mean"):
        Coupling([Tide(), Raft()], reads={"raft": ["tide.levl"]})

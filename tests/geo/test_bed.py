"""The bed: nothing leaks through walls, gates open, underpasses lower the ground."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from geofiles import CRS, EAST, NORTH, flat, frame, line, square
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from twin.errors import InputError
from twin.geo.burn import line_cells, lower_to, owners
from twin.geo.city import City
from twin.geo.grid import Grid

WITH_CORNERS = np.ones((3, 3))

coordinate = st.one_of(
    st.floats(-60.0, 160.0).map(lambda v: round(v, 3)),
    st.integers(-30, 80).map(lambda k: 2.0 * k),  # on the lines and corners of the grid
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=8, unique=True))
def test_the_cells_of_a_line_share_edges(points):
    grid = Grid(CRS, -100.0, 200.0, 2.0, (150, 150))
    rows, cols = line_cells(grid, shapely.LineString(points))
    steps = np.abs(np.diff(rows)) + np.abs(np.diff(cols))
    assert (steps == 1).all()
    first, last = grid.index(points[0][0], points[0][1]), grid.index(*points[-1])
    assert (rows[0], cols[0]) == first
    assert (rows[-1], cols[-1]) == last
    # every cell is one that the line touches
    centres = shapely.points(grid.x[cols], grid.y[rows])
    assert (shapely.distance(centres, shapely.LineString(points)) <= np.sqrt(2) + 1e-6).all()


def wall_across(*, gate: bool = True) -> City:
    """A wall from edge to edge of level ground, at awkward angles, with a gate in it."""
    wall = line((0, 100), (63, 141), (101.3, 20.7), (200, 109))
    shapes, kinds = [wall], ["wall"]
    if gate:
        at = wall.project(shapely.Point(EAST + 63, NORTH + 141)) - 30
        shapes.append(shapely.LineString([wall.interpolate(at), wall.interpolate(at + 8)]))
        kinds.append("gate")
    defences = frame(shapes, id=["wall", "gate"][: len(shapes)], kind=kinds)
    defences["crest_m"], defences["sill_m"] = 6.0, np.nan
    defences.loc[defences["kind"] == "gate", "sill_m"] = 3.4
    return City.from_files(terrain=flat(3.0), defences=defences)


@pytest.mark.parametrize("resolution", [0.7, 1.0, 2.0, 3.0, 5.5, 10.0])
def test_a_wall_does_not_leak_even_over_corners(resolution):
    city = wall_across()
    grid = city.grid(resolution)
    _, parts = ndimage.label(city.bed(grid) < 5.0, structure=WITH_CORNERS)
    assert parts == 2
    _, parts = ndimage.label(city.bed(grid, walls=False) < 5.0)
    assert parts == 1


def test_an_open_gate_joins_both_sides_at_its_sill():
    city = wall_across()
    grid = city.grid(2.0)
    closed, opened = city.bed(grid), city.bed(grid, gates_open=["gate"])
    cells = line_cells(grid, city.defences.geometry["gate"])
    assert (closed[cells] == 6.0).all()
    assert (opened[cells] == 3.4).all()
    changed = closed != opened
    assert changed.sum() == len(set(zip(*cells, strict=True)))
    _, parts = ndimage.label(opened < 5.0)
    assert parts == 1
    assert np.array_equal(city.bed(grid, gates_open="gate"), opened)
    with pytest.raises(InputError, match=r"no gate 'gaet'\. Did you mean 'gate'"):
        city.bed(grid, gates_open=["gaet"])
    with pytest.raises(InputError, match="no gate 'wall'"):
        city.bed(grid, gates_open=["wall"])


def test_a_gate_without_sill_opens_to_the_terrain():
    city = wall_across()
    city.defences["sill_m"] = np.nan
    grid = city.grid(2.0)
    opened = city.bed(grid, gates_open=["gate"])
    assert (opened[line_cells(grid, city.defences.geometry["gate"])] == 3.0).all()


def test_crests_below_the_ground_change_nothing_and_gaps_stay_gaps():
    terrain = flat(3.0)
    terrain.elevation[:, 30:35] = np.nan
    defences = frame([line((0, 100), (200, 100))], kind=["wall"], crest_m=[2.0])
    city = City.from_files(terrain=terrain, defences=defences)
    grid = city.grid(2.0)
    np.testing.assert_array_equal(city.bed(grid), terrain.on(grid))
    city.defences["crest_m"] = 9.0
    bed = city.bed(grid)
    assert np.isnan(bed[:, 30:35]).all()
    assert np.nanmax(bed) == 9.0


def test_underpasses_and_waters_lower_the_ground_and_never_raise_it():
    city = City.from_files(
        terrain=flat(3.0),
        underpasses=frame([square(20, 20, 40), square(100, 20)], floor_m=[-2.0, np.nan]),
        water=frame([square(40, 20, 40), square(100, 100)], bed_m=[-1.0, 8.0]),
    )
    bed = city.bed(city.grid(2.0))
    values, counts = np.unique(bed, return_counts=True)
    assert values.tolist() == [-2.0, -1.0, 3.0]
    assert counts[0] == 400  # 40 m × 40 m, the overlap with the water included
    assert counts[1] == 200


def test_a_narrow_underpass_is_not_lost_on_a_coarse_grid():
    grid = Grid(CRS, EAST, NORTH + 100, 10.0, (10, 10))
    narrow = shapely.box(EAST + 11, NORTH + 41, EAST + 79, NORTH + 43)
    hidden = shapely.box(EAST + 20, NORTH + 80, EAST + 40, NORTH + 100)
    over = shapely.box(EAST + 10, NORTH + 70, EAST + 50, NORTH + 100)
    bed = lower_to(np.full(grid.shape, 3.0), grid, [narrow, hidden, over], [-1.0, 1.0, 0.0])
    assert (bed == -1.0).sum() == 7
    assert (bed == 1.0).sum() == 0
    assert (bed == 0.0).sum() == 12


def test_walls_stand_on_underpasses():
    city = City.from_files(
        terrain=flat(3.0),
        underpasses=frame([square(20, 20, 40)], floor_m=[-2.0]),
        defences=frame([line((0, 30), (200, 30))], kind=["wall"], crest_m=[5.0]),
    )
    grid = city.grid(2.0)
    assert (city.bed(grid)[line_cells(grid, city.defences.geometry.iloc[0])] == 5.0).all()


def test_a_city_without_terrain_has_no_bed():
    city = City.from_files(frame([square(0, 0)]))
    with pytest.raises(InputError, match="no terrain"):
        city.bed(city.grid(2.0))


def test_building_cells_are_those_whose_centre_is_inside():
    two = [square(0, 0, 20), square(10, 10, 20), square(300, 0)]
    city = City.from_files(frame(two), flat())
    cells = city.building_cells(city.grid(2.0))
    assert cells.dtype == np.int32
    assert (cells == 2).sum() == 100
    assert (cells == 1).sum() == 75  # the later one has the overlap
    assert cells[-1, 0] == 1
    assert cells[0].max() == 0
    assert not owners(city.grid(2.0), []).any()

"""Layers: heights, widths, kinds, identifiers and repaired shapes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from geofiles import CRS, EAST, NORTH, flat, frame, line, square

from twin.errors import InputError
from twin.geo import buildings, streets
from twin.geo.city import City
from twin.geo.layers import LAYERS, empty
from twin.geo.normalise import flags, numbers, texts
from twin.geo.sources import Source


def codes(city: City) -> dict[str, list[str]]:
    """Return the findings of building a city: code to object ids."""
    found = city.check().findings
    return {code: list(rows["object_id"]) for code, rows in found.groupby("code")}


def test_every_layer_has_its_columns_when_it_is_absent():
    city = City(CRS)
    for name, layer in LAYERS.items():
        got = getattr(city, name)
        assert list(got.columns) == [*layer.names, "geometry"]
        assert got.index.name == "id"
        assert got.crs == CRS
        assert empty(layer, CRS).empty


def test_heights_come_from_attributes_then_storeys_then_the_default():
    given = frame(
        [square(20 * k, 0) for k in range(4)],
        id=["a", "b", "c", "d"],
        height=["12.5 m", None, "", "tall"],
        levels=[2.0, 5.0, None, None],
    )
    city = City.from_files(given)
    assert city.buildings["height_m"].tolist() == [12.5, 15.0, 9.0, 9.0]
    sources = ["attribute", "storeys", "default", "default"]
    assert city.buildings["height_source"].tolist() == sources
    assert codes(city)["attribute-unreadable"] == ["d"]
    assert codes(city)["height-default"] == ["c", "d"]


def test_heights_that_the_source_calls_defaults_stay_defaults():
    given = frame(
        [square(0, 0), square(20, 0), square(40, 0)],
        height_m=[12.0, 30.0, 24.0],
        height_basis=["default", "osm_tag", "levels"],
    )
    got = City.from_files(given).buildings
    assert got["height_source"].tolist() == ["default", "attribute", "storeys"]
    assert got["height_m"].tolist() == [12.0, 30.0, 24.0]


def test_absurd_heights_are_not_believed():
    given = frame(
        [square(20 * k, 0) for k in range(5)],
        id=list("abcde"),
        height_m=[5e70, 0.0, -3.0, 900.0, np.inf],
        storeys=[None, 2, None, None, None],
    )
    city = City.from_files(given)
    assert city.buildings["height_m"].tolist() == [9.0, 6.0, 9.0, 900.0, 9.0]
    assert codes(city)["height-absurd"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["3", " 4.5 ", "6 m", "7m", "10 ft", ".5", "1e2"], [3, 4.5, 6, 7, 3.048, 0.5, 100]),
        (["", None, "~5", "3;4", "nan", "inf"], [np.nan] * 6),
    ],
)
def test_numbers_in_text(raw, expected):
    np.testing.assert_allclose(numbers(pd.Series(raw)), expected)


def test_texts_and_flags():
    assert texts(pd.Series([1.0, np.nan, 3.0])).tolist() == ["1", "", "3"]
    assert texts(pd.Series(["a ", None])).tolist() == ["a", ""]
    assert flags(texts(pd.Series([True, False]))).tolist() == [True, False]
    assert flags(pd.Series(["yes", "No", "1", "designated", ""])).tolist() == [
        *[True, False, True, True],
        False,
    ]


def test_ids_are_taken_made_unique_or_made_from_the_shape():
    shapes = [square(20 * k, 0) for k in range(5)]
    city = City.from_files(frame(shapes, osm_way=[7, 8, 8, None, None]))
    ids = list(city.buildings.index)
    assert ids[:2] == ["7", "8"]
    assert ids[2].startswith("8~")
    assert len(set(ids)) == 5
    assert codes(city)["id-duplicate"] == [ids[2]]
    # another order, other starting points of the rings: the same ids
    turned = [shapely.Polygon(np.roll(s.exterior.coords[:-1], 2, axis=0)) for s in shapes[::-1]]
    again = City.from_files(frame(turned, osm_way=[None, None, None, 8, 7]))
    assert set(again.buildings.index[:2]) == set(ids[3:])


def test_footprints_drawn_twice_get_two_ids():
    city = City.from_files(frame([square(0, 0), square(0, 0), square(0, 0)]))
    assert city.buildings.index.is_unique


def test_an_index_called_id_is_kept():
    given = frame([square(0, 0), square(20, 0)], height_m=[4.0, 5.0])
    given.index = pd.Index(["x", "y"], name="id")
    first = City.from_files(given)
    assert list(first.buildings.index) == ["x", "y"]
    assert list(City.from_files(first.buildings).buildings.index) == ["x", "y"]


def test_invalid_polygons_are_repaired_and_listed():
    bow = shapely.Polygon(
        [(EAST, NORTH), (EAST + 9, NORTH + 9), (EAST + 9, NORTH), (EAST, NORTH + 9)]
    )
    flat_one = shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH), (EAST + 4, NORTH)])
    given = frame([bow, flat_one, square(20, 0), None, line((0, 0), (1, 1))], id=list("abcde"))
    city = City.from_files(given)
    assert list(city.buildings.index) == ["a", "c"]
    assert city.buildings.is_valid.all()
    assert city.buildings.geometry["a"].area == pytest.approx(40.5)
    assert set(codes(city)["geometry-repaired"]) == {"a", "b"}
    assert sorted(codes(city)["geometry-dropped"]) == ["", "", "b"]


def test_multipolygons_of_one_part_are_unwrapped_and_others_kept():
    one = shapely.MultiPolygon([square(0, 0)])
    two = shapely.MultiPolygon([square(20, 0), square(40, 0)])
    got = City.from_files(frame([one, two])).buildings
    assert got.geom_type.tolist() == ["Polygon", "MultiPolygon"]


def test_heights_of_vertices_are_left_behind():
    solid = shapely.force_3d(square(0, 0), 7.0)
    assert not City.from_files(frame([solid])).buildings.has_z.any()


def test_source_attributes_are_kept_even_where_names_clash(tmp_path):
    given = frame([square(0, 0)], name=["x"], titel=["Tower"], tags=["[1]"], ground_m=[4.0])
    given.to_file(tmp_path / "b.gpkg")
    source = Source(tmp_path / "b.gpkg", columns={"name": "titel"})
    row = City.from_files(source).buildings.iloc[0]
    assert (row["name"], row["name_source"], row["tags"]) == ("Tower", "x", "[1]")
    assert np.isnan(row["ground_m"])  # the terrain's to say, not the source's


def test_attributes_of_mixed_kinds_become_text():
    given = frame([square(0, 0), square(20, 0)], tags=[{"a": 1}, [2]])
    given["entrance"] = given.centroid
    got = City.from_files(given).buildings
    assert got["tags"].tolist() == ["{'a': 1}", "[2]"]
    assert got["entrance"].iloc[0].startswith("POINT (357005")


def test_streets_get_width_and_users_from_attributes_lanes_or_kind():
    lines = [line((0, 10 * k), (50, 10 * k)) for k in range(7)]
    given = frame(
        lines,
        highway=["primary", "footway", "secondary_link", "residential", "Sidewalk", "x", "service"],
        width=[20.0, None, None, 0.0, None, None, None],
        lanes=[None, None, None, 2, None, None, None],
        foot=["no", None, None, "", None, None, "no"],
    )
    city = City.from_files(streets=given)
    got = city.streets
    widths = [20.0, 2.5, 3.25, 6.5, 2.5, 7.0, 4.5]
    assert got["width_m"].tolist() == widths
    assert got["width_source"].tolist() == [
        *["attribute", "kind", "kind", "lanes", "kind", "kind", "kind"]
    ]
    kinds = ["primary", "footway", "secondary", "residential", "footway", "x", "service"]
    assert got["kind"].tolist() == kinds
    assert got["walkable"].tolist() == [False, True, True, True, True, True, False]
    assert got["drivable"].tolist() == [True, False, True, True, False, True, True]
    assert len(codes(city)["width-absurd"]) == 1


def test_streets_below_ground_are_not_walked():
    lines = [line((0, 10 * k), (50, 10 * k)) for k in range(4)]
    given = frame(
        lines,
        kind=["primary", "underpass", "footway", "primary"],
        layer=[-1, -1, 0, 1],
        tunnel=["", "", "yes", ""],
    )
    got = City.from_files(streets=given).streets
    assert got["kind"].tolist() == ["tunnel", "underpass", "tunnel", "primary"]
    assert got["walkable"].tolist() == [False, False, False, True]


def test_lines_of_several_parts_are_split():
    apart = shapely.MultiLineString([line((0, 0), (10, 0)), line((20, 0), (30, 0))])
    joined = shapely.MultiLineString([line((0, 9), (10, 9)), line((10, 9), (30, 9))])
    backward = line((30, 20), (0, 20))
    point = line((5, 5), (5, 5))
    city = City.from_files(streets=frame([apart, joined, backward, point], id=list("abcd")))
    assert list(city.streets.index) == ["a", "a:2", "b", "c"]
    assert set(city.streets.geom_type) == {"LineString"}
    assert city.streets.geometry["c"].equals_exact(backward, 1e-9)
    assert codes(city)["geometry-dropped"] == ["d"]


def test_kinds_of_water_and_defences_are_brought_into_ours():
    water = frame([square(20 * k, 0) for k in range(3)], water=["pond", "river", "volcano"])
    assert City.from_files(water=water).water["kind"].tolist() == ["lake", "river", "lake"]
    wall = line((0, 0), (5, 5))
    given = frame([wall, wall], kind=["Levee", "flood_gate"], crest_m=[5.0, 5.0])
    assert City.from_files(defences=given).defences["kind"].tolist() == ["wall", "gate"]
    given = frame([wall], id=["w"], kind=["gaet"], crest_m=[5.0])
    with pytest.raises(InputError, match=r"'w' is of kind 'gaet'\. Did you mean 'gate'"):
        City.from_files(defences=given)


def test_ground_is_the_lowest_under_the_footprint():
    terrain = flat(3.0)
    terrain.elevation[95, 3] = 1.5  # centre at 7 m east, 9 m north
    terrain.elevation[:, 50:] = np.nan
    given = frame([square(0, 0), square(40.2, 40.2, 0.5), square(120, 0)])
    ground = City.from_files(given, terrain).buildings["ground_m"]
    np.testing.assert_allclose(ground, [1.5, 3.0, np.nan])
    assert buildings.DEFAULT_HEIGHT == 9.0
    assert streets.KINDS["footway"].walkable

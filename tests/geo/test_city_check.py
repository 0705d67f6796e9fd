"""Checks: each fault has its code, a sound city has none."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from geofiles import CRS, EAST, NORTH, flat, frame, line, square

from twin.geo.city import City


def found(city: City, code: str) -> list[str]:
    """Return the objects that a code is found for; layer findings are ""."""
    findings = city.check().findings
    return list(findings.loc[findings["code"] == code, "object_id"])


def test_a_sound_city_has_no_finding_but_what_it_lacks():
    city = City.from_files(frame([square(0, 0)], height_m=[9.0]), flat())
    report = city.check()
    assert report.ok
    assert set(report.findings["code"]) == {"layer-empty"}
    assert str(report).startswith("Sound (0 error, 0 warning, 5 info).")
    assert repr(report) == "<Report: ok, 5 findings>"
    assert list(report.findings.columns) == [
        *["object_id", "layer", "code", "severity", "message", "geometry"]
    ]
    assert report.findings.crs == CRS


def test_an_empty_city_can_be_checked():
    assert City(CRS).check().ok
    assert found(City(CRS), "terrain-missing") == [""]


def test_the_gravest_come_first_and_are_summed_up():
    defences = frame([line((0, 50), (90, 50))], id=["w"], kind=["wall"], crest_m=[np.nan])
    report = City.from_files(frame([square(0, 0)] * 2), flat(), defences=defences).check()
    assert not report.ok
    severity = list(report.findings["severity"])
    assert severity == sorted(severity, key=["error", "warning", "info"].index)
    assert report.summary().iloc[0]["code"] == "crest-missing"
    assert "height-default × 2. No height is known; 9 m is assumed." in str(report)


def test_footprints_over_each_other():
    shapes = [square(0, 0), square(5, 0), square(30, 0), square(30, 0.1), square(10.0, 20)]
    beside = [square(60, 0), square(70, 0), square(80.05, 0)]  # they share edges, no area
    city = City.from_files(frame(shapes + beside, id=list("abcdefgh")))
    assert found(city, "building-overlap") == ["b"]
    assert found(city, "building-duplicate") == ["d"]


def test_buildings_in_water_and_off_the_terrain():
    terrain = flat()
    terrain.elevation[80:, :20] = np.nan
    given = frame([square(0, 0), square(60, 60), square(190, 190), square(500, 0)], id=list("abcd"))
    water = frame([square(55, 55, 20), square(195, 195)])
    city = City.from_files(given, terrain, water=water)
    assert found(city, "building-in-water") == ["b"]
    assert found(city, "building-off-terrain") == ["a", "d"]
    messages = city.check().findings.query("code == 'building-off-terrain'")["message"]
    assert list(messages) == ["The terrain has no data here.", "Stands outside the terrain."]
    assert found(city, "terrain-gap") == [""]


def test_heights_against_storeys_and_heights_spoilt_by_edits():
    given = frame([square(20 * k, 0) for k in range(3)], id=list("abc"))
    given["height_m"], given["storeys"] = [30.0, 30.0, 30.0], [10, 2, 30]
    city = City.from_files(given)
    assert found(city, "height-against-storeys") == ["b", "c"]
    city.buildings.loc["a", "height_m"] = np.nan
    assert found(city, "height-invalid") == ["a"]


def test_shapes_and_ids_spoilt_by_edits():
    city = City.from_files(frame([square(0, 0), square(20, 0), square(40, 0)], id=list("abc")))
    bow = [(0, 0), (9, 9), (9, 0), (0, 9)]
    city.buildings.loc["b", "geometry"] = shapely.Polygon([(EAST + x, NORTH + y) for x, y in bow])
    assert found(city, "geometry-invalid") == ["b"]
    city.buildings.index = ["a", "b", "b"]
    assert found(city, "id-not-unique") == ["b", "b"]


def test_faulty_cells_of_the_terrain():
    terrain = flat()
    terrain.elevation[10, 10], terrain.elevation[50, 50] = 40.0, -30.0
    terrain.elevation[70:, 70:] += 30.0  # a terrace is no fault
    terrain.elevation[20:23, 20:23] = np.nan
    terrain.elevation[21, 21] = 99.0  # alone in a gap
    city = City.from_files(terrain=terrain)
    spikes = city.check().findings.query("code == 'terrain-spike'")
    grid = terrain.grid
    places = {(p.x, p.y) for p in spikes.geometry.iloc[0].geoms}
    assert places == {(grid.x[10], grid.y[10]), (grid.x[50], grid.y[50])}


def test_terrain_that_is_too_small():
    bounds = (EAST + 100, NORTH, EAST + 300, NORTH + 200)
    city = City.from_files(terrain=flat(), crs=CRS, bounds=bounds)
    rows = city.check().findings.query("code == 'terrain-short'")
    assert rows["message"].tolist() == ["The terrain covers 50.0% of the city's bounds."]


def test_defences_that_hold_nothing():
    lines = [
        line((0, 50), (90, 50)),
        line((90, 50), (100, 50)),
        line((0, 90), (90, 90)),
        line((20, 150), (30, 150)),
        line((100, 50), (110, 50)),
    ]
    given = frame(
        lines,
        id=["wall", "gate", "low", "alone", "shut"],
        kind=["wall", "gate", "wall", "gate", "gate"],
        crest_m=[6.0, 6.0, 2.9, 6.0, 6.0],
        sill_m=[np.nan, 3.0, np.nan, np.nan, 7.0],
    )
    city = City.from_files(terrain=flat(), defences=given)
    assert found(city, "crest-below-ground") == ["low"]
    assert found(city, "gate-alone") == ["alone"]
    assert found(city, "sill-missing") == ["alone"]
    assert found(city, "sill-above-crest") == ["shut"]


def test_floors_and_beds_above_the_ground():
    city = City.from_files(
        terrain=flat(3.0),
        underpasses=frame([square(0, 0), square(20, 0)], id=["low", "high"], floor_m=[0.0, 5.0]),
        water=frame([square(50, 0), square(80, 0)], id=["r", "q"], bed_m=[4.0, np.nan]),
    )
    assert found(city, "floor-above-ground") == ["high"]
    assert found(city, "bed-above-ground") == ["r"]


@pytest.mark.parametrize(("east", "severity"), [(0.0, None), (5000.0, "error")])
def test_a_layer_that_lies_elsewhere(east, severity):
    streets = frame([line((east, 0), (east + 50, 0))])
    city = City.from_files(streets=streets, terrain=flat())
    rows = city.check().findings.query("code == 'layer-apart'")
    assert list(rows["severity"]) == ([] if severity is None else [severity])
    if severity:
        assert "4.8 km away" in rows["message"].iloc[0]


def test_a_city_beyond_the_area_of_its_system():
    shape = frame([square(0, 0)]).to_crs("EPSG:32650")
    assert found(City.from_files(shape), "crs-area") == [""]


def test_coordinates_that_are_transformed_roughly():
    old = frame([square(0, 0)]).to_crs("EPSG:2437")  # Beijing 1954
    rows = City.from_files(old, crs=CRS).check().findings.query("code == 'crs-accuracy'")
    assert list(rows["message"]) == ["Transformed from EPSG:2437 to EPSG:32651: good to 15 m."]
    assert found(City.from_files(old), "crs-accuracy") == []

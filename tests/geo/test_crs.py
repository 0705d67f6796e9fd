"""Reference systems: read, chosen, and refused where data cannot lie in them."""

from __future__ import annotations

import pytest

from twin.errors import CRSError
from twin.geo import crs

PLACE = (357000.0, 3456000.0, 358000.0, 3457000.0)


def test_names_are_authority_codes_whatever_the_spelling():
    import pyproj

    wkt = pyproj.CRS("EPSG:27700").to_wkt("WKT1_GDAL")
    assert crs.crs_name(wkt) == "EPSG:27700"
    assert crs.crs_name(32651) == "EPSG:32651"
    assert crs.same_crs(wkt, "EPSG:27700")
    assert not crs.same_crs("EPSG:32651", "EPSG:32650")


def test_a_compound_system_has_a_horizontal_and_a_vertical_name():
    assert crs.crs_name("EPSG:7415") == "EPSG:28992"
    assert crs.vertical_name("EPSG:7415") == "EPSG:5709"
    assert crs.vertical_name("EPSG:28992") is None


def test_nonsense_is_refused_with_an_example():
    with pytest.raises(CRSError, match=r"'EPSG:99999999' is not .* 'EPSG:32651'"):
        crs.parse_crs("EPSG:99999999")


def test_a_city_needs_metres():
    assert crs.city_crs("epsg:32651") == "EPSG:32651"
    with pytest.raises(CRSError, match=r"EPSG:4326 is not projected"):
        crs.city_crs("EPSG:4326")
    with pytest.raises(CRSError, match="US survey foot"):
        crs.city_crs("EPSG:2263")


def test_stretched_metres_are_refused_where_they_are_stretched():
    prague = (1603000.0, 6463000.0, 1604000.0, 6464000.0)
    with pytest.raises(CRSError, match=r"0\.64 m on the ground .*'EPSG:32633'"):
        crs.city_crs("EPSG:3857", bounds=prague)
    assert crs.city_crs("EPSG:32651", bounds=PLACE) == "EPSG:32651"


def test_the_first_source_in_true_metres_gives_the_system():
    lonlat = (crs.parse_crs("EPSG:4326"), (121.48, 31.22, 121.51, 31.25))
    grid = (crs.parse_crs("EPSG:4549"), (451000.0, 3456000.0, 452000.0, 3457000.0))
    assert crs.choose_crs([lonlat, grid]) == "EPSG:4549"
    assert crs.choose_crs([lonlat]) == "EPSG:32651"
    with pytest.raises(CRSError, match="No source"):
        crs.choose_crs([])


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [(121.5, 31.2, "EPSG:32651"), (-70.6, -33.4, "EPSG:32719"), (180.0, 10.0, "EPSG:32601")],
)
def test_utm_zones(lon, lat, zone):
    assert crs.utm_crs((lon, lat, lon, lat)) == zone


def test_northing_first_systems_still_give_eastings_first():
    # EPSG:4549 lists its northing first
    west, south, _, _ = crs.transform_bounds(PLACE, "EPSG:32651", "EPSG:4549")
    assert 600_000 < west < 700_000
    assert 3_400_000 < south < 3_500_000


def test_coordinates_that_cannot_be_where_they_are_said_to_be():
    crs.check_bounds(PLACE, "EPSG:32651", what="x")
    with pytest.raises(CRSError, match=r"f\.geojson: .* are no degrees, .*GeoJSON"):
        crs.check_bounds(PLACE, "EPSG:4326", what="f.geojson")
    with pytest.raises(CRSError, match="look like degrees"):
        crs.check_bounds((121.48, 31.22, 121.51, 31.25), "EPSG:32651", what="x")
    with pytest.raises(CRSError, match=r"outside its area in EPSG:27700"):
        crs.check_bounds((4357000.0, 3456000.0, 4358000.0, 3457000.0), "EPSG:27700", what="x")
    with pytest.raises(CRSError, match="not numbers"):
        crs.check_bounds((float("inf"),) * 4, "EPSG:27700", what="x")


def test_a_zone_next_door_is_tolerated_and_measured():
    beside = (20_000.0, 3456000.0, 21_000.0, 3457000.0)  # 118° E, two degrees west of the zone
    outside = crs.outside_area_of_use(beside, "EPSG:32651")
    assert 1.5 < outside < crs.AREA_TOLERANCE
    crs.check_bounds(beside, "EPSG:32651", what="x")


def test_vertical_datums():
    assert crs.vertical_datum("EPSG:5737") == "EPSG:5737"
    assert crs.vertical_datum("EPSG:7415") == "EPSG:5709"
    assert crs.vertical_datum("Wusong") == "Wusong"
    with pytest.raises(CRSError, match="is not a vertical system"):
        crs.vertical_datum("EPSG:32651")
    assert crs.known_datum("EPSG:5737") == "EPSG:5737"
    assert crs.known_datum("Wusong") is None


@pytest.mark.parametrize(
    ("source", "target", "metres"),
    [
        ("EPSG:32651", "EPSG:32651", 0.0),
        ("EPSG:4326", "EPSG:32651", 0.0),
        ("EPSG:4549", "EPSG:32651", 1.0),  # CGCS2000: no transformation, and none needed
        ("EPSG:2437", "EPSG:32651", 15.0),  # Beijing 1954
        ("EPSG:4549", "EPSG:2437", float("inf")),
    ],
)
def test_how_well_coordinates_are_transformed_is_known(source, target, metres):
    bounds = crs.transform_bounds(PLACE, "EPSG:32651", source)
    assert crs.transformation_accuracy(bounds, source, target) == metres

"""The city as a whole: built from files, cut at bounds, gridded, described."""

from __future__ import annotations

import time
from importlib.resources import files as resources

import numpy as np
import pytest
import shapely
from geofiles import CRS, EAST, NORTH, flat, frame, line, square, write_raster

from twin.errors import CRSError, InputError
from twin.files import sha256
from twin.geo.city import City, Source, Terrain
from twin.geo.grid import Grid


@pytest.fixture
def files(tmp_path):
    """A small city in files of one planning office."""
    z = np.full((100, 100), 3.0, np.float32)
    write_raster(tmp_path / "terrain.tif", z)  # 200 m, from the place to the south-east
    south = -150
    frame(
        [square(10, south), square(185, south, 30)], id=["a", "b"], height_m=[10.0, 20.0]
    ).to_file(tmp_path / "buildings.gpkg")
    frame([line((-50, -100), (300, -100))], id=["s"], kind=["primary"]).to_file(
        tmp_path / "streets.gpkg"
    )
    river = shapely.box(EAST - 100, NORTH - 300, EAST + 400, NORTH - 180)
    frame([river], id=["r"], kind=["river"], bed_m=[-4.0]).to_file(tmp_path / "water.gpkg")
    frame(
        [
            line((0, -180), (90, -180)),
            line((90, -180), (100, -180)),
            line((100, -180), (200, -180)),
        ],
        id=["w1", "g", "w2"],
        kind=["wall", "gate", "wall"],
        crest_m=[6.0, 6.0, 6.0],
        sill_m=[None, 3.2, None],
    ).to_file(tmp_path / "defences.gpkg")
    frame([square(40, -60, 20)], id=["u"], floor_m=[-1.0]).to_file(tmp_path / "underpasses.gpkg")
    frame([square(100, -60, 20)], id=["p"], name=["广场"], capacity=[500]).to_file(
        tmp_path / "assembly_areas.gpkg"
    )
    return {path.stem: path for path in tmp_path.iterdir() if path.suffix in {".gpkg", ".tif"}}


def test_all_layers_from_files(files):
    city = City.from_files(**files, vertical_datum="EPSG:5737")
    assert city.crs == CRS
    assert city.bounds == (EAST, NORTH - 200, EAST + 200, NORTH)
    assert city.vertical_datum == city.terrain.vertical_datum == "EPSG:5737"
    assert city.buildings["ground_m"].tolist() == [3.0, 3.0]
    assert city.defences.loc["g", ["kind", "sill_m"]].tolist() == ["gate", 3.2]
    assert city.assembly_areas.loc["p", "name"] == "广场"
    assert city.check().ok, str(city.check())
    text = repr(city)
    assert text.startswith("<City in EPSG:32651: 2 buildings, 1 streets, 1 water")
    assert len(text) < 200


def test_the_bed_of_the_whole(files):
    city = City.from_files(**files)
    bed = city.bed(city.grid(2.0))
    assert bed.shape == (100, 100)
    assert sorted(np.unique(bed)) == [-4.0, -1.0, 3.0, 6.0]


def test_provenance_names_every_file_and_its_hash(files):
    records = {r["layer"]: r for r in City.from_files(**files).provenance}
    assert set(records) == set(files)
    for name, path in files.items():
        assert records[name]["file"] == str(path)
        assert records[name]["sha256"] == sha256(path)
        assert records[name]["crs"] == CRS
    assert records["buildings"]["features"] == 2
    assert records["terrain"]["notes"] == "100 × 100 cells of 2 m"


def test_bounds_cut_everything_but_buildings(files):
    bounds = (EAST + 50, NORTH - 190, EAST + 190, NORTH - 20)
    city = City.from_files(**files, bounds=bounds)
    assert city.bounds == bounds
    assert list(city.buildings.index) == ["b"]  # reaches in, and stays whole
    assert city.buildings.geometry["b"].area == pytest.approx(900.0)
    assert city.streets.geometry["s"].length == pytest.approx(140.0)
    assert city.water.geometry["r"].area == pytest.approx(140 * 10)
    assert city.underpasses.geometry["u"].area == pytest.approx(200.0)
    assert city.terrain.bounds == bounds
    assert city.grid(10.0).shape == (17, 14)


def test_to_touch_the_bounds_is_not_to_reach_in():
    shapes = frame([square(0, 0), square(9.995, 0), square(9.9, 0), square(20, 0)], id=list("abcd"))
    bounds = (EAST - 5, NORTH, EAST + 10, NORTH + 10)
    assert list(City.from_files(shapes, bounds=bounds).buildings.index) == ["a", "c"]


def test_a_layer_outside_the_bounds_is_a_finding(files):
    bounds = (EAST + 120, NORTH - 50, EAST + 190, NORTH - 20)
    city = City.from_files(**files, bounds=bounds)
    outside = city.check().findings.query("code == 'layer-outside'")
    assert set(outside["layer"]) == {"streets", "water", "defences", "underpasses", "buildings"} | {
        "assembly_areas"
    }


def test_lines_that_leave_and_return_are_split_at_the_bounds():
    zigzag = line((10, 10), (10, 150), (30, 150), (30, 10))
    bounds = (EAST, NORTH, EAST + 100, NORTH + 100)
    city = City.from_files(streets=frame([zigzag], id=["z"]), crs=CRS, bounds=bounds)
    assert list(city.streets.index) == ["z", "z:2"]
    np.testing.assert_allclose(city.streets.length, 90.0)


def test_a_system_is_chosen_when_none_is_asked_for(tmp_path):
    lonlat = frame([square(0, 0)]).to_crs(4326)
    assert City.from_files(lonlat).crs == CRS
    assert City.from_files(lonlat.to_crs(4549)).crs == "EPSG:4549"
    assert City.from_files(lonlat.to_crs(3857)).crs == CRS
    assert City.from_files(lonlat, flat()).crs == CRS
    with pytest.raises(CRSError, match="No source says where"):
        City.from_files()
    with pytest.raises(CRSError, match="is not projected"):
        City.from_files(lonlat, crs="EPSG:4326")
    with pytest.raises(CRSError, match="on the ground here"):
        City("EPSG:3857", bounds=(13520000.0, 3660000.0, 13521000.0, 3661000.0))


def test_terrain_of_another_system_is_brought_into_the_citys(tmp_path):
    place = frame([square(0, 0)]).to_crs(4549).geometry[0].centroid
    from affine import Affine

    write_raster(
        tmp_path / "t.tif",
        np.full((50, 50), 4.5, np.float32),
        Affine(2.0, 0.0, place.x - 50, 0.0, -2.0, place.y + 50),
        crs="EPSG:4549",
    )
    city = City.from_files(frame([square(0, 0)]), tmp_path / "t.tif", crs=CRS)
    assert city.buildings["ground_m"].tolist() == [4.5]
    assert city.terrain.grid.crs == CRS
    assert city.provenance[0]["crs"] == "EPSG:4549"


def test_datums_do_not_mix(tmp_path):
    terrain = Terrain(flat().elevation, flat().grid, "EPSG:5737")
    city = City.from_files(terrain=terrain)
    assert city.vertical_datum == "EPSG:5737"
    with pytest.raises(CRSError, match=r"from EPSG:5737, the city from EPSG:5736"):
        City.from_files(terrain=terrain, vertical_datum="EPSG:5736")
    other = Terrain(flat().elevation, Grid("EPSG:4549", EAST, NORTH, 2.0, (100, 100)))
    with pytest.raises(CRSError, match="The terrain is in EPSG:4549"):
        City(CRS).add_terrain(other)


def test_sources_are_added_one_after_the_other(files):
    city = City(CRS)
    city.add_buildings(files["buildings"])
    assert city.buildings["ground_m"].isna().all()
    city.add_terrain(Source(files["terrain"]))
    city.add_streets(files["streets"])
    city.add_water(files["water"])
    city.add_defences(files["defences"])
    city.add_underpasses(files["underpasses"])
    city.add_assembly_areas(files["assembly_areas"])
    assert city.buildings["ground_m"].tolist() == [3.0, 3.0]
    assert city.check().ok
    city.add_buildings(frame([square(60, -150)], id=["c"]))
    assert list(city.buildings.index) == ["a", "b", "c"]
    assert city.buildings["ground_m"].tolist() == [3.0, 3.0, 3.0]
    with pytest.raises(InputError, match=r"already has buildings with the ids 'a', 'b'"):
        city.add_buildings(files["buildings"])


def test_bounds_and_grids_say_what_is_wrong():
    with pytest.raises(InputError, match="empty, so it has no bounds"):
        City(CRS).grid(2.0)
    with pytest.raises(InputError, match="bounds must be"):
        City(CRS, bounds=(10.0, 10.0, 0.0, 20.0))
    with pytest.raises(CRSError, match=r"bounds: .* outside its area"):
        City(CRS, bounds=(0.0, -900_000.0, 10.0, -800_000.0))
    city = City.from_files(frame([square(0, 0), square(50, 20)]))
    assert city.bounds == (EAST, NORTH, EAST + 60, NORTH + 30)
    part = city.grid(5.0, bounds=(EAST, NORTH, EAST + 10, NORTH + 10))
    assert part == Grid(CRS, EAST, NORTH + 10, 5.0, (2, 2))


def test_seven_hundred_buildings_on_a_square_kilometre_are_quick(tmp_path):
    shapes = [square(60 * (k % 28), -60 * (k // 28) - 60, 25) for k in range(700)]
    frame(shapes, height_m=np.arange(700) % 60 + 3.0).to_file(tmp_path / "b.gpkg")
    z = np.random.default_rng(0).normal(3.0, 0.5, (1000, 1000)).astype(np.float32)
    write_raster(tmp_path / "t.tif", z, compress="deflate")
    start = time.perf_counter()
    city = City.from_files(tmp_path / "b.gpkg", tmp_path / "t.tif")
    elapsed = time.perf_counter() - start
    assert len(city.buildings) == 700
    assert elapsed < 2.0


@pytest.fixture(scope="module")
def station():
    """The IFC model of the scene that ships."""
    pytest.importorskip("ifcopenshell", reason="needs the extra bim")
    path = resources("twin.scenes") / "lujiazui" / "data" / "station.ifc"
    if not path.is_file():
        pytest.skip("the scene's station.ifc has not been generated")
    return path


def test_a_building_from_inside(station, tmp_path):
    name = "陆家嘴站 / 1"
    city = City.from_files(bim=[{"path": station, "name": name}], crs=CRS)
    assert list(city.interiors) == [name]
    assert city.vertical_datum == "EPSG:5737"  # the model says it
    record = city.provenance[-1]
    assert record["layer"] == f"interiors/{name}"
    assert record["notes"].startswith("placed by IfcMapConversion")
    with pytest.raises(InputError, match=r"already\. Give another with name="):
        city.add_bim(station, name=name)
    again = City.open(city.save(tmp_path / "x.city"))
    assert list(again.interiors) == [name]
    np.testing.assert_allclose(again.bounds, city.bounds)
    assert [p.name for p in (tmp_path / "x.city" / "interiors").iterdir()] == ["陆家嘴站_1"]


def test_a_model_of_another_datum_is_refused(station):
    with pytest.raises(CRSError, match=r"model .*station\.ifc counts its heights from EPSG:5737"):
        City.from_files(bim=[station], crs=CRS, vertical_datum="EPSG:5736")
    with pytest.raises(InputError, match=r"no file .*statoin\.ifc\. Did you mean 'station\.ifc'"):
        City(CRS).add_bim(station.parent / "statoin.ifc")

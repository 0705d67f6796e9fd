"""Vector files: read alike, and refused with one clear error for each fault."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from geofiles import CRS, EAST, NORTH, frame, line, square

from twin.errors import CRSError, GeometryError, InputError
from twin.files import sha256
from twin.geo.city import City
from twin.geo.sources import Source, as_source, provenance, read_vector, survey

TWO = frame([square(0, 0), square(20, 0)], height_m=[12.0, 20.0])


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp", "a.fgb", "a.parquet"])
def test_formats_are_read_alike(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        TWO.to_parquet(path)
    else:
        TWO.to_crs(4326 if name.endswith("json") else CRS).to_file(path)
    got, crs = read_vector(Source(path), what="buildings", crs=CRS)
    assert crs.to_epsg() == (4326 if name.endswith("json") else 32651)
    # spatial indices may reorder the features
    assert sorted(got["height_m"]) == [12.0, 20.0]
    assert shapely.equals_exact(
        got.sort_values("height_m").geometry.to_numpy()[0].normalize(),
        TWO.geometry[0].normalize(),
        tolerance=1e-3,
    )
    _, bounds = survey(Source(path), what="buildings")
    assert len(bounds) == 4


def test_layers_in_two_systems_meet_in_the_citys(tmp_path):
    TWO.to_crs(4326).to_file(tmp_path / "b.geojson")
    frame([line((0, 5), (30, 5))], kind=["footway"]).to_crs(4549).to_file(tmp_path / "s.gpkg")
    city = City.from_files(tmp_path / "b.geojson", streets=tmp_path / "s.gpkg", crs=CRS)
    assert city.buildings.crs == city.streets.crs == CRS
    # the street crosses both buildings as drawn, 10 m in each
    shared = city.buildings.intersection(city.streets.geometry.iloc[0]).length
    np.testing.assert_allclose(shared, 10.0, atol=0.01)
    assert [record["crs"] for record in city.provenance] == ["EPSG:4326", "EPSG:4549"]


def test_a_missing_file_names_its_nearest(tmp_path):
    TWO.to_file(tmp_path / "buildings.gpkg")
    with pytest.raises(InputError, match=r"no file .*bildings\.gpkg\. Did you mean 'buildings"):
        City.from_files(buildings=tmp_path / "bildings.gpkg")


def test_a_missing_layer_lists_those_there_are(tmp_path):
    path = tmp_path / "city.gpkg"
    TWO.to_file(path, layer="houses")
    TWO.to_file(path, layer="sheds")
    with pytest.raises(InputError, match=r"no layer 'house'\. Did you mean 'houses'"):
        City.from_files(buildings=Source(path, layer="house"))
    with pytest.raises(InputError, match=r"several layers; say which.*'houses', 'sheds'"):
        City.from_files(buildings=path)
    assert len(City.from_files(buildings=Source(path, layer="sheds")).buildings) == 2
    TWO.to_file(path, layer="buildings")
    assert len(City.from_files(buildings=path).buildings) == 2  # called as ours


def test_a_footprint_file_without_system_is_refused(tmp_path):
    frame([square(0, 0)], height_m=[5.0]).to_file(tmp_path / "b.shp")
    (tmp_path / "b.prj").unlink()
    with pytest.raises(CRSError, match=r"b\.shp does not say .*-a_srs .*Source\(path, crs="):
        City.from_files(buildings=tmp_path / "b.shp", crs=CRS)
    city = City.from_files(buildings=Source(tmp_path / "b.shp", crs=CRS))
    assert city.crs == CRS
    with pytest.raises(CRSError, match=r"frame\.set_crs"):
        City.from_files(buildings=frame([square(0, 0)], crs=None), crs=CRS)


def test_metres_in_a_geojson_that_says_nothing_are_noticed(tmp_path):
    feature = {"type": "Feature", "properties": {}, "geometry": square(0, 0).__geo_interface__}
    path = tmp_path / "b.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(CRSError, match=r"b\.geojson.*are no degrees"):
        City.from_files(buildings=path, crs=CRS)
    assert len(City.from_files(buildings=Source(path, crs=CRS)).buildings) == 1


@pytest.mark.parametrize("kept", [0.95, 0.6, 0.1])
@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.fgb", "a.parquet", "a.shp"])
def test_a_truncated_file_is_one_clear_error(tmp_path, name, kept, part):
    path = tmp_path / name
    many = frame([square(20 * k, 0) for k in range(400)], height_m=np.arange(400) + 3.0)
    if name.endswith("parquet"):
        many.to_parquet(path)
    else:
        many.to_crs(4326 if name.endswith("json") else CRS).to_file(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    bounds = (EAST, NORTH, EAST + 100, NORTH + 10) if part else None
    with pytest.raises(InputError, match=r"a\..* \(.*(bytes|MB)\) cannot be read.*cut short"):
        City.from_files(buildings=path, crs=CRS, bounds=bounds)


def test_what_is_no_vector_file_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no features here")
    with pytest.raises(InputError, match=r"notes\.txt \(16 bytes\) cannot be read"):
        City.from_files(buildings=path)
    with pytest.raises(InputError, match="expected a path, a Source or a GeoDataFrame, not int"):
        as_source(3, what="buildings")


def test_an_empty_layer_is_refused(tmp_path):
    TWO.iloc[:0].to_file(tmp_path / "b.gpkg", geometry_type="Polygon")
    with pytest.raises(InputError, match=r"b\.gpkg: layer 'b' has no features"):
        City.from_files(buildings=tmp_path / "b.gpkg", crs=CRS)
    TWO.iloc[:0].to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="has no features"):
        City.from_files(buildings=tmp_path / "b.parquet", crs=CRS)


def test_the_wrong_kind_of_geometry_is_refused(tmp_path):
    frame([line((0, 0), (5, 5))]).to_file(tmp_path / "s.gpkg")
    with pytest.raises(GeometryError, match=r"buildings need Polygon .* are: 1 LineString"):
        City.from_files(buildings=tmp_path / "s.gpkg")


def test_columns_are_found_by_name_alias_and_order(tmp_path):
    path = tmp_path / "b.gpkg"
    frame([square(0, 0)], HOEHE=[17.0], eaves=[9.0], Levels=[5]).to_file(path)
    assert City.from_files(buildings=path).buildings["height_m"].tolist() == [17.0]
    eaves = City.from_files(buildings=Source(path, columns={"height_m": "eaves"})).buildings
    assert eaves["height_m"].tolist() == [9.0]
    assert eaves["storeys"].tolist() == [5.0]
    assert eaves["HOEHE"].tolist() == [17.0]  # source attributes stay
    with pytest.raises(InputError, match=r"no column 'eave' .*Did you mean 'eaves'"):
        City.from_files(buildings=Source(path, columns={"height_m": "eave"}))
    with pytest.raises(InputError, match=r"names 'heigth_m'.*Did you mean 'height_m'"):
        City.from_files(buildings=Source(path, columns={"heigth_m": "eaves"}))
    city = City(CRS)
    city.add_buildings(path, height="eaves")
    assert city.buildings["height_m"].tolist() == [9.0]


def test_a_needed_column_is_asked_for(tmp_path):
    path = tmp_path / "d.gpkg"
    frame([line((0, 0), (5, 5))], kind=["wall"]).to_file(path)
    with pytest.raises(InputError, match=r"defences need a column crest_m .*columns=.'crest_m'"):
        City.from_files(defences=path)


def test_bounds_read_only_what_is_near(tmp_path):
    path = tmp_path / "b.gpkg"
    frame([square(100 * k, 0) for k in range(50)], height_m=[5.0] * 50).to_crs(4326).to_file(path)
    bounds = (EAST + 95, NORTH - 5, EAST + 305, NORTH + 15)
    got, _ = read_vector(Source(path), what="buildings", crs=CRS, bounds=bounds)
    assert len(got) == 3


def test_bounds_do_not_hide_a_wrong_system(tmp_path):
    bounds = (EAST, NORTH, EAST + 100, NORTH + 100)
    feature = {"type": "Feature", "properties": {}, "geometry": square(0, 0).__geo_interface__}
    path = tmp_path / "b.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(CRSError, match="are no degrees"):
        City.from_files(buildings=path, crs=CRS, bounds=bounds)
    with pytest.raises(CRSError, match=r"b\.geojson lies 57\d km away .*not in EPSG:32650"):
        City.from_files(buildings=Source(path, crs="EPSG:32650"), crs=CRS, bounds=bounds)
    with pytest.raises(CRSError, match=r"buildings lies 57\d km away"):
        City.from_files(frame([square(0, 0)], crs="EPSG:32650"), crs=CRS, bounds=bounds)


def test_hashes_of_directories_cover_names_and_contents_of_their_files(tmp_path):
    folder = tmp_path / "f.gdb"
    folder.mkdir()
    (folder / "a").write_text("1")

    def recorded() -> str:
        return provenance(Source(folder), "water", CRS)["sha256"]

    first = recorded()
    assert first == sha256(folder)  # as a run records its inputs
    (folder / "a").rename(folder / "b")
    second = recorded()
    (folder / "b").write_text("2")
    assert len({first, second, recorded()}) == 3

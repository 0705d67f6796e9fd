"""Real files: counts, heights and areas against figures from their publishers."""

from __future__ import annotations

import numpy as np
import pytest

from twin.geo.city import City, Source
from twin.geo.terrain import Terrain


def test_newcastle_lidar(shared_data):
    path = shared_data / "newcastle_centre" / "NewcastleCentreDEM_2m.img"
    city = City.from_files(terrain=path)
    assert city.crs == "EPSG:27700"
    assert city.terrain.grid.shape == (195, 342)
    # statistics in the file's own metadata
    assert city.terrain.elevation.min() == pytest.approx(43.4375)
    assert city.terrain.elevation.mean(dtype=float) == pytest.approx(56.5676, abs=1e-3)
    bed = city.bed(city.grid(4.0))
    assert np.isfinite(bed).all()
    assert bed.mean() == pytest.approx(56.57, abs=0.02)


def test_newcastle_in_another_system(shared_data):
    path = shared_data / "newcastle_centre" / "NewcastleCentreDEM_2m.img"
    utm = Terrain.from_file(path, crs="EPSG:32630")
    assert utm.grid.crs == "EPSG:32630"
    assert utm.grid.cell_size == pytest.approx(2.0, rel=2e-3)
    assert np.nanmean(utm.elevation) == pytest.approx(56.57, abs=0.05)


def test_lujiazui_from_openstreetmap(shared_data):
    folder = shared_data / "shanghai_lujiazui"
    city = City.from_files(folder / "buildings.geojson", streets=folder / "roads.geojson")
    assert city.crs == "EPSG:32651"
    assert len(city.buildings) == 564
    towers = city.buildings.loc[["165792123", "10691100"], "height_m"]
    assert towers.tolist() == [632.0, 492.0]
    assert (city.buildings["height_source"] == "default").sum() == 453
    assert city.streets.length.sum() == pytest.approx(99_000, rel=0.02)
    assert (city.streets["kind"] == "tunnel").sum() == 45
    codes = city.check().findings["code"].value_counts()
    assert codes["geometry-repaired"] == 4
    blocks = city.solids()
    assert blocks.failed == ()
    expected = (city.buildings.area * city.buildings["height_m"]).sum()
    assert blocks.mesh().volume == pytest.approx(expected, rel=1e-4)


def test_lujiazui_cut_at_bounds(shared_data):
    bounds = (356_200.0, 3_455_800.0, 358_200.0, 3_457_800.0)
    city = City.from_files(
        shared_data / "shanghai_lujiazui" / "buildings.geojson", crs="EPSG:32651", bounds=bounds
    )
    assert 300 < len(city.buildings) < 564
    assert city.grid(4.0).shape == (500, 500)


@pytest.mark.parametrize(
    ("name", "count", "crs"),
    [
        ("tudelft_campus_city4cfd/tudcampus.geojson", 1529, "EPSG:28992"),
        ("nl_3dfier_ahn3/bgt_pand.sqlite", 160, "EPSG:28992"),
        ("prague_bubenec/bubenec.gpkg", 144, "EPSG:32633"),  # published in Web Mercator
    ],
)
def test_footprints_of_other_cities_close(shared_data, name, count, crs):
    city = City.from_files(shared_data / name)
    assert city.crs == crs
    assert len(city.buildings) == count
    blocks = city.solids()
    assert blocks.failed == ()
    mesh = blocks.mesh()
    assert mesh.is_watertight
    expected = (city.buildings.area * city.buildings["height_m"]).sum()
    assert mesh.volume == pytest.approx(expected, rel=1e-4)


def test_bubenec_has_true_areas(shared_data):
    file = shared_data / "prague_bubenec" / "bubenec.gpkg"
    city = City.from_files(file, streets=file)
    # 0.41 of what Web Mercator says at 50° north
    assert 40_000 < city.buildings.area.sum() < 60_000
    assert len(city.streets) == 35


def test_an_empty_layer_of_the_dutch_base_map(shared_data):
    from twin.errors import InputError

    file = shared_data / "nl_3dfier_ahn3" / "bgt_ondersteunendwegdeel.sqlite"
    with pytest.raises(InputError, match="has no features"):
        City.from_files(water=Source(file), crs="EPSG:28992")

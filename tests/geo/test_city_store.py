"""The city on disk: comes back as it was, and says what is wrong if it cannot."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from geofiles import CRS, EAST, NORTH, flat, frame, line, square
from geopandas.testing import assert_geodataframe_equal

from twin.errors import InputError, TwinError
from twin.geo.city import City
from twin.geo.layers import LAYERS
from twin.geo.terrain import Terrain


@pytest.fixture
def city() -> City:
    z = flat(3.0)
    rough = z.elevation + np.random.default_rng(3).normal(size=z.grid.shape).astype(np.float32)
    rough[:7, :9] = np.nan
    given = frame(
        [square(20 * k, 10) for k in range(4)],
        id=list("abcd"),
        height_m=[None, 12.0, -1.0, 3.3],
        storeys=[4, None, None, None],
        name=["甲", "b", None, ""],
        built=pd.to_datetime(["2001-01-01", None, "2020-05-05", "1999-12-31"]),
        tags=[{"a": 1}, None, [1], "x"],
        heritage=[True, False, True, False],
    )
    return City.from_files(
        given,
        Terrain(rough, z.grid, "EPSG:5737"),
        streets=frame([line((0, 0), (9, 9))], kind=["steps"]),
        defences=frame([line((0, 50), (150, 50))], id=["w"], kind=["wall"], crest_m=[5.0]),
        bounds=(EAST, NORTH, EAST + 180, NORTH + 200),
    )


def test_it_comes_back_as_it_was(city, tmp_path):
    path = city.save(tmp_path / "x.city")
    again = City.open(path)
    for name in LAYERS:
        assert_geodataframe_equal(getattr(city, name), getattr(again, name))
    assert again.terrain.elevation.tobytes() == city.terrain.elevation.tobytes()
    assert again.terrain.grid == city.terrain.grid
    assert again.terrain.vertical_datum == again.vertical_datum == "EPSG:5737"
    assert again.crs == city.crs
    assert again.bounds == city.bounds
    assert again.provenance == city.provenance
    assert repr(again) == repr(city)
    assert again.interiors == {}
    assert_geodataframe_equal(again.check().findings, city.check().findings)
    assert "height-absurd" in set(again.check().findings["code"])


def test_saving_twice_gives_the_same_bytes(city, tmp_path):
    one, two = city.save(tmp_path / "1.city"), City.open(city.save(tmp_path / "2.city"))
    two = two.save(tmp_path / "3.city")
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes(), file.name


def test_the_parts_are_plain_open_formats(city, tmp_path):
    path = city.save(tmp_path / "x.city")
    assert sorted(f.name for f in path.iterdir()) == [
        "buildings.parquet",
        "defences.parquet",
        "findings.parquet",
        "manifest.json",
        "streets.parquet",
        "terrain.tif",
    ]
    assert gpd.read_parquet(path / "buildings.parquet").loc["a", "height_m"] == 12.0
    with rasterio.open(path / "terrain.tif") as dataset:
        assert dataset.crs.to_epsg() == 32651
        assert dataset.profile["tiled"]
        assert np.isnan(dataset.nodata)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {f.name for f in path.iterdir()} - {"manifest.json"}


def test_a_city_is_replaced_whole_and_nothing_else_is(city, tmp_path):
    path = city.save(tmp_path / "x.city")
    opened = City.open(path)  # its layers are still on disk while it is replaced
    opened.buildings.loc["a", "use"] = "office"
    opened.save(path)
    assert City.open(path).buildings.loc["a", "use"] == "office"
    assert [f.name for f in tmp_path.iterdir()] == ["x.city"]
    other = tmp_path / "precious"
    other.mkdir()
    with pytest.raises(InputError, match="exists and is no city"):
        city.save(other)


@pytest.mark.parametrize("limit", [3_000, 16_500, 20_000, 31_000])
def test_a_full_disk_leaves_the_old_city_and_no_rest(city, tmp_path, limit):
    """With files limited in size, as on a full disk: in a layer, and in the terrain."""
    path = city.save(tmp_path / "x.city")
    before = (path / "manifest.json").read_bytes()
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, allowed[1]))
    try:
        with pytest.raises(TwinError, match=r"x\.city: .*GB are free there.*nothing was left") as e:
            city.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert e.value.exit_status == 1
    assert (path / "manifest.json").read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["x.city"]


def test_a_killed_save_leaves_the_old_city_and_its_rest_is_cleared(city, tmp_path):
    path = city.save(tmp_path / "x.city")
    before = (path / "manifest.json").read_bytes()
    script = f"""
import os, signal
from twin.geo import store
from twin.geo.city import City
store._write_terrain = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
City.open({str(path)!r}).save({str(path)!r})
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert (path / "manifest.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    other = tmp_path / f".x.city.partial-{os.getppid()}"  # a save that is at work
    other.mkdir()
    city.save(path)
    assert sorted(f.name for f in tmp_path.iterdir()) == [other.name, "x.city"]


def test_what_is_no_city_or_damaged_is_refused(city, tmp_path):
    path = city.save(tmp_path / "harbour.city")
    with pytest.raises(InputError, match=r"no city at .*Did you mean 'harbour\.city'"):
        City.open(tmp_path / "harbor.city")
    with pytest.raises(InputError, match=r"no manifest\.json"):
        City.open(tmp_path)

    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))

    def with_manifest(**changes: object) -> None:
        text = json.dumps(manifest | changes)
        (path / "manifest.json").write_text(text, encoding="utf-8")

    with_manifest(schema=99)
    with pytest.raises(InputError, match="Install a newer twin"):
        City.open(path)
    with_manifest(format="shopping list")
    with pytest.raises(InputError, match="describes no city but 'shopping list'"):
        City.open(path)
    (path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        City.open(path)
    with_manifest()

    whole = (path / "terrain.tif").read_bytes()
    (path / "terrain.tif").write_bytes(whole[:-10])
    with pytest.raises(InputError, match="cut short or was changed"):
        City.open(path)
    (path / "terrain.tif").write_bytes(whole[:-10] + bytes(10))
    opened = City.open(path)
    assert len(opened.buildings) == 4  # the rest is whole
    with pytest.raises(InputError, match=r"terrain\.tif is not what was written"):
        opened.bed(opened.grid(2.0))
    (path / "terrain.tif").unlink()
    with pytest.raises(InputError, match=r"terrain\.tif is missing"):
        City.open(path)


def test_an_empty_city_can_be_stored(tmp_path):
    again = City.open(City(CRS).save(tmp_path / "x.city"))
    assert again.terrain is None
    assert again.buildings.empty
    assert repr(again) == "<City in EPSG:32651: empty>"

"""Terrain: rasters of all sorts read alike, sampled and brought onto grids."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from geofiles import CRS, EAST, NORTH, flat, write_raster
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from twin.errors import CRSError, InputError
from twin.geo.grid import Grid
from twin.geo.terrain import Terrain, resample

RAMP = np.add.outer(np.arange(40) * 0.5, np.arange(60) * 0.1).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "driver"), [("a.tif", "GTiff"), ("a.img", "HFA"), ("a.asc", "AAIGrid")]
)
def test_formats_are_read_alike(tmp_path, name, driver):
    path = tmp_path / name
    if driver == "AAIGrid":
        rows = "\n".join(" ".join(f"{v:.4f}" for v in row) for row in RAMP)
        head = f"ncols 60\nnrows 40\nxllcorner {EAST}\nyllcorner {NORTH - 80}\ncellsize 2\n"
        path.write_text(head + rows + "\n")
    else:
        write_raster(path, RAMP, driver=driver)
    terrain = Terrain.from_file(path, source_crs=CRS)
    assert terrain.grid == Grid(CRS, EAST, NORTH, 2.0, (40, 60))
    np.testing.assert_allclose(terrain.elevation, RAMP, atol=1e-4)
    assert terrain.elevation.dtype == np.float32


def test_no_data_scale_and_impossible_values_become_nan(tmp_path):
    values = np.full((4, 5), 120, np.int16)
    values[0, 0], values[1, 1] = -999, 32767
    path = write_raster(tmp_path / "a.tif", values, nodata=-999)
    terrain = Terrain.from_file(path)
    assert np.isnan(terrain.elevation).sum() == 2
    assert terrain.elevation[2, 2] == 120


def test_a_raster_stored_from_the_south_is_turned(tmp_path):
    up = Affine(2.0, 0.0, EAST, 0.0, 2.0, NORTH - 80.0)
    path = write_raster(tmp_path / "a.tif", RAMP[::-1].copy(), up)
    terrain = Terrain.from_file(path)
    assert terrain.grid.north == NORTH
    np.testing.assert_array_equal(terrain.elevation, RAMP)


def test_a_turned_raster_keeps_its_heights_in_place(tmp_path):
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turned = Affine(2 * cosine, 2 * sine, EAST, 2 * sine, -2 * cosine, NORTH)
    path = write_raster(tmp_path / "a.tif", RAMP, turned)
    terrain = Terrain.from_file(path)
    col, row = 30.5, 20.5
    x = turned.a * col + turned.b * row + turned.c
    y = turned.d * col + turned.e * row + turned.f
    assert terrain.sample(x, y) == pytest.approx(RAMP[20, 30], abs=0.1)
    assert np.isnan(terrain.elevation[0, 0])  # the corner of the box around it


def test_oblong_cells_become_square(tmp_path):
    path = write_raster(tmp_path / "a.tif", RAMP, Affine(2.0, 0.0, EAST, 0.0, -4.0, NORTH))
    terrain = Terrain.from_file(path)
    assert terrain.grid.cell_size == 2.0
    assert terrain.grid.bounds == (EAST, NORTH - 160, EAST + 120, NORTH)
    assert terrain.sample(EAST + 61, NORTH - 82) == pytest.approx(RAMP[20, 30], abs=0.05)


def test_another_system_is_transformed(tmp_path):
    degree = Affine(2e-5, 0.0, 121.5, 0.0, -2e-5, 31.23)
    path = write_raster(tmp_path / "a.tif", RAMP, degree, crs="EPSG:4326")
    terrain = Terrain.from_file(path, crs=CRS)
    assert terrain.grid.crs == CRS
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, CRS, always_xy=True).transform(
        121.5 + 30.5 * 2e-5, 31.23 - 20.5 * 2e-5
    )
    assert terrain.sample(x, y) == pytest.approx(RAMP[20, 30], abs=0.1)


def test_bounds_read_whole_cells_of_a_part(tmp_path):
    path = write_raster(tmp_path / "a.tif", RAMP)
    part = Terrain.from_file(path, bounds=(EAST + 11, NORTH - 31, EAST + 29, NORTH - 9))
    assert part.grid.bounds == (EAST + 10, NORTH - 32, EAST + 30, NORTH - 8)
    np.testing.assert_array_equal(part.elevation, RAMP[4:16, 5:15])
    with pytest.raises(InputError, match="does not reach the bounds"):
        Terrain.from_file(path, bounds=(EAST + 900, NORTH - 31, EAST + 990, NORTH - 9))


def test_a_vertical_datum_is_found(tmp_path):
    rd = Affine(1.0, 0.0, 85000.0, 0.0, -1.0, 447000.0)
    path = write_raster(tmp_path / "a.tif", RAMP, rd, crs="EPSG:7415")
    terrain = Terrain.from_file(path)
    assert (terrain.grid.crs, terrain.vertical_datum) == ("EPSG:28992", "EPSG:5709")


@pytest.mark.parametrize(("unit", "metre"), [("ft", 0.3048), ("US survey foot", 1200 / 3937)])
def test_feet_become_metres(tmp_path, unit, metre):
    path = write_raster(tmp_path / "a.tif", np.full((4, 5), 100.0, np.float32))
    with rasterio.open(path, "r+") as dataset:
        dataset.set_band_unit(1, unit)
    np.testing.assert_allclose(Terrain.from_file(path).elevation, 100 * metre, rtol=1e-6)


def test_feet_of_the_vertical_system_become_metres(tmp_path):
    # NAVD88 height in feet
    path = write_raster(
        tmp_path / "a.tif",
        np.full((4, 5), 100.0, np.float32),
        Affine(2.0, 0.0, 580_000.0, 0.0, -2.0, 4_510_000.0),
        crs="EPSG:32618+6360",
    )
    terrain = Terrain.from_file(path)
    assert terrain.grid.crs == "EPSG:32618"
    np.testing.assert_allclose(terrain.elevation, 30.48, rtol=1e-4)


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.02])
@pytest.mark.parametrize("compress", [None, "deflate"])
def test_a_truncated_file_is_one_clear_error(tmp_path, kept, compress):
    values = np.random.default_rng(0).normal(size=(200, 300)).astype(np.float32)
    options = {} if compress is None else {"compress": compress}
    path = write_raster(tmp_path / "dem.tif", values, **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=r"dem\.tif \(.*(bytes|MB)\) cannot be read.*cut short"):
        Terrain.from_file(path)


def test_what_is_no_terrain_is_refused(tmp_path):
    write_raster(tmp_path / "dem.tif", RAMP)
    with pytest.raises(InputError, match=r"no file .*den\.tif\. Did you mean 'dem\.tif'"):
        Terrain.from_file(tmp_path / "den.tif")
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        Terrain.from_file(tmp_path / "nowhere" / "dem.tif")
    text = tmp_path / "a.txt"
    text.write_text("not a raster")
    with pytest.raises(InputError, match=r"a\.txt \(12 bytes\) cannot be read"):
        Terrain.from_file(text)
    picture = write_raster(tmp_path / "p.tif", np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(InputError, match="a picture, no elevation"):
        Terrain.from_file(picture)
    bare = write_raster(tmp_path / "b.tif", np.full((4, 5), -1, np.int16), nodata=-1)
    with pytest.raises(InputError, match="only no-data cells"):
        Terrain.from_file(bare)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        plain = write_raster(tmp_path / "c.png", np.zeros((4, 5), np.uint16), None, driver="PNG")
    with pytest.raises(InputError, match="not georeferenced"):
        Terrain.from_file(plain)


def test_a_raster_without_system_needs_one(tmp_path):
    path = write_raster(tmp_path / "a.tif", RAMP, crs=None)
    with pytest.raises(CRSError, match=r"a\.tif does not say .*gdal_edit\.py -a_srs"):
        Terrain.from_file(path)
    assert Terrain.from_file(path, source_crs=CRS).grid.crs == CRS
    with pytest.raises(CRSError, match="outside its area"):
        Terrain.from_file(path, source_crs="EPSG:27700")


def test_sampling_is_bilinear_between_centres():
    terrain = Terrain(RAMP, Grid(CRS, EAST, NORTH, 2.0, RAMP.shape))
    x, y = EAST + np.array([1.0, 2.0, 3.5]), NORTH - np.array([1.0, 4.0, 2.2])
    expected = 0.5 * ((NORTH - y) / 2 - 0.5) + 0.1 * ((x - EAST) / 2 - 0.5)
    np.testing.assert_allclose(terrain.sample(x, y), expected, atol=1e-6)
    assert terrain.sample(EAST + 0.1, NORTH - 0.1) == pytest.approx(0.0)  # the edge's own value
    assert np.isnan(terrain.sample(EAST - 0.1, NORTH - 5))


def test_sampling_beside_a_gap_uses_what_is_known():
    terrain = flat(3.0)
    terrain.elevation[10, 10] = np.nan
    grid = terrain.grid
    assert np.isnan(terrain.sample(grid.x[10], grid.y[10]))
    assert terrain.sample(grid.x[10] + 1.2, grid.y[10]) == pytest.approx(3.0)


def test_onto_its_own_cells_it_is_copied():
    terrain = Terrain(RAMP, Grid(CRS, EAST, NORTH, 2.0, RAMP.shape))
    shifted = Grid(CRS, EAST - 4, NORTH - 2, 2.0, (10, 10))
    out = terrain.on(shifted)
    assert np.isnan(out[:, :2]).all()
    np.testing.assert_array_equal(out[:, 2:], RAMP[1:11, :8])
    with pytest.raises(CRSError, match=r"City\.grid"):
        terrain.on(Grid("EPSG:32650", EAST, NORTH, 2.0, (10, 10)))


def test_onto_finer_cells_it_is_interpolated():
    terrain = Terrain(RAMP, Grid(CRS, EAST, NORTH, 2.0, RAMP.shape))
    fine = terrain.on(Grid(CRS, EAST, NORTH, 0.5, (40, 40)))
    assert fine[6, 6] == pytest.approx(0.5 * (3.25 / 2 - 0.5) + 0.1 * (3.25 / 2 - 0.5), abs=1e-6)


def test_onto_larger_cells_it_is_averaged_over_their_area():
    terrain = Terrain(RAMP, Grid(CRS, EAST, NORTH, 2.0, RAMP.shape))
    coarse = terrain.on(Grid(CRS, EAST, NORTH, 4.0, (20, 30)))
    blocks = RAMP.astype(float).reshape(20, 2, 30, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(coarse, blocks, rtol=1e-12)


def test_a_cell_with_less_than_half_of_its_data_has_none():
    terrain = flat(3.0, size=8.0)
    terrain.elevation[0, 0] = terrain.elevation[0, 2] = terrain.elevation[1, 2] = np.nan
    terrain.elevation[0, 3] = np.nan
    out = terrain.on(Grid(CRS, EAST, NORTH + 8, 4.0, (2, 2)))
    assert out[0, 0] == 3.0  # three of four
    assert np.isnan(out[0, 1])  # one of four


@settings(deadline=None, max_examples=40)
@given(
    size=st.floats(2.1, 9.0),
    west=st.floats(-15.0, 15.0),
    north=st.floats(-15.0, 15.0),
    seed=st.integers(0, 10_000),
)
def test_averaging_keeps_the_volume(size, west, north, seed):
    """All data, area-weighted, is there again on any grid that covers it."""
    values = np.random.default_rng(seed).normal(5.0, 2.0, (12, 9))
    source = Grid(CRS, 0.0, 0.0, 2.0, values.shape)
    target = Grid(CRS, west - 40, north + 40, size, (60, 60))
    mean = resample(values, source, target, needed=1e-12)
    ones = resample(np.ones_like(values), source, target, needed=1e-12)
    assert np.array_equal(np.isnan(mean), np.isnan(ones))
    assert np.nanmin(mean) >= values.min() - 1e-9
    assert np.nanmax(mean) <= values.max() + 1e-9
    # cells wholly inside weigh their full area: compare with the prefix sum of the source
    inside = resample(values, source, target, needed=1.0)
    for row, col in zip(*np.nonzero(np.isfinite(inside)), strict=True):
        w, n = target.west + col * size, target.north - row * size
        assert inside[row, col] * size**2 == pytest.approx(_volume(values, w, n, size), rel=1e-9)


def _volume(values: np.ndarray, west: float, north: float, size: float) -> float:
    """Integrate over a square, cell by cell."""
    total = 0.0
    for (r, c), z in np.ndenumerate(values):
        wide = min(west + size, 2.0 * c + 2) - max(west, 2.0 * c)
        high = min(size - north, 2.0 * r + 2) - max(-north, 2.0 * r)
        total += z * max(wide, 0.0) * max(high, 0.0)
    return total

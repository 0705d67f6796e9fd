"""Maps without OpenGL: the right colours at the right places, north up."""

from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from twin.errors import RenderError
from twin.render.maps import DataGrid, Map, png_bytes, run_map
from twin.render.palette import AGENTS, ARRIVAL, DEPTH, HAZARD, STILL_WATER
from twin.render.stage import Sheet, Stage


@pytest.fixture(scope="module")
def bare(stage: Stage) -> Stage:
    return stage.showing({"buildings": False, "people": False, "gauges": False})


def test_a_marked_corner_stays_in_its_corner(bare: Stage) -> None:
    sheet = bare.layer("flood").shape
    values = np.zeros(sheet.ground.shape, np.float32)
    values[2:12, -30:-5] = 1.5  # in the north-east, wider than high
    picture = Map(bare).draw(
        DataGrid(values, sheet.west, sheet.north, sheet.cell), DEPTH, title="Corner"
    )
    x, y = Map(bare).pixel_of([365.0, 365.0, 35.0, 35.0], [285.0, 15.0, 285.0, 15.0])
    found = [tuple(picture[r, c]) == DEPTH.colours[4] for r, c in zip(y, x, strict=True)]
    assert found == [True, False, False, False]
    drawn = Map(bare)
    frame = drawn.pixel_of(398.0, 2.0)[0]  # the legend is east of it
    marked = (picture[:, :frame] == DEPTH.colours[4]).all(axis=-1)
    rows, cols = np.nonzero(marked)
    left, top = drawn.pixel_of(340.0, 296.0)
    right, bottom = drawn.pixel_of(390.0, 276.0)
    assert (cols.min(), rows.min()) == (pytest.approx(left, abs=1), pytest.approx(top, abs=1))
    assert (cols.max(), rows.max()) == (pytest.approx(right, abs=1), pytest.approx(bottom, abs=1))


@pytest.mark.parametrize("classes", [DEPTH, HAZARD, ARRIVAL])
def test_every_cell_has_the_colour_of_its_class(bare: Stage, classes) -> None:
    rng = np.random.default_rng(5)
    top = classes.edges[-1] * classes.scale * 1.3
    values = rng.uniform(0, top, (30, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    sheet = Map(bare)
    picture = sheet.draw(DataGrid(values, 0.0, 300.0, 10.0), classes, title="Cells")
    told = classes.classify(values)
    ground = sheet.draw(None, None, title="Cells")
    for row, col in rng.integers(0, (30, 40), (120, 2)):
        x, y = sheet.pixel_of(col * 10 + 6.3, 300 - row * 10 - 3.1)
        if sheet._over[1][y - sheet._top, x - sheet._left] > 0:
            continue  # the flood wall stands here
        k = int(told[row, col])
        wanted = ground[y, x] if k in {0, 255} else classes.colours[k - 1]
        assert tuple(picture[y, x]) == tuple(wanted)


def test_a_frame_shows_the_water_of_its_time(bare: Stage) -> None:
    sheet, drawn = bare.layer("flood").shape, Map(bare)
    assert isinstance(sheet, Sheet)
    for index in (3, 6):
        picture, depth = drawn.frame(index), sheet.depth(index)
        for x, y in ((100.5, 13.0), (92.3, 120.9), (131.1, 31.0), (360.0, 200.0)):
            row, col = int((sheet.north - y) // sheet.cell), int(x // sheet.cell)
            k = int(DEPTH.classify(depth[row, col]))
            colour = tuple(picture[drawn.pixel_of(x, y)[::-1]])
            assert colour == DEPTH.colours[k - 1] if k else colour not in DEPTH.colours
    assert tuple(drawn.frame(6)[drawn.pixel_of(40.0, 90.0)[::-1]]) == STILL_WATER


def test_the_clock_people_and_gauges_are_of_the_time(stage: Stage) -> None:
    sheet = Map(stage)
    first, last = sheet.frame(0), sheet.frame(6)
    headline = slice(50, 80)
    assert (first[headline, :500] != last[headline, :500]).any()
    people = stage.layer("people").shape
    x, y, _ = people.at(6)[0][7]
    col, row = sheet.pixel_of(x, y)
    assert tuple(last[row, col]) == AGENTS["walking"]


def test_the_legend_explains_the_classes_that_are_mapped(bare: Stage) -> None:
    sheet = Map(bare)
    data = DataGrid(np.full((30, 40), np.nan, np.float32), 0.0, 300.0, 10.0)
    side = {tuple(c) for c in sheet.draw(data, HAZARD, title="x")[:, 1010:].reshape(-1, 3)}
    assert set(HAZARD.colours) <= side
    assert not set(DEPTH.colours) & side


def test_a_run_s_map_is_drawn_from_its_geotiff(stage: Stage, tmp_path, town_run) -> None:
    path = tmp_path / "max_depth.tif"
    values = town_run.depth.max(axis=0)
    west, north = stage.origin[0], stage.origin[1] + 300
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
        dtype="float32", crs=stage.crs, transform=Affine(2, 0, west, 0, -2, north),
    ) as file:  # fmt: skip
        file.write(values, 1)

    class Answers:
        def map_path(self, name: str):
            return path

    quiet = stage.showing({"people": False, "gauges": False})
    pixels = run_map(Answers(), "max_depth", stage=quiet)
    col, row = Map(quiet).pixel_of(100.5, 13.0)
    k = int(DEPTH.classify(values[143, 50]))
    assert tuple(pixels[row, col]) == DEPTH.colours[k - 1]
    with pytest.raises(RenderError, match="no palette"):
        run_map(Answers(), "max_nonsense", stage=quiet)


def test_a_png_holds_the_pixels(bare: Stage) -> None:
    pixels = Map(bare, (400, 300)).frame(2)
    again = np.asarray(Image.open(io.BytesIO(png_bytes(pixels))))
    assert (again == pixels).all()


@pytest.mark.parametrize("size", [(300, 300), (1000, 300), (500, 1100)])
def test_any_size_holds_the_whole_town(bare: Stage, size) -> None:
    sheet = Map(bare, size)
    assert sheet.frame(1).shape == (sheet.size[1], sheet.size[0], 3)
    assert sheet.size[0] <= size[0]
    assert sheet.size[1] <= size[1]
    cols, rows = sheet.pixel_of([1.0, 399.0], [299.0, 1.0])
    assert cols.min() >= 0
    assert cols.max() < sheet.size[0]
    assert rows.min() >= 0
    assert rows.max() < sheet.size[1]


def test_chinese_names_do_not_stop_a_map(bare: Stage) -> None:
    from dataclasses import replace

    named = replace(bare, title="外滩 Bund", note="风格化")
    assert Map(named, (400, 300)).frame(0).shape[1] == 400

"""What is put on the stage, without drawing it."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Polygon

from twin.errors import RenderError
from twin.render.shapes import areas, draped, hillshade, ribbons, skirt, walls
from twin.render.stage import Camera, Clock, Gauge, Pins, Relief, Sheet, Solids, Stage


def test_a_run_becomes_layers_from_the_ground_up(stage: Stage) -> None:
    assert [layer.key for layer in stage.layers] == [
        "terrain", "streets", "assembly", "defences", "flood", "buildings",
        "inside-hall", "people", "gauges",
    ]  # fmt: skip
    assert not stage.layer("inside-hall").visible


def test_an_inside_is_shown_without_its_ceiling(stage: Stage) -> None:
    assert list(stage.layer("inside-hall").shape.table["name"]) == ["Floor", "Column", "Wall"]


def test_the_frame_is_local_and_keeps_its_origin(stage: Stage, town) -> None:
    assert stage.origin == town.bounds[:2]
    assert stage.bounds == (0.0, 0.0, 400.0, 300.0)
    buildings = stage.layer("buildings").shape
    assert isinstance(buildings, Solids)
    x = buildings.mesh.vertices[buildings.mesh.faces[buildings.mesh.owner == 11].ravel(), 0]
    assert x.min() + stage.origin[0] == town.buildings.geometry["b11"].bounds[0]


def test_relief_and_sheet_keep_north_up(stage: Stage, town, town_run) -> None:
    relief, sheet = stage.layer("terrain").shape, stage.layer("flood").shape
    assert isinstance(relief, Relief)
    assert isinstance(sheet, Sheet)
    assert relief.height(300.0, 280.0) == pytest.approx(1 + 3 + 0.84, abs=0.02)
    assert relief.height(300.0, 20.0) == pytest.approx(1 + 3 + 0.06, abs=0.02)
    assert sheet.depth(3).shape == town_run.depth[3].shape
    assert sheet.still[10, 20]
    assert not sheet.still[10, 100]


def test_people_are_those_of_the_time(stage: Stage) -> None:
    people = stage.layer("people").shape
    first, _ = people.at(0)
    last, states = people.at(6)
    assert len(first) == len(last) == len(states) == 120
    assert np.allclose((last - first)[:, 0], 0.03 * 3600, atol=1e-3)


def test_things_are_found_by_id_or_name(stage: Stage, town) -> None:
    centre = town.buildings.geometry["b23"].centroid
    for name in ("b23", "House 23"):
        x, y, _ = stage.find(name)
        assert (x + stage.origin[0], y + stage.origin[1]) == pytest.approx((centre.x, centre.y))
    assert stage.find("Quay gauge")[:2] == (60.0, 100.0)
    assert stage.find("quay g") == stage.find("Quay gauge")
    with pytest.raises(RenderError, match=r"Nothing .*'Hose 23'. Did you mean 'House 23'"):
        stage.find("Hose 23")
    with pytest.raises(RenderError, match=r"Several things .*'House 2"):
        stage.find("house 2")


def test_the_first_view_is_of_much_water_with_people_about(stage: Stage) -> None:
    assert stage.height_of_flood() == 6
    people = stage.layer("people")
    gone = replace(
        people.shape,
        at=lambda i: (
            people.shape.at(i) if i < 6 else (people.shape.at(0)[0][:0], people.shape.at(0)[1][:0])
        ),
    )
    other = tuple(replace(x, shape=gone) if x is people else x for x in stage.layers)
    assert replace(stage, layers=other).height_of_flood() == 5


def test_gauges_of_water_get_a_label_first() -> None:
    place = (0.0, 0.0, 0.0)
    rain = [Gauge(f"r{k}", "", place, "rainfall", "mm/h") for k in range(9)]
    level = [Gauge(f"w{k}", "", place, "water_level", "m") for k in range(3)]
    first = [g.id for g in Pins((*rain, *level)).foremost]
    assert first[:3] == ["w0", "w1", "w2"]
    assert len(first) == Pins.MOST


def test_an_unknown_layer_is_answered_with_the_known(stage: Stage) -> None:
    with pytest.raises(RenderError, match="Did you mean 'buildings'"):
        stage.showing({"bulidings": False})
    assert not stage.showing({"people": False}).layer("people").visible


def test_the_clock_reads_in_the_scene_s_own_zone() -> None:
    from datetime import datetime, timedelta, timezone

    start = datetime(2026, 7, 1, 8, 0, tzinfo=timezone(timedelta(hours=8)))
    clock = Clock(np.array([0.0, 59.6, 9300.0, 90000.0]), start)
    assert clock.local(0) == "2026-07-01 08:00 UTC+08:00"
    assert clock.elapsed(1) == "T+00:01"
    assert clock.local(2) == "2026-07-01 10:35 UTC+08:00"
    assert clock.elapsed(2) == "T+02:35"
    assert clock.elapsed(3) == "T+25:00"
    assert clock.nearest(5000.0) == 2


boxes = st.tuples(
    st.floats(-5e3, 5e3), st.floats(-5e3, 5e3), st.floats(50, 9e3), st.floats(50, 9e3)
)


@settings(derandomize=True)
@given(boxes, st.floats(0.0, 360.0), st.floats(10.0, 80.0), st.floats(0.5, 3.0))
def test_the_overview_sees_every_corner_and_wastes_little(box, azimuth, tilt, aspect) -> None:
    west, south, width, depth = box
    bounds = (west, south, west + width, south + depth)
    camera = Camera.overview(bounds, high=50.0, aspect=aspect, azimuth=azimuth, tilt=tilt)
    eye, focal = np.array(camera.position), np.array(camera.focal)
    back = (eye - focal) / np.linalg.norm(eye - focal)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    corners = np.array([(x, y, z) for x in bounds[::2] for y in bounds[1::2] for z in (0.0, 50.0)])
    depth_of = (eye - corners) @ back
    opening = np.tan(np.deg2rad(camera.angle) / 2)
    h = (corners - eye) @ right / depth_of / (opening * aspect)
    v = (corners - eye) @ up / depth_of / opening
    assert np.abs(np.r_[h, v]).max() <= 0.921
    assert max(np.ptp(h), np.ptp(v)) > 1.6


def slope(x, y):
    return 0.1 * np.asarray(x, float)


def area(mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(float) for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_a_ribbon_has_the_street_s_area_and_lies_on_the_ground() -> None:
    bend = LineString([(0, 0), (100, 0), (100, 50)])
    mesh = ribbons([bend, LineString([(0, 90), (60, 90)])], [8.0, 4.0], slope)
    assert np.allclose(mesh.vertices[:, 2], 0.1 * mesh.vertices[:, 0], atol=1e-4)
    flat = ribbons([bend], [8.0], lambda x, y: np.zeros_like(x))
    assert area(flat) == pytest.approx(150 * 8, rel=1e-6)
    assert set(mesh.owner) == {0, 1}


def test_a_wall_reaches_its_crest_and_stands_in_the_ground() -> None:
    mesh = walls([LineString([(0, 0), (40, 0)])], [9.0], slope, thickness=2.0)
    assert mesh.vertices[:, 2].max() == pytest.approx(9.0)
    assert mesh.vertices[:, 2].min() == pytest.approx(-0.5)
    assert mesh.vertices[:, 1].min() == pytest.approx(-1.0)


def test_areas_keep_their_holes() -> None:
    ring = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(4, 4), (6, 4), (6, 6), (4, 6)]])
    assert area(areas([ring], 3.0)) == pytest.approx(96.0)


def test_a_draped_area_follows_the_ground_and_keeps_its_size() -> None:
    hole = [(40, 5), (50, 5), (50, 15), (40, 15)]
    ring = Polygon([(0, 0), (90, 0), (70, 40)], [hole])
    hill = draped([ring], lambda x, y: 0.01 * (x - 45) ** 2, lift=0.5)
    assert np.allclose(hill.vertices[:, 2], 0.01 * (hill.vertices[:, 0] - 45) ** 2 + 0.5, atol=1e-3)
    # dense enough that no piece spans the valley
    assert np.ptp(hill.vertices[hill.faces][:, :, 0], axis=1).max() <= 10
    assert area(draped([ring], lambda x, y: 0 * x)) == pytest.approx(90 * 20 - 100, rel=1e-5)


def test_the_light_of_maps_comes_from_the_north_west() -> None:
    x, y = np.meshgrid(np.arange(20.0), -np.arange(20.0))
    assert hillshade(x - y, 1.0).mean() > 0.85  # faces the north-west
    assert hillshade(y - x, 1.0).mean() < 0.2


def test_a_skirt_hangs_from_the_rim() -> None:
    x, y = np.meshgrid([0.0, 20.0, 60.0], [0.0, 40.0])
    surface = np.column_stack([x.ravel(), y.ravel(), np.full(6, 5.0)]).astype(np.float32)
    mesh = skirt(surface, -2.0)
    assert area(mesh) == pytest.approx(7 * 2 * (60 + 40))
    assert set(mesh.vertices[:, 2]) == {5.0, -2.0}


def test_stages_and_maps_need_no_vtk() -> None:
    modules = "stage, staging, maps, movie, palette, panels, probe, hosts, viewer"
    code = f"import sys; from twin.render import {modules}; print('vtkmodules' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

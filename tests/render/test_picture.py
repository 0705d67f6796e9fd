"""What a frame shows, read back from its pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twin.render.palette import AGENTS, DEPTH, STILL_WATER
from twin.render.stage import Camera, Layer, Sheet, Stage

pytestmark = pytest.mark.usefixtures("gl")

SIZE = (640, 480)

#: Places in the flood and outside, by no symmetry of the town the image of one another (m).
PLACES = [(100.5, 12.5), (91.3, 55.7), (100.2, 140.9), (96.1, 201.5), (150.7, 26.3), (380.1, 13.7)]


class Shown:
    """A picture in a host, with its latest frame."""

    def __init__(self, stage: Stage, **options: object) -> None:
        from twin.render.hosts import Offscreen
        from twin.render.picture import Picture

        self.picture = Picture(stage, SIZE, **options)
        self.host = Offscreen(self.picture)

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self.host.close()

    def frame(self, *, panels: bool = False) -> np.ndarray:
        """Draw, by default without what lies over the scene."""
        self.host.frame()
        for sprite in self.picture.sprites.values():
            sprite.actor.SetVisibility(panels)
        return self.host.frame().astype(int)

    def pixel(self, place: tuple[float, float, float]) -> tuple[int, int]:
        """Row and column of a place in a frame."""
        x, y, _ = self.picture.project(place)[0]
        return SIZE[1] - 1 - int(y), int(x)


def class_of(colour: np.ndarray) -> int | None:
    """Invert the palette: the class whose colour this is, within rounding; None for no class."""
    distance = np.abs(np.array(DEPTH.colours) - colour).max(axis=1)
    return int(distance.argmin()) + 1 if distance.min() <= 2 else None


def water_only(stage: Stage) -> Stage:
    return stage.showing({"buildings": False, "people": False, "gauges": False, "streets": False})


@pytest.mark.parametrize("view", ["overview", "plan"])
@pytest.mark.parametrize("index", [4, 6])
def test_pixels_tell_the_depth_of_the_array(stage: Stage, view: str, index: int) -> None:
    sheet = stage.layer("flood").shape
    assert isinstance(sheet, Sheet)
    depth = sheet.depth(index)
    with Shown(water_only(stage), index=index) as shown:
        if view == "plan":
            shown.picture.look(shown.picture.plan())
        frame = shown.frame()
        seen = []
        for x, y in PLACES:
            row, col = int((sheet.north - y) // sheet.cell), int((x - sheet.west) // sheet.cell)
            level = float(sheet.ground[row, col] + depth[row, col])
            told = class_of(frame[shown.pixel((x, y, level))])
            true = int(DEPTH.classify(depth[row, col]))
            assert abs((told or 0) - true) <= 1, (x, y, depth[row, col], told)
            seen.append(told)
    assert len(set(seen)) >= 3


def test_a_river_has_no_depth_class(stage: Stage) -> None:
    with Shown(water_only(stage), index=5) as shown:
        shown.picture.look(shown.picture.plan())
        assert tuple(shown.frame()[shown.pixel((30.0, 80.0, 3.0))]) == STILL_WATER


def test_dry_ground_shows_no_water(stage: Stage) -> None:
    with Shown(water_only(stage), index=0) as shown:
        shown.picture.look(shown.picture.plan())
        shown.picture.show("flood", False)
        without = shown.frame()
        shown.picture.show("flood", True)
        place = shown.pixel((300.0, 40.0, 4.0))
        assert (shown.frame()[place] == without[place]).all()


def test_water_at_the_side_of_a_building_reaches_its_wall(stage: Stage) -> None:
    # the northern wall of b1 runs through the middle of cells that count as built on
    sheet = stage.layer("flood").shape
    assert isinstance(sheet, Sheet)
    x, y = 146.0, 51.6
    assert sheet.depth(6)[int((sheet.north - y) // sheet.cell), int(x // sheet.cell)] == 0
    with Shown(stage.showing({"people": False, "gauges": False}), index=6) as shown:
        shown.picture.look(Camera.plan((130.0, 35.0, 165.0, 65.0), aspect=4 / 3))
        assert class_of(shown.frame()[shown.pixel((x, y, 4.0))]) is not None


def test_a_coarse_surface_keeps_the_shore_of_the_cells(stage: Stage, monkeypatch) -> None:
    from twin.render import layers

    frames = []
    for nodes in (layers.SHEET_NODES, 1500):
        monkeypatch.setattr(layers, "SHEET_NODES", nodes)
        with Shown(water_only(stage), index=5) as shown:
            shown.picture.look(shown.picture.plan())
            frames.append(shown.frame())
    assert (frames[0] != frames[1]).any(axis=-1).mean() < 0.002


def test_a_dry_spot_in_the_water_hides_nobody(stage: Stage, monkeypatch) -> None:
    from twin.render import layers

    monkeypatch.setattr(layers, "SHEET_NODES", 1500)
    sheet = stage.layer("flood").shape
    deep = np.full(sheet.ground.shape, 3.0, np.float32)
    x, y, z = next(p for p in stage.layer("people").shape.at(0)[0].tolist() if p[:2] == [230, 160])
    row, col = int((sheet.north - y) // sheet.cell), int(x // sheet.cell)
    deep[row - 4 : row + 4, col - 4 : col + 4] = 0.0
    pool = replace(sheet, depth=lambda index: deep, blocked=np.zeros_like(sheet.blocked))
    kept = [layer for layer in stage.layers if layer.key in {"terrain", "people"}]
    made = replace(stage, layers=(*kept[:1], Layer("flood", "Flood", pool), *kept[1:]))
    with Shown(made) as shown:
        shown.picture.look(shown.picture.plan())
        frame = shown.frame()
        assert tuple(frame[shown.pixel((x, y, z))]) == AGENTS["walking"]
        assert class_of(frame[shown.pixel((x + 20, y, z))]) == len(DEPTH.colours)


def test_a_building_stands_at_its_place_and_is_the_one_picked(stage: Stage, town) -> None:
    from twin.render.picking import Picker, facts

    with Shown(stage) as shown:
        picker = Picker(shown.picture)
        shown.frame()
        for number in (0, 7, 23, 49):
            # the middle of the roof; nothing of this town is higher in front of it
            centre = town.buildings.geometry.iloc[number].centroid
            top = float(
                town.buildings["ground_m"].iloc[number] + town.buildings["height_m"].iloc[number]
            )
            place = (centre.x - town.bounds[0], centre.y - town.bounds[1], top)
            x, y, _ = shown.picture.project(place)[0]
            hit = picker.pick(x, y)
            assert hit is not None
            assert (hit.layer, hit.owner) == ("buildings", number)
            assert hit.place == pytest.approx(place, abs=1.5)
            heading, rows = facts(shown.picture, hit)
            assert heading == f"House {number}"
            assert dict(rows)["id"] == f"b{number}"
            before = shown.frame()
            shown.picture.highlight("buildings", number)
            changed = (shown.frame() != before).any(axis=-1)
            shown.picture.highlight(None)
            assert changed[shown.pixel(place)]
            assert not (shown.frame() != before).any()


def test_what_a_run_did_to_a_building_is_told(stage: Stage) -> None:
    from twin.render.picking import Hit, facts

    with Shown(stage) as shown:
        told = dict(facts(shown.picture, Hit("buildings", (0.0, 0.0, 0.0), owner=0))[1])
        assert told["max depth"] == "0.83 m"
        assert told["arrival"] == "T+00:30:00"
        told = dict(facts(shown.picture, Hit("buildings", (0.0, 0.0, 0.0), owner=1))[1])
        assert "max depth" not in told


def test_the_ground_tells_its_elevation_and_depth(stage: Stage) -> None:
    from twin.render.picking import Picker, facts

    with Shown(water_only(stage), index=5) as shown:
        shown.frame()
        x, y, _ = shown.picture.project((100.0, 12.0, 2.0))[0]
        hit = Picker(shown.picture).pick(x, y)
        assert hit is not None
        assert hit.owner is None
        told = dict(facts(shown.picture, hit)[1])
        sheet = stage.layer("flood").shape
        row, col = int((sheet.north - 12) // 2), 50
        assert float(told["water depth"].split()[0]) == pytest.approx(
            sheet.depth(5)[row, col], abs=0.2
        )
        assert float(told["elevation"].split()[0]) == pytest.approx(sheet.ground[row, col], abs=0.2)
        assert Picker(shown.picture).pick(2, SIZE[1] - 2) is None


def test_hiding_a_layer_changes_its_own_pixels_and_no_others(stage: Stage) -> None:
    with Shown(stage.showing({"gauges": False}), index=4) as shown:
        before = shown.frame()
        shown.picture.show("buildings", False)
        changed = (shown.frame() != before).any(axis=-1)
        assert changed.mean() > 0.02
        # the buildings' own pixels: rays that met a building
        shown.picture.show("buildings", True)
        from twin.render.picking import Picker

        picker = Picker(shown.picture)
        rng = np.random.default_rng(3)
        agree = 0
        for row, col in rng.integers((60, 0), (SIZE[1] - 60, SIZE[0]), (300, 2)):
            hit = picker.pick(col + 0.5, SIZE[1] - 1 - row + 0.5)
            agree += changed[row, col] == (hit is not None and hit.layer == "buildings")
        # the rest lies on edges, and on roofs over ground of the same colour
        assert agree >= 290
        assert (shown.frame() == before).all()


def test_people_appear_where_they_are_and_when(stage: Stage) -> None:
    people = stage.layer("people").shape
    with Shown(stage.showing({"buildings": False, "gauges": False}), index=0) as shown:
        shown.picture.look(shown.picture.plan())
        for index in (0, 3):
            shown.picture.set_time(index)
            frame = shown.frame()
            places, _ = people.at(index)
            inside = (places[:, 0] < 398) & (places[:, 1] < 240)
            hits = [
                (np.abs(frame[shown.pixel((x, y, z + 0.9))] - AGENTS["walking"]) <= 1).all()
                for x, y, z in places[inside]
            ]
            assert np.mean(hits) > 0.95


def test_near_by_people_have_a_body(stage: Stage) -> None:
    people = stage.layer("people").shape
    place = tuple(float(v) for v in people.at(0)[0][65])
    camera = Camera.look_at(place, radius=8.0, tilt=20.0)
    with Shown(stage.showing({"buildings": False}), camera=camera) as shown:
        frame = shown.frame()
        row, col = shown.pixel((place[0], place[1], place[2] + 0.9))
        colour = frame[row, col]
        assert colour[0] > 1.8 * colour[1]  # shaded, but still the colour of a person
        assert colour[2] > colour[1]


def test_the_clock_s_text_changes_with_the_time(stage: Stage) -> None:
    with Shown(stage, index=1) as shown:
        first = shown.picture.sprites["clock"].pixels.copy()
        shown.picture.set_time(2)
        assert (shown.picture.sprites["clock"].pixels != first).any()
        shown.picture.set_time(1)
        assert (shown.picture.sprites["clock"].pixels == first).all()
        sprite = shown.picture.sprites["clock"]
        x, y = sprite.corner
        there = shown.frame(panels=True)[::-1][
            y + 8 : y + sprite.size[1] - 8, x + 8 : x + sprite.size[0] - 8
        ]
        opaque = first[::-1][8:-8, 8:-8]
        ink = opaque[..., 3] == 255
        assert (there[ink] == opaque[ink][:, :3]).all()


def test_the_legend_has_the_colours_of_the_map(stage: Stage) -> None:
    with Shown(stage, index=5) as shown:
        legend = shown.picture.sprites["legend"]
        x, y = legend.corner
        frame = shown.frame(panels=True)[::-1][y : y + legend.size[1], x : x + legend.size[0]]
        flat = {tuple(c) for c in frame.reshape(-1, 3)}
        for colour in (*DEPTH.colours, STILL_WATER, AGENTS["walking"]):
            assert tuple(colour) in flat


def test_a_gauge_s_label_shows_the_value_of_the_time(stage: Stage) -> None:
    with Shown(stage, index=0) as shown:
        shown.frame()
        gauge, sprite, _ = shown.picture.labels[0]
        assert sprite.actor.GetVisibility()
        first = sprite.pixels.copy()
        shown.picture.set_time(6)
        assert sprite.pixels.shape != first.shape or (sprite.pixels != first).any()
        assert gauge.text(600.0) == "1.40 m"
        shown.picture.show("gauges", False)
        shown.frame()
        assert not sprite.actor.GetVisibility()


def test_labels_never_lie_on_one_another() -> None:
    from twin.render.panels import free_spot

    taken: list[tuple[float, float, float, float]] = []
    while (spot := free_spot(300, 200, 80, 20, 8, taken, SIZE)) is not None:
        assert all(
            spot[0] >= x + w or x >= spot[0] + 80 or spot[1] >= y + h or y >= spot[1] + 20
            for x, y, w, h in taken
        )
        taken.append((*spot, 80, 20))
    assert len(taken) == 3
    beside_the_edge = free_spot(630, 200, 80, 20, 8, [], SIZE)
    assert beside_the_edge is not None
    assert beside_the_edge[0] + 80 < 630


def test_the_same_stage_gives_the_same_frame(stage: Stage) -> None:
    with Shown(stage, index=3) as one:
        first = one.frame()
        assert (one.frame() == first).all()
    with Shown(stage, index=3) as other:
        assert (other.frame() == first).all()


def test_the_plan_has_north_up_and_east_right(stage: Stage) -> None:
    with Shown(stage) as shown:
        shown.picture.look(shown.picture.plan())
        (row_s, col_w), (row_n, col_e) = (shown.pixel(p) for p in ((10, 10, 0), (390, 290, 0)))
        assert row_n < row_s
        assert col_w < col_e


def test_the_overview_shows_the_highest_roof(stage: Stage, town) -> None:
    vertices = stage.layer("buildings").shape.mesh.vertices
    with Shown(stage) as shown:
        projected = shown.picture.project(vertices)
        assert (projected[:, :2] >= 0).all()
        assert (projected[:, :2] <= SIZE).all()


def test_one_can_look_into_the_ground_at_an_inside(stage: Stage) -> None:
    shown_stage = stage.showing({"people": False, "gauges": False})
    with Shown(shown_stage, camera=stage.closeup("inside-hall")) as shown:
        closed = shown.frame()
        shown.picture.show("inside-hall", True)
        opened = shown.frame()
        place = shown.pixel((235.0, 120.0, -6.0))
        floor, _ = opened[place].max(), closed[place]
        assert (opened != closed).any(axis=-1).mean() > 0.1
        # behind the translucent ground the floor is darker than the sky that is there without it
        shown.picture.show("inside-hall", False)
        assert (shown.frame() == closed).all()
        assert floor < 245


def test_a_city_without_terrain_is_still_shown(town) -> None:
    flat = replace(town)
    flat.terrain = None
    stage = Stage.from_city(flat, title="Flat town")
    with Shown(stage) as shown:
        assert len(np.unique(shown.frame().reshape(-1, 3), axis=0)) > 20


def test_gaps_in_the_terrain_are_shown_as_no_data(town) -> None:
    from dataclasses import replace
    from types import SimpleNamespace

    from twin.render.palette import NO_DATA

    broken = replace(town)
    elevation = town.terrain.elevation.copy()
    elevation[20:60, 120:180] = np.nan
    broken.terrain = SimpleNamespace(elevation=elevation, grid=town.terrain.grid)
    stage = Stage.from_city(broken).showing({"buildings": False})
    with Shown(stage) as shown:
        shown.picture.look(shown.picture.plan())
        assert tuple(shown.frame()[shown.pixel((300.0, 220.0, 5.0))]) == NO_DATA


def test_a_broken_layer_name_says_which_there_are(stage: Stage) -> None:
    from twin.errors import RenderError

    with Shown(stage) as shown, pytest.raises(RenderError, match="Did you mean 'flood'"):
        shown.picture.show("floot", True)

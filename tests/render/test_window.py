"""Mouse and keys, by the events of an interactor that needs no display; and one true window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twin.errors import RenderError
from twin.render.hud import Timeline
from twin.render.stage import Camera, Stage
from twin.render.viewer import view

SIZE = (800, 600)


@pytest.fixture
def controls(gl: str, stage: Stage):
    from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor

    from twin.render.hosts import Offscreen
    from twin.render.picture import Picture
    from twin.render.window import Controls

    host = Offscreen(Picture(stage, SIZE))
    interactor = vtkGenericRenderWindowInteractor()
    made = Controls(host.picture, host.window, interactor)
    interactor.Initialize()
    yield made
    host.close()


def send(controls, x: float, y: float, *events: str, key: str | None = None) -> None:
    controls.interactor.SetEventInformation(int(x), int(y), 0, 0, "\0", 0, key)
    for event in events:
        controls.interactor.InvokeEvent(event)


def press(controls, key: str) -> None:
    send(controls, 0, 0, "KeyPressEvent", "CharEvent", key=key)


def click(controls, x: float, y: float) -> None:
    send(controls, x, y, "MouseMoveEvent", "LeftButtonPressEvent", "LeftButtonReleaseEvent")


def eye(controls) -> tuple[float, float, float]:
    return controls.picture.renderer.GetActiveCamera().GetPosition()


def test_the_slider_moves_time_and_not_the_camera(controls) -> None:
    scale, before = controls.picture.scale, eye(controls)
    left, low = controls.track.corner
    x = left + controls.timeline.x_of(5, scale)
    click(controls, x, low + 15)
    assert controls.picture.index == 5
    send(controls, x, low + 15, "LeftButtonPressEvent")
    send(controls, left + controls.timeline.x_of(2, scale) + 4, low + 90, "MouseMoveEvent")
    assert controls.picture.index == 2
    send(controls, left, low + 90, "LeftButtonReleaseEvent")
    send(controls, x, low + 15, "MouseMoveEvent")
    assert controls.picture.index == 2
    assert eye(controls) == before


def test_play_steps_with_the_timer_and_begins_anew(controls) -> None:
    left, low = controls.track.corner
    click(controls, left + 20, low + 15)
    assert controls.playing
    for _ in range(8):
        send(controls, 0, 0, "TimerEvent")
    assert controls.picture.index == 1
    press(controls, "space")
    send(controls, 0, 0, "TimerEvent")
    assert controls.picture.index == 1


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.37, 3.0])
def test_the_time_line_finds_the_time_it_was_drawn_for(scale: float) -> None:
    timeline = Timeline(np.array([0.0, 60.0, 600.0, 3600.0]))
    for index in range(4):
        assert timeline.draw(index, index == 2, scale).shape[1] == round(560 * scale)
        assert timeline.index_at(timeline.x_of(index, scale), scale) == index
    assert timeline.index_at(-50, scale) == 0
    assert timeline.index_at(9000, scale) == 3


def test_keys_step_through_time(controls) -> None:
    for key, index in (("Right", 1), ("Right", 2), ("Left", 1), ("End", 6), ("Right", 6),
                       ("Home", 0), ("Left", 0)):  # fmt: skip
        press(controls, key)
        assert controls.picture.index == index


def test_layers_go_on_and_off_by_key_and_by_click(controls) -> None:
    names = [key for key, _ in controls.layers.names]
    press(controls, str(names.index("buildings") + 1))
    assert not controls.picture.layers["buildings"].visible
    left, low = controls.list.corner
    top, s = low + controls.list.size[1], controls.picture.scale
    before = eye(controls)
    click(controls, left + 15, top - (6 + 24 * names.index("buildings") + 12) * s)
    assert controls.picture.layers["buildings"].visible
    click(controls, left + 15, top - (6 + 24 * names.index("people") + 12) * s)
    assert not controls.picture.layers["people"].visible
    assert eye(controls) == before
    # a key that VTK itself would answer by turning on stereo
    press(controls, "3")
    assert not controls.window.GetStereoRender()


def test_a_click_on_a_building_tells_of_it_and_a_drag_does_not(controls) -> None:
    x, y, _ = controls.picture.project(controls.picture.stage.find("House 12"))[0]
    send(controls, x, y, "MouseMoveEvent", "LeftButtonPressEvent")
    send(controls, x + 60, y + 20, "MouseMoveEvent", "LeftButtonReleaseEvent")
    assert controls.hit is None
    press(controls, "o")
    click(controls, x, y)
    assert (controls.hit.layer, controls.hit.owner) == ("buildings", 12)
    assert controls.picture.sprites["info"].actor.GetVisibility()
    press(controls, "Escape")
    assert not controls.picture.sprites["info"].actor.GetVisibility()


def test_a_click_on_a_gauge_shows_its_curve_that_follows_time(controls) -> None:
    controls.window.Render()
    _, _, head = controls.picture.labels[0]
    x, y, _ = controls.picture.project(head)[0]
    click(controls, x, y)
    assert controls.hit.gauge.id == "g1"
    curve = controls.picture.sprites["curve"]
    assert curve.actor.GetVisibility()
    first = curve.pixels.copy()
    press(controls, "End")
    assert (curve.pixels != first).any()


def test_dragging_turns_the_city_and_keeps_it_upright(controls) -> None:
    before = eye(controls)
    send(controls, 400, 500, "MouseMoveEvent", "LeftButtonPressEvent")
    send(controls, 460, 520, "MouseMoveEvent", "LeftButtonReleaseEvent")
    camera = controls.picture.renderer.GetActiveCamera()
    assert camera.GetPosition() != before
    assert camera.GetViewUp()[2] > 0


def test_while_the_city_turns_its_edges_are_left_out(controls) -> None:
    outline = controls.picture.layers["buildings"].actors[1]
    assert outline.GetVisibility()
    send(controls, 400, 500, "MouseMoveEvent", "LeftButtonPressEvent")
    send(controls, 460, 520, "MouseMoveEvent")
    assert not outline.GetVisibility()
    send(controls, 460, 520, "LeftButtonReleaseEvent")
    assert outline.GetVisibility()


def test_the_plan_is_north_up_and_is_moved_not_turned(controls) -> None:
    press(controls, "p")
    camera = controls.picture.renderer.GetActiveCamera()
    assert camera.GetParallelProjection()
    assert camera.GetViewUp() == (0.0, 1.0, 0.0)
    before = camera.GetPosition()
    send(controls, 300, 300, "MouseMoveEvent", "LeftButtonPressEvent")
    send(controls, 360, 300, "MouseMoveEvent", "LeftButtonReleaseEvent")
    after = camera.GetPosition()
    assert after[0] < before[0]
    assert after[2] == pytest.approx(before[2])
    assert camera.GetViewUp() == pytest.approx((0.0, 1.0, 0.0))
    press(controls, "p")
    assert not camera.GetParallelProjection()


def test_help_opens_and_closes(controls) -> None:
    press(controls, "h")
    assert controls.picture.sprites["help"].actor.GetVisibility()
    press(controls, "h")
    assert not controls.picture.sprites["help"].actor.GetVisibility()


def test_another_size_keeps_the_controls_inside(controls) -> None:
    controls.window.SetSize(1000, 500)
    send(controls, 0, 0, "ConfigureEvent")
    assert controls.picture.size == (1000, 500)
    for sprite in (controls.track, controls.list):
        assert sprite.corner[0] + sprite.size[0] <= 1000
        assert sprite.corner[1] + sprite.size[1] <= 500


@pytest.mark.usefixtures("gl")
def test_a_time_outside_the_run_is_refused(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="there is no 1e\\+06 s in it"):
        view(stage, screenshot=tmp_path / "view.png", time=1e6)
    assert not (tmp_path / "view.png").exists()


def test_a_screenshot_needs_no_display(stage: Stage, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    path = tmp_path / "view.png"
    assert view(stage, screenshot=path, time=3000.0, size=(320, 240)) == path
    overview = np.asarray(Image.open(path))
    assert overview.shape == (240, 320, 3)
    view(stage, screenshot=path, time=3000.0, size=(320, 240), layers=["terrain"])
    assert (np.asarray(Image.open(path)) != overview).mean() > 0.05
    view(stage, screenshot=path, plan=True, size=(320, 240))
    plan = np.asarray(Image.open(path)).astype(int)
    camera = Camera.plan(stage.bounds, aspect=320 / 240)
    view(stage, screenshot=path, camera=camera, size=(320, 240))
    assert (np.asarray(Image.open(path)) == plan).all()
    view(stage, screenshot=path, camera="House 12", size=(320, 240))
    house = np.asarray(Image.open(path))
    assert (house != plan).any()
    view(stage, screenshot=path, camera="inside-hall", size=(320, 240))
    assert (np.asarray(Image.open(path)) != house).any()


def test_wrong_wishes_are_answered(stage: Stage, town, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(RenderError, match="no layer 'floot'"):
        view(stage, screenshot=tmp_path / "a.png", layers=["floot"])
    with pytest.raises(RenderError, match="for a run only"):
        view(Stage.from_city(town), screenshot=tmp_path / "a.png", time=5.0)
    with pytest.raises(RenderError, match="'Atlantis'"):
        view(stage, screenshot=tmp_path / "a.png", camera="Atlantis")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(RenderError, match="needs a display"):
        view(stage)
    assert not list(tmp_path.iterdir())


WINDOW = """
import sys
sys.path.insert(0, {tests!r})
from conftest import Town
from twin.render.stage import Stage
from twin.render.viewer import view
view(Stage.from_city(Town(), title="True window"), size=(640, 480))
print("closed")
"""


@pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs Xvfb and xdotool: apt-get install xvfb xdotool",
)
def test_a_true_window_opens_and_closes_with_q(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writing)
        with os.fdopen(reading) as answer:
            display = f":{answer.readline().strip()}"
        environment = {**os.environ, "DISPLAY": display}
        program = WINDOW.format(tests=str(Path(__file__).parent))
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

        def tool(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["xdotool", *words], env=environment, capture_output=True, text=True, check=False
            )

        deadline = time.monotonic() + 60
        while not (found := tool("search", "--name", "True window").stdout.split()):
            assert child.poll() is None, child.communicate()[1]
            assert time.monotonic() < deadline, "no window appeared"
            time.sleep(0.2)
        tool("windowfocus", found[0])
        while child.poll() is None and time.monotonic() < deadline:
            tool("key", "q")
            time.sleep(0.3)
        output, errors = child.communicate(timeout=10)
        assert child.returncode == 0, errors
        assert "closed" in output
    finally:
        server.terminate()
        server.wait(timeout=10)

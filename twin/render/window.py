"""The interactive window: what the mouse and the keys do to a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.vtkCommonCore import vtkCommand
from vtkmodules.vtkInteractionStyle import (
    vtkInteractorStyleTerrain,
    vtkInteractorStyleTrackballCamera,
)
from vtkmodules.vtkRenderingCore import vtkRenderWindowInteractor

from twin.render import hud, panels
from twin.render.hosts import make_window
from twin.render.picking import Hit, Picker, facts
from twin.render.picture import Picture
from twin.render.probe import window_backend
from twin.render.stage import Camera, Gauge, Stage

__all__ = ["Controls", "Window"]

#: Time between frames while playing, ms.
TICK = 120
#: Pixels that the mouse may move between press and release of a click.
STEADY = 4


class Controls:
    """Mouse and keys over a picture, the same for a window and for one that is off screen.

    Parameters
    ----------
    picture
        What is shown.
    window
        The render window that the picture's renderer is in.
    interactor
        Where events come from.
    """

    def __init__(self, picture: Picture, window: Any, interactor: Any) -> None:
        self.picture = picture
        self.window = window
        self.interactor = interactor
        self.picker = Picker(picture)
        self.playing = False
        self.hit: Hit | None = None
        self._plan = picture.camera.parallel is not None
        self._sliding = False
        self._pressed: tuple[int, int] | None = None
        clock = picture.stage.clock
        self.timeline = None if clock is None or len(clock) < 2 else hud.Timeline(clock.times)
        self.layers = hud.LayerList([(x.key, x.name) for x in picture.stage.layers])
        interactor.SetRenderWindow(window)
        self._turn = vtkInteractorStyleTerrain()
        self._pan = vtkInteractorStyleTrackballCamera()
        self._pan.AddObserver(vtkCommand.LeftButtonPressEvent, lambda s, _: s.OnMiddleButtonDown())
        self._pan.AddObserver(vtkCommand.LeftButtonReleaseEvent, lambda s, _: s.OnMiddleButtonUp())
        for style in (self._turn, self._pan):
            # while a button is down only the style hears of it; it tells when that is over
            style.AddObserver(vtkCommand.StartInteractionEvent, lambda *_: self._on_move_begun())
            style.AddObserver(vtkCommand.EndInteractionEvent, lambda *_: self._on_move_over())
        interactor.SetInteractorStyle(self._pan if self._plan else self._turn)
        self._tags: dict[str, int] = {}
        # before the styles (priority 0), which must not see what the controls have taken
        for event, answer in {
            "LeftButtonPressEvent": self._on_press,
            "MouseMoveEvent": self._on_move,
            "LeftButtonReleaseEvent": self._on_release,
            "KeyPressEvent": self._on_key,
            "CharEvent": lambda: True,
            "TimerEvent": self._on_timer,
            "ConfigureEvent": self._on_resize,
        }.items():
            self._listen(event, answer)
        self.draw()

    def _listen(self, event: str, answer: Any) -> None:
        def called(*_: Any) -> None:
            if answer():
                self.interactor.GetCommand(self._tags[event]).SetAbortFlag(1)

        self._tags[event] = self.interactor.AddObserver(event, called, 1.0)

    # --- what is drawn -------------------------------------------------------------------------

    def draw(self) -> None:
        """Lay the controls over the picture and show the frame."""
        picture, s = self.picture, self.picture.scale
        width, height = picture.size
        margin = 16 * s
        visible = {key: drawn.visible for key, drawn in picture.layers.items()}
        rows = self.layers.draw(visible, s)
        left, below = width - margin - rows.shape[1], height - margin - 54 * s
        self.list = picture.place("layers", rows, left, below - rows.shape[0])
        if self.timeline is not None:
            track = self.timeline.draw(picture.index, self.playing, s)
            self.track = picture.place("timeline", track, (width - track.shape[1]) / 2, self._foot)
        self._draw_box()
        self.window.Render()

    @property
    def _foot(self) -> float:
        """Height above the note at the picture's foot, pixels."""
        s, note = self.picture.scale, self.picture.sprites.get("note")
        return 16 * s + (note.size[1] + 8 * s if note is not None else 0.0)

    def _draw_box(self) -> None:
        """Show what is known of what was clicked on."""
        picture, s = self.picture, self.picture.scale
        if self.hit is None:
            picture.remove("info")
            picture.remove("curve")
            return
        margin = 16 * s
        right = picture.size[0] - margin
        # above the time line where the window is too narrow for both
        low = self._foot + (
            48 * s if self.timeline is not None and picture.size[0] < 1200 * s else 0
        )
        if self.hit.gauge is not None and picture.stage.clock is not None:
            now = float(picture.stage.clock.times[picture.index])
            curve = gauge_curve(self.hit.gauge, now, s)
            picture.place("curve", curve, right - curve.shape[1], low)
            low += curve.shape[0] + 6 * s
        else:
            picture.remove("curve")
        heading, rows = facts(picture, self.hit)
        box = panels.info_panel(heading, rows, s)
        picture.place("info", box, right - box.shape[1], low)

    # --- what can be done ----------------------------------------------------------------------

    def set_time(self, index: int) -> None:
        """Show a position of the clock."""
        self.picture.set_time(index)
        self.draw()

    def play(self, playing: bool) -> None:
        """Let time run, or stop it; at the end it begins anew."""
        self.playing = playing and self.timeline is not None
        self.draw()

    def toggle(self, key: str) -> None:
        """Show a layer that is hidden, hide one that is shown."""
        self.picture.show(key, not self.picture.layers[key].visible)
        self.draw()

    def look(self, camera: Camera) -> None:
        """Look from another place; a plan is moved, a view in perspective turned."""
        self._plan = camera.parallel is not None
        self.interactor.SetInteractorStyle(self._pan if self._plan else self._turn)
        self.picture.look(camera)
        self.draw()

    def select(self, x: int, y: int) -> Hit | None:
        """Tell of what lies under a pixel, counted from the lower left."""
        self.hit = self.picker.pick(x, y)
        if self.hit is None or self.hit.owner is None:
            self.picture.highlight(None)
        else:
            self.picture.highlight(self.hit.layer, self.hit.owner)
        self.draw()
        return self.hit

    # --- events; True where the style must not see them ----------------------------------------

    def _on_press(self) -> bool:
        x, y = self.interactor.GetEventPosition()
        s = self.picture.scale
        if self.timeline is not None and self.track.covers(x, y):
            along = x - self.track.corner[0]
            if self.timeline.on_button(along, s):
                self.play(not self.playing)
            else:
                self._sliding = True
                self.set_time(self.timeline.index_at(along, s))
            return True
        if self.list.covers(x, y):
            key = self.layers.row_at(self.list.corner[1] + self.list.size[1] - y, s)
            if key is not None:
                self.toggle(key)
            return True
        self._pressed = (x, y)
        return False

    def _on_move(self) -> bool:
        if self._sliding and self.timeline is not None:
            along = self.interactor.GetEventPosition()[0] - self.track.corner[0]
            index = self.timeline.index_at(along, self.picture.scale)
            if index != self.picture.index:
                self.set_time(index)
        return self._sliding

    def _on_release(self) -> bool:
        sliding, self._sliding = self._sliding, False
        return sliding

    def _on_move_begun(self) -> None:
        self.picture.moving = True

    def _on_move_over(self) -> None:
        """Draw in full again; select, where the mouse did not move since the press."""
        self.picture.moving = False
        pressed, self._pressed = self._pressed, None
        if pressed is not None:
            x, y = self.interactor.GetEventPosition()
            if max(abs(x - pressed[0]), abs(y - pressed[1])) <= STEADY:
                self.select(x, y)
                return
        self.window.Render()

    def _on_key(self) -> bool:
        key = self.interactor.GetKeySym() or ""
        picture, clock = self.picture, self.picture.stage.clock
        if key.isdigit() and 0 < int(key) <= len(self.layers.names):
            self.toggle(self.layers.names[int(key) - 1][0])
        elif key == "space":
            self.play(not self.playing)
        elif key in {"Left", "Right"}:
            self.set_time(picture.index + (1 if key == "Right" else -1))
        elif key in {"Home", "End"}:
            self.set_time(0 if key == "Home" or clock is None else len(clock) - 1)
        elif key in {"p", "P"}:
            self.look(picture.overview() if self._plan else picture.plan())
        elif key in {"o", "O"}:
            self.look(picture.overview())
        elif key in {"h", "H", "question"}:
            self._toggle_help()
        elif key == "Escape":
            self.hit = None
            picture.highlight(None)
            picture.remove("help")
            self.draw()
        elif key in {"q", "Q"}:
            self.interactor.TerminateApp()
        return True

    def _toggle_help(self) -> None:
        sprite = self.picture.sprites.get("help")
        if sprite is not None and sprite.actor.GetVisibility():
            self.picture.remove("help")
        else:
            panel = hud.help_panel(self.picture.scale)
            width, height = self.picture.size
            corner = (width - panel.shape[1]) / 2, (height - panel.shape[0]) / 2
            self.picture.place("help", panel, *corner)
        self.window.Render()

    def _on_timer(self) -> bool:
        clock = self.picture.stage.clock
        if self.playing and clock is not None:
            self.set_time((self.picture.index + 1) % len(clock))
        return False

    def _on_resize(self) -> bool:
        size = tuple(self.window.GetSize())
        if size != self.picture.size:
            self.picture.resize(size)
            self.draw()
        return False


class Window:
    """A window on a display.

    Raises
    ------
    RenderError
        If there is no display, or no OpenGL on it.
    """

    def __init__(
        self, stage: Stage, size: tuple[int, int], *, camera: Camera | None = None, index: int = 0
    ) -> None:
        window = make_window(window_backend())
        window.SetSize(*size)
        window.SetWindowName(f"twin: {stage.title}")
        picture = Picture(stage, size, camera=camera, index=index)
        window.AddRenderer(picture.renderer)
        interactor = vtkRenderWindowInteractor()
        interactor.SetRenderWindow(window)
        self.controls = Controls(picture, window, interactor)

    def start(self) -> None:
        """Show the window until it is closed."""
        interactor = self.controls.interactor
        interactor.Initialize()
        interactor.CreateRepeatingTimer(TICK)
        interactor.Start()
        self.controls.window.Finalize()


def gauge_curve(gauge: Gauge, now: float, scale: float) -> Any:
    """Draw a gauge's simulated and observed values over time."""
    series = []
    if gauge.simulated is not None:
        series.append(("simulated", *gauge.simulated))
    if gauge.observed is not None:
        times, values = gauge.observed
        if gauge.simulated is not None and len(gauge.simulated[0]):
            shown = gauge.simulated[0]
            near = (times >= shown[0] - 3600) & (times <= shown[-1] + 3600)
            times, values = times[near], values[near]
        series.append(("observed", times, values))
    if not series:
        series = [("no data", np.zeros(0), np.zeros(0))]
    return panels.curve_panel(series, gauge.name, gauge.unit, now, scale)

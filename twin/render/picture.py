"""A stage drawn: layers, camera, time, and what lies over them. Hosts give it a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (the OpenGL classes behind those below)
from vtkmodules.vtkCommonCore import vtkCommand
from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer

from twin.render import panels
from twin.render.layers import (
    Drawn,
    DrawnPins,
    DrawnRelief,
    DrawnSheet,
    DrawnSolids,
    Sight,
    draw_layer,
)
from twin.render.palette import STILL_WATER
from twin.render.polydata import Sprite
from twin.render.stage import INSIDE, Camera, Gauge, People, Pins, Sheet, Solids, Stage

__all__ = ["Picture"]

#: Height of a picture for which text has its design size, pixels.
DESIGN_HEIGHT = 720

#: Edges of buildings are drawn while a pixel (at design size) is at most as long, m.
FINE = 3.0

_SKY_LOW, _SKY_HIGH = (0.99, 0.99, 0.985), (0.90, 0.935, 0.965)


class Picture:
    """What a host shows.

    Parameters
    ----------
    stage
        What there is to see.
    size
        Width and height, pixels.
    camera
        From where; by default an overview from the south-east.
    index
        Position of the clock at first.
    """

    def __init__(
        self,
        stage: Stage,
        size: tuple[int, int],
        *,
        camera: Camera | None = None,
        index: int = 0,
    ) -> None:
        self.stage = stage
        self.size = size
        west, south, east, north = stage.bounds
        self.renderer = vtkRenderer()
        self.renderer.SetBackground(*_SKY_LOW)
        self.renderer.SetBackground2(*_SKY_HIGH)
        self.renderer.GradientBackgroundOn()
        self.renderer.AddObserver(vtkCommand.StartEvent, lambda *_: self._before_render())
        self._light()
        extent = max(east - west, north - south)
        self.layers: dict[str, Drawn] = {}
        for layer in stage.layers:
            drawn = draw_layer(layer, extent)
            self.layers[layer.key] = drawn
            for actor in drawn.actors:
                self.renderer.AddActor(actor)
            drawn.show(layer.visible)
        self.sprites: dict[str, Sprite] = {}
        self.labels: list[tuple[Gauge, Sprite, npt.NDArray[np.float32]]] = []
        self._make_labels()
        #: While the camera is being moved, what takes long is left out.
        self.moving = False
        self.index = index
        self.camera = camera or self.overview()
        self.look(self.camera)
        self.set_time(index)
        self._glaze()

    # --- what is shown -------------------------------------------------------------------------

    @property
    def scale(self) -> float:
        """Size of text and points relative to the design."""
        return max(0.6, self.size[1] / DESIGN_HEIGHT)

    def set_time(self, index: int) -> None:
        """Show a position of the clock."""
        clock = self.stage.clock
        self.index = 0 if clock is None else int(np.clip(index, 0, len(clock) - 1))
        for drawn in self.layers.values():
            if drawn.visible:
                drawn.feed(self.index)
        self._write_labels()
        self._compose()

    def show(self, key: str, visible: bool) -> None:
        """Show or hide a layer."""
        self.stage.layer(key)
        drawn = self.layers[key]
        drawn.show(visible)
        if visible:
            drawn.feed(self.index)
        self._glaze()
        self._compose()

    def _glaze(self) -> None:
        """Make the ground translucent where something under it is to be seen."""
        inside = any(d.visible for k, d in self.layers.items() if k.startswith(INSIDE))
        for key, drawn in self.layers.items():
            if isinstance(drawn, DrawnRelief | DrawnSolids | DrawnSheet) and not key.startswith(
                INSIDE
            ):
                drawn.glaze(inside)

    def highlight(self, key: str | None, owner: int | None = None) -> None:
        """Make one object of a layer stand out, and none of any other."""
        for drawn in self.layers.values():
            if isinstance(drawn, DrawnSolids):
                drawn.highlight(owner if drawn.layer.key == key else None)

    # --- from where ----------------------------------------------------------------------------

    def overview(self) -> Camera:
        """See everything, from the south-east and above."""
        low, _ = self.stage.heights
        aspect = self.size[0] / self.size[1]
        tops = [
            shape.mesh.vertices[:: max(1, len(shape.mesh.vertices) // 20_000)]
            for shape in (layer.shape for layer in self.stage.layers if layer.visible)
            if isinstance(shape, Solids)
        ]
        points = np.concatenate(tops) if tops else ()
        return Camera.overview(self.stage.bounds, low=low, high=low, points=points, aspect=aspect)

    def plan(self) -> Camera:
        """See everything from straight above, north up."""
        return Camera.plan(self.stage.bounds, aspect=self.size[0] / self.size[1])

    def look(self, camera: Camera) -> None:
        """Look from another place."""
        self.camera = camera
        eye = self.renderer.GetActiveCamera()
        eye.SetPosition(*camera.position)
        eye.SetFocalPoint(*camera.focal)
        eye.SetViewUp(*camera.up)
        eye.SetViewAngle(camera.angle)
        eye.SetParallelProjection(camera.parallel is not None)
        if camera.parallel is not None:
            eye.SetParallelScale(camera.parallel)

    def resize(self, size: tuple[int, int]) -> None:
        """Fit a window that has become larger or smaller."""
        if size != self.size and min(size) > 0:
            self.size = size
            self._write_labels()
            self._compose()

    def _before_render(self) -> None:
        """Fit clipping, sizes and labels to the camera, before each frame."""
        self.renderer.ResetCameraClippingRange()
        direction = np.array(self.renderer.GetActiveCamera().GetDirectionOfProjection())
        pixel = self.metres_per_pixel()
        fine = not self.moving and pixel * self.scale < FINE
        sight = Sight(pixel, -direction, self.scale, fine)
        for drawn in self.layers.values():
            drawn.adapt(sight)
        self._place_compass()
        self._arrange_labels()

    def metres_per_pixel(self) -> float:
        """How long a pixel is at the point looked at, m."""
        eye = self.renderer.GetActiveCamera()
        if eye.GetParallelProjection():
            return float(2 * eye.GetParallelScale() / self.size[1])
        opening = np.tan(np.deg2rad(eye.GetViewAngle()) / 2)
        return float(2 * opening * eye.GetDistance() / self.size[1])

    def project(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the pixels (x, y from the lower left) and depth of points in the local frame."""
        eye = self.renderer.GetActiveCamera()
        aspect = self.size[0] / self.size[1]
        matrix = eye.GetCompositeProjectionTransformMatrix(aspect, -1, 1)
        m = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
        xyz = np.asarray(points, float).reshape(-1, 3)
        clip = np.column_stack([xyz, np.ones(len(xyz))]) @ m.T
        ndc = clip[:, :3] / clip[:, 3:]
        ndc[clip[:, 3] <= 0] = np.nan
        ndc[:, :2] = (ndc[:, :2] + 1) / 2 * self.size
        return ndc

    # --- what lies over it ---------------------------------------------------------------------

    def place(self, key: str, pixels: npt.NDArray[np.uint8], x: float, y: float) -> Sprite:
        """Lay a panel over the picture, its lower left corner at a pixel."""
        sprite = self.sprites.get(key)
        if sprite is None:
            sprite = self.sprites[key] = Sprite(pixels)
            self.renderer.AddViewProp(sprite.actor)
        else:
            sprite.draw(pixels)
        sprite.actor.SetVisibility(True)
        sprite.move(x, y)
        return sprite

    def remove(self, key: str) -> None:
        """Take a panel away."""
        if key in self.sprites:
            self.sprites[key].actor.SetVisibility(False)

    def _compose(self) -> None:
        """Lay title, clock, legend and note over the picture."""
        width, height = self.size
        s, margin = self.scale, 16 * self.scale
        top = height - margin
        title = panels.title_panel(self.stage.title, s)
        self.place("title", title, margin, top - title.shape[0])
        clock = self.stage.clock
        if clock is not None:
            local, elapsed = clock.local(self.index), clock.elapsed(self.index)
            panel = panels.clock_panel(local, elapsed, s)
            self.place("clock", panel, margin, top - title.shape[0] - 6 * s - panel.shape[0])
        groups = self.legend()
        if groups:
            legend = panels.legend_panel(groups, s)
            self.place("legend", legend, margin, margin)
        else:
            self.remove("legend")
        if self.stage.note:
            note = panels.note_panel(self.stage.note, s)
            self.place("note", note, width - margin - note.shape[1], margin)

    @property
    def shows_gauges(self) -> bool:
        """Whether gauges are shown."""
        return any(isinstance(d, DrawnPins) and d.visible for d in self.layers.values())

    def legend(self) -> list[tuple[str, Any]]:
        """Return title, colours and meanings of what is shown."""
        groups: list[tuple[str, Any]] = []
        rest: list[tuple[tuple[int, int, int], str]] = []
        for drawn in self.layers.values():
            if not drawn.visible:
                continue
            shape = drawn.layer.shape
            if isinstance(shape, Sheet):
                groups.append((shape.palette.title, shape.palette.legend))
                if shape.still.any():
                    rest.insert(0, (STILL_WATER, "River, dock, pond"))
            elif isinstance(shape, People):
                rest += shape.legend
            elif isinstance(shape, Solids) and drawn.layer.key == "buildings":
                groups += [("Buildings", shape.legend)] if shape.legend else []
            elif isinstance(shape, Solids):
                rest += shape.legend
        return groups + ([("", tuple(rest))] if rest else [])

    def _place_compass(self) -> None:
        """North arrow, and a scale bar where a length is the same all over the picture."""
        eye = self.renderer.GetActiveCamera()
        s, margin = self.scale, 16 * self.scale
        x, y, _ = eye.GetDirectionOfProjection()
        if abs(x) + abs(y) < 1e-6:
            x, y, _ = eye.GetViewUp()
        heading = round(float(np.rad2deg(np.arctan2(x, y))), 1)
        parallel = bool(eye.GetParallelProjection())
        key = (heading, parallel, self.metres_per_pixel() if parallel else 0.0, self.size)
        if getattr(self, "_compass", None) == key:
            return
        self._compass = key
        width, height = self.size
        north = panels.north_panel(heading, s)
        corner = (width - margin - north.shape[1], height - margin - north.shape[0])
        self.place("north", north, *corner)
        if parallel:
            bar = panels.scale_panel(self.metres_per_pixel(), s)
            self.place(
                "scale", bar, corner[0] - 8 * s - bar.shape[1], height - margin - bar.shape[0]
            )
        else:
            self.remove("scale")

    def _make_labels(self) -> None:
        for drawn in self.layers.values():
            if isinstance(drawn, DrawnPins):
                for gauge, head in zip(drawn.pins.gauges, drawn.heads, strict=True):
                    sprite = Sprite(np.zeros((1, 1, 4), np.uint8))
                    self.renderer.AddViewProp(sprite.actor)
                    self.labels.append((gauge, sprite, head))
        # where there is room for few, those of water come first
        self.labels.sort(key=lambda label: not label[0].quantity.startswith("water"))

    def _write_labels(self) -> None:
        """Write the gauges' values at the present time."""
        clock = self.stage.clock
        for gauge, sprite, _ in self.labels:
            text = gauge.text(None if clock is None else float(clock.times[self.index]))
            sprite.draw(panels.label_panel(gauge.name, text, self.scale))

    def _arrange_labels(self) -> None:
        """Show the labels that hide neither each other nor a panel, the first come first."""
        shown = self.shows_gauges
        taken = [
            (*sprite.corner, *sprite.size)
            for sprite in self.sprites.values()
            if sprite.actor.GetVisibility()
        ]
        room = Pins.MOST
        for _, sprite, head in self.labels:
            x, y, _ = self.project(head)[0]
            inside = 0 <= x <= self.size[0] and 0 <= y <= self.size[1]
            visible = shown and inside and room > 0
            if visible:
                width, height = sprite.size
                spot = panels.free_spot(x, y, width, height, 8 * self.scale, taken, self.size)
                visible = spot is not None
                if spot is not None:
                    sprite.move(*spot)
                    taken.append((*sprite.corner, width, height))
                    room -= 1
            sprite.actor.SetVisibility(bool(visible))

    def _light(self) -> None:
        """One sun in the south-south-east, high: roofs are brightest, eastern walls darkest."""
        self.renderer.AutomaticLightCreationOff()
        sun = vtkLight()
        sun.SetLightTypeToSceneLight()
        sun.SetPositional(False)
        sun.SetFocalPoint(0, 0, 0)
        sun.SetPosition(0.3, -0.75, 1.0)
        self.renderer.AddLight(sun)

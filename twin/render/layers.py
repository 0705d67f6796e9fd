"""The layers of a stage as VTK actors.

Each class shows one kind of shape: `actors` go into a renderer, `feed(index)` brings a position of
the clock in, `adapt(sight)` fits sizes to the camera. Data lie in memory shared with NumPy. What
shows data (water, people) is unlit, so that its pixels have exactly the colours of the legend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFeatureEdges
from vtkmodules.vtkFiltersHybrid import vtkGreedyTerrainDecimation
from vtkmodules.vtkRenderingCore import vtkActor, vtkGlyph3DMapper

from twin.render.palette import NO_DATA, STILL_WATER
from twin.render.polydata import (
    actor_of,
    cells_of,
    fill_image,
    points_of,
    polydata_of,
    set_colours,
    texture_of,
)
from twin.render.shapes import hillshade, lathe, skirt
from twin.render.stage import Layer, People, Pins, Relief, Sheet, Solids

__all__ = ["Drawn", "Sight", "draw_layer"]

#: How much the simplified ground may differ from the relief, m. It is drawn lower by as much, so
#: that it never pierces what lies on it.
TERRAIN_ERROR = 0.25

#: Most triangles of the ground; a rougher relief is simplified more.
TERRAIN_TRIANGLES = 150_000

#: Most nodes of a water surface; its colours keep the full resolution.
SHEET_NODES = 40_000

#: Height above the water's level at which it is drawn, m; clears what lies flat on the ground.
SHEET_LIFT = 0.12

_GROUND = np.array([238, 236, 230], np.float32)
_SOIL = (205, 200, 190)


@dataclass(frozen=True)
class Sight:
    """How the camera sees the point it looks at.

    Parameters
    ----------
    metres_per_pixel
        Length of a pixel, m.
    toward_eye
        Unit vector to the camera.
    scale
        Size of text and points relative to the design.
    fine
        Whether there is room and time for fine lines.
    """

    metres_per_pixel: float
    toward_eye: npt.NDArray[np.float64]
    scale: float
    fine: bool


class Drawn:
    """A layer that is drawn."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.actors: list[vtkActor] = []
        self._visible = layer.visible

    @property
    def visible(self) -> bool:
        """Whether the layer is shown."""
        return self._visible

    def show(self, visible: bool) -> None:
        """Show or hide the layer."""
        self._visible = visible
        for actor in self.actors:
            actor.SetVisibility(visible)

    def feed(self, index: int) -> None:
        """Bring in what is true at a position of the clock."""

    def adapt(self, sight: Sight) -> None:
        """Fit sizes to the camera."""


class DrawnRelief(Drawn):
    """The ground: a simplified mesh under a full-resolution picture of light and shade."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        relief = layer.shape
        assert isinstance(relief, Relief)
        filled = _filled(relief.elevation)
        rows, cols = filled.shape
        mesh = _simplified(filled, relief)
        vertices = vtk_to_numpy(mesh.GetPoints().GetData())
        south = relief.north - rows * relief.cell
        uv = np.column_stack(
            [
                (vertices[:, 0] - relief.west) / (cols * relief.cell),
                (vertices[:, 1] - south) / (rows * relief.cell),
            ]
        )
        mesh.GetPointData().SetTCoords(numpy_to_vtk(uv.astype(np.float32), deep=1))
        ground = actor_of(mesh, lit=False, colour=(255, 255, 255))
        ground.SetTexture(texture_of(_ground_colours(relief, filled)[::-1], smooth=True)[0])
        ground.SetPosition(0.0, 0.0, -TERRAIN_ERROR)
        ground.ForceOpaqueOn()
        base = float(filled.min()) - 0.012 * max(rows, cols) * relief.cell
        curtain = skirt(vertices, base)
        side = actor_of(polydata_of(curtain.vertices, curtain.faces), lit=False, colour=_SOIL)
        side.SetPosition(0.0, 0.0, -TERRAIN_ERROR)
        self.actors = [ground, side]
        self.mesh = mesh

    def glaze(self, clear: bool) -> None:
        """Let what is under the ground shine through, or not."""
        for actor in self.actors:
            actor.GetProperty().SetOpacity(0.28 if clear else 1.0)
        self.actors[0].SetForceOpaque(not clear)


def _filled(elevation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the relief with its gaps filled from the nearest known cell."""
    unknown = np.isnan(elevation)
    if not unknown.any():
        return elevation
    if unknown.all():
        return np.zeros_like(elevation)
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return np.asarray(elevation[tuple(nearest)], np.float32)


def _simplified(filled: npt.NDArray[np.float32], relief: Relief) -> Any:
    stride = int(np.ceil(max(filled.shape) / 1024))
    z = filled[::stride, ::stride]
    rows, cols = z.shape
    image = vtkImageData()
    image.SetDimensions(cols, rows, 1)
    step = relief.cell * stride
    south = relief.north - (rows - 1) * step - relief.cell / 2
    image.SetOrigin(relief.west + relief.cell / 2, south, 0.0)
    image.SetSpacing(step, step, 1.0)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(z[::-1]).ravel(), deep=1))
    error = TERRAIN_ERROR
    while True:
        decimation = vtkGreedyTerrainDecimation()
        decimation.SetInputData(image)
        decimation.SetErrorMeasureToAbsoluteError()
        decimation.SetAbsoluteError(error)
        decimation.BoundaryVertexDeletionOn()
        decimation.Update()
        mesh = decimation.GetOutput()
        if mesh.GetNumberOfPolys() <= TERRAIN_TRIANGLES:
            return mesh
        error *= 2


def _ground_colours(relief: Relief, filled: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Light and shade of the ground, water and gaps in their own colours; row 0 north."""
    shade = 0.62 + 0.38 * hillshade(filled, relief.cell) / np.float32(np.sin(np.pi / 4))
    rgb = np.clip(_GROUND * shade[..., None], 0, 255)
    rgb[relief.water] = STILL_WATER
    rgb[np.isnan(relief.elevation)] = NO_DATA
    return rgb.astype(np.uint8)


class DrawnSolids(Drawn):
    """Objects of triangles in one data set, a colour for each object."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        solids = layer.shape
        assert isinstance(solids, Solids)
        mesh = solids.mesh
        self._clear = False
        self.data = polydata_of(mesh.vertices, mesh.faces)
        self._colours = solids.colours[mesh.owner].copy()
        set_colours(self.data, self._colours, of_cells=True)
        body = actor_of(self.data, lit=solids.lit)
        self.actors = [body]
        if solids.edges:
            self.actors.append(_outline(self.data))

    def adapt(self, sight: Sight) -> None:
        for outline in self.actors[1:]:
            outline.SetVisibility(self._visible and sight.fine and not self._clear)
            # just in front of the faces that meet in an edge
            outline.SetPosition(*(1.5 * sight.metres_per_pixel * sight.toward_eye))

    def glaze(self, clear: bool) -> None:
        """Let what is behind shine through, or not."""
        self._clear = clear
        self.actors[0].GetProperty().SetOpacity(0.12 if clear else 1.0)

    def highlight(self, owner: int | None) -> None:
        """Colour one object so that it stands out, or none."""
        solids = self.layer.shape
        assert isinstance(solids, Solids)
        self._colours[:] = solids.colours[solids.mesh.owner]
        if owner is not None:
            self._colours[solids.mesh.owner == owner] = (255, 196, 0)
        self.data.GetCellData().GetScalars().Modified()
        self.data.Modified()


def _outline(data: Any) -> vtkActor:
    """The sharp edges of solids, as fine lines."""
    edges = vtkFeatureEdges()
    edges.SetInputData(data)
    edges.BoundaryEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.ManifoldEdgesOff()
    edges.FeatureEdgesOn()
    edges.SetFeatureAngle(30.0)
    edges.ColoringOff()
    edges.Update()
    actor = actor_of(edges.GetOutput(), lit=False, colour=(96, 94, 98))
    actor.GetProperty().SetOpacity(0.55)
    return actor


class DrawnSheet(Drawn):
    """Water over time: a coarse surface at the water's level under a picture of its classes."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        sheet = layer.shape
        assert isinstance(sheet, Sheet)
        self.sheet = sheet
        rows, cols = sheet.ground.shape
        self._stride = max(1, int(np.ceil(np.sqrt(rows * cols / SHEET_NODES))))
        self._blocks = (-(-rows // self._stride), -(-cols // self._stride))
        r, c = np.meshgrid(*(np.arange(n + 1) for n in self._blocks), indexing="ij")
        r, c = np.minimum(r * self._stride, rows), np.minimum(c * self._stride, cols)
        self._points = np.empty((r.size, 3), np.float32)
        self._points[:, 0] = (sheet.west + c * sheet.cell).ravel()
        self._points[:, 1] = (sheet.north - r * sheet.cell).ravel()
        self._points[:, 2] = 0.0
        uv = np.column_stack([c.ravel() / cols, 1 - r.ravel() / rows]).astype(np.float32)
        nodes = np.arange(r.size).reshape(r.shape)
        self._quads = np.stack(
            [nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:], nodes[:-1, :-1]], axis=-1
        )
        self.data = polydata_of(self._points)
        self.data.GetPointData().SetTCoords(numpy_to_vtk(uv, deep=1))
        texture, self._image = texture_of(np.zeros((rows, cols, 4), np.uint8), smooth=False)
        surface = actor_of(self.data, lit=False, colour=(255, 255, 255))
        surface.SetTexture(texture)
        # dry cells are wholly transparent, which VTK leaves out; so what is left is opaque
        surface.ForceOpaqueOn()
        self.actors = [surface]

    def feed(self, index: int) -> None:
        sheet = self.sheet
        depth = sheet.depth(index)
        rgba = sheet.palette.paint(depth, still=sheet.still, blocked=sheet.blocked)
        fill_image(self._image, rgba[::-1])
        painted = rgba[..., 3] > 0
        level = np.where(painted & (depth > 0), sheet.ground + depth, -np.inf)
        highest = np.pad(self._block_max(level), 1, constant_values=-np.inf)
        node = np.maximum.reduce(
            [highest[:-1, :-1], highest[1:, :-1], highest[:-1, 1:], highest[1:, 1:]]
        )
        # water is painted on into buildings, where none stands: carry its level on as far
        for _ in range(2):
            wide = np.pad(node, 1, constant_values=-np.inf)
            beside = np.maximum.reduce(
                [wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]]
            )
            node = np.where(np.isfinite(node), node, beside)
        self._points[:, 2] = np.where(np.isfinite(node), node + SHEET_LIFT, 0).ravel()
        self.data.SetPoints(points_of(self._points.copy()))
        shown = self._block_max(np.where(painted, 0.0, -np.inf))
        self.data.SetPolys(cells_of(self._quads[np.isfinite(shown)]))
        self.data.Modified()

    def glaze(self, clear: bool) -> None:
        """Let what is under the water shine through, or not."""
        surface = self.actors[0]
        surface.GetProperty().SetOpacity(0.4 if clear else 1.0)
        surface.SetForceOpaque(not clear)
        surface.SetForceTranslucent(clear)

    def _block_max(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        s, (rows, cols) = self._stride, self._blocks
        padding = ((0, rows * s - values.shape[0]), (0, cols * s - values.shape[1]))
        padded = np.pad(values, padding, constant_values=-np.inf)
        return np.asarray(padded.reshape(rows, s, cols, s).max(axis=(1, 3)))


class DrawnPeople(Drawn):
    """People: points from afar, figures of their own height near by."""

    #: Pixels (at design size) that a person must be tall to be drawn as a figure.
    NEAR = 9.0

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        people = layer.shape
        assert isinstance(people, People)
        self.people = people
        self._palette = np.array([colour for colour, _ in people.legend], np.uint8)
        self.data = polydata_of(np.zeros((0, 3), np.float32))
        points = actor_of(self.data, lit=False, of_cells=False)
        self._dots = points
        figures = vtkGlyph3DMapper()
        figures.SetInputData(self.data)
        figures.SetSourceData(_person())
        figures.ScalingOff()
        figures.OrientOff()
        figures.SetColorModeToDirectScalars()
        self._figures = vtkActor()
        self._figures.SetMapper(figures)
        self._figures.GetProperty().SetAmbient(0.5)
        self._figures.GetProperty().SetDiffuse(0.6)
        self.actors = [self._dots, self._figures]
        self._near = False

    def feed(self, index: int) -> None:
        places, states = self.people.at(index)
        data = polydata_of(places, verts=np.arange(len(places), dtype=np.int32)[:, None])
        set_colours(data, self._palette[states], of_cells=False)
        self.data.ShallowCopy(data)
        self.data.Modified()

    def show(self, visible: bool) -> None:
        super().show(visible)
        self._dots.SetVisibility(visible and not self._near)
        self._figures.SetVisibility(visible and self._near)

    def adapt(self, sight: Sight) -> None:
        self._near = 1.7 / sight.metres_per_pixel > self.NEAR * sight.scale
        self._dots.GetProperty().SetPointSize(3.4 * sight.scale)
        # the dot sits at half a person's height; it must not sink into the ground from afar
        self._dots.SetPosition(0.0, 0.0, 0.9)
        self.show(self._visible)


def _person() -> vtkPolyData:
    """A body and a head, 1.75 m tall, feet at the origin."""
    outline = [(0.0, 0.2), (0.9, 0.27), (1.4, 0.24), (1.46, 0.09), (1.52, 0.17), (1.66, 0.17)]
    mesh = lathe([(0.0, 0.0), *outline, (1.75, 0.0)], sides=8)
    return polydata_of(mesh.vertices, mesh.faces)


class DrawnPins(Drawn):
    """Gauges: a pole with a head. Their labels are laid over the picture."""

    COLOUR = (14, 92, 99)

    def __init__(self, layer: Layer, tall: float) -> None:
        super().__init__(layer)
        pins = layer.shape
        assert isinstance(pins, Pins)
        self.pins = pins
        feet = np.array([g.place for g in pins.gauges], np.float32).reshape(-1, 3)
        self.heads = feet + np.array([0, 0, tall], np.float32)
        count = len(feet)
        pairs = np.column_stack([np.arange(count), np.arange(count) + count])
        poles = polydata_of(np.concatenate([feet, self.heads]), lines=pairs)
        self._poles = actor_of(poles, lit=False, colour=self.COLOUR)
        tops = polydata_of(self.heads, verts=np.arange(count)[:, None])
        self._tops = actor_of(tops, lit=False, colour=self.COLOUR)
        self._tops.GetProperty().SetRenderPointsAsSpheres(True)
        self.actors = [self._poles, self._tops]

    def adapt(self, sight: Sight) -> None:
        self._poles.GetProperty().SetLineWidth(1.6 * sight.scale)
        self._tops.GetProperty().SetPointSize(9 * sight.scale)


def draw_layer(layer: Layer, extent: float) -> Drawn:
    """Return the layer as actors; `extent` is the size of the whole stage, m."""
    shape = layer.shape
    if isinstance(shape, Relief):
        return DrawnRelief(layer)
    if isinstance(shape, Solids):
        return DrawnSolids(layer)
    if isinstance(shape, Sheet):
        return DrawnSheet(layer)
    if isinstance(shape, People):
        return DrawnPeople(layer)
    return DrawnPins(layer, tall=0.035 * extent)

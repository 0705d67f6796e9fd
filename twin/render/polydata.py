"""NumPy arrays as VTK data, and 2D pictures as VTK actors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkPolyDataMapper,
    vtkPolyDataMapper2D,
    vtkTexture,
    vtkTexturedActor2D,
)

__all__ = ["Sprite", "actor_of", "cells_of", "polydata_of", "set_colours", "texture_of"]


def points_of(vertices: npt.NDArray[np.float32]) -> vtkPoints:
    """Return points that share the array's memory."""
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(vertices, np.float32)))
    return points


def cells_of(corners: npt.NDArray[Any]) -> vtkCellArray:
    """Return cells of equal size, one a row of point numbers."""
    count, size = corners.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(size)
    flat = np.ascontiguousarray(corners, np.int32).ravel()
    cells = vtkCellArray()
    cells.SetData(numpy_to_vtk(offsets), numpy_to_vtk(flat))
    return cells


def polydata_of(
    vertices: npt.NDArray[np.float32],
    polys: npt.NDArray[Any] | None = None,
    *,
    lines: npt.NDArray[Any] | None = None,
    verts: npt.NDArray[Any] | None = None,
) -> vtkPolyData:
    """Return a data set of these points and cells."""
    data = vtkPolyData()
    data.SetPoints(points_of(vertices))
    if polys is not None:
        data.SetPolys(cells_of(polys))
    if lines is not None:
        data.SetLines(cells_of(lines))
    if verts is not None:
        data.SetVerts(cells_of(verts))
    return data


def set_colours(data: vtkPolyData, rgb: npt.NDArray[np.uint8], *, of_cells: bool) -> None:
    """Colour each cell or each point, sRGB 0–255."""
    array = numpy_to_vtk(np.ascontiguousarray(rgb))
    array.SetName("colour")
    (data.GetCellData() if of_cells else data.GetPointData()).SetScalars(array)


def actor_of(
    data: vtkPolyData | None,
    *,
    lit: bool,
    of_cells: bool = True,
    colour: tuple[int, int, int] | None = None,
) -> vtkActor:
    """Return an actor that shows a data set in its own colours, or in one."""
    mapper = vtkPolyDataMapper()
    if data is not None:
        mapper.SetInputData(data)
    if colour is None:
        mapper.SetColorModeToDirectScalars()
        if of_cells:
            mapper.SetScalarModeToUseCellData()
        else:
            mapper.SetScalarModeToUsePointData()
    else:
        mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    surface = actor.GetProperty()
    surface.SetInterpolationToFlat()
    surface.SetSpecular(0.0)
    if colour is not None:
        surface.SetColor(*(c / 255 for c in colour))
    if lit:
        surface.SetAmbient(0.54)
        surface.SetDiffuse(0.58)
    else:
        surface.LightingOff()
    return actor


def texture_of(rgba: npt.NDArray[np.uint8], *, smooth: bool) -> tuple[vtkTexture, vtkImageData]:
    """Return a texture of a picture whose row 0 is at the bottom."""
    image = vtkImageData()
    fill_image(image, rgba)
    texture = vtkTexture()
    texture.SetInputData(image)
    texture.SetColorModeToDirectScalars()
    texture.RepeatOff()
    texture.EdgeClampOn()
    texture.SetInterpolate(smooth)
    if smooth:
        texture.MipmapOn()
    return texture, image


def fill_image(image: vtkImageData, rgba: npt.NDArray[np.uint8]) -> None:
    """Put other pixels into an image, row 0 at the bottom."""
    rows, cols, channels = rgba.shape
    image.SetDimensions(cols, rows, 1)
    flat = np.ascontiguousarray(rgba).reshape(-1, channels)
    image.GetPointData().SetScalars(numpy_to_vtk(flat))
    image.Modified()


class Sprite:
    """A picture (row 0 at the top) that lies over the scene, pixel for pixel."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self._corners = np.zeros((4, 3), np.float32)
        self._data = polydata_of(self._corners, np.array([[0, 1, 2, 3]]))
        coordinates = numpy_to_vtk(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), deep=1)
        self._data.GetPointData().SetTCoords(coordinates)
        texture, self._image = texture_of(pixels[::-1], smooth=False)
        mapper = vtkPolyDataMapper2D()
        mapper.SetInputData(self._data)
        self.actor = vtkTexturedActor2D()
        self.actor.SetMapper(mapper)
        self.actor.SetTexture(texture)
        self.size = (0, 0)
        self.corner = (0, 0)
        self.pixels = pixels
        self.draw(pixels)

    def draw(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Show another picture; the lower left corner stays where it is."""
        self.pixels = pixels
        fill_image(self._image, pixels[::-1])
        height, width = pixels.shape[:2]
        if self.size != (width, height):
            self.size = (width, height)
            self._corners[:, 0] = (0, width, width, 0)
            self._corners[:, 1] = (0, 0, height, height)
            self._data.GetPoints().GetData().Modified()
            self._data.GetPoints().Modified()
            self._data.Modified()

    def move(self, x: float, y: float) -> None:
        """Put the lower left corner at a pixel, counted from the lower left of the picture."""
        self.corner = (round(x), round(y))
        self.actor.SetPosition(*self.corner)

    def covers(self, x: float, y: float) -> bool:
        """Say whether a pixel lies on the visible sprite."""
        (left, low), (width, height) = self.corner, self.size
        return bool(
            self.actor.GetVisibility() and left <= x < left + width and low <= y < low + height
        )

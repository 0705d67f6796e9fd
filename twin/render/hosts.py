"""Where a picture is drawn: off screen into an array, or in a window on a display."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from twin.render.probe import offscreen_backend

if TYPE_CHECKING:
    from twin.render.picture import Picture
    from twin.render.stage import Camera, Stage

__all__ = ["Offscreen", "make_window", "save_png", "still"]


def make_window(backend: str) -> Any:
    """Return a render window of the class that the probe found."""
    from vtkmodules import vtkRenderingOpenGL2
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

    window = getattr(vtkRenderingOpenGL2, backend, vtkRenderWindow)()
    # on a processor multisampling costs three to four frames; stills are supersampled instead
    window.SetMultiSamples(0)
    return window


class Offscreen:
    """Draws a picture without a display.

    Parameters
    ----------
    picture
        What to draw.
    supersample
        How many pixels of the picture, along an edge, become one of the frame; smooths edges.

    Raises
    ------
    RenderError
        If this machine has no OpenGL; the message says what to install.
    """

    def __init__(self, picture: Picture, *, supersample: int = 1) -> None:
        self.picture = picture
        self.supersample = supersample
        self.window = make_window(offscreen_backend())
        self.window.SetOffScreenRendering(True)
        self.window.SetSize(*picture.size)
        self.window.AddRenderer(picture.renderer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphics memory back."""
        self.window.RemoveRenderer(self.picture.renderer)
        self.window.Finalize()

    def frame(self) -> npt.NDArray[np.uint8]:
        """Draw, and return the pixels, uint8[row, col, RGB], row 0 at the top."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        self.window.Render()
        width, height = self.window.GetSize()
        buffer = vtkUnsignedCharArray()
        self.window.GetPixelData(0, 0, width - 1, height - 1, 0, buffer, 0)
        pixels = vtk_to_numpy(buffer).reshape(height, width, 3)[::-1]
        s = self.supersample
        if s == 1:
            return np.ascontiguousarray(pixels)
        # whole numbers, so that an even surface keeps its colour
        sums = pixels.reshape(height // s, s, width // s, s, 3).sum(axis=(1, 3), dtype=np.uint32)
        return ((sums + s * s // 2) // (s * s)).astype(np.uint8)


def still(
    stage: Stage,
    size: tuple[int, int],
    *,
    camera: Camera | None = None,
    index: int = 0,
    supersample: int = 2,
) -> npt.NDArray[np.uint8]:
    """Draw one picture of a stage without a display; uint8[row, col, RGB], row 0 at the top.

    Parameters
    ----------
    size
        Width and height, pixels.
    camera
        From where; by default an overview from the south-east.
    index
        Position of the clock.
    supersample
        How many times finer it is drawn, for smooth edges.

    Raises
    ------
    RenderError
        If this machine has no OpenGL; the message says what to install.
    """
    offscreen_backend()
    from twin.render.picture import Picture

    fine = (size[0] * supersample, size[1] * supersample)
    picture = Picture(stage, fine, camera=camera, index=index)
    with Offscreen(picture, supersample=supersample) as host:
        return host.frame()


def save_png(pixels: npt.NDArray[np.uint8], path: str | Path) -> Path:
    """Write pixels as a PNG file, at once or not at all."""
    from PIL import Image

    from twin.files import replace_file

    path = Path(path)
    with replace_file(path) as beside:
        Image.fromarray(pixels).save(beside, format="PNG", compress_level=4)
    return path

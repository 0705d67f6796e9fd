"""Short films of a stage: MP4 where ffmpeg comes with imageio-ffmpeg, else animated WebP."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.errors import RenderError
from twin.files import replace_file
from twin.render.maps import Map
from twin.render.probe import offscreen_backend

if TYPE_CHECKING:
    from twin.render.stage import Camera, Stage

__all__ = ["film_format", "film_indices", "write_film", "write_map_film"]

Frames = Iterable[npt.NDArray[np.uint8]]
Progress = Callable[[float], None]

#: Most frames of a film.
MOST_FRAMES = 60


def film_format() -> str:
    """Return the ending of the films that this installation writes, "mp4" or "webp"."""
    return "mp4" if importlib.util.find_spec("imageio_ffmpeg") else "webp"


def film_indices(stage: Stage, frames: int) -> list[int]:
    """Return positions of the clock, evenly spread, the first and the last among them.

    Raises
    ------
    RenderError
        If nothing on the stage changes.
    """
    if stage.clock is None or len(stage.clock) < 2:
        raise RenderError("A film needs a run with at least two output times.")
    count = min(frames, MOST_FRAMES, len(stage.clock))
    spread = np.linspace(0, len(stage.clock) - 1, max(count, 2)).round().astype(int)
    return [int(i) for i in np.unique(spread)]


def write_film(
    stage: Stage,
    path: str | Path,
    *,
    size: tuple[int, int] = (1280, 720),
    frames: int = 40,
    fps: float = 8.0,
    camera: Camera | None = None,
    progress: Progress | None = None,
) -> Path:
    """Draw a stage over time in 3D, with title, clock and legend; return the file.

    Parameters
    ----------
    path
        With an ending of `film_format`, or none: then it is added.
    size
        Width and height, pixels, even.
    frames
        How many, at most `MOST_FRAMES`.
    fps
        Frames a second.
    progress
        Told the share that is done.

    Raises
    ------
    RenderError
        If this machine has no OpenGL, or nothing changes over time.
    """
    indices = film_indices(stage, frames)
    offscreen_backend()
    from twin.render.hosts import Offscreen
    from twin.render.picture import Picture

    picture = Picture(stage, size, camera=camera, index=indices[0])

    def draw() -> Iterator[npt.NDArray[np.uint8]]:
        with Offscreen(picture) as host:
            for number, index in enumerate(indices):
                picture.set_time(index)
                yield host.frame()
                if progress is not None:
                    progress((number + 1) / len(indices))

    return _write(draw(), path, size, fps)


def write_map_film(
    stage: Stage,
    path: str | Path,
    *,
    size: tuple[int, int] = (1120, 840),
    frames: int = 40,
    fps: float = 8.0,
    progress: Progress | None = None,
) -> Path:
    """Draw a stage over time as a map, which needs no OpenGL; else as `write_film`."""
    indices = film_indices(stage, frames)
    sheet = Map(stage, size)

    def draw() -> Iterator[npt.NDArray[np.uint8]]:
        for number, index in enumerate(indices):
            yield sheet.frame(index)
            if progress is not None:
                progress((number + 1) / len(indices))

    return _write(draw(), path, sheet.size, fps)


def _write(frames: Frames, path: str | Path, size: tuple[int, int], fps: float) -> Path:
    path = Path(path)
    if not path.suffix:
        path = path.with_suffix(f".{film_format()}")
    writers: dict[str, Any] = {".mp4": _write_mp4, ".webp": _write_webp, ".gif": _write_gif}
    if path.suffix.lower() not in writers:
        raise RenderError(f"A film is written as .mp4, .webp or .gif, not as {path.suffix!r}.")
    if path.suffix.lower() == ".mp4" and film_format() != "mp4":
        raise RenderError("MP4 needs ffmpeg: pip install imageio-ffmpeg, or choose .webp.")
    with replace_file(path) as beside:
        writers[path.suffix.lower()](frames, beside, size, fps)
    return path


def _write_mp4(frames: Frames, path: Path, size: tuple[int, int], fps: float) -> None:
    imageio_ffmpeg: Any = importlib.import_module("imageio_ffmpeg")
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=fps,
        codec="libx264",
        quality=None,
        macro_block_size=1,
        # any player, and a first picture before the whole file is there
        output_params=["-crf", "23", "-preset", "veryfast", "-movflags", "+faststart", "-f", "mp4"],
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _write_webp(frames: Frames, path: Path, size: tuple[int, int], fps: float) -> None:
    _save_all(frames, path, fps, format="WEBP", quality=80, method=2)


def _write_gif(frames: Frames, path: Path, size: tuple[int, int], fps: float) -> None:
    _save_all(frames, path, fps, format="GIF", optimize=False)


def _save_all(frames: Frames, path: Path, fps: float, **options: Any) -> None:
    from PIL import Image

    pictures = (Image.fromarray(frame) for frame in frames)
    first = next(pictures)
    first.save(
        path, save_all=True, append_images=pictures, duration=round(1000 / fps), loop=0, **options
    )

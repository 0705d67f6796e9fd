"""Look at a city or a run: in a window, or with ``screenshot=`` in a picture, without a display."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import RenderError
from twin.render.hosts import save_png, still
from twin.render.probe import window_backend
from twin.render.stage import INSIDE, Camera, Stage

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.run import Run

__all__ = ["stage_of", "view"]


def view(
    subject: City | Run | Stage | str | os.PathLike[str],
    *,
    screenshot: str | os.PathLike[str] | None = None,
    time: float | None = None,
    camera: Camera | str | None = None,
    plan: bool = False,
    size: tuple[int, int] = (1280, 720),
    layers: Iterable[str] | None = None,
) -> Path | None:
    """Open a window on a city or a run, or draw one picture of it.

    Parameters
    ----------
    subject
        A City, a Run, a Stage, or the path of a saved city or a run.
    screenshot
        PNG file to write instead of opening a window; needs no display.
    time
        Seconds since the start at which the run is first shown; by default when most is under
        water, or the last time.
    camera
        From where, or the id or name of the thing to look at, or the key of a layer; by default
        an overview from the south-east.
    plan
        From straight above, north up.
    size
        Width and height, pixels.
    layers
        Keys of the layers to show, no others; by default what is of use to most.

    Returns
    -------
    The path of the picture, None after a window was closed.

    Raises
    ------
    RenderError
        If there is no OpenGL, or no display and no `screenshot` asked for.

    Examples
    --------
    >>> import twin
    >>> twin.view("runs/lujiazui", screenshot="flood.png", time=5400.0)   # doctest: +SKIP
    """
    if screenshot is None:
        window_backend()
    stage = stage_of(subject)
    if layers is not None:
        chosen = set(layers)
        for key in chosen:
            stage.layer(key)
        stage = stage.showing({layer.key: layer.key in chosen for layer in stage.layers})
    if isinstance(camera, str) and camera.startswith(INSIDE):
        stage = stage.showing({camera: True})
    eye = _camera(stage, camera, plan, size)
    index = stage.height_of_flood() if time is None else _index(stage, time)
    if screenshot is not None:
        return save_png(still(stage, size, camera=eye, index=index), Path(screenshot))
    from twin.render.window import Window

    Window(stage, size, camera=eye, index=index).start()
    return None


def stage_of(subject: Any) -> Stage:
    """Return the stage of a City, a Run, a Stage, or of what is saved at a path."""
    from twin.geo.city import City
    from twin.run import Run

    if isinstance(subject, Stage):
        return subject
    if isinstance(subject, str | os.PathLike):
        path = Path(subject)
        is_run = (path / "scene.lock.json").is_file() or not path.is_dir()
        subject = Run(path) if is_run else City.open(path)
    if isinstance(subject, Run):
        return Stage.from_run(subject)
    if isinstance(subject, City):
        return Stage.from_city(subject)
    raise RenderError(f"Only a City, a Run or a Stage can be viewed, not {type(subject).__name__}.")


def _camera(
    stage: Stage, camera: Camera | str | None, plan: bool, size: tuple[int, int]
) -> Camera | None:
    if isinstance(camera, str):
        return stage.closeup(camera)
    if plan:
        return Camera.plan(stage.bounds, aspect=size[0] / size[1])
    return camera


def _index(stage: Stage, time: float) -> int:
    if stage.clock is None:
        raise RenderError("A time can be chosen for a run only; nothing in a city changes.")
    last = float(stage.clock.times[-1])
    if not 0.0 <= time <= last:
        raise RenderError(f"The run goes from 0 s to {last:g} s; there is no {time:g} s in it.")
    return stage.clock.nearest(time)

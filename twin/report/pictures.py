"""The pictures of a run: an overview and a film in 3D, or as maps where there is no OpenGL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twin.errors import RenderError
from twin.files import replace_file
from twin.render.maps import Map, png_bytes, run_map
from twin.render.stage import Stage
from twin.run import Run

__all__ = ["write_pictures"]

#: Maps of a report, in this order, of those that a run has.
MAPS = ("max_depth", "max_hazard", "arrival_time", "max_density")


def write_pictures(run: Run, told: Callable[[float], None] = lambda share: None) -> dict[str, Any]:
    """Draw the overview, the film and the maps of a run into its directory.

    Parameters
    ----------
    run
        The run.
    told
        Is told how much is done, 0 to 1.

    Returns
    -------
    Names of the files: "overview", "animation", "maps" (by name); and a "note" with the cure where
    maps had to stand in for 3D.
    """
    stage = Stage.from_run(run)
    frames = int(run.lock["scene"]["output"]["frames"])
    film = frames > 1 and stage.clock is not None and len(stage.clock) > 1
    made: dict[str, Any] = {"overview": "overview.png", "maps": {}}
    try:
        from twin.render.hosts import save_png, still

        save_png(
            still(stage, (1600, 900), index=stage.height_of_flood()), run.path / "overview.png"
        )
        if film:
            from twin.render.movie import write_film

            path = write_film(stage, run.path / "animation", frames=frames, progress=told)
            made["animation"] = path.name
    except (RenderError, ImportError) as error:
        made["note"] = f"Drawn as maps. {error}"
        sheet = Map(stage, (1280, 960))
        _save(png_bytes(sheet.frame(stage.height_of_flood())), run, "overview.png")
        if film:
            from twin.render.movie import write_map_film

            path = write_map_film(stage, run.path / "animation", frames=frames, progress=told)
            made["animation"] = path.name
    for name in MAPS:
        if name in run.maps:
            _save(png_bytes(run_map(run, name, stage=stage)), run, f"maps/{name}.png")
            made["maps"][name] = f"maps/{name}.png"
    return made


def _save(data: bytes, run: Run, name: str) -> None:
    with replace_file(run.path / name) as beside:
        beside.write_bytes(data)

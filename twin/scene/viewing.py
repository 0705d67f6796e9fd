"""What `twin view` is asked to show: a saved city, a run, or the city of a scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twin.errors import InputError

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.run import Run

__all__ = ["subject_of"]


def subject_of(path: Path) -> City | Run:
    """Open what lies at `path`.

    Raises
    ------
    InputError
        If it is neither a run, nor a saved city, nor a scene file.
    """
    if path.suffix == ".toml":
        from twin.scene.scene import Scene

        return Scene.load(path).city()
    if (path / "scene.lock.json").is_file() or not path.exists():
        from twin.run import Run

        return Run(path)
    if (path / "manifest.json").is_file():
        from twin.geo.city import City

        return City.open(path)
    raise InputError(
        f"{path.as_posix()!r} is neither a run, nor a saved city, nor a scene file (.toml)."
    )

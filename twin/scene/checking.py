"""What `twin check` says of a scene file or a saved city."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twin.geo.city import City

__all__ = ["check"]


def check(path: Path) -> tuple[str, bool]:
    """Return what there is to say of the scene or city at `path`, and whether it is good.

    Raises
    ------
    TwinError
        If it cannot even be read.
    """
    if path.is_dir() and (path / "manifest.json").is_file():
        from twin.geo.city import City
        from twin.run import Run

        if (path / "scene.lock.json").is_file():
            return _judge(City.open(Run(path).city_path), f"City of the run {path.as_posix()!r}")
        return _judge(City.open(path), f"City {path.as_posix()!r}")
    from twin.scene.build import build_coupling, build_simulations, fleet
    from twin.scene.scene import Scene

    scene = Scene.load(path)
    inputs = scene.inputs()
    city = scene.city()
    text, good = _judge(city, f"Scene {scene.name!r} ({len(inputs)} input files)")
    build_coupling(scene, build_simulations(scene, city, Unread()))
    if scene.model.sensors is not None:
        text += f"\nSensors: {len(fleet(scene))} datastreams."
    kinds = ", ".join(f"{s.name} ({s.kind})" for s in scene.model.simulation)
    return f"{text}\nSimulations: {kinds}.", good


class Unread:
    """Readings that are there to be named, not to be read."""

    def series(
        self, datastream: str, start: float, end: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return nothing."""
        return np.empty(0), np.empty(0)


def _judge(city: City, what: str) -> tuple[str, bool]:
    report = city.check()
    verdict = "good" if report.ok else "not good"
    return f"{what}: {verdict}.\n{city!r}\n{report}", report.ok

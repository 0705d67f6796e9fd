"""What `twin check` says of a scene file or a saved city."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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

        return _judge(City.open(path), f"City {path.as_posix()!r}")
    from twin.scene.scene import Scene

    scene = Scene.load(path)
    inputs = scene.inputs()
    text, good = _judge(scene.city(), f"Scene {scene.name!r} ({len(inputs)} input files)")
    if scene.model.sensors is not None:
        from twin.scene.build import fleet

        text += f"\nSensors: {len(fleet(scene))} datastreams."
    kinds = ", ".join(f"{s.name} ({s.kind})" for s in scene.model.simulation)
    return f"{text}\nSimulations: {kinds}.", good


def _judge(city: City, what: str) -> tuple[str, bool]:
    report = city.check()
    verdict = "good" if report.ok else "not good"
    return f"{what}: {verdict}.\n{city!r}\n{report}", report.ok

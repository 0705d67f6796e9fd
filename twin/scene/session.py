"""One run from the command line: where it goes, how it is stopped, and which one is resumed."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from twin.errors import RunError, SceneError
from twin.run import PARTIAL, Run, partial_path
from twin.scene.progress import for_stream
from twin.scene.scene import Scene

__all__ = ["Session", "open_session"]


def open_session(
    scene_path: Path | None, out: Path | None, *, settings: Sequence[str], resume: bool
) -> Session:
    """Find out what to run and where to.

    Raises
    ------
    SceneError, RunError
        If there is no scene to run, or no run to resume.
    """
    if not resume:
        if scene_path is None:
            raise SceneError("Which scene? Give a scene file, as in: twin run scene.toml")
        scene = Scene.load(scene_path, settings)
        return Session(scene, out or _free_path(Path("runs") / scene.name), resume=False)
    if settings:
        raise SceneError("--set cannot be given with --resume: a run goes on as it was begun.")
    partial = _unfinished(scene_path, out)
    lock = partial / "scene.lock.json"
    if not lock.is_file():
        raise RunError(f"{str(partial)!r} was stopped before it began; remove it and start anew.")
    source = json.loads(lock.read_text(encoding="utf-8"))["source"] or {"settings": []}
    if scene_path is None and "file" not in source:
        raise RunError(f"{str(partial)!r} was begun from Python; give the scene file to resume it.")
    scene = Scene.load(scene_path or Path(source["file"]), source["settings"])
    return Session(scene, partial.with_name(partial.name.removesuffix(PARTIAL)), resume=True)


class Session:
    """A scene and the directory that its run goes to."""

    def __init__(self, scene: Scene, out: Path, *, resume: bool) -> None:
        self.scene = scene
        self.out = out
        self.resume = resume
        self._stop = False

    def run(self, *, pictures: bool = True) -> Run:
        """Run with a progress bar; the first Ctrl-C stops at the next sync point, resumably."""
        progress = for_stream()
        previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self.scene.run(
                self.out,
                resume=self.resume,
                pictures=pictures,
                progress=progress,
                should_stop=lambda: self._stop,
            )
        finally:
            progress.leave()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop:  # asked twice: at once
            raise KeyboardInterrupt
        self._stop = True


def _free_path(path: Path) -> Path:
    """Return `path`, or `path` with the first number for which there is no run yet."""
    number = 1
    candidate = path
    while candidate.exists() or partial_path(candidate).exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def _unfinished(scene_path: Path | None, out: Path | None) -> Path:
    if out is not None:
        partial = partial_path(Path(str(out).removesuffix(PARTIAL)))
        if not partial.is_dir():
            raise RunError(f"There is nothing to resume: {str(partial)!r} does not exist.")
        return partial
    name = None if scene_path is None else Scene.load(scene_path).name
    partials = [p for p in Path("runs").glob(f"*{PARTIAL}") if p.is_dir()]
    found = [p for p in partials if name is None or _scene_of(p) == name]
    if not found:
        which = f" of {name!r}" if name else ""
        raise RunError(f"There is no unfinished run{which} in 'runs'; name it with --out.")
    return max(found, key=lambda p: p.stat().st_mtime)


def _scene_of(partial: Path) -> str | None:
    """Name of the scene whose run a partial run is, None before it has begun."""
    path = partial / "scene.lock.json"
    if not path.is_file():
        return None
    return str(json.loads(path.read_text(encoding="utf-8"))["scene"]["name"])

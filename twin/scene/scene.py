"""A scene with the folder that its paths start from: load, check, run, write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from pydantic import ValidationError

from twin.errors import SceneError
from twin.scene.load import load_model, resolve_path
from twin.scene.model import SceneModel

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.run import Run
    from twin.scene.progress import Progress

__all__ = ["Scene", "json_schema"]


class Scene:
    """What exists and what happens.

    Parameters
    ----------
    model
        The scene itself.
    folder
        Where its relative paths start; by default the working directory.
    text
        The file it came from, to be kept with a run; by default written from `model`.
    source
        Where it came from, from which ``twin run --resume`` reads it again: file and settings.

    Examples
    --------
    >>> scene = Scene.load("scenes/lujiazui/scene.toml")     # doctest: +SKIP
    >>> run = scene.run(out="runs/first")                    # doctest: +SKIP
    """

    def __init__(
        self,
        model: SceneModel,
        *,
        folder: str | Path = ".",
        text: str | None = None,
        source: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.folder = Path(folder)
        self.text = self.to_toml() if text is None else text
        self.source = source

    @classmethod
    def load(cls, path: str | Path, settings: Iterable[str] = ()) -> Scene:
        """Read a scene file, with changes such as ``"simulation.flood.resolution=8 m"``.

        Raises
        ------
        SceneError
            If the file does not fit; the message names each line, key, value and what is allowed.
        """
        path = Path(path)
        settings = list(settings)
        model, text = load_model(path, settings)
        source = {"file": str(path.resolve()), "settings": settings}
        return cls(model, folder=path.parent, text=text, source=source)

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, folder: str | Path = ".") -> Scene:
        """Build a scene from a nested dictionary with the keys of a scene file.

        Numbers without a unit are SI.
        """
        try:
            return cls(SceneModel.model_validate(values), folder=folder)
        except ValidationError as error:
            raise SceneError(str(error)) from None

    def __repr__(self) -> str:
        kinds = ", ".join(s.kind for s in self.model.simulation)
        return f"<Scene {self.model.name!r}: {kinds}>"

    @property
    def name(self) -> str:
        """Short name, also of the run's folder."""
        return self.model.name

    def path(self, path: Path) -> Path:
        """Return where a path of the scene leads."""
        return resolve_path(path, self.folder)

    def inputs(self) -> dict[str, Path]:
        """Return every file that the scene names, by its key.

        Raises
        ------
        SceneError
            If an environment variable of a path is not set, or files are missing; all at once.
        """
        found: dict[str, Path] = {}
        missing: list[str] = []
        for key, path in _files(self.model, ""):
            try:
                found[key] = self.path(path)
            except SceneError as error:
                missing.append(f"{key}: {error}")
                continue
            if not found[key].exists():
                missing.append(f"{key}: there is no file {found[key].as_posix()!r}.")
            elif not os.access(found[key], os.R_OK):
                missing.append(f"{key}: {found[key].as_posix()!r} may not be read.")
        if missing:
            notice = f"\n{self.model.notice}" if self.model.notice else ""
            raise SceneError(
                f"Files of the scene {self.name!r} are missing or cannot be read:\n"
                + "\n".join(f"  {m}" for m in missing)
                + notice
            )
        return found

    def city(self) -> City:
        """Build the City from the scene's sources."""
        from twin.scene.build import build_city

        return build_city(self)

    def run(
        self,
        out: str | Path,
        *,
        resume: bool = False,
        pictures: bool = True,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Run:
        """Run the scene from its sources to a report.

        Parameters
        ----------
        out
            Directory of the run; must not exist.
        resume
            Go on with ``<out>.partial`` from its last checkpoint.
        pictures
            Draw the overview, the animation and the maps of the report.
        progress
            Told of what goes on.
        should_stop
            Asked at each sync point; where it says yes the state is written and `Interrupted`
            raised.

        Raises
        ------
        TwinError
            If anything on the way fails; what has been computed can be resumed.
        """
        from twin.scene.execute import execute

        return execute(
            self,
            Path(out),
            resume=resume,
            pictures=pictures,
            progress=progress,
            should_stop=should_stop,
        )

    def to_toml(self) -> str:
        """Write the scene as a file; reading it again gives an equal scene."""
        values = self.model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        values["clock"]["start"] = self.model.clock.start
        return tomli_w.dumps(_without_none(values))

    def resolved(self) -> dict[str, Any]:
        """Return the whole scene with SI values and all defaults, as JSON-able values."""
        values: dict[str, Any] = json.loads(
            json.dumps(self.model.model_dump(by_alias=True), default=_plain)
        )
        return values


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of scene files, for editors that complete and check keys."""
    schema = SceneModel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_none(v) for v in value]
    return value


def _files(value: Any, key: str) -> Iterable[tuple[str, Path]]:
    if isinstance(value, Path):
        yield key, value
    elif isinstance(value, (tuple, list)):
        for position, item in enumerate(value):
            yield from _files(item, f"{key}[{position}]")
    elif hasattr(value, "model_fields_set"):
        for name in type(value).model_fields:
            yield from _files(getattr(value, name), f"{key}.{name}" if key else name)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _files(item, f"{key}.{name}")

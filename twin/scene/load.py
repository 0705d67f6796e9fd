"""From a scene file to a `SceneModel`: reading, inheritance, settings from the command line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from twin.errors import SceneError, did_you_mean
from twin.scene.explain import explain, label
from twin.scene.model import SceneModel
from twin.scene.quantity import FROM_FILE
from twin.scene.toml_lines import key_lines

__all__ = ["load_model", "read_toml", "resolve_path"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load_model(path: Path, settings: Iterable[str] = ()) -> tuple[SceneModel, str]:
    """Read and validate the scene file at `path`.

    Parameters
    ----------
    path
        The file.
    settings
        Changes as ``"key=value"``, the key dotted as in ``simulation.flood.resolution``; entries
        of an array are named by their id, name or kind. The value is read as TOML, and as a plain
        string where it is none.

    Returns
    -------
    The scene and its text as it was given (with the changes written out as comments).

    Raises
    ------
    SceneError
        If the file cannot be read or does not fit; all faults at once.
    """
    data, text = read_toml(path)
    lines = key_lines(text)
    if "extends" in data:
        data = _inherit(data, path, seen=[path.resolve()])
    applied = []
    for setting in settings:
        _apply(data, setting)
        applied.append(setting)
    if applied:
        text += "\n# changed on the command line:\n" + "".join(f"#   --set {s}\n" for s in applied)
    try:
        scene = SceneModel.model_validate(data, context=FROM_FILE)
    except ValidationError as error:
        raise SceneError(explain(error, data, lines, path)) from None
    return scene, text


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Read a TOML file; raise `SceneError` that says where it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        folder = path.parent
        near = [p.as_posix() for p in [*folder.glob("*.toml"), *folder.glob("*/*.toml")]]
        hint = " " + did_you_mean(path.as_posix(), near) if near else ""
        raise SceneError(f"There is no scene file {path.as_posix()!r}.{hint}") from None
    except IsADirectoryError:
        inside = path / "scene.toml"
        hint = f" Did you mean {inside.as_posix()!r}?" if inside.is_file() else ""
        raise SceneError(f"{path.as_posix()!r} is a folder, not a scene file.{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"Cannot read {path.as_posix()!r}: {error}.") from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column \d+\)", str(error))
        where = f"{path.as_posix()}:{at[1]}" if at else path.as_posix()
        raise SceneError(f"{where}: this is not valid TOML: {error}.") from None


def resolve_path(path: Path, folder: Path) -> Path:
    """Expand ``${NAME}`` and ``${NAME:-default}`` in a scene's path, and take it from `folder`.

    Raises
    ------
    SceneError
        If an environment variable that has no default is not set.
    """

    def expand(match: re.Match[str]) -> str:
        value = os.environ.get(match[1]) or match[2]
        if value is None:
            raise SceneError(
                f"The path {path.as_posix()!r} needs the environment variable {match[1]}, which is "
                f"not set; set it to the folder that holds the data."
            )
        return value

    return folder / _VARIABLE.sub(expand, path.as_posix())


def _inherit(data: dict[str, Any], path: Path, seen: list[Path]) -> dict[str, Any]:
    parent_name = data.pop("extends")
    if not isinstance(parent_name, str):
        raise SceneError(f"{path.as_posix()!r}: extends must name one file, not {parent_name!r}.")
    parent_path = path.parent / parent_name
    if parent_path.resolve() in seen:
        raise SceneError(f"{path.as_posix()!r} extends itself through {parent_name!r}.")
    parent, _ = read_toml(parent_path)
    if "extends" in parent:
        parent = _inherit(parent, parent_path, [*seen, parent_path.resolve()])
    folder = Path(os.path.relpath(parent_path.parent, path.parent))
    return _merge(_rebase(parent, folder), data)


def _rebase(value: Any, folder: Path, key: str = "") -> Any:
    """Make the paths of an inherited scene relative to the heir."""
    path_keys = {"file", "fleet", "terrain", *_VECTORS}
    if isinstance(value, dict):
        return {k: _rebase(v, folder, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_rebase(v, folder, key) for v in value]
    if key in path_keys and isinstance(value, str) and not value.startswith(("/", "${")):
        return Path(os.path.normpath(folder / value)).as_posix()
    return value


_VECTORS = ("buildings", "streets", "water", "defences", "underpasses", "assembly_areas")


def _merge(parent: Any, child: Any) -> Any:
    if isinstance(parent, dict) and isinstance(child, dict):
        merged = dict(parent)
        for key, value in child.items():
            merged[key] = _merge(parent[key], value) if key in parent else value
        return merged
    if _is_tables(parent) and _is_tables(child):
        merged_list = list(parent)
        for entry in child:
            at = next((i for i, p in enumerate(merged_list) if _same_entry(p, entry)), None)
            if at is None:
                merged_list.append(entry)
            else:
                merged_list[at] = _merge(merged_list[at], entry)
        return merged_list
    return child


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _same_entry(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return label(a) is not None and label(a) == label(b)


def _apply(data: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    parts = [p.strip() for p in key.split(".")]
    if not equals or not all(parts):
        raise SceneError(f"--set {setting!r} is not of the form key=value, as in seed=7.")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    at: Any = data
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        if isinstance(at, list):
            index = int(part) if part.isdigit() else None
            if index is None:
                index = next(
                    (
                        i
                        for i, e in enumerate(at)
                        if isinstance(e, dict)
                        and part in {e.get("id"), e.get("name"), e.get("kind")}
                    ),
                    None,
                )
            if index is None or index >= len(at):
                known = [str(label(e)) for e in at if isinstance(e, dict)]
                raise SceneError(
                    f"--set {setting!r}: no entry {part!r}. {did_you_mean(part, known)}"
                )
            if last:
                at[index] = value
            else:
                at = at[index]
        elif isinstance(at, dict):
            if last:
                at[part] = value
            else:
                at = at.setdefault(part, {})
        else:
            raise SceneError(f"--set {setting!r}: {parts[position - 1]!r} has nothing below it.")

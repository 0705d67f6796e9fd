"""Messages for a scene file that does not fit: each names line, key, value and what is allowed.

Pydantic reports every alternative of a union that failed. Only the one that the author meant is of
use: the one with the fewest keys unknown or missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from twin.errors import did_you_mean
from twin.scene import model as models
from twin.scene.model import SceneModel
from twin.scene.toml_lines import line_of

__all__ = ["explain", "label"]

_TABLES = [m for m in vars(models).values() if isinstance(m, type) and issubclass(m, BaseModel)]

_TABLE_NAMES = {t.__name__ for t in _TABLES}


def label(entry: Mapping[str, Any]) -> Any:
    """Return what an entry of an array of tables goes by."""
    return entry.get("id") or entry.get("name") or entry.get("kind") or entry.get("file")


def explain(
    error: ValidationError,
    data: dict[str, Any],
    lines: dict[tuple[str | int, ...], int],
    path: Path,
) -> str:
    faults = []
    for place, details in _choose_branches(error.errors(include_url=False), data):
        number = line_of(place, lines)
        where = path.as_posix() + (f":{number}" if number else "")
        faults.append(f"{where}: {_dotted(place, data)}: {_say(place, details, data)}")
    faults = list(dict.fromkeys(faults))
    if len(faults) == 1:
        return faults[0]
    return f"{len(faults)} things in {path.as_posix()!r} do not fit:\n" + "\n".join(
        f"  {f}" for f in faults
    )


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _walk(loc: tuple[str | int, ...], data: Any) -> tuple[tuple[str | int, ...], list[str]]:
    """Split pydantic's location into the keys that the file has and the union tags between."""
    place: list[str | int] = []
    tags: list[str] = []
    at = data
    for step in loc:
        if _holds(at, step):
            at = at[step]
            place.append(step)
        else:
            tags.append(str(step))
    return tuple(place), tags


def _choose_branches(
    errors: list[ErrorDetails], data: dict[str, Any]
) -> list[tuple[tuple[str | int, ...], list[ErrorDetails]]]:
    """Of a union's alternatives keep the one that fits best; gather the rest by place."""
    branches: dict[tuple[str | int, ...], dict[str, list[ErrorDetails]]] = {}
    for details in errors:
        if details["type"] == "too_short" and _at(_walk(details["loc"], data)[0], data):
            continue  # only short because entries of it do not fit, which is said of each
        place, tags = _walk(details["loc"], data)
        union = _union_place(details["loc"], data) if tags else None
        key = place if union is None else union[0]
        branches.setdefault(key, {}).setdefault("" if union is None else union[1], []).append(
            details
        )
    chosen: list[tuple[tuple[str | int, ...], list[ErrorDetails]]] = []
    for key, by_tag in branches.items():
        options = [e for tag, e in by_tag.items() if tag]
        plain = by_tag.get("", [])
        if isinstance(_at(key, data), (dict, list)):
            tables = [e for tag, e in by_tag.items() if any(n in tag for n in _TABLE_NAMES)]
            options = sorted(tables or options, key=_misfit)[:1]
        else:
            options = [o for o in options if not _is_shape(o)] or options[:1]
        chosen.extend((_walk(details["loc"], data)[0], [details]) for details in plain)
        by_place: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
        for details in (e for o in options for e in o):
            single = details["type"] in {"missing", "extra_forbidden"}
            place = _walk(details["loc"], data)[0]
            if single:
                chosen.append((place, [details]))
            else:
                by_place.setdefault(place, []).append(details)
        chosen.extend(by_place.items())
    return chosen


def _misfit(errors: list[ErrorDetails]) -> tuple[int, int]:
    keys = sum(e["type"] in {"missing", "extra_forbidden"} for e in errors)
    return keys, len(errors)


def _is_shape(errors: list[ErrorDetails]) -> bool:
    shapes = {"model_type", "dict_type", "tuple_type", "model_attributes_type"}
    return all(e["type"] in shapes for e in errors)


def _union_place(loc: tuple[str | int, ...], data: Any) -> tuple[tuple[str | int, ...], str] | None:
    """Where the first union on the way branches: the place of its value, and the branch's tag.

    The tag of a discriminated union is the value of its ``kind``: that one has been decided.
    """
    place: list[str | int] = []
    at = data
    for position, step in enumerate(loc):
        if _holds(at, step):
            at = at[step]
            place.append(step)
        elif isinstance(at, dict) and at.get("kind") == step:
            continue
        elif position == len(loc) - 1 and isinstance(at, dict) and _is_field(str(step)):
            return None  # a key that is missing
        else:
            return tuple(place), str(step)
    return None


def _is_field(name: str) -> bool:
    return any(name in {f.alias or n for n, f in t.model_fields.items()} for t in _TABLES)


def _at(place: tuple[str | int, ...], data: Any) -> Any:
    for step in place:
        data = data[step]
    return data


def _dotted(place: tuple[str | int, ...], data: Any) -> str:
    words: list[str] = []
    at = data
    for step in place:
        at = at[step]
        if isinstance(step, int):
            name = label(at) if isinstance(at, dict) else None
            words[-1] += f"[{name or step}]"
        else:
            words.append(step)
    return ".".join(words) or "(the file)"


def _say(place: tuple[str | int, ...], details: list[ErrorDetails], data: dict[str, Any]) -> str:
    first = details[0]
    kind = first["type"]
    if kind == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"unknown key. {did_you_mean(name, _siblings(first['loc']))}"
    if kind == "missing":
        return f"the key {first['loc'][-1]!r} is missing."
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        context = first.get("ctx", {})
        found = context.get("tag")
        said = f"kind {found!r} is not known" if found else "the key 'kind' is missing"
        return f"{said}; allowed: {context.get('expected_tags', '')}."
    messages = [d["msg"].removeprefix("Value error, ").rstrip(".") + "." for d in details]
    text = " Or: ".join(dict.fromkeys(messages))
    value = _at(place, data)
    if not place or isinstance(value, (dict, list)) or repr(value) in text:
        return text
    return f"{value!r}: {text}"


def _siblings(loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the table allows in which an unknown one stands."""
    table: Any = SceneModel
    tables: list[type[BaseModel]] = [SceneModel]
    for step in loc[:-1]:
        following: list[type[BaseModel]] = []
        for table in tables:
            if isinstance(step, str):
                if table.__name__ == step:
                    following.append(table)
                    continue
                field = next(
                    (f for n, f in table.model_fields.items() if step in {n, f.alias}), None
                )
                if field is not None:
                    following.extend(_tables_in(field.annotation))
                elif "kind" in table.model_fields and step in str(
                    table.model_fields["kind"].annotation
                ):
                    following.append(table)
            else:
                following.append(table)
        tables = following or tables
    return sorted({f.alias or n for t in tables for n, f in t.model_fields.items()})


def _tables_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found.extend(_tables_in(argument))
    return found

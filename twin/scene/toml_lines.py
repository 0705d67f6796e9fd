"""In which line of a TOML file each key stands; `tomllib` does not say."""

from __future__ import annotations

import re

__all__ = ["key_lines", "line_of"]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_"'-]+)*)\s*=""")

Path = tuple[str | int, ...]


def key_lines(text: str) -> dict[Path, int]:
    """Return the line, counted from 1, of every table header and of every key at a line's start.

    Keys inside an inline table have no line of their own; `line_of` gives them that of the table.
    """
    lines: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            # an array inside an array of tables belongs to the latest entry of the outer one
            path: Path = ()
            parts = _split(header[2])
            for position, part in enumerate(parts):
                path = (*path, part)
                last = position == len(parts) - 1
                if path in arrays and not last:
                    path = (*path, arrays[path])
            if header[1] == "[[":
                arrays[path] = arrays.get(path, -1) + 1
                path = (*path, arrays[path])
            table = path
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_split(key[1])), number)
    return lines


def line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """Return the line of the key at `path`, or of the nearest thing that holds it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _split(dotted: str) -> list[str]:
    return [p.strip().strip("\"'") for p in dotted.split(".")]

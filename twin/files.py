"""Files written whole or not at all, and their fingerprints."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twin.errors import RunError, TwinError

__all__ = ["disk_errors", "replace_file", "sha256", "write_json", "write_text"]


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a path to write to beside `path`, and rename it onto `path` when all went well.

    On any failure the half-written file is removed and what stood at `path` still stands.
    """
    beside = path.with_name(f".{path.name}.writing")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            if beside.is_dir():
                shutil.rmtree(beside)
            else:
                beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with replace_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON with sorted keys, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a directory's files in the order of their names."""
    digest = hashlib.sha256()
    if path.is_dir():
        for item in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(item.relative_to(path).as_posix().encode())
            digest.update(sha256(item).encode())
        return digest.hexdigest()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def disk_errors(what: str, where: Path) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into one clear `RunError` about `what`.

    Libraries report a full disk in many ways (``OSError``, a GDAL or an Arrow error of their own);
    where the text does not say it, the free space of the disk does.
    """
    try:
        yield
    except TwinError:
        raise
    except Exception as error:
        reason = _disk_reason(error, where)
        if reason is None and isinstance(error, OSError) and error.filename:
            raise RunError(f"Cannot use {str(error.filename)!r}: {error.strerror}.") from error
        if reason is None:
            raise
        raise RunError(f"Cannot write {what} to {str(where)!r}: {reason}.") from error


def _disk_reason(error: Exception, where: Path) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error).lower()
    if number in {errno.ENOSPC, errno.EDQUOT} or "no space left" in text or "disk is full" in text:
        return "the disk is full. Free some space, or choose another place with --out"
    named = Path(str(error.filename)) if isinstance(error, OSError) and error.filename else None
    ours = named is None or where.resolve().parent in [named.resolve(), *named.resolve().parents]
    if number in {errno.EACCES, errno.EPERM, errno.EROFS} and ours:
        return "it may not be written to. Choose another place with --out, or mend its permissions"
    existing = next((p for p in [where, *where.parents] if p.exists()), None)
    if existing is not None:
        disk = os.statvfs(existing)
        if disk.f_bavail * disk.f_frsize < 1 << 16:
            return "the disk is full. Free some space, or choose another place with --out"
    return None

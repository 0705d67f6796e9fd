"""Where compiled kernels are kept between runs.

Numba's own cache notices a change in the file of a function, but not in the functions that it
calls from other files. One folder for each state of the sources leaves nothing stale.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from shutil import rmtree

__all__ = ["keep_compiled_code"]

#: Folders that have not been used for as long are removed, s.
KEPT_FOR = 30 * 86400.0


def keep_compiled_code() -> None:
    """Point Numba at the folder of these sources, unless ``NUMBA_CACHE_DIR`` names another.

    Idle threads are told to sleep: one that spins takes the core from whoever else computes.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twin"
    folder = home / f"numba-{_fingerprint(Path(__file__).parent)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        for other in home.glob("numba-*"):
            if time.time() - other.stat().st_mtime > KEPT_FOR:
                rmtree(other, ignore_errors=True)
    except OSError:
        return  # nowhere to keep it: Numba looks for a place of its own
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    else:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

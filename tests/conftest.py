"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real open data that is not part of the repository; the test is skipped without it."""
    folder = Path(os.environ.get("TWIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: set TWIN_SHARED_DATA to its folder ({folder} is none)")
    return folder


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """The folder of a small city with its scene, ``scene.toml``; see `tests/town.py`."""
    from town import make_town

    return make_town(tmp_path / "town")

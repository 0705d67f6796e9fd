"""A small town by a river, made by hand so that each picture can be checked against it."""

from __future__ import annotations

import pytest

from twin.render.probe import probe


@pytest.fixture(scope="session")
def gl() -> str:
    """The window class that draws here; tests that need one skip, saying why, where none does."""
    found = probe()
    if found.backend is None:
        pytest.skip(f"no OpenGL here: {found.reason}")
    return found.backend

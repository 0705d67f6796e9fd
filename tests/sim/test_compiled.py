"""Compiled kernels are kept where a change of any source leaves nothing stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twin.sim import _compiled


def ask(code: str, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=kept | environment,
    )
    return done.stdout.strip()


def test_the_folder_changes_with_any_source(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.py").write_text("y = 1")
    first = _compiled._fingerprint(tmp_path)
    assert first == _compiled._fingerprint(tmp_path)
    (tmp_path / "b" / "c.py").write_text("y = 2")
    assert first != _compiled._fingerprint(tmp_path)


def test_numba_is_pointed_at_it_before_or_after_its_import(tmp_path):
    home = {"XDG_CACHE_HOME": str(tmp_path)}
    before = ask("import twin.sim, numba; print(numba.config.CACHE_DIR)", **home)
    after = ask("import numba, twin.sim; print(numba.config.CACHE_DIR)", **home)
    assert before == after
    assert Path(before).parent == tmp_path / "twin"


def test_the_users_own_folder_stands(tmp_path):
    own = str(tmp_path / "mine")
    assert (
        ask("import twin.sim, os; print(os.environ['NUMBA_CACHE_DIR'])", NUMBA_CACHE_DIR=own) == own
    )


def test_folders_long_unused_are_removed(tmp_path):
    old = tmp_path / "twin" / "numba-0"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    ask("import twin.sim", XDG_CACHE_HOME=str(tmp_path))
    assert not old.exists()
    assert len(list((tmp_path / "twin").iterdir())) == 1


def test_no_place_to_keep_it_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert ask("import twin.sim; print('on')", XDG_CACHE_HOME=str(tmp_path / "file")) == "on"

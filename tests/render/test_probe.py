"""The probe says what can draw, and a broken OpenGL never kills the caller."""

import os
import subprocess
import sys

import pytest

from twin.errors import RenderError
from twin.render import probe as probing

ASK = """
from twin.errors import RenderError
from twin.render.probe import offscreen_backend
try:
    print("drew", offscreen_backend())
except RenderError as error:
    print("refused", error)
"""


def ask(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(
    any(os.path.exists(f"/usr/lib/{d}/libOSMesa.so.8") for d in ("x86_64-linux-gnu", ".")),  # noqa: PTH110
    reason="this machine has OSMesa, so that window class is not broken here",
)
def test_broken_opengl_is_an_error_with_a_cure_and_not_a_crash() -> None:
    # VTK itself dies of signal 11 in this environment
    done = ask(VTK_DEFAULT_OPENGL_WINDOW="vtkOSOpenGLRenderWindow")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused")
    assert "apt-get install --no-install-recommends libegl1 libgl1-mesa-dri" in done.stdout
    assert "vtkOSOpenGLRenderWindow: crashed (signal 11)" in done.stdout


def test_a_working_candidate_is_found_after_a_broken_one(gl: str) -> None:
    found = probing._try(("vtkOSOpenGLRenderWindow", gl), 60.0)
    if found.tried[0][1] == "ok":
        pytest.skip("this machine has OSMesa")
    assert found.backend == gl


def test_a_frame_of_the_wrong_colour_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_CHILD", "print('pixel', 0, 0, 0)")
    assert probing._attempt("any", 60.0) == "drew, but not what it was asked to"


def test_a_child_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_CHILD", "import time; time.sleep(60)")
    assert "no frame within" in probing._attempt("any", 0.5)


def test_a_window_without_a_display_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(RenderError, match=r"DISPLAY is not set.*--screenshot"):
        probing.window_backend()


def test_missing_vtk_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RenderError, match=r"pip install 'twin-sandbox\[render\]'"):
        probing.offscreen_backend()

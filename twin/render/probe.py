"""Find an OpenGL that works, without risking the process.

The VTK wheel brings no OpenGL of its own: it loads X11's, EGL's or OSMesa's when the first window
is made, and dies with a segmentation fault where none of them works. So each candidate first draws
one red frame in a child process, and only a child that shows red pixels is believed.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass

from twin.errors import RenderError

__all__ = ["CURE", "Probe", "offscreen_backend", "probe", "window_backend"]

#: What to do on a machine that cannot draw.
CURE = (
    "On Debian or Ubuntu: apt-get install --no-install-recommends libegl1 libgl1-mesa-dri "
    "(about 51 MB); elsewhere install Mesa's EGL or a graphics driver"
)

EGL, X11, OSMESA = "vtkEGLRenderWindow", "vtkXOpenGLRenderWindow", "vtkOSOpenGLRenderWindow"

#: VTK's own switch. Where it is set, only the window class that it names is tried.
OVERRIDE = "VTK_DEFAULT_OPENGL_WINDOW"

_CHILD = """
import sys
import vtkmodules.vtkRenderingOpenGL2 as gl
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
window = getattr(gl, sys.argv[1], vtkRenderWindow)()
window.SetOffScreenRendering(1)
window.SetMultiSamples(0)
window.SetSize(16, 16)
renderer = vtkRenderer()
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
pixels = vtkUnsignedCharArray()
window.GetPixelData(0, 0, 15, 15, 0, pixels, 0)
print("pixel", *(pixels.GetValue(3 * 136 + k) for k in range(3)))
"""


@dataclass(frozen=True)
class Probe:
    """What came out of trying the candidates.

    Parameters
    ----------
    backend
        Name of the first VTK window class that drew, or None.
    tried
        Candidate → "ok" or why not, in the order tried.
    """

    backend: str | None
    tried: tuple[tuple[str, str], ...]

    @property
    def reason(self) -> str:
        """The failures in one line."""
        return "; ".join(f"{name}: {outcome}" for name, outcome in self.tried if outcome != "ok")


def _attempt(candidate: str, timeout: float) -> str:
    """Draw one frame with `candidate` in a child process; return "ok" or the reason."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, candidate],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no frame within {timeout:.0f} s"
    if child.returncode < 0:
        return f"crashed (signal {-child.returncode})"
    if child.returncode > 0:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        return f"failed ({last})"
    if "pixel 255 0 0" not in child.stdout:
        return "drew, but not what it was asked to"
    return "ok"


@functools.lru_cache(maxsize=8)
def _try(candidates: tuple[str, ...], timeout: float) -> Probe:
    tried: list[tuple[str, str]] = []
    for candidate in candidates:
        outcome = _attempt(candidate, timeout)
        tried.append((candidate, outcome))
        if outcome == "ok":
            return Probe(candidate, tuple(tried))
    return Probe(None, tuple(tried))


def probe(*, window: bool = False, timeout: float = 60.0) -> Probe:
    """Try what this machine might draw with; the answer is kept for the rest of the process.

    Parameters
    ----------
    window
        Whether a window on a display is wanted, rather than a picture without one.
    timeout
        Seconds that each candidate may take.
    """
    if importlib.util.find_spec("vtkmodules") is None:
        return Probe(None, (("vtk", "not installed"),))
    if not sys.platform.startswith("linux"):
        return _try(("vtkRenderWindow",), timeout)
    display = bool(os.environ.get("DISPLAY"))
    if window:
        return _try((X11,), timeout) if display else Probe(None, (("display", "DISPLAY not set"),))
    wanted = os.environ.get(OVERRIDE)
    candidates = (wanted,) if wanted else (EGL, X11, OSMESA) if display else (EGL, OSMESA)
    return _try(candidates, timeout)


def offscreen_backend() -> str:
    """Return the VTK window class that draws pictures here; raise `RenderError` with the cure."""
    found = probe()
    if found.backend is None:
        raise RenderError(f"3D pictures need {_missing(found)}")
    return found.backend


def window_backend() -> str:
    """Return the VTK window class that opens a window here, or raise `RenderError`."""
    found = probe(window=True)
    if found.backend is not None:
        return found.backend
    if ("display", "DISPLAY not set") in found.tried:
        raise RenderError(
            "The interactive view needs a display, and DISPLAY is not set. Draw a picture instead "
            '(`--screenshot view.png`, or `screenshot="view.png"` in Python), run it under '
            "`xvfb-run`, or log in with `ssh -X`."
        )
    raise RenderError(f"The interactive view needs {_missing(found)}")


def _missing(found: Probe) -> str:
    if found.tried == (("vtk", "not installed"),):
        return "VTK, which is not installed: pip install 'twin-sandbox[render]'."
    return f"OpenGL, and none works here ({found.reason}). {CURE}."

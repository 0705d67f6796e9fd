"""twin: a digital-twin city sandbox.

A city from GIS and BIM sources, joined to live sensors, on which flood and crowd are rehearsed
together. The names below are all that a planner types; each loads what it needs when first used,
so ``import twin`` itself is quick.

>>> import twin
>>> twin.__version__
'0.1.0'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from twin._version import __version__

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.geo.grid import Grid
    from twin.render.viewer import view
    from twin.run import Run
    from twin.scene import Scene
    from twin.sim.crowd import Crowd
    from twin.sim.flood import Flood

__all__ = ["City", "Crowd", "Flood", "Grid", "Run", "Scene", "__version__", "view"]

_HOMES = {
    "City": "twin.geo.city",
    "Crowd": "twin.sim.crowd",
    "Flood": "twin.sim.flood",
    "Grid": "twin.geo.grid",
    "Run": "twin.run",
    "Scene": "twin.scene",
    "view": "twin.render.viewer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'twin' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

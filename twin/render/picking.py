"""What lies under a pixel: one ray from the camera, against the triangles that are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.vtkCommonCore import mutable
from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

from twin.render.layers import DrawnRelief, DrawnSolids
from twin.render.picture import Picture
from twin.render.stage import Gauge, Relief, Sheet, Solids

__all__ = ["Hit", "Picker", "facts"]

#: A gauge is taken when its head or its label is within as many pixels (at design size).
REACH = 12.0


@dataclass(frozen=True)
class Hit:
    """What was found.

    Parameters
    ----------
    layer
        Key of the layer.
    place
        Where the ray meets it, local frame, m.
    owner
        Position of the object in its layer; None on the ground.
    gauge
        The gauge, where it is one.
    """

    layer: str
    place: tuple[float, float, float]
    owner: int | None = None
    gauge: Gauge | None = None


class Picker:
    """Finds what lies under a pixel of a picture; search trees are built when first needed."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._locators: dict[str, Any] = {}

    def pick(self, x: float, y: float) -> Hit | None:
        """Return what lies under a pixel, counted from the lower left; None in the sky."""
        gauge = self._gauge(x, y)
        if gauge is not None:
            return gauge
        near, far = self.ray(x, y)
        best: tuple[float, Hit] | None = None
        for key, drawn in self.picture.layers.items():
            if not drawn.visible or not isinstance(drawn, DrawnSolids | DrawnRelief):
                continue
            data = drawn.data if isinstance(drawn, DrawnSolids) else drawn.mesh
            if data.GetNumberOfCells() == 0:
                continue
            found = self._locator(key, data)
            along: Any = mutable(0.0)
            cell: Any = mutable(-1)
            place = [0.0, 0.0, 0.0]
            if found.IntersectWithLine(near, far, 1e-6, along, place, [0.0] * 3, mutable(0), cell):
                shape, owner = drawn.layer.shape, None
                if isinstance(shape, Solids):
                    owner = int(shape.mesh.owner[int(cell)])
                distance = float(along)
                if best is None or distance < best[0]:
                    best = distance, Hit(key, (place[0], place[1], place[2]), owner)
        return None if best is None else best[1]

    def ray(self, x: float, y: float) -> tuple[list[float], list[float]]:
        """Return the points of the near and the far clipping plane behind a pixel."""
        renderer = self.picture.renderer
        ends = []
        for depth in (0.0, 1.0):
            renderer.SetDisplayPoint(x, y, depth)
            renderer.DisplayToWorld()
            point = renderer.GetWorldPoint()
            ends.append([point[k] / point[3] for k in range(3)])
        return ends[0], ends[1]

    def _locator(self, key: str, data: Any) -> Any:
        if key not in self._locators:
            locator = vtkStaticCellLocator()
            locator.SetDataSet(data)
            locator.BuildLocator()
            self._locators[key] = locator
        return self._locators[key]

    def _gauge(self, x: float, y: float) -> Hit | None:
        for gauge, sprite, head in self.picture.labels:
            px, py, _ = self.picture.project(head)[0]
            close = np.hypot(px - x, py - y) < REACH * self.picture.scale
            if self.picture.shows_gauges and (close or sprite.covers(x, y)):
                return Hit("gauges", gauge.place, gauge=gauge)
        return None


def facts(picture: Picture, hit: Hit) -> tuple[str, list[tuple[str, str]]]:
    """Return a heading and what is known of what was hit, as keys and values."""
    stage = picture.stage
    x, y = hit.place[:2]
    clock = stage.clock
    if hit.gauge is not None:
        time = None if clock is None else float(clock.times[picture.index])
        quantity = hit.gauge.quantity.replace("_", " ")
        return hit.gauge.name, [("id", hit.gauge.id), (quantity, hit.gauge.text(time) or "–")]
    layer = stage.layer(hit.layer)
    shape = layer.shape
    if isinstance(shape, Solids) and hit.owner is not None:
        row = shape.table.iloc[hit.owner]
        heading = str(row.get("name") or "") or f"{layer.name} {row.name}"
        rows = [("id", str(row.name))]
        rows += [_fact(key, value) for key, value in row.items() if key != "name" and _known(value)]
        return heading, rows[:14]
    rows = [
        ("easting", f"{x + stage.origin[0]:,.1f} m".replace(",", " ")),
        ("northing", f"{y + stage.origin[1]:,.1f} m".replace(",", " ")),
    ]
    if isinstance(shape, Relief):
        rows.append(("elevation", f"{float(shape.height(x, y)):.2f} m"))
    for water in stage.of(Sheet):
        depth = _depth(water.shape, x, y, picture.index)
        if np.isfinite(depth):
            rows.append(("water depth", f"{depth:.2f} m"))
    return "Ground", rows


def _depth(sheet: Any, x: float, y: float, index: int) -> float:
    """Water depth at a point, m; NaN outside."""
    values: npt.NDArray[np.float32] = sheet.depth(index)
    row, col = int((sheet.north - y) // sheet.cell), int((x - sheet.west) // sheet.cell)
    inside = 0 <= row < values.shape[0] and 0 <= col < values.shape[1]
    return float(values[row, col]) if inside else float("nan")


def _known(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value)
    if isinstance(value, bool | np.bool_):
        return True
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))


#: Endings of column names that say the unit.
_UNITS = {"_m": "m", "_m2": "m²", "_ms": "m/s", "_s": "s"}


def _fact(key: str, value: Any) -> tuple[str, str]:
    """Return a column's name in words and its value with the unit that the name ends with."""
    ending = next((e for e in _UNITS if key.endswith(e)), "")
    words = key.removesuffix(ending).replace("_", " ")
    if isinstance(value, bool | np.bool_):
        return words, "yes" if value else "no"
    if isinstance(value, str):
        return words, value
    if ending == "_s":
        minutes, seconds = divmod(round(float(value)), 60)
        hours, minutes = divmod(minutes, 60)
        return words, f"T+{hours:02d}:{minutes:02d}:{seconds:02d}"
    number = f"{int(value)}" if float(value).is_integer() else f"{float(value):.2f}"
    return words, f"{number} {_UNITS[ending]}".strip() if ending else number

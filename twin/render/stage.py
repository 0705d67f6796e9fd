"""What is shown, when and from where: plain data, no graphics library.

A `Stage` is made from a City or a Run and handed to whoever draws it (a picture, a window, a map).
Its coordinates are metres east and north of `Stage.origin`, so that single precision is enough;
elevations are those of the city's vertical datum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from twin.errors import RenderError, did_you_mean
from twin.render.camera import Bounds, Camera, triple
from twin.render.palette import AGENTS, Palette
from twin.render.shapes import Mesh

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.run import Run

__all__ = [
    "INSIDE",
    "Camera",
    "Clock",
    "Gauge",
    "Layer",
    "People",
    "Pins",
    "Relief",
    "Sheet",
    "Solids",
    "Stage",
]

#: What the key of a layer begins with that shows a building's inside.
INSIDE = "inside-"

FloatArray = npt.NDArray[np.float64]
Legend = tuple[tuple[tuple[int, int, int], str], ...]


@dataclass(frozen=True)
class Relief:
    """The ground.

    Parameters
    ----------
    elevation
        float32[row, col], m, row 0 in the north; NaN where unknown.
    west, north, cell
        Outer corner of cell [0, 0] and edge of a cell, m.
    water
        bool[row, col], where water always is.
    """

    elevation: npt.NDArray[np.float32]
    west: float
    north: float
    cell: float
    water: npt.NDArray[np.bool_]

    def height(self, x: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
        """Return the ground's elevation at points, bilinear, the rim's beyond the rim; m."""
        rows, cols = self.elevation.shape
        c = np.clip((np.asarray(x, float) - self.west) / self.cell - 0.5, 0, cols - 1)
        r = np.clip((self.north - np.asarray(y, float)) / self.cell - 0.5, 0, rows - 1)
        c0, r0 = (
            np.minimum(c.astype(int), max(cols - 2, 0)),
            np.minimum(r.astype(int), max(rows - 2, 0)),
        )
        c1, r1 = np.minimum(c0 + 1, cols - 1), np.minimum(r0 + 1, rows - 1)
        fc, fr = c - c0, r - r0
        z = self.elevation
        upper = z[r0, c0] * (1 - fc) + z[r0, c1] * fc
        lower = z[r1, c0] * (1 - fc) + z[r1, c1] * fc
        return np.asarray(upper * (1 - fr) + lower * fr, dtype=np.float64)


@dataclass(frozen=True)
class Solids:
    """Objects made of triangles.

    Parameters
    ----------
    mesh
        All of them in one.
    colours
        uint8[n, 3], one for each object.
    table
        What is known of each object, a DataFrame indexed by id, in the order of the owners.
    lit
        Whether light falls on them; what lies flat keeps its plain colour.
    edges
        Whether their sharp edges are drawn.
    plan
        Their outlines seen from above, polygons in the order of the owners, for maps; empty for
        what no map shows.
    legend
        What the colours mean.
    """

    mesh: Mesh
    colours: npt.NDArray[np.uint8]
    table: Any
    lit: bool = True
    edges: bool = False
    plan: Sequence[Any] = ()
    legend: Legend = ()


@dataclass(frozen=True)
class Sheet:
    """Water that changes over time.

    Parameters
    ----------
    ground
        float32[row, col], what the water stands on, m.
    west, north, cell
        Outer corner of cell [0, 0] and edge of a cell, m.
    still
        bool[row, col], where water always is and its depth tells nothing.
    blocked
        bool[row, col], buildings that no water enters; it is drawn on to their walls.
    depth
        Answers the water depth float32[row, col], m, at a position of the clock.
    palette
        Classes of depth.
    """

    ground: npt.NDArray[np.float32]
    west: float
    north: float
    cell: float
    still: npt.NDArray[np.bool_]
    blocked: npt.NDArray[np.bool_]
    depth: Callable[[int], npt.NDArray[np.float32]]
    palette: Palette


@dataclass(frozen=True)
class People:
    """People over time.

    Parameters
    ----------
    at
        Answers places (float32[n, 3], m) and states (uint8[n], positions in `states`) at a
        position of the clock.
    states
        Names of the states that occur at any time.
    """

    at: Callable[[int], tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]]
    states: tuple[str, ...]

    @property
    def legend(self) -> Legend:
        """Colour and meaning of each state, in the order of `states`."""
        return tuple((AGENTS.get(s, AGENTS["walking"]), f"People {s}") for s in self.states)


@dataclass(frozen=True)
class Gauge:
    """A place where something is measured, simulated or both.

    Times are seconds since the start; values are in `unit`.
    """

    id: str
    name: str
    place: tuple[float, float, float]
    quantity: str
    unit: str
    simulated: tuple[FloatArray, FloatArray] | None = None
    observed: tuple[FloatArray, FloatArray] | None = None

    def value(self, time: float) -> float:
        """Return the value at a time, simulated before observed; NaN where there is none."""
        for series in (self.simulated, self.observed):
            if series is not None and len(series[0]):
                return float(np.interp(time, *series, left=np.nan, right=np.nan))
        return float("nan")

    def text(self, time: float | None) -> str:
        """Return the value at a time with its unit, empty where there is none."""
        value = float("nan") if time is None else self.value(time)
        if not np.isfinite(value):
            return ""
        digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
        number = f"{value:z.{digits}f}".replace("-", "−")
        return f"{number} {self.unit}"


@dataclass(frozen=True)
class Pins:
    """Gauges, shown as pins with a name and the value of the time."""

    gauges: tuple[Gauge, ...]

    #: Most gauges that have a label when all of a place is seen.
    MOST: ClassVar[int] = 10

    @property
    def foremost(self) -> list[Gauge]:
        """The gauges worth a label where there is room for few: those of water come first."""
        ranked = sorted(self.gauges, key=lambda g: not g.quantity.startswith("water"))
        return ranked[: self.MOST]


Shape = Relief | Solids | Sheet | People | Pins


@dataclass(frozen=True)
class Layer:
    """A thing that can be shown or hidden.

    Parameters
    ----------
    key
        Short name for commands ("buildings").
    name
        What a person reads.
    shape
        What it is.
    visible
        Whether it is shown at first.
    """

    key: str
    name: str
    shape: Shape
    visible: bool = True


@dataclass(frozen=True)
class Clock:
    """The times that can be shown.

    Parameters
    ----------
    times
        Seconds since `start`, ascending.
    start
        With the time zone in which the clock is read.
    """

    times: FloatArray
    start: datetime

    def __len__(self) -> int:
        return len(self.times)

    def nearest(self, time: float) -> int:
        """Return the position of the time nearest to `time`, s."""
        return int(np.argmin(np.abs(self.times - time)))

    def elapsed(self, index: int) -> str:
        """Return the time since the start, as "T+02:35", with seconds where there are some."""
        seconds = round(float(self.times[index]))
        sign, seconds = ("−", -seconds) if seconds < 0 else ("+", seconds)
        minutes, seconds = divmod(seconds, 60)
        text = f"T{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        return text + (f":{seconds:02d}" if seconds else "")

    def local(self, index: int) -> str:
        """Return the date and time of day, with its offset from UTC."""
        moment = self.start + timedelta(seconds=round(float(self.times[index])))
        seconds = ":%S" if moment.second else ""
        offset = moment.strftime("%z")
        zone = "UTC" if offset in {"+0000", ""} else f"UTC{offset[:3]}:{offset[3:]}"
        return moment.strftime(f"%Y-%m-%d %H:%M{seconds}") + f" {zone}"


@dataclass(frozen=True)
class Stage:
    """All that is shown.

    Parameters
    ----------
    title, note
        What stands at the top of a picture, and the line about sources at its foot.
    crs
        Reference system of `origin`.
    origin
        Easting and northing of the local frame's zero, m.
    bounds
        West, south, east, north in the local frame, m.
    layers
        From the ground up.
    clock
        None where nothing changes.
    """

    title: str
    note: str
    crs: str
    origin: tuple[float, float]
    bounds: Bounds
    layers: tuple[Layer, ...]
    clock: Clock | None = None

    @classmethod
    def from_city(cls, city: City, *, title: str = "", note: str = "") -> Stage:
        """Show a city: ground, water, streets, defences, buildings, interiors."""
        from twin.render.staging import city_stage

        return city_stage(city, title=title, note=note)

    @classmethod
    def from_run(cls, run: Run, *, city: City | None = None) -> Stage:
        """Show what happened in a run: its city, and flood, people and gauges over time."""
        from twin.render.staging import run_stage

        return run_stage(run, city=city)

    def layer(self, key: str) -> Layer:
        """Return a layer by its key, or raise `RenderError` with those there are."""
        for layer in self.layers:
            if layer.key == key:
                return layer
        known = [layer.key for layer in self.layers]
        raise RenderError(f"There is no layer {key!r}. {did_you_mean(key, known)}")

    def showing(self, visible: Mapping[str, bool]) -> Stage:
        """Return the stage with layers shown or hidden, by key."""
        for key in visible:
            self.layer(key)
        layers = tuple(
            replace(layer, visible=visible.get(layer.key, layer.visible)) for layer in self.layers
        )
        return replace(self, layers=layers)

    def find(self, name: str) -> tuple[float, float, float]:
        """Return the middle of a layer or of the object with this id or name, local frame.

        Raises
        ------
        RenderError
            If there is none.
        """
        low, high = self._extent(name)
        return triple((low + high) / 2)

    def closeup(self, name: str) -> Camera:
        """Look at a layer or at the object with this id or name, from near enough to see it well.

        Raises
        ------
        RenderError
            If there is none.
        """
        low, high = self._extent(name)
        radius = max(60.0, 0.45 * float(np.linalg.norm(high - low)))
        return Camera.look_at(triple((low + high) / 2), radius=radius)

    def _called(self, words: str) -> str:
        """Return the id or name that is meant: the very one, or the only one that holds `words`."""
        known: dict[str, None] = {}
        for layer in self.layers:
            shape = layer.shape
            if isinstance(shape, Pins):
                known |= dict.fromkeys(n for g in shape.gauges for n in (g.id, g.name))
            elif isinstance(shape, Solids):
                known |= dict.fromkeys([layer.key, layer.name, *map(str, shape.table.index)])
                if "name" in shape.table:
                    known |= dict.fromkeys(map(str, shape.table["name"].dropna()))
        if words in known:
            return words
        holding = [name for name in known if words.casefold() in name.casefold()]
        if len(holding) == 1:
            return holding[0]
        said = "Several things on the stage have" if holding else "Nothing on the stage has"
        raise RenderError(
            f"{said} the id or name {words!r}. {did_you_mean(words, holding or known)}"
        )

    def _extent(self, words: str) -> tuple[FloatArray, FloatArray]:
        """Return the lowest and the highest coordinates of what has this id or name."""
        name = self._called(words)
        for layer in self.layers:
            shape = layer.shape
            if isinstance(shape, Pins):
                for gauge in shape.gauges:
                    if name in {gauge.id, gauge.name}:
                        return np.array(gauge.place), np.array(gauge.place)
            elif isinstance(shape, Solids):
                vertices = shape.mesh.vertices
                if name not in {layer.key, layer.name}:
                    match = shape.table.index == name
                    if "name" in shape.table:
                        match = match | (shape.table["name"] == name).to_numpy()
                    if not match.any():
                        continue
                    faces = shape.mesh.faces[shape.mesh.owner == int(np.argmax(match))]
                    vertices = vertices[faces.ravel()]
                if len(vertices):
                    return vertices.min(axis=0).astype(float), vertices.max(axis=0).astype(float)
        raise RenderError(f"{name!r} has no shape on the stage that could be looked at.")

    def height_of_flood(self) -> int:
        """Return the position of the clock that shows most: much water, and people in it.

        Of the times with at least 60 % of the most water, that with the most people; among equals
        the one with the most water. Where nothing is ever wet or about, the last.
        """
        if self.clock is None:
            return 0
        tried = np.unique(np.linspace(0, len(self.clock) - 1, 32).astype(int))
        wet, about = np.zeros(len(tried)), np.zeros(len(tried))
        for layer in self.layers:
            shape = layer.shape
            if isinstance(shape, Sheet):
                least = shape.palette.edges[0]
                wet += [((shape.depth(int(i)) >= least) & ~shape.still).sum() for i in tried]
            elif isinstance(shape, People):
                about += [len(shape.at(int(i))[0]) for i in tried]
        if wet.any() or about.any():
            about[wet < 0.6 * wet.max()] = -1
            return int(tried[np.lexsort((wet, about))[-1]])
        return len(self.clock) - 1

    def of(self, kind: type[Any]) -> list[Layer]:
        """Return the layers of one kind of shape."""
        return [layer for layer in self.layers if isinstance(layer.shape, kind)]

    @property
    def heights(self) -> tuple[float, float]:
        """Lowest ground and highest vertex, m."""
        low, high = np.inf, -np.inf
        for layer in self.layers:
            if isinstance(layer.shape, Relief):
                low = min(low, float(np.nanmin(layer.shape.elevation)))
                high = max(high, float(np.nanmax(layer.shape.elevation)))
            elif isinstance(layer.shape, Solids) and len(layer.shape.mesh.vertices):
                high = max(high, float(layer.shape.mesh.vertices[:, 2].max()))
        return (low, high) if np.isfinite([low, high]).all() else (0.0, 30.0)

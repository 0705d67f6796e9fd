"""A building from inside: levels to walk on, rooms, doors, stairs, and the exits to the city."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from twin.errors import InputError
from twin.files import replace_file
from twin.geo.findings import concat, findings

__all__ = ["OUTSIDE", "Interior", "Mesh"]

#: Where a stair or a door leads that leaves the building.
OUTSIDE = "outside"

#: Columns of the layers, each indexed by `id`.
LAYERS = {
    "levels": ("name", "elevation_m"),
    "spaces": ("name", "level", "use"),
    "doors": ("name", "level", "width_m", "kind", "from_space", "to_space"),
    "stairs": ("name", "kind", "lower", "upper", "width_m", "lower_m", "upper_m"),
    "exits": ("name", "kind", "level", "width_m"),
}
NUMBERS = {"elevation_m", "width_m", "lower_m", "upper_m"}
EDGES = ("lower_edge", "upper_edge")

#: Rooms that meet along less than this are held to be apart, m.
NARROWEST = 0.5


class Mesh(NamedTuple):
    """The body of one element, to be drawn."""

    id: str
    ifc_class: str
    name: str
    level: str | None
    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]


@dataclass(eq=False)
class Interior:
    """What people walk through inside a building, in the city's system and datum, m.

    Parameters
    ----------
    name, source
        Of the model, and the file that it was read from.
    crs
        Projected reference system of all coordinates.
    georeference
        How the model was placed: "method" and the numbers.
    levels
        Floors and half landings: name, elevation_m, and the walkable area, which leaves out
        walls, columns, equipment and the footprints of stairs.
    spaces
        Rooms: name, level, use, and the floor as the model has it.
    doors
        name, level, width_m, kind ("door", "gate" or "opening"), the line across it, and the rooms
        on its two sides: from_space, to_space ("outside" for a way out, None where no room is).
    stairs
        Flights: name, kind ("stair", "escalator" or "ramp"), lower and upper (id of a level, or
        "outside"), width_m, lower_m and upper_m (elevations), the plan, and the edges where it
        meets the levels: lower_edge, upper_edge. A level ends exactly at the edge.
    exits
        name, kind ("stair" or "door"), level that one comes from, width_m, and the line that one
        steps over. Its id is that of the stair or door.
    notes
        What had to be assumed while reading.
    """

    name: str
    source: str
    crs: str
    georeference: dict[str, Any]
    levels: gpd.GeoDataFrame
    spaces: gpd.GeoDataFrame
    doors: gpd.GeoDataFrame
    stairs: gpd.GeoDataFrame
    exits: gpd.GeoDataFrame
    notes: list[str] = field(default_factory=list)
    _meshes: list[Mesh] | None = field(default_factory=list, repr=False)
    _folder: Path | None = field(default=None, repr=False)

    @property
    def meshes(self) -> list[Mesh]:
        """Bodies of the elements; read when first asked for."""
        if self._meshes is None:
            file = None if self._folder is None else self._folder / "meshes.npz"
            self._meshes = [] if file is None or not file.exists() else _read_meshes(file)
        return self._meshes

    def graph(self) -> pd.DataFrame:
        """Return how rooms, levels and exits hang together, one row for each way.

        Returns
        -------
        DataFrame
            from, to
                Ids of spaces, of levels without spaces (half landings), or of exits (in `to`).
            via
                Id of the door or stair; "open" where rooms meet without one.
            width_m
                Clear width of the way.
        """
        rows = [*self._by_doors(), *self._by_stairs(), *self._open()]
        return pd.DataFrame(rows, columns=["from", "to", "via", "width_m"])

    def _by_doors(self) -> Iterator[tuple[str, str, str, float]]:
        for id_, door in self.doors.iterrows():
            apart = door.from_space != door.to_space
            if apart and isinstance(door.from_space, str) and isinstance(door.to_space, str):
                to = str(id_) if door.to_space == OUTSIDE else door.to_space
                yield door.from_space, to, str(id_), float(door.width_m)

    def _by_stairs(self) -> Iterator[tuple[str, str, str, float]]:
        for id_, stair in self.stairs.iterrows():
            ends = []
            for level, edge in ((stair.lower, stair.lower_edge), (stair.upper, stair.upper_edge)):
                if level in self.levels.index:
                    ends.append(self._node(level, edge))
                elif level == OUTSIDE:
                    ends.append(str(id_))
            if len(ends) == 2:
                start, end = ends if ends[0] != id_ else ends[::-1]
                yield start, end, str(id_), float(stair.width_m)

    def _node(self, level: str, edge: BaseGeometry) -> str:
        """Return the room next to an edge, or its level where that has no rooms."""
        rooms = self.spaces[self.spaces["level"] == level]
        if rooms.empty:
            return level
        middle = edge.interpolate(0.5, normalized=True)
        return str(rooms.geometry.distance(middle).idxmin())

    def _open(self) -> Iterator[tuple[str, str, str, float]]:
        """Find the rooms that meet without a door between them."""
        reach = 0.05  # rooms touch where they are drawn within a tenth of a metre
        for level, rooms in self.spaces.groupby("level", sort=False):
            if level not in self.levels.index:
                continue
            walkable = self.levels.geometry[level]
            ways = self.doors.geometry[self.doors["level"] == level].tolist()
            closed = shapely.union_all(shapely.buffer(ways, 0.4, cap_style="flat"))
            grown = shapely.buffer(rooms.geometry.to_numpy(), reach, join_style="mitre")
            tree = shapely.STRtree(grown)
            for i, j in zip(*tree.query(grown, predicate="intersects"), strict=True):
                if i < j:
                    seam = shapely.intersection(shapely.intersection(grown[i], grown[j]), walkable)
                    width = float(shapely.difference(seam, closed).area / (2 * reach))
                    if width > NARROWEST:
                        yield rooms.index[i], rooms.index[j], "open", round(width, 2)

    def check(self) -> gpd.GeoDataFrame:
        """Return findings: what would keep people inside, or in the wrong place."""
        layer = f"interior {self.name}"
        found = []

        def tell(code: str, severity: str, message: str, objects: gpd.GeoDataFrame) -> None:
            if len(objects):
                found.append(findings(layer, code, severity, message, objects=objects))

        if self.levels.empty:
            found.append(
                findings(layer, "no-levels", "error", "There is no floor to walk on.", crs=self.crs)
            )
        if self.exits.empty:
            found.append(
                findings(layer, "no-exits", "error", "Nothing leads outside.", crs=self.crs)
            )
        ends = self.stairs[["lower", "upper"]]
        loose = ~(ends.isin(self.levels.index) | (ends == OUTSIDE)).all(axis=1)
        tell(
            *("loose-stair", "warning", "The stair joins no level at one of its ends."),
            self.stairs[loose],
        )
        blind = self.doors[self.doors["to_space"].isna() & self.doors["from_space"].notna()]
        tell(
            *("blind-door", "info", "The door has a room on one side and nothing on the other."),
            blind,
        )
        leads_out = self._reaches_exit()
        bare = self.levels[~self.levels.index.isin(self.spaces["level"])]
        for nodes, kind in ((self.spaces, "room"), (bare, "level")):
            lost = nodes[~nodes.index.isin(list(leads_out))]
            tell("isolated", "warning", f"No way leads from this {kind} to an exit.", lost)
        return concat(found, self.crs)

    def _reaches_exit(self) -> set[str]:
        """Return the ids of rooms and levels from which an exit can be reached."""
        neighbours: dict[str, set[str]] = {}
        for start, end in self.graph()[["from", "to"]].itertuples(index=False):
            neighbours.setdefault(start, set()).add(end)
            neighbours.setdefault(end, set()).add(start)
        reached: set[str] = set()
        ahead = [i for i in self.exits.index if i in neighbours]
        while ahead:
            node = ahead.pop()
            if node not in reached:
                reached.add(node)
                ahead += neighbours[node]
        return reached

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a directory: one GeoParquet file a layer, the meshes, and interior.json.

        It is written beside its place and renamed; one that is there already is replaced.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(target) as beside:
            shutil.rmtree(beside, ignore_errors=True)  # of a save that was killed
            beside.mkdir()
            for name in LAYERS:
                getattr(self, name).to_parquet(beside / f"{name}.parquet")
            if self.meshes:
                _write_meshes(beside / "meshes.npz", self.meshes)
            about = {
                key: getattr(self, key)
                for key in ("name", "source", "crs", "georeference", "notes")
            }
            text = json.dumps(about, indent=1, ensure_ascii=False)
            (beside / "interior.json").write_text(text + "\n", encoding="utf-8")
            if target.exists():
                shutil.rmtree(target)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Interior:
        """Read what `save` wrote; the meshes only when they are asked for."""
        folder = Path(path)
        try:
            about = json.loads((folder / "interior.json").read_text(encoding="utf-8"))
            layers = {name: gpd.read_parquet(folder / f"{name}.parquet") for name in LAYERS}
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder} is not a whole interior ({error}). Read the model again and save it."
            ) from error
        return cls(**about, **layers, _meshes=None, _folder=folder)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self, name))} {name}" for name in LAYERS)
        return f"<Interior {self.name!r}: {counts}>"


def layer(name: str, rows: list[dict[str, Any]], crs: str) -> gpd.GeoDataFrame:
    """Build a layer from rows of its columns, "id" and "geometry"; `crs` is that of the shapes."""
    columns = LAYERS[name]
    edges = EDGES if name == "stairs" else ()
    data: dict[str, Any] = {}
    for column in columns:
        values = [row[column] for row in rows]
        data[column] = pd.Series(values, dtype="float64" if column in NUMBERS else None)
    for column in edges:
        data[column] = gpd.GeoSeries([row[column] for row in rows], crs=crs)
    shapes = gpd.GeoSeries([row["geometry"] for row in rows], crs=crs)
    frame = gpd.GeoDataFrame(data, geometry=shapes)
    frame.index = pd.Index([row["id"] for row in rows], name="id")
    return frame


def _write_meshes(file: Path, meshes: list[Mesh]) -> None:
    """Write meshes as ragged arrays."""

    def offsets(sizes: list[int]) -> npt.NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    arrays: dict[str, Any] = {
        key: np.array([getattr(m, key) or "" for m in meshes], dtype=np.str_) for key in _TEXT
    }
    arrays["vertices"] = np.concatenate([m.vertices for m in meshes])
    arrays["faces"] = np.concatenate([m.faces for m in meshes])
    arrays["vertex_offsets"] = offsets([len(m.vertices) for m in meshes])
    arrays["face_offsets"] = offsets([len(m.faces) for m in meshes])
    np.savez_compressed(file, **arrays)


_TEXT = ("id", "ifc_class", "name", "level")


def _read_meshes(file: Path) -> list[Mesh]:
    with np.load(file, allow_pickle=False) as stored:
        data = {key: stored[key] for key in stored.files}
    v, f = data["vertex_offsets"], data["face_offsets"]
    ids, classes, names, levels = (data[key].tolist() for key in _TEXT)
    return [
        Mesh(
            ids[i],
            classes[i],
            names[i],
            levels[i] or None,
            data["vertices"][v[i] : v[i + 1]],
            data["faces"][f[i] : f[i + 1]],
        )
        for i in range(len(ids))
    ]

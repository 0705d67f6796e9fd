"""A small town by a river, made by hand so that each picture can be checked against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import LineString, Polygon, box

from twin.geo.grid import Grid
from twin.render.probe import probe
from twin.render.stage import Gauge, Layer, Pins, Stage

CRS = "EPSG:32651"
WEST, SOUTH, EAST, NORTH = BOUNDS = (356200.0, 3455800.0, 356600.0, 3456100.0)
CELL = 2.0
TIMES = np.arange(7) * 600.0
QUADS = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
BOX = np.array([[q[i] for i in t] for q in QUADS for t in ((0, 1, 2), (0, 2, 3))])
USES = ("residential", "office", "retail", "school")


@pytest.fixture(scope="session")
def gl() -> str:
    """The window class that draws here; tests that need one skip, saying why, where none does."""
    found = probe()
    if found.backend is None:
        pytest.skip(f"no OpenGL here: {found.reason}")
    return found.backend


def frame(rows: dict[str, Any], geometry: list[Any], prefix: str) -> gpd.GeoDataFrame:
    index = pd.Index([f"{prefix}{k}" for k in range(len(geometry))], name="id")
    return gpd.GeoDataFrame(rows, geometry=geometry, index=index, crs=CRS)


def ground(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rises to the east and, less, to the north; a river runs along the west, deeper south."""
    u, v = x - WEST, y - SOUTH
    return 1.0 + 0.01 * u + 0.003 * v - (6.0 - 0.005 * v) * np.exp(-(((u - 40) / 22) ** 2))


def block(low: tuple[float, ...], high: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A box as an interior's mesh, in the city's coordinates."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    vertices = [(x + WEST, y + SOUTH, z) for z in (z0, z1) for x, y in corners]
    return np.array(vertices), BOX


def hall() -> SimpleNamespace:
    """An underground hall: a floor, a roof, a column and a wall."""
    parts = [
        ("f", "IfcSlab", "Floor", (220.0, 100.0, -6.5), (280.0, 140.0, -6.0)),
        ("r", "IfcSlab", "Roof", (220.0, 100.0, -1.0), (280.0, 140.0, -0.5)),
        ("c", "IfcColumn", "Column", (249.0, 119.0, -6.0), (251.0, 121.0, -1.0)),
        ("w", "IfcWall", "Wall", (220.0, 139.0, -6.0), (280.0, 140.0, -1.0)),
    ]
    levels = pd.DataFrame({"name": ["Hall"], "elevation_m": [-6.0]}, index=["l"])
    meshes = [(i, kind, name, "l", *block(low, high)) for i, kind, name, low, high in parts]
    return SimpleNamespace(meshes=meshes, levels=levels)


@dataclass
class Town:
    """Answers as `twin.geo.city.City` does."""

    crs: str = CRS
    vertical_datum: str = "EPSG:5737"
    bounds: tuple[float, float, float, float] = BOUNDS
    interiors: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        grid = Grid.from_bounds(CRS, BOUNDS, CELL)
        x, y = np.meshgrid(grid.x, grid.y)
        self.terrain = SimpleNamespace(elevation=ground(x, y).astype(np.float32), grid=grid)
        boxes, heights = [], []
        for k in range(50):
            east, north = WEST + 110 + 28 * (k % 10), SOUTH + 30 + 55 * (k // 10)
            boxes.append(box(east, north, east + 16, north + 20 + k % 3))
            heights.append(8.0 + (k * 7) % 40)
        count = len(boxes)
        centres = shapely.get_coordinates(shapely.centroid(boxes))
        self.buildings = frame(
            {
                "name": [f"House {k}" for k in range(count)],
                "height_m": heights,
                "height_source": "attribute",
                "storeys": [round(h / 3) for h in heights],
                "use": [USES[k % 4] for k in range(count)],
                "ground_m": ground(*centres.T),
            },
            boxes,
            "b",
        )
        street = [
            LineString([(WEST + 100, SOUTH + 22), (EAST - 5, SOUTH + 22)]),
            LineString([(WEST + 102, SOUTH + 5), (WEST + 102, NORTH - 5)]),
        ]
        self.streets = frame(
            {"name": ["Quay Street", "East Road"], "kind": ["primary", "residential"],
             "width_m": [9.0, 7.0], "walkable": True, "drivable": True},
            street, "s",
        )  # fmt: skip
        river = Polygon(
            [(WEST + 5, SOUTH), (WEST + 75, SOUTH), (WEST + 75, NORTH), (WEST + 5, NORTH)]
        )
        self.water = frame({"name": ["River"], "kind": ["river"], "bed_m": [np.nan]}, [river], "w")
        wall = LineString([(WEST + 84, SOUTH + 60), (WEST + 84, NORTH)])
        gate = LineString([(WEST + 84, SOUTH + 40), (WEST + 84, SOUTH + 60)])
        self.defences = frame(
            {"name": ["Wall", "Gate"], "kind": ["wall", "gate"], "crest_m": [4.5, 4.5],
             "sill_m": [np.nan, 1.5]},
            [wall, gate], "d",
        )  # fmt: skip
        park = box(EAST - 40, NORTH - 40, EAST - 5, NORTH - 5)
        self.assembly_areas = frame({"name": ["Park"], "capacity": [500.0]}, [park], "a")

        self.interiors = {"hall": hall()}

    def bed(self, grid: Grid) -> np.ndarray:
        x, y = np.meshgrid(grid.x, grid.y)
        return ground(x, y)

    def building_cells(self, grid: Grid) -> np.ndarray:
        return grid.rasterize(self.buildings.geometry, np.arange(len(self.buildings)) + 1)

    def solids(self) -> SimpleNamespace:
        vertices, faces = [], []
        for k, row in enumerate(self.buildings.itertuples()):
            corners = [
                (x - WEST, y - SOUTH) for x, y in box(*row.geometry.bounds).exterior.coords[:4]
            ]
            low, high = row.ground_m - 0.5, row.ground_m + row.height_m
            vertices += [(*c, low) for c in corners] + [(*c, high) for c in corners]
            faces.append(BOX + 8 * k)
        return SimpleNamespace(
            vertices=np.array(vertices, np.float32),
            faces=np.concatenate(faces).astype(np.int32),
            face_owner=np.repeat(np.arange(len(self.buildings)), 12).astype(np.int32),
            origin=np.array([WEST, SOUTH, 0.0]),
        )


def flood_level(time: float, y: np.ndarray) -> np.ndarray:
    """The river rises; its surface falls a little to the north, so that no mirror image fits."""
    return 1.2 + 2.4 * time / 3600.0 - 0.002 * (y - SOUTH)


class TownRun:
    """Answers as `twin.run.Run` does."""

    title = "Riverside town, 100-year flood"
    start = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)
    simulations = {"flood": "flood", "crowd": "crowd"}  # noqa: RUF012
    times = TIMES
    lock = {"scene": {"name": "town", "notice": "A made-up town."}}  # noqa: RUF012
    city_path = observations_path = Path("nowhere")

    def __init__(self, town: Town) -> None:
        grid = Grid.from_bounds(CRS, BOUNDS, CELL)
        _, y = np.meshgrid(grid.x, grid.y)
        bed = town.bed(grid)
        depth = np.stack([np.maximum(flood_level(t, y) - bed, 0.0) for t in TIMES])
        depth[:, grid.rasterize(town.buildings.geometry) > 0] = 0.0
        self.depth = depth.astype(np.float32)
        self._grid = grid

    def fields(self, simulation: str) -> list[str]:
        return ["depth"] if simulation == "flood" else []

    def field(self, simulation: str, name: str) -> np.ndarray:
        return self.depth

    def grid(self, simulation: str) -> dict[str, Any]:
        g = self._grid
        return {"crs": CRS, "west": g.west, "north": g.north, "cell_size": CELL, "shape": g.shape}

    def series(self) -> pd.DataFrame:
        return pd.DataFrame()

    def impacts(self) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame(
            {"id": ["b0"], "layer": ["buildings"], "simulation": ["flood"],
             "max_depth_m": [0.83], "arrival_s": [1800.0]},
            geometry=[shapely.Point(0, 0)],
        )  # fmt: skip

    def agents(self) -> pd.DataFrame:
        rows = []
        for t in TIMES:
            for k in range(120):
                x = WEST + 110 + (k % 20) * 8 + 0.03 * t
                y = SOUTH + 50 + (k // 20) * 55
                z = float(ground(np.array(x), np.array(y)))
                rows.append((t, "crowd", k, x, y, z, "street", "walking"))
        names = ["time", "simulation", "id", "x", "y", "z", "surface", "state"]
        return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="session")
def town() -> Town:
    return Town()


@pytest.fixture(scope="session")
def town_run(town: Town) -> TownRun:
    return TownRun(town)


@pytest.fixture(scope="session")
def stage(town: Town, town_run: TownRun) -> Stage:
    """The town's flood with two gauges."""
    made = Stage.from_run(town_run, city=town)  # type: ignore[arg-type]
    levels = np.array([float(flood_level(t, np.array(SOUTH + 100))) for t in TIMES])
    gauges = (
        Gauge("g1", "Quay gauge", (60.0, 100.0, 1.0), "water_level", "m", (TIMES, levels),
              (TIMES[:4], levels[:4] + 0.05)),
        Gauge("g2", "Rain gauge", (330.0, 250.0, 5.0), "rainfall", "mm/h", (TIMES, TIMES / 100)),
    )  # fmt: skip
    layers = (*made.layers, Layer("gauges", "Gauges", Pins(gauges)))
    return Stage(made.title, made.note, made.crs, made.origin, made.bounds, layers, made.clock)

"""A small city with its scene: real files, a real broker, minutes of flood and crowd."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine

WEST, SOUTH, EAST, NORTH = 500_000.0, 3_450_000.0, 500_160.0, 3_450_120.0
CRS = "EPSG:32651"
START = datetime.fromisoformat("2026-07-01T08:00:00+08:00")

SCENE = """\
schema = "1"
name = "small"
title = "A small town"
notice = "Invented for tests."
seed = 5

[domain]
crs = "EPSG:32651"
vertical_datum = "EPSG:5737"
bounds = ["500000 m", "3450000 m", "500160 m", "3450120 m"]

[city]
terrain = "terrain.tif"
buildings = "buildings.gpkg"
streets = "streets.gpkg"
assembly_areas = "assembly.gpkg"

[clock]
start = 2026-07-01T08:00:00+08:00
duration = "5 min"

[sensors]
broker = "embedded"
fleet = "fleet.csv"
replay = { file = "readings.csv", speed = "max" }

[[simulation]]
kind = "flood"
resolution = "4 m"
rain = { gauges = true }

[[simulation]]
kind = "crowd"
place = ["500010 m", "3450010 m", "500040 m", "3450040 m"]
people = 30
pre_movement = ["0 s", "30 s"]
reach = "200 m"

[output]
every = "1 min"
frames = 4
checkpoint = "0.001 s"
"""


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    """A rectangle in metres from the town's south-western corner."""
    return shapely.box(WEST + x0, SOUTH + y0, WEST + x1, SOUTH + y1)


def line(*points: tuple[float, float]) -> shapely.LineString:
    """A line in metres from the town's south-western corner."""
    return shapely.LineString([(WEST + x, SOUTH + y) for x, y in points])


def write_layer(path: Path, **columns: list) -> None:
    """Write a GeoPackage of one layer, called as the file."""
    gpd.GeoDataFrame(columns, crs=CRS).to_file(path, layer=path.stem)


def make_town(folder: Path) -> Path:
    """Write the town into a new folder; its scene file is ``scene.toml``."""
    folder.mkdir()
    (folder / "scene.toml").write_text(SCENE, encoding="utf-8")
    x, y = np.meshgrid(np.arange(80) * 2.0 + 1, 120 - np.arange(60) * 2.0 - 1)
    ground = 3.0 + 0.004 * x - 0.6 * np.exp(-((x - 90) ** 2 + (y - 50) ** 2) / 400)
    with rasterio.open(
        folder / "terrain.tif",
        "w",
        driver="GTiff",
        width=80,
        height=60,
        count=1,
        dtype="float32",
        crs=CRS,
        transform=Affine(2.0, 0, WEST, 0, -2.0, NORTH),
    ) as dataset:
        dataset.write(ground.astype(np.float32), 1)
    write_layer(
        folder / "buildings.gpkg",
        id=["b-1", "b-2", "b-3"],
        name=["Town hall", "School", "Mill"],
        height_m=[18.0, 9.0, np.nan],
        storeys=[None, 3, 4],
        use=["office", "school", None],
        geometry=[box(20, 60, 50, 90), box(64, 56, 84, 72), box(110, 20, 140, 44)],
    )
    write_layer(
        folder / "streets.gpkg",
        id=["s-1", "s-2"],
        name=["Main Street", "Mill Lane"],
        kind=["residential", "footway"],
        width_m=[8.0, 3.0],
        geometry=[line((0, 50), (160, 50)), line((90, 0), (90, 120))],
    )
    write_layer(
        folder / "assembly.gpkg",
        id=["a-1"],
        name=["Hill park"],
        capacity=[200],
        geometry=[box(120, 90, 150, 115)],
    )
    (folder / "fleet.csv").write_text(
        "id,name,property,unit,topic,x,y,minimum,maximum\n"
        f"rain-1,Town hall roof,rainfall,mm/h,town/rain/1,{WEST + 30},{SOUTH + 70},0,500\n"
        f"level-1,Hollow,water_level,m,town/level/1,{WEST + 90},{SOUTH + 50},0,10\n"
    )
    rows = ["time,datastream,value"]
    for minute in range(-10, 15):
        at = (START + timedelta(minutes=minute)).isoformat()
        rows.append(f"{at},rain-1,{120 if minute >= 0 else 0}")
        rows.append(f"{at},level-1,{2.76 + 0.01 * max(minute, 0):.3f}")
    (folder / "readings.csv").write_text("\n".join(rows) + "\n")
    return folder

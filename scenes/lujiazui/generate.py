"""Make the data of the scene: ``python -m twin.scenes.lujiazui.generate [--out DIR]``.

With the same versions of the libraries the same bytes come out each time. The metro station is
made apart, by `twin.scenes.lujiazui.station`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from twin.scenes.lujiazui.buildings import raise_buildings
from twin.scenes.lujiazui.day import fleet, readings
from twin.scenes.lujiazui.landmarks import Building
from twin.scenes.lujiazui.plan import (
    CREST,
    FAIRWAY_BED,
    FLOOR,
    KEPT_IN_POND,
    ORIGIN,
    POND_BED,
    SIDE,
    SILL,
    Plan,
    draw,
)
from twin.scenes.lujiazui.terrain import CELL, elevation

__all__ = ["FILES", "generate", "main"]

CRS = "EPSG:32651"
VERTICAL_DATUM = "EPSG:5737"
#: What `generate` writes.
FILES = (
    "assembly_areas.gpkg",
    "buildings.gpkg",
    "defences.gpkg",
    "fleet.csv",
    "readings.csv.gz",
    "streets.gpkg",
    "terrain.tif",
    "underpasses.gpkg",
    "water.gpkg",
)

#: Put as the time of last change into GeoPackages, so that they are the same each time.
_WRITTEN = "2026-01-01T00:00:00.000Z"


def generate(out: Path) -> None:
    """Write all files of the scene but the station into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    plan = draw()
    ground = elevation(plan)
    buildings = raise_buildings(plan)
    _write_layers(out, plan, buildings)
    _write_terrain(out / "terrain.tif", ground)

    level = ground.astype(np.float64)
    sensors = fleet(plan)
    head = ("id", "name", "property", "unit", "topic", "x", "y", "minimum", "maximum")
    (out / "fleet.csv").write_bytes(_table(head, (s.row() for s in sensors)))
    record = _table(("time", "datastream", "value"), readings(plan, level, buildings, sensors))
    (out / "readings.csv.gz").write_bytes(gzip.compress(record, 9, mtime=0))


def _write_layers(out: Path, plan: Plan, buildings: list[Building]) -> None:
    _write(
        out,
        "buildings",
        [b.shape for b in buildings],
        id=[f"sh-{i:04d}" for i in range(1, len(buildings) + 1)],
        name=[b.name for b in buildings],
        height_m=[b.height for b in buildings],
        storeys=[b.storeys for b in buildings],
        use=[b.use for b in buildings],
    )
    _write(
        out,
        "streets",
        [s.line for s in plan.streets],
        id=[f"st-{i:03d}" for i in range(1, len(plan.streets) + 1)],
        name=[s.name for s in plan.streets],
        kind=[s.kind for s in plan.streets],
        width_m=[s.width for s in plan.streets],
        lanes=[s.lanes for s in plan.streets],
        walkable=[s.walkable for s in plan.streets],
        drivable=[s.drivable for s in plan.streets],
    )
    _write(
        out,
        "water",
        [plan.fairway, plan.shallows, plan.pond],
        id=["huangpu-fairway", "huangpu-bank", "green-pond"],
        name=["Huangpu River 黄浦江", "Huangpu River, bank 黄浦江岸坡", "Pond 中心绿地水池"],
        kind=["river", "river", "lake"],
        bed_m=[FAIRWAY_BED, None, POND_BED],
        level_m=[None, None, POND_BED + KEPT_IN_POND],
    )
    walls = {f"wall-{i}": line for i, line in enumerate(plan.walls, start=1)}
    gates = {"gate-1": "Pearl pier gate 明珠码头闸门", "gate-2": "Ferry gate 东昌路渡口闸门"}
    _write(
        out,
        "defences",
        [*walls.values(), *(plan.gates[g] for g in gates)],
        id=[*walls, *gates],
        name=[*["Pudong flood wall 浦东防汛墙"] * len(walls), *gates.values()],
        kind=[*["wall"] * len(walls), *["gate"] * len(gates)],
        crest_m=[CREST] * (len(walls) + len(gates)),
        sill_m=[*[None] * len(walls), *[SILL] * len(gates)],
    )
    _write(
        out,
        "underpasses",
        [plan.underpass],
        id=["underpass-1"],
        name=["Pudong South Road underpass 浦东南路下立交"],
        floor_m=[FLOOR],
    )
    _write(
        out,
        "assembly_areas",
        [area for _, _, area in plan.assembly],
        id=[f"assembly-{i}" for i in range(1, len(plan.assembly) + 1)],
        name=[name for name, _, _ in plan.assembly],
        capacity=[capacity for _, capacity, _ in plan.assembly],
    )


def _write(
    out: Path, layer: str, shapes: Sequence[shapely.Geometry], **columns: Sequence[object]
) -> None:
    """Write one layer as a GeoPackage of its own, moved to its place."""
    import geopandas
    import pandas
    import pyogrio

    placed = [shapely.transform(s, lambda xy: np.round(xy + ORIGIN, 2)) for s in shapes]
    frame = geopandas.GeoDataFrame(columns, geometry=placed, crs=CRS)
    if "storeys" in frame:
        frame["storeys"] = frame["storeys"].astype(pandas.Int32Dtype())
    path = out / f"{layer}.gpkg"
    path.unlink(missing_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _WRITTEN})
    try:
        pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _write_terrain(path: Path, ground: npt.NDArray[np.float32]) -> None:
    import rasterio
    from affine import Affine

    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=1, crs=CRS, nodata=-9999.0,
        height=ground.shape[0], width=ground.shape[1],
        transform=Affine(CELL, 0.0, ORIGIN[0], 0.0, -CELL, ORIGIN[1] + SIDE),
        tiled=True, blockxsize=256, blockysize=256, compress="deflate", predictor=3, zlevel=9,
    ) as tif:  # fmt: skip
        tif.write(ground, 1)
        tif.set_band_description(1, "bare-earth elevation")
        tif.set_band_unit(1, "m")
        tif.update_tags(VERTICAL_DATUM=VERTICAL_DATUM, AREA_OR_POINT="Area")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="generate", description="Make the data of the scene.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data", metavar="DIR")
    out = parser.parse_args(arguments).out
    generate(out)
    for name in FILES:
        print(f"{(out / name).stat().st_size:>9,} bytes  {out / name}")


if __name__ == "__main__":
    main()

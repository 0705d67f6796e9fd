"""The data that ships with the Lujiazui scene: what it must hold, and that it can be made again."""

from __future__ import annotations

import csv
import gzip
import importlib.resources
import itertools
import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from pyproj import Transformer
from scipy.ndimage import label
from twin.scenes.lujiazui import station
from twin.scenes.lujiazui.generate import FILES, generate

DATA = Path(str(importlib.resources.files("twin.scenes"))) / "lujiazui" / "data"
BOUNDS = (356200.0, 3455800.0, 358200.0, 3457800.0)
#: Highest level of the river on the recorded day, m.
HIGH_WATER = 4.3

#: Published latitude, longitude (degrees, WGS 84) and height (m) of the landmark towers.
TOWERS = {
    "Shanghai Tower": (31 + 14 / 60 + 7.8 / 3600, 121 + 30 / 60 + 3.6 / 3600, 632.0),
    "Shanghai World Financial Center": (31 + 14 / 60 + 12 / 3600, 121 + 30 / 60 + 10 / 3600, 492.0),
    "Jin Mao Tower": (31 + 14 / 60 + 14 / 3600, 121 + 30 / 60 + 5 / 3600, 420.5),
    "Oriental Pearl Tower": (31 + 14 / 60 + 31 / 3600, 121 + 29 / 60 + 42 / 3600, 468.0),
    "Shanghai IFC North Tower": (31 + 14 / 60 + 20.6 / 3600, 121 + 29 / 60 + 52.1 / 3600, 260.0),
    "Shanghai IFC South Tower": (31 + 14 / 60 + 18.8 / 3600, 121 + 29 / 60 + 48.5 / 3600, 250.0),
}


def read(layer: str) -> gpd.GeoDataFrame:
    return gpd.read_file(DATA / f"{layer}.gpkg", layer=layer).set_index("id")


@pytest.fixture(scope="module")
def buildings() -> gpd.GeoDataFrame:
    return read("buildings")


@pytest.fixture(scope="module")
def streets() -> gpd.GeoDataFrame:
    return read("streets")


@pytest.fixture(scope="module")
def carriageways(streets):
    return shapely.union_all(
        shapely.buffer(streets.geometry.values, streets.width_m.values / 2, cap_style="flat")
    )


@pytest.fixture(scope="module")
def terrain() -> np.ndarray:
    with rasterio.open(DATA / "terrain.tif") as tif:
        return tif.read(1)


@pytest.fixture(scope="module")
def readings() -> list[tuple[datetime, str, float]]:
    with gzip.open(DATA / "readings.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time", "datastream", "value"]
    return [(datetime.fromisoformat(t), sid, float(v)) for t, sid, v in rows[1:]]


@pytest.fixture(scope="module")
def fleet() -> dict[str, dict[str, str]]:
    with (DATA / "fleet.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("layer", "columns"),
    [
        ("buildings", {"name", "height_m", "storeys", "use"}),
        ("streets", {"name", "kind", "width_m", "lanes", "walkable", "drivable"}),
        ("water", {"name", "kind", "bed_m", "level_m"}),
        ("defences", {"name", "kind", "crest_m", "sill_m"}),
        ("underpasses", {"name", "floor_m"}),
        ("assembly_areas", {"name", "capacity"}),
    ],
)
def test_each_layer_is_whole(layer, columns):
    frame = read(layer)
    assert pyogrio.read_info(DATA / f"{layer}.gpkg", layer=layer)["crs"] == "EPSG:32651"
    assert set(frame.columns) == columns | {"geometry"}
    assert frame.index.is_unique
    assert frame.geometry.is_valid.all()
    west, south, east, north = frame.total_bounds
    assert west >= BOUNDS[0]
    assert south >= BOUNDS[1]
    assert east <= BOUNDS[2]
    assert north <= BOUNDS[3]


def test_data_stays_small():
    assert sum((DATA / name).stat().st_size for name in FILES) < 2e6


def test_buildings_are_many_and_varied(buildings):
    assert len(buildings) >= 600
    uses = {"office", "residential", "retail", "hotel", "school", "hospital", "culture", "station"}
    assert set(buildings.use) == uses
    assert (shapely.get_num_interior_rings(buildings.geometry.values) > 0).sum() >= 20
    # what defaults are there for
    assert (buildings.height_m.isna() & buildings.storeys.notna()).sum() >= 10
    assert (buildings.height_m.isna() & buildings.storeys.isna()).sum() >= 3
    assert buildings.height_m.dropna().between(3, 632).all()


@pytest.mark.parametrize("name", TOWERS)
def test_towers_stand_where_published(buildings, name):
    latitude, longitude, height = TOWERS[name]
    tower = buildings[buildings.name.fillna("").str.match(rf"{name} [一-鿿]")]
    assert len(tower) == 1
    assert tower.height_m.item() == height
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:32651", always_xy=True)
    published = shapely.Point(to_grid.transform(longitude, latitude))
    assert tower.geometry.item().centroid.distance(published) < 30


def test_buildings_overlap_nothing(buildings, carriageways):
    shapes = buildings.geometry.values
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes, predicate="intersects")
    pairs = first < second
    shared = shapely.area(shapely.intersection(shapes[first[pairs]], shapes[second[pairs]]))
    assert shared.max(initial=0.0) < 1e-6
    others = [carriageways, *read("water").geometry, *read("underpasses").geometry]
    others += list(read("assembly_areas").geometry)
    others += list(shapely.buffer(read("defences").geometry.values, 2.0))
    for other in others:
        assert not tree.query(other, predicate="overlaps").size
        assert not tree.query(other, predicate="contains").size


def test_station_exits_open_onto_free_ground(buildings, streets, terrain):
    hull = shapely.Polygon(station.STATION_OUTLINE)
    assert buildings.distance(hull).min() > 4
    walkable = shapely.union_all(streets.geometry[streets.walkable].values)
    for exit_ in station.EXITS:
        here = shapely.Point(exit_.at)
        assert buildings.distance(here).min() > 20
        assert walkable.distance(here) < 1
        row, col = int((BOUNDS[3] - here.y) / 2), int((here.x - BOUNDS[0]) / 2)
        around = terrain[row - 1 : row + 2, col - 1 : col + 2]
        np.testing.assert_allclose(around, station.STREET_LEVEL, atol=0.005)


def test_safe_ground_is_high_and_near(terrain):
    areas = read("assembly_areas")
    assert len(areas) >= 3
    street_level = float(np.median(terrain[terrain > 2.5]))
    for area in areas.geometry:
        row, col = int((BOUNDS[3] - area.centroid.y) / 2), int((area.centroid.x - BOUNDS[0]) / 2)
        assert terrain[row, col] > street_level + 0.3
        walk = min(area.centroid.distance(shapely.Point(e.at)) for e in station.EXITS)
        assert 150 < walk < 500


def test_streets_are_one_noded_network(streets, carriageways):
    meets = defaultdict(set)
    for line in streets.geometry:
        a, b = line.coords[0], line.coords[-1]
        meets[a].add(b)
        meets[b].add(a)
    reached, todo = set(), [next(iter(meets))]
    while todo:
        node = todo.pop()
        if node not in reached:
            reached.add(node)
            todo += meets[node]
    assert len(reached) == len(meets)

    # on the surface no two lines cross but at their ends
    surface = streets[streets.kind != "underpass"]
    tree = shapely.STRtree(surface.geometry.values)
    assert not tree.query(surface.geometry.values, predicate="crosses").size
    assert streets.name.str.contains(r"[一-鿿]").all()
    assert (streets.kind == "footway").sum() >= 10
    assert not streets.walkable[streets.kind == "underpass"].any()


def test_terrain_is_the_stated_raster(terrain):
    with rasterio.open(DATA / "terrain.tif") as tif:
        assert tif.crs.to_epsg() == 32651
        assert tuple(tif.bounds) == BOUNDS
        assert tif.res == (2.0, 2.0)
        assert tif.nodata == -9999
        assert tif.tags()["VERTICAL_DATUM"] == "EPSG:5737"
        assert tif.profile["tiled"]
    assert terrain.min() > -2.5  # river not deeper than 7 m at high water
    assert terrain.max() < 4.6
    assert np.abs(terrain * 100 - np.round(terrain * 100)).max() < 1e-3


def test_wall_runs_from_edge_to_edge():
    defences = read("defences")
    assert (defences.crest_m == 5.2).all()
    line = shapely.line_merge(shapely.union_all(defences.geometry.values))
    assert line.geom_type == "LineString"
    ends = sorted(line.coords[i] for i in (0, -1))
    assert ends[0][1] == BOUNDS[1]
    assert ends[1][0] == BOUNDS[2]
    gates = defences[defences.kind == "gate"]
    assert list(gates.index) == ["gate-1", "gate-2"]
    assert gates.length.between(24, 30).all()
    assert gates.sill_m.between(2.5, 2.7).all()


@pytest.mark.parametrize("cell", [4, 8])
@pytest.mark.parametrize("opened", [None, "gate-1", "gate-2"])
def test_wall_holds_high_water_unless_a_gate_is_open(terrain, cell, opened):
    """Flood fill of all that lies below high water, from the river, over 4 neighbours."""
    k, n = cell // 2, 2000 // cell
    bed = terrain.astype(float).reshape(n, k, n, k).mean(axis=(1, 3))
    for defence in read("defences").itertuples():
        level = defence.sill_m if defence.Index == opened else defence.crest_m
        for row, col in _cells_along(defence.geometry, cell):
            bed[row, col] = max(bed[row, col], level)
    parts, _ = label(bed < HIGH_WATER)
    river = parts[n // 2, 0]
    assert river > 0
    assert (parts[: 60 // cell, :] == river).all()  # the whole northern edge is river
    for gauge in ((357114.0, 3457057.0), (357200.0, 3456360.0), (357940.0, 3456372.0)):
        row, col = int((BOUNDS[3] - gauge[1]) / cell), int((gauge[0] - BOUNDS[0]) / cell)
        assert (parts[row, col] == river) == (opened is not None)


def _cells_along(line, cell):
    """Cells that a line passes, each sharing a side with the one before."""
    before = None
    for at in np.append(np.arange(0, line.length, cell / 20), line.length):
        p = line.interpolate(at)
        here = (
            min(int((BOUNDS[3] - p.y) / cell), 2000 // cell - 1),
            min(int((p.x - BOUNDS[0]) / cell), 2000 // cell - 1),
        )
        if before is not None and here[0] != before[0] and here[1] != before[1]:
            yield before[0], here[1]
        yield here
        before = here


def test_underpass_dips_under_the_street(terrain, streets):
    cover = read("underpasses").iloc[0]
    ground = terrain[int((BOUNDS[3] - cover.geometry.centroid.y) / 2),
                     int((cover.geometry.centroid.x - BOUNDS[0]) / 2)]  # fmt: skip
    assert 4.5 < ground - cover.floor_m < 5.5
    tunnel = streets[streets.kind == "underpass"].geometry.item()
    assert tunnel.crosses(cover.geometry)
    # the ramps come down to the portals without a step
    along = [tunnel.interpolate(d) for d in np.arange(0, tunnel.length, 2.0)]
    bed = [
        cover.floor_m
        if cover.geometry.contains(p)
        else terrain[int((BOUNDS[3] - p.y) / 2), int((p.x - BOUNDS[0]) / 2)]
        for p in along
    ]
    assert np.abs(np.diff(bed)).max() < 0.35
    assert min(bed[0], bed[-1]) > 2.5


def test_fleet_is_the_one_asked_for(fleet):
    counts = Counter(row["property"] for row in fleet.values())
    assert counts["water_level"] >= 8
    assert counts["rainfall"] >= 6
    assert counts["people_flow"] >= 8
    topics = [row["topic"] for row in fleet.values()]
    assert len(set(topics)) == len(topics)
    assert fleet["gauge-07"]["topic"] == "sh/pudong/level/07"
    river = read("water").geometry[["huangpu-fairway", "huangpu-bank"]]
    for name in ("gauge-01", "gauge-02", "gauge-07"):
        place = shapely.Point(float(fleet[name]["x"]), float(fleet[name]["y"]))
        assert river.contains(place).any()


def test_readings_are_a_whole_day(readings, fleet):
    start = datetime.fromisoformat("2026-07-01T00:00:00+08:00")
    by_stream = defaultdict(dict)
    for time, sid, value in readings:
        assert math.isfinite(value)
        assert start <= time <= start + timedelta(days=1)
        by_stream[sid][time] = value
    assert set(by_stream) == set(fleet)

    river = by_stream["gauge-07"]
    crest = max(river, key=river.get)
    assert river[crest] == pytest.approx(HIGH_WATER, abs=0.02)
    assert timedelta(hours=9) <= crest - start <= timedelta(hours=10)
    for sid, row in fleet.items():
        if row["property"] == "rainfall":
            times = sorted(by_stream[sid])
            hours = [(t - start).total_seconds() / 3600 for t in times]
            total = np.trapezoid([by_stream[sid][t] for t in times], hours)
            assert 100 < total < 150

    # the street by the ferry gate answers after the gate has opened at 08:40
    inside = by_stream["gauge-08"]
    before = inside[start + timedelta(hours=8, minutes=39)]
    after = inside[start + timedelta(hours=9)]
    assert after - before > 0.3


def test_readings_have_the_flaws_that_the_readme_tells(readings, fleet):
    twice = Counter((time, sid) for time, sid, _ in readings)
    assert sum(n - 1 for n in twice.values()) == 5
    outside = [
        (sid, value)
        for _, sid, value in readings
        if not float(fleet[sid]["minimum"]) <= value <= float(fleet[sid]["maximum"])
    ]
    assert outside == [("gauge-04", 12.75)]
    late = [
        sid
        for (time, sid, _), (before, *_) in zip(readings[1:], readings, strict=False)
        if time < before
    ]
    assert set(late) <= {"gauge-05", "gauge-06"}
    assert late.count("gauge-05") == 1
    times = sorted(time for time, sid, _ in readings if sid == "gauge-10")
    assert max(b - a for a, b in itertools.pairwise(times)) > timedelta(minutes=30)


def test_generator_makes_the_same_again(tmp_path):
    generate(tmp_path)
    for name in FILES:
        made, kept = (tmp_path / name).read_bytes(), (DATA / name).read_bytes()
        if made == kept:
            continue
        # other versions of GDAL or zlib write the same content in other bytes
        if name.endswith(".gpkg"):
            _same_layer(tmp_path / name, DATA / name)
        elif name.endswith(".tif"):
            with rasterio.open(tmp_path / name) as a, rasterio.open(DATA / name) as b:
                np.testing.assert_allclose(a.read(1), b.read(1), atol=0.011)
        elif name.endswith(".gz"):
            assert _close(gzip.decompress(made).decode(), gzip.decompress(kept).decode())
        else:
            assert made == kept


def _same_layer(a: Path, b: Path) -> None:
    made, kept = gpd.read_file(a), gpd.read_file(b)
    assert made.drop(columns="geometry").equals(kept.drop(columns="geometry"))
    assert shapely.equals_exact(made.geometry.values, kept.geometry.values, 0.011).all()


def _close(made: str, kept: str) -> bool:
    pairs = zip(made.splitlines()[1:], kept.splitlines()[1:], strict=True)
    split = [(a.rsplit(",", 1), b.rsplit(",", 1)) for a, b in pairs]
    return all(a[0] == b[0] and abs(float(a[1]) - float(b[1])) <= 0.25 for a, b in split)

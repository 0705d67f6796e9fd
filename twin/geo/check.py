"""Look a city over for what may make results wrong.

=========  ====================================================================================
severity   codes
=========  ====================================================================================
error      geometry-invalid, id-not-unique, height-invalid, layer-apart, crest-missing,
           sill-above-crest
warning    geometry-repaired, geometry-dropped, id-duplicate, attribute-unreadable, height-absurd,
           width-absurd, crs-accuracy, layer-outside (noted while building); height-against-storeys,
           building-overlap, building-duplicate, building-in-water, building-off-terrain,
           terrain-missing, terrain-short, terrain-spike, crest-below-ground, sill-missing,
           gate-alone, floor-above-ground, bed-above-ground, crs-area
info       height-default, terrain-gap, layer-empty
=========  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from twin.geo.buildings import MAXIMUM_HEIGHT
from twin.geo.burn import line_cells
from twin.geo.crs import outside_area_of_use
from twin.geo.findings import SEVERITIES, Report, concat, findings
from twin.geo.layers import LAYERS

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.geo.terrain import Terrain

__all__ = ["check"]

#: Overlap of footprints that is more than sloppy drawing: m², and share of the smaller one.
OVERLAP_AREA, OVERLAP_SHARE = 1.0, 0.02

#: Intersection over union from which two footprints are the same building drawn twice.
SAME_SHARE = 0.95

#: Height for each storey that is credible, m.
STOREY_RANGE = (2.0, 7.0)

#: A cell that stands out from all eight neighbours by more is a fault of the raster, m.
SPIKE = 10.0

#: Distance from the nearest other defence from which a gate closes nothing, m.
GATE_REACH = 2.0

Tables = Iterator[gpd.GeoDataFrame]


def check(city: City, noted: gpd.GeoDataFrame) -> Report:
    """Return what was noted while the city was built and what shows in it now, gravest first."""
    tables = [noted]
    for look in (_extent, _shapes, _heights, _overlaps, _in_water, _ground, _defences, _lowered):
        tables += look(city)
    joined = concat(tables, city.crs)
    order = joined["severity"].map(SEVERITIES.index).argsort(kind="stable")
    return Report(joined.iloc[order].reset_index(drop=True))


def _extent(city: City) -> Tables:
    """Layers that are missing or lie elsewhere, and a city outside the area of its system."""
    frames = {name: getattr(city, name) for name in LAYERS}
    filled = [name for name, frame in frames.items() if len(frame)]
    for name in frames:
        if name not in filled:
            message = f"The city has no {name.replace('_', ' ')}."
            yield findings(name, "layer-empty", "info", message, crs=city.crs)
    if city.terrain is None:
        message = "The city has no terrain: nothing can flow over it, and buildings stand at 0 m."
        yield findings("terrain", "terrain-missing", "warning", message, crs=city.crs)
    if not filled and city.terrain is None:
        return
    box = shapely.box(*city.bounds)
    away = outside_area_of_use(city.bounds, city.crs)
    if away > 0:
        message = f"The city lies {away:.2f}° outside the area of use of {city.crs}."
        yield findings("city", "crs-area", "warning", message, geometry=box, crs=city.crs)
    for name in filled:
        extent = shapely.box(*frames[name].total_bounds)
        if not extent.intersects(box):
            message = (
                f"The layer lies {extent.distance(box) / 1000:.1f} km away from the city; is its "
                "coordinate reference system right?"
            )
            yield findings(name, "layer-apart", "error", message, geometry=extent, crs=city.crs)


def _shapes(city: City) -> Tables:
    """Geometry and identifiers, which edits may have broken since the city was built."""
    for name in LAYERS:
        frame = getattr(city, name)
        shapes = frame.geometry.to_numpy()
        broken = ~shapely.is_valid(shapes) | shapely.is_empty(shapes) | shapely.is_missing(shapes)
        if broken.any():
            reasons = shapely.is_valid_reason(shapes[broken])
            words = [f"The geometry is not valid: {reason or 'missing'}." for reason in reasons]
            yield findings(name, "geometry-invalid", "error", words, objects=frame[broken])
        twice = frame.index.duplicated(keep=False)
        if twice.any():
            message = "The id is not unique in its layer."
            yield findings(name, "id-not-unique", "error", message, objects=frame[twice])


def _heights(city: City) -> Tables:
    frame = city.buildings
    height, storeys = frame["height_m"], frame["storeys"]
    wrong = ~((height > 0) & (height <= MAXIMUM_HEIGHT))
    if wrong.any():
        words = [f"height_m is {value:g}, not above 0 m." for value in height[wrong]]
        yield findings("buildings", "height-invalid", "error", words, objects=frame[wrong])
    assumed = frame["height_source"] == "default"
    if assumed.any():
        words = [f"No height is known; {value:g} m is assumed." for value in height[assumed]]
        yield findings("buildings", "height-default", "info", words, objects=frame[assumed])
    each = height / storeys
    odd = (frame["height_source"] == "attribute") & storeys.notna() & ~each.between(*STOREY_RANGE)
    if odd.any():
        words = [
            f"{h:g} m for {n:g} storeys are {h / n:.1f} m each."
            for h, n in zip(height[odd], storeys[odd], strict=True)
        ]
        yield findings("buildings", "height-against-storeys", "warning", words, objects=frame[odd])


def _overlaps(city: City) -> Tables:
    """Footprints that lie over each other."""
    frame = city.buildings
    shapes = frame.geometry.to_numpy()
    usable = shapely.is_valid(shapes)
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = (a < b) & usable[a] & usable[b]
    a, b = a[pairs], b[pairs]
    shared = shapely.area(shapely.intersection(shapes[a], shapes[b]))
    area = shapely.area(shapes)
    smaller = np.minimum(area[a], area[b])
    over = (shared > OVERLAP_AREA) & (shared > OVERLAP_SHARE * smaller)
    a, b, shared, smaller = a[over], b[over], shared[over], smaller[over]
    same = shared > SAME_SHARE * (area[a] + area[b] - shared)
    ids = frame.index
    if same.any():
        words = [f"The same footprint as {ids[k]!r}." for k in a[same]]
        yield findings(
            "buildings", "building-duplicate", "warning", words, objects=frame.iloc[b[same]]
        )
    if (~same).any():
        words = [
            f"Overlaps {ids[k]!r} by {m2:.0f} m², {m2 / least:.0%} of the smaller of the two."
            for k, m2, least in zip(a[~same], shared[~same], smaller[~same], strict=True)
        ]
        yield findings(
            "buildings", "building-overlap", "warning", words, objects=frame.iloc[b[~same]]
        )


def _in_water(city: City) -> Tables:
    """Buildings that stand in water with more than half of their footprint."""
    frame, water = city.buildings, city.water
    if frame.empty or water.empty:
        return
    surface = shapely.union_all(water.geometry[water.is_valid].to_numpy())
    shapely.prepare(surface)
    near = frame[frame.is_valid & frame.intersects(surface)]
    share = near.intersection(surface).area / near.area
    wet = near[share > 0.5]
    if len(wet):
        words = [f"{s:.0%} of the footprint lies in water." for s in share[share > 0.5]]
        yield findings("buildings", "building-in-water", "warning", words, objects=wet)


def _ground(city: City) -> Tables:
    """Gaps and faulty cells of the terrain, and buildings without ground."""
    terrain = city.terrain
    if terrain is None:
        return
    frame = city.buildings
    bare = frame[frame["ground_m"].isna()]
    if len(bare):
        outside = ~bare.intersects(shapely.box(*terrain.bounds))
        words = [
            "Stands outside the terrain." if out else "The terrain has no data here."
            for out in outside
        ]
        yield findings("buildings", "building-off-terrain", "warning", words, objects=bare)
    domain, reach = shapely.box(*city.bounds), shapely.box(*terrain.bounds)
    covered = domain.intersection(reach).area / domain.area
    if covered < 0.999:
        message = f"The terrain covers {covered:.1%} of the city's bounds."
        yield findings("terrain", "terrain-short", "warning", message, geometry=reach, crs=city.crs)
    gap = float(np.isnan(terrain.elevation).mean())
    if gap > 0:
        message = f"{gap:.1%} of the terrain's cells have no data; they lie outside the domain."
        yield findings("terrain", "terrain-gap", "info", message, crs=city.crs)
    rows, cols = np.nonzero(_spikes(terrain.elevation))
    if len(rows):
        places = shapely.MultiPoint(np.column_stack([terrain.grid.x[cols], terrain.grid.y[rows]]))
        message = f"{len(rows)} cells stand out from all their neighbours by over {SPIKE:g} m."
        yield findings(
            "terrain", "terrain-spike", "warning", message, geometry=places, crs=city.crs
        )


def _spikes(elevation: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Find cells that lie above or below all eight neighbours by more than `SPIKE`."""
    from scipy import ndimage

    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    known = np.isfinite(elevation)
    above = ndimage.maximum_filter(np.where(known, elevation, -np.inf), footprint=ring)
    below = ndimage.minimum_filter(np.where(known, elevation, np.inf), footprint=ring)
    with np.errstate(invalid="ignore"):
        out = (elevation > above + SPIKE) | (elevation < below - SPIKE)
    # a cell alone in a gap has no neighbours to stand out from
    spikes: npt.NDArray[np.bool_] = known & out & np.isfinite(above)
    return spikes


def _defences(city: City) -> Tables:
    frame = city.defences
    missing = frame["crest_m"].isna()
    if missing.any():
        message = "crest_m is not known, so the defence holds nothing back."
        yield findings("defences", "crest-missing", "error", message, objects=frame[missing])
    gates = frame[frame["kind"] == "gate"]
    no_sill = gates[gates["sill_m"].isna()]
    if len(no_sill):
        message = "sill_m is not known; the open gate lies at the terrain."
        yield findings("defences", "sill-missing", "warning", message, objects=no_sill)
    high = gates[gates["sill_m"] >= gates["crest_m"]]
    if len(high):
        message = "sill_m is not below crest_m, so the gate opens nothing."
        yield findings("defences", "sill-above-crest", "error", message, objects=high)
    shapes = frame.geometry.to_numpy()
    a, b = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=GATE_REACH)
    joined = np.isin(np.arange(len(frame)), a[a != b])
    alone = frame[(frame["kind"] == "gate") & ~joined]
    if len(alone):
        message = f"The gate stands over {GATE_REACH:g} m away from any other defence."
        yield findings("defences", "gate-alone", "warning", message, objects=alone)
    if city.terrain is not None:
        buried = _buried(city.terrain, frame)
        if buried.any():
            message = "The crest lies below the ground along a tenth of the line or more."
            yield findings(
                "defences", "crest-below-ground", "warning", message, objects=frame[buried]
            )


def _buried(terrain: Terrain, lines: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """Say for each line whether its crest lies under a tenth of the terrain along it."""
    buried = np.zeros(len(lines), bool)
    for k, (line, crest) in enumerate(zip(lines.geometry, lines["crest_m"], strict=True)):
        under = terrain.elevation[line_cells(terrain.grid, line)]
        if len(under):
            buried[k] = np.mean(under > crest) >= 0.1
    return buried


def _lowered(city: City) -> Tables:
    """Underpasses and waters whose floor or bed would have to lie above the ground."""
    terrain = city.terrain
    if terrain is None:
        return
    for name, column, code, part in (
        ("underpasses", "floor_m", "floor-above-ground", "floor"),
        ("water", "bed_m", "bed-above-ground", "bed"),
    ):
        frame = getattr(city, name)
        points = frame.representative_point()
        ground = terrain.sample(points.x.to_numpy(), points.y.to_numpy())
        above = (frame[column].to_numpy() > ground + 0.01).astype(bool)
        if above.any():
            words = [
                f"{column} is {level:.2f} m, but the terrain lies at {z:.2f} m; the {part} is "
                "taken from the terrain."
                for level, z in zip(frame[column][above], ground[above], strict=True)
            ]
            yield findings(name, code, "warning", words, objects=frame[above])

"""Buildings: how high each is and how we know, and the ground it stands on."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from twin.geo.burn import owners
from twin.geo.findings import findings
from twin.geo.normalise import Findings
from twin.geo.terrain import Terrain

__all__ = ["DEFAULT_HEIGHT", "MAXIMUM_HEIGHT", "STOREY_HEIGHT", "complete", "ground_under"]

#: Height of a building about which nothing is known, m: three storeys.
DEFAULT_HEIGHT = 9.0

#: Height of a storey, m.
STOREY_HEIGHT = 3.0

#: No building is higher, m (the highest stands 828 m). Real sources hold 5e+70.
MAXIMUM_HEIGHT = 900.0

# words of sources for heights that were not measured
_GUESSED = ("default", "assumed", "estimated", "guess")
_COUNTED = ("storey", "level", "floor")


def complete(frame: gpd.GeoDataFrame, given: pd.DataFrame) -> tuple[gpd.GeoDataFrame, Findings]:
    """Give every building a height: as stated, from its storeys, or the default.

    `height_source` says which. A height outside 0 to `MAXIMUM_HEIGHT` is not believed. Where the
    source itself says that its heights are defaults or counted from storeys, so do we.
    """
    faults: Findings = []
    stated = given.get("height_m", pd.Series(np.nan, index=frame.index))
    absurd = stated.notna() & ~((stated > 0) & (stated <= MAXIMUM_HEIGHT))
    if absurd.any():
        words = [
            f"height_m is {value:g}; heights lie above 0 and up to {MAXIMUM_HEIGHT:g} m. Taken as "
            "unknown."
            for value in stated[absurd]
        ]
        rows = frame.geometry[absurd]
        faults.append(findings("buildings", "height-absurd", "warning", words, objects=rows))
    stated = stated.where(~absurd)

    storeys = given.get("storeys", pd.Series(np.nan, index=frame.index))
    storeys = storeys.where((storeys > 0) & (storeys * STOREY_HEIGHT <= MAXIMUM_HEIGHT))
    source = np.select([stated.notna(), storeys.notna()], ["attribute", "storeys"], "default")
    if "height_source" in given:
        basis = given["height_source"].str.lower()
        source = np.where(stated.notna() & basis.str.startswith(_GUESSED), "default", source)
        source = np.where(stated.notna() & basis.str.startswith(_COUNTED), "storeys", source)

    frame["height_m"] = stated.fillna(storeys * STOREY_HEIGHT).fillna(DEFAULT_HEIGHT)
    frame["height_source"] = pd.Series(source, index=frame.index).astype("str")
    frame["storeys"] = storeys
    frame["use"] = frame["use"].str.lower().replace({"yes": "", "no": ""})
    frame["ground_m"] = np.nan  # the terrain gives it
    return frame, faults


def ground_under(terrain: Terrain, footprints: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Return the lowest terrain under each footprint, m, so that no corner floats; NaN for none.

    Cells count whose centre a footprint covers; where it covers none, the terrain is sampled in it.
    """
    shapes = footprints.to_numpy()
    cells = owners(terrain.grid, shapes)
    covered = (cells > 0) & np.isfinite(terrain.elevation)
    lowest = np.full(len(shapes), np.inf)
    np.minimum.at(lowest, cells[covered] - 1, terrain.elevation[covered].astype(np.float64))
    missed = np.isinf(lowest)
    points = shapely.point_on_surface(shapes[missed])
    lowest[missed] = terrain.sample(shapely.get_x(points), shapely.get_y(points))
    return lowest

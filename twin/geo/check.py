"""Look a city over for what may make results wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd

from twin.geo import findings

if TYPE_CHECKING:
    from twin.geo.city import City

__all__ = ["check"]


def check(city: City, noted: gpd.GeoDataFrame) -> findings.Report:
    """Return what was noted while the city was built, and what shows in it now."""
    return findings.Report(findings.concat([noted], city.crs))

"""What shapes the ground beside the terrain: water and flood defences."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from twin.errors import InputError, did_you_mean
from twin.geo.normalise import Findings

__all__ = ["DEFENCE_KINDS", "WATER_KINDS", "complete_defences", "complete_water"]

WATER_KINDS = ("river", "canal", "lake", "dock")
DEFENCE_KINDS = ("wall", "gate")

_WATER = {
    "": "lake",
    "water": "lake",
    "pond": "lake",
    "reservoir": "lake",
    "basin": "lake",
    "riverbank": "river",
    "stream": "river",
    "ditch": "canal",
    "drain": "canal",
    "harbour": "dock",
}
_DEFENCE = {
    "": "wall",
    "flood_wall": "wall",
    "floodwall": "wall",
    "embankment": "wall",
    "dyke": "wall",
    "dike": "wall",
    "levee": "wall",
    "flood_gate": "gate",
    "floodgate": "gate",
    "sluice_gate": "gate",
    "lock_gate": "gate",
}


def complete_water(
    frame: gpd.GeoDataFrame, given: pd.DataFrame
) -> tuple[gpd.GeoDataFrame, Findings]:
    """Bring the kinds of water into ours; what is of no known kind counts as a lake."""
    kind = frame["kind"].str.lower().replace(_WATER)
    frame["kind"] = kind.where(kind.isin(WATER_KINDS), "lake").astype("str")
    return frame, []


def complete_defences(
    frame: gpd.GeoDataFrame, given: pd.DataFrame
) -> tuple[gpd.GeoDataFrame, Findings]:
    """Bring the kinds of defences into ours; raise `InputError` for one that is neither."""
    kind = frame["kind"].str.lower().replace(_DEFENCE)
    strange = kind[~kind.isin(DEFENCE_KINDS)]
    if len(strange):
        raise InputError(
            f"defences: {strange.index[0]!r} is of kind {strange.iloc[0]!r}. "
            f"{did_you_mean(strange.iloc[0], (*DEFENCE_KINDS, *filter(None, _DEFENCE)))}"
        )
    frame["kind"] = kind.astype("str")
    return frame, []

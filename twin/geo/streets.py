"""Streets: what kind each is, how wide, and who may use it."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from twin.geo.findings import findings
from twin.geo.normalise import Findings, flags

__all__ = ["KINDS", "LANE_WIDTH", "Kind", "complete"]


class Kind(NamedTuple):
    """What is taken for granted about a kind of street: width between kerbs in m, and users."""

    width: float
    walkable: bool
    drivable: bool


#: Kinds as in OpenStreetMap's highway tag, and "tunnel" and "underpass". Widths are round figures
#: of urban design guides for both directions together.
KINDS: dict[str, Kind] = {
    "motorway": Kind(22.0, False, True),
    "trunk": Kind(18.0, False, True),
    "primary": Kind(14.0, True, True),
    "secondary": Kind(11.0, True, True),
    "tertiary": Kind(9.0, True, True),
    "residential": Kind(7.0, True, True),
    "unclassified": Kind(7.0, True, True),
    "living_street": Kind(6.0, True, True),
    "service": Kind(4.5, True, True),
    "track": Kind(3.0, True, True),
    "underpass": Kind(9.0, False, True),
    "tunnel": Kind(9.0, False, True),
    "pedestrian": Kind(8.0, True, False),
    "footway": Kind(2.5, True, False),
    "path": Kind(2.0, True, False),
    "steps": Kind(2.5, True, False),
    "cycleway": Kind(2.5, True, False),
}

#: Width of a traffic lane, m.
LANE_WIDTH = 3.25

#: Words of other sources for our kinds.
_SYNONYMS = {
    "urban": "unclassified",
    "road": "unclassified",
    "street": "unclassified",
    "": "unclassified",
    "sidewalk": "footway",
    "crossing": "footway",
    "bridleway": "path",
    "corridor": "footway",
    "promenade": "pedestrian",
}

_WIDEST = 100.0


def complete(frame: gpd.GeoDataFrame, given: pd.DataFrame) -> tuple[gpd.GeoDataFrame, Findings]:
    """Give every street its kind, width and users, from its attributes or else from its kind.

    The width is the stated one, or lanes times lane width, or that of the kind; the added column
    `width_source` says which. Links count as their kind, one lane wide. Streets below ground
    (layer under 0, or tunnel) become "tunnel" unless they are called "underpass": no terrain shows
    them, nobody walks there.
    """
    known = np.nan * pd.Series(0.0, index=frame.index)
    kind = frame["kind"].str.lower().replace(_SYNONYMS)
    link = kind.str.endswith("_link")
    kind = kind.str.removesuffix("_link")
    below = given.get("layer", known) < 0
    if "tunnel" in given:
        below |= flags(given["tunnel"])
    kind = kind.where(~below | (kind == "underpass"), "tunnel")
    usual = pd.DataFrame(
        [KINDS.get(k, KINDS["unclassified"]) for k in kind], index=frame.index, columns=Kind._fields
    )

    faults: Findings = []
    stated = given.get("width_m", known)
    absurd = stated.notna() & ~((stated > 0) & (stated <= _WIDEST))
    if absurd.any():
        words = [
            f"width_m is {value:g}; widths lie above 0 and up to {_WIDEST:g} m. Taken as unknown."
            for value in stated[absurd]
        ]
        rows = frame.geometry[absurd]
        faults.append(findings("streets", "width-absurd", "warning", words, objects=rows))
    stated = stated.where(~absurd)
    lanes = given.get("lanes", known)
    from_lanes = lanes.where(lanes > 0) * given.get("lane_width_m", known).fillna(LANE_WIDTH)
    by_kind = usual["width"].where(~link, LANE_WIDTH)
    source = np.select([stated.notna(), from_lanes.notna()], ["attribute", "lanes"], "kind")

    frame["kind"] = kind.astype("str")
    frame["width_m"] = stated.fillna(from_lanes).fillna(by_kind)
    for user in ("walkable", "drivable"):
        if user in given:
            said = given[user] != ""
            frame[user] = np.where(said, flags(given[user]), usual[user]).astype(bool)
        else:
            frame[user] = usual[user].astype(bool)
    frame["width_source"] = pd.Series(source, index=frame.index).astype("str")
    return frame, faults

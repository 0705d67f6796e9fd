"""What a flood has to say when it is over: maps of maxima, figures, and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.geo.grid import Grid
from twin.sim.flood.hazard import HAZARD_CLASSES, defra_class
from twin.sim.flood.impacts import CLOSED_DEPTH
from twin.sim.flood.solver import ShallowWater
from twin.sim.simulation import FieldSpec, GridField
from twin.units import format_duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FLOODED", "PEAKS", "headlines", "peak_maps", "summary"]

#: Depth from which ground counts as flooded, m: what people call water in the street.
FLOODED = 0.05
#: What is closed by then was so from the start, as promenades before a flood wall are, s.
AT_ONCE = 60.0
#: Maps of the solver's maxima, by the name of the property that holds them.
PEAKS = {
    "max_depth": FieldSpec("flood.max_depth", "m", "Largest water depth"),
    "max_speed": FieldSpec("flood.max_speed", "m s-1", "Largest speed of the water"),
    "max_hazard": FieldSpec(
        "flood.max_hazard", "m2 s-1", "Largest flood hazard rating (Defra FD2321)"
    ),
    "arrival_time": FieldSpec("flood.arrival_time", "s", "First time deeper than 5 cm"),
}
_CLASS = FieldSpec(
    "flood.hazard_class",
    "1",
    "Hazard to people: 0 low, 1 moderate, 2 significant, 3 extreme (Defra FD2321)",
)


def peak_maps(
    solver: ShallowWater, grid: Grid, usable: npt.NDArray[np.bool_]
) -> dict[str, tuple[FieldSpec, GridField]]:
    """Return the maps of maxima, and of the class of hazard; NaN where no water can be."""

    def masked(values: npt.NDArray[Any]) -> GridField:
        return GridField(np.where(usable, values, np.nan).astype(np.float32), grid)

    maps = {name: (spec, masked(getattr(solver, name))) for name, spec in PEAKS.items()}
    maps["hazard_class"] = (_CLASS, masked(defra_class(solver.max_hazard)))
    return maps


def summary(
    solver: ShallowWater,
    usable: npt.NDArray[np.bool_],
    land: npt.NDArray[np.bool_],
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    """Return figures of the whole flood: `usable` are its cells, `land` those that are no water."""
    depth = solver.max_depth
    buildings, streets, under = tables["buildings"], tables["streets"], tables["underpasses"]
    closed = streets["closed_from_s"].notna()
    return {
        "time_s": solver.time,
        "steps": solver.steps,
        "cells": int(usable.sum()),
        "cell_size_m": solver.cell_size,
        "flooded_area_m2": float((depth[land] >= FLOODED).sum()) * solver.cell_size**2,
        "max_depth_on_land_m": float(depth[land].max(initial=0.0)),
        "buildings": len(buildings),
        "buildings_in_water": int((buildings["max_depth_m"] >= FLOODED).sum()),
        "buildings_by_class": {k: int((buildings["class"] == k).sum()) for k in HAZARD_CLASSES},
        "streets": len(streets),
        "streets_closed": int(closed.sum()),
        "streets_closed_length_m": float(streets.loc[closed, "length_m"].sum()),
        "underpasses": len(under),
        "underpasses_closed": int(under["closed_from_s"].notna().sum()),
        "balance": solver.balance(),
    }


def headlines(figures: Mapping[str, Any], tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what a duty officer must know, the gravest first."""
    lines = []
    classes = figures["buildings_by_class"]
    grave = classes["extreme"] + classes["significant"]
    if grave:
        lines.append(
            f"Danger to most people or to all at the walls of {grave} of {figures['buildings']} "
            f"buildings (Defra hazard rating of 1.25 or more)."
        )
    under = tables["underpasses"]
    lines += [
        f"Underpass {row.name or row.id}: closed by water after "
        f"{format_duration(row.closed_from_s)}, {row.max_depth_m:.1f} m at its deepest."
        for row in under[under["closed_from_s"].notna()].itertuples()
    ]
    if figures["streets_closed"]:
        since = tables["streets"]["closed_from_s"]
        later = since[since > AT_ONCE]
        at_once = int((since <= AT_ONCE).sum())
        lines.append(
            f"{figures['streets_closed']} of {figures['streets']} streets deeper than "
            f"{CLOSED_DEPTH:g} m ({figures['streets_closed_length_m'] / 1000:.1f} km)"
            + (f", {at_once} of them from the start" if at_once else "")
            + (f", the first to close after {format_duration(later.min())}" if len(later) else "")
            + "."
        )
    if figures["buildings_in_water"]:
        deepest = tables["buildings"].loc[tables["buildings"]["max_depth_m"].idxmax()]
        count = figures["buildings_in_water"]
        lines.append(
            f"{count} building{'s' if count > 1 else ''} with water at the wall; deepest "
            f"{deepest['max_depth_m']:.2f} m at {deepest['name'] or deepest['id']}."
        )
    lines.append(
        f"{figures['flooded_area_m2'] / 1e4:.1f} ha of land under more than {FLOODED:g} m of "
        f"water, {figures['max_depth_on_land_m']:.2f} m at the deepest."
    )
    return tuple(lines)

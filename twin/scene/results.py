"""What a run has to show at its end: maps, tables, and the table of what was hit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.files import replace_file
from twin.run_files import write_map
from twin.sim.simulation import Simulation

if TYPE_CHECKING:
    from twin.geo.city import City

__all__ = ["grid_values", "write_results"]

#: Tables of a simulation that say what happened to the objects of a city layer.
IMPACT_LAYERS = ("buildings", "streets", "underpasses")


def write_results(
    path: Path, city: City, simulations: Sequence[Simulation]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write maps, tables and ``impacts.parquet`` below `path`.

    Returns
    -------
    What is known of each map (simulation, unit, long name), and the summary of each simulation.
    """
    maps: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    impacts: list[Any] = []
    (path / "maps").mkdir(exist_ok=True)
    (path / "tables").mkdir(exist_ok=True)
    for simulation in simulations:
        results = simulation.results()
        for name, (spec, field) in results.maps.items():
            key = name if name not in maps else f"{simulation.name}_{name}"
            write_map(
                path / "maps" / f"{key}.tif",
                field.values,
                grid_values(field.grid),
                unit=spec.unit,
                long_name=spec.long_name,
            )
            maps[key] = {
                "simulation": simulation.name,
                "unit": spec.unit,
                "long_name": spec.long_name,
            }
        for name, table in results.tables.items():
            if name in IMPACT_LAYERS:
                impacts.append(_with_shapes(table, getattr(city, name), name, simulation.name))
            else:
                with replace_file(path / "tables" / f"{simulation.name}.{name}.parquet") as beside:
                    table.to_parquet(beside, index=False)
        summary[simulation.name] = {**results.summary, "headlines": list(results.headlines)}
    if impacts:
        import geopandas as gpd
        import pandas as pd

        joined = gpd.GeoDataFrame(pd.concat(impacts, ignore_index=True), crs=city.crs)
        with replace_file(path / "impacts.parquet") as beside:
            joined.to_parquet(beside, index=False)
    return maps, summary


def grid_values(grid: Any) -> dict[str, Any]:
    """Return where a grid's cells lie, as the run keeps it."""
    return {
        "crs": grid.crs,
        "west": grid.west,
        "north": grid.north,
        "cell_size": grid.cell_size,
        "shape": list(grid.shape),
    }


def _with_shapes(table: Any, layer: Any, name: str, simulation: str) -> Any:
    """Give the rows of an impact table the shapes of the city's objects."""
    rows = table if "id" in table.columns else table.reset_index(names="id")
    shapes = layer.geometry.reindex(rows["id"])
    return rows.assign(layer=name, simulation=simulation, geometry=shapes.to_numpy())

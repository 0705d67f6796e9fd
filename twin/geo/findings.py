"""What is noteworthy about a city: findings, one row each, and the report that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["COLUMNS", "Report", "concat", "findings"]

COLUMNS = ("object_id", "layer", "code", "severity", "message", "geometry")

#: From the gravest down. An error makes results wrong where it lies, a warning may do so, and
#: information says what was assumed.
SEVERITIES = ("error", "warning", "info")


def findings(
    layer: str,
    code: str,
    severity: str,
    message: str | Sequence[str],
    *,
    objects: Any = None,
    geometry: BaseGeometry | None = None,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """Build findings of one kind: a row for each of `objects`, or one row for the whole layer.

    Parameters
    ----------
    objects
        GeoSeries or GeoDataFrame, indexed by object id, that the findings are about.
    message
        One for all, or one for each object.
    geometry, crs
        Where the finding lies, if it is about no object in particular.
    """
    if objects is None:
        ids, shapes, system = [""], [geometry], crs
    else:
        ids, shapes, system = list(objects.index), list(objects.geometry), objects.crs
    messages = [message] * len(ids) if isinstance(message, str) else list(message)
    table = {"object_id": ids, "layer": layer, "code": code, "severity": severity}
    return gpd.GeoDataFrame(table | {"message": messages}, geometry=shapes, crs=system)


def concat(tables: Iterable[gpd.GeoDataFrame], crs: Any) -> gpd.GeoDataFrame:
    """Join tables of findings into one, in the order given."""
    filled = [table for table in tables if len(table)]
    if not filled:
        empty = {name: pd.Series([], dtype="str") for name in COLUMNS[:-1]}
        return gpd.GeoDataFrame(empty, geometry=[], crs=crs)
    rows = pd.concat([pd.DataFrame(table) for table in filled], ignore_index=True)
    joined = gpd.GeoDataFrame(rows, geometry="geometry", crs=crs)
    text = list(COLUMNS[:-1])
    joined[text] = joined[text].astype("str")
    return joined


@dataclass(frozen=True)
class Report:
    """The result of `City.check`.

    Attributes
    ----------
    findings
        GeoDataFrame with object_id ("" for a whole layer), layer, code, severity, message and
        geometry, the gravest first.
    """

    findings: gpd.GeoDataFrame

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not (self.findings["severity"] == "error").any()

    def summary(self) -> pd.DataFrame:
        """Count the findings by severity, layer and code, with the first message of each."""
        keys = ["severity", "layer", "code"]
        grouped = self.findings.drop(columns="geometry").groupby(keys, sort=False)
        counted = grouped.agg(count=("message", "size"), example=("message", "first")).reset_index()
        order = counted["severity"].map(SEVERITIES.index)
        return counted.iloc[order.argsort(kind="stable")].reset_index(drop=True)

    def __str__(self) -> str:
        if self.findings.empty:
            return "No findings."
        tally = self.findings["severity"].value_counts()
        head = ", ".join(f"{tally.get(s, 0)} {s}" for s in SEVERITIES)
        lines = [
            f"  {row.severity:7} {row.layer}: {row.code} × {row.count}. {row.example}"
            for row in self.summary().itertuples(index=False)
        ]
        return "\n".join([f"{'Sound' if self.ok else 'Not sound'} ({head}).", *lines])

    def __repr__(self) -> str:
        return f"<Report: {'ok' if self.ok else 'not ok'}, {len(self.findings)} findings>"

"""A run as one HTML file that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np

from twin.files import write_text
from twin.render.text import printable
from twin.report.charts import Line, line_chart
from twin.report.html import figure, media, page, section, table
from twin.report.pictures import MAPS
from twin.report.summary import headlines, reading_sentence
from twin.run import Run
from twin.units import format_duration

__all__ = ["write_report"]

#: Rows of a table of what was hit; the whole is in impacts.parquet.
MOST_ROWS = 200

#: Columns of a table of what was hit: its own name, head, factor and format; absent ones are left.
COLUMNS = (
    ("id", "id", None, ""),
    ("name", "name", None, ""),
    ("use", "use", None, ""),
    ("kind", "kind", None, ""),
    ("max_depth_m", "depth (m)", 1.0, ".2f"),
    ("max_speed_m_s", "speed (m/s)", 1.0, ".2f"),
    ("max_hazard", "hazard rating", 1.0, ".2f"),
    ("arrival_s", "water after (min)", 1 / 60, ".0f"),
    ("closed_from_s", "closed after (min)", 1 / 60, ".0f"),
    ("reopened_s", "open again after (min)", 1 / 60, ".0f"),
    ("closed_s", "closed for (min)", 1 / 60, ".0f"),
    ("class", "class", None, ""),
)

NOT_MODELLED = (
    "Sewers and drains, seepage through walls, water inside buildings and below ground, and damage "
    "are not modelled. People see no further than the way to safe ground; vehicles are not "
    "modelled. See docs/validation for what has been checked, and how well it agrees."
)


def write_report(run: Run) -> None:
    """Write ``report.html`` into the run."""
    end = run.start + timedelta(seconds=float(run.times[-1]))
    scene = run.lock["scene"]
    body = [
        f"<h1>{html.escape(run.title)}</h1>",
        f'<p class="lead">{run.start:%Y-%m-%d %H:%M} to {end:%H:%M} ({run.start:%Z}), '
        f"{format_duration(float(run.times[-1]))}. {html.escape(scene['description'])}</p>",
        f'<p class="notice">{html.escape(scene["notice"])}</p>' if scene.get("notice") else "",
        section("In short", *_short(run)),
        section("Overview", *_pictures(run)),
        section("Maps", _maps(run)),
        section("Water levels", _hydrographs(run)),
        section("People", *_people(run)),
        section("What was hit", *_impacts(run)),
        section("Water balance", _balance(run)),
        section("What is not modelled", f"<p>{html.escape(NOT_MODELLED)}</p>"),
        section("How this was made", *_provenance(run)),
    ]
    write_text(run.path / "report.html", page(run.title, filter(None, body)))


def _short(run: Run) -> Iterable[str]:
    for name, sentences in headlines(run):
        items = "".join(f"<li>{html.escape(s)}</li>" for s in sentences)
        yield f"<h3>{html.escape(name.capitalize())}</h3><ul>{items}</ul>" if items else ""
    if run.manifest.get("readings"):
        yield f"<h3>Readings</h3><p>{html.escape(reading_sentence(run.manifest['readings']))}</p>"


def _pictures(run: Run) -> Iterable[str]:
    for key, caption in (("overview", "Overview"), ("animation", "Over time")):
        name = run.manifest["pictures"].get(key)
        if name:
            yield figure(media(run.path / name, caption), caption)
    if note := run.manifest["pictures"].get("note"):
        yield f'<p class="lead">{html.escape(note)}</p>'


def _maps(run: Run) -> str:
    drawn = run.manifest["pictures"].get("maps", {})
    figures = [
        figure(media(run.path / drawn[name], run.maps[name]["long_name"]), "")
        for name in MAPS
        if name in drawn
    ]
    return f'<div class="grid">{"".join(figures)}</div>' if figures else ""


def _hydrographs(run: Run) -> str:
    """A chart for each level gauge: what was read, and what was computed there."""
    if not run.observations_path.is_file():
        return ""
    from twin.sensors.observations import SceneObservations
    from twin.sensors.store import Store

    series = run.series()
    charts = []
    end = float(run.times[-1])
    with Store(run.observations_path, read_only=True) as store:
        observations = SceneObservations(store, run.start)
        names = {d.id: d.name for d in store.datastreams()}
        gauges = series.loc[series["quantity"].isin(["water_level", "water_depth"]), "place"]
        for place in sorted(set(gauges)):
            at = series[(series["place"] == place)]
            times, values = observations.series(place, 0.0, end)
            inside = (times >= 0) & (times <= end)
            lines = [Line("computed", at["time"].to_numpy() / 60, at["value"].to_numpy())]
            if inside.any():
                lines.append(Line("read", times[inside] / 60, values[inside], dots=True))
            quantity = str(at["quantity"].iloc[0]).replace("_", " ")
            title = printable(f"{place}: {names.get(place, '')}".removesuffix(": "))
            charts.append(figure(line_chart(lines, title=title, unit=f"{quantity} (m)"), ""))
    return f'<div class="grid">{"".join(charts)}</div>' if charts else ""


def _people(run: Run) -> Iterable[str]:
    """Egress curves and the table of exits, for each crowd."""
    series = run.series()
    for name, kind in run.simulations.items():
        if kind != "crowd":
            continue
        lines = []
        for quantity in ("remaining", "in the station", "evacuated", "stranded"):
            rows = series[(series["simulation"] == name) & (series["quantity"] == quantity)]
            if len(rows):
                minutes = rows["time"].to_numpy() / 60
                lines.append(Line(quantity, minutes, rows["value"].to_numpy()))
        yield figure(line_chart(lines, title="People over time", unit="persons", width=9.0), "")
        exits = run.table(f"{name}.exits")
        if len(exits):
            yield table(
                [
                    ("exit", ""),
                    ("persons", ".0f"),
                    ("first after (min)", ".1f"),
                    ("last after (min)", ".1f"),
                    ("greatest flow (1/s)", ".1f"),
                ],
                zip(
                    exits["exit"].astype(str),
                    exits["persons"],
                    exits["first_s"] / 60,
                    exits["last_s"] / 60,
                    exits["peak_flow_1_s"],
                    strict=True,
                ),
            )


def _impacts(run: Run) -> Iterable[str]:
    impacts = run.impacts()
    if not len(impacts):
        return
    for layer, rows in impacts.groupby("layer", sort=False):
        hit = rows[rows["max_depth_m"] >= 0.05].sort_values(
            ["max_depth_m", "id"], ascending=[False, True]
        )
        yield f"<h3>{html.escape(str(layer).capitalize())}: {len(hit)} of {len(rows)} in water</h3>"
        shown = [c for c in COLUMNS if c[0] in hit and hit[c[0]].notna().any()]
        values = [
            hit[name].to_numpy() * factor if factor else hit[name].astype(str).to_numpy()
            for name, _, factor, _ in shown
        ]
        yield table([(head, form) for _, head, _, form in shown], _rows(values))
        if len(hit) > MOST_ROWS:
            yield f"<p>The {MOST_ROWS} deepest; all are in impacts.parquet.</p>"


def _rows(columns: list[Any]) -> Iterable[tuple[Any, ...]]:
    for _, row in zip(range(MOST_ROWS), zip(*columns, strict=True), strict=False):
        yield tuple(float(v) if isinstance(v, (np.floating, float)) else v for v in row)


def _balance(run: Run) -> str:
    rows = [
        (name, str(key).replace("_", " "), float(value))
        for name, figures in run.summary.items()
        for key, value in (figures.get("balance") or {}).items()
    ]
    return table([("simulation", ""), ("volume", ""), ("m³", ".6g")], rows)


def _provenance(run: Run) -> Iterable[str]:
    lock, manifest = run.lock, run.manifest
    versions = ", ".join(f"{k} {v}" for k, v in lock["versions"].items())
    city = manifest["city"]
    yield (
        f"<p>Scene <code>{html.escape(run.name)}</code>, seed {lock['scene']['seed']}; "
        f"{html.escape(city['crs'])}, heights from {html.escape(str(city['vertical_datum']))}. "
        f"Made with {html.escape(versions)}. The whole scene is in <code>scene.toml</code>, its "
        "values in SI units in <code>scene.lock.json</code>, what was made from what in "
        "<code>prov.json</code>.</p>"
    )
    yield table(
        [("input", ""), ("SHA-256", "")],
        sorted(lock["inputs"].items()),
    )
    yield table(
        [("stage", ""), ("s", ".1f")], [(k, float(v)) for k, v in manifest["timings"].items()]
    )

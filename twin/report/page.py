"""A run as one HTML file that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from twin.files import write_text
from twin.report.charts import Line, line_chart
from twin.report.html import figure, media, page, section, table
from twin.report.pictures import MAPS
from twin.report.summary import headlines, period, reading_sentence
from twin.run import Run
from twin.units import format_duration

__all__ = ["write_report"]

#: Rows of a table of what was hit; the whole is in impacts.parquet.
MOST_ROWS = 200

#: Depth from which an object counts as in water, m.
IN_WATER = 0.05

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

#: Properties that a flood has too, where a gauge stands.
LEVELS = ("water_level", "water_depth")

#: Numbers of a crowd over time: quantity, words, whether shown if 0 all the time.
PEOPLE = (
    ("evacuated", "on safe ground", True),
    ("remaining", "not yet on safe ground", True),
    ("at street", "of them on the streets", False),
    ("stranded", "of them cut off", False),
    ("exposed", "went through dangerous water", False),
)

#: Milestones of a crowd in its summary, with words.
MILESTONES = (
    ("t50_s", "half of the people on safe ground"),
    ("t95_s", "95 % of the people on safe ground"),
    ("last_s", "the last on safe ground"),
    ("station_clear_s", "nobody left in the station"),
)

#: Volumes of a water balance, in the order of the sum that they make.
VOLUMES = ("initial", "inflow", "rain", "outflow", "infiltrated", "stored", "error")

#: What each kind of simulation leaves out.
NOT_MODELLED = {
    "flood": "Sewers and drains, seepage through and under walls, water inside buildings and "
    "below ground, waves, debris and damage are not modelled.",
    "crowd": "Everybody knows the way to the assembly area that is nearest in walking time, and "
    "its capacity does not bind. Vehicles, groups that stay together, people who need help, and "
    "water indoors are not modelled.",
}


def write_report(run: Run) -> None:
    """Write ``report.html`` into the run."""
    scene = run.lock["scene"]
    body = [
        f"<h1>{html.escape(run.title)}</h1>",
        f'<p class="lead">{html.escape(period(run))}, '
        f"{format_duration(float(run.times[-1]))}. {html.escape(scene['description'])}</p>",
        f'<p class="notice">{html.escape(scene["notice"])}</p>' if scene.get("notice") else "",
        section("In short", *_short(run)),
        section("Overview", *_pictures(run)),
        section("Maps", _maps(run)),
        section("Water levels", _hydrographs(run)),
        section("People", *_people(run)),
        section("What was hit", *_impacts(run)),
        section("Water balance", _balance(run)),
        section("What is not modelled", *_not_modelled(run)),
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
        for gauge in sorted(store.datastreams(), key=lambda d: d.id):
            if gauge.property not in LEVELS:
                continue
            lines = []
            computed = series[series["place"] == gauge.id].groupby("simulation", sort=False)
            for name, rows in computed:
                label = "computed" if len(computed) == 1 else f"computed ({name})"
                lines.append(Line(label, rows["time"].to_numpy() / 60, rows["value"].to_numpy()))
            times, values = observations.series(gauge.id, 0.0, end)
            inside = (times >= 0) & (times <= end)
            if inside.any():
                lines.append(Line("read", times[inside] / 60, values[inside], dots=True))
            if lines:
                unit = f"{gauge.property.replace('_', ' ')} (m)"
                charts.append(_titled(f"{gauge.id}: {gauge.name}", line_chart(lines, unit=unit)))
    return f'<div class="grid">{"".join(charts)}</div>' if charts else ""


def _titled(title: str, chart: str) -> str:
    return figure(f"<h3>{html.escape(title)}</h3>{chart}", "")


def _people(run: Run) -> Iterable[str]:
    """For each crowd: people over time, milestones, assembly areas, and the station's exits."""
    series = run.series()
    alarms = {s["name"]: s.get("begins", 0.0) for s in run.lock["scene"]["simulation"]}
    for name, kind in run.simulations.items():
        if kind != "crowd":
            continue
        summary = run.summary[name]
        lines = []
        for quantity, words, always in PEOPLE:
            if quantity == "at street" and "station" not in summary:
                continue  # all of them are
            rows = series[(series["simulation"] == name) & (series["quantity"] == quantity)]
            if always or (rows["value"] > 0).any():
                lines.append(Line(words, rows["time"].to_numpy() / 60, rows["value"].to_numpy()))
        title = f"{name.capitalize()}: {summary['people']:,} people"
        yield _titled(title, line_chart(lines, unit="people", width=9.0))
        yield table(
            [("reached", ""), ("after the alarm (min)", ".1f")],
            [
                (words, None if summary[key] is None else (summary[key] - alarms[name]) / 60)
                for key, words in MILESTONES
                if key in summary
            ],
        )
        yield table(
            [("assembly area", ""), ("people who reached it", ",.0f")],
            summary["assembly_areas"].items(),
        )
        exits = run.table(f"{name}.exits")
        if len(exits):
            yield table(
                [
                    ("exit", ""),
                    ("people", ",.0f"),
                    ("first after the alarm (min)", ".1f"),
                    ("last after the alarm (min)", ".1f"),
                    ("greatest flow (1/s)", ".1f"),
                ],
                zip(
                    exits["exit"].astype(str),
                    exits["persons"],
                    (exits["first_s"] - alarms[name]) / 60,
                    (exits["last_s"] - alarms[name]) / 60,
                    exits["peak_flow_1_s"],
                    strict=True,
                ),
            )


def _impacts(run: Run) -> Iterable[str]:
    impacts = run.impacts()
    if not len(impacts):
        return
    several = impacts["simulation"].nunique() > 1
    for (simulation, layer), rows in impacts.groupby(["simulation", "layer"], sort=False):
        hit = rows[rows["max_depth_m"] >= IN_WATER].sort_values(
            ["max_depth_m", "id"], ascending=[False, True]
        )
        title = f"{layer.capitalize()}{f' ({simulation})' if several else ''}"
        yield f"<h3>{html.escape(title)}: {len(hit)} of {len(rows)} in water</h3>"
        top = hit.head(MOST_ROWS)
        shown = [c for c in COLUMNS if c[0] in top and top[c[0]].notna().any()]
        yield table(
            [(head, form) for _, head, _, form in shown],
            zip(*(_values(top[name], factor) for name, _, factor, _ in shown), strict=True),
        )
        if len(hit) > MOST_ROWS:
            yield f"<p>The {MOST_ROWS} deepest; all are in impacts.parquet.</p>"


def _values(column: Any, factor: float | None) -> list[Any]:
    """Return numbers in the unit of the table, or texts; None where there is none."""
    if factor is not None:
        return [float(v) * factor for v in column]
    return [str(v) if known else None for v, known in zip(column, column.notna(), strict=True)]


def _balance(run: Run) -> str:
    rows = [
        (name, key, float(figures["balance"][key]))
        for name, figures in run.summary.items()
        if "balance" in figures
        for key in VOLUMES
    ]
    return table([("simulation", ""), ("volume", ""), ("m³", ".6g")], rows)


def _not_modelled(run: Run) -> Iterable[str]:
    for kind in dict.fromkeys(run.simulations.values()):
        yield f"<p>{kind.capitalize()}: {html.escape(NOT_MODELLED[kind])}</p>"
    yield (
        "<p>What the simulations were checked against, and how well they agree, is in "
        "<code>docs/validation</code> of the source.</p>"
    )


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
    longest_first = sorted(manifest["timings"].items(), key=lambda item: (-item[1], item[0]))
    yield table([("stage", ""), ("s", ".1f")], longest_first)

"""The report of a small town: what it says equals what the run holds, and it stands alone."""

from __future__ import annotations

import base64
import ctypes.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from reading import Page
from town import NORTH, SOUTH, START, WEST, box, make_town, write_layer

from twin.report import summarise, write_report
from twin.run import Run
from twin.scene import Scene

TITLE = 'A <b>small</b> & "odd" town'
SCHOOL = "School & <i>annex</i>"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run of the town with odd names, a gauge that stays dry, and an alarm after a minute."""
    town = make_town(tmp_path_factory.mktemp("report") / "town")
    scene = town / "scene.toml"
    scene.write_text(scene.read_text().replace('title = "A small town"', f"title = '{TITLE}'"))
    (town / "buildings.gpkg").unlink()
    write_layer(
        town / "buildings.gpkg",
        id=["b-1", "b-2", "b-3"],
        name=["Town hall", SCHOOL, None],
        height_m=[18.0, 9.0, np.nan],
        use=["office", "school", None],
        geometry=[box(20, 60, 50, 90), box(64, 56, 84, 72), box(110, 20, 140, 44)],
    )
    with (town / "fleet.csv").open("a") as file:
        file.write(
            f"level-2,Hill <&> 外滩,water_level,m,town/level/2,{WEST + 5},{NORTH - 5},0,10\n"
        )
        file.write(f"level-3,Silent,water_level,m,town/level/3,{WEST + 5},{SOUTH + 5},0,10\n")
    with (town / "readings.csv").open("a") as file:
        file.write(f"{START.isoformat()},level-2,3.5\n")
    settings = ['simulation.crowd.begins="1 min"', "output.frames=2"]
    return Scene.load(scene, settings).run(town.parent / "run")


@pytest.fixture(scope="module")
def page(run) -> Page:
    return Page((run.path / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def copy(run, tmp_path) -> Path:
    """A run that a test may change."""
    return Path(shutil.copytree(run.path, tmp_path / "run"))


def change(path: Path, **values) -> Run:
    """Change the manifest of a run."""
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | values))
    return Run(path)


def reported(run: Run) -> Page:
    write_report(run)
    return Page((run.path / "report.html").read_text(encoding="utf-8"))


def shades(picture: Image.Image) -> int:
    """How many colours a picture has."""
    return len(picture.convert("RGB").getcolors(picture.width * picture.height) or [])


def plain(text: str) -> str:
    return " ".join(text.split())


def test_each_part_is_there_in_its_order(page):
    assert list(page.sections) == [
        "In short",
        "Overview",
        "Maps",
        "Water levels",
        "People",
        "What was hit",
        "Water balance",
        "What is not modelled",
        "How this was made",
    ]
    assert all(plain(text) for text in page.sections.values())


def test_the_page_needs_nothing_else(page):
    assert "@import" not in page.style
    assert "url(" not in page.style
    for tag, name, value in page.attributes:
        if name.startswith("xmlns"):  # names, which nobody fetches
            continue
        assert "//" not in value or value.startswith("data:"), (tag, name, value)
        if name == "src":
            assert value.startswith("data:")
        if name in {"href", "xlink:href"}:
            assert value.startswith("#")
        for target in re.findall(r"url\(([^)]*)\)", value):
            assert target.startswith("#")
    assert not {tag for tag, _, _ in page.attributes} & {"link", "iframe", "object", "embed"}


def test_names_inside_the_page_lead_somewhere(page):
    ids = set(page.values("id"))
    for value in page.values("xlink:href"):
        assert value[1:] in ids
    for value in page.values("clip-path"):
        assert value[5:-1] in ids


def test_pictures_are_in_the_page_and_decode(run, page):
    data = [v.partition(",") for v in page.values("src")]
    kinds = [head for head, _, _ in data]
    assert kinds[0] == "data:image/png;base64"
    assert len(kinds) == 2 + len(run.manifest["pictures"]["maps"]) == 6
    files = [run.path / run.manifest["pictures"][key] for key in ("overview", "animation")]
    for (head, _, body), path in zip(data, files, strict=False):
        content = base64.b64decode(body, validate=True)
        assert content == path.read_bytes(), head
    for head, _, body in data:
        content = base64.b64decode(body, validate=True)
        if "video/mp4" in head:
            assert content[4:8] == b"ftyp"
            continue
        magic = {"data:image/png;base64": b"\x89PNG", "data:image/webp;base64": b"RIFF"}[head]
        assert content.startswith(magic)
        with Image.open(io.BytesIO(content)) as picture:
            assert shades(picture) > 20


def test_every_level_gauge_that_says_something_has_its_chart(page):
    levels = page.sections["Water levels"]
    assert "level-1: Hollow" in levels
    # read, but dry in the simulation: that is what one must see
    dry = levels.partition("level-2: Hill <&> 外滩")[2]
    assert "read" in dry
    assert "computed" not in dry
    assert "computed" in levels
    assert "level-3" not in levels
    assert levels.count("water level (m)") == 2


def test_names_are_shown_as_they_are_and_never_as_markup(run, page):
    text = (run.path / "report.html").read_text(encoding="utf-8")
    assert "<h1>A &lt;b&gt;small&lt;/b&gt; &amp; &quot;odd&quot; town</h1>" in text
    for raw in ("<b>", "<i>", "<&>"):
        assert raw not in text
    assert SCHOOL in page.sections["What was hit"]


def test_the_tables_of_what_was_hit_equal_the_impacts(run, page):
    impacts = run.impacts()
    hit = impacts[impacts["max_depth_m"] >= 0.05].set_index("id")
    rows = {row["id"][0]: row for row in page.tables["id"]}
    assert set(rows) == set(hit.index)
    assert set(rows) >= {"b-2", "s-1"}
    for key, row in rows.items():
        known = hit.loc[key]
        assert float(row["depth (m)"][1]) == known["max_depth_m"]
        assert row["depth (m)"][0] == f"{known['max_depth_m']:.2f}"
        assert float(row["speed (m/s)"][1]) == known["max_speed_m_s"]
        assert float(row["hazard rating"][1]) == known["max_hazard"]
        assert float(row["water after (min)"][1]) == pytest.approx(known["arrival_s"] / 60)
        assert row["class"][0] == known["class"]
    assert rows["b-2"]["name"][0] == SCHOOL
    counts = impacts.assign(wet=impacts["max_depth_m"] >= 0.05).groupby("layer")["wet"]
    for layer, wet in counts:
        said = f"{layer.capitalize()}: {wet.sum()} of {len(wet)} in water"
        assert said in page.sections["What was hit"]


def test_the_water_balance_equals_the_manifest(run, page):
    balance = run.summary["flood"]["balance"]
    rows = {row["volume"][0]: float(row["m³"][1]) for row in page.tables["simulation"]}
    assert rows == balance
    assert list(rows)[-1] == "error"
    assert rows["rain"] > 100


def test_people_are_told_of_from_the_alarm(run, page):
    people = page.sections["People"]
    assert "Crowd: 30 people" in people
    for words in ("on safe ground", "not yet on safe ground", "minutes into the scene"):
        assert words in people
    for words in ("cut off", "on the streets", "station"):
        assert words not in people
    summary = run.summary["crowd"]
    when = {
        row["reached"][0]: float(row["after the alarm (min)"][1]) for row in page.tables["reached"]
    }
    assert when == {
        "half of the people on safe ground": pytest.approx((summary["t50_s"] - 60) / 60),
        "95 % of the people on safe ground": pytest.approx((summary["t95_s"] - 60) / 60),
        "the last on safe ground": pytest.approx((summary["last_s"] - 60) / 60),
    }
    areas = page.tables["assembly area"]
    assert [(r["assembly area"][0], r["people who reached it"][0]) for r in areas] == [
        ("Hill park", "30")
    ]


def test_a_station_has_its_exits_and_those_cut_off_are_charted(copy):
    run = Run(copy)
    crowd = run.summary["crowd"] | {
        "station": "Park <East>",
        "station_clear_s": 210.0,
        "last_s": None,
    }
    pd.DataFrame(
        {
            "exit": ["stair 1", "stair <2>"],
            "persons": [30, 0],
            "first_s": [90.0, np.nan],
            "last_s": [210.0, np.nan],
            "peak_flow_1_s": [1.25, 0.0],
        }
    ).to_parquet(copy / "tables" / "crowd.exits.parquet")
    series = run.series()
    series.loc[(series["quantity"] == "stranded") & (series["time"] == 240), "value"] = 2.0
    series.to_parquet(copy / "series.parquet")
    page = reported(change(copy, summary=run.summary | {"crowd": crowd}))
    assert "of them cut off" in page.sections["People"]
    assert "of them on the streets" in page.sections["People"]
    first, second = page.tables["exit"]
    assert first["first after the alarm (min)"][0] == "0.5"
    assert first["last after the alarm (min)"][0] == "2.5"
    assert second["exit"][0] == "stair <2>"
    assert second["last after the alarm (min)"][0] == "–"
    when = {row["reached"][0]: row["after the alarm (min)"][0] for row in page.tables["reached"]}
    assert when["nobody left in the station"] == "2.5"
    assert when["the last on safe ground"] == "–"


def test_what_is_left_out_is_said_for_what_ran(copy, page):
    said = page.sections["What is not modelled"]
    assert "Flood: " in said
    assert "Sewers" in said
    assert "Crowd: " in said
    run = Run(copy)
    only = {"flood": "flood"}
    page = reported(change(copy, simulations=only, summary={"flood": run.summary["flood"]}))
    assert "Crowd: " not in page.sections["What is not modelled"]
    assert "People" not in page.sections


def test_all_inputs_and_stages_are_listed(run, copy, page):
    assert {r["input"][0]: r["SHA-256"][0] for r in page.tables["input"]} == run.lock["inputs"]
    timings = {"simulation": 1.5, "pictures": 7.0, "city": 0.25}
    rows = reported(change(copy, timings=timings)).tables["stage"]
    assert [(r["stage"][0], r["s"][0]) for r in rows] == [
        ("pictures", "7.0"),
        ("simulation", "1.5"),
        ("city", "0.2"),
    ]


def test_the_same_run_gives_the_same_bytes(copy):
    write_report(Run(copy))
    first = (copy / "report.html").read_bytes()
    write_report(Run(copy))
    assert (copy / "report.html").read_bytes() == first


def test_the_summary_says_what_the_page_says(run, page):
    text = summarise(run)
    assert text.startswith(f"{TITLE}: 2026-07-01 08:00 to 08:05 (UTC+08:00)\n")
    sentences = [s for figures in run.summary.values() for s in figures["headlines"]]
    assert len(sentences) >= 3
    for sentence in sentences:
        assert sentence in plain(text)
        assert sentence in page.sections["In short"]
    assert "51 readings stored." in text
    assert "51 readings stored." in page.sections["In short"]
    assert "Note: Invented for tests." in text
    assert str(run.path / "report.html") in text
    assert f"twin view {run.path}" in text
    assert max(len(line) for line in text.splitlines() if str(run.path) not in line) <= 100


def test_a_night_has_two_dates(copy):
    lock = json.loads((copy / "scene.lock.json").read_text())
    lock["scene"]["clock"]["start"] = "2026-07-01T23:58:00+08:00"
    (copy / "scene.lock.json").write_text(json.dumps(lock))
    assert "2026-07-01 23:58 to 2026-07-02 00:03 (UTC+08:00)" in summarise(Run(copy))


def test_readings_that_went_wrong_are_told(copy):
    readings = {"received": 60, "stored": 51, "duplicates": 4, "conflicts": 2, "dead_letters": 3}
    said = "51 readings stored; 4 duplicates, 2 in conflict, 3 unreadable, kept aside."
    run = change(copy, readings=readings)
    assert said in summarise(run)
    assert said in reported(run).sections["In short"]


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or ctypes.util.find_library("OSMesa") is not None,
    reason="cannot take OpenGL away here",
)
def test_without_opengl_there_are_maps_and_the_cure(copy):
    code = (
        "import json, sys; from twin.report import write_pictures; from twin.run import Run;"
        "print(json.dumps(write_pictures(Run(sys.argv[1]))))"
    )
    for name in ("overview.png", "maps/max_depth.png"):
        (copy / name).unlink()
    change(copy, maps={"max_depth": Run(copy).maps["max_depth"]})
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, str(copy)],
        env={**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": "vtkOSOpenGLRenderWindow"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert "apt-get install" in made["note"]
    assert (copy / "maps/max_depth.png").is_file()
    assert (copy / made["animation"]).stat().st_size > 1000
    with Image.open(copy / "overview.png") as picture:
        assert picture.width == 1280  # a map; pictures in 3D are 1600 wide
        assert shades(picture) > 20
    page = reported(change(copy, pictures=made))
    assert made["note"] in page.sections["Overview"]
    assert len(page.values("src")) == 3

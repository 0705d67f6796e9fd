"""Scene files: what is read, and what is said where they do not fit."""

from __future__ import annotations

import textwrap

import jsonschema
import pytest

from twin.errors import SceneError
from twin.scene import Scene
from twin.scene.scene import json_schema
from twin.scene.toml_lines import key_lines

GOOD = """
schema = "1"
name = "small"
seed = 42

[domain]
crs = "EPSG:32651"
vertical_datum = "EPSG:5737"
bounds = ["0 m", "0 m", "1 km", "2 km"]

[city]
terrain = { level = "3.5 m" }
bim = [{ file = "station.ifc" }]

[clock]
start = 2026-07-01T08:00:00+08:00
duration = "3 h"

[[simulation]]
kind = "flood"
rain = { design = "chicago", depth = "140 mm", duration = "3 h" }
boundaries = { west = { stage = "gauge-07" }, east = "open" }

[[simulation]]
kind = "crowd"
place = "station"
people = 400
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="scene.toml"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


def said(path, settings=()):
    with pytest.raises(SceneError) as caught:
        Scene.load(path, settings)
    return str(caught.value)


def test_quantities_are_si_inside(write):
    model = Scene.load(write(GOOD)).model
    assert model.domain.bounds == (0.0, 0.0, 1000.0, 2000.0)
    flood, crowd = model.simulation
    assert flood.rain.depth == pytest.approx(0.14)
    assert flood.boundaries["west"].stage == "gauge-07"
    assert crowd.people == 400
    assert model.clock.duration == 10800.0


def test_what_is_written_reads_back_equal(write):
    scene = Scene.load(write(GOOD))
    again = Scene.load(write(scene.to_toml(), "again.toml"))
    assert again.model == scene.model


def test_schema_accepts_the_file_and_refuses_a_typo(write):
    import tomllib

    validator = jsonschema.Draft202012Validator(json_schema())
    data = tomllib.loads(GOOD)
    data["clock"]["start"] = data["clock"]["start"].isoformat()
    assert list(validator.iter_errors(data)) == []
    data["clok"] = data.pop("clock")
    assert list(validator.iter_errors(data))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('duration = "3 h"\n\n', 'duration = "3 mm"\n\n', 17, ["clock.duration", "unit of length"]),
        ('bounds = ["0 m"', 'bounds = ["0"', 9, ["domain.bounds[0]", "no unit"]),
        ("seed = 42", "seeed = 42", 4, ["seeed", "unknown key", "Did you mean 'seed'"]),
        ('kind = "crowd"', 'kind = "crwd"', 24, ["kind 'crwd' is not known", "'flood', 'crowd'"]),
        ("people = 400", "people = 0", 27, ["simulation[crowd].people", "greater than 0"]),
        ('"chicago"', '"chicgo"', 21, ["flood].rain.design", "'chicago' or 'block'"]),
        ('depth = "140 mm", ', "", 21, ["rain", "'depth' is missing"]),
        ('east = "open"', 'east = "opn"', 22, ["boundaries.east", "'opn'", "'wall' or 'open'"]),
        (
            "start = 2026-07-01T08:00:00+08:00",
            "start = 2026-07-01T08:00:00",
            16,
            ["offset from UTC"],
        ),
        ('place = "station"', 'place = "statoin"', None, ["'statoin' is no BIM", "'station'"]),
    ],
)
def test_a_fault_is_said_with_line_key_value_and_cure(write, old, new, line, words):
    assert old in GOOD
    message = said(write(GOOD.replace(old, new)))
    assert message.count("\n") == 0, message
    if line is not None:
        assert f"scene.toml:{line}: " in message
    for word in words:
        assert word in message


def test_all_faults_are_said_at_once(write):
    text = GOOD.replace("seed = 42", "seeed = 42").replace("400", "0").replace('"3 h"', '"3 mm"')
    message = said(write(text))
    assert message.startswith("4 things in")
    for word in ("seeed", "people", "clock.duration", "rain.duration"):
        assert word in message


def test_a_file_that_is_not_toml_or_not_there(write, tmp_path):
    assert "scene.toml:2: this is not valid TOML" in said(write("a = 1\nb = = 2\n"))
    write(GOOD)
    assert "Did you mean" in said(tmp_path / "scen.toml")
    assert "is a folder" in said(tmp_path)


def test_settings_change_the_scene_and_are_kept_with_it(write):
    scene = Scene.load(
        write(GOOD), ["seed=7", 'simulation.flood.resolution="8 m"', "simulation.crowd.people=9"]
    )
    assert scene.model.seed == 7
    assert scene.model.simulation[0].resolution == 8.0
    assert scene.model.simulation[1].people == 9
    assert "--set seed=7" in scene.text
    assert "no entry 'flod'" in said(write(GOOD), ["simulation.flod.resolution=8 m"])
    assert "not of the form" in said(write(GOOD), ["seed"])


def test_extends_merges_tables_and_entries_by_name(write, tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "scene.toml").write_text(GOOD)
    heir = write(
        """
        extends = "base/scene.toml"
        name = "heir"
        [[simulation]]
        kind = "flood"
        resolution = "10 m"
        """
    )
    model = Scene.load(heir).model
    assert model.name == "heir"
    assert model.simulation[0].resolution == 10.0
    assert model.simulation[0].rain.depth == pytest.approx(0.14)
    assert model.simulation[1].people == 400
    assert model.city.bim[0].file.as_posix() == "base/station.ifc"
    loop = write('extends = "loop.toml"', "loop.toml")
    assert "extends itself" in said(loop)


def test_extends_over_two_folders_keeps_the_paths(write, tmp_path):
    for name, text in (
        ("a", GOOD),
        ("b", 'extends = "../a/scene.toml"\nname = "b"'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scene.toml").write_text(text)
    (tmp_path / "c").mkdir()
    heir = tmp_path / "c" / "scene.toml"
    heir.write_text('extends = "../b/scene.toml"\nname = "c"')
    model = Scene.load(heir).model
    assert model.name == "c"
    assert model.city.bim[0].file.as_posix() == "../a/station.ifc"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('design = "chicago"', 'design = "block", peak = 0.5', "a block storm has no peak"),
        ('level = "3.5 m"', 'level = "3.5 m", crs = "EPSG:32651"', "a level has none"),
    ],
)
def test_keys_that_would_do_nothing_are_refused(write, old, new, words):
    assert words in said(write(GOOD.replace(old, new)))


def test_missing_inputs_are_all_named(write, monkeypatch):
    monkeypatch.delenv("TWIN_NOWHERE", raising=False)
    text = GOOD.replace(
        'terrain = { level = "3.5 m" }',
        'terrain = "${TWIN_NOWHERE}/dem.tif"\nbuildings = "none.gpkg"',
    )
    with pytest.raises(SceneError) as caught:
        Scene.load(write(text)).inputs()
    message = str(caught.value)
    for word in ("city.terrain", "TWIN_NOWHERE", "none.gpkg", "station.ifc"):
        assert word in message


def test_a_path_with_a_default_and_a_chinese_name(write, tmp_path, monkeypatch):
    monkeypatch.delenv("TWIN_NOWHERE", raising=False)
    (tmp_path / "数据").mkdir()
    (tmp_path / "数据" / "站.ifc").write_text("x")
    text = GOOD.replace("station.ifc", "${TWIN_NOWHERE:-数据}/站.ifc").replace(
        'place = "station"', 'place = "站"'
    )
    scene = Scene.load(write(text))
    assert scene.inputs()["city.bim[0].file"] == tmp_path / "数据" / "站.ifc"


def test_lines_of_keys_in_nested_arrays_of_tables():
    lines = key_lines("a = 1\n[[b]]\nc = 2\n[[b]]\n[[b.d]]\ne = 3\n[f.g]\nh.i = 4\n")
    assert lines["a",] == 1
    assert lines["b", 0, "c"] == 3
    assert lines["b", 1, "d", 0, "e"] == 6
    assert lines["f", "g", "h", "i"] == 8

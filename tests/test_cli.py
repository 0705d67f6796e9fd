"""The command line: what it shows, its exit status, and what it says when things go wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from twin import __version__
from twin.cli import main


def call(capsys, *arguments):
    """Call the command line in this process; return status, output and errors."""
    try:
        status = main([str(a) for a in arguments])
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_help_shows_the_commands_that_work(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0
    for command in ("run", "view", "check", "schema"):
        assert f"\n    {command} " in out
    for command in ("live", "serve", "compare", "export"):
        assert f"\n    {command} " not in out


def test_installed_command_answers():
    done = subprocess.run(
        [sys.executable, "-m", "twin.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"twin {__version__}"


def test_schema_is_json(capsys):
    status, out, _ = call(capsys, "schema")
    assert status == 0
    assert "simulation" in json.loads(out)["properties"]


def test_check_of_a_good_scene(capsys, town):
    status, out, _ = call(capsys, "check", town / "scene.toml")
    assert status == 0
    assert "'small' (6 input files): good" in out
    assert "3 buildings" in out
    assert "2 datastreams" in out


def test_check_of_a_bad_scene_is_bad_input(capsys, town):
    path = town / "scene.toml"
    path.write_text(path.read_text().replace("people = 30", 'people = "many"'))
    status, out, err = call(capsys, "check", path)
    assert status == 2
    assert out == ""
    assert err.startswith("twin: ")
    assert "simulation[crowd].people: 'many'" in err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rain = { gauges = true }", 'gates = [{ id = "g-1", opens = "0 s" }]', "'g-1'"),
        ("gauges = true", 'gauges = ["rain-2"]', "Did you mean 'rain-1'"),
        ('reach = "200 m"', 'reads = ["flood.deph"]', "flood.deph"),
    ],
)
def test_check_finds_what_a_run_would_stumble_over(capsys, town, old, new, words):
    path = town / "scene.toml"
    path.write_text(path.read_text().replace(old, new))
    status, _, err = call(capsys, "check", path)
    assert status != 0
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("run",), 2, "Which scene?"),
        (("run", "nowhere.toml"), 2, "no scene file 'nowhere.toml'"),
        (("run", "--resume"), 1, "no unfinished run"),
        (("view", "nowhere"), 1, "is not a run"),
        (("view", "nowhere.toml", "--screenshot", "a.png"), 2, "no scene file"),
        (("check", "nowhere"), 2, "no scene file"),
        (("runn",), 2, "invalid choice"),
    ],
)
def test_bad_calls_say_why(capsys, tmp_path, monkeypatch, arguments, status, words):
    monkeypatch.chdir(tmp_path)
    got, out, err = call(capsys, *arguments)
    assert (got, out) == (status, "")
    assert words in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_size_is_checked(capsys, town):
    status, _, err = call(
        capsys, "view", town / "scene.toml", "--screenshot", "a.png", "--size", "wide"
    )
    assert status == 2
    assert "'wide' is not a size" in err


def test_debug_shows_the_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Which scene"):
        main(["run", "--debug"])

"""A scene from its sources to a run: what is left, again the same, and after interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from town import box, line, write_layer

from twin.errors import Interrupted, RunError, SceneError, TwinError
from twin.files import sha256
from twin.run import Run, lock_run
from twin.scene import Scene, execute
from twin.scene.session import open_session

#: What must come out the same, byte for byte.
NUMBERS = ("fields.zarr", "agents.parquet", "series.parquet", "impacts.parquet", "tables", "maps")


def numbers(run: Run) -> dict[str, str]:
    return {name: sha256(run.path / name) for name in NUMBERS}


def run_scene(town: Path, out: Path, settings=(), **options) -> Run:
    options.setdefault("pictures", False)
    return Scene.load(town / "scene.toml", settings).run(out, **options)


class Stop:
    """Says stop at its n-th question."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_run_holds_what_it_should_in_open_formats(town, tmp_path):
    run = run_scene(town, tmp_path / "run")
    assert not (tmp_path / "run.partial").exists()
    assert not (run.path / "checkpoints").exists()
    flood = xr.open_zarr(run.path / "fields.zarr", group="flood", consolidated=False)
    assert flood.depth.dims == ("time", "y", "x")
    assert flood.sizes["time"] == len(run.times) == 6
    assert float(flood.depth[0].max()) == 0.0
    # 120 mm/h for 5 min are 10 mm; they gather in the hollow
    hollow = flood.depth.sel(x=500_090, y=3_450_050, method="nearest")
    assert float(hollow[-1]) > 0.03
    with rasterio.open(run.map_path("max_depth")) as dataset:
        depth = dataset.read(1)
        assert dataset.crs.to_epsg() == 32651
    assert np.nanmax(depth) >= float(hollow[-1]) - 1e-6

    balance = run.summary["flood"]["balance"]
    rain = 0.12 / 12 * 160 * 120
    assert balance["rain"] == pytest.approx(rain, rel=0.25)
    assert abs(balance["error"]) < 1e-9 * balance["rain"]

    agents = run.agents()
    assert set(agents.columns) >= {"time", "simulation", "id", "x", "y", "z", "surface", "state"}
    assert (agents["time"] == 0).sum() == 30
    egress = run.table("crowd.egress")
    assert len(egress) == run.summary["crowd"]["evacuated"] > 0
    impacts = gpd.read_parquet(run.path / "impacts.parquet")
    assert set(impacts["layer"]) >= {"buildings", "streets"}
    assert impacts.geometry.notna().all()
    series = run.series()
    gauge = series[series["place"] == "level-1"]
    # from when it is deep enough to read, the level rises
    assert 2 <= len(gauge) < 6
    assert gauge["value"].is_monotonic_increasing
    assert gauge["value"].iloc[-1] > 2.8

    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["readings"]["stored"] == 50
    for name, about in manifest["outputs"].items():
        assert sha256(run.path / name) == about["sha256"], name
    lock = json.loads((run.path / "scene.lock.json").read_text())
    assert lock["inputs"]["city.terrain.file"] == sha256(town / "terrain.tif")
    prov = json.loads((run.path / "prov.json").read_text())
    assert "run:input/city.buildings.file" in prov["entity"]
    assert (run.path / "scene.toml").read_text() == (town / "scene.toml").read_text()


def test_the_same_scene_gives_the_same_bytes(town, tmp_path):
    first = run_scene(town, tmp_path / "a")
    second = run_scene(town, tmp_path / "b")
    assert numbers(first) == numbers(second)
    other = run_scene(town, tmp_path / "c", ["seed=6"])
    assert numbers(other)["agents.parquet"] != numbers(first)["agents.parquet"]


def test_the_speed_of_the_replay_changes_nothing(town, tmp_path):
    gauge = ['simulation.flood.boundaries.east={ stage = "level-1" }']
    (town / "readings.csv").write_text(
        (town / "readings.csv").read_text().replace(",level-1,2.", ",level-1,4.")
    )
    slow = run_scene(town, tmp_path / "slow", [*gauge, "sensors.replay.speed=1500"])
    fast = run_scene(town, tmp_path / "fast", gauge)
    assert slow.summary["flood"]["balance"]["inflow"] > 0
    assert numbers(slow) == numbers(fast)


def test_water_slows_people(town, tmp_path):
    dry = run_scene(town, tmp_path / "dry", ['simulation.flood.rain="0 mm/h"'])
    wet = run_scene(
        town,
        tmp_path / "wet",
        ['simulation.flood.rain="9000 mm/h"', 'simulation.crowd.begins="1 min"'],
    )
    dry_late = run_scene(
        town,
        tmp_path / "late",
        ['simulation.flood.rain="0 mm/h"', 'simulation.crowd.begins="1 min"'],
    )
    assert dry.summary["crowd"]["evacuated"] == 30
    assert wet.summary["crowd"]["evacuated"] < dry_late.summary["crowd"]["evacuated"]


@pytest.mark.parametrize("stops", [(1,), (3, 2), (5, 1, 1)])
def test_an_interrupted_run_resumes_to_the_same_numbers(town, tmp_path, stops):
    whole = run_scene(town, tmp_path / "whole")
    for position, after in enumerate(stops):
        with pytest.raises(Interrupted, match="--resume"):
            run_scene(town, tmp_path / "cut", resume=position > 0, should_stop=Stop(after))
        assert (tmp_path / "cut.partial" / "checkpoints").is_dir()
        assert not (tmp_path / "cut").exists()
    resumed = run_scene(town, tmp_path / "cut", resume=True)
    assert numbers(resumed) == numbers(whole)
    assert not (tmp_path / "cut.partial").exists()


def test_a_killed_run_resumes_to_the_same_numbers(town, tmp_path):
    whole = run_scene(town, tmp_path / "whole")
    command = [
        sys.executable,
        "-m",
        "twin.cli",
        "run",
        "--no-pictures",
        "--out",
        str(tmp_path / "k"),
    ]
    process = subprocess.Popen(
        [*command, str(town / "scene.toml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "k.partial" / "checkpoints").glob("0*")):
        assert process.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / "k.partial").is_dir()
    done = subprocess.run(
        [*command, "--resume"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert numbers(Run(tmp_path / "k")) == numbers(whole)


def test_resume_refuses_changed_inputs(town, tmp_path):
    with pytest.raises(Interrupted):
        run_scene(town, tmp_path / "cut", should_stop=Stop(2))
    with pytest.raises(RunError, match=r"scene has changed.*\(.*people"):
        run_scene(town, tmp_path / "cut", ["simulation.crowd.people=31"], resume=True)
    (town / "readings.csv").write_text((town / "readings.csv").read_text() + "\n")
    with pytest.raises(RunError, match=r"input file has changed.*sensors.replay"):
        run_scene(town, tmp_path / "cut", resume=True)


def test_resume_refuses_other_versions(town, tmp_path):
    with pytest.raises(Interrupted):
        run_scene(town, tmp_path / "cut", should_stop=Stop(2))
    path = tmp_path / "cut.partial" / "scene.lock.json"
    path.write_text(path.read_text().replace('"numba": "', '"numba": "1.'))
    with pytest.raises(RunError, match=r"begun with numba 1\..*Install numba 1\."):
        run_scene(town, tmp_path / "cut", resume=True)


def test_a_second_process_leaves_a_live_run_alone(town, tmp_path):
    partial = tmp_path / "live.partial"
    partial.mkdir()
    with lock_run(partial), pytest.raises(RunError, match="another process"):
        run_scene(town, tmp_path / "live", resume=True)
    assert partial.is_dir()


@pytest.mark.parametrize("late", ["provenance", "write_manifest"])
def test_a_failure_in_the_last_second_costs_nothing(town, tmp_path, monkeypatch, late):
    whole = run_scene(town, tmp_path / "whole")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(execute, late, full)
        with pytest.raises(RunError, match="the disk is full"):
            run_scene(town, tmp_path / "late")
    state = json.loads(
        max((tmp_path / "late.partial").glob("checkpoints/*/state.json")).read_text()
    )
    assert state["time"] == 300.0
    resumed = run_scene(town, tmp_path / "late", resume=True)
    assert numbers(resumed) == numbers(whole)
    assert resumed.manifest["readings"] == whole.manifest["readings"]
    assert resumed.manifest["outputs"].keys() == whole.manifest["outputs"].keys()


def test_a_run_killed_before_its_new_name_only_gets_it(town, tmp_path):
    run = run_scene(town, tmp_path / "run")
    run.path.rename(tmp_path / "again.partial")
    again = run_scene(town, tmp_path / "again", resume=True)
    assert numbers(again) == numbers(Run(tmp_path / "again"))
    assert not (tmp_path / "again.partial").exists()


def test_a_moving_gate_and_a_gauged_river_resume_to_the_same_numbers(town, tmp_path):
    """Checkpoints fall into a partly filled shard and into the opening of the gate."""
    write_layer(
        town / "defences.gpkg",
        id=["wall", "gate"],
        name=["Wall", "Gate"],
        kind=["wall", "gate"],
        crest_m=[6.0, 6.0],
        sill_m=[None, 3.0],
        geometry=[line((156, 0), (156, 60)), line((156, 60), (156, 120))],
    )
    (town / "readings.csv").write_text(
        (town / "readings.csv").read_text().replace(",level-1,2.", ",level-1,4.")
    )
    scene = (town / "scene.toml").read_text()
    (town / "scene.toml").write_text(
        scene.replace(
            "rain = { gauges = true }",
            'order = 2\nboundaries = { east = { stage = "level-1" } }\n'
            'gates = [{ id = "gate", opens = "1 min", takes = "2 min" }]',
        )
        .replace("[clock]", 'defences = "defences.gpkg"\n\n[clock]')
        .replace('every = "1 min"', 'every = "20 s"')
        .replace('"0.001 s"', '"1 h"')
    )
    whole = run_scene(town, tmp_path / "whole")
    assert whole.summary["flood"]["balance"]["inflow"] > 0
    for position, after in enumerate((4, 3)):
        with pytest.raises(Interrupted):
            run_scene(town, tmp_path / "cut", resume=position > 0, should_stop=Stop(after))
    assert numbers(run_scene(town, tmp_path / "cut", resume=True)) == numbers(whole)


def test_a_record_of_another_day_is_refused(town, tmp_path):
    path = town / "scene.toml"
    path.write_text(path.read_text().replace("start = 2026", "start = 2027"))
    with pytest.raises(TwinError, match=r"no reading of 'rain-1'.*run from 2026.*clock\.start"):
        run_scene(town, tmp_path / "run")
    assert not (tmp_path / "run.partial").exists()


def test_outputs_that_nothing_writes_are_refused(town, tmp_path):
    with pytest.raises(SceneError, match=r"nothing writes 'depht'. Did you mean 'depth'"):
        run_scene(town, tmp_path / "run", ['output.fields=["depht"]'])


def test_two_stations_can_be_cleared_in_one_scene(town, tmp_path):
    path = town / "scene.toml"
    text = path.read_text()
    crowd = text[text.index('[[simulation]]\nkind = "crowd"') : text.index("[output]")]
    path.write_text(text.replace("[output]", crowd + 'name = "other"\n\n[output]'))
    run = run_scene(town, tmp_path / "run")
    assert {"crowd", "other"} <= set(run.agents()["simulation"])
    assert len(run.table("other.egress")) == run.summary["other"]["evacuated"]


def test_an_existing_run_is_never_touched(town, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="exists already"):
        run_scene(town, tmp_path / "run")
    with pytest.raises(RunError, match="nothing to resume"):
        run_scene(town, tmp_path / "other", resume=True)
    (tmp_path / "third.partial").mkdir()
    with pytest.raises(RunError, match="unfinished run"):
        run_scene(town, tmp_path / "third")


def write_footprints_without_crs(town: Path) -> None:
    (town / "buildings.gpkg").unlink()
    frame = gpd.GeoDataFrame({"height_m": [3.0]}, geometry=[box(20, 60, 50, 90)])
    with pytest.warns(UserWarning, match="'crs' was not provided"):
        frame.to_file(town / "buildings.gpkg", layer="buildings")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda t: (t / "terrain.tif").write_bytes((t / "terrain.tif").read_bytes()[:7000]),
            ["terrain.tif"],
        ),
        (
            write_footprints_without_crs,
            ["buildings.gpkg", "reference system"],
        ),
        (
            lambda t: (t / "readings.csv").write_text("time,datastream,value\nnow,rain-1,3\n"),
            ["readings.csv:2", "now"],
        ),
        (
            lambda t: (t / "scene.toml").write_text(
                (t / "scene.toml").read_text().replace('"embedded"', '"mqtt://127.0.0.1:9"')
            ),
            ["127.0.0.1", "9"],
        ),
        (
            lambda t: (t / "scene.toml").write_text(
                (t / "scene.toml").read_text().replace('"4 m"', '"4 mm/h"')
            ),
            ["simulation[flood].resolution", "scene.toml:"],
        ),
    ],
    ids=["cut raster", "no CRS", "bad reading", "no broker", "wrong unit"],
)
def test_bad_input_is_one_clear_paragraph_and_leaves_nothing(town, tmp_path, spoil, words):
    spoil(town)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(TwinError) as caught:
        run_scene(town, tmp_path / "run")
    message = str(caught.value)
    assert "\n\n" not in message
    for word in words:
        assert word in message
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_full_disk_is_said_and_leaves_nothing_half_written(town, tmp_path):
    """The disk is a file-size limit here, which fails writes as a full disk does."""
    code = (
        "import resource, sys; from twin.cli import main; import signal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(town / "scene.toml"), "--out", str(tmp_path / "r")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("twin: ") == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()
    assert not (tmp_path / "r.partial").exists()


def test_the_newest_unfinished_run_is_the_one_resumed(town, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no unfinished run"):
        open_session(None, None, settings=[], resume=True)
    with pytest.raises(Interrupted):
        run_scene(town, Path("runs/small"), should_stop=Stop(2))
    session = open_session(None, None, settings=[], resume=True)
    assert session.out == Path("runs/small")
    other = Path("runs/small_too.partial")
    other.mkdir()
    (other / "scene.lock.json").write_text('{"scene": {"name": "small_too"}}')
    session = open_session(town / "scene.toml", None, settings=[], resume=True)
    assert session.out == Path("runs/small")
    fresh = open_session(town / "scene.toml", None, settings=[], resume=False)
    assert fresh.out == Path("runs/small-2")
    with pytest.raises(TwinError, match="goes on as it was begun"):
        open_session(None, None, settings=["seed=1"], resume=True)


def test_tables_read_back_as_frames(town, tmp_path):
    run = run_scene(town, tmp_path / "run")
    assert isinstance(run.agents(), pd.DataFrame)
    with pytest.raises(RunError, match=r"Did you mean 'flood\.depth'"):
        run.field("flood", "deph")
    with pytest.raises(RunError, match="no map 'max_deph'"):
        run.map_path("max_deph")

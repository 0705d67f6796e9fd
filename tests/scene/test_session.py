"""A run from the command line that is told to stop, and goes on to the same numbers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from town import make_town

from twin.files import sha256
from twin.run import Run

#: What must come out the same, byte for byte.
NUMBERS = ("fields.zarr", "agents.parquet", "series.parquet", "impacts.parquet", "tables", "maps")

#: Long enough to be stopped on the way, and with checkpoints all along.
SETTINGS = ("clock.duration='90 min'", "output.checkpoint='0.05 s'")


def numbers(path: Path) -> dict[str, str]:
    run = Run(path)
    return {name: sha256(run.path / name) for name in NUMBERS}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "twin.cli", "run", "--no-pictures", *map(str, arguments)]


def begin(scene: Path, out: Path) -> list[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return command(scene, "--out", out, *settings)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    return make_town(tmp_path_factory.mktemp("session") / "town") / "scene.toml"


@pytest.fixture(scope="module")
def undisturbed(scene) -> dict[str, str]:
    """The numbers of a run that nobody stopped."""
    out = scene.parent.parent / "undisturbed"
    subprocess.run(begin(scene, out), check=True, capture_output=True, timeout=120)
    return numbers(out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_run_told_to_stop_goes_on_to_the_same_numbers(scene, undisturbed, tmp_path, number):
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    process = subprocess.Popen(
        begin(scene, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not list(partial.glob("checkpoints/0*")):
            assert process.poll() is None, "it was over before it could be stopped"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        said, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 130, told
    assert said == ""
    paragraphs = [line for line in told.splitlines() if not line.startswith("[")]
    assert len(paragraphs) == 1, told
    assert paragraphs[0].startswith("twin: Stopped at ")
    assert paragraphs[0].endswith(f"Go on with: twin run --resume --out {out}")
    assert not out.exists()
    assert list(partial.glob("checkpoints/0*"))
    assert not (partial / "manifest.json").exists()

    resume = command(*paragraphs[0].partition("twin run ")[2].split())
    done = subprocess.run(resume, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A small town: 2026-07-01 08:00 to 09:30 (UTC+08:00)")
    assert not partial.exists()
    assert not (out / "checkpoints").exists()
    assert numbers(out) == undisturbed

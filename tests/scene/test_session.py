"""A run from the command line that is told to stop, and goes on to the same numbers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from twin.files import sha256
from twin.run import Run
from twin.scene import Scene

#: What must come out the same, byte for byte.
NUMBERS = ("fields.zarr", "agents.parquet", "series.parquet", "impacts.parquet", "tables", "maps")

#: Long enough to be stopped on the way twice, and with checkpoints all along.
SETTINGS = ("clock.duration='45 min'", "output.checkpoint='0.05 s'")


def numbers(run: Run) -> dict[str, str]:
    return {name: sha256(run.path / name) for name in NUMBERS}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "twin.cli", "run", "--no-pictures", *map(str, arguments)]


def last_checkpoint(partial: Path) -> str:
    return max((p.name for p in partial.glob("checkpoints/0*")), default="")


def stop(arguments: list[str], partial: Path, number: signal.Signals) -> str:
    """Begin a run, send it the signal after its next checkpoint; return what it says at its end."""
    before = last_checkpoint(partial)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while last_checkpoint(partial) <= before:
            assert process.poll() is None, "it was over before it could be stopped"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        said, told = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, told
    assert said == ""
    (sentence,) = (line for line in told.splitlines() if not line.startswith("["))
    return sentence


def test_a_run_told_to_stop_goes_on_to_the_same_numbers(town, tmp_path):
    whole = Scene.load(town / "scene.toml", SETTINGS).run(tmp_path / "whole", pictures=False)
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    arguments = command(town / "scene.toml", "--out", out, *settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        sentence = stop(arguments, partial, number)
        assert sentence.startswith("twin: Stopped at ")
        assert sentence.endswith(f"Go on with: twin run --resume --out {out}")
        assert last_checkpoint(partial)
        assert not out.exists()
        assert not (partial / "manifest.json").exists()
        arguments = command(*sentence.partition("twin run ")[2].split())  # as it says
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A small town: 2026-07-01 08:00 to 08:45 (UTC+08:00)")
    assert not partial.exists()
    assert not (out / "checkpoints").exists()
    assert numbers(Run(out)) == numbers(whole)

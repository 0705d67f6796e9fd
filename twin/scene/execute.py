"""Running a scene: sources → City → readings and simulations together → Run → pictures, report.

The work goes on in ``<out>.partial``. Whatever ends it, what is left there is either nothing or a
state from which `execute` with ``resume=True`` continues to the same numbers as an undisturbed
run: simulations are restored bit for bit, rows and frames written after the checkpoint are written
again, and readings that come in twice are stored once.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin._version import __version__
from twin.errors import Interrupted, RunError
from twin.files import disk_errors, sha256, write_json, write_text
from twin.run import Run, lock_run, partial_path
from twin.run_files import FieldWriter, TableWriter, write_manifest
from twin.scene.build import build_city, build_coupling, build_simulations
from twin.scene.feed import Feed
from twin.scene.progress import Progress, Quiet
from twin.scene.provenance import provenance
from twin.scene.results import grid_values, write_results
from twin.sim.coupling import Coupling
from twin.units import format_duration

if TYPE_CHECKING:
    from twin.geo.city import City
    from twin.scene.scene import Scene

__all__ = ["execute"]

#: Packages on whose versions the numbers of a run may depend.
NUMERIC = ("numpy", "numba", "scipy", "shapely", "geopandas", "pyproj", "rasterio")
#: What a run needs only until it is complete.
LEFTOVERS = ("checkpoints", "agents.parts", "series.parts")


def execute(
    scene: Scene,
    out: Path,
    *,
    resume: bool,
    pictures: bool,
    progress: Progress | None,
    should_stop: Callable[[], bool],
) -> Run:
    """Run `scene` into the directory `out`; see `twin.scene.Scene.run`."""
    partial = partial_path(out)
    if out.exists():
        raise RunError(f"{str(out)!r} exists already; choose another --out, or remove it first.")
    if resume and not partial.is_dir():
        raise RunError(f"There is nothing to resume: {str(partial)!r} does not exist.")
    lock = _lock(scene)
    with disk_errors("the run", out):
        if not resume:
            try:
                partial.mkdir(parents=True)
            except FileExistsError:
                raise RunError(
                    f"{str(partial)!r} holds an unfinished run; go on with --resume, "
                    "choose another --out, or remove it."
                ) from None
        with lock_run(partial):
            try:
                _claim(partial, scene, lock, resume=resume)
                if not _is_complete(partial):
                    _Execution(scene, partial, lock, progress or Quiet(), should_stop).run(pictures)
            except Interrupted as stop:
                if _checkpoints(partial):
                    raise Interrupted(f"{stop} Go on with: twin run --resume --out {out}") from None
                raise
            except BaseException:
                if not resume and not _checkpoints(partial):
                    shutil.rmtree(partial, ignore_errors=True)
                raise
            for leftover in LEFTOVERS:
                shutil.rmtree(partial / leftover, ignore_errors=True)
            partial.rename(out)
    return Run(out)


def _is_complete(partial: Path) -> bool:
    """Whether only the last step is missing: dropping what is left over, and renaming."""
    path = partial / "manifest.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["status"] == "complete"


def _lock(scene: Scene) -> dict[str, Any]:
    """Everything that a run's numbers depend on, and where it came from."""
    return {
        "scene": scene.resolved(),
        "inputs": {key: sha256(path) for key, path in sorted(scene.inputs().items())},
        "source": scene.source,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "twin": __version__}
    for name in (*NUMERIC, "vtk"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _claim(partial: Path, scene: Scene, lock: dict[str, Any], *, resume: bool) -> None:
    """Write what the run depends on, or compare it with what a run to resume depended on."""
    path = partial / "scene.lock.json"
    if not resume or not path.is_file():
        write_text(partial / "scene.toml", scene.text)
        write_json(path, lock)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    for name in ("python", "twin", *NUMERIC):
        old, new = before["versions"].get(name), lock["versions"].get(name)
        if old != new:
            raise RunError(
                f"{str(partial)!r} was begun with {name} {old}, and this is {name} {new}: it might "
                f"not go on to the same numbers. Install {name} {old}, or start anew with another "
                "--out."
            )
    for part, said in (("scene", "The scene"), ("inputs", "An input file")):
        if before[part] != lock[part]:
            changed = _first_difference(before[part], lock[part])
            raise RunError(
                f"{said} has changed since {str(partial)!r} was begun ({changed}); a run cannot "
                "be resumed with other inputs. Start anew with another --out."
            )


def _first_difference(a: Any, b: Any, key: str = "") -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted({*a, *b}):
            if a.get(name) != b.get(name):
                return _first_difference(a.get(name), b.get(name), f"{key}.{name}".lstrip("."))
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for position, (x, y) in enumerate(zip(a, b, strict=True)):
            if x != y:
                return _first_difference(x, y, f"{key}[{position}]")
    return key


def _checkpoints(partial: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    folder = partial / "checkpoints"
    return sorted(p for p in folder.glob("[0-9]*") if p.is_dir()) if folder.is_dir() else []


class _Execution:
    """One execution of a scene, from a directory that is empty or holds a checkpoint."""

    def __init__(
        self,
        scene: Scene,
        path: Path,
        lock: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self.scene = scene
        self.path = path
        self.lock = lock
        self.progress = progress
        self.should_stop = should_stop
        model = scene.model
        times: npt.NDArray[np.float64]
        count = int(np.floor(model.clock.duration / model.output.every + 1e-9))
        times = np.arange(count + 1, dtype=np.float64) * np.float64(model.output.every)
        if times[-1] < model.clock.duration - 1e-6:
            times = np.append(times, model.clock.duration)
        self.times = times
        self.timings: dict[str, float] = {}
        self.began = datetime.now(UTC)

    def run(self, pictures: bool) -> None:
        """Do all of it, leaving a complete directory."""
        with Feed(self.scene, self.path, self.progress, self.should_stop) as feed:
            with self._timed("city", "Building the city"):
                city = self._city()
            with self._timed("setup", "Setting up the simulations"):
                simulations = build_simulations(self.scene, city, feed.observations)
                coupling = build_coupling(self.scene, simulations)
            with self._timed("simulation", "Simulating"):
                self._simulate(coupling, feed)
            with self._timed("readings", "Taking in the last readings"):
                readings = feed.finish()
        with self._timed("results", "Writing maps and tables"):
            self.agents.join(self.path / "agents.parquet")
            self.series.join(self.path / "series.parquet")
            maps, summary = write_results(self.path, city, simulations)
        manifest = {
            "format": "twin-run 1",
            "status": "running",
            "started": self.began.isoformat(),
            "times": self.times.tolist(),
            "simulations": {
                s.name: m.kind
                for s, m in zip(simulations, self.scene.model.simulation, strict=True)
            },
            "maps": maps,
            "summary": summary,
            "readings": readings,
            "city": _describe(city),
        }
        manifest["pictures"] = {}
        write_json(self.path / "manifest.json", manifest)
        if pictures:
            from twin.report import write_pictures, write_report

            with self._timed("pictures", "Drawing"):
                manifest["pictures"] = write_pictures(Run(self.path), self.progress.update)
            write_json(self.path / "manifest.json", {**manifest, "timings": self.timings})
            with self._timed("report", "Writing the report"):
                write_report(Run(self.path))
        self.progress.done()
        manifest |= {
            "status": "complete",
            "finished": datetime.now(UTC).isoformat(),
            "timings": self.timings,
        }
        write_json(self.path / "prov.json", provenance(self.scene, self.lock, manifest, self.path))
        write_manifest(self.path, manifest, without=LEFTOVERS)

    def _city(self) -> City:
        from twin.geo.city import City

        saved = self.path / "city"
        if saved.is_dir():
            return City.open(saved)
        city = build_city(self.scene)
        city.save(saved)
        return city

    def _simulate(self, coupling: Coupling, feed: Feed) -> None:
        """Advance the simulations together, writing the outputs on the way."""
        feed.wait(coupling.time)  # a start level may come from a gauge
        checkpoints = _checkpoints(self.path)
        state: dict[str, Any] = {"output": 0, "agents": 0, "series": 0}
        if checkpoints:
            state = json.loads((checkpoints[-1] / "state.json").read_text(encoding="utf-8"))
            coupling.restore(checkpoints[-1])
        start = self.scene.model.clock.start
        self.fields = FieldWriter(
            self.path / "fields.zarr", start, self.times, resume=bool(checkpoints)
        )
        self.agents = TableWriter(self.path / "agents.parts", parts=state["agents"])
        self.series = TableWriter(self.path / "series.parts", parts=state["series"])
        self._declare(coupling)
        self._next_output = state["output"]
        end = float(self.times[-1])
        last = time.monotonic()
        if self._next_output == 0:
            self._write_output(coupling, feed)
        for output in self.times[self._next_output :]:
            for target in coupling.sync_points(coupling.time, float(output)):
                if self.should_stop():
                    self._checkpoint(coupling)
                    raise Interrupted(
                        f"Stopped at {format_duration(coupling.time)} of {format_duration(end)}."
                    )
                if time.monotonic() - last > self.scene.model.output.checkpoint:
                    self._checkpoint(coupling)
                    last = time.monotonic()
                feed.wait(target)
                coupling.step(target)
                self.progress.update(target / end, f"{format_duration(target)} into the scene")
            self._write_output(coupling, feed)
        self._checkpoint(coupling)

    def _declare(self, coupling: Coupling) -> None:
        """Make the arrays of the gridded quantities that the scene asks for."""
        self._kept: dict[str, list[str]] = {}
        for simulation in coupling.simulations:
            snapshot = simulation.snapshot()
            specs = {s.name.partition(".")[2]: s for s in simulation.writes}
            kept = [n for n in snapshot.fields if n in self.scene.model.output.fields]
            self._kept[simulation.name] = kept
            if kept:
                grid = snapshot.fields[kept[0]].grid
                self.fields.declare(
                    simulation.name,
                    grid_values(grid),
                    {
                        n: {
                            "units": specs[n].unit,
                            "long_name": specs[n].long_name,
                            "standard_name": specs[n].standard_name,
                            "dtype": specs[n].dtype,
                        }
                        for n in kept
                    },
                )

    def _write_output(self, coupling: Coupling, feed: Feed) -> None:
        """Write the state of all simulations at the present output time."""
        index = self._next_output
        for simulation in coupling.simulations:
            snapshot = simulation.snapshot()
            kept = self._kept[simulation.name]
            if kept:
                self.fields.put(
                    simulation.name, index, {n: snapshot.fields[n].values for n in kept}
                )
            if snapshot.table is not None:
                table = snapshot.table.assign(time=snapshot.time, simulation=simulation.name)
                self.agents.put(table)
            self.series.put(_number_rows(simulation.name, snapshot.time, snapshot.numbers))
        self.series.put(feed.simulated(coupling.simulations))
        self._next_output = index + 1

    def _checkpoint(self, coupling: Coupling) -> None:
        """Write the state from which the run can be resumed; the one before it is dropped."""
        self.fields.flush()
        self.agents.flush()
        self.series.flush()
        folder = self.path / "checkpoints"
        folder.mkdir(exist_ok=True)
        fresh = folder / "writing"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        coupling.checkpoint(fresh)
        write_json(
            fresh / "state.json",
            {
                "time": coupling.time,
                "output": self._next_output,
                "agents": self.agents.parts,
                "series": self.series.parts,
            },
        )
        old = _checkpoints(self.path)
        number = int(old[-1].name) + 1 if old else 0
        fresh.rename(folder / f"{number:06d}")
        for path in old:
            shutil.rmtree(path, ignore_errors=True)

    def _timed(self, key: str, text: str) -> _Stage:
        return _Stage(self, key, text)


class _Stage:
    """Tells of a stage and keeps how long it took, s."""

    def __init__(self, execution: _Execution, key: str, text: str) -> None:
        self.execution = execution
        self.key = key
        self.text = text

    def __enter__(self) -> None:
        self.execution.progress.stage(self.text)
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took = time.perf_counter() - self.began
        self.execution.timings[self.key] = round(took, 3)


def _number_rows(simulation: str, at: float, numbers: Any) -> Any:
    """Rows of the series table for the totals of a simulation, "quantity [unit]" each."""
    import pandas as pd

    rows = []
    for label, value in numbers.items():
        quantity, _, unit = label.partition(" [")
        rows.append((at, simulation, "", quantity, unit.rstrip("]"), float(value)))
    return pd.DataFrame(rows, columns=["time", "simulation", "place", "quantity", "unit", "value"])


def _describe(city: City) -> dict[str, Any]:
    """What the city holds, for summary and report."""
    return {
        "crs": city.crs,
        "vertical_datum": city.vertical_datum,
        "bounds": list(city.bounds),
        "buildings": len(city.buildings),
        "streets": len(city.streets),
        "interiors": sorted(city.interiors),
    }

"""A run: the directory that a scene leaves behind, in open formats.

::

    <run>/
      scene.toml        as given                     scene.lock.json  resolved SI values, sha256 of
      manifest.json     status, timings, outputs                      each input, versions, seed
      prov.json         W3C PROV-JSON                city/            the City that was run on
      fields.zarr/      Zarr v3, CF names and units, one group for each simulation
      agents.parquet    people over time             series.parquet   totals and gauges over time
      impacts.parquet   buildings, streets and underpasses that were hit (GeoParquet)
      tables/           further tables               maps/            maxima as GeoTIFF
      observations.db   the readings that came in    report.html, overview.png, animation.*

While it is being written it is called ``<run>.partial`` and also holds ``checkpoints/``; it is
renamed when complete. A partial run can be resumed from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.errors import RunError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTIAL", "Run", "lock_run", "partial_path"]

#: What the name of an unfinished run ends with.
PARTIAL = ".partial"


def partial_path(out: Path) -> Path:
    """Return the path under which the run `out` is written until it is complete."""
    return out.with_name(out.name + PARTIAL)


@contextlib.contextmanager
def lock_run(partial: Path) -> Iterator[None]:
    """Hold a partial run for one process; raise `RunError` if another one has it.

    The lock goes with the process, also with one that was killed.
    """
    directory = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(directory)
        raise RunError(
            f"{str(partial)!r} is being written by another process; "
            "wait for it or choose another --out."
        ) from None
    try:
        yield
    finally:
        os.close(directory)


class Run:
    """A complete run, read lazily.

    Parameters
    ----------
    path
        The run's directory.

    Raises
    ------
    RunError
        If the directory is not a run, or is one that has not been completed.

    Examples
    --------
    >>> run = Run.open("runs/lujiazui-cloudburst")        # doctest: +SKIP
    >>> run.field("flood", "depth")[-1].max()             # doctest: +SKIP
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "manifest.json").is_file():
            partial = partial_path(self.path)
            if partial.is_dir():
                raise RunError(
                    f"{str(self.path)!r} is not complete yet; continue it with "
                    f"'twin run --resume --out {self.path}'."
                )
            raise RunError(f"{str(self.path)!r} is not a run: it has no manifest.json.")
        if self.manifest.get("status") != "complete" and not self.path.name.endswith(PARTIAL):
            raise RunError(f"{str(self.path)!r} is a run that was not completed.")

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open the run at `path`."""
        return cls(path)

    def __repr__(self) -> str:
        return f"<Run {self.name!r} at {str(self.path)!r}>"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Status, timings, versions and the SHA-256 of each output."""
        return _read_json(self.path / "manifest.json")

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The resolved scene in SI units, the inputs' SHA-256, versions and seed."""
        return _read_json(self.path / "scene.lock.json")

    @property
    def name(self) -> str:
        """Name of the scene that was run."""
        return str(self.lock["scene"]["name"])

    @property
    def title(self) -> str:
        """Title of the scene that was run, or its name."""
        return str(self.lock["scene"].get("title") or self.name)

    @property
    def start(self) -> datetime:
        """The scene's start, with its time zone."""
        return datetime.fromisoformat(self.lock["scene"]["clock"]["start"])

    @property
    def summary(self) -> dict[str, Any]:
        """Figures of each simulation for a duty officer."""
        return dict(self.manifest["summary"])

    @property
    def simulations(self) -> dict[str, str]:
        """Name and kind of each simulation."""
        return dict(self.manifest["simulations"])

    @property
    def city_path(self) -> Path:
        """Directory of the City that was run on."""
        return self.path / "city"

    @property
    def observations_path(self) -> Path:
        """The observation store; absent when the scene has no sensors."""
        return self.path / "observations.db"

    @cached_property
    def _fields(self) -> Any:
        import zarr

        try:
            return zarr.open_group(str(self.path / "fields.zarr"), mode="r")
        except Exception as error:
            raise RunError(f"Cannot read the fields of {str(self.path)!r}: {error}.") from error

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """Output times, seconds since the scene's start."""
        return np.asarray(self.manifest["times"], dtype=np.float64)

    def fields(self, simulation: str) -> list[str]:
        """Names of the gridded quantities that a simulation left."""
        if simulation not in self._fields:
            return []
        skip = {"x", "y", "time", "crs"}
        return sorted(k for k in self._fields[simulation].array_keys() if k not in skip)

    def field(self, simulation: str, name: str) -> Any:
        """Return one quantity as a Zarr array ``[time, row, col]``."""
        if name not in self.fields(simulation):
            known = [f"{s}.{f}" for s in self.simulations for f in self.fields(s)]
            raise RunError(
                f"The run has no field '{simulation}.{name}'. "
                + did_you_mean(f"{simulation}.{name}", known)
            )
        return self._fields[simulation][name]

    def grid(self, simulation: str) -> dict[str, Any]:
        """Where a simulation's fields lie: crs, west, north, cell_size, shape."""
        try:
            attributes = dict(self._fields[simulation].attrs)
        except KeyError:
            raise RunError(f"The simulation {simulation!r} left no fields.") from None
        return dict(attributes["grid"])

    @cached_property
    def maps(self) -> dict[str, dict[str, Any]]:
        """What is known of each map: simulation, unit, long name."""
        return dict(self.manifest["maps"])

    def map_path(self, name: str) -> Path:
        """Return the GeoTIFF of a map such as "max_depth"."""
        path = self.path / "maps" / f"{name}.tif"
        if not path.is_file():
            raise RunError(f"The run has no map {name!r}. {did_you_mean(name, self.maps)}")
        return path

    def agents(self) -> pd.DataFrame:
        """People over time: time, simulation, id, x, y, z, surface, state; empty if none."""
        return self._parquet("agents.parquet")

    def series(self) -> pd.DataFrame:
        """Totals and gauges over time: time, simulation, place, quantity, unit, value."""
        return self._parquet("series.parquet")

    def impacts(self) -> Any:
        """Buildings, streets and underpasses with what happened to them, a GeoDataFrame."""
        import geopandas as gpd

        path = self.path / "impacts.parquet"
        return gpd.read_parquet(path) if path.is_file() else gpd.GeoDataFrame()

    def table(self, name: str) -> pd.DataFrame:
        """Return a further table, such as "crowd.egress"; empty if there is none."""
        return self._parquet(f"tables/{name}.parquet")

    def _parquet(self, name: str) -> pd.DataFrame:
        import pandas as pd

        path = self.path / name
        return pd.read_parquet(path) if path.is_file() else pd.DataFrame()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"{str(path.parent)!r} is not a complete run: {path.name} is missing."
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"Cannot read {str(path)!r}: {error}.") from error
    if not isinstance(value, dict):
        raise RunError(f"{str(path)!r} does not hold a JSON object.")
    return value

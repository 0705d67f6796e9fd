"""The city on disk: a directory of open formats that QGIS and pandas open without us.

::

    huangpu.city/
      manifest.json        what is there: systems, layers, SHA-256 of every file, provenance
      buildings.parquet    one GeoParquet file for each layer that has features
      terrain.tif          cloud-optimised GeoTIFF, float32, NaN where there is no data
      findings.parquet     what was noted while the city was built
      interiors/<name>/    one directory for each building known from inside

It is written beside its place and renamed, so a directory with a manifest is a whole one.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np

from twin._version import __version__
from twin.errors import InputError, TwinError, did_you_mean
from twin.files import sha256
from twin.geo.grid import Grid
from twin.geo.terrain import Terrain

if TYPE_CHECKING:
    from twin.geo.indoor import Interior

__all__ = ["Store"]

FORMAT = "twin-city"
SCHEMA = 1

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Store:
    """A city's directory and its manifest; files are read, and their hashes checked, on demand."""

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Store:
        """Read the manifest and see that every file is there in its full size."""
        folder = Path(path)
        if not folder.is_dir():
            beside = folder.parent.glob("*.city") if folder.parent.is_dir() else ()
            hint = did_you_mean(folder.name, (p.name for p in beside))
            raise InputError(f"There is no city at {folder}. {hint}")
        file = folder / _MANIFEST
        if not file.is_file():
            raise InputError(
                f"{folder} is no city: it has no {_MANIFEST}. City.save writes it; to read files "
                "of other kinds use City.from_files."
            )
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            kind, schema = manifest["format"], manifest["schema"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} is damaged ({error!r}). Build the city again.") from error
        if kind != FORMAT or not isinstance(schema, int):
            raise InputError(f"{file} describes no city but {kind!r}.")
        if schema > SCHEMA:
            raise InputError(
                f"{folder} was written by twin {manifest.get('twin')} in schema {schema}; this "
                f"twin {__version__} reads schemas up to {SCHEMA}. Install a newer twin."
            )
        store = cls(folder, manifest)
        for name, record in manifest["files"].items():
            found = folder / name
            if not found.is_file():
                raise InputError(f"{folder} is incomplete: {name} is missing. {_AGAIN}")
            if found.stat().st_size != record["bytes"]:
                raise InputError(
                    f"{found} has {found.stat().st_size} bytes, but {record['bytes']} were "
                    f"written: it is cut short or was changed. {_AGAIN}"
                )
        return store

    def layer(self, name: str) -> gpd.GeoDataFrame | None:
        """Read a layer, or "findings"; None where the city has none."""
        file = f"{name}.parquet"
        if file not in self.manifest["files"]:
            return None
        return gpd.read_parquet(self._whole(file))

    def terrain(self) -> Terrain | None:
        """Read the terrain; None where the city has none."""
        if "terrain.tif" not in self.manifest["files"]:
            return None
        import rasterio

        with rasterio.open(self._whole("terrain.tif")) as dataset:
            elevation = dataset.read(1)
        record = self.manifest["terrain"]
        grid = Grid(
            self.manifest["crs"],
            record["west"],
            record["north"],
            record["cell_size"],
            elevation.shape,
        )
        return Terrain(elevation, grid, record["vertical_datum"])

    def interiors(self) -> dict[str, Interior]:
        """Open all interiors."""
        if not self.manifest["interiors"]:
            return {}
        from twin.geo.indoor import Interior

        for name in self.manifest["files"]:
            if name.startswith("interiors/"):
                self._whole(name)
        folders = self.manifest["interiors"].items()
        return {name: Interior.open(self.path / folder) for name, folder in folders}

    def _whole(self, name: str) -> Path:
        """Return the path of a file whose content is the one that was written."""
        file = self.path / name
        if sha256(file) != self.manifest["files"][name]["sha256"]:
            raise InputError(
                f"{file} is not what was written there: its SHA-256 differs from the manifest's. "
                f"{_AGAIN}"
            )
        return file


_AGAIN = "Copy the city again, or build it again from its sources."


def write(
    path: str | os.PathLike[str],
    *,
    crs: str,
    vertical_datum: str | None,
    bounds: tuple[float, float, float, float] | None,
    layers: Mapping[str, gpd.GeoDataFrame],
    terrain: Terrain | None,
    interiors: Mapping[str, Interior],
    provenance: list[dict[str, Any]],
) -> Path:
    """Write a city beside `path` and rename it into place; replaces a city, nothing else.

    Empty layers leave no file.
    """
    target = Path(path).absolute()
    if target.exists() and not (target / _MANIFEST).is_file():
        raise InputError(
            f"{target} exists and is no city, so it is not overwritten. Choose another name."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_remains(target)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        partial.mkdir()
        for name, frame in layers.items():
            if len(frame):
                _write_frame(frame, partial / f"{name}.parquet")
        if terrain is not None:
            _write_terrain(terrain, partial / "terrain.tif")
        folders: dict[str, str] = {}
        for name, interior in interiors.items():
            folders[name] = f"interiors/{_folder_name(name, taken=folders.values())}"
            (partial / "interiors").mkdir(exist_ok=True)
            interior.save(partial / folders[name])
        files = sorted(file for file in partial.rglob("*") if file.is_file())
        manifest = {
            "format": FORMAT,
            "schema": SCHEMA,
            "twin": __version__,
            "crs": crs,
            "vertical_datum": vertical_datum,
            "bounds": bounds,
            "terrain": None if terrain is None else _terrain_record(terrain),
            "interiors": folders,
            "files": {
                file.relative_to(partial).as_posix(): {
                    "bytes": file.stat().st_size,
                    "sha256": sha256(file),
                }
                for file in files
            },
            "provenance": provenance,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (partial / _MANIFEST).write_text(text + "\n", encoding="utf-8")
        _swap(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        free = shutil.disk_usage(target.parent).free / 1e9
        raise TwinError(
            f"The city cannot be written to {target}: {error} ({free:.1f} GB are free there). "
            "Make room or choose another place; nothing was left behind."
        ) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def _clear_remains(target: Path) -> None:
    """Remove what savings of this city left beside it that were killed; not those at work."""
    for rest in target.parent.glob(f".{glob.escape(target.name)}.*-*"):
        pid = rest.name.rpartition("-")[2]
        if pid.isdigit() and (int(pid) == os.getpid() or not _is_alive(int(pid))):
            shutil.rmtree(rest, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _swap(new: Path, target: Path) -> None:
    """Rename `new` to `target`; an older one is put back if that fails."""
    if not target.exists():
        new.rename(target)
        return
    old = target.with_name(f".{target.name}.replaced-{os.getpid()}")
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _write_frame(frame: gpd.GeoDataFrame, file: Path) -> None:
    frame.to_parquet(
        file, compression="zstd", schema_version="1.1.0", write_covering_bbox=len(frame) > 1
    )


def _write_terrain(terrain: Terrain, file: Path) -> None:
    import rasterio
    from rasterio.errors import RasterioError

    grid = terrain.grid
    try:
        with rasterio.open(
            file,
            "w",
            driver="COG",
            width=grid.cols,
            height=grid.rows,
            count=1,
            dtype="float32",
            crs=grid.crs,
            transform=grid.transform,
            nodata=np.nan,
            compress="DEFLATE",
            predictor="YES",
            blocksize=256,
            overview_resampling="average",
        ) as dataset:
            dataset.write(terrain.elevation, 1)
            dataset.set_band_unit(1, "m")
        # the file is laid out when it is closed, and not every failure then is told
        with rasterio.open(file) as dataset:
            if not np.array_equal(dataset.read(1), terrain.elevation, equal_nan=True):
                raise OSError(f"{file.name} does not read back as it was written")
    except RasterioError as error:
        raise OSError(str(error)) from error
    except Exception as error:
        # what GDAL says while it closes a file comes in classes that rasterio does not publish
        if type(error).__module__ != "rasterio._err":
            raise
        raise OSError(str(error)) from error


def _terrain_record(terrain: Terrain) -> dict[str, Any]:
    grid = terrain.grid
    return {
        "west": grid.west,
        "north": grid.north,
        "cell_size": grid.cell_size,
        "vertical_datum": terrain.vertical_datum,
    }


def _folder_name(name: str, *, taken: Any) -> str:
    """Return a name that is safe for a directory and used by no other interior."""
    safe = re.sub(r"[^\w.-]+", "_", name).strip("._") or "interior"
    used = {Path(folder).name for folder in taken}
    number = 1
    unique = safe
    while unique in used:
        number += 1
        unique = f"{safe}-{number}"
    return unique

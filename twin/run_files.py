"""Writers of a run's files: fields, tables over time, maps, manifest; see `twin.run`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.files import replace_file, sha256, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FieldWriter", "TableWriter", "write_manifest", "write_map"]


class FieldWriter:
    """Writes ``fields.zarr``: one group for each simulation, one array for each quantity.

    Times are gathered to whole shards and written at once, so that no shard is written twice but
    for a flush before a checkpoint.

    Parameters
    ----------
    path
        The store.
    start
        The scene's start, for the CF time axis.
    times
        All output times, s.
    """

    #: Times in one shard.
    SHARD = 8

    def __init__(
        self, path: Path, start: datetime, times: npt.NDArray[np.float64], *, resume: bool
    ) -> None:
        import zarr

        self.times = times
        self.start = start
        self._root = zarr.open_group(str(path), mode="a" if resume else "w", zarr_format=3)
        self._root.attrs["Conventions"] = "CF-1.11"
        self._pending: dict[str, list[tuple[int, Mapping[str, npt.NDArray[Any]]]]] = {}

    def declare(
        self, simulation: str, grid: Mapping[str, Any], fields: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Make a simulation's group with its axes and arrays; what is there already is kept.

        Parameters
        ----------
        simulation
            Name of the group.
        grid
            crs, west, north, cell_size, shape.
        fields
            Attributes of each quantity: units, long_name, optionally standard_name, and dtype.
        """
        self._pending.setdefault(simulation, [])
        if simulation in self._root:
            return
        from pyproj import CRS

        rows, cols = grid["shape"]
        group = self._root.create_group(simulation)
        group.attrs["grid"] = {k: list(v) if k == "shape" else v for k, v in grid.items()}
        x = grid["west"] + (np.arange(cols) + 0.5) * grid["cell_size"]
        y = grid["north"] - (np.arange(rows) + 0.5) * grid["cell_size"]
        epoch = self.start.isoformat(sep=" ")
        axes: dict[str, tuple[npt.NDArray[np.float64], dict[str, Any]]] = {
            "x": (x, {"units": "m", "standard_name": "projection_x_coordinate", "axis": "X"}),
            "y": (y, {"units": "m", "standard_name": "projection_y_coordinate", "axis": "Y"}),
            "time": (
                self.times,
                {
                    "units": f"seconds since {epoch}",
                    "calendar": "proleptic_gregorian",
                    "standard_name": "time",
                    "axis": "T",
                },
            ),
        }
        for name, (values, about) in axes.items():
            group.create_array(name, data=values, dimension_names=[name], attributes=about)
        mapping = {k: v for k, v in CRS.from_user_input(grid["crs"]).to_cf().items() if v != ""}
        group.create_array("crs", data=np.array(0, np.int32), attributes=mapping)
        for name, attributes in fields.items():
            group.create_array(
                name,
                shape=(len(self.times), rows, cols),
                chunks=(1, rows, cols),
                shards=(self.SHARD, rows, cols),
                dtype=attributes["dtype"],
                fill_value=float("nan"),
                dimension_names=["time", "y", "x"],
                attributes={
                    **{k: v for k, v in attributes.items() if k != "dtype" and v is not None},
                    "grid_mapping": "crs",
                },
            )

    def put(self, simulation: str, index: int, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the quantities of one output time."""
        pending = self._pending[simulation]
        pending.append((index, values))
        if (index + 1) % self.SHARD == 0:
            self._flush(simulation)

    def flush(self) -> None:
        """Write all that is pending."""
        for simulation in self._pending:
            self._flush(simulation)

    def _flush(self, simulation: str) -> None:
        pending = self._pending[simulation]
        if not pending:
            return
        first, last = pending[0][0], pending[-1][0]
        for name in pending[0][1]:
            array: Any = self._root[f"{simulation}/{name}"]
            array[first : last + 1] = np.stack([values[name] for _, values in pending])
        pending.clear()


class TableWriter:
    """Gathers rows over time in numbered parts, and joins them into one Parquet file at the end.

    Parts that were written after the checkpoint from which a run is resumed are dropped.
    """

    #: Rows in one row group of the joined file.
    ROW_GROUP = 1 << 16

    def __init__(self, folder: Path, *, parts: int = 0) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.parts = parts
        self._frames: list[pd.DataFrame] = []
        for path in sorted(self.folder.iterdir()):
            if not path.stem.isdigit() or int(path.stem) >= parts:
                path.unlink()

    def put(self, frame: pd.DataFrame) -> None:
        """Take some rows."""
        if len(frame):
            self._frames.append(frame)

    def flush(self) -> None:
        """Write the rows taken since the last flush as one part."""
        if not self._frames:
            return
        import pandas as pd

        with replace_file(self.folder / f"{self.parts:05d}.parquet") as beside:
            pd.concat(self._frames, ignore_index=True).to_parquet(beside, index=False)
        self.parts += 1
        self._frames.clear()

    def join(self, path: Path) -> None:
        """Write all rows into one file, whose bytes do not depend on where the parts end."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.flush()
        paths = sorted(self.folder.iterdir())
        if not paths:
            return
        schema = pa.unify_schemas(
            [pq.read_schema(p) for p in paths], promote_options="permissive"
        ).remove_metadata()
        with (
            replace_file(path) as beside,
            pq.ParquetWriter(beside, schema, compression="zstd") as writer,
        ):
            waiting = schema.empty_table()
            for part in paths:
                waiting = pa.concat_tables([waiting, pq.read_table(part).cast(schema)])
                whole = len(waiting) // self.ROW_GROUP * self.ROW_GROUP
                if whole:
                    writer.write_table(
                        waiting[:whole].combine_chunks(), row_group_size=self.ROW_GROUP
                    )
                    waiting = waiting[whole:]
            if len(waiting):
                writer.write_table(waiting.combine_chunks(), row_group_size=self.ROW_GROUP)


def write_map(
    path: Path,
    values: npt.NDArray[Any],
    grid: Mapping[str, Any],
    *,
    unit: str,
    long_name: str,
) -> None:
    """Write one map as a tiled, compressed GeoTIFF (float32, NaN where there is nothing)."""
    import rasterio
    from affine import Affine

    rows, cols = grid["shape"]
    size = grid["cell_size"]
    with (
        replace_file(path) as beside,
        rasterio.open(
            beside,
            "w",
            driver="GTiff",
            height=rows,
            width=cols,
            count=1,
            dtype="float32",
            crs=grid["crs"],
            transform=Affine(size, 0.0, grid["west"], 0.0, -size, grid["north"]),
            nodata=float("nan"),
            compress="deflate",
            predictor=3,
            tiled=True,
            blockxsize=256,
            blockysize=256,
        ) as dataset,
    ):
        dataset.write(values.astype(np.float32), 1)
        dataset.set_band_description(1, long_name)
        dataset.update_tags(1, units=unit, long_name=long_name)


def write_manifest(
    path: Path, manifest: Mapping[str, Any], *, without: Collection[str] = ()
) -> None:
    """Write ``manifest.json`` with the SHA-256 and size of every file of the run.

    Hidden files are no part of it, nor is what lies in the folders named in `without`.
    """
    outputs = {}
    for item in sorted(p for p in path.rglob("*") if p.is_file()):
        name = item.relative_to(path)
        if name.parts[0] not in without and not name.name.startswith("."):
            outputs[name.as_posix()] = {"sha256": sha256(item), "bytes": item.stat().st_size}
    outputs.pop("manifest.json", None)
    write_json(path / "manifest.json", {**manifest, "outputs": outputs})

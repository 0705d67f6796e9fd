"""Writers and reader of a run's directory."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from twin.errors import RunError
from twin.files import disk_errors, replace_file, sha256
from twin.run import Run, lock_run
from twin.run_files import FieldWriter, TableWriter, write_map

GRID = {"crs": "EPSG:32651", "west": 100.0, "north": 50.0, "cell_size": 10.0, "shape": [3, 4]}
START = datetime(2026, 7, 1, tzinfo=UTC)
FIELDS = {
    "depth": {"units": "m", "long_name": "water depth", "standard_name": None, "dtype": "float32"}
}


def frames(n):
    return np.random.default_rng(1).random((n, 3, 4)).astype(np.float32)


def test_fields_open_in_xarray_with_cf_axes(tmp_path):
    times = np.arange(20) * 60.0
    writer = FieldWriter(tmp_path / "f.zarr", START, times, resume=False)
    writer.declare("flood", GRID, FIELDS)
    data = frames(20)
    for i in range(20):
        writer.put("flood", i, {"depth": data[i]})
    writer.flush()
    got = xr.open_zarr(tmp_path / "f.zarr", group="flood", consolidated=False)
    np.testing.assert_array_equal(got.depth, data)
    assert got.x.values.tolist() == [105.0, 115.0, 125.0, 135.0]
    assert got.y.values.tolist() == [45.0, 35.0, 25.0]
    assert got.time.values[1] == np.datetime64("2026-07-01T00:01:00")
    assert got.depth.attrs["units"] == "m"
    assert "UTM zone 51N" in got.crs.attrs["crs_wkt"]


def test_a_resumed_store_has_the_same_bytes(tmp_path):
    times = np.arange(20) * 60.0
    data = frames(20)
    for name, stops in (("whole", ()), ("resumed", (3, 8, 13))):
        writer = FieldWriter(tmp_path / name, START, times, resume=False)
        writer.declare("flood", GRID, FIELDS)
        for i in range(20):
            if i in stops:
                writer.flush()
                # written after the last flush and lost with the process
                writer.put("flood", i, {"depth": data[i] * 0 - 1})
                writer = FieldWriter(tmp_path / name, START, times, resume=True)
                writer.declare("flood", GRID, FIELDS)
            writer.put("flood", i, {"depth": data[i]})
        writer.flush()
    assert sha256(tmp_path / "whole") == sha256(tmp_path / "resumed")


def test_table_parts_after_the_checkpoint_are_dropped(tmp_path):
    writer = TableWriter(tmp_path / "parts")
    writer.put(pd.DataFrame({"a": [1], "b": ["x"]}))
    writer.flush()
    kept = writer.parts
    writer.put(pd.DataFrame({"a": [99], "b": ["lost"]}))
    writer.flush()
    writer = TableWriter(tmp_path / "parts", parts=kept)
    writer.put(pd.DataFrame({"a": [2], "b": ["y"]}))
    writer.join(tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["a"].tolist() == [1, 2]


def test_joined_bytes_do_not_depend_on_where_parts_end(tmp_path, monkeypatch):
    monkeypatch.setattr(TableWriter, "ROW_GROUP", 10)
    rows = pd.DataFrame({"a": np.arange(37), "b": [f"s{i % 3}" for i in range(37)]})
    for name, cuts in (("one", [37]), ("many", [1, 2, 9, 10, 11, 30, 37]), ("halves", [20, 37])):
        writer = TableWriter(tmp_path / name)
        for start, end in zip([0, *cuts], cuts, strict=False):
            writer.put(rows[start:end])
            writer.flush()
        writer.join(tmp_path / f"{name}.parquet")
    assert sha256(tmp_path / "one.parquet") == sha256(tmp_path / "many.parquet")
    assert sha256(tmp_path / "one.parquet") == sha256(tmp_path / "halves.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "many.parquet"), rows)


def test_a_map_is_a_geotiff_with_unit_and_place(tmp_path):
    values = frames(1)[0]
    values[0, 0] = np.nan
    write_map(tmp_path / "m.tif", values, GRID, unit="m", long_name="maximum depth")
    with rasterio.open(tmp_path / "m.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
        assert dataset.bounds == (100.0, 20.0, 140.0, 50.0)
        assert dataset.tags(1)["units"] == "m"
        assert dataset.crs.to_epsg() == 32651


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")

    def fail():
        with replace_file(path) as beside:
            beside.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_in_one_sentence(tmp_path):
    with pytest.raises(RunError, match="the disk is full"), disk_errors("the run", tmp_path):
        raise OSError(28, "No space left on device")
    with pytest.raises(RunError, match="may not be written"), disk_errors("the run", tmp_path):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(ZeroDivisionError), disk_errors("the run", tmp_path):
        raise ZeroDivisionError


def test_a_run_is_written_by_one_process(tmp_path):
    with lock_run(tmp_path), pytest.raises(RunError, match="another process"), lock_run(tmp_path):
        pass
    with lock_run(tmp_path):
        pass


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        Run(tmp_path)
    (tmp_path / "a.partial").mkdir()
    with pytest.raises(RunError, match="--resume"):
        Run(tmp_path / "a")

"""The store: idempotent, whole or not at all, readable by others, clear when it cannot write."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensing import START, moment

from twin.errors import SensorError, UnitError
from twin.sensors import Datastream, QualityLimits, Store
from twin.sensors.payloads import to_us
from twin.sensors.queries import DeadLetter
from twin.sensors.registry import Observation
from twin.sensors.store import Written

GAUGES = [
    Datastream(
        "a",
        "Quay",
        "water_level",
        "m",
        "a",
        location=(1.0, 2.0),
        minimum=-5.0,
        maximum=5.0,
        limits=QualityLimits(spike_suspect=1.0, flat_fail=30.0),
    ),
    Datastream("b", "", "rainfall", "mm/h", "b"),
]


def reading(datastream: str, seconds: float, value: float | None, message: str = "") -> Observation:
    """Return an observation so many seconds after the start."""
    time = to_us(START) + round(seconds * 1e6)
    return Observation(datastream, time, value, message, time + 1)


def content(store: Store) -> list[tuple[object, ...]]:
    """Return all observations and the latest, without the times of arrival."""
    with sqlite3.connect(store.path) as connection:
        rows = connection.execute(
            "SELECT time_us, datastream, message_id, value, quality FROM observations"
        ).fetchall()
        latest = connection.execute("SELECT * FROM latest").fetchall()
    connection.close()
    return sorted(rows, key=repr) + sorted(latest, key=repr)


def test_keeps_readings_in_si_with_flags(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        written = store.write([reading("a", 0, 1.0), reading("a", 60, 9.0), reading("b", 0, None)])
        assert written == Written(stored=3)
        series = store.series("a")
        assert series.time.tolist() == [
            moment(0).replace(tzinfo=None),
            moment(60).replace(tzinfo=None),
        ]
        assert series.value.tolist() == [1.0, 9.0]
        assert series.quality.tolist() == [1, 4]
        assert store.latest(["a"])["a"] == (moment(60), 9.0, 4)
        assert store.latest()["b"] == (moment(0), None, 9)
        assert np.isnan(store.series("b").value).all()
        assert store.series("a", moment(1), moment(60)).value.tolist() == [9.0]
        assert store.datastreams() == [
            ("a", "Quay", "water_level", "m", "m", "a", (1.0, 2.0)),
            ("b", "b", "rainfall", "mm/h", "m/s", "b", None),
        ]


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    batch = [reading("a", s, s / 100) for s in range(50)]
    with Store(tmp_path / "o.db", GAUGES) as store:
        store.write(batch)
        before = content(store)
        assert store.write([*reversed(batch), *batch]) == Written(duplicates=100)
        assert content(store) == before
    # and neither after a restart, when nothing is in memory
    with Store(tmp_path / "o.db", GAUGES) as store:
        assert store.write(batch) == Written(duplicates=50)
        assert content(store) == before


def test_a_contradiction_is_kept_beside_the_first(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        store.write([reading("a", 0, 1.0)])
        assert store.write([reading("a", 0, 2.0), reading("a", 0, 2.0)]) == Written(0, 1, 1)
        assert store.write([reading("a", 0, 2.0), reading("a", 0, 1.0)]) == Written(0, 2, 0)
        assert store.series("a").value.tolist() == [1.0]
        assert store.counts() == {"observations": 1, "conflicts": 1, "dead_letters": 0}


def test_message_ids_tell_readings_of_one_time_apart(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        assert store.write([reading("a", 0, 1.0, "1"), reading("a", 0, 2.0, "2")]).stored == 2
        assert store.series("a").value.tolist() == [1.0, 2.0]
        assert store.latest()["a"].value == 2.0


def test_dead_letters_are_counted_once_each(tmp_path: Path) -> None:
    letter = DeadLetter("a", b"\xff", "encoding", "The message is not UTF-8.", 17)
    with Store(tmp_path / "o.db", GAUGES) as store:
        store.write([], [letter, letter])
        store.write([], [letter])
        assert store.counts()["dead_letters"] == 3
        assert store.dead_letters() == [letter]


readings = st.lists(
    st.builds(
        reading,
        st.sampled_from(["a", "b"]),
        st.integers(0, 120),
        st.one_of(st.none(), st.sampled_from([0.0, 0.5, 3.0, 7.0])),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda o: (o.datastream, o.time),
)


@settings(deadline=None, max_examples=20)
@given(batch=readings, data=st.data())
def test_order_and_repetition_of_arrival_do_not_matter(
    batch: list[Observation], data: st.DataObject
) -> None:
    # in memory where there is such a directory: a disk would have to keep every one of these
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        with Store(Path(directory) / "one.db", GAUGES) as once:
            once.write(sorted(batch, key=lambda o: o.time))
            expected = content(once)
        arrival = data.draw(st.permutations(batch + data.draw(st.lists(st.sampled_from(batch)))))
        path = Path(directory) / "other.db"
        stored = duplicates = 0
        while arrival:
            part = arrival[: data.draw(st.integers(5, 20))]
            arrival = arrival[len(part) :]
            # every part from a new process, as it were
            with Store(path, GAUGES) as store:
                written = store.write(part)
                stored += written.stored
                duplicates += written.duplicates
        with Store(path, GAUGES) as store:
            assert content(store) == expected
        assert stored == len(batch)


def test_two_writers_do_not_harm_each_other(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as one, Store(tmp_path / "o.db", GAUGES) as other:
        one.write([reading("a", 10, 1.0)])
        other.write([reading("a", 20, 1.5)])
        assert one.write([reading("a", 20, 1.5), reading("a", 15, 1.2)]) == Written(1, 1)
        assert other.latest()["a"].time == moment(20)


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        with pytest.raises(SensorError, match=r"no datastream 'c'.*Known: 'a', 'b'"):
            store.write([reading("a", 0, 1.0), reading("c", 0, 1.0)])
        assert store.counts()["observations"] == 0
        # nor in memory
        assert store.write([reading("a", 0, 1.0)]) == Written(stored=1)


def fill(store: Store) -> tuple[int, str]:
    """Write batches until the store refuses; return how many readings it took and what it said."""
    accepted = 0
    while accepted < 10**6:
        batch = [reading("b", s, s / 7) for s in range(accepted, accepted + 500)]
        try:
            accepted += store.write(batch).stored
        except SensorError as error:
            return accepted, str(error)
    return accepted, ""


def test_a_full_store_keeps_whole_batches(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        assert store._writer is not None
        store._writer.execute("PRAGMA max_page_count = 60")
        accepted, said = fill(store)
        assert "o.db: the disk is full; free some space" in said
        assert store.counts()["observations"] == accepted
        # once there is room it goes on
        store._writer.execute("PRAGMA max_page_count = 100000")
        assert store.write([reading("b", accepted, 1.0)]).stored == 1


def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        with Store(disk / "o.db", GAUGES) as store:
            accepted, said = fill(store)
            assert accepted > 0
            assert "o.db: the disk" in said
            assert "full" in said
        with Store(disk / "o.db", read_only=True) as store:
            assert store.counts()["observations"] == accepted
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_closed_store_is_one_plain_file(tmp_path: Path, suffix: str) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        store.write([reading("a", 0, 1.0)])
        with Store(tmp_path / "o.db", read_only=True) as reader:
            assert reader.series("a").value.tolist() == [1.0]
    assert not (tmp_path / f"o.db{suffix}").exists()
    store.close()
    # it can then be read where nothing can be written
    code = (
        "import sys; from twin.sensors import Store\n"
        "with Store(sys.argv[1], read_only=True) as s: print(s.counts()['observations'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "o.db")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n", done.stderr


def test_refuses_files_that_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("time,datastream,value\n" * 100)
    with pytest.raises(SensorError, match="not an SQLite database"):
        Store(tmp_path / "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(SensorError, match="is a database, but not an observation store"):
        Store(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before
    with pytest.raises(SensorError, match="There is no observation store at"):
        Store(tmp_path / "none.db", read_only=True)
    with pytest.raises(SensorError, match="cannot be opened"):
        Store(tmp_path / "none" / "o.db")


def test_read_only_does_not_write(tmp_path: Path) -> None:
    Store(tmp_path / "o.db", GAUGES).close()
    with (
        Store(tmp_path / "o.db", read_only=True) as store,
        pytest.raises(SensorError, match="not open for writing"),
    ):
        store.write([reading("a", 0, 1.0)])


def test_a_datastream_keeps_its_meaning(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        store.register([replace(GAUGES[0], unit="cm", topic="moved")])
        with pytest.raises(SensorError, match=r"'a' is water_level in m .* give it a new id"):
            store.register([replace(GAUGES[0], property="rainfall", unit="mm/h")])
    with pytest.raises(UnitError):
        replace(GAUGES[0], unit="mm/h")


def test_only_registered_datastreams_are_written(tmp_path: Path) -> None:
    Store(tmp_path / "o.db", GAUGES).close()
    with (
        Store(tmp_path / "o.db", GAUGES[:1]) as store,
        pytest.raises(SensorError, match="'b' must be registered"),
    ):
        store.write([reading("b", 0, 1.0)])


def test_table_and_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    with Store(tmp_path / "o.db", GAUGES) as store:
        store.write([reading("a", 0, 1.0), reading("b", 30, None), reading("a", 60, 2.0)])
        store.to_parquet(tmp_path / "o.parquet")
        part = store.frame(["a"], start=moment(1))
        assert sorted(f.name for f in tmp_path.iterdir() if "parquet" in f.name) == ["o.parquet"]
        with pytest.raises(SensorError, match=r"nowhere/o\.parquet cannot be written: "):
            store.to_parquet(tmp_path / "nowhere" / "o.parquet")
    table = pandas.read_parquet(tmp_path / "o.parquet")
    assert table["datastream"].tolist() == ["a", "b", "a"]
    assert table["unit"].tolist() == ["m", "m/s", "m"]
    assert table["time"].iloc[1] == moment(30)
    assert part["value"].tolist() == [2.0]


def test_empty_questions_have_empty_answers(tmp_path: Path) -> None:
    with Store(tmp_path / "o.db", GAUGES) as store:
        answers: Sequence[object] = [store.latest(), len(store.series("a").time)]
        assert answers == [{}, 0]
        assert store.frame().empty
        with pytest.raises(SensorError, match="lacks its offset from UTC"):
            store.series("a", start=START.replace(tzinfo=None))

"""The store of observations: one SQLite file.

A batch of readings is written in one transaction that is on the disk before it counts
(``synchronous=FULL``), so that the broker may forget the messages. The table is clustered by time
and datastream; writing the same batch again changes nothing. There is one writer; any number of
readers, in this process or others, see whole batches only (write-ahead log). A closed store is one
plain file that any SQLite tool opens.

Tables: ``datastreams``; ``observations`` (time_us, datastream, message_id → value in SI, quality);
``latest``, the newest of each; ``conflicts``, readings that contradict one stored before them (the
first stands); ``dead_letters``, messages that could not be used, with the reason.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from twin.errors import SensorError, did_you_mean
from twin.sensors.datastream import Datastream, by_id
from twin.sensors.payloads import MOST_BYTES, time_from_us
from twin.sensors.quality import MISSING, USABLE, Checks, QualityControl
from twin.sensors.registry import Observation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DeadLetter", "Latest", "Series", "Store", "Written", "to_us"]

#: Marks the file as ours ("twin" in ASCII), so that no other database is written into.
_APPLICATION_ID = 0x7477696E
_SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE datastreams (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, property TEXT NOT NULL,
    unit TEXT NOT NULL, si_unit TEXT NOT NULL, topic TEXT NOT NULL, x REAL, y REAL);
CREATE TABLE observations (
    time_us INTEGER NOT NULL, datastream INTEGER NOT NULL, message_id TEXT NOT NULL,
    value REAL, quality INTEGER NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY (time_us, datastream, message_id)) WITHOUT ROWID;
CREATE TABLE latest (
    datastream INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, message_id TEXT NOT NULL,
    value REAL, quality INTEGER NOT NULL);
CREATE TABLE conflicts (
    time_us INTEGER NOT NULL, datastream INTEGER NOT NULL, message_id TEXT NOT NULL,
    value REAL, received_us INTEGER NOT NULL,
    UNIQUE (time_us, datastream, message_id, value));
CREATE TABLE dead_letters (
    digest BLOB PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,
    count INTEGER NOT NULL) WITHOUT ROWID;
"""

_Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be used, and why."""

    topic: str
    payload: bytes
    reason: str
    detail: str
    received: int


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    dead_letters: int = 0


class Latest(NamedTuple):
    """The newest observation of a datastream."""

    time: datetime
    #: SI; None where the sensor said that it had no value.
    value: float | None
    quality: int


class Series(NamedTuple):
    """Observations of one datastream in the order of time."""

    #: UTC.
    time: npt.NDArray[np.datetime64]
    #: SI; NaN where the sensor said that it had no value.
    value: npt.NDArray[np.float64]
    #: See `twin.sensors.quality`.
    quality: npt.NDArray[np.int8]


def to_us(moment: datetime) -> int:
    """Return an aware time in µs since 1970 UTC."""
    if moment.tzinfo is None:
        raise SensorError(f"{moment.isoformat()} lacks its offset from UTC; give it a tzinfo.")
    return (moment - time_from_us(0)) // (time_from_us(1) - time_from_us(0))


class Store:
    """An observation store in one file; see the module's text.

    Parameters
    ----------
    path
        The file; made if it does not exist, unless `read_only`.
    datastreams
        Registered before the first observation of them can be written.
    read_only
        Only read, also beside a hub that writes.
    """

    def __init__(
        self,
        path: str | Path,
        datastreams: Sequence[Datastream] = (),
        *,
        read_only: bool = False,
    ) -> None:
        self.path = Path(path)
        self._quality = QualityControl()
        self._checks: dict[int, Checks] = {}
        self._numbers: dict[str, int] = {}
        self._newest: dict[int, int] = {}
        self._data_version = -1
        self._write_lock, self._read_lock = threading.RLock(), threading.RLock()
        self._writer: sqlite3.Connection | None = None
        with self._told():
            if not read_only:
                self._writer = self._open("rwc")
                self._prepare(self._writer)
            elif not self.path.is_file():
                raise SensorError(f"There is no observation store at {self.path}.")
            self._reader = self._open("ro")
            self._check_ours(self._reader)
            self._numbers = dict(self._reader.execute("SELECT id, number FROM datastreams"))
        if datastreams:
            self.register(datastreams)

    # --- opening and closing -------------------------------------------------------------------

    def _open(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=10.0,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA cache_size = -16384")
        return connection

    def _prepare(self, writer: sqlite3.Connection) -> None:
        """Make the tables in a new file; refuse a file that is something else."""
        empty = writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not empty:
            self._check_ours(writer)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")
        if empty:
            writer.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID};"
                f"PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
            )

    def _check_ours(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
            raise SensorError(
                f"{self.path} is a database, but not an observation store; name another file."
            )
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _SCHEMA_VERSION:
            raise SensorError(
                f"{self.path} is an observation store of version {version}, but this twin reads "
                f"version {_SCHEMA_VERSION}."
            )

    def close(self) -> None:
        """Close the store; unless others have it open, one plain file remains."""
        with self._read_lock:
            self._reader.close()
        with self._write_lock:
            if self._writer is None:
                return
            try:
                # fold the log into the file, so that it can be copied and read from anywhere
                self._writer.execute("PRAGMA busy_timeout = 0")
                self._writer.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error:
                pass  # another process reads it, or the disk is full; the log then stays beside it
            finally:
                self._writer.close()
                self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite says into a sentence that helps."""
        try:
            yield
        except sqlite3.Error as error:
            raise SensorError(_explain(self.path, error)) from error

    # --- writing -------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the writer for one transaction: all of it is on the disk afterwards, or nothing."""
        with self._write_lock, self._told():
            if self._writer is None:
                raise SensorError(f"The observation store {self.path} is not open for writing.")
            writer = self._writer
            writer.execute("BEGIN IMMEDIATE")
            try:
                self._notice_other_writers(writer)
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                # what is in memory may be ahead of the file now
                self._data_version = -1
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    def _notice_other_writers(self, writer: sqlite3.Connection) -> None:
        version = writer.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version:
            self._newest = dict(writer.execute("SELECT datastream, time_us FROM latest"))
            self._quality.clear()
            self._data_version = version

    def register(self, datastreams: Sequence[Datastream]) -> None:
        """Enter datastreams, or what has changed about them.

        A datastream keeps its property and dimension for good, for its past must stay comparable.
        """
        streams = by_id(datastreams)
        with self._transaction() as writer:
            known = {
                r[0]: r[1:] for r in writer.execute("SELECT id, property, si_unit FROM datastreams")
            }
            for s in streams.values():
                was = known.get(s.id)
                if was is not None and was != (s.property, s.si_unit):
                    raise SensorError(
                        f"Datastream {s.id!r} is {was[0]} in {was[1]} in {self.path}, and cannot "
                        f"become {s.property} in {s.si_unit}; give it a new id."
                    )
                x, y = s.location or (None, None)
                writer.execute(
                    "INSERT INTO datastreams (id, name, property, unit, si_unit, topic, x, y) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                    "name = excluded.name, unit = excluded.unit, topic = excluded.topic, "
                    "x = excluded.x, y = excluded.y",
                    (s.id, s.name, s.property, s.unit, s.si_unit, s.topic, x, y),
                )
            self._numbers = dict(writer.execute("SELECT id, number FROM datastreams"))
        self._checks.update((self._numbers[s.id], Checks.of(s)) for s in streams.values())
        self._quality.clear()

    def write(
        self, observations: Iterable[Observation], dead_letters: Iterable[DeadLetter] = ()
    ) -> Written:
        """Write a batch in one transaction; when this returns it is on the disk.

        A reading that is there already is a duplicate; one that differs only in its value goes to
        ``conflicts``.

        Raises
        ------
        SensorError
            If the batch cannot be written; then nothing of it is.
        """
        with self._transaction() as writer:
            fresh: dict[_Key, Observation] = {}
            duplicates = conflicts = letters = 0
            for observation in observations:
                key = (
                    observation.time,
                    self._number(observation.datastream),
                    observation.message_id,
                )
                known = fresh.get(key) or self._stored(writer, key)
                if known is None:
                    fresh[key] = observation
                elif known[2] == observation.value or not self._contradict(
                    writer, key, observation
                ):
                    duplicates += 1
                else:
                    conflicts += 1
            flags = self._judge(writer, fresh)
            writer.executemany(
                "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?)",
                [(*key, o.value, flags.pop(key), o.received) for key, o in fresh.items()],
            )
            # what is left are flags of older readings that the new ones have changed
            writer.executemany(
                "UPDATE observations SET quality = ? "
                "WHERE time_us = ? AND datastream = ? AND message_id = ?",
                [(flag, *key) for key, flag in flags.items()],
            )
            self._refresh_latest(writer, {key[1] for key in (*fresh, *flags)}, fresh)
            for letter in dead_letters:
                _bury(writer, letter)
                letters += 1
        return Written(len(fresh), duplicates, conflicts, letters)

    def _number(self, datastream: str) -> int:
        try:
            return self._numbers[datastream]
        except KeyError:
            raise SensorError(
                f"There is no datastream {datastream!r} in {self.path}. "
                f"{did_you_mean(datastream, self._numbers)}"
            ) from None

    def _stored(
        self, writer: sqlite3.Connection, key: _Key
    ) -> tuple[None, None, float | None] | None:
        """Return the stored observation under this key, its value third as in `Observation`."""
        newest = self._newest.get(key[1])
        if newest is None or key[0] > newest:
            return None
        row = writer.execute(
            "SELECT value FROM observations "
            "WHERE time_us = ? AND datastream = ? AND message_id = ?",
            key,
        ).fetchone()
        return None if row is None else (None, None, row[0])

    def _contradict(self, writer: sqlite3.Connection, key: _Key, observation: Observation) -> bool:
        """Keep a reading that contradicts a stored one; return False if it was kept before."""
        already = writer.execute(
            "SELECT 1 FROM conflicts WHERE time_us = ? AND datastream = ? AND message_id = ? "
            "AND value IS ?",
            (*key, observation.value),
        ).fetchone()
        if already is None:
            writer.execute(
                "INSERT INTO conflicts VALUES (?, ?, ?, ?, ?)",
                (*key, observation.value, observation.received),
            )
        return already is None

    def _judge(
        self, writer: sqlite3.Connection, fresh: Mapping[_Key, Observation]
    ) -> dict[_Key, int]:
        flags: dict[_Key, int] = {}
        by_stream: dict[int, list[tuple[int, str, float]]] = {}
        for key, observation in fresh.items():
            if observation.value is None:
                flags[key] = MISSING
            else:
                by_stream.setdefault(key[1], []).append((key[0], key[2], observation.value))
        for number, readings in by_stream.items():

            def neighbourhood(
                low: int, high: int, number: int = number
            ) -> list[tuple[int, str, float, int]]:
                return _neighbourhood(writer, number, low, high)

            judged = self._quality.judge(number, self._checks[number], readings, neighbourhood)
            flags.update(
                ((time, number, message), flag) for (time, message), flag in judged.items()
            )
        return flags

    def _refresh_latest(
        self, writer: sqlite3.Connection, touched: set[int], fresh: Mapping[_Key, Observation]
    ) -> None:
        for time, number, _ in fresh:
            self._newest[number] = max(time, self._newest.get(number, time))
        writer.executemany(
            "INSERT OR REPLACE INTO latest SELECT datastream, time_us, message_id, value, quality "
            "FROM observations WHERE time_us = ? AND datastream = ? "
            "ORDER BY message_id DESC LIMIT 1",
            [(self._newest[number], number) for number in touched],
        )

    # --- reading -------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._read_lock, self._told():
            yield self._reader

    @property
    def ids(self) -> list[str]:
        """The datastreams in the store."""
        return list(self._numbers)

    def latest(self, ids: Iterable[str] | None = None) -> dict[str, Latest]:
        """Return the newest observation of each of the datastreams that has one."""
        wanted = {self._number(i): i for i in (self._numbers if ids is None else ids)}
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT datastream, time_us, value, quality FROM latest"
            ).fetchall()
        return {wanted[n]: Latest(time_from_us(t), v, q) for n, t, v, q in rows if n in wanted}

    def watermark(self, ids: Iterable[str] | None = None) -> datetime | None:
        """Return the time up to which every one of the datastreams has reported, if all have."""
        wanted = list(self._numbers if ids is None else ids)
        found = self.latest(wanted)
        return min(o.time for o in found.values()) if found and len(found) == len(wanted) else None

    def series(
        self, datastream: str, start: datetime | None = None, end: datetime | None = None
    ) -> Series:
        """Return the observations of a datastream in a closed interval of phenomenon time."""
        low = -(2**62) if start is None else to_us(start)
        high = 2**62 if end is None else to_us(end)
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT time_us, value, quality FROM observations "
                "WHERE datastream = ? AND time_us BETWEEN ? AND ? ORDER BY time_us, message_id",
                (self._number(datastream), low, high),
            ).fetchall()
        times, values, flags = zip(*rows, strict=True) if rows else ((), (), ())
        return Series(
            np.array(times, dtype="datetime64[us]"),
            np.array(values, dtype=np.float64),
            np.array(flags, dtype=np.int8),
        )

    def neighbours(
        self, datastream: str, start: datetime, end: datetime
    ) -> tuple[datetime, datetime]:
        """Return the interval, widened to the usable observations just before and just after it.

        Where there is none on a side, that side stays as it is.
        """
        number, low, high = self._number(datastream), to_us(start), to_us(end)
        usable = f"datastream = ? AND quality IN {USABLE}"
        with self._reading() as reader:
            before = reader.execute(
                f"SELECT time_us FROM observations WHERE {usable} AND time_us <= ? "
                "ORDER BY time_us DESC LIMIT 1",
                (number, low),
            ).fetchone()
            after = reader.execute(
                f"SELECT time_us FROM observations WHERE {usable} AND time_us >= ? "
                "ORDER BY time_us LIMIT 1",
                (number, high),
            ).fetchone()
        return (
            start if before is None else time_from_us(before[0]),
            end if after is None else time_from_us(after[0]),
        )

    def counts(self) -> dict[str, int]:
        """Return the number of observations, conflicts, and messages in dead letters."""
        with self._reading() as reader:
            return {
                "observations": reader.execute("SELECT count(*) FROM observations").fetchone()[0],
                "conflicts": reader.execute("SELECT count(*) FROM conflicts").fetchone()[0],
                "dead_letters": reader.execute(
                    "SELECT coalesce(sum(count), 0) FROM dead_letters"
                ).fetchone()[0],
            }

    def dead_letters(self) -> list[DeadLetter]:
        """Return the different messages that could not be used, the oldest first."""
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT topic, payload, reason, detail, first_us FROM dead_letters "
                "ORDER BY first_us"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def frame(
        self,
        ids: Iterable[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pd.DataFrame:
        """Return observations as a table: time (UTC), datastream, property, unit, value, quality.

        Values are in the SI unit named in the row.
        """
        import pandas as pd

        wanted = {self._number(i) for i in (self._numbers if ids is None else ids)}
        with self._reading() as reader:
            known = {
                r[0]: r[1:]
                for r in reader.execute("SELECT number, id, property, si_unit FROM datastreams")
            }
            rows = [
                (t, *known[n], v, q)
                for t, n, v, q in reader.execute(
                    "SELECT time_us, datastream, value, quality FROM observations "
                    "WHERE time_us BETWEEN ? AND ? ORDER BY time_us, datastream, message_id",
                    (
                        -(2**62) if start is None else to_us(start),
                        2**62 if end is None else to_us(end),
                    ),
                )
                if n in wanted
            ]
        table = pd.DataFrame(
            rows, columns=["time", "datastream", "property", "unit", "value", "quality"]
        ).astype({"time": "int64", "value": "float64", "quality": "int8"})
        table["time"] = pd.to_datetime(table["time"], unit="us", utc=True)
        return table

    def to_parquet(self, path: str | Path) -> None:
        """Write all observations into one Parquet file, whole or not at all; see `frame`."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            self.frame().to_parquet(partial, compression="zstd", index=False)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise SensorError(f"{path} cannot be written: {error.strerror or error}.") from error

    # --- what the hub remembers ------------------------------------------------------------------

    def recall(self, key: str) -> str | None:
        """Return what `remember` kept under a key."""
        with self._reading() as reader:
            row = reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, key: str, value: str) -> None:
        """Keep a short text under a key."""
        with self._transaction() as writer:
            writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _neighbourhood(
    connection: sqlite3.Connection, number: int, low: int, high: int
) -> list[tuple[int, str, float, int]]:
    """Read one datastream in a closed interval, and two readings before and after it."""
    what = (
        "SELECT time_us, message_id, value, quality FROM observations "
        f"WHERE datastream = ? AND quality <> {MISSING} AND time_us"
    )
    inside = connection.execute(
        f"{what} BETWEEN ? AND ? ORDER BY time_us, message_id", (number, low, high)
    ).fetchall()
    before = connection.execute(
        f"{what} < ? ORDER BY time_us DESC, message_id DESC LIMIT 2", (number, low)
    ).fetchall()
    after = connection.execute(
        f"{what} > ? ORDER BY time_us, message_id LIMIT 2", (number, high)
    ).fetchall()
    return [*reversed(before), *inside, *after]


def _bury(writer: sqlite3.Connection, letter: DeadLetter) -> None:
    payload = letter.payload[:MOST_BYTES]
    digest = sha256(
        b"\0".join([letter.topic.encode(), letter.reason.encode(), letter.payload])
    ).digest()
    writer.execute(
        "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (digest) DO UPDATE "
        "SET count = count + 1, last_us = max(last_us, excluded.last_us)",
        (
            digest,
            letter.topic,
            payload,
            letter.reason,
            letter.detail,
            letter.received,
            letter.received,
        ),
    )


def _explain(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        why = "the disk is full; free some space and start again"
    elif code == sqlite3.SQLITE_READONLY:
        why = "the file or its directory is read-only"
    elif code == sqlite3.SQLITE_CANTOPEN:
        why = "it cannot be opened; see that its directory exists and may be written"
    elif code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        why = "the file is not an SQLite database, or a damaged one; name another file"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        why = "another process has been writing into it for more than 10 s"
    elif code == sqlite3.SQLITE_IOERR:
        why = f"the disk fails or is full ({error})"
    else:
        why = str(error)
    return f"Observation store {path}: {why}. Nothing was written by halves."

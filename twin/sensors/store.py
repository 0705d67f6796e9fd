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
from hashlib import sha256
from pathlib import Path
from typing import Self

from twin.errors import SensorError
from twin.sensors.datastream import Datastream, by_id
from twin.sensors.payloads import MOST_BYTES
from twin.sensors.quality import MISSING, Checks, QualityControl, flag_alone
from twin.sensors.queries import DeadLetter, Queries
from twin.sensors.registry import Observation

__all__ = ["Store", "Written"]

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
    count INTEGER NOT NULL);
"""

_Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    dead_letters: int = 0


class Store(Queries):
    """An observation store in one file; see the module's text, and `Queries` for what it answers.

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

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
                number = self._number(observation.datastream)
                key = (observation.time, number, observation.message_id)
                known = (fresh[key].value,) if key in fresh else self._stored(writer, key)
                if known is None:
                    fresh[key] = observation
                elif known[0] == observation.value:
                    duplicates += 1
                elif self._contradict(writer, key, observation):
                    conflicts += 1
                else:
                    duplicates += 1
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

    def _stored(self, writer: sqlite3.Connection, key: _Key) -> tuple[float | None] | None:
        """Return the value stored under this key in a tuple, or None if there is none."""
        newest = self._newest.get(key[1])
        if newest is None or key[0] > newest:
            return None
        row: tuple[float | None] | None = writer.execute(
            "SELECT value FROM observations "
            "WHERE time_us = ? AND datastream = ? AND message_id = ?",
            key,
        ).fetchone()
        return row

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
        """Return the flags of new readings, and of the older ones whose flags they change."""
        flags: dict[_Key, int] = {}
        by_stream: dict[int, list[tuple[int, str, float]]] = {}
        for key, observation in fresh.items():
            time, number, message_id = key
            checks = self._checks.get(number)
            if checks is None:
                raise SensorError(
                    f"Datastream {observation.datastream!r} must be registered before it can be "
                    f"written; open {self.path} with it."
                )
            if observation.value is None:
                flags[key] = MISSING
            elif checks.contextual:
                by_stream.setdefault(number, []).append((time, message_id, observation.value))
            else:
                flags[key] = flag_alone(observation.value, checks)
        for number, readings in by_stream.items():

            def neighbourhood(
                low: int, high: int, number: int = number
            ) -> list[tuple[int, str, float, int]]:
                return _neighbourhood(writer, number, low, high)

            judged = self._quality.judge(number, self._checks[number], readings, neighbourhood)
            for (time, message_id), flag in judged.items():
                flags[time, number, message_id] = flag
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

"""What can be asked of an observation store.

Values are in SI, times in UTC.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.errors import SensorError, did_you_mean
from twin.files import replace_file
from twin.sensors.payloads import time_from_us, to_us
from twin.sensors.quality import USABLE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DeadLetter", "Entry", "Latest", "Queries", "Series", "explain"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be used, and why."""

    topic: str
    payload: bytes
    reason: str
    detail: str
    received: int


class Entry(NamedTuple):
    """What the store knows of a datastream."""

    id: str
    name: str
    property: str
    #: The sensor's own unit.
    unit: str
    #: Unit of the stored values.
    si_unit: str
    topic: str
    #: (x, y) in the city's CRS, m, or None.
    location: tuple[float, float] | None


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


class Queries:
    """The reading half of a `Store`, over one connection that sees whole batches only."""

    path: Path
    _reader: sqlite3.Connection
    _read_lock: threading.RLock
    _numbers: dict[str, int]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite says into a sentence that helps."""
        try:
            yield
        except sqlite3.Error as error:
            raise SensorError(explain(self.path, error)) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._read_lock, self._told():
            yield self._reader

    @property
    def ids(self) -> list[str]:
        """The datastreams in the store."""
        return list(self._numbers)

    def datastreams(self) -> list[Entry]:
        """Return what is known of every datastream in the store."""
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT id, name, property, unit, si_unit, topic, x, y FROM datastreams "
                "ORDER BY number"
            ).fetchall()
        return [
            Entry(identifier, name, quantity, unit, si_unit, topic, None if x is None else (x, y))
            for identifier, name, quantity, unit, si_unit, topic, x, y in rows
        ]

    def latest(self, ids: Iterable[str] | None = None) -> dict[str, Latest]:
        """Return the newest observation of each of the datastreams that has one."""
        wanted = {self._number(i): i for i in (self._numbers if ids is None else ids)}
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT datastream, time_us, value, quality FROM latest"
            ).fetchall()
        return {wanted[n]: Latest(time_from_us(t), v, q) for n, t, v, q in rows if n in wanted}

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
                "ORDER BY first_us, rowid"
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
        try:
            with replace_file(path) as beside:
                self.frame().to_parquet(beside, compression="zstd", index=False)
        except OSError as error:
            raise SensorError(f"{path} cannot be written: {error.strerror or error}.") from error

    def recall(self, key: str) -> str | None:
        """Return what `remember` kept under a key."""
        with self._reading() as reader:
            row = reader.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _number(self, datastream: str) -> int:
        try:
            return self._numbers[datastream]
        except KeyError:
            raise SensorError(
                f"There is no datastream {datastream!r} in {self.path}. "
                f"{did_you_mean(datastream, self._numbers)}"
            ) from None


def explain(path: Path, error: sqlite3.Error) -> str:
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

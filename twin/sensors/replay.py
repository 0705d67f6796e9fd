"""Play a record of readings through the broker, as the sensors once sent them.

A record is a CSV file, plain or gzipped, whose first line names the columns ``time, datastream,
value``: ISO 8601 with its offset from UTC, the datastream's id, and the value in the datastream's
unit (an empty cell: the sensor had no value). Readings are sent in the order of the file, which is
the order in which they once arrived.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Literal, Self

from twin.errors import InputError, SensorError, did_you_mean
from twin.sensors.address import BrokerAddress
from twin.sensors.datastream import Datastream, by_id
from twin.sensors.mqtt import Link
from twin.sensors.payloads import PayloadError, parse_time, time_from_us, to_us

__all__ = ["Record", "Replay", "read_record"]

_COLUMNS = ("time", "datastream", "value")
_NEVER = -(2**62)


class Record:
    """Readings in the order of their arrival, and when each datastream's are due.

    Parameters
    ----------
    datastreams
        To which the readings may belong.
    """

    def __init__(self, datastreams: Sequence[Datastream]) -> None:
        self.datastreams = by_id(datastreams)
        self._names = list(self.datastreams)
        self._number = {name: n for n, name in enumerate(self._names)}
        self._times, self._streams, self._values = array("q"), array("l"), array("d")
        self._sorted: dict[str, list[int]] = {}

    def append(self, time_us: int, datastream: str, value: float) -> None:
        """Add a reading; NaN stands for "no value"."""
        self._times.append(time_us)
        self._streams.append(self._number[datastream])
        self._values.append(value)
        self._sorted.clear()

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[tuple[int, str, float]]:
        for time_us, stream, value in zip(self._times, self._streams, self._values, strict=True):
            yield time_us, self._names[stream], value

    @property
    def start(self) -> datetime:
        """Time of the earliest reading."""
        return time_from_us(min(self._times))

    @property
    def end(self) -> datetime:
        """Time of the latest reading."""
        return time_from_us(max(self._times))

    def due(self, datastream: str, until: int) -> int:
        """Return the time, µs, of the datastream's last reading up to `until`, in time."""
        if not self._sorted:
            self._sorted = {name: [] for name in self._names}
            for time_us, name, _ in self:
                self._sorted[name].append(time_us)
            for times in self._sorted.values():
                times.sort()
        times = self._sorted[datastream]
        n = bisect_right(times, until)
        return times[n - 1] if n else _NEVER


def read_record(
    path: str | Path,
    datastreams: Sequence[Datastream],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Record:
    """Read a record whole, and check all of it, before anything is sent.

    Parameters
    ----------
    path
        The CSV file; gzipped if its name ends in ".gz".
    datastreams
        To which its readings belong.
    start, end
        Take only the readings of this closed interval.

    Raises
    ------
    InputError
        With file and line of what cannot be used.
    """
    path = Path(path)
    record = Record(datastreams)
    low = _NEVER if start is None else to_us(start)
    high = -_NEVER if end is None else to_us(end)
    try:
        with _open(path) as file:
            rows = csv.reader(file, strict=True)
            order = _column_order(path, next(rows, []))
            for row in rows:
                if not row:
                    continue
                time_us, datastream, value = _read_row(path, rows.line_num, row, order, record)
                if low <= time_us <= high:
                    record.append(time_us, datastream, value)
    except (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8, or is damaged: {error}.") from error
    except OSError as error:
        raise InputError(f"The record {path} cannot be read: {error.strerror or error}.") from error
    if not record:
        between = "" if start is None and end is None else f" between {start} and {end}"
        raise InputError(f"{path} holds no reading{between}.")
    return record


def _open(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _column_order(path: Path, header: Sequence[str]) -> list[int]:
    names = [name.strip() for name in header]
    for name in names:
        if name not in _COLUMNS:
            raise InputError(f"{path}:1: unknown column {name!r}. {did_you_mean(name, _COLUMNS)}")
    if sorted(names) != sorted(_COLUMNS):
        raise InputError(f"{path}:1: the first line must name the columns {', '.join(_COLUMNS)}.")
    return [names.index(name) for name in _COLUMNS]


def _read_row(
    path: Path, line: int, row: Sequence[str], order: Sequence[int], record: Record
) -> tuple[int, str, float]:
    if len(row) != len(order):
        raise InputError(
            f"{path}:{line}: {len(row)} cells where the header has {len(order)} columns."
        )
    moment, datastream, text = (row[n].strip() for n in order)
    if datastream not in record.datastreams:
        raise InputError(
            f"{path}:{line}: no datastream {datastream!r} in the register. "
            f"{did_you_mean(datastream, record.datastreams)}"
        )
    try:
        time_us = parse_time(moment)
    except PayloadError as error:
        raise InputError(f"{path}:{line}: {error}") from None
    try:
        value = float(text) if text else math.nan
    except ValueError:
        raise InputError(f"{path}:{line}: value {text!r} is not a number.") from None
    if text and not math.isfinite(value):
        raise InputError(f"{path}:{line}: value {text!r} is not a finite number.")
    return time_us, datastream, value


class Replay:
    """Publishes a record with QoS 1 on a thread of its own.

    Parameters
    ----------
    path
        The record; read and checked whole before anything is sent, see `read_record`.
    broker
        URL of the broker.
    datastreams
        To which its readings belong, and on whose topics they are sent.
    start, end
        Play only the readings of this closed interval.
    speed
        Seconds of record in a second of ours; "max" sends as fast as the broker takes it.
    window
        Most messages sent and not acknowledged by the broker yet.
    ca, certificate, key
        For TLS; see `BrokerAddress.parse`.

    Examples
    --------
    >>> with Replay("day.csv.gz", broker.url, fleet, speed=600) as day:  # doctest: +SKIP
    ...     hub.follow(day)
    ...     day.wait()
    """

    def __init__(
        self,
        path: str | Path,
        broker: str,
        datastreams: Sequence[Datastream],
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        speed: float | Literal["max"] = 1.0,
        window: int = 500,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
    ) -> None:
        self.speed = math.inf if speed == "max" else float(speed)
        if not self.speed > 0:
            raise SensorError(f"A replay's speed is a number above 0 or 'max', not {speed!r}.")
        if window < 1:
            raise SensorError(f"A replay's window is at least 1, not {window}.")
        #: What is played.
        self.record = read_record(path, datastreams, start=start, end=end)
        #: Set when there is nothing more to come: all is published, or stopped, or failed.
        self.ended = threading.Event()
        self._link = Link(
            BrokerAddress.parse(broker, ca=ca, certificate=certificate, key=key), window=window
        )
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="twin-replay", daemon=True)
        self._sent = 0
        self._error: SensorError | None = None

    @property
    def datastreams(self) -> dict[str, Datastream]:
        """The datastreams that the record may have readings of, by id."""
        return self.record.datastreams

    @property
    def published(self) -> int:
        """Number of readings that the broker has acknowledged."""
        return self._link.published

    @property
    def unanswered(self) -> int:
        """Number of readings sent that the broker has not acknowledged yet."""
        return self._sent - self.published

    def due(self, datastream: str, until: int) -> int:
        """See `Record.due`."""
        return self.record.due(datastream, until)

    def start(self, timeout: float = 10.0) -> Self:
        """Connect, and begin to send; raise `BrokerError` if no broker answers."""
        if not self._thread.is_alive():
            self._link.start()
            try:
                self._link.wait_ready(timeout)
            except BaseException:
                self._link.stop()
                raise
            self._thread.start()
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the record has ended; return whether it has. Raise what made it fail."""
        ended = self.ended.wait(timeout)
        self.check()
        return ended

    def check(self) -> None:
        """Raise the error that has ended the replay, if one has."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Send no more; safe to call twice."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            began, first, reached = time.monotonic(), None, _NEVER
            for time_us, name, value in self.record:
                # a reading that came late does not turn the clock back
                reached = max(reached, time_us)
                first = reached if first is None else first
                delay = began + (reached - first) / 1e6 / self.speed - time.monotonic()
                if (delay > 0 and self._halt.wait(delay)) or self._halt.is_set():
                    break
                self._link.publish(
                    self.datastreams[name].topic, _payload(time_us, name, value), self._halt
                )
                self._sent += 1
            self._link.flush(self._halt)
        except SensorError as error:
            self._error = error
        finally:
            self._link.stop()
            self.ended.set()


def _payload(time_us: int, name: str, value: float) -> bytes:
    document = {
        "datastream": name,
        "time": time_from_us(time_us).isoformat(timespec="microseconds"),
        "value": None if math.isnan(value) else value,
    }
    return json.dumps(document, ensure_ascii=False).encode()

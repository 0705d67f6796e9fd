"""Datastreams: one property of one thing at a place, with a unit and an MQTT topic.

The vocabulary is that of OGC SensorThings (18-088): a datastream groups the observations of one
observed property by one sensor. What a sensor reports is in the sensor's own unit; it is turned
into SI once, when a reading enters the store, by the linear map of its unit.
"""

from __future__ import annotations

import builtins
import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NoReturn

from twin.errors import InputError, SensorError, TwinError, UnitError, did_you_mean
from twin.sensors.quality import QualityLimits
from twin.units import UNITS, Unit

__all__ = ["PROPERTIES", "Datastream", "by_id", "read_fleet"]

#: Dimension of the properties that twin knows by name. Others may have any unit.
PROPERTIES: dict[str, str] = {
    "water_level": "length",
    "water_depth": "length",
    "rainfall": "speed",
    "discharge": "discharge",
    "flow_speed": "speed",
    "wind_speed": "speed",
    "people_count": "number",
    "people_flow": "rate",
    "people_density": "area density",
    "air_temperature": "temperature",
}

_MOST_TOPIC_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Datastream:
    """One row of the register of sensors.

    Parameters
    ----------
    id
        Unique within a hub.
    name
        What people call it; the id if left empty.
    property
        What is observed, as in "water_level"; see `PROPERTIES`.
    unit
        Unit in which the sensor reports, one of `twin.units.UNITS`.
    topic
        MQTT topic on which it reports, in full: no wildcards, no placeholders.
    location
        (x, y) in the city's CRS, m, or None.
    minimum, maximum
        Range beyond which a reading cannot be true (quality flag "fail"), in `unit`.
    limits
        Further quality tests, in `unit`.
    """

    id: str
    name: str
    property: str
    unit: str
    topic: str
    location: tuple[float, float] | None = None
    minimum: float | None = None
    maximum: float | None = None
    limits: QualityLimits = field(default_factory=QualityLimits)
    #: The linear map to SI, ``si = value * factor + offset``, as the unit says.
    factor: float = field(init=False, repr=False, compare=False)
    offset: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.id or self.id != self.id.strip():
            raise SensorError(
                f"A datastream needs an id without blanks around it, not {self.id!r}."
            )
        if not self.name:
            object.__setattr__(self, "name", self.id)
        where = f"Datastream {self.id!r}"
        if self.unit not in UNITS:
            raise UnitError(
                f"{where}: unknown unit {self.unit!r}. {did_you_mean(self.unit, UNITS)}"
            )
        object.__setattr__(self, "factor", self.conversion.factor)
        object.__setattr__(self, "offset", self.conversion.offset)
        if not self.property:
            raise SensorError(f"{where}: property is empty. {did_you_mean('', PROPERTIES)}")
        needed = PROPERTIES.get(self.property)
        if needed is not None and self.conversion.dimension != needed:
            fitting = ", ".join(repr(n) for n, u in UNITS.items() if u.dimension == needed)
            raise UnitError(
                f"{where}: {self.property!r} is a {needed}, but {self.unit!r} is a unit of "
                f"{self.conversion.dimension}; use one of {fitting}."
            )
        _check_topic(self.topic, where)
        if self.location is not None and not all(map(math.isfinite, self.location)):
            raise SensorError(f"{where}: location {self.location} is not two finite numbers.")
        low, high = self.minimum, self.maximum
        for key, value in (("minimum", low), ("maximum", high)):
            if value is not None and not math.isfinite(value):
                raise SensorError(f"{where}: {key} {value!r} is not a finite number.")
        if low is not None and high is not None and low >= high:
            raise SensorError(f"{where}: minimum {low:g} is not below maximum {high:g}.")

    @builtins.property
    def conversion(self) -> Unit:
        """The linear map from `unit` to SI."""
        return UNITS[self.unit]

    @builtins.property
    def si_unit(self) -> str:
        """The SI unit in which its observations are stored."""
        dimension = self.conversion.dimension
        return next(name for name, unit in UNITS.items() if unit.dimension == dimension)

    def to_si(self, value: float) -> float:
        """Return in SI a value given in `unit`."""
        return value * self.factor + self.offset


def by_id(datastreams: Sequence[Datastream]) -> dict[str, Datastream]:
    """Return the datastreams by id; two of one id are refused."""
    found: dict[str, Datastream] = {}
    for datastream in datastreams:
        if datastream.id in found:
            raise SensorError(
                f"Two datastreams are called {datastream.id!r} ({found[datastream.id].topic!r} and "
                f"{datastream.topic!r}); give each an id of its own."
            )
        found[datastream.id] = datastream
    return found


_LIMITS = tuple(f.name for f in fields(QualityLimits))
_NEEDED = ("id", "name", "property", "unit", "topic")
_NUMBERS = ("x", "y", "minimum", "maximum", *_LIMITS)


def read_fleet(path: str | Path) -> list[Datastream]:
    """Read the register of sensors from a CSV file.

    The first line names the columns: ``id, name, property, unit, topic`` and, as far as they are
    known, ``x, y`` (the city's CRS, m), ``minimum, maximum`` and the fields of `QualityLimits`.
    Numbers are in the `unit` of the row (times in s); an empty cell means "not given".

    Raises
    ------
    InputError
        With file, line, column and value of what cannot be used.
    """
    path = Path(path)
    rows: list[Datastream] = []
    seen: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames)
            for row in reader:
                line = reader.line_num
                datastream = _read_row(path, line, row)
                if datastream.id in seen:
                    _refuse(
                        path,
                        line,
                        "id",
                        datastream.id,
                        f"stands in line {seen[datastream.id]} already",
                    )
                seen[datastream.id] = line
                rows.append(datastream)
    except OSError as error:
        raise InputError(f"The fleet {path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8: {error}.") from error
    if not rows:
        raise InputError(f"{path} names no datastream; give one a line below the header.")
    return rows


def _check_header(path: Path, names: Sequence[str] | None) -> None:
    known = (*_NEEDED, *_NUMBERS)
    for name in names or ():
        if name not in known:
            raise InputError(
                f"{path}:1: unknown column {name!r}. {did_you_mean(name, known, most=99)}"
            )
    if names is not None and len(set(names)) < len(names):
        raise InputError(f"{path}:1: a column is named twice in {', '.join(names)}.")
    missing = [name for name in _NEEDED if name not in (names or ())]
    if missing:
        raise InputError(
            f"{path}:1: no column {', '.join(map(repr, missing))}; the first line must name "
            f"{', '.join(_NEEDED)} and may name {', '.join(_NUMBERS)}."
        )


def _read_row(path: Path, line: int, row: dict[str | None, str | None]) -> Datastream:
    if None in row or None in row.values():
        raise InputError(
            f"{path}:{line}: the line has not as many cells as the header has columns."
        )
    cells = {str(key): str(value).strip() for key, value in row.items()}
    for name in ("id", "property", "unit", "topic"):
        if not cells[name]:
            _refuse(path, line, name, "", "must not be empty")
    numbers: dict[str, float] = {}
    for name in _NUMBERS:
        text = cells.get(name, "")
        if not text:
            continue
        try:
            numbers[name] = float(text)
        except ValueError:
            _refuse(path, line, name, text, "is not a number")
        if not math.isfinite(numbers[name]):
            _refuse(path, line, name, text, "is not a finite number")
    if ("x" in numbers) != ("y" in numbers):
        raise InputError(f"{path}:{line}: a location needs both x and y, or neither.")
    try:
        return Datastream(
            id=cells["id"],
            name=cells["name"],
            property=cells["property"],
            unit=cells["unit"],
            topic=cells["topic"],
            location=(numbers["x"], numbers["y"]) if "x" in numbers else None,
            minimum=numbers.get("minimum"),
            maximum=numbers.get("maximum"),
            limits=QualityLimits(**{k: v for k, v in numbers.items() if k in _LIMITS}),
        )
    except TwinError as error:
        raise InputError(f"{path}:{line}: {error}") from error


def _refuse(path: Path, line: int, column: str, value: str, why: str) -> NoReturn:
    raise InputError(f"{path}:{line}: column {column!r}: {value!r} {why}.")


def _check_topic(topic: str, where: str) -> None:
    if not topic:
        raise SensorError(f"{where}: topic is empty; give the MQTT topic on which it reports.")
    if any(sign in topic for sign in "+#{}"):
        raise SensorError(
            f"{where}: topic {topic!r} has a wildcard or placeholder; "
            "a datastream reports on one topic, write it out in full."
        )
    if topic.startswith("$") or "\0" in topic:
        raise SensorError(f"{where}: topic {topic!r} must not begin with '$' or hold a NUL.")
    if len(topic.encode()) > _MOST_TOPIC_BYTES:
        raise SensorError(f"{where}: the topic is longer than {_MOST_TOPIC_BYTES} bytes.")

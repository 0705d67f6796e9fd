"""From the bytes of a message to readings.

Understood are

- a JSON object with a time and a value, ``{"time": "2026-07-01T08:00:00+08:00", "value": 3.42}``;
  instead of ``time`` also ``time_s``, ``time_ms``, ``time_us`` or ``time_ns`` since 1970 UTC;
  optionally ``datastream``, ``unit`` and ``id`` (or ``seq``) of the message;
- a SenML pack, a JSON array of records (RFC 8428, RFC 9100);
- a bare number, which is taken to be of the time at which it arrived.

A payload is data of unknown origin: its size and depth are bounded, keys may not be doubled, NaN,
infinities and booleans are no numbers, and nothing in it is ever evaluated.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from twin.errors import SensorError, did_you_mean

__all__ = ["MOST_BYTES", "PayloadError", "Reading", "decode", "parse_time", "time_from_us", "to_us"]

#: Longest payload that is read, bytes, and deepest nesting.
MOST_BYTES = 65536
MOST_DEPTH = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Times understood: 1900 to 2200, µs since 1970.
_EARLIEST, _LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000
_EPOCH_KEYS = {"time_s": 1e6, "time_ms": 1e3, "time_us": 1.0, "time_ns": 1e-3}
_TIME_KEYS = ("time", *_EPOCH_KEYS)
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class PayloadError(SensorError):
    """A message that holds no reading that can be used; `reason` is a short code for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Reading(NamedTuple):
    """What a message says: one value of one time."""

    #: Phenomenon time, µs since 1970 UTC.
    time: int
    #: In `unit`; None if the sensor says that it has no value.
    value: float | None
    #: What the message calls the datastream, if it does.
    name: str | None = None
    #: Unit the message gives, if it does.
    unit: str | None = None
    #: Message id or sequence number, "" without one.
    message_id: str = ""


def parse_time(text: str) -> int:
    """Return an ISO 8601 time with its offset from UTC in µs since 1970 UTC.

    Examples
    --------
    >>> parse_time("1970-01-01T08:00:01+08:00")
    1000000
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PayloadError(
            "time", f"{text[:80]!r} is not a time; write ISO 8601 as in 2026-07-01T08:00:00+08:00."
        ) from None
    if moment.tzinfo is None:
        raise PayloadError("time", f"{text!r} lacks its offset from UTC; end it in Z or +08:00.")
    return _bounded(to_us(moment))


def to_us(moment: datetime) -> int:
    """Return a time that knows its offset from UTC in µs since 1970."""
    if moment.tzinfo is None:
        raise SensorError(f"{moment.isoformat()} lacks its offset from UTC; give it a tzinfo.")
    return (moment - _EPOCH) // _MICROSECOND


def time_from_us(time: int) -> datetime:
    """Return µs since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=time)


def decode(payload: bytes, received: int) -> list[Reading]:
    """Return the readings of a message.

    Parameters
    ----------
    payload
        The message as it came.
    received
        Time of its arrival, µs since 1970 UTC: the time of a bare number, and the "now" to which
        SenML's relative times refer.

    Raises
    ------
    PayloadError
        If any part of it cannot be used; a message is taken whole or not at all.
    """
    if len(payload) > MOST_BYTES:
        raise PayloadError(
            "size", f"{len(payload)} bytes; the longest message read is {MOST_BYTES}."
        )
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise PayloadError("encoding", f"The message is not UTF-8: {error}.") from None
    if not text:
        raise PayloadError("empty", "The message is empty.")
    if text[0] not in "{[":
        if not _NUMBER.fullmatch(text):
            raise PayloadError("syntax", f"{text[:80]!r} is neither a number nor JSON.")
        return [Reading(received, _finite(float(text), "value"))]
    document = _parse(text)
    if isinstance(document, dict):
        return [_from_object(document)]
    return _from_senml(document, received)


def _parse(text: str) -> Any:
    # there cannot be more levels than opening brackets, so most messages need no look at the depth
    if text.count("{") + text.count("[") > MOST_DEPTH:
        depth = 0
        for sign in re.findall(r"[][{}]", _STRINGS.sub("", text)):
            depth += 1 if sign in "[{" else -1
            if depth > MOST_DEPTH:
                raise PayloadError(
                    "depth", f"The message is nested deeper than {MOST_DEPTH} levels."
                )
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        raise PayloadError("syntax", f"The message is not JSON: {error}.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise PayloadError("syntax", "A key stands twice in one object.")
    return found


def _no_constant(name: str) -> float:
    raise PayloadError("number", f"{name} is not a number that can be used.")


#: Made once: `json.loads` would make one for every message.
_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _finite(value: object, key: str) -> float:
    if isinstance(value, float):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        raise PayloadError("number", f"{key!r} is {_shown(value)}, not a number.")
    if not math.isfinite(number):
        raise PayloadError("number", f"{key!r} is not a finite number.")
    return number


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise PayloadError("text", f"{key!r} is {_shown(value)}, not a text.")
    return value


def _shown(value: object) -> str:
    return repr(value)[:80]


def _bounded(time: int) -> int:
    if not _EARLIEST <= time <= _LATEST:
        raise PayloadError("time", f"A time of {time / 1e6:.0f} s since 1970 is not in 1900-2200.")
    return time


def _since_epoch(value: object, key: str, factor: float) -> int:
    number = _finite(value, key)
    if isinstance(value, int):
        # whole numbers stay exact
        return _bounded(value * int(factor) if factor >= 1 else value // round(1 / factor))
    return _bounded(round(number * factor))


def _from_object(document: dict[str, Any]) -> Reading:
    if "value" not in document:
        raise PayloadError(
            "value", f"The object has no 'value'. {did_you_mean('value', document, most=5)}"
        )
    given = [key for key in _TIME_KEYS if key in document]
    if len(given) != 1:
        raise PayloadError(
            "time",
            f"The object gives {len(given)} times; give one of 'time' (ISO 8601 with offset), "
            f"{', '.join(map(repr, _EPOCH_KEYS))}.",
        )
    key = given[0]
    if key == "time":
        time = parse_time(_text(document["time"], "time"))
    else:
        time = _since_epoch(document[key], key, _EPOCH_KEYS[key])
    value = document["value"]
    name, unit = document.get("datastream"), document.get("unit")
    return Reading(
        time=time,
        value=None if value is None else _finite(value, "value"),
        name=None if name is None else _text(name, "datastream"),
        unit=None if unit is None else _text(unit, "unit"),
        message_id=_message_id(document),
    )


def _message_id(document: dict[str, Any]) -> str:
    given = document.get("id")
    if given is None:
        given = document.get("seq")
    if given is None:
        return ""
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise PayloadError(
            "id", f"The message's id is {_shown(given)}, not text or a whole number."
        )
    if len(str(given)) > 200:
        raise PayloadError("id", "The message's id is longer than 200 signs.")
    return str(given)


# --- SenML, RFC 8428 ---------------------------------------------------------------------------

#: Times below this are relative to now (RFC 8428, 4.5.3), s.
_RELATIVE = 2**28
_SENML_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_VALUE_KEYS = ("v", "vs", "vb", "vd")


def _from_senml(pack: list[Any], received: int) -> list[Reading]:
    """Resolve a pack: base fields hold from the record that sets them until they are set again."""
    base_name, base_unit = "", None
    base_time = base_value = base_sum = 0.0
    version: object = None
    readings = []
    for record in pack:
        if not isinstance(record, dict):
            raise PayloadError("senml", f"A SenML record is {_shown(record)}, not an object.")
        for key in record:
            # RFC 8428, 4.4: a label that ends in "_" must be understood
            if key.endswith("_"):
                raise PayloadError(
                    "senml", f"The SenML label {key!r} must be understood and is not."
                )
        if "bver" in record:
            if version is not None and record["bver"] != version:
                raise PayloadError("senml", "One SenML pack gives two versions (bver).")
            version = record["bver"]
            _check_version(version)
        base_name = _text(record.get("bn", base_name), "bn")
        base_unit = (
            None
            if record.get("bu", base_unit) is None
            else _text(record.get("bu", base_unit), "bu")
        )
        base_time = _finite(record.get("bt", base_time), "bt")
        base_value = _finite(record.get("bv", base_value), "bv")
        base_sum = _finite(record.get("bs", base_sum), "bs")
        given = [key for key in _VALUE_KEYS if key in record]
        if not given and "s" not in record:
            # a record of base fields alone says nothing yet
            if any(key in record for key in ("n", "u", "t", "ut")):
                raise PayloadError("senml", "A SenML record has neither a value nor a sum.")
            continue
        name = base_name + _text(record.get("n", ""), "n")
        if given != ["v"]:
            raise PayloadError(
                "senml", f"{name!r} has no numeric value 'v' but {', '.join(given) or 's'}."
            )
        if not _SENML_NAME.fullmatch(name):
            raise PayloadError("senml", f"{name!r} is not a SenML name (RFC 8428, 4.5.1).")
        unit = record.get("u", base_unit)
        readings.append(
            Reading(
                time=_senml_time(base_time, _finite(record.get("t", 0.0), "t"), received),
                value=_finite(base_value + _finite(record["v"], "v"), "v"),
                name=name,
                unit=None if unit is None else _text(unit, "u"),
            )
        )
    if not readings:
        raise PayloadError("senml", "The SenML pack holds no value.")
    return readings


def _check_version(version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int):
        raise PayloadError(
            "senml", f"The SenML version (bver) is {_shown(version)}, not a whole number."
        )
    # RFC 9100: a version is a set of bits; 10 is RFC 8428 itself, 16 adds the secondary units
    if version > 10 and version != 26:
        raise PayloadError("senml", f"SenML version {version} is not understood; 10 and 26 are.")


def _senml_time(base: float, time: float, received: int) -> int:
    seconds = base + time
    if seconds >= _RELATIVE:
        return _bounded(round(seconds * 1e6))
    return _bounded(received + round(seconds * 1e6))

"""Which reading belongs to which datastream, and what it is in SI.

The topic says who speaks, since the broker can guard topics; a name or unit inside the payload may
only confirm it, or tell apart the datastreams that share a topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from twin.errors import did_you_mean
from twin.sensors.datastream import Datastream, by_id
from twin.sensors.payloads import PayloadError, Reading, decode
from twin.units import UNITS

__all__ = ["Observation", "Registry"]

#: SenML's names (RFC 8428, 12.1; RFC 8798) of units that twin writes otherwise.
_SENML_UNITS = {"Cel": "degC", "/": "1", "count": "1", "l": "l"}


class Observation(NamedTuple):
    """A reading of a known datastream, as the store keeps it."""

    datastream: str
    #: Phenomenon time, µs since 1970 UTC.
    time: int
    #: SI; None where the sensor says that it has no value.
    value: float | None
    #: Message id or sequence number, "" without one.
    message_id: str
    #: Time of arrival, µs since 1970 UTC.
    received: int


class Registry:
    """The datastreams of a hub, by id and by topic."""

    def __init__(self, datastreams: Sequence[Datastream]) -> None:
        self.datastreams = by_id(datastreams)
        self._by_topic: dict[str, list[Datastream]] = {}
        for datastream in datastreams:
            self._by_topic.setdefault(datastream.topic, []).append(datastream)

    @property
    def topics(self) -> list[str]:
        """All topics, sorted."""
        return sorted(self._by_topic)

    def observations(
        self, topic: str, payload: bytes, received: int, *, retained: bool = False
    ) -> list[Observation]:
        """Decode a message into observations in SI; raise `PayloadError` if any part is wrong.

        Parameters
        ----------
        received
            Time of arrival, µs since 1970 UTC.
        retained
            The broker kept the message from earlier, so that its arrival says nothing of its time.
        """
        candidates = self._by_topic.get(topic)
        if candidates is None:
            raise PayloadError("topic", f"No datastream reports on {topic!r}.")
        found = []
        for reading in decode(payload, received):
            if retained and reading.time == received:
                raise PayloadError("time", "A retained message without a time: its age is unknown.")
            datastream = _match(candidates, reading, topic)
            value = None if reading.value is None else _in_si(datastream, reading, reading.value)
            found.append(
                Observation(datastream.id, reading.time, value, reading.message_id, received)
            )
        return found


def _match(candidates: Sequence[Datastream], reading: Reading, topic: str) -> Datastream:
    if reading.name is None:
        if len(candidates) == 1:
            return candidates[0]
        raise PayloadError(
            "name", f"{len(candidates)} datastreams share {topic!r}; the message must name one."
        )
    for datastream in candidates:
        if reading.name in (datastream.id, datastream.name):
            return datastream
    names = [d.id for d in candidates]
    raise PayloadError(
        "name",
        f"{reading.name!r} does not report on {topic!r}. {did_you_mean(reading.name, names)}",
    )


def _in_si(datastream: Datastream, reading: Reading, value: float) -> float:
    if reading.unit is None or reading.unit == datastream.unit:
        return datastream.to_si(value)
    unit = UNITS.get(_SENML_UNITS.get(reading.unit, reading.unit))
    if unit is None or unit.dimension != datastream.conversion.dimension:
        raise PayloadError(
            "unit", f"{datastream.id!r} reports in {datastream.unit!r}, not in {reading.unit!r}."
        )
    return value * unit.factor + unit.offset

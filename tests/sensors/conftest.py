"""What the tests of the sensor room share: a small fleet, real brokers, a way to publish."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from sensing import moment

from twin.sensors import Datastream, EmbeddedBroker
from twin.sensors.broker import available_brokers


@pytest.fixture(scope="session")
def fleet() -> list[Datastream]:
    """Two level gauges, in m and in cm, and a rain gauge."""
    return [
        Datastream("level-1", "", "water_level", "m", "city/level/1", minimum=-5, maximum=10),
        Datastream("level-2", "", "water_level", "cm", "city/level/2", minimum=-500, maximum=1000),
        Datastream("rain-1", "", "rainfall", "mm/h", "city/rain/1", location=(356900.0, 3456900.0)),
    ]


@pytest.fixture(params=["mosquitto", "iotcore"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of broker that is on this machine."""
    if request.param not in available_brokers():
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def broker(kind: str) -> Iterator[EmbeddedBroker]:
    """A running broker."""
    with EmbeddedBroker(kind) as running:
        yield running


@pytest.fixture
def write_record(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes rows (seconds, datastream, value) as a record."""

    def write(rows: Iterable[tuple[float, str, object]], name: str = "record.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["time", "datastream", "value"])
            writer.writerows((moment(s).isoformat(), d, v) for s, d, v in rows)
        return path

    return write

"""Helpers of the tests of the sensor room."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from twin.sensors.address import BrokerAddress
from twin.sensors.mqtt import Link

START = datetime(2026, 7, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return a time so many seconds after `START`."""
    return START + timedelta(seconds=seconds)


def message(seconds: float, value: object) -> bytes:
    """Return the JSON message of a reading so many seconds after `START`."""
    return json.dumps({"time": moment(seconds).isoformat(), "value": value}).encode()


def publish(url: str, messages: Iterable[tuple[str, bytes]]) -> None:
    """Publish messages with QoS 1 and wait until the broker has accepted them all."""
    link = Link(BrokerAddress.parse(url))
    link.start()
    link.wait_ready(10.0)
    never = threading.Event()
    for topic, payload in messages:
        link.publish(topic, payload, never)
    link.flush(never)
    link.stop()


def eventually(condition: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait until the condition holds, or fail."""
    end = monotonic() + timeout
    while not condition():
        assert monotonic() < end, "it did not come to pass in time"
        sleep(0.01)


def children(process: int) -> list[int]:
    """Return the ids of the processes that a process has started and not yet waited for."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]

"""Durable ingest: messages a second that are on the disk before the broker may forget them.

Ours (`SensorHub`: decode, units, quality flags, one transaction, fsync, then PUBACK) against a
stock paho loop that keeps the same promise and does no more than it must: paho's own network
thread, ``json.loads``, a writer thread that inserts what is waiting into SQLite
(``synchronous=FULL``) and then acknowledges. A broker holds the same messages (QoS 1, 200 bytes,
1000 sensors) for both; they take turns to fetch them, each in a process of its own, so that nothing
but the client is measured. Time runs from the first message to the commit of the last.

    python benchmarks/sensors.py [--messages 30000] [--rounds 3] [--broker mosquitto|iotcore]
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SENSORS = 1000
BYTES = 200
START_US = 1_782_864_000_000_000


def topic(n: int) -> str:
    """Return the topic of the n-th message."""
    return f"city/ward-{n % 10}/level/{n % SENSORS:04d}"


def payload(n: int) -> bytes:
    """Return the n-th message, filled up to `BYTES`."""
    document = {"time_us": START_US + n * 1000, "value": 1 + n % 997 / 1000, "seq": n, "note": ""}
    document["note"] = "x" * (BYTES - len(json.dumps(document)))
    return json.dumps(document).encode()


def ours(url: str, directory: Path, count: int) -> dict[str, float]:
    """Fetch `count` messages with a `SensorHub`."""
    from twin.sensors import Datastream, SensorHub

    fleet = [
        Datastream(f"s{n}", "", "water_level", "m", topic(n), minimum=-5.0, maximum=50.0)
        for n in range(SENSORS)
    ]
    first: list[float] = []
    hub = SensorHub(
        directory / "ours.db",
        url,
        fleet,
        client_id="bench-ours",
        on_batch=lambda batch: first.append(batch[0].received / 1e6) if not first else None,
    )
    cpu = _cpu()
    hub.start()
    while hub.stats.stored < count:
        time.sleep(0.002)
    took = time.time() - first[0] if count else 0.0
    stats = hub.stats
    hub.stop()
    return {"seconds": took, "cpu": _cpu() - cpu, "commits": stats.batches}


def stock(url: str, directory: Path, count: int) -> dict[str, float]:
    """Fetch `count` messages with paho as it is."""
    import paho.mqtt.client as mqtt

    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    ready, first = threading.Event(), []

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        if not first:
            first.append(time.time())
        waiting.put((message.mid, message.topic, message.payload))

    def on_connect(client: Any, *_: Any) -> None:
        client.subscribe("city/#", 1)

    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, "bench-stock", clean_session=False, manual_ack=True
    )
    client.on_message, client.on_connect = on_message, on_connect
    client.on_subscribe = lambda *_: ready.set()
    store = sqlite3.connect(directory / "stock.db", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.execute(
        "CREATE TABLE IF NOT EXISTS readings (time INTEGER, topic TEXT, value REAL, "
        "PRIMARY KEY (time, topic)) WITHOUT ROWID"
    )
    cpu = _cpu()
    address = urlsplit(url)
    client.connect(str(address.hostname), address.port or 1883)
    client.loop_start()
    stored = commits = 0
    while stored < count:
        batch = [waiting.get()]
        while len(batch) < 5000 and not waiting.empty():
            batch.append(waiting.get())
        rows = []
        for _, name, text in batch:
            document = json.loads(text)
            rows.append((document["time_us"], name, document["value"]))
        store.execute("BEGIN")
        store.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?, ?)", rows)
        store.execute("COMMIT")
        for number, _, _ in batch:
            client.ack(number, 1)
        stored += len(batch)
        commits += 1
    took = time.time() - first[0] if count else 0.0
    ready.wait(5.0)
    client.disconnect()
    client.loop_stop()
    store.close()
    return {"seconds": took, "cpu": _cpu() - cpu, "commits": commits}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


CLIENTS: dict[str, Callable[[str, Path, int], dict[str, float]]] = {"ours": ours, "stock": stock}


def run_client(name: str, url: str, directory: Path, count: int) -> dict[str, float]:
    """Run one of `CLIENTS` in a process of its own."""
    command = [sys.executable, __file__, "--client", name, url, str(directory), str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def fill(url: str, count: int) -> None:
    """Publish `count` messages."""
    from twin.sensors.address import BrokerAddress
    from twin.sensors.mqtt import Link

    link, never = Link(BrokerAddress.parse(url)), threading.Event()
    link.start()
    link.wait_ready(10.0)
    for n in range(count):
        link.publish(topic(n), payload(n), never)
    link.flush(never)
    link.stop()


def commit_time(directory: Path) -> float:
    """Return the median time of an fsync here, s."""
    times = []
    with (directory / "probe").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--broker", default=None, help="mosquitto or iotcore")
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        name, url, where, count = arguments.client
        print(json.dumps(CLIENTS[name](url, Path(where), int(count))))
        return

    from twin.sensors import EmbeddedBroker

    count, rates = arguments.messages, {name: [] for name in CLIENTS}
    with tempfile.TemporaryDirectory() as scratch:
        print(
            f"{count} messages of {BYTES} bytes, {SENSORS} sensors, QoS 1; {os.cpu_count()} cores; "
            f"fsync {commit_time(Path(scratch)) * 1e3:.2f} ms"
        )
        for round_ in range(arguments.rounds):
            directory = Path(scratch) / str(round_)
            directory.mkdir()
            with EmbeddedBroker(arguments.broker) as broker:
                for name in CLIENTS:
                    run_client(name, broker.url, directory, 0)  # leaves a session behind
                fill(broker.url, count)
                # by turns, so that neither always goes first
                for name in sorted(CLIENTS, reverse=bool(round_ % 2)):
                    got = run_client(name, broker.url, directory, count)
                    rates[name].append(count / got["seconds"])
                    print(
                        f"round {round_ + 1}  {broker.kind:9}  {name:5}  "
                        f"{rates[name][-1]:8.0f} messages/s  {got['cpu'] / count * 1e6:5.1f} µs "
                        f"CPU a message  {got['commits']:.0f} commits"
                    )
    mine, theirs = (statistics.median(rates[name]) for name in ("ours", "stock"))
    print(f"ours {mine:.0f}/s, stock paho {theirs:.0f}/s: ratio {mine / theirs:.2f}")


if __name__ == "__main__":
    main()

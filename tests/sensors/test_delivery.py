"""The promise of delivery, with real brokers: whatever the broker accepted is stored once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sensing import children, eventually, message, moment, publish

from twin.errors import BrokerError, SensorError
from twin.sensors import Datastream, EmbeddedBroker, Replay, SensorHub, Store
from twin.sensors.registry import Observation


def level(n: int) -> tuple[str, bytes]:
    """Return the n-th message of the first gauge."""
    return "city/level/1", message(n, n / 1000)


def test_readings_arrive(broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path) -> None:
    batches: list[Observation] = []

    def keep(batch: object) -> None:
        batches.extend(batch)  # type: ignore[call-overload]
        raise RuntimeError("a hook that fails stops nothing")

    with SensorHub(tmp_path / "o.db", broker.url, fleet, on_batch=keep) as hub:
        publish(broker.url, [level(n) for n in range(100)])
        publish(broker.url, [("city/level/2", message(50, 300)), ("city/rain/1", b"3.6")])
        assert hub.wait_until(moment(99), ["level-1"])
        eventually(lambda: hub.stats.stored == 102)
        assert hub.latest(["level-2"])["level-2"].value == pytest.approx(3.0)
        assert hub.latest()["rain-1"].value == pytest.approx(1e-6)
        assert hub.series("level-1", moment(10), moment(12)).value.tolist() == [0.01, 0.011, 0.012]
        assert hub.connected
        stats = hub.stats
    assert len(batches) == 102
    assert (stats.received, stats.stored, stats.duplicates, stats.waiting) == (102, 102, 0, 0)
    # what was acknowledged does not come again
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        publish(broker.url, [level(100)])
        assert hub.wait_until(moment(100), ["level-1"])
        assert hub.stats.received == 1


def test_the_broker_keeps_what_comes_while_the_hub_is_away(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    SensorHub(tmp_path / "o.db", broker.url, fleet).start().stop()
    # more than brokers keep by default
    publish(broker.url, [level(n) for n in range(2500)])
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        hub.wait_until(moment(2499), ["level-1"])
        assert hub.stats.stored == 2500


def test_numbers_without_a_time_are_all_kept(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    began = datetime.now(UTC)
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        publish(broker.url, [("city/level/1", b"%d" % (n % 7)) for n in range(300)])
        eventually(lambda: hub.stats.received == 300)
        assert hub.stats.stored == 300
        series = hub.series("level-1", began, datetime.now(UTC))
    assert series.value.tolist() == [n % 7 for n in range(300)]


INGEST = """
import sys, time
from twin.sensors import SensorHub, read_fleet
with SensorHub(sys.argv[1], sys.argv[2], read_fleet(sys.argv[3])) as hub:
    while not hub.stats.stored:
        time.sleep(0.001)
    print("at work", flush=True)
    time.sleep(60)
"""


def test_a_hub_that_is_killed_loses_nothing(
    broker: EmbeddedBroker,
    fleet: list[Datastream],
    tmp_path: Path,
    write_record: Callable[..., Path],
) -> None:
    count = 8000
    record = write_record((n, "level-1", n / 1000) for n in range(count))
    register = tmp_path / "fleet.csv"
    register.write_text(
        "id,name,property,unit,topic\n"
        + "".join(f"{d.id},,{d.property},{d.unit},{d.topic}\n" for d in fleet)
    )
    store = tmp_path / "o.db"
    command = [sys.executable, "-c", INGEST, str(store), broker.url, str(register)]
    SensorHub(store, broker.url, fleet).start().stop()
    chance, kills_amid = random.Random(1), 0
    with Replay(record, broker.url, fleet, speed=2500) as replay:
        for _ in range(3):
            with subprocess.Popen(command, stdout=subprocess.PIPE) as hub:
                assert hub.stdout is not None
                assert hub.stdout.readline() == b"at work\n"
                time.sleep(chance.uniform(0.0, 0.05))
                hub.send_signal(signal.SIGKILL)
            kills_amid += not replay.ended.is_set()
        with SensorHub(store, broker.url, fleet) as last:
            last.follow(replay)
            last.wait_until(moment(count), ["level-1"])
            replay.wait()
    assert kills_amid > 0
    assert replay.published == count
    with Store(store, read_only=True) as left:
        assert left.counts() == {"observations": count, "conflicts": 0, "dead_letters": 0}


def test_poison_is_put_aside_and_blocks_nothing(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    poison = [b"\xff", b"NaN", b"[" * 3000, b'{"value": 1}', b"x" * 65_000]
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        for n, bad in enumerate(poison):
            publish(broker.url, [("city/level/1", bad), level(n)])
        hub.wait_until(moment(len(poison) - 1), ["level-1"])
        letters = hub.store.dead_letters()
        assert (hub.stats.stored, hub.stats.dead_letters) == (len(poison), len(poison))
    assert [letter.payload for letter in letters] == poison
    assert {letter.reason for letter in letters} == {"encoding", "syntax", "depth", "time"}
    # it does not come again
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        publish(broker.url, [level(1000)])
        hub.wait_until(moment(1000), ["level-1"])
        assert hub.stats.received == 1


def test_what_cannot_be_written_stays_with_the_broker(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    hub = SensorHub(tmp_path / "o.db", broker.url, fleet).start()
    writer = hub.store._writer
    assert writer is not None
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages + 4}")
    publish(broker.url, [level(n) for n in range(3000)])
    with pytest.raises(SensorError, match=r"o\.db: the disk is full; free some space"):
        hub.wait_until(moment(2999), ["level-1"])
    with pytest.raises(SensorError, match="full"):
        hub.stop()
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        hub.wait_until(moment(2999), ["level-1"])
        assert hub.store.counts()["observations"] == 3000


def test_the_hub_outlives_the_broker(kind: str, fleet: list[Datastream], tmp_path: Path) -> None:
    with EmbeddedBroker(kind, directory=tmp_path / "broker") as first:
        port = int(first.url.rpartition(":")[2])
        hub = SensorHub(tmp_path / "o.db", first.url, fleet).start()
        publish(first.url, [level(n) for n in range(50)])
        hub.wait_until(moment(49), ["level-1"])
    eventually(lambda: not hub.connected)
    with EmbeddedBroker(kind, port=port, directory=tmp_path / "broker") as second:
        eventually(lambda: hub.connected)
        publish(second.url, [level(n) for n in range(50, 100)])
        hub.wait_until(moment(99), ["level-1"])
        hub.stop()
    stats = hub.stats
    assert (stats.stored, stats.reconnects) == (100, 1)
    # mosquitto writes its sessions down when it is stopped in peace, rumqttd never does
    assert stats.session_losses == {"mosquitto": 0, "iotcore": 1}[kind]


def test_a_killed_broker_is_reconnected_to(
    kind: str, fleet: list[Datastream], tmp_path: Path
) -> None:
    broker = EmbeddedBroker(kind).start()
    port = int(broker.url.rpartition(":")[2])
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        publish(broker.url, [level(n) for n in range(50)])
        hub.wait_until(moment(49), ["level-1"])
        guard = broker._process
        assert guard is not None
        for child in children(guard.pid):
            os.kill(child, signal.SIGKILL)
        eventually(lambda: not hub.connected)
        broker.stop()
        with EmbeddedBroker(kind, port=port) as again:
            eventually(lambda: hub.connected)
            assert hub.stats.session_losses == 1
            publish(again.url, [level(n) for n in range(40, 100)])
            hub.wait_until(moment(99), ["level-1"])
            assert (hub.stats.stored, hub.stats.duplicates) == (100, 10)


def test_topics_that_are_no_longer_wanted_are_given_up(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    SensorHub(tmp_path / "o.db", broker.url, fleet).start().stop()
    with SensorHub(tmp_path / "o.db", broker.url, fleet[:1]) as hub:
        publish(broker.url, [("city/level/2", message(0, 1)), level(0)])
        hub.wait_until(moment(0), ["level-1"])
        assert hub.stats.stored == 1
        # rumqttd confirms that it has given up a topic of an old session, but does not
        unknown = 0 if broker.kind == "mosquitto" else 1
        assert hub.stats.dead_letters == unknown


def test_no_broker_is_told_in_one_sentence(fleet: list[Datastream], tmp_path: Path) -> None:
    with EmbeddedBroker() as gone:
        url = gone.url
    began = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        SensorHub(tmp_path / "o.db", url, fleet).start(timeout=0.5)
    assert time.monotonic() - began < 3.0
    said = str(caught.value)
    assert said.startswith(f"No MQTT broker answers at {url} (connection refused")
    assert "correct host and port" in said
    # the store was let go
    assert not (tmp_path / "o.db-wal").exists()


def test_waiting_names_those_who_are_late(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        publish(broker.url, [level(10)])
        assert hub.wait_until(moment(10), ["level-1"])
        with pytest.raises(SensorError, match=r"from level-2 within 0\.2 s; see that it reports"):
            hub.wait_until(moment(10), ["level-1", "level-2"], timeout=0.2)
        with pytest.raises(SensorError, match="Did you mean 'level-1'"):
            hub.wait_until(moment(10), ["level1"])


def test_refuses_hubs_that_cannot_work(fleet: list[Datastream], tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="empty client id"):
        SensorHub(tmp_path / "o.db", "mqtt://127.0.0.1", fleet, client_id="")
    with pytest.raises(SensorError, match="no datastream"):
        SensorHub(tmp_path / "o.db", "mqtt://127.0.0.1", [])
    with pytest.raises(SensorError, match="Two datastreams are called 'level-1'"):
        SensorHub(tmp_path / "o.db", "mqtt://127.0.0.1", [fleet[0], fleet[0]])
    hub = SensorHub(tmp_path / "o.db", "mqtt://eve:secret@127.0.0.1", fleet)
    assert "secret" not in repr(hub) + repr(hub.address) + str(hub.address)
    with pytest.raises(SensorError, match="not running"):
        hub.latest()

"""The replay of a record through a real broker into the store, and onto a scene's clock."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sensing import START, eventually, moment, publish

from twin.errors import BrokerError, InputError, SensorError
from twin.sensors import (
    Datastream,
    EmbeddedBroker,
    Replay,
    SceneObservations,
    SensorHub,
    Store,
    read_record,
)

DAY = 86400


def a_day() -> list[tuple[float, str, object]]:
    """Return a day of readings, every five minutes; the second gauge is silent after noon."""
    times = range(0, DAY + 1, 300)
    rows: list[tuple[float, str, object]] = []
    for t in times:
        rows.append((t, "level-1", round(np.sin(t / 7000), 3)))
        if t <= DAY // 2:
            rows.append((t, "level-2", t / 1000))
        rows.append((t, "rain-1", ""))
    return rows


def test_a_day_goes_through_without_loss(
    broker: EmbeddedBroker,
    fleet: list[Datastream],
    tmp_path: Path,
    write_record: Callable[..., Path],
) -> None:
    rows = a_day()
    record = write_record(rows)
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        for _ in range(2):
            with Replay(record, broker.url, fleet, speed="max") as replay:
                hub.follow(replay)
                # gauge 2 has no more to give after noon, and holds nobody up
                assert hub.wait_until(moment(DAY), timeout=20.0) is False
                assert hub.wait_until(moment(DAY), ["level-1"]) is True
                assert replay.wait(20.0)
            assert (replay.published, replay.unanswered) == (len(rows), 0)
        # the broker had it all; what was read before comes once more
        eventually(lambda: hub.stats.received == 2 * len(rows))
        stats = hub.stats
    # every message is accounted for: the second round brought nothing new
    assert (stats.stored, stats.duplicates) == (len(rows), len(rows))
    with Store(tmp_path / "o.db", read_only=True) as store:
        level = store.series("level-1")
        assert level.value.tolist() == [v for _, d, v in rows if d == "level-1"]
        assert store.latest()["level-2"].value == pytest.approx(0.432)
        assert store.latest()["rain-1"].quality == 9


def test_keeps_to_the_speed_and_the_interval(
    broker: EmbeddedBroker, fleet: list[Datastream], write_record: Callable[..., Path]
) -> None:
    record = write_record([(t, "level-1", 1.0) for t in range(0, 1000, 10)])
    began = time.monotonic()
    with Replay(
        record, broker.url, fleet, speed=1000, start=moment(100), end=moment(600)
    ) as replay:
        assert len(replay.record) == 51
        assert (replay.record.start, replay.record.end) == (moment(100), moment(600))
        assert replay.wait(10.0)
    assert 0.5 <= time.monotonic() - began < 2.0
    assert replay.published == 51


def test_can_be_stopped(
    broker: EmbeddedBroker, fleet: list[Datastream], write_record: Callable[..., Path]
) -> None:
    record = write_record([(0, "level-1", 1.0), (3600, "level-1", 2.0)])
    replay = Replay(record, broker.url, fleet, speed=1.0).start()
    began = time.monotonic()
    replay.stop()
    replay.stop()
    assert time.monotonic() - began < 2.0
    assert replay.ended.is_set()
    assert replay.published <= 1


def test_a_broker_that_is_not_there(
    fleet: list[Datastream], write_record: Callable[..., Path]
) -> None:
    record = write_record([(0, "level-1", 1.0)])
    with pytest.raises(BrokerError, match="No MQTT broker answers"):
        Replay(record, "mqtt://127.0.0.1:1", fleet).start(timeout=0.3)


def test_reads_gzip_in_the_order_of_arrival(fleet: list[Datastream], tmp_path: Path) -> None:
    path = tmp_path / "record.csv.gz"
    text = (
        "datastream,time,value\n"
        "level-1,2026-07-01T08:01:00+08:00,2\n\n"
        "rain-1,2026-07-01T00:00:00Z,\n"
        "level-1,2026-07-01T00:00:00Z,1e-1\n"
    )
    path.write_bytes(gzip.compress(text.encode()))
    record = read_record(path, fleet)
    assert [(d, v) for _, d, v in record][0::2] == [("level-1", 2.0), ("level-1", 0.1)]
    start = next(iter(record))[0] - 60_000_000
    assert record.due("level-1", start - 1) < start
    assert record.due("level-1", start + 59_000_000) == start
    assert record.due("level-1", start + 60_000_000) == start + 60_000_000
    assert record.due("level-2", start) < 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: the first line must name the columns"),
        ("time,datastream\n", ":1: the first line must name the columns"),
        ("time,datastreem,value\n", ":1: unknown column 'datastreem'. Did you mean 'datastream'"),
        ("time,datastream,value\n", "holds no reading"),
        ("{}2026-07-01T00:00:00Z,level-9,1\n", ":2: no datastream 'level-9' in the register. Did"),
        ("{}2026-07-01T00:00:00,level-1,1\n", ":2: '2026-07-01T00:00:00' lacks its offset"),
        ("{}noon,level-1,1\n", ":2: 'noon' is not a time"),
        ("{}2026-07-01T00:00:00Z,level-1,wet\n", ":2: value 'wet' is not a number"),
        ("{}2026-07-01T00:00:00Z,level-1,nan\n", ":2: value 'nan' is not a finite number"),
        ("{}2026-07-01T00:00:00Z,level-1\n", ":2: 2 cells where the header has 3 columns"),
        ('{}2026-07-01T00:00:00Z,level-1,"1\n', "is not a CSV file"),
    ],
)
def test_says_where_a_record_is_wrong(
    fleet: list[Datastream], tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "record.csv"
    path.write_text(text.replace("{}", "time,datastream,value\n"))
    with pytest.raises(InputError) as caught:
        read_record(path, fleet)
    assert said in str(caught.value)


def test_says_that_a_record_is_missing_or_damaged(fleet: list[Datastream], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_record(tmp_path / "none.csv", fleet)
    whole = gzip.compress(b"time,datastream,value\n" + b"2026-07-01T00:00:00Z,level-1,1\n" * 99)
    for name, content in {"cut": whole[:-20], "plain": b"time,datastream,value\n"}.items():
        path = tmp_path / f"{name}.csv.gz"
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            read_record(path, fleet)


@pytest.mark.parametrize("speed", [0, -1.0, float("nan")])
def test_refuses_speeds_that_are_none(
    fleet: list[Datastream], write_record: Callable[..., Path], speed: float
) -> None:
    with pytest.raises(SensorError, match="above 0 or 'max'"):
        Replay(write_record([(0, "level-1", 1)]), "mqtt://127.0.0.1", fleet, speed=speed)


# --- on the clock of a scene ---------------------------------------------------------------------


def test_observations_for_a_scene(
    broker: EmbeddedBroker, fleet: list[Datastream], tmp_path: Path
) -> None:
    from sensing import message

    # 50 m fails the gross range of -5 to 10 m
    values = {0: 1.0, 60: 2.0, 120: 50.0, 180: 4.0, 240: None, 300: 6.0}
    with SensorHub(tmp_path / "o.db", broker.url, fleet) as hub:
        publish(broker.url, [("city/level/1", message(s, v)) for s, v in values.items()])
        hub.wait_until(moment(300), ["level-1"])
        live = SceneObservations(hub, moment(60))
        assert [a.tolist() for a in live.series("level-1", 10, 100)] == [
            [0.0, 120.0],
            [2.0, 4.0],
        ]
        assert live.latest("level-1", 59.0) == (0.0, 2.0)
    with Store(tmp_path / "o.db", read_only=True) as store:
        scene = SceneObservations(store, START)
        everything = [[0.0, 60.0, 180.0, 300.0], [1.0, 2.0, 4.0, 6.0]]
        assert [a.tolist() for a in scene.series("level-1", -100, 1000)] == everything
        assert [a.tolist() for a in scene.series("level-1", 60, 60)] == [[60.0], [2.0]]
        assert [a.tolist() for a in scene.series("level-1", 200, 210)] == [[180, 300], [4, 6]]
        assert [a.tolist() for a in scene.series("level-1", 400, 500)] == [[300.0], [6.0]]
        assert [len(a) for a in scene.series("level-2", 0, 100)] == [0, 0]
        assert scene.latest("level-1", 290) == (180.0, 4.0)
        assert scene.latest("level-1", -1) is None
        with pytest.raises(SensorError, match="ends before it starts"):
            scene.series("level-1", 10, 0)
        with pytest.raises(SensorError, match="lacks its offset"):
            SceneObservations(store, START.replace(tzinfo=None))


def test_fulfils_what_simulations_ask_for(tmp_path: Path, fleet: list[Datastream]) -> None:
    simulation = pytest.importorskip("twin.sim.simulation")
    with Store(tmp_path / "o.db", fleet) as store:
        assert isinstance(SceneObservations(store, START), simulation.Observations)

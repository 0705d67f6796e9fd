"""The embedded broker: answers, tells why it does not, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sensing import children, eventually, message, publish

from twin.errors import BrokerError
from twin.sensors import EmbeddedBroker, broker


def port_of(running: EmbeddedBroker) -> int:
    return int(running.url.rpartition(":")[2])


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_runs_on_loopback_and_is_gone_afterwards(kind: str) -> None:
    with EmbeddedBroker(kind) as running:
        port = port_of(running)
        directory = running._directory
        publish(running.url, [("a", message(0, 1.0))])
        # no other interface of the machine
        with socket.socket() as probe:
            probe.settimeout(1.0)
            assert probe.connect_ex((socket.gethostbyname("127.0.0.2"), port)) != 0
        assert directory is not None
        assert directory.is_dir()
        guard = running._process.pid if running._process else 0
        assert guard in children(os.getpid())
    assert not listening(port)
    assert not directory.exists()
    # no zombie is left
    with pytest.raises(ProcessLookupError):
        os.kill(guard, 0)
    with pytest.raises(BrokerError, match="not running"):
        _ = running.url


def test_dies_with_a_parent_that_is_killed(kind: str) -> None:
    code = (
        "import sys, time; from twin.sensors import EmbeddedBroker\n"
        f"b = EmbeddedBroker({kind!r}).start(); print(b._directory, b.url, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        directory, url = parent.stdout.readline().split()
        port = int(url.rpartition(":")[2])
        assert listening(port)
        parent.send_signal(signal.SIGKILL)
    eventually(lambda: not listening(port))
    eventually(lambda: not Path(directory).exists())


def test_tells_both_cures_when_there_is_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "available_brokers", list)
    with pytest.raises(BrokerError) as caught:
        EmbeddedBroker()
    assert "apt-get install mosquitto" in str(caught.value)
    assert "pip install 'twin-sandbox[broker]'" in str(caught.value)
    with pytest.raises(BrokerError, match="Did you mean 'mosquitto'"):
        EmbeddedBroker("mosquito")


def test_shows_its_log_when_it_cannot_start(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "mosquitto.conf" if kind == "mosquitto" else "rumqttd.toml"
    profile = {"mosquitto": "_MOSQUITTO", "iotcore": "_RUMQTTD"}[kind]
    monkeypatch.setattr(broker, profile, "nonsense {port}\n")
    with pytest.raises(BrokerError, match=r"ended with status .*log says: .*") as caught:
        EmbeddedBroker(kind, directory=tmp_path).start()
    assert (tmp_path / name).is_file()
    assert re.search("nonsense|TOML|parse|config", str(caught.value), re.IGNORECASE)


def test_refuses_a_port_that_is_taken(kind: str) -> None:
    with EmbeddedBroker(kind) as running, pytest.raises(BrokerError, match="is taken"):
        EmbeddedBroker(kind, port=port_of(running)).start()

"""A real MQTT broker of one's own, for replays, tutorials and tests.

It listens on the loopback interface only and lives as long as the ``with`` block, or the process:
mosquitto if it is installed, else the broker in the wheel ``iotcore`` (rumqttd). A city's own
broker is named by its URL instead and needs none of this.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from twin.errors import BrokerError, did_you_mean
from twin.sensors import guard
from twin.sensors.payloads import MOST_BYTES

__all__ = ["EmbeddedBroker", "available_brokers"]

_HOST = "127.0.0.1"
#: MQTT 3.1.1 CONNECT with a clean session and no client id, and the CONNACK that welcomes it.
_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
_CONNACK = b"\x20\x02\x00\x00"
#: Debian keeps daemons where an ordinary user's PATH does not look.
_SBIN = "/usr/local/sbin:/usr/sbin"
#: Room for the topic and headers beside the longest payload.
_MOST_PACKET = MOST_BYTES + 4096

# Nothing that was acknowledged may be dropped for want of room: the stock profile queues 1000
# messages for a client that is away or slow, and drops the others without a word.
_MOSQUITTO = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 30
max_queued_messages 0
max_queued_bytes 536870912
max_inflight_messages 1000
max_packet_size {most_packet}
queue_qos0_messages false
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
{user}"""

_RUMQTTD = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 1000
max_segment_size = 104857600
max_segment_count = 10

[v4.1]
name = "loopback"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {most_packet}
max_inflight_count = 1000
dynamic_filters = true
"""


def available_brokers() -> list[str]:
    """Return which brokers can be started here, the preferred first."""
    found = []
    if _mosquitto() is not None:
        found.append("mosquitto")
    if importlib.util.find_spec("iotcore") is not None:
        found.append("iotcore")
    return found


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)


class EmbeddedBroker:
    """A broker on this machine's loopback interface, as a context manager.

    Parameters
    ----------
    kind
        "mosquitto" or "iotcore"; None takes the first that is there.
    port
        None takes a free one.
    directory
        Where the broker keeps its state and log. Started again on the same directory, mosquitto
        still knows its sessions if it was stopped in peace. None takes a temporary directory that
        goes with the broker.

    Examples
    --------
    >>> with EmbeddedBroker() as broker:
    ...     broker.url.startswith("mqtt://127.0.0.1:")
    True
    """

    def __init__(
        self,
        kind: str | None = None,
        *,
        port: int | None = None,
        directory: str | Path | None = None,
    ) -> None:
        known = available_brokers()
        if kind is not None and kind not in ("mosquitto", "iotcore"):
            raise BrokerError(
                f"There is no embedded broker {kind!r}. "
                f"{did_you_mean(kind, ['mosquitto', 'iotcore'])}"
            )
        if not known or (kind is not None and kind not in known):
            sought = f"broker {kind!r}" if kind else "MQTT broker"
            raise BrokerError(
                f"There is no {sought} on this machine. Install one: "
                "`apt-get install mosquitto`, or `pip install 'twin-sandbox[broker]'`; "
                "or give the URL of a broker that runs elsewhere."
            )
        self.kind = kind or known[0]
        self._port = port
        self._kept = None if directory is None else Path(directory)
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, as in "mqtt://127.0.0.1:40123"."""
        if self._process is None or self._port is None:
            raise BrokerError("The embedded broker is not running; use it in a `with` block.")
        return f"mqtt://{_HOST}:{self._port}"

    def start(self, timeout: float = 10.0) -> Self:
        """Start the broker and wait until it welcomes a client; at most `timeout` s."""
        if self._process is not None:
            return self
        # between the choice of a free port and its use another process may take it
        attempts = 1 if self._port else 3
        for attempt in range(attempts):
            try:
                self._start_on(self._port or _free_port(), timeout)
            except BrokerError:
                if attempt == attempts - 1:
                    raise
            else:
                break
        return self

    def _start_on(self, port: int, timeout: float) -> None:
        if _answers(port):
            raise BrokerError(f"Port {port} on {_HOST} is taken by another broker.")
        if self._kept is None:
            self._directory = Path(tempfile.mkdtemp(prefix="twin-broker-"))
        else:
            self._kept.mkdir(parents=True, exist_ok=True)
            self._directory = self._kept.absolute()
        log = self._directory / "broker.log"
        passing = "" if self._kept is not None else str(self._directory)
        command = self._command(port, self._directory)
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, passing, *command],
                stdin=subprocess.PIPE,  # the guard ends the broker when this closes
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # Ctrl-C is for us; the broker goes when we have drained it
            )
        deadline = time.monotonic() + timeout
        while not _answers(port):
            code = self._process.poll()
            if code is None and time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            what = "does not answer" if code is None else f"ended with status {code}"
            said = log.read_text(errors="replace").strip()[-2000:]
            self.stop()
            raise BrokerError(
                f"The embedded broker {self.kind} {what} on {_HOST}:{port}. Its log says: "
                f"{said or 'nothing'}"
            )
        self._port = port

    def _command(self, port: int, directory: Path) -> list[str]:
        if self.kind == "mosquitto":
            config = directory / "mosquitto.conf"
            text = _MOSQUITTO.format(
                port=port, host=_HOST, directory=directory, most_packet=_MOST_PACKET, user=_user()
            )
            command = [str(_mosquitto()), "-c", str(config)]
        else:
            config = directory / "rumqttd.toml"
            text = _RUMQTTD.format(port=port, host=_HOST, most_packet=_MOST_PACKET)
            # -P: a directory called iotcore where we stand must not pass for the package
            command = [sys.executable, "-P", "-m", "iotcore", "--config", str(config)]
            # it logs every packet as an error; its own failures still end in a traceback
            command += ["--log-level", "CRITICAL"]
        config.write_text(text, encoding="utf-8")
        return command

    def stop(self) -> None:
        """Stop the broker and remove its temporary directory; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.returncode == -signal.SIGKILL:
                # the guard could not end the broker, which shares its process group
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if self._kept is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._process is None else f"on {_HOST}:{self._port}"
        return f"<EmbeddedBroker {self.kind} {state}>"


def _user() -> str:
    """Keep mosquitto the user it was started by: as root it would become another one."""
    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}\n"
    except KeyError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Whether a broker at this port welcomes a client."""
    try:
        with socket.create_connection((_HOST, port), timeout=1.0) as probe:
            probe.sendall(_CONNECT)
            answer = b""
            while len(answer) < len(_CONNACK):
                part = probe.recv(len(_CONNACK) - len(answer))
                if not part:
                    return False
                answer += part
            probe.sendall(b"\xe0\x00")
            return answer == _CONNACK
    except OSError:
        return False

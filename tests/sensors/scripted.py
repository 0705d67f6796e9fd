"""A broker that follows a script: for what no real broker can be made to do on request."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self


class Peer:
    """The broker's end of one connection, packet by packet (MQTT 3.1.1)."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(5.0)

    def read(self) -> tuple[int, bytes]:
        """Return the type and body of the next packet."""
        kind = self._exactly(1)[0] >> 4
        length = shift = 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return kind, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        got = b""
        while len(got) < length:
            part = self._connection.recv(length - len(got))
            if not part:
                raise ConnectionError("the client has hung up")
            got += part
        return got

    def welcome(self, *, code: int = 0, session_present: bool = False) -> None:
        """Read CONNECT and answer it."""
        assert self.read()[0] == 1
        self._connection.sendall(bytes([0x20, 2, session_present, code]))

    def confirm_subscription(self, code: int = 1) -> None:
        """Read SUBSCRIBE to one topic and answer it."""
        kind, body = self.read()
        assert kind == 8
        self._connection.sendall(b"\x90\x03" + body[:2] + bytes([code]))

    def deliver(self, topic: str, payload: bytes, packet: int) -> None:
        """Send PUBLISH with QoS 1."""
        body = len(topic).to_bytes(2, "big") + topic.encode() + packet.to_bytes(2, "big") + payload
        assert len(body) < 128
        self._connection.sendall(bytes([0x32, len(body)]) + body)

    def acknowledged(self) -> int:
        """Read PUBACK and return its packet number."""
        kind, body = self.read()
        assert kind == 4, f"packet of type {kind}"
        return int.from_bytes(body, "big")

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self._connection.close()


class ScriptedBroker:
    """Serves one connection after the other, each with the next of the scripts."""

    def __init__(
        self, *scripts: Callable[[Peer], None], context: ssl.SSLContext | None = None
    ) -> None:
        self._scripts, self._context = scripts, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(5.0)
        self.port = self._listener.getsockname()[1]
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        try:
            for script in self._scripts:
                connection, _ = self._listener.accept()
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                peer = Peer(connection)
                script(peer)
                peer.hang_up()
        except BaseException as error:
            self.error = error
        finally:
            self._listener.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(5.0)

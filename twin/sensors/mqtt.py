"""One MQTT connection that keeps itself up.

A `Link` drives a paho client from one thread of its own, over paho's interface for external event
loops: paho's own loop cannot serve sockets numbered 1024 and above, dies with the first exception
in a callback, and reconnects in step with every other client. The rules kept here:

- incoming messages only go into a bounded inbox; when it is full the socket is not read, so that
  TCP holds the broker back, and nothing is dropped;
- a message is acknowledged when the caller says so, and only over the connection that brought it:
  after a reconnect the same packet number may stand for another message;
- the session outlives the connection (fixed client id), so the broker keeps what comes meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as paho

from twin.errors import BrokerError
from twin.sensors.address import BrokerAddress
from twin.sensors.client import ReadAheadClient

__all__ = ["Link", "Message"]

log = logging.getLogger(__name__)

_KEEPALIVE = 30
_CONNECT_TIMEOUT = 5.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 15.0
#: Inbox: as many messages and bytes as may wait to be written.
_MOST_WAITING, _MOST_WAITING_BYTES = 20_000, 64 * 2**20
#: CONNACK codes that no second attempt will mend.
_REFUSALS = {
    "Unsupported protocol version": "it does not speak MQTT 3.1.1",
    "Client identifier not valid": "it does not accept the client id",
    "Bad user name or password": "wrong user name or password",
    "Not authorized": "this user may not connect",
}


class Message(NamedTuple):
    """A message as it came, not yet acknowledged."""

    topic: str
    payload: bytes
    retained: bool
    #: Time of arrival, µs since 1970 UTC.
    received: int
    #: Which connection brought it, and its number there; 0 where nothing is to be acknowledged.
    generation: int
    packet: int


class Link:
    """A connection to a broker, on a thread of its own; see the module's text.

    Parameters
    ----------
    address
        The broker.
    client_id
        Under which the broker keeps the session; empty for a session that ends with the connection.
    topics
        Filters to subscribe to, with QoS 1.
    forget
        Filters that an earlier session may still hold and that are no longer wanted.
    window
        Most messages published and not acknowledged by the broker yet.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str = "",
        *,
        topics: Sequence[str] = (),
        forget: Sequence[str] = (),
        window: int = 500,
    ) -> None:
        self.address = address
        self._topics, self._forget = list(topics), list(forget)
        self._client = self._make_client(client_id, window)
        self._thread = threading.Thread(target=self._run, name="twin-mqtt", daemon=True)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        # announces every change that another thread may wait for
        self._changed = threading.Condition()
        self._inbox: deque[Message] = deque()
        self._inbox_bytes = 0
        self._acks: deque[tuple[int, int]] = deque()
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._window = window
        #: What has ended the link, if anything has.
        self.error: BrokerError | None = None
        self._last_failure = "no answer"
        self._closing = self._stopping = False
        # welcomed: the broker has accepted the connection; ready: and the subscriptions
        self._welcomed = self._ready = False
        self._awaited: set[int] = set()
        self._last_arrival = 0
        #: How many connections there have been; the present one's number.
        self.generation = 0
        #: How often the broker had lost the session that it should have kept.
        self.session_losses = 0
        #: Messages that the broker has acknowledged.
        self.published = 0
        self._unacknowledged = 0

    def _make_client(self, client_id: str, window: int) -> ReadAheadClient:
        client = ReadAheadClient(
            paho.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not client_id,
            protocol=paho.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_TIMEOUT
        client.max_inflight_messages_set(window)
        if self.address.username is not None:
            client.username_pw_set(self.address.username, self.address.password)
        if self.address.tls:
            client.tls_set_context(self.address.tls_context())
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    # --- for the caller, from any thread --------------------------------------------------------

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def wait_ready(self, timeout: float) -> None:
        """Wait until the broker has accepted us and our subscriptions.

        A broker that has kept much for us may send it first, and take the subscriptions when some
        of it is acknowledged; so have someone at work on the messages before waiting.

        Raises
        ------
        BrokerError
            If it refuses, or if that is not done within `timeout` s.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self.error is not None, timeout)
            self.check()
            if not self._ready:
                raise BrokerError(
                    f"No MQTT broker answers at {self.address} ({self._last_failure}; tried for "
                    f"{timeout:g} s). Start it, or correct host and port; broker = 'embedded' "
                    "starts one here."
                )

    @property
    def connected(self) -> bool:
        """Whether the broker is there and has accepted the subscriptions."""
        return self._ready

    def check(self) -> None:
        """Raise the error that has ended the link, if one has."""
        if self.error is not None:
            raise self.error

    def take(self, most: int, timeout: float) -> list[Message]:
        """Return the messages that wait, at most so many; wait up to `timeout` s for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._inbox or self._stopping or self._closing, timeout)
            was_full = self._is_full()
            taken = [self._inbox.popleft() for _ in range(min(most, len(self._inbox)))]
            self._inbox_bytes -= sum(len(m.payload) for m in taken)
            if was_full and not self._is_full():
                self._wake()
        return taken

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Let the broker forget these messages."""
        self._acks.extend((m.generation, m.packet) for m in messages if m.packet)
        self._wake()

    def publish(self, topic: str, payload: bytes, stop: threading.Event) -> None:
        """Hand over a message to publish with QoS 1; wait while the window is full.

        Returns without publishing once `stop` is set.
        """
        with self._changed:
            while not stop.is_set() and self.error is None and self._unacknowledged >= self._window:
                self._changed.wait(0.1)
            self.check()
            if stop.is_set():
                return
            self._unacknowledged += 1
        self._outbox.append((topic, payload))
        self._wake()

    def flush(self, stop: threading.Event) -> None:
        """Wait until the broker has acknowledged all that was published, or `stop` is set."""
        with self._changed:
            while not stop.is_set() and self.error is None and self._unacknowledged:
                self._changed.wait(0.1)
            self.check()

    @property
    def waiting(self) -> int:
        """Number of messages in the inbox."""
        return len(self._inbox)

    def close_inbox(self) -> None:
        """Read no more messages; those that wait can still be taken and acknowledged."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._wake()

    def stop(self) -> None:
        """Send what is still to be sent, disconnect and end the thread."""
        self._stopping = True
        with self._changed:
            self._changed.notify_all()
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._wake_sender.close()
        self._wake_receiver.close()

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        delay = _FIRST_DELAY
        try:
            while not self._stopping and self.error is None:
                began = time.monotonic()
                try:
                    self._client.forget_unread()
                    self._welcomed = False
                    self._client.connect(self.address.host, self.address.port, _KEEPALIVE)
                    self._serve()
                except OSError as error:
                    self._last_failure = _plain(error)
                    if isinstance(error, ssl.SSLCertVerificationError) and not self.generation:
                        # no second attempt will mend this one either
                        self._fail(BrokerError(f"{self.address}: {self._last_failure}."), error)
                if self._ready and not self._stopping:
                    log.warning("connection to %s lost: %s", self.address, self._last_failure)
                    # not after a short one: two clients of one id would chase each other out
                    if time.monotonic() - began > _LONGEST_DELAY:
                        delay = _FIRST_DELAY
                self._ready = False
                if not self._stopping and self.error is None:
                    # jitter keeps a city's worth of clients from coming back in step
                    self._sleep(delay * random.uniform(0.5, 1.0))
                    delay = min(2 * delay, _LONGEST_DELAY)
        except Exception as error:
            # a fault of ours: the caller learns of it with the next call
            self._fail(
                BrokerError(f"The connection to {self.address} broke down: {error!r}."), error
            )
        finally:
            self._ready = False
            self._client.disconnect()
            with self._changed:
                self._changed.notify_all()

    def _serve(self) -> None:
        """Serve the present connection until it is gone or to be ended."""
        client = self._client
        connection: Any = client.socket()
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_receiver, selectors.EVENT_READ)
            listening = 0
            while client.socket() is connection and connection is not None:
                # asked before the last sending, so that nothing is left behind
                stopping = self._stopping
                self._send_waiting()
                if (stopping and not client.want_write()) or self.error is not None:
                    return
                open_inbox = not self._closing and not self._is_full()
                wanted = (selectors.EVENT_READ if open_inbox else 0) | (
                    selectors.EVENT_WRITE if client.want_write() else 0
                )
                if wanted != listening:
                    if listening:
                        selector.unregister(connection)
                    if wanted:
                        selector.register(connection, wanted)
                    listening = wanted
                unread = open_inbox and self._has_unread(connection)
                events = {key.fileobj: mask for key, mask in selector.select(0 if unread else 0.5)}
                if self._wake_receiver in events:
                    self._wake_receiver.recv(4096)
                mask = events.get(connection, 0)
                if mask & selectors.EVENT_READ or unread:
                    self._read(connection)
                if mask & selectors.EVENT_WRITE:
                    client.loop_write()
                client.loop_misc()

    def _read(self, connection: Any) -> None:
        """Read until there is no more, or no more room."""
        while self._client.socket() is connection:
            self._receive(self._client.publications(_MOST_WAITING - len(self._inbox)))
            if self._closing or self._is_full():
                break
            code = self._client.loop_read()
            if code != paho.MQTT_ERR_SUCCESS:
                self._last_failure = paho.error_string(code).rstrip(".").lower()
                break
            if not self._has_unread(connection):
                break

    def _receive(self, found: Sequence[tuple[bytes, bytes, bool, int]]) -> None:
        """Put publications into the inbox."""
        if not found:
            return
        # no two arrive at one time: it is all that tells readings without a time apart
        first = max(time.time_ns() // 1000, self._last_arrival + 1)
        self._last_arrival = first + len(found) - 1
        # bytes that are no UTF-8 make a topic that nobody has
        messages = [
            Message(topic.decode("utf-8", "replace"), payload, kept, arrival, self.generation, n)
            for arrival, (topic, payload, kept, n) in enumerate(found, first)
        ]
        with self._changed:
            self._inbox.extend(messages)
            self._inbox_bytes += sum(len(m.payload) for m in messages)
            self._changed.notify_all()

    def _has_unread(self, connection: Any) -> bool:
        return self._client.has_unread or (self.address.tls and connection.pending() > 0)

    def _send_waiting(self) -> None:
        """Send acknowledgements and publications that other threads have left."""
        packets = []
        while self._acks:
            generation, packet = self._acks.popleft()
            # an older connection's packet number may stand for another message by now
            if generation == self.generation and self._welcomed:
                packets.append(packet)
        if packets:
            self._client.acknowledge(packets)
        while self._ready and self._outbox:
            topic, payload = self._outbox.popleft()
            self._client.publish(topic, payload, qos=1)

    def _on_connect(
        self, client: paho.Client, _data: Any, flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._last_failure = str(reason)
            cure = _REFUSALS.get(str(reason))
            if cure is not None:
                self._fail(BrokerError(f"The broker {self.address} refuses us: {cure}."))
            return
        self.generation += 1
        self._welcomed = True
        if self.generation > 1 and not flags.session_present and self._topics:
            self.session_losses += 1
            log.warning("%s has lost our session; what it held for us is gone", self.address)
        if self._forget:
            client.unsubscribe(self._forget)
        self._awaited.clear()
        # brokers limit the length of a packet
        for first in range(0, len(self._topics), 100):
            _, mid = client.subscribe([(t, 1) for t in self._topics[first : first + 100]])
            if mid is not None:
                self._awaited.add(mid)
        if not self._awaited:
            self._become_ready()

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, mid: int, reasons: Any, _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            topics = ", ".join(self._topics[:3]) + (", …" if len(self._topics) > 3 else "")
            self._fail(
                BrokerError(
                    f"The broker {self.address} refuses a subscription ({topics}); see what this "
                    "user may read."
                )
            )
            return
        self._awaited.discard(mid)
        if not self._awaited:
            self._become_ready()

    def _become_ready(self) -> None:
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        # the few that did not lie in memory whole come by way of paho; `_topic` are its bytes
        packet = message.mid if message.qos else 0
        self._receive([(message._topic, bytes(message.payload), message.retain, packet)])

    def _on_publish(
        self, _client: paho.Client, _data: Any, _mid: int, _reason: Any, _properties: Any
    ) -> None:
        with self._changed:
            self.published += 1
            self._unacknowledged -= 1
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return len(self._inbox) >= _MOST_WAITING or self._inbox_bytes >= _MOST_WAITING_BYTES

    def _fail(self, error: BrokerError, cause: BaseException | None = None) -> None:
        error.__cause__ = cause
        with self._changed:
            self.error = error
            self._changed.notify_all()

    def _wake(self) -> None:
        # full: it will wake anyway; closed: there is nothing left to wake
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(min(0.05, seconds))


def _plain(error: OSError) -> str:
    """Say what is wrong with a connection in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the broker's certificate is not to be trusted ({error.verify_message}); give the "
            "certificate of the authority that vouches for it as `ca`"
        )
    if isinstance(error, socket.gaierror):
        return "no host of that name"
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror or str(error)).lower()

"""The hub: readings come in from the broker, are checked, written, and only then acknowledged.

Two threads work for a hub. The network thread (`twin.sensors.mqtt.Link`) puts messages into a
bounded inbox. The writer thread takes all there is, decodes and checks it, writes it in one
transaction that is on the disk before it counts, and then lets the broker forget it. There is no
timer: while one batch is being written the next one gathers, so batches grow with the load.

A process killed at any moment therefore loses nothing that the broker had accepted; what was
written and not acknowledged comes again and is recognised.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from twin.errors import BrokerError, SensorError, did_you_mean
from twin.sensors.address import BrokerAddress
from twin.sensors.datastream import Datastream
from twin.sensors.mqtt import Link, Message
from twin.sensors.payloads import PayloadError, to_us
from twin.sensors.queries import DeadLetter, Latest, Series
from twin.sensors.registry import Observation, Registry
from twin.sensors.store import Store

if TYPE_CHECKING:
    from twin.sensors.replay import Replay

__all__ = ["HubStats", "SensorHub"]

log = logging.getLogger(__name__)

#: Most messages written in one transaction.
_MOST_IN_BATCH = 5000


@dataclass(frozen=True, slots=True)
class HubStats:
    """What a hub has done since it was started.

    For messages of one reading each, ``received`` is the sum of ``stored``, ``duplicates``,
    ``conflicts`` and ``dead_letters`` once nothing is ``waiting``.
    """

    #: Messages that came in and were dealt with.
    received: int = 0
    #: Readings written.
    stored: int = 0
    #: Readings that were in the store already.
    duplicates: int = 0
    #: Readings that contradict one in the store.
    conflicts: int = 0
    #: Messages that could not be used.
    dead_letters: int = 0
    #: Messages in the inbox now.
    waiting: int = 0
    #: From the arrival of the oldest message of the last batch until it was written, s.
    lag: float = 0.0
    #: Transactions.
    batches: int = 0
    #: Connections made after the first.
    reconnects: int = 0
    #: How often the broker had lost our session, and with it what it held for us.
    session_losses: int = 0


class SensorHub:
    """Ingests the readings of datastreams from an MQTT broker into an observation store.

    Parameters
    ----------
    store
        File of the observation store; made if it does not exist.
    broker
        URL as in "mqtt://host:1883"; "mqtts://" for TLS. See `BrokerAddress.parse`.
    datastreams
        What is listened to. Messages on other topics are not.
    client_id
        Under which the broker keeps our session. By default one that belongs to the store, so that
        a hub that comes back to its store also comes back to its session.
    ca, certificate, key
        For TLS; see `BrokerAddress.parse`.
    on_batch
        Called on the writer thread with each batch of observations once they are on the disk. An
        exception from it is logged, and stops nothing.

    Examples
    --------
    >>> fleet = read_fleet("fleet.csv")  # doctest: +SKIP
    >>> with SensorHub("observations.db", "mqtt://127.0.0.1", fleet) as hub:  # doctest: +SKIP
    ...     hub.latest()
    """

    def __init__(
        self,
        store: str | Path,
        broker: str,
        datastreams: Sequence[Datastream],
        *,
        client_id: str | None = None,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        on_batch: Callable[[Sequence[Observation]], None] | None = None,
    ) -> None:
        if client_id == "":
            raise BrokerError("An empty client id has no session; give one, or leave it out.")
        if not datastreams:
            raise SensorError("The hub has no datastream to listen to.")
        self.address = BrokerAddress.parse(broker, ca=ca, certificate=certificate, key=key)
        self.registry = Registry(datastreams)
        self.store_path = Path(store)
        self._client_id = client_id
        self._on_batch = on_batch
        self._replays: list[Replay] = []
        self._store: Store | None = None
        self._link: Link | None = None
        self._writer: threading.Thread | None = None
        self._draining = False
        self._error: SensorError | None = None
        self._stats = HubStats()
        self._newest: dict[str, int] = {}
        self._committed = threading.Condition()

    def __repr__(self) -> str:
        state = "stopped" if self._link is None else "connected" if self.connected else "waiting"
        return (
            f"<SensorHub {len(self.registry.datastreams)} datastreams, {self.address} → "
            f"{self.store_path}, {state}>"
        )

    # --- life -------------------------------------------------------------------------------------

    def start(self, timeout: float = 10.0) -> Self:
        """Open the store, connect and subscribe.

        Raises
        ------
        BrokerError
            If no broker has accepted us after `timeout` s.
        """
        if self._link is not None:
            return self
        store = Store(self.store_path, list(self.registry.datastreams.values()))
        try:
            latest = store.latest(self.registry.datastreams)
            client_id = self._client_id or self._own_client_id(store)
            link = Link(
                self.address,
                client_id,
                topics=self.registry.topics,
                forget=self._outdated_topics(store, client_id),
            )
        except BaseException:
            store.close()
            raise
        self._newest = {name: to_us(o.time) for name, o in latest.items()}
        self._stats, self._error, self._draining = HubStats(), None, False
        self._store, self._link = store, link
        self._writer = threading.Thread(
            target=self._write, args=(link, store), name="twin-hub", daemon=True
        )
        link.start()
        self._writer.start()
        try:
            link.wait_ready(timeout)
            store.remember(f"topics of {client_id}", "\n".join(self.registry.topics))
        except BaseException:
            with contextlib.suppress(SensorError):
                self.stop()
            raise
        return self

    @staticmethod
    def _own_client_id(store: Store) -> str:
        kept = store.recall("client id")
        if kept is None:
            kept = f"twin-{uuid.uuid4().hex[:16]}"
            store.remember("client id", kept)
        return kept

    def _outdated_topics(self, store: Store, client_id: str) -> list[str]:
        """Return the topics that our session may still hold though they are no longer ours."""
        held = (store.recall(f"topics of {client_id}") or "").split("\n")
        return sorted(set(filter(None, held)) - set(self.registry.topics))

    def stop(self) -> None:
        """Write and acknowledge what has come in, then disconnect and close the store.

        Raises
        ------
        SensorError
            If the hub had failed; what is not written is still with the broker.
        """
        link, store, writer = self._link, self._store, self._writer
        if link is None or store is None or writer is None:
            return
        link.close_inbox()
        self._draining = True
        writer.join()
        link.stop()
        self._stats = self.stats
        if self._error is None:
            self._error = link.error
        self._link = self._writer = self._store = None
        store.close()
        self.check()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.stop()
        except SensorError:
            # the error that is under way says more
            if kind is None:
                raise

    @property
    def connected(self) -> bool:
        """Whether the hub is listening at present."""
        return self._link is not None and self._link.connected

    def check(self) -> None:
        """Raise the error that has ended the hub's work, if one has."""
        if self._error is not None:
            raise self._error
        if self._link is not None:
            self._link.check()

    # --- the writer thread ------------------------------------------------------------------------

    def _write(self, link: Link, store: Store) -> None:
        try:
            while True:
                messages = link.take(_MOST_IN_BATCH, timeout=0.2)
                if messages:
                    self._write_batch(messages, link, store)
                elif self._draining:
                    return
        except SensorError as error:
            self._fail(error, link)
        except Exception as error:
            log.exception("the writer of %r failed", self)
            self._fail(SensorError(f"The hub's writer failed: {error!r}."), link)

    def _write_batch(self, messages: Sequence[Message], link: Link, store: Store) -> None:
        observations: list[Observation] = []
        letters: list[DeadLetter] = []
        for m in messages:
            try:
                observations += self.registry.observations(
                    m.topic, m.payload, m.received, retained=m.retained
                )
            except PayloadError as error:
                letters.append(DeadLetter(m.topic, m.payload, error.reason, str(error), m.received))
        written = store.write(observations, letters)
        link.acknowledge(messages)
        old = self._stats
        with self._committed:
            self._stats = replace(
                old,
                received=old.received + len(messages),
                stored=old.stored + written.stored,
                duplicates=old.duplicates + written.duplicates,
                conflicts=old.conflicts + written.conflicts,
                dead_letters=old.dead_letters + written.dead_letters,
                lag=time.time() - messages[0].received / 1e6,
                batches=old.batches + 1,
            )
            for o in observations:
                self._newest[o.datastream] = max(o.time, self._newest.get(o.datastream, o.time))
            self._committed.notify_all()
        if self._on_batch is not None and observations:
            try:
                self._on_batch(observations)
            except Exception:
                log.exception("on_batch failed")

    def _fail(self, error: SensorError, link: Link) -> None:
        """Stop listening; what is not written stays unacknowledged, and so with the broker."""
        link.close_inbox()
        with self._committed:
            self._error = error
            self._committed.notify_all()

    # --- asking -----------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The store that is written, open while the hub runs."""
        if self._store is None:
            raise SensorError(f"The hub is not running; read {self.store_path} with Store(…).")
        return self._store

    @property
    def stats(self) -> HubStats:
        """What has been done since the start."""
        if self._link is None:
            return self._stats
        return replace(
            self._stats,
            waiting=self._link.waiting,
            reconnects=max(self._link.generation - 1, 0),
            session_losses=self._link.session_losses,
        )

    def latest(self, ids: Iterable[str] | None = None) -> dict[str, Latest]:
        """Return the newest observation of each of the datastreams that has one."""
        return self.store.latest(self.registry.datastreams if ids is None else ids)

    def series(
        self, datastream: str, start: datetime | None = None, end: datetime | None = None
    ) -> Series:
        """Return the observations of a datastream in a closed interval; see `Store.series`."""
        return self.store.series(datastream, start, end)

    def follow(self, replay: Replay) -> None:
        """Let `wait_until` know what a replay has still to give."""
        self._replays.append(replay)

    def wait_until(
        self, moment: datetime, ids: Iterable[str] | None = None, timeout: float = 60.0
    ) -> bool:
        """Wait until each datastream has an observation of this time or a later one.

        A datastream that is fed by a replay (see `follow`) is also waited for no longer than until
        the last reading is in that the record has of it up to `moment`; gaps in a record therefore
        hold nobody up.

        Parameters
        ----------
        moment
            Phenomenon time.
        ids
            The datastreams; all by default.
        timeout
            How long to wait at most, s.

        Returns
        -------
        bool
            True if all have reached `moment`; False if replays have no more to give before it.

        Raises
        ------
        SensorError
            If it takes longer than `timeout`, naming those that are late, or if the hub or a replay
            has failed.
        """
        wanted = list(self.registry.datastreams if ids is None else ids)
        for name in wanted:
            if name not in self.registry.datastreams:
                raise SensorError(
                    f"The hub has no datastream {name!r}. "
                    f"{did_you_mean(name, self.registry.datastreams)}"
                )
        goal = to_us(moment)
        due = {i: d for i in wanted if (d := self._due(i, goal)) is not None}
        end = time.monotonic() + timeout
        with self._committed:
            while True:
                behind = [i for i in wanted if self._newest.get(i, -(2**62)) < goal]
                owed = [i for i in behind if i not in due or self._newest.get(i, -(2**62)) < due[i]]
                if not owed:
                    return not behind
                self.check()
                for replay in self._replays:
                    replay.check()
                if time.monotonic() >= end:
                    raise SensorError(
                        f"No reading up to {moment.isoformat()} from {', '.join(owed[:5])}"
                        f"{', …' if len(owed) > 5 else ''} within {timeout:g} s; see that "
                        f"{'it reports' if len(owed) == 1 else 'they report'} on the topic "
                        "that the register names."
                    )
                self._committed.wait(min(0.1, max(end - time.monotonic(), 0.0)))

    def _due(self, datastream: str, goal: int) -> int | None:
        """Return the time of the last reading up to `goal` that replays have of a datastream."""
        found = [r.due(datastream, goal) for r in self._replays if datastream in r.datastreams]
        return max(found) if found else None

"""The connection: stale acknowledgements, back-pressure, refusals, TLS, many open files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Peer, ScriptedBroker
from sensing import eventually, publish

from twin.errors import BrokerError
from twin.sensors import EmbeddedBroker, mqtt
from twin.sensors.address import BrokerAddress
from twin.sensors.client import ReadAheadClient
from twin.sensors.mqtt import Link, Message

LOCAL = BrokerAddress("127.0.0.1", 1)


def link_to(port: int) -> Link:
    return Link(BrokerAddress("127.0.0.1", port), "tester", topics=["a"])


def test_an_old_acknowledgement_is_not_sent_over_a_new_connection() -> None:
    second_is_up, first_is_acknowledged = threading.Event(), threading.Event()
    packets: list[int] = []

    def lose_the_session(peer: Peer) -> None:
        peer.welcome()
        peer.confirm_subscription()
        peer.deliver("a", b"old", 7)
        taken.extend(link.take(10, 5.0))

    def use_the_number_again(peer: Peer) -> None:
        peer.welcome(session_present=False)
        peer.confirm_subscription()
        second_is_up.set()
        assert first_is_acknowledged.wait(5.0)
        peer.deliver("a", b"new", 7)
        peer.deliver("a", b"newer", 8)
        packets.append(peer.acknowledged())

    taken: list[Message] = []
    with ScriptedBroker(lose_the_session, use_the_number_again) as broker:
        link = link_to(broker.port)
        link.start()
        assert second_is_up.wait(5.0)
        assert [m.payload for m in taken] == [b"old"]
        # the broker would take this for "new", which nobody has written yet
        link.acknowledge(taken)
        first_is_acknowledged.set()
        fresh: list[Message] = []
        eventually(lambda: fresh.extend(link.take(10, 0.1)) or len(fresh) == 2)
        link.acknowledge(m for m in fresh if m.payload == b"newer")
        eventually(lambda: packets)
        link.stop()
    assert broker.error is None
    assert packets == [8]
    assert link.session_losses == 1


def test_acknowledges_what_comes_before_the_subscription_is_confirmed() -> None:
    packets: list[int] = []

    def backlog_first(peer: Peer) -> None:
        peer.welcome(session_present=True)
        peer.deliver("a", b"kept", 3)
        subscription = peer.read()
        packets.append(peer.acknowledged())
        assert subscription[0] == 8
        peer._connection.sendall(b"\x90\x03" + subscription[1][:2] + b"\x01")
        assert peer.read()[0] == 14

    with ScriptedBroker(backlog_first) as broker:
        link = link_to(broker.port)
        link.start()
        link.acknowledge(link.take(1, 5.0))
        link.wait_ready(5.0)
        link.stop()
    assert (broker.error, packets) == (None, [3])


@pytest.mark.parametrize(
    ("code", "said"),
    [(4, "wrong user name or password"), (5, "this user may not connect"), (2, "client id")],
)
def test_a_refusal_is_final_and_says_why(code: int, said: str) -> None:
    with ScriptedBroker(lambda peer: peer.welcome(code=code)) as broker:
        link = Link(BrokerAddress("127.0.0.1", broker.port, username="u", password="secret"), "c")
        link.start()
        with pytest.raises(BrokerError, match=said) as caught:
            link.wait_ready(10.0)
        link.stop()
    assert "secret" not in str(caught.value)


def test_a_refused_subscription_is_not_taken_for_silence() -> None:
    def refuse(peer: Peer) -> None:
        peer.welcome()
        peer.confirm_subscription(code=0x80)
        peer.read()

    with ScriptedBroker(refuse) as broker:
        link = link_to(broker.port)
        link.start()
        with pytest.raises(BrokerError, match=r"refuses a subscription \(a\)"):
            link.wait_ready(10.0)
        link.stop()


def test_a_full_inbox_holds_the_broker_back(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_MOST_WAITING", 50)
    link = Link(BrokerAddress.parse(broker.url), "slow", topics=["a"])
    link.start()
    link.wait_ready(10.0)
    publish(broker.url, [("a", b"%d" % n) for n in range(700)])
    eventually(lambda: link.waiting == 50)
    got: list[bytes] = []
    while len(got) < 700:
        taken = link.take(40, 5.0)
        assert taken, f"nothing more after {len(got)}"
        assert link.waiting <= 50
        got += [m.payload for m in taken]
        link.acknowledge(taken)
    link.stop()
    assert got == [b"%d" % n for n in range(700)]


def test_works_beside_more_than_1024_open_files(broker: EmbeddedBroker) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1300:
        pytest.skip("this many open files are not permitted here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        link = Link(BrokerAddress.parse(broker.url), "many", topics=["a"])
        link.start()
        link.wait_ready(5.0)
        publish(broker.url, [("a", b"1")])
        assert [m.payload for m in link.take(1, 5.0)] == [b"1"]
        link.stop()
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for "localhost" and, beside it, its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost "
        f"-keyout {path.with_suffix('.key')} -out {path}".split(),
        check=True,
        capture_output=True,
    )
    return path


def test_tls_is_used_and_the_broker_made_sure_of(certificate: Path) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def serve(peer: Peer) -> None:
        peer.welcome()
        peer.confirm_subscription()
        for n in range(1, 501):
            peer.deliver("a", b"%d" % n, n)
        for n in range(1, 501):
            assert peer.acknowledged() == n

    with ScriptedBroker(serve, context=context) as broker:
        url = f"mqtts://localhost:{broker.port}"
        link = Link(BrokerAddress.parse(url, ca=certificate), "c", topics=["a"])
        link.start()
        link.wait_ready(5.0)
        got = 0
        while got < 500:
            taken = link.take(100, 5.0)
            assert taken
            link.acknowledge(taken)
            got += len(taken)
        broker._thread.join(5.0)
        link.stop()
    assert broker.error is None

    with ScriptedBroker(serve, context=context) as broker:
        link = Link(BrokerAddress.parse(f"mqtts://localhost:{broker.port}"), "c", topics=["a"])
        link.start()
        with pytest.raises(BrokerError, match="certificate is not to be trusted"):
            link.wait_ready(5.0)
        link.stop()


def test_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = BrokerAddress.parse("mqtts://ops%40city:p%3Aw@broker.example")
    assert (address.host, address.port, address.tls) == ("broker.example", 8883, True)
    assert (address.username, address.password) == ("ops@city", "p:w")
    assert "p:w" not in repr(address) + str(address)
    monkeypatch.setenv("TWIN_MQTT_USERNAME", "env")
    monkeypatch.setenv("TWIN_MQTT_PASSWORD", "kept")
    plain = BrokerAddress.parse("mqtt://10.0.0.1:1884")
    assert (plain.port, plain.username, plain.password) == (1884, "env", "kept")
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(BrokerError, match="cannot be used"):
        BrokerAddress.parse("mqtts://h", ca=tmp_path / "ca.pem").tls_context()


@pytest.mark.parametrize(
    ("url", "extra", "said"),
    [
        ("http://host", {}, "'http://host' is not the URL of a broker"),
        ("host:1883", {}, "write mqtt://host:1883"),
        ("mqtt://u:secret@/x", {}, "is not the URL of a broker"),
        ("mqtt://host:99999", {}, "cannot be read"),
        ("mqtt://host", {"ca": "ca.pem"}, "write mqtts://"),
        ("mqtts://host", {"ca": "none.pem"}, "no certificate or key file none.pem"),
        ("mqtts://host", {"key": "k.pem"}, "go together"),
    ],
)
def test_refuses_addresses_that_are_none(url: str, extra: dict[str, str], said: str) -> None:
    with pytest.raises(BrokerError) as caught:
        BrokerAddress.parse(url, **extra)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


# --- messages that are taken past paho -----------------------------------------------------------


def packet(topic: bytes, payload: bytes, number: int, *, kept: bool = False) -> bytes:
    """Return a PUBLISH packet, of QoS 0 if its number is 0."""
    body = len(topic).to_bytes(2, "big") + topic
    body += (number.to_bytes(2, "big") if number else b"") + payload
    length, rest = b"", len(body)
    while True:
        rest, low = divmod(rest, 128)
        length += bytes([low | (128 if rest else 0)])
        if not rest:
            return bytes([0x30 | (2 if number else 0) | kept]) + length + body


publications = st.lists(
    st.tuples(
        st.binary(max_size=20),
        st.one_of(st.binary(max_size=300), st.just(b"x" * 20_000)),
        st.booleans(),
        st.integers(0, 65535),
    ),
    max_size=8,
)


@given(found=publications, cut=st.integers(0, 25_000), most=st.integers(1, 9))
def test_takes_whole_messages_and_leaves_the_rest(
    found: list[tuple[bytes, bytes, bool, int]], cut: int, most: int
) -> None:
    packets = [packet(t, p, n, kept=k) for t, p, k, n in found]
    client = ReadAheadClient(paho.CallbackAPIVersion.VERSION2)
    client._ahead = b"".join(packets)[:cut]
    whole = 0
    while whole < len(packets) and sum(map(len, packets[: whole + 1])) <= cut:
        whole += 1
    taken = client.publications(most)
    assert taken == found[: min(whole, most)]
    assert client._place == sum(map(len, packets[: len(taken)]))


@given(st.binary(max_size=200))
def test_any_bytes_are_left_to_paho_or_taken_whole(data: bytes) -> None:
    client = ReadAheadClient(paho.CallbackAPIVersion.VERSION2)
    client._ahead = data
    client.publications(100)
    assert 0 <= client._place <= len(data)


def test_messages_of_all_sizes_come_through_whole_and_in_order(broker: EmbeddedBroker) -> None:
    sizes = [1, 100, 117, 118, 119, 16_000, 16_373, 16_374, 16_375, 60_000] * 20
    sent = [b"%05d" % n + b"." * size for n, size in enumerate(sizes)]
    link = Link(BrokerAddress.parse(broker.url), "sizes", topics=["a"])
    link.start()
    link.wait_ready(10.0)
    publish(broker.url, [("a", payload) for payload in sent])
    got: list[bytes] = []
    while len(got) < len(sent):
        taken = link.take(100, 5.0)
        assert taken, f"nothing more after {len(got)}"
        link.acknowledge(taken)
        got += [m.payload for m in taken]
    link.stop()
    assert got == sent

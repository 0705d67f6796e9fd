"""Messages: what is understood, and what is refused without harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.sensors import Datastream
from twin.sensors.payloads import MOST_BYTES, PayloadError, decode
from twin.sensors.registry import Registry

NOW = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("payload", "time", "value"),
    [
        (b'{"time": "2026-07-01T08:00:00+08:00", "value": 3.42}', 1782864000_000000, 3.42),
        (b'{"time": "2026-07-01T00:00:00.000001Z", "value": -1e-3}', 1782864000_000001, -1e-3),
        (b'{"time_s": 1782864000.5, "value": 1}', 1782864000_500000, 1.0),
        (b'{"time_ms": 1782864000001, "value": 1}', 1782864000_001000, 1.0),
        (b'{"time_us": 1782864000000001, "value": 1}', 1782864000_000001, 1.0),
        (b'{"time_ns": 1782864000000001999, "value": 1}', 1782864000_000001, 1.0),
        (b'{"time_s": 1, "value": null}', 1_000000, None),
        (b" 17.5\n", NOW, 17.5),
        (b"-2e-1", NOW, -0.2),
    ],
)
def test_understands(payload: bytes, time: int, value: float | None) -> None:
    (reading,) = decode(payload, NOW)
    assert (reading.time, reading.value) == (time, value)


def test_keeps_the_message_id_whatever_it_is_called() -> None:
    assert decode(b'{"time_s": 1, "value": 2, "seq": 17}', NOW)[0].message_id == "17"
    assert decode(b'{"time_s": 1, "value": 2, "id": "a-1"}', NOW)[0].message_id == "a-1"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"\xff\xfe", "encoding"),
        (b"three", "syntax"),
        (b"NaN", "syntax"),
        (b"0x10", "syntax"),
        (b"1_000", "syntax"),
        (b"1e999", "number"),
        (b"{", "syntax"),
        (b"__import__('os')", "syntax"),
        (b'{"time_s": 1}', "value"),
        (b'{"value": 1}', "time"),
        (b'{"time_s": 1, "time_ms": 1000, "value": 1}', "time"),
        (b'{"time": "2026-07-01T08:00:00", "value": 1}', "time"),
        (b'{"time": "yesterday", "value": 1}', "time"),
        (b'{"time": 1782864000, "value": 1}', "text"),
        (b'{"time_s": 1e300, "value": 1}', "time"),
        (b'{"time_s": 1782864000000, "value": 1}', "time"),
        (b'{"time_s": true, "value": 1}', "number"),
        (b'{"time_s": 1, "value": true}', "number"),
        (b'{"time_s": 1, "value": "1"}', "number"),
        (b'{"time_s": 1, "value": NaN}', "number"),
        (b'{"time_s": 1, "value": -Infinity}', "number"),
        (b'{"time_s": 1, "value": 1e999}', "number"),
        (b'{"time_s": 1, "value": 1, "value": 2}', "syntax"),
        (b'{"time_s": 1, "value": 1, "id": [1]}', "id"),
        (b'{"time_s": 1, "value": ' + b"1" * 5000 + b"}", "syntax"),
        (b"[" * 9 + b"]" * 9, "depth"),
        (b"[" * 60_000, "depth"),
        (b'{"time_s": 1, "value": 1, "x": ' + b"[" * 9 + b"]" * 9 + b"}", "depth"),
        (b"1" * (MOST_BYTES + 1), "size"),
        (b"[]", "senml"),
        (b"[1]", "senml"),
    ],
)
def test_refuses(payload: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decode(payload, NOW)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 500


def test_brackets_inside_text_are_not_depth() -> None:
    payload = json.dumps({"time_s": 1, "value": 1, "note": "[" * 100 + '\\"{'}).encode()
    assert decode(payload, NOW)[0].value == 1.0


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    try:
        readings = decode(payload, NOW)
    except PayloadError:
        return
    assert readings


# --- the examples of RFC 8428, section 5.1, and what its section 4 says of each label ------------


def test_rfc8428_single_datapoint() -> None:
    pack = b'[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]'
    (reading,) = decode(pack, NOW)
    assert reading.name == "urn:dev:ow:10e2073a01080063"
    assert (reading.time, reading.value, reading.unit) == (NOW, 23.1, "Cel")


def test_rfc8428_multiple_datapoints() -> None:
    pack = b"""[
      {"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
      {"n":"current","u":"A","v":1.2}]"""
    assert [(r.name, r.unit, r.value, r.time) for r in decode(pack, NOW)] == [
        ("urn:dev:ow:10e2073a01080063:voltage", "V", 120.1, NOW),
        ("urn:dev:ow:10e2073a01080063:current", "A", 1.2, NOW),
    ]


def test_rfc8428_base_time_and_version() -> None:
    pack = b"""[
      {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
       "n":"voltage","u":"V","v":120.1},
      {"n":"current","t":-5,"v":1.2},
      {"n":"current","t":-4,"v":1.3},
      {"n":"current","v":1.7}]"""
    readings = decode(pack, NOW)
    assert [r.time for r in readings] == [
        1276020076_001000,
        1276020071_001000,
        1276020072_001000,
        1276020076_001000,
    ]
    assert [r.unit for r in readings] == ["V", "A", "A", "A"]


def test_rfc8428_relative_times_are_before_now() -> None:
    pack = b"""[
      {"bn":"urn:dev:ow:10e2073a01080063","bu":"%RH","v":20.0},
      {"t":-59,"v":20.3},{"t":-119,"v":20.7}]"""
    assert [r.time for r in decode(pack, NOW)] == [NOW, NOW - 59_000000, NOW - 119_000000]


def test_rfc8428_base_value_is_added() -> None:
    readings = decode(b'[{"bn":"a","bv":100,"v":1},{"v":-3.5},{"bv":0,"v":2}]', NOW)
    assert [r.value for r in readings] == [101.0, 96.5, 2.0]


@pytest.mark.parametrize(
    "pack",
    [
        b'[{"n":"a","vs":"open"}]',
        b'[{"n":"a","vb":true}]',
        b'[{"n":"a","v":1,"vs":"x"}]',
        b'[{"n":"a","s":3}]',
        b'[{"n":"a","u":"V"}]',
        b'[{"n":"a","v":1,"zone_":2}]',
        b'[{"v":1}]',
        b'[{"n":"-a","v":1}]',
        b'[{"n":"a b","v":1}]',
        b'[{"bver":99,"n":"a","v":1}]',
        b'[{"bver":10,"n":"a","v":1},{"bver":5,"n":"a","v":2}]',
        b'[{"bn":"a"}]',
        b'[{"n":"a","v":true}]',
    ],
)
def test_senml_that_cannot_be_used(pack: bytes) -> None:
    with pytest.raises(PayloadError):
        decode(pack, NOW)


def test_rfc9100_secondary_units_have_a_version_of_their_own() -> None:
    assert decode(b'[{"bver":26,"n":"a","u":"mm/h","v":1}]', NOW)[0].unit == "mm/h"


# --- from readings to datastreams ----------------------------------------------------------------


@pytest.fixture
def registry() -> Registry:
    return Registry(
        [
            Datastream("g1", "Quay", "water_level", "cm", "g1"),
            Datastream("t", "", "air_temperature", "degC", "box"),
            Datastream("r", "", "rainfall", "mm/h", "box"),
        ]
    )


def test_topic_says_who_speaks(registry: Registry) -> None:
    (observation,) = registry.observations("g1", b"250", NOW)
    assert observation.datastream == "g1"
    assert observation.value == pytest.approx(2.5)
    with pytest.raises(PayloadError) as caught:
        registry.observations("g1", b'{"datastream": "g2", "time_s": 1, "value": 1}', NOW)
    assert (caught.value.reason, "Known: 'g1'" in str(caught.value)) == ("name", True)
    with pytest.raises(PayloadError, match="No datastream reports on 'other'"):
        registry.observations("other", b"1", NOW)


def test_a_shared_topic_needs_names(registry: Registry) -> None:
    pack = b'[{"n":"t","u":"Cel","v":20},{"n":"r","u":"mm/h","v":3.6}]'
    values = {o.datastream: o.value for o in registry.observations("box", pack, NOW)}
    assert values == {"t": pytest.approx(293.15), "r": pytest.approx(1e-6)}
    with pytest.raises(PayloadError, match="must name one"):
        registry.observations("box", b"1", NOW)


def test_units_in_a_message_are_converted_or_refused(registry: Registry) -> None:
    payload = b'{"time_s": 1, "value": 2, "unit": "%s"}'
    assert registry.observations("g1", payload % b"m", NOW)[0].value == 2.0
    with pytest.raises(PayloadError, match="reports in 'cm', not in 'l/s'"):
        registry.observations("g1", payload % b"l/s", NOW)


def test_a_kept_message_without_time_has_no_known_age(registry: Registry) -> None:
    with pytest.raises(PayloadError, match="age is unknown"):
        registry.observations("g1", b"1", NOW, retained=True)
    assert registry.observations("g1", b'{"time_s": 1, "value": 2}', NOW, retained=True)

"""The register of sensors: what is read, and what is refused, with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from twin.errors import InputError, SensorError, UnitError
from twin.sensors import Datastream, read_fleet

HEADER = "id,name,property,unit,topic,x,y,minimum,maximum,spike_fail\n"
GAUGE = "g1,Quay,water_level,cm,city/g1,356900,3456900,-200,900,50\n"


def fleet_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "fleet.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_a_fleet(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, HEADER + GAUGE + "p1,,people_count,persons,city/p1,,,,,\n")
    gauge, people = read_fleet(path)
    assert (gauge.id, gauge.name, gauge.location) == ("g1", "Quay", (356900.0, 3456900.0))
    assert gauge.to_si(100.0) == pytest.approx(1.0)
    assert gauge.si_unit == "m"
    assert gauge.limits.spike_fail == 50.0
    assert (people.name, people.location, people.minimum) == ("p1", None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,name,property,unit,topik\n", ":1: unknown column 'topik'. Did you mean 'topic'"),
        ("id,name,property,unit\n", ":1: no column 'topic'"),
        (HEADER, "names no datastream"),
        (HEADER + GAUGE + GAUGE, ":3: column 'id': 'g1' stands in line 2 already"),
        (
            HEADER + GAUGE.replace("cm", "metre"),
            ":2: Datastream 'g1': unknown unit 'metre'.",
        ),
        (HEADER + GAUGE.replace("cm", "mm/h"), ":2: Datastream 'g1': 'water_level' is a length"),
        (HEADER + GAUGE.replace("356900", "east"), ":2: column 'x': 'east' is not a number"),
        (HEADER + GAUGE.replace("356900", ""), ":2: a location needs both x and y"),
        (HEADER + GAUGE.replace("900,50", "nan,50"), ":2: column 'maximum': 'nan' is not a finite"),
        (HEADER + GAUGE.replace("city/g1", "city/+/level"), ":2: Datastream 'g1': topic 'city/+"),
        (HEADER + GAUGE.replace("city/g1", "city/{id}"), "wildcard or placeholder"),
        (HEADER + GAUGE.replace("-200", "901"), ":2: Datastream 'g1': minimum 901 is not below"),
        (HEADER + "g1,Quay\n", ":2: the line has not as many cells"),
    ],
)
def test_says_where_a_fleet_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_fleet(fleet_file(tmp_path, text))
    assert said in str(caught.value)


def test_says_that_a_fleet_is_missing_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_fleet(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"id,name\xff\xfe")
    with pytest.raises(InputError, match="not a CSV file in UTF-8"):
        read_fleet(tmp_path / "binary.csv")


@pytest.mark.parametrize("topic", ["", "a/#", "+", "$SYS/x", "a\0b", "x" * 1025])
def test_refuses_topics_that_are_none(topic: str) -> None:
    with pytest.raises(SensorError, match="topic"):
        Datastream("g", "", "water_level", "m", topic)


def test_converts_temperature_with_its_offset() -> None:
    with pytest.raises(UnitError):
        Datastream("t", "", "air_temperature", "m", "t")
    assert Datastream("t", "", "air_temperature", "degC", "t").to_si(20.0) == pytest.approx(293.15)

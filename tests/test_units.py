import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import UnitError
from twin.units import UNITS, format_duration, parse_quantity, to_si


@pytest.mark.parametrize(
    ("text", "dimension", "si"),
    [
        ("45 mm/h", "speed", 1.25e-5),
        ("6 h", "time", 21600.0),
        ("2m", "length", 2.0),
        ("-1.5e1 cm", "length", -0.15),
        ("20 m³/s", "discharge", 20.0),
        ("30 persons/min", "rate", 0.5),
        ("12 %", "number", 0.12),
        (3, "number", 3.0),
        ("20 degC", "temperature", 293.15),
    ],
)
def test_quantities_become_si(text, dimension, si):
    assert parse_quantity(text, dimension) == pytest.approx(si, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "said"),
    [
        ("3 h", "length", "unit of time, but a length"),
        ("3", "length", "no unit; write it as in '3 m'"),
        (4, "time", "no unit; write it as in '4 s'"),
        ("3 metres", "length", "Unknown unit 'metres'"),
        ("3 mm/hh", "speed", "Did you mean 'mm/h'"),
        ("high", "length", "not a quantity"),
        ("1e999 m", "length", "not a finite number"),
        (True, "number", "not a quantity"),
        (None, "length", "not a quantity"),
    ],
)
def test_what_is_no_quantity_is_refused_with_the_cure(text, dimension, said):
    with pytest.raises(UnitError, match=r"^[^\n]*$") as caught:
        parse_quantity(text, dimension)
    assert said in str(caught.value)


@given(st.sampled_from(sorted(UNITS)), st.floats(-1e6, 1e6))
def test_units_are_linear(name, value):
    unit = UNITS[name]
    assert to_si(value, name) == pytest.approx(value * unit.factor + unit.offset)
    text = f"{value!r} {name}"
    assert math.isclose(parse_quantity(text, unit.dimension), to_si(value, name), abs_tol=1e-12)


def test_durations_read_as_people_say_them():
    assert [format_duration(s) for s in (0, 40, 59.6, 3599, 7500)] == [
        "0 s",
        "40 s",
        "1 min",
        "1 h 00 min",
        "2 h 05 min",
    ]

"""Quantities with units, read into SI.

A quantity in a scene file is a string such as ``"140 mm"``, ``"45 mm/h"`` or ``"6 h"``. It is read
once, at the border, into a float in SI units; inside twin every number is SI and every time is UTC.
The table of units is fixed and short: what planners and hydraulic engineers write.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from twin.errors import UnitError, did_you_mean

__all__ = ["UNITS", "Unit", "format_duration", "parse_quantity", "to_si"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as a linear map to SI: ``si = value * factor + offset``."""

    dimension: str
    factor: float
    offset: float = 0.0


#: Units understood, by the names that people write. One spelling is enough to be understood, the
#: first of each dimension is its SI unit.
UNITS: dict[str, Unit] = {
    # length
    "m": Unit("length", 1.0),
    "mm": Unit("length", 1e-3),
    "cm": Unit("length", 1e-2),
    "km": Unit("length", 1e3),
    "ft": Unit("length", 0.3048),
    "in": Unit("length", 0.0254),
    # time
    "s": Unit("time", 1.0),
    "min": Unit("time", 60.0),
    "h": Unit("time", 3600.0),
    "d": Unit("time", 86400.0),
    # speed, and rain intensity, which has its dimension
    "m/s": Unit("speed", 1.0),
    "km/h": Unit("speed", 1 / 3.6),
    "mm/h": Unit("speed", 1e-3 / 3600),
    "mm/min": Unit("speed", 1e-3 / 60),
    "mm/d": Unit("speed", 1e-3 / 86400),
    "in/h": Unit("speed", 0.0254 / 3600),
    # discharge
    "m3/s": Unit("discharge", 1.0),
    "m³/s": Unit("discharge", 1.0),
    "l/s": Unit("discharge", 1e-3),
    # volume
    "m3": Unit("volume", 1.0),
    "m³": Unit("volume", 1.0),
    "l": Unit("volume", 1e-3),
    # rate of people
    "1/s": Unit("rate", 1.0),
    "persons/s": Unit("rate", 1.0),
    "persons/min": Unit("rate", 1 / 60),
    "1/min": Unit("rate", 1 / 60),
    "persons/h": Unit("rate", 1 / 3600),
    # density of people
    "1/m2": Unit("area density", 1.0),
    "persons/m2": Unit("area density", 1.0),
    # counts, shares, angles, roughness
    "1": Unit("number", 1.0),
    "persons": Unit("number", 1.0),
    "%": Unit("number", 0.01),
    "rad": Unit("angle", 1.0),
    "deg": Unit("angle", math.pi / 180),
    "s/m^(1/3)": Unit("Manning roughness", 1.0),
    # temperature
    "K": Unit("temperature", 1.0),
    "degC": Unit("temperature", 1.0, 273.15),
}

_QUANTITY = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*$")


def unit(name: str) -> Unit:
    """Return the unit called `name`; raise `UnitError` with the nearest known one otherwise."""
    try:
        return UNITS[name]
    except KeyError:
        raise UnitError(f"Unknown unit {name!r}. {did_you_mean(name, UNITS)}") from None


def to_si(value: float, unit_name: str, dimension: str | None = None) -> float:
    """Convert `value` from `unit_name` to SI, checking the dimension where one is asked for.

    Examples
    --------
    >>> to_si(36.0, "km/h")
    10.0
    """
    found = unit(unit_name)
    if dimension is not None and found.dimension != dimension:
        fitting = ", ".join(repr(n) for n, u in UNITS.items() if u.dimension == dimension)
        raise UnitError(
            f"{unit_name!r} is a unit of {found.dimension}, but a {dimension} is needed here "
            f"(one of {fitting})."
        )
    return value * found.factor + found.offset


def parse_quantity(text: str | float, dimension: str) -> float:
    """Read a quantity such as ``"45 mm/h"`` and return it in SI.

    Parameters
    ----------
    text
        Number and unit, separated by white space. A bare number is taken only where `dimension` is
        ``"number"``: everywhere else a number without its unit is a mistake waiting to happen.
    dimension
        The dimension needed, as in `UNITS` ("length", "time", "speed", …).

    Raises
    ------
    UnitError
        If the number cannot be read, is not finite, or the unit is missing, unknown or of another
        dimension.

    Examples
    --------
    >>> parse_quantity("2.5 km", "length")
    2500.0
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UnitError(f"{text!r} is not a quantity; write a number and a unit, as in '2 m'.")
    if not isinstance(text, str):
        if dimension == "number":
            value, name = float(text), "1"
        else:
            raise UnitError(f"{text!r} has no unit; write it as in {_example(text, dimension)!r}.")
    else:
        match = _QUANTITY.match(text)
        if match is None:
            raise UnitError(
                f"{text!r} is not a quantity; write a number and a unit, "
                f"as in {_example(2, dimension)!r}."
            )
        value = float(match[1])
        name = match[2] or ("1" if dimension == "number" else "")
        if not name:
            raise UnitError(f"{text!r} has no unit; write it as in {_example(value, dimension)!r}.")
    if not math.isfinite(value):
        raise UnitError(f"{text!r} is not a finite number.")
    return to_si(value, name, dimension)


def _example(value: float, dimension: str) -> str:
    name = next((n for n, u in UNITS.items() if u.dimension == dimension), "?")
    return f"{value:.12g} {name}"


def format_duration(seconds: float) -> str:
    """Write a duration as people read it: ``"2 h 05 min"``, ``"40 s"``.

    Examples
    --------
    >>> format_duration(7500)
    '2 h 05 min'
    """
    total = round(seconds)
    if abs(total) < 60:
        return f"{total} s"
    minutes = round(total / 60)
    hours, rest = divmod(minutes, 60)
    if hours == 0:
        return f"{rest} min"
    return f"{hours} h {rest:02d} min"

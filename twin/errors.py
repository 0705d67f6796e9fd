"""What can go wrong, as a tree.

TwinError
├── SceneError        a scene file or scene object does not say what it must
├── InputError        a file or table given to twin cannot be used as it is
│   ├── CRSError      coordinates whose reference system is missing, wrong or does not match
│   └── GeometryError a shape that cannot be what it is said to be
├── UnitError         a quantity with no, an unknown or a wrong unit
├── SensorError       broker, topic, payload or observation store
│   └── BrokerError   no broker, or none that answers
├── SimulationError   a simulation set up wrongly, or one that left its physics
├── RunError          a run directory that is missing, incomplete, foreign or in use
│   └── Interrupted   a run that was stopped on purpose and can be resumed
└── RenderError       nothing to draw with, or nothing to draw

Every error is also the builtin that a caller would already catch. A message says what is wrong,
where it is, and how to mend it. The command line prints it as one paragraph and leaves with
status 2 where the input is at fault (``SceneError``, ``InputError``, ``UnitError``), 130 when it
was interrupted, and 1 otherwise.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BrokerError",
    "CRSError",
    "GeometryError",
    "InputError",
    "Interrupted",
    "RenderError",
    "RunError",
    "SceneError",
    "SensorError",
    "SimulationError",
    "TwinError",
    "UnitError",
    "did_you_mean",
]


class TwinError(Exception):
    """Root of all errors that twin raises on purpose."""

    #: Exit status of the command line when this error ends the work.
    exit_status = 1


class SceneError(TwinError, ValueError):
    """A scene that does not say what it must."""

    exit_status = 2


class InputError(TwinError, ValueError):
    """A file or table that cannot be used as it is."""

    exit_status = 2


class CRSError(InputError):
    """Coordinates whose reference system is missing, wrong or does not match."""


class GeometryError(InputError):
    """A shape that cannot be what it is said to be."""


class UnitError(TwinError, ValueError):
    """A quantity with no unit, an unknown unit, or a unit of another dimension."""

    exit_status = 2


class SensorError(TwinError, RuntimeError):
    """Broker, topic, payload or observation store."""


class BrokerError(SensorError, ConnectionError):
    """No broker, or none that answers."""


class SimulationError(TwinError, RuntimeError):
    """A simulation set up wrongly, or one that left its physics."""


class RunError(TwinError, RuntimeError):
    """A run directory that is missing, incomplete, foreign or in use."""


class Interrupted(RunError):  # noqa: N818  (it is no fault)
    """A run that was stopped on purpose; it can be resumed."""

    exit_status = 130


class RenderError(TwinError, RuntimeError):
    """Nothing to draw with, or nothing to draw."""


def did_you_mean(name: str, known: Iterable[str], *, most: int = 10) -> str:
    """Return the sentence that helps someone who wrote `name` where only `known` is understood.

    Examples
    --------
    >>> did_you_mean("deph", ["depth", "speed"])
    "Did you mean 'depth'? Known: 'depth', 'speed'."
    """
    names = [str(k) for k in known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    listed = ", ".join(repr(n) for n in names[:most]) + (", …" if len(names) > most else "")
    guess = f"Did you mean {close[0]!r}? " if close else ""
    return f"{guess}Known: {listed}." if names else f"{guess}Nothing is known here."

"""`ShallowWater`: arrays in, arrays out; no files but its checkpoint, no city."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numba
import numpy as np
import numpy.typing as npt

from twin.errors import InputError, SimulationError, did_you_mean
from twin.sim.flood import kernels as kn
from twin.sim.flood import sweeps
from twin.sim.flood.boundaries import SIDES, Boundary, Discharge, Open, Sides, Stage, Wall
from twin.sim.flood.forcing import Constant, Forcing, ForcingLike, Series, as_forcing
from twin.sim.flood.scratch import PAD
from twin.sim.flood.tiles import Tiles
from twin.sim.saved import load_arrays, save_arrays

__all__ = ["ShallowWater"]

FloatArray: TypeAlias = npt.NDArray[np.floating]
ArrayLike: TypeAlias = float | npt.ArrayLike
Rain: TypeAlias = ForcingLike | npt.NDArray[np.floating]

#: Film that the first steps on dry ground are made for, m.
_LEAST_DEPTH = 1e-3


class ShallowWater:
    """Water that flows over a bed: the full shallow-water equations on square cells.

    Godunov's method: HLLC fluxes on a well-balanced reconstruction (`twin.sim.flood.kernels`).

    Parameters
    ----------
    bed
        Bed elevation [row, col], row 0 in the north, m. NaN lies outside the domain and is walled.
    cell_size
        Edge of a cell, m.
    depth, u, v
        State at time 0: water depth, m; velocity to the east and to the north, m/s.
    manning
        Roughness, s m^(−1/3).
    order
        1, or 2 in space and time.
    boundaries
        For "west", "east", "north", "south" one of `Wall` (default), `Open`, `Stage`, `Discharge`.
    precision
        "float64", or "float32": half the memory, twice the speed, mass to 1e-6 instead of 1e-12.
    courant
        Largest share of a cell that waves may cross in one step, counted over both directions.
    flooded_depth
        From this depth on a cell counts as flooded, for arrival, largest speed and hazard, m.

    Raises
    ------
    InputError
        If an argument cannot be what it is said to be.

    Examples
    --------
    >>> import numpy as np
    >>> sw = ShallowWater(np.zeros((4, 50)), 1.0, depth=np.where(np.arange(50) < 25, 2.0, 1.0))
    >>> sw.advance(5.0)
    >>> abs(sw.balance()["error"]) < 1e-9
    True
    """

    def __init__(
        self,
        bed: npt.ArrayLike,
        cell_size: float,
        depth: ArrayLike | None = None,
        u: ArrayLike | None = None,
        v: ArrayLike | None = None,
        manning: ArrayLike = 0.03,
        *,
        order: int = 2,
        boundaries: Mapping[str, Boundary] | None = None,
        precision: Literal["float64", "float32"] = "float64",
        courant: float = 0.9,
        flooded_depth: float = 0.01,
    ) -> None:
        if precision not in {"float64", "float32"}:
            known = ["float64", "float32"]
            raise InputError(f"Unknown precision {precision!r}. {did_you_mean(precision, known)}")
        if order not in {1, 2}:
            raise InputError(f"The order of the scheme is 1 or 2, not {order!r}.")
        if not (math.isfinite(cell_size) and cell_size > 0):
            raise InputError(f"The cell size must be above 0 m, not {cell_size!r}.")
        if not 0 < courant <= 1:
            raise InputError(f"The Courant number must lie between 0 and 1, not {courant!r}.")
        self.cell_size = float(cell_size)
        self.order, self.precision = order, precision
        self.courant = float(courant)
        self._T = np.dtype(precision).type
        self._step = sweeps.step_first if order == 1 else sweeps.step_second

        raw = np.asarray(bed, np.float64)
        if raw.ndim != 2 or 0 in raw.shape:
            raise InputError(f"The bed must be an array [row, col], not of shape {raw.shape}.")
        self.inside: npt.NDArray[np.bool_] = np.isfinite(raw)
        if not self.inside.any():
            raise InputError("The bed has no finite cell, so there is no domain to flood.")
        self.shape: tuple[int, int] = (raw.shape[0], raw.shape[1])
        self._padded = (raw.shape[0] + 2 * PAD, raw.shape[1] + 2 * PAD)
        # elevations are kept from a round level near the bed, for the sake of float32
        self._datum = float(np.round(raw[self.inside].mean()))
        self._bed = self._pad(kn.SOLID)
        self._core(self._bed)[...] = np.where(self.inside, raw - self._datum, kn.SOLID)

        n = self._given(manning, "Manning roughness", least=0.0)
        drag = self._pad(0.0)
        self._core(drag)[...] = kn.GRAVITY * n**2
        self._cells = sweeps.Cells(self._bed, drag)

        h = self._given(0.0 if depth is None else depth, "depth", least=0.0)
        east = self._given(0.0 if u is None else u, "u")
        north = self._given(0.0 if v is None else v, "v")
        self._old = self._state()
        self._core(self._old.h)[...] = h
        self._core(self._old.qx)[...] = h * east
        self._core(self._old.qy)[...] = -h * north  # kernels count rows to the south
        self._new = sweeps.State(*(a.copy() for a in self._old))

        self._tiles = Tiles(self.shape, self._T)
        self._sides = Sides(boundaries or {}, self._bed, self._datum)
        self._rain: Forcing = Constant(0.0)
        self._no_field = np.zeros((1, 1), self._T)
        self._pattern: FloatArray = self._no_field
        self._pattern_sum = float(self.inside.sum())
        self._infiltration: FloatArray = self._no_field
        self._taken = np.zeros((1, 1))
        self._sources: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Forcing]] = []

        self.time = 0.0
        self.steps = 0
        self._totals = {"rain": 0.0, "source": 0.0, "sink": 0.0}
        self._initial = self._stored()
        self._remember_start(flooded_depth)

    # --- state --------------------------------------------------------------------------------

    @property
    def bed(self) -> FloatArray:
        """Bed elevation, m; NaN outside the domain."""
        return np.where(self.inside, self._core(self._bed).astype(np.float64), np.nan) + self._datum

    @property
    def depth(self) -> FloatArray:
        """Water depth, m; 0 outside the domain."""
        return self._core(self._old.h).copy()

    @property
    def level(self) -> FloatArray:
        """Water level, m; NaN outside the domain. The bed where it is dry."""
        return self.bed + self._core(self._old.h)

    @property
    def u(self) -> FloatArray:
        """Velocity to the east, m/s; 0 where water is no deeper than a film."""
        return self._velocity(self._old.qx)

    @property
    def v(self) -> FloatArray:
        """Velocity to the north, m/s; 0 where water is no deeper than a film."""
        return -self._velocity(self._old.qy)

    @property
    def max_depth(self) -> npt.NDArray[np.float32]:
        """Largest depth at any step so far, m."""
        return self._core(self._peaks.depth).copy()

    @property
    def max_speed(self) -> npt.NDArray[np.float32]:
        """Largest speed at any step at which the cell was flooded, m/s."""
        return self._core(self._peaks.speed).copy()

    @property
    def max_hazard(self) -> npt.NDArray[np.float32]:
        """Largest Defra hazard rating at any step (`twin.sim.flood.hazard`), m²/s."""
        return self._core(self._peaks.hazard).copy()

    @property
    def arrival_time(self) -> npt.NDArray[np.float32]:
        """Time at which the cell was first flooded, s; NaN where it never was."""
        first = self._core(self._peaks.arrival)
        return np.where(np.isfinite(first), first, np.float32(np.nan))

    @property
    def infiltrated(self) -> npt.NDArray[np.float64]:
        """Water infiltrated so far, m."""
        if self._taken.shape == (1, 1):
            return np.zeros(self.shape)
        return self._core(self._taken).copy()

    def balance(self) -> dict[str, float]:
        """Return the volumes that came, went and stayed, m³.

        ``error`` is stored − (initial + inflow + rain − outflow − infiltrated). Point sources count
        as inflow and outflow.
        """
        area = self.cell_size**2
        stored = self._stored()
        inflow = float(self._sides.volumes[:, 0].sum()) + self._totals["source"]
        outflow = float(self._sides.volumes[:, 1].sum()) + self._totals["sink"]
        infiltrated = float(self._taken.sum()) * area
        rain = self._totals["rain"]
        error = math.fsum([stored, -self._initial, -inflow, -rain, outflow, infiltrated])
        return {
            "initial": self._initial,
            "stored": stored,
            "inflow": inflow,
            "outflow": outflow,
            "rain": rain,
            "infiltrated": infiltrated,
            "error": error,
        }

    def side_volumes(self) -> dict[str, tuple[float, float]]:
        """Return for each side the volumes that came in and went out, m³."""
        return {
            s: (float(i), float(o)) for s, (i, o) in zip(SIDES, self._sides.volumes, strict=True)
        }

    # --- forcing ------------------------------------------------------------------------------

    @property
    def rain(self) -> Forcing:
        """Rain: set to a value, an array [row, col], ``(times, values)`` or a function; m/s.

        A function of time may return a value or an array.
        """
        return self._rain

    @rain.setter
    def rain(self, value: Rain) -> None:
        if isinstance(value, np.ndarray) and value.ndim == 2:
            self._rain = Constant(1.0)
            self._set_pattern(value)
        else:
            self._rain = as_forcing(cast(ForcingLike, value), "rain")
            self._pattern = self._no_field
            self._pattern_sum = float(self.inside.sum())

    def rain_on(self, value: ForcingLike, pattern: npt.ArrayLike) -> None:
        """Let it rain `value` (m/s, not an array) times a constant `pattern` [row, col]."""
        self._rain = as_forcing(value, "rain")
        self._set_pattern(pattern)

    @property
    def infiltration(self) -> npt.NDArray[np.floating]:
        """Rate at which the ground takes water, m/s: set to a value or an array [row, col]."""
        if self._infiltration is self._no_field:
            return np.zeros(self.shape)
        return self._core(self._infiltration).copy()

    @infiltration.setter
    def infiltration(self, rate: ArrayLike) -> None:
        field = self._given(rate, "infiltration", least=0.0)
        self._infiltration = self._no_field
        if (field > 0).any():
            self._infiltration = self._pad(0.0)
            self._core(self._infiltration)[...] = field
            if self._taken.shape == (1, 1):
                self._taken = np.zeros(self._padded)

    def add_source(self, rows: npt.ArrayLike, cols: npt.ArrayLike, discharge: ForcingLike) -> None:
        """Let water enter (or leave, where negative) at cells.

        Parameters
        ----------
        rows, cols
            The cells; the discharge is shared evenly among them.
        discharge
            m³/s in all. What leaves is limited to what is there.
        """
        r, c = np.atleast_1d(np.asarray(rows, np.intp)), np.atleast_1d(np.asarray(cols, np.intp))
        if r.shape != c.shape or r.ndim != 1 or not len(r):
            raise InputError("A source needs as many rows as columns, and at least one cell.")
        good = (r >= 0) & (r < self.shape[0]) & (c >= 0) & (c < self.shape[1])
        good[good] = self.inside[r[good], c[good]]
        if not good.all():
            bad = int(np.argmin(good))
            raise InputError(
                f"A source at row {r[bad]}, column {c[bad]} lies outside the domain "
                f"({self.shape[0]} rows, {self.shape[1]} columns, NaN excluded)."
            )
        if len({*zip(r.tolist(), c.tolist(), strict=True)}) != len(r):
            raise InputError("A source names the same cell twice; name each cell once.")
        self._sources.append((r, c, as_forcing(discharge, "discharge of a source")))

    def set_bed(self, bed: npt.ArrayLike) -> None:
        """Change the bed while running: a gate opens, a wall fails. The water's depth stays.

        Raises
        ------
        InputError
            If the shape or the cells outside the domain change.
        """
        raw = np.asarray(bed, np.float64)
        if raw.shape != self.shape or (np.isfinite(raw) != self.inside).any():
            raise InputError(
                f"A new bed must have the shape {self.shape} and the outside (NaN) cells of the "
                f"old one; this one has shape {raw.shape}."
            )
        self._core(self._bed)[self.inside] = (raw - self._datum)[self.inside]
        self._sides.measure(self._bed)
        self._tiles.touch()

    def fill(self, depth: npt.ArrayLike) -> None:
        """Set still water of these depths [row, col], m, as the state at time 0.

        Raises
        ------
        SimulationError
            If the flood has begun.
        """
        if self.steps:
            raise SimulationError("Water can only be filled in before the first step.")
        self._core(self._old.h)[...] = self._given(depth, "depth", least=0.0)
        for q in (self._old.qx, self._old.qy):
            q[...] = 0
        self._tiles.touch()
        self._initial = self._stored()
        self._remember_start(self._peaks.flooded)

    # --- time ---------------------------------------------------------------------------------

    def advance(self, until: float) -> None:
        """Compute on to exactly this time, s.

        Raises
        ------
        SimulationError
            If the time lies in the past, or the solution is no longer finite.
        """
        if not math.isfinite(until) or until < self.time:
            raise SimulationError(
                f"Cannot advance to {until!r} s: the flood already stands at {self.time:g} s."
            )
        while self.time < until:
            left = until - self.time
            dt = self._stable_step()
            if dt >= left:
                after = until
            else:
                after = self.time + (min(dt, 0.5 * left) if 2 * dt > left else dt)
            if not after > self.time:
                raise SimulationError(
                    f"The step fell to {dt:.3g} s at {self.time:g} s; {self._worst()}"
                )
            self._advance_to(after)

    def _stable_step(self) -> float:
        """Length of the next step by the fastest waves inside and at the sides, s."""
        g, fastest = kn.GRAVITY, float(self._tiles.fast.max())
        fastest = max(fastest, 2 * math.sqrt(g * _LEAST_DEPTH))
        at = self.time
        fastest = max(fastest, self._sides.fastest(at, self.cell_size))
        for rows, _, discharge in self._sources:
            q = abs(discharge.mean(at, at)) / (4 * self.cell_size * len(rows))
            fastest = max(fastest, 3 * (q * g) ** (1 / 3))
        return self.courant * self.cell_size / fastest

    def _advance_to(self, after: float) -> None:
        """Take one step."""
        area, dt = self.cell_size**2, after - self.time
        uniform = self._rain_over(self.time, after)
        self._totals["rain"] += dt * uniform * self._pattern_sum * area
        for rows, cols, discharge in self._sources:
            self._pour(rows, cols, float(discharge.mean(self.time, after)) * dt / area)
        self._sides.fill(self._old, self._bed, self.time, after, self.cell_size)
        active = self._tiles.active(raining=uniform > 0, sides=self._sides.forced)
        forcing = sweeps.Forcing(
            uniform,
            self._pattern,
            self._infiltration,
            self._taken,
            self._sides.fluxes,
            self._sides.forced,
        )
        allowed = numba.get_num_threads()
        numba.set_num_threads(self._tiles.threads(active, allowed))
        try:
            self._step(
                self._tiles.scratch, self._tiles.places, active, self._old, self._new, self._cells,
                forcing, self._peaks, dt, self.cell_size, after, self._tiles.fast, self._tiles.deep,
            )  # fmt: skip
        finally:
            numba.set_num_threads(allowed)
        # the rounding carried in float32 is updated in place and belongs to the newer state
        self._old, self._new = self._new._replace(rest=self._old.rest), self._old
        self.time, self.steps = after, self.steps + 1
        if not float(self._tiles.fast.max()) < kn.FLUX_LIMIT:
            raise SimulationError(
                f"The flow left its physics in step {self.steps} at {self.time:g} s: "
                f"{self._worst()}"
            )

    def _rain_over(self, start: float, end: float) -> float:
        value = self._rain.mean(start, end)
        if isinstance(value, np.ndarray) and value.ndim == 2:
            self._set_pattern(value)
            return 1.0
        rate = float(value)
        if not (math.isfinite(rate) and rate >= 0):
            raise SimulationError(f"The rain at {start:g} s is {rate!r} m/s; it must be ≥ 0.")
        return rate

    def _pour(self, rows: Any, cols: Any, total: float) -> None:
        """Add a depth of water (m, summed over the cells) to cells; less than none takes away."""
        each = total / len(rows)
        at = (rows + PAD, cols + PAD)
        h = self._old.h[at].astype(np.float64)
        change = np.full(len(rows), each)
        if each < 0:
            change = np.maximum(change, -kn.GIVE * h)
            keep = 1.0 + np.divide(change, h, out=np.zeros_like(h), where=h > 0)
            self._old.qx[at] *= keep
            self._old.qy[at] *= keep
        if self.precision == "float32":
            change = change + self._old.rest[at]
        new = (h + change).astype(self._T)
        self._old.h[at] = new
        if self.precision == "float32":
            real = new.astype(np.float64) - h
            self._old.rest[at] = change - real
        self._tiles.touch(rows, cols)
        volume = float(change.sum()) * self.cell_size**2
        self._totals["source" if each > 0 else "sink"] += abs(volume)

    # --- checkpoint ---------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that changes in time, as arrays: what `set_state` takes up."""
        return {
            "h": self._old.h,
            "qx": self._old.qx,
            "qy": self._old.qy,
            "rest": self._old.rest,
            "bed": self._bed,
            "taken": self._taken,
            "fast": self._tiles.fast,
            "deep": self._tiles.deep,
            "peak_depth": self._peaks.depth,
            "peak_speed": self._peaks.speed,
            "peak_hazard": self._peaks.hazard,
            "peak_arrival": self._peaks.arrival,
            "volumes": self._sides.volumes,
            "clock": np.array([self.time, float(self.steps), self._initial]),
            "totals": np.array(list(self._totals.values())),
        }

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take up what `state` returned; the run then continues bit for bit.

        Raises
        ------
        SimulationError
            If the state is of another grid or precision.
        """
        h = state["h"]
        if h.shape != self._padded or h.dtype != self._T:
            raise SimulationError(
                f"The saved flood has {h.shape} cells in {h.dtype}, this one {self._padded} in "
                f"{self.precision}: a checkpoint only fits the set-up that wrote it."
            )
        self._old = sweeps.State(*(state[k].copy() for k in ("h", "qx", "qy", "rest")))
        self._new = sweeps.State(*(a.copy() for a in self._old))
        self._bed[...] = state["bed"]
        self._sides.measure(self._bed)
        self._taken = state["taken"].copy()
        self._tiles.fast[...], self._tiles.deep[...] = state["fast"], state["deep"]
        for name in ("depth", "speed", "hazard", "arrival"):
            getattr(self._peaks, name)[...] = state[f"peak_{name}"]
        self._sides.volumes[...] = state["volumes"]
        self.time, self.steps = float(state["clock"][0]), int(state["clock"][1])
        self._initial = float(state["clock"][2])
        self._totals = dict(zip(self._totals, map(float, state["totals"]), strict=True))
        self._tiles.touch()

    def checkpoint(self, path: str | Path) -> None:
        """Write the whole simulation to one file (NPZ), atomically.

        Raises
        ------
        SimulationError
            If a forcing is a Python function, which no file can hold.
        """
        setup = {
            "cell_size": self.cell_size,
            "order": self.order,
            "precision": self.precision,
            "courant": self.courant,
            "flooded_depth": self._peaks.flooded,
            "datum": self._datum,
            "rain": _plain(self._rain, "rain"),
            "boundaries": {
                side: [
                    type(b).__name__,
                    _plain(self._sides.forcings[side], f"boundary in the {side}")
                    if side in self._sides.forcings
                    else None,
                ]
                for side, b in self._sides.given.items()
            },
            "where": {
                side: where.tolist()
                for side, b in self._sides.given.items()
                if (where := getattr(b, "where", None)) is not None
            },
            "sources": [
                [r.tolist(), c.tolist(), _plain(q, "discharge of a source")]
                for r, c, q in self._sources
            ],
        }
        save_arrays(
            Path(path),
            setup=np.array(json.dumps(setup)),
            drag=self._cells.drag,
            pattern=self._pattern,
            infiltration=self._infiltration,
            **self.state(),
        )

    @classmethod
    def restore(cls, path: str | Path) -> ShallowWater:
        """Read what `checkpoint` wrote; the run then continues bit for bit.

        Raises
        ------
        SimulationError
            If there is no such file, or it is no checkpoint.
        """
        arrays = load_arrays(Path(path), "a flood", "setup", "h")
        setup = json.loads(str(arrays["setup"]))
        core = np.s_[PAD:-PAD, PAD:-PAD]
        bed = arrays["bed"][core].astype(np.float64)
        kinds: dict[str, type[Any]] = {k.__name__: k for k in (Wall, Open, Stage, Discharge)}
        sw = cls(
            np.where(bed < kn.SOLID, bed, np.nan) + setup["datum"],
            setup["cell_size"],
            order=setup["order"],
            precision=setup["precision"],
            courant=setup["courant"],
            flooded_depth=setup["flooded_depth"],
            boundaries={
                side: kinds[kind]()
                if value is None
                else kinds[kind](_forcing(value), setup["where"].get(side))
                for side, (kind, value) in setup["boundaries"].items()
            },
        )
        sw._datum = setup["datum"]
        sw._cells.drag[...] = arrays["drag"]
        sw._rain = as_forcing(_forcing(setup["rain"]), "rain")
        if arrays["pattern"].shape != (1, 1):
            sw._set_pattern(arrays["pattern"][core])
        sw._infiltration = arrays["infiltration"]
        for rows, cols, discharge in setup["sources"]:
            sw.add_source(rows, cols, _forcing(discharge))
        sw.set_state(arrays)
        return sw

    # --- helpers ------------------------------------------------------------------------------

    def _set_pattern(self, pattern: npt.ArrayLike) -> None:
        field = self._given(pattern, "rain", least=0.0)
        self._pattern = self._pad(0.0)
        self._core(self._pattern)[...] = field
        self._pattern_sum = float(self._core(self._pattern).sum(dtype=np.float64))

    def _remember_start(self, flooded_depth: float) -> None:
        depth, speed, hazard, arrival = (
            np.full(self._padded, x, np.float32) for x in (0.0, 0.0, 0.0, np.inf)
        )
        self._peaks = sweeps.Peaks(depth, speed, hazard, arrival, float(flooded_depth))
        h = self._core(self._old.h).astype(np.float64)
        u, v = self.u.astype(np.float64), self.v.astype(np.float64)
        flooded = h >= flooded_depth
        speed = np.where(flooded, np.hypot(u, v), 0.0)
        rating = h * (speed + 0.5) + ((h > 0.25) | (speed > 2.0))
        self._core(self._peaks.depth)[...] = h
        self._core(self._peaks.speed)[...] = speed
        self._core(self._peaks.hazard)[...] = np.where(flooded, rating, 0.0)
        self._core(self._peaks.arrival)[flooded] = 0.0
        fast = np.where(h > kn.DRY, np.abs(u) + np.abs(v) + 2 * np.sqrt(kn.GRAVITY * h), 0.0)
        self._tiles.measure(fast, h)

    def _given(self, value: ArrayLike, what: str, least: float | None = None) -> FloatArray:
        """Check a field and spread it over the grid; 0 outside the domain."""
        try:
            field = np.broadcast_to(np.asarray(value, np.float64), self.shape)
        except ValueError:
            raise InputError(
                f"The {what} has shape {np.shape(value)}, but the bed has {self.shape}."
            ) from None
        wrong = self.inside & ~np.isfinite(field)
        if least is not None:
            wrong |= self.inside & (field < least)
        if wrong.any():
            row, col = np.argwhere(wrong)[0]
            limit = "finite" if least is None else f"finite and at least {least:g}"
            raise InputError(
                f"The {what} is {field[row, col]:g} at row {row}, column {col}; it must be "
                f"{limit} wherever the bed is."
            )
        return np.where(self.inside, field, 0.0)

    def _pad(self, value: float) -> FloatArray:
        return np.full(self._padded, value, self._T)

    def _core(self, padded: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return padded[PAD:-PAD, PAD:-PAD]

    def _state(self) -> sweeps.State:
        carry = self.precision == "float32"
        rest = self._pad(0.0) if carry else np.zeros((1, 1), self._T)
        return sweeps.State(self._pad(0.0), self._pad(0.0), self._pad(0.0), rest)

    def _velocity(self, discharge: FloatArray) -> FloatArray:
        h, q = self._core(self._old.h), self._core(discharge)
        return np.divide(q, h, out=np.zeros_like(q), where=h > kn.DRY)

    def _stored(self) -> float:
        return float(self._core(self._old.h).sum(dtype=np.float64)) * self.cell_size**2

    def _worst(self) -> str:
        """Say where the flow is fastest or no longer finite."""
        h, qx, qy = (self._core(a).astype(np.float64) for a in self._old[:3])
        speed = np.hypot(qx, qy) / np.maximum(h, kn.DRY)
        speed = np.where(np.isfinite(speed) & np.isfinite(h), speed, np.inf)
        row, col = np.unravel_index(int(np.argmax(speed)), self.shape)
        return (
            f"at row {row}, column {col} the depth is {h[row, col]:.3g} m and the speed "
            f"{speed[row, col]:.3g} m/s. Look there for a bed that is not real, or a source that "
            f"is too strong for its cells."
        )


def _plain(forcing: Forcing, what: str) -> float | list[list[float]]:
    """Return a forcing in plain numbers, for a file."""
    if isinstance(forcing, Constant):
        return forcing.value
    if isinstance(forcing, Series):
        return [forcing.times.tolist(), forcing.values.tolist()]
    raise SimulationError(
        f"The {what} is a Python function, which a checkpoint cannot hold. Give it as a value or "
        "as (times, values)."
    )


def _forcing(plain: float | list[list[float]]) -> ForcingLike:
    return (plain[0], plain[1]) if isinstance(plain, list) else plain

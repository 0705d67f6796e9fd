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
from twin.sim.flood.boundaries import SIDES, Boundary, Sides
from twin.sim.flood.domain import ArrayLike, Domain, FloatArray, core
from twin.sim.flood.forcing import Constant, Forcing, ForcingLike, as_forcing
from twin.sim.flood.saving import PointSource, boundaries_of, forcing_of, plain_forcings
from twin.sim.flood.scratch import PAD
from twin.sim.flood.tiles import Tiles
from twin.sim.saved import load_arrays, save_arrays

__all__ = ["ShallowWater"]

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
        self._domain = Domain(raw, precision)
        self.inside, self.shape = self._domain.inside, self._domain.shape
        # elevations are kept from a round level near the bed, for the sake of float32
        self._datum = float(np.round(raw[self.inside].mean()))
        bed_here = np.where(self.inside, raw - self._datum, kn.SOLID)
        self._bed = self._domain.pad(bed_here, kn.SOLID)

        n = self._domain.given(manning, "Manning roughness", least=0.0)
        drag = self._domain.pad()
        core(drag)[...] = kn.GRAVITY * n**2
        self._cells = sweeps.Cells(self._bed, drag)

        h = self._domain.given(0.0 if depth is None else depth, "depth", least=0.0)
        east = self._domain.given(0.0 if u is None else u, "u")
        north = self._domain.given(0.0 if v is None else v, "v")
        self._old = self._state()
        core(self._old.h)[...] = h
        core(self._old.qx)[...] = h * east
        core(self._old.qy)[...] = -h * north  # kernels count rows to the south
        self._new = sweeps.State(*(a.copy() for a in self._old))

        self._tiles = Tiles(self.shape, self._T)
        self._sides = Sides(boundaries or {}, self._bed, self._datum)
        self._rain: Forcing = Constant(0.0)
        self._no_field = np.zeros((1, 1), self._T)
        self._pattern: FloatArray = self._no_field
        self._pattern_sum = float(self.inside.sum())
        self._infiltration: FloatArray = self._no_field
        self._taken = np.zeros((1, 1))
        self._sources: list[PointSource] = []

        self.time = 0.0
        self.steps = 0
        self._totals = {"rain": 0.0, "source": 0.0, "sink": 0.0}
        self._initial = self._stored()
        self._remember_start(flooded_depth)

    # --- state --------------------------------------------------------------------------------

    @property
    def bed(self) -> FloatArray:
        """Bed elevation, m; NaN outside the domain."""
        return np.where(self.inside, core(self._bed).astype(np.float64), np.nan) + self._datum

    @property
    def depth(self) -> FloatArray:
        """Water depth, m; 0 outside the domain."""
        return core(self._old.h).copy()

    @property
    def level(self) -> FloatArray:
        """Water level, m; NaN outside the domain. The bed where it is dry."""
        return self.bed + core(self._old.h)

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
        return core(self._peaks.depth).copy()

    @property
    def max_speed(self) -> npt.NDArray[np.float32]:
        """Largest speed at any step at which the cell was flooded, m/s."""
        return core(self._peaks.speed).copy()

    @property
    def max_hazard(self) -> npt.NDArray[np.float32]:
        """Largest Defra hazard rating at any step (`twin.sim.flood.hazard`), m²/s."""
        return core(self._peaks.hazard).copy()

    @property
    def arrival_time(self) -> npt.NDArray[np.float32]:
        """Time at which the cell was first flooded, s; NaN where it never was."""
        first = core(self._peaks.arrival)
        return np.where(np.isfinite(first), first, np.float32(np.nan))

    @property
    def infiltrated(self) -> npt.NDArray[np.float64]:
        """Water infiltrated so far, m."""
        if self._taken.shape == (1, 1):
            return np.zeros(self.shape)
        return core(self._taken).copy()

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
        return core(self._infiltration).copy()

    @infiltration.setter
    def infiltration(self, rate: ArrayLike) -> None:
        field = self._domain.given(rate, "infiltration", least=0.0)
        self._infiltration = self._no_field
        if (field > 0).any():
            self._infiltration = self._domain.pad()
            core(self._infiltration)[...] = field
            if self._taken.shape == (1, 1):
                self._taken = np.zeros(self._domain.padded)

    def add_source(self, rows: npt.ArrayLike, cols: npt.ArrayLike, discharge: ForcingLike) -> None:
        """Let water enter (or leave, where negative) at cells.

        Parameters
        ----------
        rows, cols
            The cells; the discharge is shared evenly among them.
        discharge
            m³/s in all. What leaves is limited to what is there.
        """
        r, c = self._domain.cells(rows, cols)
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
        core(self._bed)[self.inside] = (raw - self._datum)[self.inside]
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
        core(self._old.h)[...] = self._domain.given(depth, "depth", least=0.0)
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
        if h.shape != self._domain.padded or h.dtype != self._T:
            raise SimulationError(
                f"The saved flood has {h.shape} cells in {h.dtype}, this one "
                f"{self._domain.padded} in {self.precision}: a checkpoint only fits the set-up "
                "that wrote it."
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
            **plain_forcings(self._rain, self._sides, self._sources),
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
        bed = core(arrays["bed"]).astype(np.float64)
        sw = cls(
            np.where(bed < kn.SOLID, bed, np.nan) + setup["datum"],
            setup["cell_size"],
            order=setup["order"],
            precision=setup["precision"],
            courant=setup["courant"],
            flooded_depth=setup["flooded_depth"],
            boundaries=boundaries_of(setup),
        )
        sw._datum = setup["datum"]
        sw._cells.drag[...] = arrays["drag"]
        sw._rain = as_forcing(forcing_of(setup["rain"]), "rain")
        if arrays["pattern"].shape != (1, 1):
            sw._set_pattern(core(arrays["pattern"]))
        sw._infiltration = arrays["infiltration"]
        for rows, cols, discharge in setup["sources"]:
            sw.add_source(rows, cols, forcing_of(discharge))
        sw.set_state(arrays)
        return sw

    # --- helpers ------------------------------------------------------------------------------

    def _set_pattern(self, pattern: npt.ArrayLike) -> None:
        field = self._domain.given(pattern, "rain", least=0.0)
        self._pattern = self._domain.pad()
        core(self._pattern)[...] = field
        self._pattern_sum = float(core(self._pattern).sum(dtype=np.float64))

    def _remember_start(self, flooded_depth: float) -> None:
        depth, speed, hazard, arrival = (
            np.full(self._domain.padded, x, np.float32) for x in (0.0, 0.0, 0.0, np.inf)
        )
        self._peaks = sweeps.Peaks(depth, speed, hazard, arrival, float(flooded_depth))
        h = core(self._old.h).astype(np.float64)
        u, v = self.u.astype(np.float64), self.v.astype(np.float64)
        flooded = h >= flooded_depth
        speed = np.where(flooded, np.hypot(u, v), 0.0)
        rating = h * (speed + 0.5) + ((h > 0.25) | (speed > 2.0))
        core(self._peaks.depth)[...] = h
        core(self._peaks.speed)[...] = speed
        core(self._peaks.hazard)[...] = np.where(flooded, rating, 0.0)
        core(self._peaks.arrival)[flooded] = 0.0
        fast = np.where(h > kn.DRY, np.abs(u) + np.abs(v) + 2 * np.sqrt(kn.GRAVITY * h), 0.0)
        self._tiles.measure(fast, h)

    def _state(self) -> sweeps.State:
        carry = self.precision == "float32"
        rest = self._domain.pad() if carry else np.zeros((1, 1), self._T)
        return sweeps.State(self._domain.pad(), self._domain.pad(), self._domain.pad(), rest)

    def _velocity(self, discharge: FloatArray) -> FloatArray:
        h, q = core(self._old.h), core(discharge)
        return np.divide(q, h, out=np.zeros_like(q), where=h > kn.DRY)

    def _stored(self) -> float:
        return float(core(self._old.h).sum(dtype=np.float64)) * self.cell_size**2

    def _worst(self) -> str:
        """Say where the flow is fastest or no longer finite."""
        h, qx, qy = (core(a).astype(np.float64) for a in self._old[:3])
        speed = np.hypot(qx, qy) / np.maximum(h, kn.DRY)
        speed = np.where(np.isfinite(speed) & np.isfinite(h), speed, np.inf)
        row, col = np.unravel_index(int(np.argmax(speed)), self.shape)
        return (
            f"at row {row}, column {col} the depth is {h[row, col]:.3g} m and the speed "
            f"{speed[row, col]:.3g} m/s. Look there for a bed that is not real, or a source that "
            f"is too strong for its cells."
        )

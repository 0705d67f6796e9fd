"""Speed of the flood solver: ``python -m benchmarks.flood [--cells N] [--peer PYTHON SCRIPT]…``.

One million wet cells over a rough bed with everything switched on: sides (a stage, an open
one), rain, infiltration, the step from the fastest wave, maxima of depth, speed and hazard.
A cell-update is one cell over one time step, whatever the order. The triad measures what memory
gives in the same run, so that figures from different machines can be told apart. Peers run on the
same work in interpreters of their own: ``--peer /opt/anuga/bin/python anuga_dambreak.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import time

import numba
import numpy as np

from twin.sim.flood import Open, ShallowWater, Stage


@numba.njit(parallel=True)
def triad(a, b, c, s):
    """STREAM's triad."""
    for i in numba.prange(a.size):
        a[i] = b[i] + s * c[i]


def bandwidth() -> float:
    """Return the memory bandwidth of the triad, GB/s, the best of five."""
    a, b, c = (np.full(20_000_000, x) for x in (0.0, 1.0, 2.0))
    triad(a, b, c, 3.0)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        triad(a, b, c, 3.0)
        best = min(best, time.perf_counter() - start)
    return 3 * a.nbytes / best / 1e9


def lake(cells: int, order: int, precision: str, wet: float = 1.0) -> ShallowWater:
    """Return waves on a lake over a rough bed, wet in the western share `wet` of it."""
    y, x = np.mgrid[0:cells, 0:cells].astype(float)
    bed = 0.5 * np.sin(x / 37) * np.cos(y / 23)
    depth = np.where(x < wet * cells, 1.0 - bed + (y < cells / 2), 0.0)
    sides = {"west": Stage(1.5), "east": Open()} if wet == 1.0 else {}
    sw = ShallowWater(bed, 1.0, depth, manning=0.03, order=order, precision=precision,
                      boundaries=sides)  # fmt: skip
    if wet == 1.0:
        sw.rain = 1e-5
        sw.infiltration = 1e-6
    return sw


def rate(sw: ShallowWater, seconds: float = 3.0) -> float:
    """Return cell-updates per second, in millions; the best of batches of five steps."""
    sw.advance(sw.time + 1e-3)  # compiles
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start, steps = time.perf_counter(), sw.steps
        while sw.steps < steps + 5:
            sw.advance(sw.time + 0.9 * sw._stable_step())
        took = time.perf_counter() - start
        best = max(best, (sw.steps - steps) * sw.inside.size / took / 1e6)
    return best


def main() -> None:
    """Print one line for each order, precision and number of threads, then the peers' output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000, help="cells along an edge")
    parser.add_argument(
        "--peer", nargs=2, action="append", default=[], metavar=("PYTHON", "SCRIPT")
    )
    arguments = parser.parse_args()
    cells = arguments.cells
    counts = sorted({1, min(2, numba.config.NUMBA_NUM_THREADS), numba.config.NUMBA_NUM_THREADS})
    for threads in counts:
        numba.set_num_threads(threads)
        print(f"{threads} threads: triad {bandwidth():.1f} GB/s")
        for order in (1, 2):
            for precision in ("float64", "float32"):
                speed = rate(lake(cells, order, precision))
                print(f"  order {order} {precision}: {speed:.0f} M cell-updates/s")
        part = rate(lake(cells, 1, "float64", wet=0.1))
        print(f"  order 1 float64, a tenth wet: {part:.0f} M cell-updates/s of all cells")
    for python, script in arguments.peer:
        print(f"peer {script}", flush=True)
        subprocess.run([python, script], check=False)


if __name__ == "__main__":
    main()

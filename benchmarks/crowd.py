"""How fast the crowd is, and against JuPedSim on the same plaza.

    python benchmarks/crowd.py [--peer-python PYTHON --peer-script jupedsim_plaza.py]

A plaza of 100 m × 100 m with an exit of 4 m in each side, without and with 64 pillars; models and
time step as in the peer's script. The peer runs in the same call, so that a busy machine is busy
for both. Compilation is not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import time

import numba
import numpy as np
from shapely.geometry import Polygon, box

from twin.sim.crowd import CrowdModel, Surface
from twin.sim.crowd.demand import WEIDMANN


def plaza(side: float, pillars: int) -> tuple[Polygon, Polygon, dict[str, Polygon]]:
    """Return the walkable area, the square itself, and the exits."""
    at, half = side / 2, 2.0
    doors = {
        "south": box(at - half, -2, at + half, 0),
        "north": box(at - half, side, at + half, side + 2),
        "west": box(-2, at - half, 0, at + half),
        "east": box(side, at - half, side + 2, at + half),
    }
    square = box(0, 0, side, side)
    spacing = side / (pillars + 1)
    blocks = [
        box(*(spacing * np.array([i - 0.1, j - 0.1, i + 0.1, j + 0.1])))
        for i in range(1, pillars + 1)
        for j in range(1, pillars + 1)
    ]
    for block in blocks:
        square = square.difference(block)
    area = square
    for door in doors.values():
        area = area.union(door)
    outer = box(-2, -2, side + 2, side + 2).difference(box(-1, -1, side + 1, side + 1))
    return area, square, {k: door.intersection(outer) for k, door in doors.items()}


def ours(
    model: str, people: int, pillars: int, dt: float, steps: int, side: float = 100.0
) -> float:
    """Return agent-steps per second of wall time."""
    area, square, exits = plaza(side, pillars)
    crowd = CrowdModel(area, exits, model=model, time_step=dt, seed=1, record_every=0)
    crowd.add(people, area=square, desired_speed=WEIDMANN)
    crowd.advance(10 * dt)
    work, start = 0, time.perf_counter()
    for _ in range(steps // 10):
        work += 10 * crowd.remaining
        crowd.advance(crowd.time + 10 * dt)
    return work / (time.perf_counter() - start)


def peer(python: str, script: str, model: str, people: int, pillars: int, dt: float) -> float:
    """Return JuPedSim's agent-steps per second."""
    command = [python, script, "-n", str(people), "-m", model, "--dt", str(dt), "--steps", "100"]
    text = subprocess.run(
        [*command, "--pillars", str(pillars)], check=True, capture_output=True, text=True
    ).stdout
    values = dict(item.split("=", 1) for item in text.split() if "=" in item)
    return float(values["agent_steps_per_s"])


def floor_field(cells: int) -> float:
    """Return the time to solve the potential over `cells` × `cells` cells with blocks, s."""
    side = cells * 0.5
    square = box(0, 0, side, side)
    for x in np.arange(20, side - 20, 40):
        for y in np.arange(20, side - 20, 40):
            square = square.difference(box(x, y, x + 20, y + 20))
    crowd = CrowdModel(
        [Surface("plaza", square)], {"corner": ("plaza", box(0, 0, 10, 10))}, cell_size=0.5
    )
    times = []
    for _ in range(5):
        start = time.perf_counter()
        crowd._ways.solve(0)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="interpreter with jupedsim installed")
    parser.add_argument("--peer-script", default="../shared/peers/jupedsim_plaza.py")
    parser.add_argument("--agents", type=int, default=5000)
    parser.add_argument("--dt", type=float, default=0.01)
    options = parser.parse_args()
    print(f"threads {numba.get_num_threads()}, time step {options.dt} s, {options.agents} people")
    for pillars in (0, 8):
        for model in ("collision_free_speed", "heading"):
            rate = ours(model, options.agents, pillars, options.dt, 300)
            line = f"{pillars * pillars:3d} pillars  {model:22s} {rate:10.3g} agent-steps/s"
            if options.peer_python and model == "collision_free_speed":
                other = peer(
                    options.peer_python, options.peer_script, "cfs", options.agents, pillars,
                    options.dt,
                )  # fmt: skip
                line += f"   JuPedSim {other:9.3g}   {rate / other:5.1f} times"
            print(line, flush=True)
    print(f"floor field, 1000 x 1000 cells with blocks: {floor_field(1000):.3f} s")


if __name__ == "__main__":
    main()

"""Frames of a large city without a display: what each part of a frame costs.

A made-up city of 5 km × 5 km (1000 × 1000 cells of ground, boxes for buildings, a flood on
500 × 500 cells, people) is drawn off screen. Reported are medians over frames in which time moves
on and the camera turns, against the machine's own limit: the same window cleared, drawn empty and
read back.

    python benchmarks/render.py [--buildings 20000] [--people 20000] [--frames 12] [--size 1280x720]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from twin.render.maps import Map
from twin.render.palette import DEPTH, use_colours
from twin.render.shapes import Mesh
from twin.render.stage import Clock, Layer, People, Relief, Sheet, Solids, Stage

SIDE, CELLS = 5000.0, 1000
TIMES = np.arange(60) * 60.0


def ground(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a valley with a river that winds through it, m."""
    away = np.abs(y - 2500 - 500 * np.sin(x / 900))
    return 6 + 34 * (1 - np.exp(-((away / 900) ** 2))) - 7 * np.exp(-((away / 90) ** 2))


def city(buildings: int, people: int) -> Stage:
    """Make the stage."""
    rng = np.random.default_rng(7)
    step = SIDE / CELLS
    centres = (np.arange(CELLS) + 0.5) * step
    x, y = np.meshgrid(centres, centres[::-1])
    relief = Relief(ground(x, y).astype(np.float32), 0.0, SIDE, step, np.zeros(x.shape, bool))
    corner = rng.uniform(0, SIDE - 30, (buildings, 2))
    edge = rng.uniform(10, 25, (buildings, 2))
    low = relief.height(*corner.T)
    high = low + rng.gamma(2.0, 8.0, buildings) + 4
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    plan = corner[:, None] + unit * edge[:, None]
    rings = [np.dstack([plan, np.repeat(z[:, None], 4, axis=1)]) for z in (low, high)]
    quads = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
    box = np.array([[q[i] for i in t] for q in quads for t in ((0, 1, 2), (0, 2, 3))])
    faces = (box + 8 * np.arange(buildings)[:, None, None]).reshape(-1, 3)
    mesh = Mesh.of(np.concatenate(rings, axis=1), faces, np.repeat(np.arange(buildings), 12))
    table = pd.DataFrame(index=pd.Index([f"b{k}" for k in range(buildings)], name="id"))
    uses = rng.choice(["residential", "office", "retail"], buildings)
    bed = relief.elevation[::2, ::2]

    def depth(index: int) -> np.ndarray:
        return np.maximum(4 + 4.5 * (1 - np.cos(index * 0.1)) - bed, 0).astype(np.float32)

    where = rng.normal(2500, 500, (people, 2))
    away = rng.normal(0, 40, (people, 2))

    def at(index: int) -> tuple[np.ndarray, np.ndarray]:
        place = np.clip(where + away * index / 10, 0, SIDE)
        feet = relief.height(*place.T)
        return np.column_stack([place, feet]).astype(np.float32), np.zeros(people, np.uint8)

    dry = np.zeros(bed.shape, bool)
    layers = (
        Layer("terrain", "Terrain", relief),
        Layer("flood", "Flood", Sheet(bed, 0.0, SIDE, 2 * step, dry, dry, depth, DEPTH)),
        Layer("buildings", "Buildings", Solids(mesh, use_colours(uses), table, edges=True)),
        Layer("people", "People", People(at, ("walking",))),
    )
    clock = Clock(TIMES, datetime(2026, 7, 1, tzinfo=UTC))
    return Stage("Benchmark", "", "EPSG:32651", (0.0, 0.0), (0, 0, SIDE, SIDE), layers, clock)


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Return the median time of `work`, ms."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return round(1000 * statistics.median(spent), 2)


def main() -> None:
    """Run the benchmark and print one JSON line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--buildings", type=int, default=20_000)
    options.add_argument("--people", type=int, default=20_000)
    options.add_argument("--frames", type=int, default=12)
    options.add_argument("--size", default="1280x720")
    given = options.parse_args()
    width, height = (int(n) for n in given.size.split("x"))

    from vtkmodules.vtkRenderingCore import vtkRenderer

    from twin.render.hosts import Offscreen, still
    from twin.render.picking import Picker
    from twin.render.picture import Picture

    began = time.perf_counter()
    stage = city(given.buildings, given.people)
    made = time.perf_counter()
    picture = Picture(stage, (width, height), index=10)
    built = time.perf_counter()
    with Offscreen(picture) as host:
        host.frame()
        first = time.perf_counter()
        index = iter(range(11, 10_000))
        camera = picture.renderer.GetActiveCamera()

        def turned() -> None:
            camera.Azimuth(0.5)
            host.frame()

        feed = milliseconds(lambda: picture.set_time(next(index) % len(TIMES)), given.frames)
        frame = milliseconds(turned, given.frames)
        picker = Picker(picture)
        picker.pick(width / 2, height / 2)
        pick = milliseconds(lambda: picker.pick(width / 2, height / 2), 50)
        full = picture.renderer
        empty = vtkRenderer()
        host.window.RemoveRenderer(full)
        host.window.AddRenderer(empty)
        limit = milliseconds(host.frame, given.frames)
        host.window.RemoveRenderer(empty)
        host.window.AddRenderer(full)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    supersampled = milliseconds(lambda: still(stage, (width, height), index=30), 1)
    sheet = Map(stage, (1280, 960))
    sheet.frame(0)
    print(
        json.dumps(
            {
                "buildings": given.buildings,
                "people": given.people,
                "size": [width, height],
                "triangles": sum(d.GetMapper().GetInput().GetNumberOfPolys()
                                 for layer in ("terrain", "flood", "buildings")
                                 for d in picture.layers[layer].actors[:1]),
                "stage_ms": round(1000 * (made - began)),
                "build_ms": round(1000 * (built - made)),
                "first_frame_ms": round(1000 * (first - built)),
                "feed_ms": feed,
                "frame_ms": frame,
                "empty_frame_ms": limit,
                "pick_ms": pick,
                "still_ms": round(supersampled),
                "map_frame_ms": milliseconds(lambda: sheet.frame(20), 5),
                "memory_mb": round(memory),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""Nobody passes a wall, nobody vanishes, whatever the place."""

from __future__ import annotations

import math

import numpy as np
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from twin.errors import SimulationError
from twin.sim.crowd import CrowdModel

numbers = st.floats(0.0, 1.0, allow_nan=False)


@st.composite
def places(draw: st.DrawFn) -> Polygon:
    """Draw a hall of random outline with random blocks, thin screens and slits in it."""
    count = draw(st.integers(5, 9))
    radii = [4.0 + 6.0 * draw(numbers) for _ in range(count)]
    outline = Polygon(
        [
            (r * math.cos(2 * math.pi * k / count), r * math.sin(2 * math.pi * k / count))
            for k, r in enumerate(radii)
        ]
    )
    for _ in range(draw(st.integers(0, 5))):
        x, y = (16 * draw(numbers) - 8 for _ in range(2))
        width, depth = 0.02 + 3 * draw(numbers), 0.02 + 0.6 * draw(numbers)
        block = shapely.affinity.rotate(box(x, y, x + width, y + depth), 180 * draw(numbers))
        outline = outline.difference(block)
    parts = [p for p in shapely.get_parts(outline) if p.geom_type == "Polygon"]
    return max(parts, key=lambda p: p.area)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    place=places(),
    people=st.integers(1, 60),
    model=st.sampled_from(["heading", "collision_free_speed"]),
    seed=st.integers(0, 99),
)
def test_nobody_passes_a_wall_or_vanishes(
    place: Polygon, people: int, model: str, seed: int
) -> None:
    inner = place.buffer(-0.3)
    if inner.is_empty:
        return
    exit_ = inner.representative_point().buffer(0.8).intersection(place)
    crowd = CrowdModel(place, {"out": exit_}, model=model, seed=seed, record_every=1)
    try:
        crowd.add(people, area=place)
    except SimulationError:
        return  # no room, or no way from a corner that a screen cuts off
    for _ in range(8):
        crowd.advance(crowd.time + 2.5)
        assert crowd.remaining + crowd.evacuated == people
    path = crowd.trajectories
    assert shapely.contains_xy(place, path["x"], path["y"]).all()
    # nor is a wall stepped through between two places on walkable ground
    for _, track in path.groupby("id"):
        xy = track[["x", "y"]].to_numpy()
        steps = shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
        assert shapely.covers(place, steps).all()
    assert len(crowd.egress) == crowd.evacuated == crowd.egress["id"].nunique()

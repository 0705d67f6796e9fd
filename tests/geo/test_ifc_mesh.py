"""Plans cut out of triangle meshes, and placements, for any box and any bearing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.geo.formats.ifc_georef import Georeference
from twin.geo.formats.ifc_mesh import Body, cut, facing, flat, oriented_box

lengths = st.floats(0.3, 30.0)
angles = st.floats(-180.0, 180.0)


def box(width: float, depth: float, low: float, high: float, turned: float = 0.0) -> Body:
    """Return a box about the z axis."""
    a = math.radians(turned)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * [width / 2, depth / 2]
    plan = corners @ np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    vertices = np.vstack([np.column_stack([plan, np.full(4, z)]) for z in (low, high)])
    faces = [(0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7)]
    for i in range(4):
        j = (i + 1) % 4
        faces += [(i, j, j + 4), (i, j + 4, i + 4)]
    return Body(None, vertices, np.array(faces, np.int32))


@settings(max_examples=60, deadline=None)
@given(lengths, lengths, angles, st.floats(-3.0, 3.0), st.floats(0.2, 4.0))
def test_plan_of_a_box_is_its_base_where_it_stands(
    width: float, depth: float, turned: float, low: float, height: float
) -> None:
    body = box(width, depth, low, low + height, turned)
    area = cut(body, 0.1003, 1.8003).area
    stands = low < 1.8 and low + height > 0.1003
    clear = low > 1.801 or low + height < 0.1
    if stands and not 1.8 <= low <= 1.801:
        assert area == pytest.approx(width * depth, rel=2e-3)
    if clear:
        assert area == 0.0


@settings(max_examples=30, deadline=None)
@given(lengths, lengths, angles)
def test_top_and_bottom_face_up_and_down(width: float, depth: float, turned: float) -> None:
    body = box(width, depth, 0.0, 2.0, turned)
    inside_out = Body(None, body.vertices, body.faces[:, ::-1].copy())
    for one in (body, inside_out):
        assert np.all(facing(one, 1)[:, :, 2] == 2.0)
        assert np.all(facing(one, -1)[:, :, 2] == 0.0)
    assert flat(facing(body, 1)).area == pytest.approx(width * depth, rel=2e-3)
    assert oriented_box(body.vertices[:, :2]).area == pytest.approx(width * depth, rel=1e-6)


def test_plan_of_a_wall_leaves_out_its_door() -> None:
    """A lintel above the head is no obstacle; two piers beside the door are."""
    piers = [box(1.0, 0.2, 0.0, 2.1), box(1.0, 0.2, 0.0, 2.1), box(3.0, 0.2, 2.1, 3.0)]
    shifts = ([-1.0, 0, 0], [1.0, 0, 0], [0, 0, 0])
    vertices = np.vstack([b.vertices + s for b, s in zip(piers, shifts, strict=True)])
    faces = np.vstack([b.faces + 8 * i for i, b in enumerate(piers)]).astype(np.int32)
    plan = cut(Body(None, vertices, faces), 0.1, 1.8)
    assert plan.area == pytest.approx(0.4, abs=1e-3)
    assert not plan.intersects(shapely.box(-0.49, -0.1, 0.49, 0.1))


@settings(max_examples=60, deadline=None)
@given(angles, st.floats(0.9, 1.1), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_placement_keeps_shapes(turned: float, scale: float, x: float, y: float) -> None:
    at = Georeference("given", "EPSG:32651", 356990.0, 3457120.0, 3.4, turned, scale)
    points = np.array([[0.0, 0.0, 0.0], [x, y, 5.0], [0.0, 1.0, 0.0]])
    moved = at.to_map(points)
    assert moved[0].tolist() == [356990.0, 3457120.0, 3.4]
    distance = np.hypot(*(moved[1] - moved[0])[:2])
    assert distance == pytest.approx(scale * math.hypot(x, y), abs=1e-6)
    bearing = math.degrees(math.atan2(*(moved[2] - moved[0])[:2]))
    assert (bearing + turned + 180.0) % 360.0 == pytest.approx(180.0, abs=1e-4)

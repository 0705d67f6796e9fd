"""Blocks: closed, oriented, and of the volume that area and height give."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from geofiles import EAST, NORTH, flat, frame, square
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import InputError
from twin.geo.city import City
from twin.geo.solids import GROUND, ROOF, WALL, extrude


@st.composite
def footprints(draw) -> shapely.Polygon:
    """Random valid polygons, also with holes: a star with stars cut out of it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def star(x: float, y: float, radius: float, corners: int) -> shapely.Polygon:
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = radius * rng.uniform(0.3, 1.0, corners)
        ring = np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])
        return shapely.make_valid(shapely.Polygon(ring))  # angles may coincide

    outer = star(EAST, NORTH, 50.0, draw(st.integers(3, 30)))
    for _ in range(draw(st.integers(0, 4))):
        x, y = rng.uniform(-25, 25, 2)
        outer = outer.difference(star(EAST + x, NORTH + y, 8.0, draw(st.integers(3, 8))))
    parts = [p for p in shapely.get_parts(outer) if p.geom_type == "Polygon"]
    biggest = max(parts, key=lambda p: p.area, default=shapely.Polygon())
    # thinner than float32 resolves here is no building
    return biggest if biggest.buffer(-0.05).area > 1.0 else square(0, 0)


@settings(deadline=None, max_examples=120)
@given(footprint=footprints(), height=st.floats(0.5, 600.0), base=st.floats(-20.0, 300.0))
def test_any_footprint_gives_a_closed_block_of_its_volume(footprint, height, base):
    blocks = extrude(np.array([footprint]), base, height)
    assert blocks.failed == ()
    mesh = blocks.mesh()
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(footprint.area * height, rel=1e-4)
    assert mesh.bounds[:, 2] == pytest.approx([base, base + height], abs=1e-3)


def test_many_at_once_are_the_same_as_one_by_one():
    shapes = [
        square(0, 0),
        shapely.MultiPolygon([square(20, 0), square(40, 0)]),
        square(60, 0, 30).difference(square(70, 10)),
    ]
    base, height = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])
    blocks = extrude(np.array(shapes), base, height)
    assert blocks.vertices.dtype == np.float32
    assert blocks.faces.dtype == blocks.face_owner.dtype == np.int32
    assert (np.diff(blocks.face_owner) >= 0).all()
    for k, shape in enumerate(shapes):
        part = blocks.mesh()
        part.update_faces(blocks.face_owner == k)
        assert part.is_watertight
        assert part.volume == pytest.approx(shape.area * height[k], rel=1e-6)
        roof = blocks.faces[(blocks.face_owner == k) & (blocks.face_kind == ROOF)]
        top = blocks.vertices[roof][..., 2] + blocks.origin[2]
        np.testing.assert_allclose(top, base[k] + height[k])
    kinds = np.bincount(blocks.face_kind)
    assert kinds[GROUND] == kinds[ROOF]
    assert kinds[WALL] == 2 * (4 + 8 + 8)


def polygon(*points: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon([(EAST + x, NORTH + y) for x, y in points])


@pytest.mark.parametrize(
    "holes",
    [
        [polygon((0, 0), (5, 8), (8, 5))],  # at a corner of the outer ring
        [polygon((0, 5), (5, 8), (5, 2))],  # at one of its edges
        [polygon((2, 5), (5, 8), (5, 2)), polygon((5, 8), (8, 9), (8, 5))],  # at each other
        [
            polygon((0, 5), (5, 5), (4, 2)),
            polygon((5, 5), (6, 8), (9, 5)),
            polygon((5, 5), (6, 3), (5, 2)),
        ],
    ],
)
def test_rings_that_touch_give_a_closed_block_too(holes):
    outer = shapely.Polygon(square(0, 0).exterior, [hole.exterior for hole in holes])
    assert outer.is_valid
    mesh = extrude(np.array([outer]), 0.0, 10.0).mesh()
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(outer.area * 10)


def test_a_shape_without_area_is_listed_as_failed():
    line = shapely.Polygon([(EAST, NORTH), (EAST + 5, NORTH), (EAST + 2, NORTH)])
    assert extrude(np.array([square(0, 0), line]), 0.0, 5.0).failed == (1,)
    nothing = extrude(np.array([]), [], [])
    assert nothing.faces.shape == (0, 3)


def test_a_citys_solid_stands_on_its_ground_in_its_system():
    city = City.from_files(frame([square(0, 0)], id=["a"], height_m=[12.0]), flat(3.0))
    mesh = city.solid("a")
    assert mesh.is_watertight
    np.testing.assert_allclose(
        mesh.bounds, [[EAST, NORTH, 3.0], [EAST + 10, NORTH + 10, 15.0]], atol=1e-3
    )
    assert mesh.volume == pytest.approx(1200.0)
    assert len(city.solids().faces) == len(mesh.faces)
    with pytest.raises(InputError, match=r"no building 'b'"):
        city.solid("b")


def test_solids_of_an_empty_city_are_empty():
    assert City("EPSG:32651").solids().vertices.shape == (0, 3)

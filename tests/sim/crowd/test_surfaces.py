"""Levels, stairs and streets as one walkable place."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import LineString, MultiPolygon, Polygon, box

from twin.errors import GeometryError
from twin.sim.crowd import CrowdModel, Link, Surface
from twin.sim.crowd.surfaces import cut_edges, find_links

#: A hall below, a street above it in the same plan, and a stair of 10 m × 2 m between them.
WELL = box(10, 4, 20, 6)
HALL = Surface("hall", box(0, 0, 30, 10).difference(box(10, 4, 30, 6)), -4.0)
STAIR = Surface("stair", WELL, (-8.0, 0.4, 0.0), 0.5, "stair")
STREET = Surface("street", box(0, 0, 60, 10).difference(WELL), 0.0, kind="outdoor")
LINKS = [
    Link("hall", "stair", LineString([(10, 4), (10, 6)]), "foot"),
    Link("stair", "street", LineString([(20, 4), (20, 6)]), "Exit A"),
]
EXITS = {"square": ("street", box(55, 0, 60, 10))}


def test_people_from_below_come_out_above() -> None:
    crowd = CrowdModel([HALL, STAIR, STREET], EXITS, links=LINKS, seed=1)
    ids = crowd.add(60, area="hall")
    crowd.advance(300.0)
    assert crowd.evacuated == 60
    path = crowd.trajectories
    order = path.drop_duplicates(["id", "surface"]).groupby("id")["surface"].agg(list)
    assert all(names == ["hall", "stair", "street"] for names in order)
    steps = path.groupby("id")[["x", "y", "z"]].diff().abs().max()
    assert steps["x"] < 1.3  # half a second apart: nobody jumps
    assert steps["z"] < 0.5
    via, when = crowd.left_indoors
    assert (via[ids] == "Exit A").all()
    assert (when[ids] < crowd.egress.set_index("id")["time"][ids].to_numpy()).all()


def test_people_above_and_below_each_other_do_not_meet() -> None:
    crowd = CrowdModel([HALL, STAIR, STREET], EXITS, links=LINKS, seed=1)
    crowd.add([(25.0, 2.0)], area="street", desired_speed=1.2)
    alone = CrowdModel([HALL, STAIR, STREET], EXITS, links=LINKS, seed=1)
    alone.add([(25.0, 2.0)], area="street", desired_speed=1.2)
    crowd.add([(25.5 + 0.6 * k, 2.0) for k in range(5)], area="hall", start_time=1000.0)
    crowd.advance(20.0)
    alone.advance(20.0)
    assert crowd.positions[0] == pytest.approx(alone.positions[0], abs=0)


def test_people_on_linked_surfaces_mind_each_other() -> None:
    crowd = CrowdModel([HALL, STAIR, STREET], EXITS, links=LINKS, seed=1)
    crowd.add([(9.4, 5.0)], area="hall", desired_speed=1.2)
    crowd.add([(10.2, y) for y in (4.3, 4.7, 5.1, 5.5, 5.8)], area="stair", start_time=50.0)
    crowd.advance(20.0)
    assert crowd.positions[0, 0] < 10.2


def test_the_way_is_seamless_across_links() -> None:
    """Two halves of a corridor give the same potential as the whole."""
    whole = CrowdModel(box(0.1, 0, 20.1, 2), {"end": box(19.1, 0, 20.1, 2)})
    halves = [Surface("a", box(0.1, 0, 9.97, 2)), Surface("b", box(9.97, 0, 20.1, 2))]
    parts = CrowdModel(halves, {"end": ("b", box(19.1, 0, 20.1, 2))})
    assert [k.line.length for k in parts.links] == [2.0]
    for crowd in (whole, parts):
        crowd.add([(0.5, 1.0)], area=crowd.surfaces[0].name, desired_speed=1.0)
        crowd.advance(40.0)
    assert parts.egress["time"][0] == pytest.approx(whole.egress["time"][0], abs=0.051)


def test_links_are_found_only_where_elevations_meet() -> None:
    found = find_links([HALL, STAIR, STREET])
    assert {(k.first, k.second) for k in found} == {("hall", "stair"), ("stair", "street")}
    above = Surface("above", box(30, 0, 40, 10), 3.0)
    assert find_links([HALL, above]) == []


def test_all_edges_but_the_links_are_walls() -> None:
    edges = cut_edges([HALL, STAIR, STREET], LINKS)
    length = np.hypot(edges.bx - edges.ax, edges.by - edges.ay)
    for k, surface in enumerate((HALL, STAIR, STREET)):
        mine = edges.surface == k
        assert length[mine].sum() == pytest.approx(surface.polygon.length)
        linked = 4.0 if surface is STAIR else 2.0
        assert length[mine & (edges.to >= 0)].sum() == pytest.approx(linked)


def test_a_link_may_be_part_of_a_longer_edge() -> None:
    surfaces = [Surface("a", box(0, 0, 10, 10)), Surface("b", box(10, 4, 12, 6))]
    edges = cut_edges(surfaces, [Link("a", "b", LineString([(10, 4), (10, 6)]))])
    wall = (edges.surface == 0) & (edges.to < 0) & (edges.ax == 10) & (edges.bx == 10)
    assert sorted(np.abs(edges.by - edges.ay)[wall]) == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link("hall", "cellar", LINKS[0].line), "no surface"),
        (Link("hall", "stair", LineString([(10, 1), (10, 3)])), r"near \(10.00, 1.00\)"),
    ],
)
def test_wrong_links_are_named(link: Link, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        cut_edges([HALL, STAIR, STREET], [link])


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        (Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]), r"Self-intersection\[1 1\]"),
        (Polygon(), "with an area"),
        (MultiPolygon(), "with an area"),
        ("POLYGON", "with an area"),
    ],
)
def test_wrong_polygons_are_named(polygon: Polygon, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        Surface("hall", polygon)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.5, float("nan")])
def test_wrong_speed_factors_are_refused(factor: float) -> None:
    with pytest.raises(GeometryError, match="speed_factor"):
        Surface("hall", box(0, 0, 1, 1), speed_factor=factor)

"""An interior as data: its graph, what it finds amiss, its directory. No IFC involved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geopandas.testing import assert_geodataframe_equal
from shapely.geometry import LineString, Polygon, box

from twin.errors import InputError
from twin.geo.indoor import LAYERS, OUTSIDE, Interior, Mesh, layer

CRS = "EPSG:32651"


def house(*, stair_top: str = OUTSIDE, hall_wall: bool = False) -> Interior:
    """Return two rooms and a hall that meet, a door between rooms, and a stair to the street.

    ::

        +------+------+
        | a  door  b  |      hall: below a and b, open to a only
        +-open-+-wall-+
        |    hall     |==stair==> outside
        +-------------+
    """
    rooms = {"a": box(0, 4, 4.9, 8), "b": box(5.1, 4.2, 10, 8), "hall": box(0, 0, 10, 4)}
    floor: Polygon = rooms["a"].union(rooms["b"]).union(rooms["hall"])
    floor = floor.union(box(4.9, 5.5, 5.1, 6.5))
    if hall_wall:
        floor = floor.difference(box(-1, 3.9, 11, 4.1))
    levels = [{"id": "L", "name": "Ground", "elevation_m": -5.0, "geometry": floor}]
    spaces = [
        {"id": key, "name": key, "level": "L", "use": "room", "geometry": shape}
        for key, shape in rooms.items()
    ]
    door = {
        "id": "door",
        "name": "Door",
        "level": "L",
        "width_m": 1.0,
        "kind": "door",
        "from_space": "a",
        "to_space": "b",
        "geometry": LineString([(5, 5.5), (5, 6.5)]),
    }
    top = LineString([(16, 1), (16, 3)])
    stair = {
        "id": "stair",
        "name": "Stair",
        "kind": "stair",
        "lower": "L",
        "upper": stair_top,
        "width_m": 2.0,
        "lower_m": -5.0,
        "upper_m": 0.0,
        "geometry": box(10, 1, 16, 3),
        "lower_edge": LineString([(10, 1), (10, 3)]),
        "upper_edge": top,
    }
    way_out = {"id": "stair", "name": "Exit", "kind": "stair", "level": "L", "width_m": 2.0}
    exits = [{**way_out, "geometry": top}] if stair_top == OUTSIDE else []
    cube = Mesh("w", "IfcWall", "Wall", "L", np.eye(3), np.array([[0, 1, 2]], np.int32))
    slab = Mesh("s", "IfcSlab", "Slab", None, np.eye(4)[:, :3], np.zeros((2, 3), np.int32))
    return Interior(
        *("house", "house.ifc", CRS, {"method": "given", "easting": 1.0}),
        levels=layer("levels", levels, CRS),
        spaces=layer("spaces", spaces, CRS),
        doors=layer("doors", [door], CRS),
        stairs=layer("stairs", [stair], CRS),
        exits=layer("exits", exits, CRS),
        notes=["a note"],
        _meshes=[cube, slab],
    )


def edges(interior: Interior) -> set[tuple[str, str, str]]:
    graph = interior.graph()
    assert graph.columns.tolist() == ["from", "to", "via", "width_m"]
    return {tuple(row) for row in graph[["from", "to", "via"]].to_numpy().tolist()}


def test_graph_joins_rooms_by_doors_stairs_and_where_they_meet() -> None:
    interior = house()
    assert edges(interior) == {
        ("a", "b", "door"),
        ("hall", "stair", "stair"),
        ("a", "hall", "open"),
    }
    width = interior.graph().set_index("via")["width_m"]
    assert width["open"] == pytest.approx(4.9, abs=0.1)
    assert width["door"] == 1.0
    assert interior.check().empty


def test_a_wall_between_rooms_that_meet_keeps_them_apart() -> None:
    interior = house(hall_wall=True)
    assert ("a", "hall", "open") not in edges(interior)
    found = interior.check()
    assert sorted(found["object_id"]) == ["a", "b"]
    assert set(found["code"]) == {"isolated"}


def test_findings_of_a_house_without_a_way_out() -> None:
    found = house(stair_top="").check().groupby("code")["object_id"].apply(list).to_dict()
    assert found == {"no-exits": [""], "loose-stair": ["stair"], "isolated": ["a", "b", "hall"]}


def test_saved_and_opened_it_is_the_same(tmp_path: Path) -> None:
    interior = house()
    interior.save(tmp_path / "house")
    interior.save(tmp_path / "house")  # replaced
    opened = Interior.open(tmp_path / "house")
    assert [p.name for p in tmp_path.iterdir()] == ["house"]
    for key in ("name", "source", "crs", "georeference", "notes"):
        assert getattr(opened, key) == getattr(interior, key)
    for name in LAYERS:
        assert_geodataframe_equal(getattr(opened, name), getattr(interior, name))
    assert opened.stairs["lower_edge"].crs == CRS
    assert opened.graph().equals(interior.graph())
    assert len(opened.meshes) == 2
    for mesh, saved in zip(interior.meshes, opened.meshes, strict=True):
        assert saved[:4] == mesh[:4]
        np.testing.assert_array_equal(saved.vertices, mesh.vertices)
        np.testing.assert_array_equal(saved.faces, mesh.faces)
    # and it can be saved anew from where it was opened
    Interior.open(tmp_path / "house").save(tmp_path / "house")
    assert len(Interior.open(tmp_path / "house").meshes) == 2


def test_same_interior_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        house().save(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_house_without_doors_and_stairs_can_be_saved(tmp_path: Path) -> None:
    interior = house()
    for name in ("doors", "stairs", "exits"):
        setattr(interior, name, layer(name, [], CRS))
    interior._meshes = []
    interior.save(tmp_path / "bare")
    opened = Interior.open(tmp_path / "bare")
    assert opened.meshes == []
    assert opened.stairs.columns.tolist() == interior.stairs.columns.tolist()
    assert edges(opened) == {("a", "hall", "open")}


def test_a_directory_that_is_not_whole(tmp_path: Path) -> None:
    house().save(tmp_path / "house")
    (tmp_path / "house" / "stairs.parquet").unlink()
    with pytest.raises(InputError, match="not a whole interior"):
        Interior.open(tmp_path / "house")
    with pytest.raises(InputError, match="not a whole interior"):
        Interior.open(tmp_path / "nowhere")

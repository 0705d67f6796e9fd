"""Real IFC models, each with a trap of its own, against what is known of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from twin.geo.indoor import OUTSIDE, Interior

pytest.importorskip("ifcopenshell")

from twin.geo.formats.ifc import read_interior


def model(shared_data: Path, name: str) -> Path:
    path = shared_data / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


@pytest.fixture(scope="module")
def duplex(shared_data: Path) -> Interior:
    path = model(shared_data, "ifc_duplex/Duplex_A_20110907_georeferenced.ifc")
    return read_interior(path, "EPSG:32631", meshes=False)


def lonlat(x: float, y: float, crs: str) -> tuple[float, float]:
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)


def reached(interior: Interior, start: str) -> set[str]:
    """Return the rooms and exits that can be reached from a room without leaving the building."""
    edges = interior.graph()[["from", "to"]].to_numpy().tolist()
    found, ahead = set(), {start}
    while ahead:
        node = ahead.pop()
        found.add(node)
        if node not in interior.exits.index:
            near = {b for a, b in edges if a == node} | {a for a, b in edges if b == node}
            ahead |= near - found
    return found


def test_duplex_stands_in_luxembourg_not_in_chicago(duplex: Interior) -> None:
    placed = duplex.georeference
    assert placed["method"] == "ePSet_MapConversion"
    assert placed["crs"] == "EPSG:9897"
    assert placed["rotation_deg"] == pytest.approx(71.0, abs=0.01)
    lon, lat = lonlat(placed["easting"], placed["northing"], "EPSG:2169")
    assert (lon, lat) == pytest.approx((6.12203, 49.62921), abs=2e-5)
    middle = duplex.levels.union_all().centroid
    lon, lat = lonlat(middle.x, middle.y, duplex.crs)
    assert (lon, lat) == pytest.approx((6.12203, 49.62921), abs=3e-4)
    assert duplex.levels["elevation_m"].min() == pytest.approx(293.72, abs=0.01)


def test_duplex_rooms_reach_their_own_front_door(duplex: Interior) -> None:
    names = duplex.spaces["name"]
    for flat in "AB":
        rooms = set(names.index[names.str.startswith(flat)])
        foyer = names.index[names == f"{flat}101 Foyer"][0]
        front = duplex.doors[
            (duplex.doors["from_space"] == foyer) & (duplex.doors["to_space"] == OUTSIDE)
        ]
        assert front["width_m"].tolist() == [pytest.approx(1.25)]
        for room in rooms:
            found = reached(duplex, room)
            assert rooms <= found
            assert front.index[0] in found
            # the party wall has no door
            assert found & set(names.index) == rooms
    assert len(duplex.exits) == 4


def test_duplex_stairs_lead_up_a_storey(duplex: Interior) -> None:
    assert len(duplex.stairs) == 2
    rise = duplex.stairs["upper_m"] - duplex.stairs["lower_m"]
    np.testing.assert_allclose(rise, 3.1, atol=1e-3)
    np.testing.assert_allclose(duplex.stairs["width_m"], 0.914, atol=0.01)
    for _, stair in duplex.stairs.iterrows():
        for level, edge in ((stair.lower, stair.lower_edge), (stair.upper, stair.upper_edge)):
            floor = duplex.levels.geometry[level]
            assert floor.buffer(1e-3).intersection(edge).length > 0.9 * edge.length
            assert floor.intersection(stair.geometry).area < 1e-3


def test_doors_join_the_floors_of_their_rooms(duplex: Interior) -> None:
    inner = duplex.doors[duplex.doors["to_space"] != OUTSIDE]
    for _, door in inner.iterrows():
        floor = duplex.levels.geometry[door.level]
        rooms = duplex.spaces.geometry.loc[[door.from_space, door.to_space]]
        around = floor.intersection(door.geometry.buffer(0.5, cap_style="flat"))
        pieces = [p for p in shapely.get_parts(around) if p.intersects(door.geometry)]
        assert len(pieces) == 1
        assert all(pieces[0].buffer(0.01).intersects(room) for room in rooms)


def test_millimetre_eastings(shared_data: Path) -> None:
    path = model(shared_data, "ifc_pcert_mapconversion/Building-Architecture.ifc")
    interior = read_interior(path, "EPSG:32760")
    placed = interior.georeference
    assert placed["method"] == "IfcMapConversion"
    assert placed["easting"] == pytest.approx(729013.349, abs=1e-3)
    assert placed["northing"] == pytest.approx(9063992.685, abs=1e-3)
    assert placed["height"] == pytest.approx(1.3)
    assert placed["rotation_deg"] == pytest.approx(60.0)
    lon, lat = lonlat(placed["easting"], placed["northing"], "EPSG:32760")
    assert (lon, lat) == pytest.approx((179.0801, -8.4622), abs=1e-4)
    walls = [m for m in interior.meshes if m.ifc_class == "IfcWall"]
    assert len(walls) == 4
    for wall in walls:
        away = np.hypot(*(wall.vertices[:, :2] - [placed["easting"], placed["northing"]]).T)
        assert away.max() < 50.0
    # a house without doors
    assert set(interior.check()["code"]) == {"no-exits", "isolated"}


def test_house_placed_by_its_site(shared_data: Path) -> None:
    path = model(shared_data, "ifc_fzk_haus/AC20-FZK-Haus.ifc")
    house = read_interior(path, "EPSG:32632", meshes=False)
    assert house.georeference["method"] == "IfcSite"
    assert house.georeference["height"] == pytest.approx(110.0)
    middle = house.levels.union_all().centroid
    assert lonlat(middle.x, middle.y, house.crs) == pytest.approx((8.4365, 49.1004), abs=2e-4)
    front = house.exits.index[house.exits["name"] == "Haustuer"][0]
    for room in house.spaces.index:
        assert front in reached(house, room)
    # a spiral stair in one piece
    assert house.stairs["lower_m"].tolist() == [pytest.approx(110.0)]
    assert house.stairs["upper_m"].tolist() == [pytest.approx(112.7)]


def test_house_without_space_boundaries(shared_data: Path) -> None:
    path = model(shared_data, "ifc_bimwhale/TallBuilding.ifc")
    house = read_interior(path, "EPSG:32619", meshes=False)
    assert len(house.exits) == 3
    assert (house.doors["to_space"] != OUTSIDE).sum() == 2
    rooms = set(house.spaces.index)
    assert all(rooms <= reached(house, room) for room in rooms)


def test_room_of_iso_20414_without_spaces(shared_data: Path) -> None:
    path = model(shared_data, "bim_evac/ISO-Test-1-IFC2x3.ifc")
    given = {"easting": 500000.0, "northing": 4000000.0}
    room = read_interior(path, "EPSG:32632", georeference=given, meshes=False)
    assert any("no IfcSpace" in note for note in room.notes)
    assert room.exits["width_m"].tolist() == [pytest.approx(1.0)]
    assert reached(room, room.levels.index[0]) >= set(room.exits.index)
    assert room.check().empty


def test_doors_whose_placements_say_nothing(shared_data: Path) -> None:
    path = model(shared_data, "bim_evac/AmplifyModel.ifc")
    given = {"easting": 500000.0, "northing": 4000000.0}
    flat = read_interior(path, "EPSG:32632", georeference=given, meshes=False)
    assert flat.doors["width_m"].between(0.7, 1.6).all()
    kitchen = flat.spaces.index[flat.spaces["name"] == "Kitchen 55"][0]
    rooms = {flat.spaces["name"].get(node, "") for node in reached(flat, kitchen)}
    assert {"Bathroom 0", "Bedroom 47", "Bedroom 1", "Stairs 8", "Storage 6"} <= rooms
    assert len(flat.exits) == 2

"""The metro station of the Lujiazui scene: written as IFC, read back as an interior."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point

from twin.errors import CRSError, InputError
from twin.geo.indoor import Interior

pytest.importorskip("ifcopenshell")

import ifcopenshell
import ifcopenshell.validate

from twin.geo.formats.ifc import read_interior

CRS = "EPSG:32651"


@pytest.fixture(scope="module")
def scene(root: Path) -> Path:
    return root / "scenes" / "lujiazui"


@pytest.fixture(scope="module")
def station() -> ModuleType:
    """The generator."""
    return importlib.import_module("twin.scenes.lujiazui.station")


@pytest.fixture(scope="module")
def interior(scene: Path) -> Interior:
    return read_interior(scene / "data" / "station.ifc", CRS)


@pytest.fixture
def altered(scene: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """Make a copy of the station that a function has changed."""

    def alter(change: Callable[[Any], None]) -> Path:
        model = ifcopenshell.open(scene / "data" / "station.ifc")
        change(model)
        path = tmp_path / "altered.ifc"
        model.write(path)
        return path

    return alter


def concourse(interior: Interior) -> Any:
    return interior.levels[interior.levels["name"] == "Concourse"].iloc[0]


def assert_at_exits(interior: Interior, station: ModuleType, tolerance: float) -> None:
    """See that each exit lies where the generator's constants say, within `tolerance` m."""
    found = {row["name"]: row.geometry.centroid for _, row in interior.exits.iterrows()}
    assert sorted(found) == [e.name for e in station.EXITS]
    for expected in station.EXITS:
        assert found[expected.name].distance(Point(expected.at)) < tolerance


# ---- the file ------------------------------------------------------------------------------------


def test_generator_writes_the_file_of_the_scene(
    scene: Path, station: ModuleType, tmp_path: Path
) -> None:
    station.write_station(tmp_path / "a.ifc")
    station.write_station(tmp_path / "b.ifc")
    written = (tmp_path / "a.ifc").read_bytes()
    assert written == (tmp_path / "b.ifc").read_bytes()
    assert written == (scene / "data" / "station.ifc").read_bytes()
    assert len(written) < 1_000_000


def test_file_is_valid_ifc(scene: Path) -> None:
    log = ifcopenshell.validate.json_logger()
    ifcopenshell.validate.validate(str(scene / "data" / "station.ifc"), log)
    assert log.statements == []


def test_outline_holds_the_station(interior: Interior, station: ModuleType) -> None:
    outline = shapely.Polygon(station.STATION_OUTLINE)
    assert outline.is_valid
    assert outline.exterior.is_ccw
    underground = shapely.MultiPoint(np.vstack([m.vertices[:, :2] for m in interior.meshes]))
    assert shapely.buffer(outline, 1e-3).contains(underground)


# ---- the interior --------------------------------------------------------------------------------


def test_placed_by_map_conversion(interior: Interior, station: ModuleType) -> None:
    placed = interior.georeference
    assert placed["method"] == "IfcMapConversion"
    assert placed["vertical_datum"] == "EPSG:5737"
    assert (placed["easting"], placed["northing"]) == station.STATION_ORIGIN
    assert placed["rotation_deg"] == pytest.approx(station.STATION_ROTATION)
    assert_at_exits(interior, station, 0.01)


def test_levels_have_the_elevations_of_the_design(interior: Interior, station: ModuleType) -> None:
    elevation = interior.levels.set_index("name")["elevation_m"]
    assert elevation["Concourse"] == pytest.approx(station.CONCOURSE_LEVEL)
    assert elevation["Platform"] == pytest.approx(station.PLATFORM_LEVEL)
    up = interior.stairs[interior.stairs["upper"] == "outside"]
    assert len(up) == len(station.EXITS)
    np.testing.assert_allclose(up["upper_m"], station.STREET_LEVEL, atol=1e-6)


def test_exits_have_width_and_bearing(interior: Interior, station: ModuleType) -> None:
    for expected in station.EXITS:
        found = interior.exits[interior.exits["name"] == expected.name].iloc[0]
        assert found.kind == "stair"
        assert found.width_m == pytest.approx(expected.width, abs=1e-3)
        assert found.geometry.length == pytest.approx(expected.width, abs=1e-3)
        stair = interior.stairs.loc[found.name]
        foot, head = stair.lower_edge.centroid, stair.upper_edge.centroid
        bearing = math.degrees(math.atan2(head.x - foot.x, head.y - foot.y)) % 360.0
        assert bearing == pytest.approx(expected.bearing, abs=0.01)


def test_stairs_have_their_widths(interior: Interior, station: ModuleType) -> None:
    for name, *_, width in [*station.STAIRS, *station.ESCALATORS]:
        own = interior.stairs[interior.stairs["name"].str.startswith(name)]
        assert len(own) == (1 if name.startswith("Escalator") else 3)
        np.testing.assert_allclose(own["width_m"], width, atol=1e-3)
    assert set(interior.stairs["kind"]) == {"stair", "escalator"}


def test_every_room_leads_to_every_exit(interior: Interior) -> None:
    neighbours: dict[str, set[str]] = {}
    for a, b in interior.graph()[["from", "to"]].itertuples(index=False):
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    for start in [*interior.spaces.index, *set(interior.levels.index) & set(neighbours)]:
        reached, ahead = set(), [start]
        while ahead:
            node = ahead.pop()
            if node not in reached:
                reached.add(node)
                ahead += neighbours[node]
        assert set(interior.exits.index) <= reached
    assert interior.check().empty


def test_levels_end_at_the_edges_of_stairs(interior: Interior) -> None:
    for _, stair in interior.stairs.iterrows():
        for level, edge in ((stair.lower, stair.lower_edge), (stair.upper, stair.upper_edge)):
            if level != "outside":
                floor = interior.levels.geometry[level]
                away = floor.boundary.buffer(1e-3)
                assert away.contains(edge)
                assert floor.intersection(stair.geometry).area < 1e-3


def test_gate_line_opens_only_in_its_lanes(interior: Interior, station: ModuleType) -> None:
    for side in (-1, 1):
        ends = [station.to_grid(side * station.GATES_AT, y) for y in (-12.0, 12.0)]
        lanes = shapely.get_parts(LineString(ends).intersection(concourse(interior).geometry))
        lengths = sorted(lane.length for lane in lanes)
        np.testing.assert_allclose(lengths, sorted(station.LANES), atol=2e-3)
    gates = interior.doors[interior.doors["kind"] == "gate"]
    assert sorted(gates["width_m"]) == pytest.approx(sorted(2 * station.LANES))
    uses = interior.spaces["use"]
    for _, gate in gates.iterrows():
        both = {uses[gate.from_space], uses[gate.to_space]}
        assert both == {"paid concourse", "unpaid concourse"}


def test_door_lets_through_its_wall(interior: Interior, station: ModuleType) -> None:
    floor = concourse(interior).geometry
    through = LineString([station.to_grid(-57.0, 0.0), station.to_grid(-53.0, 0.0)])
    assert floor.contains(through)
    beside = LineString([station.to_grid(-57.0, 2.0), station.to_grid(-53.0, 2.0)])
    blocked = beside.difference(floor).length
    assert blocked == pytest.approx(station.WELL_WALL, abs=1e-3)


def test_columns_lift_and_wells_are_left_out(interior: Interior, station: ModuleType) -> None:
    floor = concourse(interior).geometry
    for x, y in [(5.0, 4.8), (12.5, 0.0), (0.0, 0.0), (-25.0, 1.6)]:
        assert not floor.intersects(Point(station.to_grid(x, y)))
    assert floor.contains(Point(station.to_grid(5.0, 6.0)))


def test_meshes_lie_in_the_city(interior: Interior, station: ModuleType) -> None:
    kinds = {mesh.ifc_class for mesh in interior.meshes}
    assert {"IfcWall", "IfcSlab", "IfcStairFlight", "IfcDoor"} <= kinds
    assert not kinds & {"IfcSpace", "IfcOpeningElement"}
    wall = next(m for m in interior.meshes if m.name == "Concourse wall north")
    expected = [station.to_grid(x, y) for x, y in [(-60.6, 12.6), (60.6, 12.6)]]
    for point in expected:
        assert np.hypot(*(wall.vertices[:, :2] - point).T).min() < 1e-3
    assert interior.levels["name"][wall.level] == "Concourse"
    assert read_interior(interior.source, CRS, meshes=False).meshes == []


# ---- other ways to say the same ------------------------------------------------------------------


def drop(model: Any, kind: str) -> None:
    for entity in list(model.by_type(kind)):
        model.remove(entity)


def test_site_and_true_north_give_the_same_place(
    altered: Callable[..., Path], station: ModuleType
) -> None:
    path = altered(lambda model: drop(model, "IfcMapConversion"))
    interior = read_interior(path, CRS, meshes=False)
    assert interior.georeference["method"] == "IfcSite"
    assert_at_exits(interior, station, 0.02)


@pytest.mark.parametrize("scale", [1000.0, 1.0])
def test_map_units_of_millimetres(
    altered: Callable[..., Path], station: ModuleType, scale: float
) -> None:
    def change(model: Any) -> None:
        conversion = model.by_type("IfcMapConversion")[0]
        millimetre = model.create_entity(
            "IfcSIUnit", UnitType="LENGTHUNIT", Prefix="MILLI", Name="METRE"
        )
        conversion.TargetCRS.MapUnit = millimetre
        conversion.Eastings *= 1000.0
        conversion.Northings *= 1000.0
        conversion.OrthogonalHeight *= 1000.0
        conversion.Scale = scale

    interior = read_interior(altered(change), CRS, meshes=False)
    assert_at_exits(interior, station, 0.01)
    assert interior.stairs["upper_m"].max() == pytest.approx(station.STREET_LEVEL)


def test_scale_that_cannot_be(altered: Callable[..., Path]) -> None:
    def change(model: Any) -> None:
        model.by_type("IfcMapConversion")[0].Scale = 2.0

    with pytest.raises(CRSError, match="a metre of the model 2 m on the map"):
        read_interior(altered(change), CRS)


def test_georeferenced_twice(altered: Callable[..., Path], station: ModuleType) -> None:
    def change(model: Any) -> None:
        axes = model.by_type("IfcSite")[0].ObjectPlacement.RelativePlacement
        a = math.radians(station.STATION_ROTATION)
        east, north = station.STATION_ORIGIN
        origin = (east, north, station.STREET_LEVEL)
        axes.Location = model.create_entity("IfcCartesianPoint", origin)
        axes.RefDirection = model.create_entity("IfcDirection", (math.cos(a), math.sin(a), 0.0))

    interior = read_interior(altered(change), CRS, meshes=False)
    assert interior.georeference["method"] == "map coordinates"
    assert any("twice" in note for note in interior.notes)
    assert_at_exits(interior, station, 0.01)


def test_unknown_reference_system(altered: Callable[..., Path]) -> None:
    def change(model: Any) -> None:
        model.by_type("IfcProjectedCRS")[0].Name = "Shanghai city grid"

    with pytest.raises(CRSError, match="'Shanghai city grid', which is none that PROJ knows"):
        read_interior(altered(change), CRS)


def test_no_place_at_all(altered: Callable[..., Path], station: ModuleType) -> None:
    def change(model: Any) -> None:
        drop(model, "IfcMapConversion")
        model.by_type("IfcSite")[0].RefLatitude = None

    path = altered(change)
    with pytest.raises(CRSError, match="does not say where it is") as caught:
        read_interior(path, CRS)
    assert "georeference={" in str(caught.value)
    east, north = station.STATION_ORIGIN
    given = {"easting": east, "northing": north, "height": 3.4, "bearing_deg": 25.0}
    interior = read_interior(path, CRS, georeference=given, meshes=False)
    assert interior.georeference["method"] == "given"
    assert_at_exits(interior, station, 0.01)
    with pytest.raises(CRSError, match="'east'"):
        read_interior(path, CRS, georeference={"east": 1.0, "northing": 2.0})


def test_other_reference_system_of_the_city(interior: Interior, station: ModuleType) -> None:
    other = read_interior(interior.source, "EPSG:4549", meshes=False)
    back = other.exits.to_crs(CRS)
    for expected in station.EXITS:
        found = back[back["name"] == expected.name].geometry.iloc[0].centroid
        assert found.distance(Point(expected.at)) < 0.01
    with pytest.raises(CRSError, match="projected reference system in metres"):
        read_interior(interior.source, "EPSG:4326")


def test_ifc4x3_reads_the_same(scene: Path, interior: Interior, tmp_path: Path) -> None:
    text = (scene / "data" / "station.ifc").read_text(encoding="ascii")
    path = tmp_path / "station.ifc"
    path.write_text(text.replace("('IFC4')", "('IFC4X3_ADD2')"), encoding="ascii")
    other = read_interior(path, CRS, meshes=False)
    assert other.georeference == interior.georeference
    assert other.graph().equals(interior.graph())
    assert other.levels.geometry.geom_equals_exact(interior.levels.geometry, 1e-6).all()


def test_without_space_boundaries_the_rooms_are_the_same(
    altered: Callable[..., Path], interior: Interior
) -> None:
    path = altered(lambda model: drop(model, "IfcRelSpaceBoundary"))
    other = read_interior(path, CRS, meshes=False)
    assert other.graph().equals(interior.graph())


def test_without_spaces_the_slabs_are_walked_on(altered: Callable[..., Path]) -> None:
    def change(model: Any) -> None:
        drop(model, "IfcRelSpaceBoundary")
        drop(model, "IfcSpace")

    interior = read_interior(altered(change), CRS, meshes=False)
    assert any("no IfcSpace" in note for note in interior.notes)
    assert len(interior.exits) == 4
    graph = interior.graph()
    levels = interior.levels.reset_index().set_index("name")["id"]
    assert levels["Platform"] in set(graph["from"])
    assert interior.check().empty


# ---- files that cannot be used -------------------------------------------------------------------


def test_truncated_file(scene: Path, tmp_path: Path) -> None:
    whole = (scene / "data" / "station.ifc").read_bytes()
    path = tmp_path / "half.ifc"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.ifc is cut short"):
        read_interior(path, CRS)


def test_other_file(tmp_path: Path) -> None:
    path = tmp_path / "zip.ifc"
    path.write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(InputError, match=r"zip\.ifc is no IFC file"):
        read_interior(path, CRS)
    path.write_text("ISO-10303-21;\nHEADER;\nrubbish\nEND-ISO-10303-21;\n", encoding="ascii")
    with pytest.raises(InputError, match=r"zip\.ifc"):
        read_interior(path, CRS)
    with pytest.raises(InputError, match="There is no IFC file"):
        read_interior(tmp_path / "none.ifc", CRS)


def test_without_ifcopenshell(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ifcopenshell", None)
    with pytest.raises(InputError, match=r'pip install "twin-sandbox\[bim\]"'):
        read_interior(scene / "data" / "station.ifc", CRS)

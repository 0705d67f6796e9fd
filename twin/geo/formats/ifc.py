"""Read a building from inside out of an IFC model (IFC2X3, IFC4, IFC4X3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from twin.errors import CRSError, InputError
from twin.geo.formats.ifc_georef import Georeference, locate, once, to_city
from twin.geo.formats.ifc_mesh import Body, bodies
from twin.geo.formats.ifc_plan import Plan, draw
from twin.geo.indoor import OUTSIDE, Interior, Mesh, layer

__all__ = ["read_interior"]

FloatArray = npt.NDArray[np.float64]
Convert = Callable[[FloatArray], FloatArray]


def read_interior(
    path: str | os.PathLike[str],
    crs: str,
    *,
    georeference: Mapping[str, float] | None = None,
    meshes: bool = True,
) -> Interior:
    """Read levels, rooms, doors, stairs and exits of an IFC model, in the city's system.

    Levels are the floors of the spaces (of the slabs, in a model without spaces), less walls,
    columns, railings and furniture between 0.1 m and 1.8 m above the floor, less stair wells and
    the footprints of stairs; doors, gates and openings are let through walls. Heights are those
    of the model's vertical datum, which `Interior.georeference` names; they are not changed.

    Parameters
    ----------
    path
        IFC file, as text (``.ifc``).
    crs
        Projected reference system of the city, in metres.
    georeference
        Where the model stands if the file does not say it, or says it wrongly: "easting" and
        "northing" (in `crs`) and "height" of the model's origin, m, and "bearing_deg", the grid
        bearing of the model's y axis, clockwise from north. It comes before what the file says.
    meshes
        Keep the bodies of the elements for drawing.

    Raises
    ------
    InputError
        The file cannot be read, or IfcOpenShell is not installed.
    CRSError
        The file does not say where the model stands, or says it in a way that cannot be.
    """
    file = Path(path)
    city = _projected(crs)
    model = _open(file)
    from ifcopenshell.util.unit import calculate_unit_scale

    at = locate(model, city, where=str(file), given=georeference)
    solids = bodies(model)
    if not solids:
        raise InputError(f"{file} has no element with a body: there is nothing to walk through.")
    low = np.min([b.vertices.min(axis=0) for b in solids.values()], axis=0)
    high = np.max([b.vertices.max(axis=0) for b in solids.values()], axis=0)
    at = once(at, low, high, city, where=str(file))
    # plans are cut near the origin, where rounding is small
    shift = np.where(np.abs(low) > 1e4, np.round((low + high) / 2.0), 0.0)
    near = {i: Body(b.product, b.vertices - shift, b.faces) for i, b in solids.items()}
    plan = draw(model, near, float(calculate_unit_scale(model)))
    placed = to_city(at, city)

    def convert(xyz: FloatArray) -> FloatArray:
        return placed(xyz + shift)

    project = model.by_type("IfcProject")
    building = model.by_type("IfcBuilding")
    names = [e.Name for e in [*building, *project] if e.Name]
    return Interior(
        name=names[0] if names else file.stem,
        source=str(file),
        crs=city,
        georeference=_numbers(at),
        **_layers(plan, convert, city),
        notes=[*at.notes, *plan.notes],
        _meshes=_meshes(near, plan, convert) if meshes else [],
    )


def _projected(crs: str) -> str:
    """See that a reference system is projected and in metres."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError as ProjError

    try:
        system = CRS.from_user_input(crs)
    except ProjError as error:
        raise CRSError(f"{crs!r} is no reference system that PROJ knows: {error}") from error
    units = [axis.unit_conversion_factor for axis in system.axis_info[:2]]
    if not system.is_projected or units != [1.0, 1.0]:
        raise CRSError(
            f"An interior needs a projected reference system in metres, not {crs!r} "
            f"({system.name}). Take the UTM zone of the place, for example."
        )
    return str(crs)


def _open(file: Path) -> Any:
    """Open an IFC file, or say what is wrong with it."""
    try:
        import ifcopenshell
    except ImportError as error:
        raise InputError(
            f'Reading {file} needs IfcOpenShell: pip install "twin-sandbox[bim]"'
        ) from error
    if not file.is_file():
        raise InputError(f"There is no IFC file {file}.")
    with file.open("rb") as stream:
        head = stream.read(4096)
        stream.seek(max(0, file.stat().st_size - 4096))
        tail = stream.read()
    if b"ISO-10303-21" not in head:
        raise InputError(
            f"{file} is no IFC file: it does not begin with ISO-10303-21. Zipped and XML variants "
            f"must be turned into .ifc first."
        )
    if b"END-ISO-10303-21" not in tail:
        raise InputError(f"{file} is cut short: END-ISO-10303-21 is missing. Copy it again.")
    try:
        model = ifcopenshell.open(file)
        model.by_type("IfcProduct")
    except Exception as error:  # whatever the parser throws, the file is at fault
        raise InputError(f"{file} cannot be read as IFC: {error}") from error
    return model


def _numbers(at: Georeference) -> dict[str, Any]:
    numbers = asdict(at)
    del numbers["notes"]
    return numbers


def _layers(plan: Plan, convert: Convert, crs: str) -> dict[str, Any]:
    """Turn a plan into the layers of an interior."""

    def moved(shape: BaseGeometry, height: float) -> BaseGeometry:
        def to_plan(xy: FloatArray) -> FloatArray:
            return convert(np.column_stack([xy, np.full(len(xy), height)]))[:, :2]

        return shapely.transform(shape, to_plan)

    def lifted(height: float) -> float:
        return float(convert(np.array([[0.0, 0.0, height]]))[0, 2])

    heights = {level.id: level.elevation for level in plan.levels}
    levels = [
        {
            "id": level.id,
            "name": level.name,
            "elevation_m": lifted(level.elevation),
            "geometry": moved(level.walkable, level.elevation),
        }
        for level in plan.levels
    ]
    spaces = [
        {
            "id": room.id,
            "name": room.name,
            "level": room.level.id,
            "use": room.use,
            "geometry": moved(room.floor, room.level.elevation),
        }
        for room in plan.rooms
    ]
    doors, exits = [], []
    for door in plan.doors:
        near, far = sorted(door.sides, key=lambda room: room is None)
        other = OUTSIDE if door.outside else None
        row = {
            "id": door.id,
            "name": door.name,
            "level": door.level.id,
            "width_m": door.width,
            "kind": door.kind,
            "from_space": near.id if near else (door.level.id if door.outside else None),
            "to_space": far.id if far else other,
            "geometry": moved(door.line, door.level.elevation),
        }
        doors.append(row)
        if door.outside:
            exits.append({**row, "kind": "door"})
    stairs = []
    for flight in plan.flights:
        lower, upper = plan.ends[flight.id]
        row = {
            "id": flight.id,
            "name": flight.name or flight.stair_name,
            "kind": flight.kind,
            "lower": lower,
            "upper": upper,
            "width_m": flight.width,
            # where a flight meets a floor it has the floor's height
            "lower_m": lifted(heights.get(lower, flight.run.lower)),
            "upper_m": lifted(heights.get(upper, flight.run.upper)),
            "geometry": moved(flight.plan, flight.run.lower),
            "lower_edge": moved(flight.run.lower_edge, flight.run.lower),
            "upper_edge": moved(flight.run.upper_edge, flight.run.upper),
        }
        stairs.append(row)
        if OUTSIDE in (lower, upper):
            out_above = upper == OUTSIDE
            exits.append(
                {
                    "id": flight.id,
                    "name": flight.stair_name or flight.name,
                    "kind": "stair",
                    "level": lower if out_above else upper,
                    "width_m": flight.width,
                    "geometry": row["upper_edge" if out_above else "lower_edge"],
                }
            )
    rows = {"levels": levels, "spaces": spaces, "doors": doors, "stairs": stairs, "exits": exits}
    return {name: layer(name, found, crs) for name, found in rows.items()}


def _meshes(solids: dict[int, Body], plan: Plan, convert: Convert) -> list[Mesh]:
    """Return the bodies to be drawn: all but spaces and openings."""
    return [
        Mesh(
            *(body.product.GlobalId, body.product.is_a(), body.product.Name or ""),
            plan.level_of.get(number),
            convert(body.vertices),
            body.faces,
        )
        for number, body in solids.items()
        if not body.product.is_a("IfcSpace") and not body.product.is_a("IfcOpeningElement")
    ]

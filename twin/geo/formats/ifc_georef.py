"""Where on Earth an IFC model stands: the ladder of ways in which files say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.errors import CRSError

__all__ = ["Georeference", "locate", "once", "to_city"]

FloatArray = npt.NDArray[np.float64]

#: Model coordinates beyond this are those of a map already, m.
MAP_SIZED = 1e5


@dataclass(frozen=True)
class Georeference:
    """How a model was placed: a turn, a scale and a shift from model metres into a map.

    Parameters
    ----------
    method
        "IfcMapConversion", "ePSet_MapConversion", "IfcSite", "given" or "map coordinates".
    crs
        Reference system of the map.
    easting, northing, height
        Map coordinates of the model's origin, m.
    rotation_deg
        From map east to the model's x axis, anticlockwise, degrees.
    scale
        Map metres in a model metre.
    vertical_datum
        As the file names it; None if it does not.
    notes
        What had to be decided.
    """

    method: str
    crs: str
    easting: float
    northing: float
    height: float
    rotation_deg: float = 0.0
    scale: float = 1.0
    vertical_datum: str | None = None
    notes: tuple[str, ...] = ()

    def to_map(self, xyz: FloatArray) -> FloatArray:
        """Turn model coordinates ``[n, 3]`` into those of the map, m."""
        a = math.radians(self.rotation_deg)
        c, s = self.scale * math.cos(a), self.scale * math.sin(a)
        out = np.empty_like(xyz)
        out[:, 0] = self.easting + c * xyz[:, 0] - s * xyz[:, 1]
        out[:, 1] = self.northing + s * xyz[:, 0] + c * xyz[:, 1]
        out[:, 2] = self.height + xyz[:, 2]  # IFC scales heights too: 1e-4 of a storey
        return out


def locate(
    model: Any, crs: str, *, where: str, given: Mapping[str, float] | None = None
) -> Georeference:
    """Find out how a model is placed.

    In this order: what the caller gives; IfcMapConversion; the property sets
    ePSet_MapConversion and ePSet_ProjectedCRS that stand for it in IFC2X3, on the project, the
    site or the building; latitude, longitude and true north of the site.

    Parameters
    ----------
    crs
        Projected reference system of the city, in metres.
    where
        Name of the file, for messages.
    given
        "easting", "northing" (in `crs`, m), "height" (m) of the model's origin, and "bearing_deg",
        the grid bearing of the model's y axis, clockwise from north; the last two default to 0.
    """
    if given is not None:
        return _given(given, crs)
    for rung in (_map_conversion, _property_sets):
        found = rung(model, where)
        if found is not None:
            return found
    return _site(model, crs, where)


def _given(given: Mapping[str, float], crs: str) -> Georeference:
    known = {"easting", "northing", "height", "bearing_deg"}
    wrong = sorted(set(given) - known)
    missing = sorted({"easting", "northing"} - set(given))
    if wrong or missing:
        raise CRSError(
            f"A given georeference has easting, northing and optionally height and bearing_deg; "
            f"unknown: {wrong or 'none'}, missing: {missing or 'none'}."
        )
    return Georeference(
        *("given", crs, float(given["easting"]), float(given["northing"])),
        height=float(given.get("height", 0.0)),
        rotation_deg=-float(given.get("bearing_deg", 0.0)),
    )


def _map_conversion(model: Any, where: str) -> Georeference | None:
    if model.schema == "IFC2X3":
        return None
    conversions = model.by_type("IfcMapConversion")
    if not conversions:
        return None
    conversion = conversions[0]
    target = conversion.TargetCRS
    values = conversion.get_info()
    unit = _unit_metres(getattr(target, "MapUnit", None))
    found = _from_values("IfcMapConversion", model, where, values, target.get_info(), unit)
    matrix = _world_axes(conversion.SourceCRS)
    return found if matrix is None else _undo(found, matrix)


def _property_sets(model: Any, where: str) -> Georeference | None:
    import ifcopenshell.util.element

    for kind in ("IfcProject", "IfcSite", "IfcBuilding"):
        for entity in model.by_type(kind):
            sets = {
                name.lower(): values
                for name, values in ifcopenshell.util.element.get_psets(entity).items()
            }
            conversion = sets.get("epset_mapconversion")
            if conversion:
                target = sets.get("epset_projectedcrs", {})
                unit = _named_unit(target.get("MapUnit"))
                return _from_values("ePSet_MapConversion", model, where, conversion, target, unit)
    return None


def _from_values(
    method: str,
    model: Any,
    where: str,
    conversion: Mapping[str, Any],
    target: Mapping[str, Any],
    map_unit: float | None,
) -> Georeference:
    """Build the placement from the attributes that the entity and the property sets share."""
    from ifcopenshell.util.unit import calculate_unit_scale
    from pyproj import CRS
    from pyproj.exceptions import CRSError as ProjError

    name = target.get("Name")
    try:
        crs = CRS.from_user_input(name)
    except ProjError as error:
        raise CRSError(
            f"{where}: {method} places the model in the reference system {name!r}, which is none "
            f"that PROJ knows. Write it as 'EPSG:<code>' in the file, or place the model yourself "
            f"with georeference={{'easting': …, 'northing': …, 'height': …, 'bearing_deg': …}}."
        ) from error
    project_unit = float(calculate_unit_scale(model))
    unit = project_unit if map_unit is None else map_unit
    notes = []
    east, north = (float(conversion.get(k) or 0.0) for k in ("Eastings", "Northings"))
    if map_unit is None and not _plausible(crs, east * unit, north * unit):
        axis = crs.axis_info[0].unit_conversion_factor
        if _plausible(crs, east * axis, north * axis):
            unit = axis
            notes.append("no MapUnit: eastings and northings read in the unit of the CRS")
    scale = float(conversion.get("Scale") or 1.0)
    factor = scale * unit / project_unit
    if abs(factor - 1.0) > 0.01:
        # Scale should also turn project units into map units; many writers leave it at 1
        if abs(scale - 1.0) > 0.01:
            raise CRSError(
                f"{where}: the Scale of {method}, {scale:g}, makes a metre of the model "
                f"{factor:g} m on the map. Correct Scale, MapUnit or the project's length unit."
            )
        factor = scale
        notes.append("Scale is taken as that of the projection, without the change of units")
    x = float(conversion.get("XAxisAbscissa") or 0.0)
    y = float(conversion.get("XAxisOrdinate") or 0.0)
    if not (x or y):
        x = 1.0
    return Georeference(
        *(method, _code(crs), east * unit, north * unit),
        height=float(conversion.get("OrthogonalHeight") or 0.0) * unit,
        rotation_deg=math.degrees(math.atan2(y, x)),
        scale=factor,
        vertical_datum=target.get("VerticalDatum") or _vertical(crs),
        notes=tuple(notes),
    )


def _site(model: Any, crs: str, where: str) -> Georeference:
    """Place a model by latitude, longitude and elevation of its site, and by true north."""
    import ifcopenshell.util.placement
    from ifcopenshell.util.unit import calculate_unit_scale
    from pyproj import CRS, Proj, Transformer

    sites = [s for s in model.by_type("IfcSite") if s.RefLatitude and s.RefLongitude]
    if not sites:
        raise CRSError(
            f"{where} does not say where it is: no IfcMapConversion, no ePSet_MapConversion, no "
            f"latitude and longitude of its site. Place it with georeference={{'easting': …, "
            f"'northing': …, 'height': …, 'bearing_deg': …}}, the model's origin in {crs}."
        )
    site = sites[0]
    lat, lon = _decimal(site.RefLatitude), _decimal(site.RefLongitude)
    city = CRS.from_user_input(crs)
    to_grid = Transformer.from_crs("EPSG:4326", city, always_xy=True)
    east, north = to_grid.transform(lon, lat)
    turned = 90.0 + Proj(city).get_factors(lon, lat).meridian_convergence
    unit = float(calculate_unit_scale(model))
    origin = np.eye(4)
    if site.ObjectPlacement is not None:
        origin = ifcopenshell.util.placement.get_local_placement(site.ObjectPlacement)
    at = Georeference(
        *("IfcSite", crs, float(east), float(north)),
        height=float(site.RefElevation or 0.0) * unit,
        rotation_deg=turned - _true_north(model),
        notes=("placed by latitude and longitude, which are seldom better than some metres",),
    )
    offset = np.asarray(-unit * origin[:3, 3], dtype=np.float64)
    shift = at.to_map(offset[None, :])[0]
    return replace(at, easting=float(shift[0]), northing=float(shift[1]), height=float(shift[2]))


def once(
    at: Georeference, low: FloatArray, high: FloatArray, crs: str, *, where: str
) -> Georeference:
    """Refuse to place twice a model whose coordinates, from `low` to `high`, are map-sized.

    Some writers put map coordinates into the model and a map conversion beside them. Where the
    coordinates alone lie in the use area of the reference system, they are taken as they are.
    """
    from pyproj import CRS

    middle = (low + high) / 2.0
    if np.abs(middle[:2]).max() < MAP_SIZED or at.method == "given":
        return at
    placed = at.to_map(middle[None, :])[0]
    system = CRS.from_user_input(at.crs)
    if _plausible(system, placed[0], placed[1]):
        return at
    if _plausible(system, middle[0], middle[1]):
        note = f"georeferenced twice: coordinates are those of the map, {at.method} left out"
        return Georeference(
            *("map coordinates", at.crs, 0.0, 0.0, 0.0),
            vertical_datum=at.vertical_datum,
            notes=(*at.notes, note),
        )
    raise CRSError(
        f"{where}: its coordinates are already as large as those of a map (about "
        f"{middle[0]:.0f}, {middle[1]:.0f} m) and {at.method} moves them out of the use area of "
        f"{at.crs}. Mend the file, or place it with georeference={{…}} in {crs}."
    )


def to_city(at: Georeference, crs: str) -> Callable[[FloatArray], FloatArray]:
    """Return the function that turns model coordinates ``[n, 3]`` into the city's; heights stay."""
    from pyproj import CRS, Transformer

    source, target = CRS.from_user_input(at.crs), CRS.from_user_input(crs)
    flat_source = source.sub_crs_list[0] if source.is_compound else source
    flat_target = target.sub_crs_list[0] if target.is_compound else target
    if flat_source == flat_target:
        return at.to_map
    change = Transformer.from_crs(flat_source, flat_target, always_xy=True)

    def convert(xyz: FloatArray) -> FloatArray:
        out = at.to_map(xyz)
        out[:, 0], out[:, 1] = change.transform(out[:, 0], out[:, 1])
        return out

    return convert


def _plausible(crs: Any, x: float, y: float) -> bool:
    """Say whether a map coordinate lies in or near the use area of its reference system."""
    from pyproj import Transformer

    area = crs.area_of_use
    if area is None:
        return True
    flat_crs = crs.sub_crs_list[0] if crs.is_compound else crs
    lon, lat = Transformer.from_crs(flat_crs, "EPSG:4326", always_xy=True).transform(x, y)
    margin = 3.0  # degrees: zones are used beyond their edges
    if not (math.isfinite(lon) and area.south - margin <= lat <= area.north + margin):
        return False
    span = (area.east - area.west) % 360.0 or 360.0
    return bool((lon - area.west + margin) % 360.0 <= span + 2 * margin)


def _code(crs: Any) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


def _vertical(crs: Any) -> str | None:
    return _code(crs.sub_crs_list[1]) if crs.is_compound else None


def _unit_metres(unit: Any) -> float | None:
    """Return the length of an IfcNamedUnit in metres; None if there is none."""
    from ifcopenshell.util.unit import get_prefix_multiplier

    if unit is None:
        return None
    if unit.is_a("IfcConversionBasedUnit"):
        measure = unit.ConversionFactor
        within = _unit_metres(measure.UnitComponent)
        return float(measure.ValueComponent.wrappedValue) * (1.0 if within is None else within)
    return float(get_prefix_multiplier(unit.Prefix)) if unit.is_a("IfcSIUnit") else None


def _named_unit(name: Any) -> float | None:
    """Return the metres in a unit that a property set names."""
    names = {
        **dict.fromkeys(("metre", "meter", "m"), 1.0),
        **dict.fromkeys(("millimetre", "millimeter", "mm"), 0.001),
        **dict.fromkeys(("centimetre", "centimeter", "cm"), 0.01),
        **dict.fromkeys(("foot", "feet", "ft"), 0.3048),
    }
    return names.get(str(name).strip().lower()) if name else None


def _decimal(parts: Any) -> float:
    """Turn degrees, minutes, seconds and millionths, all of one sign, into degrees."""
    values = [float(p) for p in parts] + [0.0] * (4 - len(parts))
    return values[0] + values[1] / 60.0 + (values[2] + values[3] / 1e6) / 3600.0


def _contexts(model: Any) -> list[Any]:
    return list(model.by_type("IfcGeometricRepresentationContext", include_subtypes=False))


def _true_north(model: Any) -> float:
    """Return the direction of true north in the model, degrees anticlockwise from the x axis."""
    for context in _contexts(model):
        if context.TrueNorth is not None:
            x, y = context.TrueNorth.DirectionRatios[:2]
            return math.degrees(math.atan2(y, x))
    return 90.0


def _world_axes(context: Any) -> FloatArray | None:
    """Return the context's WorldCoordinateSystem in metres where it is not the identity."""
    import ifcopenshell.util.placement
    from ifcopenshell.util.unit import calculate_unit_scale

    axes = getattr(context, "WorldCoordinateSystem", None)
    if axes is None or not axes.is_a("IfcAxis2Placement3D"):
        return None
    matrix: FloatArray = np.array(ifcopenshell.util.placement.get_axis2placement(axes), float)
    matrix[:3, 3] *= calculate_unit_scale(context.file)
    return None if np.allclose(matrix, np.eye(4)) else matrix


def _undo(at: Georeference, matrix: FloatArray) -> Georeference:
    """Place a model whose context has axes of its own, within which the conversion holds."""
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    shift = at.to_map(inverse[:3, 3][None, :])[0]
    turn = math.degrees(math.atan2(inverse[1, 0], inverse[0, 0]))
    return replace(
        at,
        easting=float(shift[0]),
        northing=float(shift[1]),
        height=float(shift[2]),
        rotation_deg=at.rotation_deg + turn,
        notes=(*at.notes, "turned by the context's WorldCoordinateSystem"),
    )

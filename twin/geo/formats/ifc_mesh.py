"""Bodies of IFC elements as triangle meshes, and the plans that are cut out of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPoint, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

__all__ = [
    "HEAD",
    "KNEE",
    "PRECISION",
    "Body",
    "bodies",
    "cut",
    "facing",
    "flat",
    "oriented_box",
    "polygonal",
]

FloatArray = npt.NDArray[np.float64]

#: Plans are kept on a grid of this spacing, m: fine against any wall, coarse against rounding.
PRECISION = 1e-4
#: An obstacle is what stands between these heights above the floor, m.
KNEE, HEAD = 0.1, 1.8


class Body(NamedTuple):
    """The triangle mesh of an IFC product in the coordinates of the model, m."""

    product: Any
    vertices: FloatArray
    faces: npt.NDArray[np.int32]

    @property
    def low(self) -> float:
        """Height of the lowest vertex, m."""
        return float(self.vertices[:, 2].min())

    @property
    def high(self) -> float:
        """Height of the highest vertex, m."""
        return float(self.vertices[:, 2].max())


def bodies(model: Any) -> dict[int, Body]:
    """Return the mesh of each product that has a body, by entity number, in order of that number.

    Curved faces become triangles; openings are cut out of the elements they void and come as
    bodies of their own as well.
    """
    import ifcopenshell.geom

    settings = ifcopenshell.geom.settings()
    settings.set("use-world-coords", True)
    settings.set("weld-vertices", True)
    found: dict[int, Body] = {}
    iterator = ifcopenshell.geom.iterator(settings, model, 2)
    if not iterator.initialize():
        return found
    while True:
        shape = iterator.get()
        vertices = np.frombuffer(shape.geometry.verts_buffer, dtype=np.float64).reshape(-1, 3)
        faces = np.frombuffer(shape.geometry.faces_buffer, dtype=np.int32).reshape(-1, 3)
        product = model.by_id(shape.id)
        if len(faces) and not product.is_a("IfcSite"):
            found[shape.id] = Body(product, vertices.copy(), faces.copy())
        if not iterator.next():
            return dict(sorted(found.items()))


def _normals(triangles: FloatArray) -> FloatArray:
    """Return the normals of triangles [n, corner, xyz], as long as twice their area."""
    normal: FloatArray = np.cross(
        triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    )
    return normal


def facing(body: Body, direction: int, *, steepest: float = 0.5) -> FloatArray:
    """Return the triangles of a body that face up (``direction=1``) or down (``-1``).

    Parameters
    ----------
    steepest
        Cosine of the steepest slope that still counts.
    """
    triangles = body.vertices[body.faces]
    normal = _normals(triangles)
    length = np.linalg.norm(normal, axis=1)
    keep = direction * normal[:, 2] > steepest * np.maximum(length, 1e-12)
    if _volume(triangles) < 0.0:  # faces wound inside out
        keep = -direction * normal[:, 2] > steepest * np.maximum(length, 1e-12)
    found: FloatArray = triangles[keep]
    return found


def _volume(triangles: FloatArray) -> float:
    """Return the signed volume of a closed mesh, m³, about its first corner."""
    corners = triangles - triangles[0, 0]
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0)


def polygonal(geometry: BaseGeometry, smallest: float = 1e-6) -> MultiPolygon:
    """Keep the polygons of a geometry that are larger than `smallest`, m²."""
    parts = shapely.get_parts(shapely.make_valid(geometry))
    # a collection may hold multipolygons
    parts = shapely.get_parts(parts)
    keep = [p for p in parts if isinstance(p, Polygon) and p.area > smallest]
    return MultiPolygon(keep)


def flat(triangles: FloatArray) -> BaseGeometry:
    """Return the union of the plans of triangles."""
    plan = triangles[:, :, :2]
    plan = plan[np.abs(_normals(triangles)[:, 2]) > 1e-8]
    if len(plan) == 0:
        return MultiPolygon()
    return shapely.union_all(shapely.polygons(plan), grid_size=PRECISION)


def oriented_box(points: FloatArray) -> BaseGeometry:
    """Return the smallest rectangle around plan points; a line if they lie on one."""
    return MultiPoint(points).minimum_rotated_rectangle


def _section(triangles: FloatArray, height: float) -> BaseGeometry:
    """Cut a closed mesh horizontally and return the area inside."""
    # a cut through a vertex has no clear side: none lies exactly at the height that is used
    above = triangles[:, :, 2] > height
    cut_ones = triangles[above.any(axis=1) & ~above.all(axis=1)]
    if len(cut_ones) == 0:
        return MultiPolygon()
    side = cut_ones[:, :, 2] > height
    # the corner that is alone on its side comes first
    alone = np.where(side.sum(axis=1) == 1, side.argmax(axis=1), (~side).argmax(axis=1))
    rows = np.arange(len(cut_ones))
    a, b, c = (cut_ones[rows, (alone + k) % 3] for k in range(3))

    def between(p: FloatArray, q: FloatArray) -> FloatArray:
        t = (height - p[:, 2]) / (q[:, 2] - p[:, 2])
        met: FloatArray = p[:, :2] + t[:, None] * (q[:, :2] - p[:, :2])
        return met

    ends = np.stack([between(a, b), between(a, c)], axis=1)
    ends = ends[np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) > PRECISION]
    lines = shapely.union_all(shapely.linestrings(ends), grid_size=PRECISION)
    return shapely.build_area(lines)


def _clip(triangles: FloatArray, low: float, high: float) -> FloatArray:
    """Cut triangles to the part between two heights."""
    for height, sign in ((low, 1.0), (high, -1.0)):
        triangles = _above(triangles, height, sign)
    return triangles


def _above(triangles: FloatArray, height: float, sign: float) -> FloatArray:
    """Keep the part of triangles above a height (``sign=1``) or below it (``sign=-1``)."""
    over = sign * (triangles[:, :, 2] - height)
    inside = over >= 0.0
    count = inside.sum(axis=1)
    kept = [triangles[count == 3]]
    for n in (1, 2):
        some = triangles[count == n]
        if len(some) == 0:
            continue
        flag, d = inside[count == n], over[count == n]
        odd = flag.argmax(axis=1) if n == 1 else (~flag).argmax(axis=1)
        rows = np.arange(len(some))
        i, j, k = odd, (odd + 1) % 3, (odd + 2) % 3
        a, b, c = some[rows, i], some[rows, j], some[rows, k]
        da, db, dc = d[rows, i], d[rows, j], d[rows, k]
        ab = a + (da / (da - db))[:, None] * (b - a)
        ac = a + (da / (da - dc))[:, None] * (c - a)
        if n == 1:
            kept.append(np.stack([a, ab, ac], axis=1))
        else:
            kept += [np.stack([ab, b, c], axis=1), np.stack([ab, c, ac], axis=1)]
    return np.concatenate(kept)


def cut(body: Body, low: float, high: float, *, exact_up_to: int = 4000) -> BaseGeometry:
    """Return the plan of what a body takes up between two heights, m.

    The plan of a solid within a slab of space is its section at the bottom and the projection
    of its faces within the slab. Bodies of more than `exact_up_to` triangles, and open ones
    without such a section, give the hull of their vertices instead.
    """
    triangles = body.vertices[body.faces]
    z = triangles[:, :, 2]
    near = triangles[(z.max(axis=1) >= low) & (z.min(axis=1) <= high)]
    if len(near) == 0:
        return MultiPolygon()
    clipped = _clip(near, low, high)
    if len(near) <= exact_up_to:
        area = shapely.union_all([_section(triangles, low), flat(clipped)], grid_size=PRECISION)
        if not area.is_empty:
            return area
    return MultiPoint(clipped.reshape(-1, 3)[:, :2]).convex_hull

"""Blocks: footprints extruded to closed, outward-oriented shells, all at once.

Caps are constrained Delaunay triangles of the footprint, walls two triangles for each of its
edges; every vertex is shared, so a block is a closed two-manifold by construction. Where rings
touch in a point, the point becomes one vertex for each side of it. Whether the triangles really
tile their polygon is counted, and the few that do not are listed in `failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

if TYPE_CHECKING:
    import trimesh

__all__ = ["GROUND", "ROOF", "WALL", "Solids", "extrude"]

GROUND, WALL, ROOF = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Solids:
    """Triangles of many blocks in one set of arrays.

    Parameters
    ----------
    vertices
        float32 ``[n, 3]``, m, relative to `origin`.
    faces
        int32 ``[m, 3]``, counter-clockwise seen from outside.
    face_owner
        int32 ``[m]``, position of the footprint that each face belongs to; ascending.
    face_kind
        uint8 ``[m]``, `GROUND`, `WALL` or `ROOF`.
    origin
        float64 ``[3]``, m, in the city's system.
    failed
        Positions of footprints of which no closed block can be made.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]
    face_owner: npt.NDArray[np.int32]
    face_kind: npt.NDArray[np.uint8]
    origin: npt.NDArray[np.float64]
    failed: tuple[int, ...] = ()

    def mesh(self) -> trimesh.Trimesh:
        """Return everything as one mesh in the city's system; vertices in float64."""
        import trimesh

        vertices = self.vertices.astype(np.float64) + self.origin
        return trimesh.Trimesh(vertices=vertices, faces=self.faces, process=False)


def extrude(
    footprints: npt.NDArray[Any],
    base: npt.ArrayLike,
    height: npt.ArrayLike,
) -> Solids:
    """Extrude footprints from `base` by `height`, in m, one value for each or one for all.

    Holes and several parts are kept. Positions of footprints that are invalid or without area are
    listed in `failed`.
    """
    shapes = np.asarray(footprints, dtype=object)
    bottom = np.broadcast_to(np.asarray(base, float), shapes.shape)
    top = bottom + np.asarray(height, float)
    parts, owner = shapely.get_parts(shapes, return_index=True)
    sound = shapely.is_valid(parts) & (shapely.area(parts) > 0)
    failed = set(owner[~sound].tolist())
    parts, owner = parts[sound], owner[sound]
    holed = shapely.get_num_interior_rings(parts) > 0
    # an overlay puts a vertex where a hole touches an edge
    parts[holed] = shapely.intersection(parts[holed], shapely.envelope(parts[holed]))
    parts = shapely.orient_polygons(parts)  # shells counter-clockwise, holes clockwise
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    xy, vertex_ring = shapely.get_coordinates(rings, return_index=True)

    # rings repeat their first point at the end: drop it, and join each vertex to the next
    last = np.append(vertex_ring[1:] != vertex_ring[:-1], True) if len(xy) else np.zeros(0, bool)
    xy, vertex_ring = xy[~last], vertex_ring[~last]
    count = np.bincount(vertex_ring, minlength=len(rings))
    first = np.cumsum(count) - count
    following = np.arange(len(xy)) + 1
    following[first + count - 1] = first
    vertex_part = ring_part[vertex_ring]

    caps, cap_part, touching = _caps(parts, xy, vertex_part)
    _part_at_touching_points(xy, following, caps, cap_part, vertex_part, touching)
    # a polygon of n vertices and h holes has n + 2 h - 2 triangles that fill its area
    vertices_of = np.bincount(vertex_part, minlength=len(parts))
    expected = vertices_of + 2 * shapely.get_num_interior_rings(parts) - 2
    for group in touching:  # each joins two rings into one
        expected[vertex_part[group[0]]] -= 2 * (len(group) - 1)
    corner = xy[caps]
    a, b = (corner[:, 1] - corner[:, 0]).T, (corner[:, 2] - corner[:, 0]).T
    doubled = a[0] * b[1] - a[1] * b[0]  # twice the area, positive counter-clockwise
    area = shapely.area(parts)
    filled = np.bincount(cap_part, np.abs(doubled) / 2, minlength=len(parts))
    whole = (np.bincount(cap_part, minlength=len(parts)) == expected) & (
        np.abs(filled - area) <= 1e-6 * area
    )
    caps = np.where((doubled < 0)[:, np.newaxis], caps[:, ::-1], caps)  # counter-clockwise
    caps, cap_part = caps[whole[cap_part]], cap_part[whole[cap_part]]
    edge = np.flatnonzero(whole[vertex_part])

    n = len(xy)
    low, high = edge, edge + n
    next_low, next_high = following[edge], following[edge] + n
    faces = np.concatenate(
        [
            caps[:, ::-1],
            np.column_stack([low, next_low, next_high]),
            np.column_stack([low, next_high, high]),
            caps + n,
        ]
    )
    kind = np.repeat(
        np.array([GROUND, WALL, ROOF], np.uint8), [len(caps), 2 * len(edge), len(caps)]
    )
    face_owner = owner[np.concatenate([cap_part, vertex_part[edge], vertex_part[edge], cap_part])]
    order = np.argsort(face_owner, kind="stable")

    vertex_owner = owner[vertex_part]
    xyz = np.concatenate(
        [np.column_stack([xy, bottom[vertex_owner]]), np.column_stack([xy, top[vertex_owner]])]
    )
    origin = np.floor((xyz.min(axis=0) + xyz.max(axis=0)) / 2) if n else np.zeros(3)
    return Solids(
        vertices=(xyz - origin).astype(np.float32),
        faces=faces[order].astype(np.int32),
        face_owner=face_owner[order].astype(np.int32),
        face_kind=kind[order],
        origin=origin,
        failed=tuple(sorted(failed.union(owner[~whole].tolist()))),
    )


def _caps(
    parts: npt.NDArray[Any], xy: npt.NDArray[np.float64], vertex_part: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
    """Triangulate polygons.

    Returns
    -------
    caps
        Vertex numbers ``[triangle, 3]``.
    part
        Part of each triangle.
    touching
        Groups of vertices of one part that lie in the same point.
    """
    # each triangle is a closed ring of four points
    corners, corner_part = shapely.get_coordinates(
        shapely.constrained_delaunay_triangles(parts), return_index=True
    )
    corners, part = corners.reshape(-1, 4, 2)[:, :3].reshape(-1, 2), corner_part[::4]
    corner_part = np.repeat(part, 3)
    # corners are exact copies of vertices: sorted together by part and place, each corner finds
    # its vertex at the head of its group
    places = np.concatenate([xy, corners])
    parts_of = np.concatenate([vertex_part, corner_part])
    order = np.lexsort((places[:, 1], places[:, 0], parts_of))
    ordered, ordered_part = places[order], parts_of[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(ordered_part) != 0) | (np.diff(ordered, axis=0) != 0).any(axis=1)
    group = np.cumsum(fresh) - 1
    vertex = np.empty(len(order), np.int64)
    vertex[order] = order[np.flatnonzero(fresh)[group]]
    own = order < len(xy)
    members = np.bincount(group[own], minlength=1)
    several = np.flatnonzero(members > 1)
    slices = zip(
        *(np.searchsorted(group, several, side) for side in ("left", "right")), strict=True
    )
    touching = [order[i:k][own[i:k]] for i, k in slices]
    return vertex[len(xy) :].reshape(-1, 3), part, touching


def _part_at_touching_points(
    xy: npt.NDArray[np.float64],
    following: npt.NDArray[np.int64],
    caps: npt.NDArray[np.int64],
    cap_part: npt.NDArray[np.int64],
    vertex_part: npt.NDArray[np.int64],
    touching: list[npt.NDArray[np.int64]],
) -> None:
    """Give each wedge of the inside around a point where rings touch a vertex of its own.

    The inside lies left of every edge, so a wedge reaches from an outgoing edge counter-clockwise
    to the next incoming one. The vertex that the outgoing edge starts from is its vertex: the
    incoming edge is led to it (in `following`), and so are the triangles within (in `caps`).
    """
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    after = following.copy()
    for group in touching:
        point = xy[group[0]]
        start = _angle(xy[after[group]] - point)
        incoming = before[group]
        for k, angle in zip(incoming, _angle(xy[incoming] - point), strict=True):
            following[k] = group[np.argmin((angle - start) % (2 * np.pi))]
        first, last = np.searchsorted(cap_part, vertex_part[group[0]] + np.array([0, 1]))
        near = caps[first:last]  # a view: the triangles of the part
        triangle, corner = np.nonzero(np.isin(near, group))
        middle = xy[near[triangle]].mean(axis=1)
        turn = (_angle(middle - point)[:, np.newaxis] - start) % (2 * np.pi)
        near[triangle, corner] = group[np.argmin(turn, axis=1)]


def _angle(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    angles: npt.NDArray[np.float64] = np.arctan2(vectors[:, 1], vectors[:, 0])
    return angles

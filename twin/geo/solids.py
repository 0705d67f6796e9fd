"""Blocks: footprints extruded to closed, outward-oriented shells, all at once.

Caps are constrained Delaunay triangles of the footprint, walls two triangles for each of its
edges; every vertex is shared, so a block is a closed two-manifold by construction. Whether the
triangles really tile their polygon is counted, and the few that do not are listed in `failed`.
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

# how far polygons are shrunk whose rings touch at a point, which no two-manifold can have, m
_APART = 1e-3


@dataclass(frozen=True)
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
    """Extrude footprints from `base` by `height`, both in m, one value for each.

    Holes and several parts are kept. A part whose rings touch at a point is shrunk by a
    millimetre, since no closed two-manifold has such an edge.
    """
    bottom = np.asarray(base, float)
    top = bottom + np.asarray(height, float)
    parts, owner = shapely.get_parts(np.asarray(footprints, dtype=object), return_index=True)
    parts, owner = _without_touching_rings(parts, owner)
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

    caps, cap_part = _caps(parts, xy, vertex_part)
    # a polygon of n vertices and h holes has n + 2 h - 2 triangles that fill its area
    vertices_of = np.bincount(vertex_part, minlength=len(parts))
    expected = vertices_of + 2 * shapely.get_num_interior_rings(parts) - 2
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
        failed=tuple(int(k) for k in np.unique(owner[~whole])),
    )


def _without_touching_rings(
    parts: npt.NDArray[Any], owner: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Shrink the parts in which a point occurs twice, so that their rings come apart."""
    xy, part = shapely.get_coordinates(shapely.boundary(parts), return_index=True)
    holed = shapely.get_num_interior_rings(parts) > 0
    suspect = holed[part]
    xy, part = xy[suspect], part[suspect]
    closed = shapely.get_num_interior_rings(parts) + 1  # each ring repeats its first point
    order = np.lexsort((xy[:, 1], xy[:, 0], part))
    xy, part = xy[order], part[order]
    same = (np.diff(part) == 0) & (np.diff(xy, axis=0) == 0).all(axis=1)
    repeats = np.bincount(part[1:][same], minlength=len(parts))
    touching = holed & (repeats > closed)
    if not touching.any():
        return parts, owner
    shrunk = shapely.buffer(parts[touching], -_APART, join_style="mitre")
    pieces, place = shapely.get_parts(shrunk, return_index=True)
    return (
        np.concatenate([parts[~touching], pieces]),
        np.concatenate([owner[~touching], owner[touching][place]]),
    )


def _caps(
    parts: npt.NDArray[Any], xy: npt.NDArray[np.float64], vertex_part: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Triangulate polygons; return vertex numbers ``[triangle, 3]`` and the part of each."""
    triangles, part = shapely.get_parts(
        shapely.constrained_delaunay_triangles(parts), return_index=True
    )
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3].reshape(-1, 2)
    corner_part = np.repeat(part, 3)
    # corners are exact copies of vertices: sort both together by part and place, and each corner
    # finds its vertex at the head of its group
    places = np.concatenate([xy, corners])
    parts_of = np.concatenate([vertex_part, corner_part])
    order = np.lexsort((places[:, 1], places[:, 0], parts_of))
    ordered, ordered_part = places[order], parts_of[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(ordered_part) != 0) | (np.diff(ordered, axis=0) != 0).any(axis=1)
    head = order[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]]
    vertex = np.empty(len(order), np.int64)
    vertex[order] = head
    return vertex[len(xy) :].reshape(-1, 3), part

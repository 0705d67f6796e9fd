"""Triangles for what lies on the ground: streets, areas, walls. NumPy and shapely only.

Coordinates are metres in the stage's local frame; `height` is a function that answers the ground's
elevation at points (x, y).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Mesh", "areas", "draped", "hillshade", "lathe", "ribbons", "skirt", "walls"]

FloatArray = npt.NDArray[np.float64]
#: Any sequence of shapely geometries.
Shapes = Sequence[Any] | npt.NDArray[Any]
Height = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Mesh:
    """Triangles, each of which belongs to one object.

    Parameters
    ----------
    vertices
        float32[n, 3], local metres.
    faces
        int32[m, 3].
    owner
        int32[m], position of the object among those the mesh was made from.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]

    @classmethod
    def of(cls, vertices: npt.ArrayLike, faces: npt.ArrayLike, owner: npt.ArrayLike) -> Mesh:
        """Make a mesh from whatever numbers there are."""
        return cls(
            np.ascontiguousarray(vertices, dtype=np.float32).reshape(-1, 3),
            np.ascontiguousarray(faces, dtype=np.int32).reshape(-1, 3),
            np.ascontiguousarray(owner, dtype=np.int32).reshape(-1),
        )

    @classmethod
    def join(cls, meshes: Sequence[Mesh]) -> Mesh:
        """Put meshes into one; owners keep their numbers."""
        if not meshes:
            return cls.of([], [], [])
        starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
        return cls.of(
            np.concatenate([m.vertices for m in meshes]),
            np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
            np.concatenate([m.owner for m in meshes]),
        )


def _stations(lines: Shapes, step: float) -> tuple[FloatArray, npt.NDArray[np.int64], Any]:
    """Return points every `step` metres along all lines, the object of each, and its piece."""
    import shapely

    pieces, owner = shapely.get_parts(np.asarray(lines, dtype=object), return_index=True)
    pieces = shapely.segmentize(shapely.force_2d(pieces), step)
    points, piece = shapely.get_coordinates(pieces, return_index=True)
    return points, np.asarray(owner, dtype=np.int64)[piece], piece


def ribbons(
    lines: Shapes,
    widths: npt.ArrayLike,
    height: Height,
    *,
    step: float = 10.0,
    lift: float = 0.0,
) -> Mesh:
    """Lay a ribbon of some width (m) along each line on the ground, `lift` metres above it."""
    if len(lines) == 0:
        return Mesh.of([], [], [])
    points, owner, piece = _stations(lines, step)
    half = np.asarray(widths, float)[owner, None] / 2
    same = piece[1:] == piece[:-1]
    along = np.diff(points, axis=0)
    length = np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    unit = np.where(same[:, None], along / length, 0.0)
    # the mean of the two directions that meet in a point, so that bends stay closed
    direction = np.zeros_like(points)
    direction[:-1] += unit
    direction[1:] += unit
    norm = np.maximum(np.hypot(*direction.T), 1e-9)[:, None]
    direction /= norm
    # at a bend of the angle a, |sum of both| = 2 cos(a / 2); the mitre is 1 / cos(a / 2) long
    both = (np.r_[same, False] & np.r_[False, same])[:, None]
    mitre = np.where(both, np.minimum(2 / norm, 2.0), 1.0)
    normal = np.column_stack([-direction[:, 1], direction[:, 0]]) * half * mitre
    sides = np.stack([points + normal, points - normal], axis=1).reshape(-1, 2)
    z = height(sides[:, 0], sides[:, 1]) + lift
    first = 2 * np.nonzero(same)[0]
    quads = np.column_stack([first, first + 1, first + 3, first + 2])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Mesh.of(np.column_stack([sides, z]), faces, np.tile(owner[np.nonzero(same)[0]], 2))


def walls(lines: Shapes, tops: npt.ArrayLike, height: Height, *, thickness: float = 2.0) -> Mesh:
    """Stand a wall on each line, from half a metre under the ground to its top (m)."""
    if len(lines) == 0:
        return Mesh.of([], [], [])
    points, owner, piece = _stations(lines, 10.0)
    ground = height(points[:, 0], points[:, 1])
    top = np.fmax(np.asarray(tops, float)[owner], ground + 0.2)
    crown = ribbons(lines, np.full(len(lines), thickness), lambda x, y: np.repeat(top, 2))
    low = np.repeat(ground - 0.5, 2)
    upper, count = crown.vertices, len(crown.vertices)
    lower = np.column_stack([upper[:, :2], low])
    first = 2 * np.nonzero(piece[1:] == piece[:-1])[0]
    faces = [crown.faces]
    for side in (0, 1):
        a, b = first + side, first + side + 2
        faces += [np.column_stack([a, b, b + count]), np.column_stack([a, b + count, a + count])]
    last = np.r_[piece[1:] != piece[:-1], True]
    ends = 2 * np.nonzero(last | np.r_[True, last[:-1]])[0]
    faces += [
        np.column_stack([ends, ends + 1, ends + 1 + count]),
        np.column_stack([ends, ends + 1 + count, ends + count]),
    ]
    along = owner[np.nonzero(piece[1:] == piece[:-1])[0]]
    owners = np.concatenate([np.tile(along, 6), np.tile(owner[ends // 2], 2)])
    return Mesh.of(np.concatenate([upper, lower]), np.concatenate(faces), owners)


def areas(polygons: Shapes, z: npt.ArrayLike) -> Mesh:
    """Fill each polygon flat at its elevation `z`, m."""
    import mapbox_earcut
    import shapely

    meshes = []
    levels = np.broadcast_to(np.asarray(z, float), (len(polygons),))
    parts, owners = shapely.get_parts(np.asarray(polygons, dtype=object), return_index=True)
    for part, owner in zip(parts, owners, strict=True):
        if part.is_empty:
            continue
        rings = [part.exterior, *part.interiors]
        points = [np.asarray(r.coords)[:-1, :2] for r in rings]
        ends = np.cumsum([len(p) for p in points]).astype(np.uint32)
        flat = np.concatenate(points)
        faces = mapbox_earcut.triangulate_float64(flat, ends).reshape(-1, 3)
        vertices = np.column_stack([flat, np.full(len(flat), levels[owner])])
        meshes.append(Mesh.of(vertices, faces, np.full(len(faces), owner)))
    return Mesh.join(meshes)


def draped(polygons: Shapes, height: Height, *, step: float = 10.0, lift: float = 0.0) -> Mesh:
    """Lay each polygon on the ground, in pieces of at most `step` metres, `lift` metres above."""
    import shapely

    meshes = []
    for owner, polygon in enumerate(polygons):
        west, south, east, north = polygon.bounds
        size = max(step, np.sqrt((east - west) * (north - south)) / 60)
        x, y = np.meshgrid(np.arange(west, east, size), np.arange(south, north, size))
        tiles = shapely.intersection(polygon, shapely.box(x, y, x + size, y + size).ravel())
        parts = shapely.get_parts(shapely.get_parts(tiles))
        flat = areas(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON], 0.0)
        vertices = flat.vertices.astype(float)
        vertices[:, 2] = height(vertices[:, 0], vertices[:, 1]) + lift
        meshes.append(Mesh.of(vertices, flat.faces, np.full(len(flat.faces), owner)))
    return Mesh.join(meshes)


def skirt(vertices: npt.NDArray[np.float32], base: float) -> Mesh:
    """Hang a curtain from the rim of a rectangular surface down to `base`, m.

    The rim is taken from the surface's own vertices, so that no gap shows.
    """
    curtains = []
    for axis, end in ((0, np.min), (0, np.max), (1, np.min), (1, np.max)):
        along = vertices[:, axis]
        rim = vertices[np.abs(along - end(along)) < 1e-3]
        upper = rim[np.argsort(rim[:, 1 - axis])]
        lower = upper.copy()
        lower[:, 2] = base
        n, a = len(upper), np.arange(len(upper) - 1)
        faces = [np.column_stack([a, a + 1, a + 1 + n]), np.column_stack([a, a + 1 + n, a + n])]
        mesh = np.concatenate([upper, lower])
        curtains.append(Mesh.of(mesh, np.concatenate(faces), np.zeros(2 * len(a))))
    return Mesh.join(curtains)


def lathe(outline: Sequence[tuple[float, float]], sides: int) -> Mesh:
    """Turn an outline of (height, radius), m, about the vertical axis."""
    z, radius = np.asarray(outline, float).T
    angle = np.linspace(0.0, 2 * np.pi, sides, endpoint=False)
    rings = np.stack(
        [
            np.outer(radius, np.cos(angle)),
            np.outer(radius, np.sin(angle)),
            np.repeat(z[:, None], sides, 1),
        ],
        axis=-1,
    )
    number = np.arange(len(z) * sides).reshape(len(z), sides)
    a, b = number[:-1], np.roll(number, -1, axis=1)[:-1]
    c, d = np.roll(number, -1, axis=1)[1:], number[1:]
    faces = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return Mesh.of(rings.reshape(-1, 3), faces, np.zeros(len(faces)))


def hillshade(
    elevation: npt.NDArray[Any], cell: float, *, exaggeration: float = 2.0
) -> npt.NDArray[np.float32]:
    """Return how bright each cell is, 0 to 1, lit from the north-west at 45° (row 0 north).

    Horn (1981), "Hill shading and the reflectance map".
    """
    south, east = np.gradient(np.asarray(elevation, np.float32) * exaggeration, cell)
    azimuth, altitude = np.deg2rad(315.0), np.deg2rad(45.0)
    light = np.array(
        [
            np.sin(azimuth) * np.cos(altitude),
            np.cos(azimuth) * np.cos(altitude),
            np.sin(altitude),
        ]
    )
    # the surface's normal is (-dz/dx, -dz/dy, 1), and y grows to the north
    shade = (-east * light[0] + south * light[1] + light[2]) / np.sqrt(east**2 + south**2 + 1)
    return np.clip(np.nan_to_num(shade, nan=light[2]), 0, 1).astype(np.float32)

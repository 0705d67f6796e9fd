"""Where people can walk: surfaces in plan, and the links by which they join.

A `Surface` is a polygon in true plan coordinates with a plane of elevations. Surfaces may lie above
one another. Two surfaces join along a `Link`, a stretch of edge that both have: whoever steps
across it stands on the other surface, with the same coordinates. Every other stretch of a
surface's edge is a wall.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon

from twin.errors import GeometryError

__all__ = ["Edges", "Link", "Surface", "cut_edges", "find_links"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: How far a link may lie off the edge of its surfaces and still be on it, m.
LINK_TOLERANCE = 0.05
#: The shortest stretch of common edge that is taken for a link, m.
SHORTEST_LINK = 0.3
#: By how much the elevations of two surfaces may differ where they join, m.
LINK_STEP = 0.25


@dataclass(frozen=True)
class Surface:
    """A place to walk on.

    Parameters
    ----------
    name
        Unique among the surfaces of a model.
    polygon
        Plan of the walkable area, m; holes are obstacles.
    elevation
        A height, or the coefficients (a, b, c) of the plane a + b x + c y; m.
    speed_factor
        Walking speed here as a share of the speed on level ground, above 0 and at most 1.
    kind
        "level", "stair" or "outdoor".
    """

    name: str
    polygon: Polygon | MultiPolygon
    elevation: float | tuple[float, float, float] = 0.0
    speed_factor: float = 1.0
    kind: Literal["level", "stair", "outdoor"] = "level"

    def __post_init__(self) -> None:
        shape = self.polygon
        polygonal = isinstance(shape, Polygon | MultiPolygon) and not shape.is_empty
        if polygonal and not shape.is_valid:
            raise GeometryError(
                f"The polygon of surface {self.name!r} is not valid: "
                f"{shapely.is_valid_reason(shape)}. shapely.make_valid() may mend it."
            )
        if not polygonal or shape.area <= 0:
            raise GeometryError(
                f"The walkable area of surface {self.name!r} must be a polygon with an area, "
                f"not {str(shape)[:80]!r}."
            )
        if not 0.0 < self.speed_factor <= 1.0:
            raise GeometryError(
                f"Surface {self.name!r} has speed_factor {self.speed_factor!r}; it must be above 0 "
                "and at most 1 (leave out what cannot be walked on)."
            )

    @property
    def plane(self) -> tuple[float, float, float]:
        """The coefficients (a, b, c) of the elevation a + b x + c y, m."""
        if isinstance(self.elevation, tuple):
            return self.elevation
        return (float(self.elevation), 0.0, 0.0)

    def height(self, x: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
        """Return the elevation at points, m."""
        a, b, c = self.plane
        return a + b * np.asarray(x, float) + c * np.asarray(y, float)


@dataclass(frozen=True)
class Link:
    """A stretch of edge that two surfaces, given by name, have in common."""

    first: str
    second: str
    line: LineString
    name: str = ""


class Edges(NamedTuple):
    """Straight pieces of the surfaces' edges, one a row.

    `surface` is the index of the piece's surface, `to` that of the surface on the other side or -1
    for a wall, `link` the index of the link or -1.
    """

    ax: FloatArray
    ay: FloatArray
    bx: FloatArray
    by: FloatArray
    surface: IntArray
    to: IntArray
    link: IntArray


def _ring_segments(shape: Polygon | MultiPolygon) -> FloatArray:
    """Return the edges of all rings as rows (ax, ay, bx, by)."""
    pieces = []
    for polygon in getattr(shape, "geoms", [shape]):
        for ring in (polygon.exterior, *polygon.interiors):
            xy = shapely.get_coordinates(ring)
            pieces.append(np.hstack([xy[:-1], xy[1:]]))
    segments = np.vstack(pieces)
    return segments[np.hypot(*(segments[:, 2:] - segments[:, :2]).T) > 0.0]


def _overlaps(edges: FloatArray, lines: FloatArray) -> Iterator[tuple[int, int, float, float]]:
    """Yield (edge, line, t0, t1): where a line lies along an edge, metres from the edge's start."""
    low = np.minimum(lines[:, :2], lines[:, 2:]).min(axis=0) - LINK_TOLERANCE
    high = np.maximum(lines[:, :2], lines[:, 2:]).max(axis=0) + LINK_TOLERANCE
    near = np.all(np.maximum(edges[:, :2], edges[:, 2:]) >= low, axis=1)
    near &= np.all(np.minimum(edges[:, :2], edges[:, 2:]) <= high, axis=1)
    for k in np.flatnonzero(near):
        start, along = edges[k, :2], edges[k, 2:] - edges[k, :2]
        length = float(np.hypot(*along))
        along = along / length
        across = np.array([-along[1], along[0]])
        ends = lines.reshape(-1, 2, 2) - start
        off = np.abs(ends @ across).max(axis=1)
        t = np.sort(ends @ along, axis=1)
        t0, t1 = np.maximum(t[:, 0], 0.0), np.minimum(t[:, 1], length)
        # an end of the line that all but reaches the end of the edge does reach it
        t0 = np.where(t0 < LINK_TOLERANCE, 0.0, t0)
        t1 = np.where(t1 > length - LINK_TOLERANCE, length, t1)
        for m in np.flatnonzero((off <= LINK_TOLERANCE) & (t1 - t0 > LINK_TOLERANCE)):
            yield int(k), int(m), float(t0[m]), float(t1[m])


def find_links(surfaces: Sequence[Surface]) -> list[Link]:
    """Find where surfaces share a stretch of edge at the same elevation.

    A common edge shorter than 0.3 m, or whose elevations differ by more than 0.25 m, is a wall on
    both sides.
    """
    links = []
    shapes = [s.polygon for s in surfaces]
    tree = shapely.STRtree(shapes)
    left, right = tree.query(shapes, predicate="dwithin", distance=LINK_TOLERANCE)
    rings = [_ring_segments(shape) for shape in shapes]
    for i, j in sorted(zip(left.tolist(), right.tolist(), strict=True)):
        if i >= j:
            continue
        for k, _, t0, t1 in _overlaps(rings[i], rings[j]):
            start, end = rings[i][k, :2], rings[i][k, 2:]
            along = (end - start) / math.dist(start, end)
            p, q = start + t0 * along, start + t1 * along
            xy = np.array([p, q])
            step = np.abs(surfaces[i].height(*xy.T) - surfaces[j].height(*xy.T)).max()
            if t1 - t0 >= SHORTEST_LINK and step <= LINK_STEP:
                links.append(Link(surfaces[i].name, surfaces[j].name, LineString(xy)))
    return links


def cut_edges(surfaces: Sequence[Surface], links: Sequence[Link]) -> Edges:
    """Cut the edges of all surfaces into walls and links.

    Raises
    ------
    GeometryError
        If a link names a surface that is not there, or does not lie on the edge of one of its two.
    """
    index = {s.name: k for k, s in enumerate(surfaces)}
    rows: list[tuple[float, float, float, float, int, int, int]] = []
    lines: list[list[tuple[int, int, FloatArray]]] = [[] for _ in surfaces]
    for n, link in enumerate(links):
        for here, there in ((link.first, link.second), (link.second, link.first)):
            if here not in index:
                raise GeometryError(f"Link {n} joins {here!r}, which is no surface of this model.")
            xy = shapely.get_coordinates(link.line)
            lines[index[here]].append((n, index.get(there, -1), np.hstack([xy[:-1], xy[1:]])))
    for k, surface in enumerate(surfaces):
        segments = _ring_segments(surface.polygon)
        openings: dict[int, list[tuple[float, float, int, int]]] = {}
        for n, to, line in lines[k]:
            found = False
            for edge, _, t0, t1 in _overlaps(segments, line):
                openings.setdefault(edge, []).append((t0, t1, to, n))
                found = True
            if not found:
                x, y = links[n].line.coords[0]
                raise GeometryError(
                    f"The link {links[n].first!r}–{links[n].second!r} near ({x:.2f}, {y:.2f}) does "
                    f"not lie on the edge of {surface.name!r} (within {LINK_TOLERANCE} m)."
                )
        for edge, (ax, ay, bx, by) in enumerate(segments.tolist()):
            length = math.hypot(bx - ax, by - ay)
            ux, uy = (bx - ax) / length, (by - ay) / length
            done, point = 0.0, (ax, ay)
            for t0, t1, to, n in sorted(openings.get(edge, [])):
                if t1 <= done:
                    continue
                if t0 > done:
                    corner = (ax + ux * t0, ay + uy * t0)
                    rows.append((*point, *corner, k, -1, -1))
                    point = corner
                corner = (ax + ux * t1, ay + uy * t1) if t1 < length else (bx, by)
                rows.append((*point, *corner, k, to, n))
                done, point = t1, corner
            if done < length:
                rows.append((*point, bx, by, k, -1, -1))
    table = np.array(rows)
    floats = [np.ascontiguousarray(table[:, c]) for c in range(4)]
    ints = [np.ascontiguousarray(table[:, c].astype(np.int64)) for c in range(4, 7)]
    return Edges(*floats, *ints)

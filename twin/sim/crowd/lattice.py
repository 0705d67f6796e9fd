"""Surfaces as cells: one lattice of squares, a window of it for each surface, joined at the links.

All windows are cut from one lattice, so that a cell keeps its place on whichever surface it is
looked at. Cells of all windows are numbered in one row, ``first[s] + j * cols[s] + i`` with i
counting eastwards and j northwards; these numbers stay inside the crowd room. A window has a margin
of cells that belong to nobody, hence no neighbour of a walkable cell lies outside it.

Beyond a link a surface owns a few *halo* cells: the same lattice cells of the surface on the other
side. Whatever is known at the owner is copied to them, so that fields run across links without a
seam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from numba import njit

from twin.sim.crowd.surfaces import Edges, Link, Surface

__all__ = [
    "EAST",
    "HALO",
    "INSIDE",
    "NORTH",
    "OUTSIDE",
    "SOUTH",
    "WALL_REACH",
    "WEST",
    "Lattice",
    "build_lattice",
    "cell_centres",
]

FloatArray = npt.NDArray[np.float64]

OUTSIDE, INSIDE, HALO = 0, 1, 2
EAST, NORTH, WEST, SOUTH = 1, 2, 4, 8
#: Walls farther from a walker than this are not looked at, m.
WALL_REACH = 1.3
_MARGIN = 3
_HALO_DEPTH = 2.5


class Lattice(NamedTuple):
    """Cells of all surfaces, and the pieces of edge near each.

    Attributes
    ----------
    cell_size
        m.
    west, south, cols, rows, first
        One value per surface: corner of its window (m), its size in cells, its first cell.
    surface
        Surface of each cell.
    status
        OUTSIDE, INSIDE (centre on the surface) or HALO, per cell.
    open
        Bits EAST, NORTH, WEST, SOUTH: no wall between the cell's centre and that neighbour's.
    owner
        Of a halo cell the cell on the other surface; of any other cell itself.
    copies, next_copy
        Linked list from a cell to the halo cells that it owns; -1 ends it.
    edge_start, edge_index
        The pieces of edge within `WALL_REACH` of cell c are ``edge_index[edge_start[c]:
        edge_start[c + 1]]``.
    ax, ay, bx, by, to, link
        Ends of the pieces (m), surface on the other side (-1: wall), index of the link (-1: none).
    """

    cell_size: float
    west: FloatArray
    south: FloatArray
    cols: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int16]
    status: npt.NDArray[np.uint8]
    open: npt.NDArray[np.uint8]
    owner: npt.NDArray[np.int32]
    copies: npt.NDArray[np.int32]
    next_copy: npt.NDArray[np.int32]
    edge_start: npt.NDArray[np.int32]
    edge_index: npt.NDArray[np.int32]
    ax: FloatArray
    ay: FloatArray
    bx: FloatArray
    by: FloatArray
    to: npt.NDArray[np.int64]
    link: npt.NDArray[np.int64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mark_inside(h, west, south, cols, rows, first, ax, ay, bx, by, status):  # type: ignore[no-untyped-def]
    """Mark the cells whose centre the closed edges enclose, by the parity of crossings westward."""
    for k in range(ax.size):
        low, high = min(ay[k], by[k]), max(ay[k], by[k])
        for j in range(
            max(0, int(math.floor((low - south) / h)) - 1),
            min(rows - 1, int(math.floor((high - south) / h)) + 1) + 1,
        ):
            yc = south + (j + 0.5) * h
            if (ay[k] <= yc) != (by[k] <= yc):
                xc = ax[k] + (yc - ay[k]) * (bx[k] - ax[k]) / (by[k] - ay[k])
                i = int(math.ceil((xc - west) / h - 0.5))
                status[first + j * cols + min(max(i, 0), cols - 1)] ^= 1
    for j in range(rows):
        parity = 0
        for i in range(cols):
            parity ^= status[first + j * cols + i]
            status[first + j * cols + i] = parity


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _close_faces(h, west, south, cols, rows, first, ax, ay, bx, by, faces):  # type: ignore[no-untyped-def]
    """Clear the bits of neighbours whose centres a wall keeps apart."""
    for k in range(ax.size):
        low, high = min(ay[k], by[k]), max(ay[k], by[k])
        for j in range(
            max(0, int(math.floor((low - south) / h)) - 1),
            min(rows - 1, int(math.floor((high - south) / h)) + 1) + 1,
        ):
            yc = south + (j + 0.5) * h
            if (ay[k] <= yc) != (by[k] <= yc):
                xc = ax[k] + (yc - ay[k]) * (bx[k] - ax[k]) / (by[k] - ay[k])
                i = int(math.ceil((xc - west) / h - 0.5))
                if 1 <= i < cols:
                    faces[first + j * cols + i] &= 255 - WEST
                    faces[first + j * cols + i - 1] &= 255 - EAST
        low, high = min(ax[k], bx[k]), max(ax[k], bx[k])
        for i in range(
            max(0, int(math.floor((low - west) / h)) - 1),
            min(cols - 1, int(math.floor((high - west) / h)) + 1) + 1,
        ):
            xc = west + (i + 0.5) * h
            if (ax[k] <= xc) != (bx[k] <= xc):
                yc = ay[k] + (xc - ax[k]) * (by[k] - ay[k]) / (bx[k] - ax[k])
                j = int(math.ceil((yc - south) / h - 0.5))
                if 1 <= j < rows:
                    faces[first + j * cols + i] &= 255 - SOUTH
                    faces[first + (j - 1) * cols + i] &= 255 - NORTH


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _index_edges(h, west, south, cols, rows, first, edges, ax, ay, bx, by, reach, fill, start, out):  # type: ignore[no-untyped-def]
    """Count (or, with `fill`, list) for each cell the edges within `reach` of its centre."""
    for n in range(edges.size):
        k = edges[n]
        dx, dy = bx[k] - ax[k], by[k] - ay[k]
        length2 = dx * dx + dy * dy
        for j in range(
            max(0, int((min(ay[k], by[k]) - reach - south) / h) - 1),
            min(rows, int((max(ay[k], by[k]) + reach - south) / h) + 2),
        ):
            y = south + (j + 0.5) * h - ay[k]
            for i in range(
                max(0, int((min(ax[k], bx[k]) - reach - west) / h) - 1),
                min(cols, int((max(ax[k], bx[k]) + reach - west) / h) + 2),
            ):
                x = west + (i + 0.5) * h - ax[k]
                t = min(max((x * dx + y * dy) / length2, 0.0), 1.0)
                if (x - t * dx) ** 2 + (y - t * dy) ** 2 <= reach * reach:
                    c = first + j * cols + i
                    if fill:
                        out[start[c]] = k
                        start[c] += 1
                    else:
                        start[c + 1] += 1


def _walls_beyond_links(
    surfaces: Sequence[Surface], links: Sequence[Link], edges: Edges
) -> list[tuple[int, FloatArray]]:
    """Return for each side of each link the walls of the other surface that are near the link."""
    index = {s.name: k for k, s in enumerate(surfaces)}
    found = []
    for link in links:
        near = link.line.buffer(WALL_REACH + 0.5)
        for here, there in ((link.first, link.second), (link.second, link.first)):
            mine = (edges.surface == index[there]) & (edges.to < 0)
            ends = np.stack([edges.ax, edges.ay, edges.bx, edges.by], axis=1)[mine]
            walls = shapely.linestrings(ends.reshape(-1, 2, 2))
            walls = walls[shapely.intersects(walls, near)]
            pieces = shapely.difference(
                shapely.intersection(walls, near), surfaces[index[here]].polygon
            )
            lines = [p for p in shapely.get_parts(pieces) if p.geom_type == "LineString"]
            segments = [
                np.hstack([xy[:-1], xy[1:]])
                for xy in (shapely.get_coordinates(p) for p in lines if p.length > 1e-6)
            ]
            if segments:
                found.append((index[here], np.vstack(segments)))
    return found


def _join_halo(
    lattice: Lattice, surfaces: Sequence[Surface], links: Sequence[Link], origin: tuple[float, ...]
) -> None:
    """Make halo cells beyond the links and tie them to their owners."""
    h = lattice.cell_size
    index = {s.name: k for k, s in enumerate(surfaces)}
    for link in links:
        for a, b in ((link.first, link.second), (link.second, link.first)):
            s, t = index[a], index[b]
            west, south, east, north = link.line.buffer(_HALO_DEPTH * h).bounds
            i = np.arange(math.floor((west - origin[0]) / h), math.ceil((east - origin[0]) / h))
            j = np.arange(math.floor((south - origin[1]) / h), math.ceil((north - origin[1]) / h))
            ii, jj = (m.ravel() for m in np.meshgrid(i, j))
            centres = shapely.points(origin[0] + (ii + 0.5) * h, origin[1] + (jj + 0.5) * h)
            near = shapely.dwithin(link.line, centres, _HALO_DEPTH * h)
            cells = []
            for k in (s, t):
                i0 = round((lattice.west[k] - origin[0]) / h)
                j0 = round((lattice.south[k] - origin[1]) / h)
                ki, kj = ii - i0, jj - j0
                near &= (ki >= 1) & (ki < lattice.cols[k] - 1)
                near &= (kj >= 1) & (kj < lattice.rows[k] - 1)
                cells.append(lattice.first[k] + kj * lattice.cols[k] + ki)
            mine, theirs = cells[0][near], cells[1][near]
            pair = (lattice.status[mine] == OUTSIDE) & (lattice.status[theirs] == INSIDE)
            for halo, owner in zip(mine[pair], theirs[pair], strict=True):
                lattice.status[halo] = HALO
                lattice.owner[halo] = owner
                lattice.next_copy[halo] = lattice.copies[owner]
                lattice.copies[owner] = halo


def build_lattice(
    surfaces: Sequence[Surface], links: Sequence[Link], edges: Edges, cell_size: float
) -> Lattice:
    """Lay a lattice of cells of `cell_size` metres over the surfaces and join it at the links."""
    h = float(cell_size)
    boxes = np.array([s.polygon.bounds for s in surfaces])
    origin = (math.floor(boxes[:, 0].min()), math.floor(boxes[:, 1].min()))
    i0 = np.floor((boxes[:, 0] - origin[0]) / h).astype(np.int64) - _MARGIN
    j0 = np.floor((boxes[:, 1] - origin[1]) / h).astype(np.int64) - _MARGIN
    cols = np.ceil((boxes[:, 2] - origin[0]) / h).astype(np.int64) + _MARGIN - i0
    rows = np.ceil((boxes[:, 3] - origin[1]) / h).astype(np.int64) + _MARGIN - j0
    first = np.concatenate([[0], np.cumsum(rows * cols)])
    count = int(first[-1])

    ends = [edges.ax, edges.ay, edges.bx, edges.by]
    extra = _walls_beyond_links(surfaces, links, edges)
    added = np.vstack([s for _, s in extra]) if extra else np.empty((0, 4))
    all_ends = [np.concatenate([e, added[:, c]]) for c, e in enumerate(ends)]
    none = np.full(len(added), -1, np.int64)
    owners = [edges.surface, *(np.full(len(s), k, np.int64) for k, s in extra)]
    of_surface = np.concatenate(owners)
    lattice = Lattice(
        cell_size=h,
        west=origin[0] + i0 * h,
        south=origin[1] + j0 * h,
        cols=cols,
        rows=rows,
        first=first[:-1].copy(),
        surface=np.repeat(np.arange(len(surfaces), dtype=np.int16), rows * cols),
        status=np.zeros(count, np.uint8),
        open=np.full(count, EAST | NORTH | WEST | SOUTH, np.uint8),
        owner=np.arange(count, dtype=np.int32),
        copies=np.full(count, -1, np.int32),
        next_copy=np.full(count, -1, np.int32),
        edge_start=np.zeros(count + 1, np.int32),
        edge_index=np.empty(0, np.int32),
        ax=all_ends[0],
        ay=all_ends[1],
        bx=all_ends[2],
        by=all_ends[3],
        to=np.concatenate([edges.to, none]),
        link=np.concatenate([edges.link, none]),
    )
    windows = [
        (
            h,
            float(lattice.west[s]),
            float(lattice.south[s]),
            int(cols[s]),
            int(rows[s]),
            int(first[s]),
        )
        for s in range(len(surfaces))
    ]
    for s, window in enumerate(windows):
        own = edges.surface == s
        _mark_inside(*window, *(e[own] for e in ends), lattice.status)
        wall = (of_surface == s) & (lattice.to < 0)
        _close_faces(*window, *(e[wall] for e in all_ends), lattice.open)
    _join_halo(lattice, surfaces, links, origin)

    # the reach counts from anywhere in a cell, hence half a diagonal more from its centre
    reach = WALL_REACH + h * math.sqrt(0.5)
    start, nothing = lattice.edge_start, np.empty(0, np.int32)
    near = [np.flatnonzero(of_surface == s) for s in range(len(surfaces))]
    for s, window in enumerate(windows):
        _index_edges(*window, near[s], *all_ends, reach, False, start, nothing)
    np.cumsum(start, out=start)
    listed, cursor = np.empty(int(start[-1]), np.int32), start.copy()
    for s, window in enumerate(windows):
        _index_edges(*window, near[s], *all_ends, reach, True, cursor, listed)
    return lattice._replace(edge_index=listed)


def cell_centres(lattice: Lattice, surface: int) -> tuple[FloatArray, FloatArray]:
    """Return x and y of the centres of all cells of a surface's window, in their order, m."""
    h = lattice.cell_size
    x = lattice.west[surface] + (np.arange(lattice.cols[surface]) + 0.5) * h
    y = lattice.south[surface] + (np.arange(lattice.rows[surface]) + 0.5) * h
    xx, yy = np.meshgrid(x, y)
    return xx.ravel(), yy.ravel()

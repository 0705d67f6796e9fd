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
    "Ground",
    "Lattice",
    "build_lattice",
    "cell_centres",
]

FloatArray = npt.NDArray[np.float64]

OUTSIDE, INSIDE, HALO = 0, 1, 2
EAST, NORTH, WEST, SOUTH = 1, 2, 4, 8
#: Walls farther from a walker than this are not looked at, m.
WALL_REACH = 1.0
_MARGIN = 3
_HALO_DEPTH = 2.5


#: A surface's window of the lattice: corner (m), size in cells, number of its first cell.
WINDOW = np.dtype(
    [("west", "f8"), ("south", "f8"), ("cols", "i8"), ("rows", "i8"), ("first", "i8")]
)
#: A straight piece of edge: ends (m), surface on the other side (-1: wall), link (-1: none).
EDGE = np.dtype(
    [("ax", "f8"), ("ay", "f8"), ("bx", "f8"), ("by", "f8"), ("to", "i8"), ("link", "i8")]
)


class Ground(NamedTuple):
    """What a walker meets underfoot: windows, and the pieces of edge near each cell.

    The pieces within `WALL_REACH` of cell c are ``edges[edge_index[edge_start[c]:
    edge_start[c + 1]]]``.
    """

    cell_size: float
    windows: npt.NDArray[np.void]
    edges: npt.NDArray[np.void]
    edge_start: npt.NDArray[np.int32]
    edge_index: npt.NDArray[np.int32]


class Lattice(NamedTuple):
    """Cells of all surfaces, one value each.

    Attributes
    ----------
    cell_size
        m.
    stride
        Distance from a cell to its northern neighbour, per surface.
    surface
        Index of the surface.
    status
        OUTSIDE, INSIDE (centre on the surface) or HALO.
    open
        Bits EAST, NORTH, WEST, SOUTH: no wall between the cell's centre and that neighbour's.
    owner
        Of a halo cell the cell on the other surface; of any other cell itself.
    copies, next_copy
        Linked list from a cell to the halo cells that it owns; -1 ends it.
    """

    cell_size: float
    stride: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int16]
    status: npt.NDArray[np.uint8]
    open: npt.NDArray[np.uint8]
    owner: npt.NDArray[np.int32]
    copies: npt.NDArray[np.int32]
    next_copy: npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def _mark_inside(h, window, ends, status):  # type: ignore[no-untyped-def]
    """Mark the cells whose centre the closed edges enclose, by the parity of crossings westward."""
    west, south, cols, rows, first = window
    for k in range(len(ends)):
        ax, ay, bx, by = ends[k]
        low, high = min(ay, by), max(ay, by)
        for j in range(
            max(0, math.floor((low - south) / h) - 1),
            min(rows - 1, math.floor((high - south) / h) + 1) + 1,
        ):
            yc = south + (j + 0.5) * h
            if (ay <= yc) != (by <= yc):
                xc = ax + (yc - ay) * (bx - ax) / (by - ay)
                i = math.ceil((xc - west) / h - 0.5)
                status[first + j * cols + min(max(i, 0), cols - 1)] ^= 1
    for j in range(rows):
        parity = 0
        for i in range(cols):
            parity ^= status[first + j * cols + i]
            status[first + j * cols + i] = parity


@njit(cache=True, nogil=True)
def _close_faces(h, window, ends, faces):  # type: ignore[no-untyped-def]
    """Clear the bits of neighbours whose centres a wall keeps apart."""
    west, south, cols, rows, first = window
    for k in range(len(ends)):
        ax, ay, bx, by = ends[k]
        low, high = min(ay, by), max(ay, by)
        for j in range(
            max(0, math.floor((low - south) / h) - 1),
            min(rows - 1, math.floor((high - south) / h) + 1) + 1,
        ):
            yc = south + (j + 0.5) * h
            if (ay <= yc) != (by <= yc):
                xc = ax + (yc - ay) * (bx - ax) / (by - ay)
                i = math.ceil((xc - west) / h - 0.5)
                if 1 <= i < cols:
                    faces[first + j * cols + i] &= 255 - WEST
                    faces[first + j * cols + i - 1] &= 255 - EAST
        low, high = min(ax, bx), max(ax, bx)
        for i in range(
            max(0, math.floor((low - west) / h) - 1),
            min(cols - 1, math.floor((high - west) / h) + 1) + 1,
        ):
            xc = west + (i + 0.5) * h
            if (ax <= xc) != (bx <= xc):
                yc = ay + (xc - ax) * (by - ay) / (bx - ax)
                j = math.ceil((yc - south) / h - 0.5)
                if 1 <= j < rows:
                    faces[first + j * cols + i] &= 255 - SOUTH
                    faces[first + (j - 1) * cols + i] &= 255 - NORTH


@njit(cache=True, nogil=True)
def _index_edges(h, window, chosen, ends, reach, fill, start, out):  # type: ignore[no-untyped-def]
    """Count (or, with `fill`, list) for each cell the edges within `reach` of its centre."""
    west, south, cols, rows, first = window
    for n in range(chosen.size):
        k = chosen[n]
        ax, ay, bx, by = ends[k]
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy
        for j in range(
            max(0, int((min(ay, by) - reach - south) / h) - 1),
            min(rows, int((max(ay, by) + reach - south) / h) + 2),
        ):
            y = south + (j + 0.5) * h - ay
            for i in range(
                max(0, int((min(ax, bx) - reach - west) / h) - 1),
                min(cols, int((max(ax, bx) + reach - west) / h) + 2),
            ):
                x = west + (i + 0.5) * h - ax
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
    lattice: Lattice,
    windows: npt.NDArray[np.void],
    surfaces: Sequence[Surface],
    links: Sequence[Link],
    origin: tuple[float, ...],
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
                window = windows[k]
                ki = ii - round((window["west"] - origin[0]) / h)
                kj = jj - round((window["south"] - origin[1]) / h)
                near &= (ki >= 1) & (ki < window["cols"] - 1)
                near &= (kj >= 1) & (kj < window["rows"] - 1)
                cells.append(window["first"] + kj * window["cols"] + ki)
            mine, theirs = cells[0][near], cells[1][near]
            pair = (lattice.status[mine] == OUTSIDE) & (lattice.status[theirs] == INSIDE)
            for halo, owner in zip(mine[pair], theirs[pair], strict=True):
                lattice.status[halo] = HALO
                lattice.owner[halo] = owner
                lattice.next_copy[halo] = lattice.copies[owner]
                lattice.copies[owner] = halo


def build_lattice(
    surfaces: Sequence[Surface], links: Sequence[Link], edges: Edges, cell_size: float
) -> tuple[Lattice, Ground]:
    """Lay a lattice of cells of `cell_size` metres over the surfaces and join it at the links."""
    h = float(cell_size)
    boxes = np.array([s.polygon.bounds for s in surfaces])
    origin = (math.floor(boxes[:, 0].min()), math.floor(boxes[:, 1].min()))
    low = np.floor((boxes[:, :2] - origin) / h).astype(np.int64) - _MARGIN
    high = np.ceil((boxes[:, 2:] - origin) / h).astype(np.int64) + _MARGIN
    cols, rows = (high - low).T
    windows = np.zeros(len(surfaces), WINDOW)
    windows["west"], windows["south"] = (origin + low * h).T
    windows["cols"], windows["rows"] = cols, rows
    windows["first"] = np.cumsum(rows * cols) - rows * cols
    count = int((rows * cols).sum())
    lattice = Lattice(
        cell_size=h,
        stride=np.ascontiguousarray(cols),
        surface=np.repeat(np.arange(len(surfaces), dtype=np.int16), rows * cols),
        status=np.zeros(count, np.uint8),
        open=np.full(count, EAST | NORTH | WEST | SOUTH, np.uint8),
        owner=np.arange(count, dtype=np.int32),
        copies=np.full(count, -1, np.int32),
        next_copy=np.full(count, -1, np.int32),
    )

    own = np.stack([edges.ax, edges.ay, edges.bx, edges.by], axis=1)
    extra = _walls_beyond_links(surfaces, links, edges)
    ends = np.vstack([own, *(pieces for _, pieces in extra)])
    seen_from = [np.full(len(pieces), k, np.int64) for k, pieces in extra]
    of_surface = np.concatenate([edges.surface, *seen_from])
    table = np.full(len(ends), -1, EDGE)
    for c, name in enumerate(("ax", "ay", "bx", "by")):
        table[name] = ends[:, c]
    table["to"][: len(own)], table["link"][: len(own)] = edges.to, edges.link

    scans = [tuple(window) for window in windows.tolist()]
    for s, scan in enumerate(scans):
        _mark_inside(h, scan, own[edges.surface == s], lattice.status)
        _close_faces(h, scan, ends[(of_surface == s) & (table["to"] < 0)], lattice.open)
    _join_halo(lattice, windows, surfaces, links, origin)

    # the reach counts from anywhere in a cell, hence half a diagonal more from its centre
    reach = WALL_REACH + h * math.sqrt(0.5)
    start, nothing = np.zeros(count + 1, np.int32), np.empty(0, np.int32)
    near = [np.flatnonzero(of_surface == s) for s in range(len(surfaces))]
    for scan, chosen in zip(scans, near, strict=True):
        _index_edges(h, scan, chosen, ends, reach, False, start, nothing)
    np.cumsum(start, out=start)
    index, cursor = np.empty(int(start[-1]), np.int32), start.copy()
    for scan, chosen in zip(scans, near, strict=True):
        _index_edges(h, scan, chosen, ends, reach, True, cursor, index)
    return lattice, Ground(h, windows, table, start, index)


def cell_centres(ground: Ground, surface: int) -> tuple[FloatArray, FloatArray]:
    """Return x and y of the centres of all cells of a surface's window, in their order, m."""
    window, h = ground.windows[surface], ground.cell_size
    x = window["west"] + (np.arange(window["cols"]) + 0.5) * h
    y = window["south"] + (np.arange(window["rows"]) + 0.5) * h
    xx, yy = np.meshgrid(x, y)
    return xx.ravel(), yy.ravel()

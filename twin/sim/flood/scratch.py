"""How a tile of the grid lies in the scratch in which it is computed.

The scratch is rows of `ROW` numbers, named by where they start: number c of the depths of the
centre row is ``B[CENTRE + H + c]``. Indices are unsigned, so that none can be taken for one that
counts from the end.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "ABOVE",
    "AX",
    "AY",
    "CENTRE",
    "DEEP",
    "DH",
    "DRAG",
    "EAST",
    "F0",
    "FAST",
    "FL",
    "FR",
    "FT",
    "HAZARD",
    "HX",
    "HY",
    "I0",
    "I1",
    "I2",
    "LOWER",
    "LX",
    "LY",
    "NORTH",
    "PAD",
    "QX",
    "QY",
    "RAIN",
    "REST",
    "ROW",
    "SCRATCH",
    "SEEP",
    "SOUTH",
    "SPEED",
    "SX",
    "SY",
    "TILE_COLS",
    "TILE_ROWS",
    "TOOK",
    "UPPER",
    "UX",
    "UY",
    "VX",
    "VY",
    "WEST",
    "C",
    "H",
    "K",
    "N",
    "S",
    "U",
    "V",
    "X",
    "Z",
]

#: Rings of cells around the domain.
PAD = 2
TILE_ROWS = 32
TILE_COLS = 128

# The scratch of a tile: rows of `ROW` numbers, named by where they start. Indices are unsigned, so
# that no index can be taken for one that counts from the end.
index = np.uintp
ROW = index(TILE_COLS + 16)
I0 = index(0)
I1 = index(1)
I2 = index(2)
# one row of cells: depth, bed, velocities, shares; three of them (north, centre, south)
H, Z, U, V, K, C = (index(i) * ROW for i in range(6))
NORTH, CENTRE, SOUTH = (index(6 * i) * ROW for i in range(3))
# states at the four faces of a row's cells: depth, bed, velocities
EAST, WEST, UPPER, LOWER, ABOVE = (index(18 + 4 * i) * ROW for i in range(5))
# fluxes: mass, momentum on either side, tangential momentum
F0, FL, FR, FT = (index(i) * ROW for i in range(4))
X, N, S = (index(38 + 4 * i) * ROW for i in range(3))
# source terms of the bed within the cells, of this row and the one above
SX, SY, AX, AY = (index(50 + i) * ROW for i in range(4))
# what is added to and taken from the cells of a row, and what comes out
RAIN, SEEP, REST, DRAG = (index(54 + i) * ROW for i in range(4))
DH, QX, QY, SPEED, HAZARD, TOOK = (index(58 + i) * ROW for i in range(6))
FAST, DEEP = (index(64 + i) * ROW for i in range(2))
# limited differences of level, depth and velocities along a row and across it
LX, HX, UX, VX, LY, HY, UY, VY = (index(66 + i) * ROW for i in range(8))
#: Numbers in one tile's scratch.
SCRATCH = 74 * (TILE_COLS + 16)

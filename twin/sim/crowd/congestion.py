"""Where people get on slowly: what queues cost, so that ways around them are found.

People see how fast others get on. From time to time the progress of all walkers since the last
look, as a share of what the ground allows them, is spread over their surroundings and over time;
the ways are then sought anew as if the ground allowed no more (after the quickest-path method of
Kretz et al. 2011, J. Stat. Mech. P10004, which takes the delay from densities).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twin.sim.crowd.lattice import Ground

__all__ = ["slowed"]

#: Radius over which progress is spread (standard deviation of a Gaussian), m.
_SPREAD = 1.0
#: Density of people who get on freely that is mixed in everywhere, so that one who dawdles alone
#: makes no queue, 1/m².
_FREE = 0.3
#: Weight of the new look against what was known.
_FRESH = 0.5
#: The slowest progress that is reckoned with: it would else take ages to hear that a queue is gone.
_LEAST = 0.1


def slowed(
    known: npt.NDArray[np.float32],
    ground: Ground,
    surface: int,
    cells: npt.NDArray[np.int64],
    progress: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """Return the share of their speed at which people get on, per cell of a surface.

    Parameters
    ----------
    known
        The share as it was known, per cell of the surface's window.
    cells, progress
        Cell and share of each walker on the surface.
    """
    from scipy.ndimage import gaussian_filter

    window, h = ground.windows[surface], ground.cell_size
    shape = (int(window["rows"]), int(window["cols"]))
    share = np.ones(shape, np.float32)
    if cells.size:
        size = shape[0] * shape[1]
        place = cells - int(window["first"])
        people = np.bincount(place, minlength=size).astype(np.float32) / (h * h)
        moving = np.bincount(place, weights=progress, minlength=size).astype(np.float32) / (h * h)
        spread = {"sigma": _SPREAD / h, "mode": "constant", "truncate": 3.0}
        density = gaussian_filter(people.reshape(shape), **spread)
        share = (gaussian_filter(moving.reshape(shape), **spread) + _FREE) / (density + _FREE)
    mixed = (1.0 - _FRESH) * known + _FRESH * share.ravel()
    return np.clip(mixed, _LEAST, 1.0).astype(np.float32)

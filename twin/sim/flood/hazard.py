"""How dangerous moving water is: published ratings and their classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["HAZARD_CLASSES", "aidr_class", "defra_class", "defra_rating"]

#: Classes of the Defra rating, in rising order, as `defra_class` numbers them.
HAZARD_CLASSES = ("low", "moderate", "significant", "extreme")


def defra_rating(depth: npt.ArrayLike, speed: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the flood hazard rating to people of urban ground, ``d (v + 0.5) + DF``.

    Defra/Environment Agency FD2321 (2006): the debris factor DF is 1 where the water is deeper than
    0.25 m or faster than 2 m/s, else 0.

    Parameters
    ----------
    depth, speed
        m, m/s; of the same moment.

    Examples
    --------
    >>> defra_rating(0.5, 1.0)
    array(1.75)
    """
    d, v = np.asarray(depth, float), np.asarray(speed, float)
    return np.asarray(d * (v + 0.5) + ((d > 0.25) | ((v > 2.0) & (d > 0.0))))


def defra_class(rating: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Return the class of a rating (FD2321): 0 low, 1 moderate (danger to children and the
    infirm), 2 significant (danger to most), 3 extreme (danger to all).

    The limits 0.75, 1.25 and 2.0 belong to the higher class. NaN counts as low.

    Examples
    --------
    >>> [HAZARD_CLASSES[k] for k in defra_class([0.5, 0.75, 1.25, 2.5])]
    ['low', 'moderate', 'significant', 'extreme']
    """
    return np.digitize(np.nan_to_num(np.asarray(rating, float)), (0.75, 1.25, 2.0)).astype(np.int8)


def aidr_class(depth: npt.ArrayLike, speed: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Return the vulnerability class 1 to 6 (H1 safe … H6 all buildings at risk).

    Australian Institute for Disaster Resilience, Guideline 7-3 (2017), as in Australian Rainfall
    and Runoff 2019: the worst of the limits on depth × speed (0.3, 0.6, 1, 4 m²/s), on depth
    (0.3, 0.5, 1.2, 2, 4 m) and on speed (2, 4 m/s). Dry ground is H1.

    Parameters
    ----------
    depth, speed
        m, m/s; of the same moment.
    """
    d, v = np.nan_to_num(np.asarray(depth, float)), np.nan_to_num(np.asarray(speed, float))
    by_both = 1 + np.digitize(d * v, (0.3, 0.6, 1.0, 4.0), right=True)
    by_both = np.choose(by_both - 1, (1, 2, 4, 5, 6))
    by_depth = 1 + np.digitize(d, (0.3, 0.5, 1.2, 2.0, 4.0), right=True)
    by_speed = np.choose(np.digitize(v, (2.0, 4.0), right=True), (1, 5, 6)) * (d > 0) + (d <= 0)
    return np.maximum(np.maximum(by_both, by_depth), by_speed).astype(np.int8)

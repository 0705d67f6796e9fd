"""Walking in water: how fast, how dangerous, and when not at all.

All of it goes by the specific force per unit width of the flow, M = v² D / g + D² / 2 (m²), with
depth D (m) and speed v (m/s) of the water.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["DANGEROUS", "IMPASSABLE", "specific_force", "wading_factor"]

FloatArray = npt.NDArray[np.float64]

_GRAVITY = 9.81
#: Speed of adults on dry ground to which the speed in water is set in proportion (Weidmann), m/s.
_DRY_SPEED = 1.34
#: M from which safe evacuation is difficult for elderly men (Asai, Ishigaki, Baba and Toda 2010,
#: Water Sci. Technol. 62, 1807), m². In still water that is a depth of 0.45 m.
DANGEROUS = 0.1
#: M from which nobody walks on, m²: 0.7 m of still water, the deepest in the experiments behind the
#: speed law, or 0.5 m at 1.6 m/s, the 0.8 m²/s of depth times speed up to which trained adults
#: keep their footing (Australian Rainfall and Runoff, project 10).
IMPASSABLE = 0.25


def specific_force(depth: npt.ArrayLike, speed: npt.ArrayLike) -> FloatArray:
    """Return M = v² D / g + D² / 2, m²; NaN counts as dry."""
    d = np.nan_to_num(np.asarray(depth, np.float64), nan=0.0).clip(min=0.0)
    v = np.nan_to_num(np.asarray(speed, np.float64), nan=0.0)
    return np.asarray(v * v * d / _GRAVITY + 0.5 * d * d)


def wading_factor(depth: npt.ArrayLike, speed: npt.ArrayLike) -> FloatArray:
    """Return the share of their dry speed at which people walk in water, 0 where they cannot.

    Notes
    -----
    V = 0.53 M^-0.19 (Bernardini et al. 2020, Safety Science 122; more than 200 volunteers), divided
    by 1.34 m/s. Up to 0.2 m no loss was measured (Lee et al. 2019); to leave no jump the law sets
    in smoothly between 0.1 and 0.3 m.
    """
    d = np.nan_to_num(np.asarray(depth, np.float64), nan=0.0).clip(min=0.0)
    force = specific_force(d, speed)
    law = np.minimum(1.0, 0.53 * np.maximum(force, 1e-9) ** -0.19 / _DRY_SPEED)
    ramp = np.clip((d - 0.1) / 0.2, 0.0, 1.0)
    ramp = ramp * ramp * (3.0 - 2.0 * ramp)
    return np.asarray(np.where(force > IMPASSABLE, 0.0, 1.0 + ramp * (law - 1.0)))

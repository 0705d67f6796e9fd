"""From where a stage is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bounds", "Camera", "triple"]

FloatArray = npt.NDArray[np.float64]
#: West, south, east, north, m.
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Camera:
    """Where one looks from, in the stage's frame.

    Parameters
    ----------
    position, focal, up
        Eye, point looked at, upward direction.
    angle
        Vertical opening angle, degrees.
    parallel
        Half the height of what is seen, m, for a parallel projection; None for a perspective.
    """

    position: tuple[float, float, float]
    focal: tuple[float, float, float]
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    angle: float = 24.0
    parallel: float | None = None

    @classmethod
    def overview(
        cls,
        bounds: Bounds,
        *,
        low: float = 0.0,
        high: float = 0.0,
        points: npt.ArrayLike = (),
        aspect: float = 16 / 9,
        azimuth: float = 152.0,
        tilt: float = 35.0,
        margin: float = 0.04,
    ) -> Camera:
        """See all of `bounds` between the elevations `low` and `high`.

        Parameters
        ----------
        points
            Further points that must be seen, [n, 3], m.
        aspect
            Width over height of the picture.
        azimuth
            Direction from the place to the eye, degrees clockwise from north; 135 is the
            south-east.
        tilt
            How far down one looks, degrees.
        margin
            Share of the picture that stays free at each edge.
        """
        west, south, east, north = bounds
        corners = np.array(
            [(x, y, z) for x in (west, east) for y in (south, north) for z in (low, high)]
        )
        corners = np.concatenate([corners, np.asarray(points, float).reshape(-1, 3)])
        a, t = np.deg2rad(azimuth), np.deg2rad(tilt)
        back = np.array([np.sin(a) * np.cos(t), np.cos(a) * np.cos(t), np.sin(t)])
        right = np.array([-np.cos(a), np.sin(a), 0.0])
        up = np.cross(back, right)
        opening = np.tan(np.deg2rad(cls.angle) / 2) * (1 - 2 * margin)
        focal = corners[:8].mean(axis=0)

        def fit(focal: FloatArray) -> tuple[float, FloatArray]:
            """Return the distance from which all fits, and how far the picture is off balance."""
            q = corners - focal
            depth = q @ back
            wide, tall = np.abs(q @ right) / (opening * aspect), np.abs(q @ up) / opening
            distance = float(np.maximum(wide + depth, tall + depth).max())
            h, v = (q @ right) / (distance - depth), (q @ up) / (distance - depth)
            offset = right * (h.max() + h.min()) / 2 + up * (v.max() + v.min()) / 2
            # by the nearest corner, which moves the most: larger steps would swing to and fro
            return distance, float(distance - depth.max()) * offset

        for _ in range(60):
            focal = focal + fit(focal)[1]
        distance, _ = fit(focal)
        eye = focal + distance * back
        return cls(triple(eye), triple(focal))

    @classmethod
    def plan(cls, bounds: Bounds, *, aspect: float = 16 / 9, margin: float = 0.1) -> Camera:
        """See all of `bounds` from straight above, north up, without perspective."""
        west, south, east, north = bounds
        x, y = (west + east) / 2, (south + north) / 2
        half = max((north - south) / 2, (east - west) / 2 / aspect) / (1 - 2 * margin)
        far = 10 * half + 2000.0
        return cls((x, y, far), (x, y, 0.0), (0.0, 1.0, 0.0), parallel=half)

    @classmethod
    def look_at(
        cls,
        place: tuple[float, float, float],
        *,
        radius: float = 150.0,
        azimuth: float = 152.0,
        tilt: float = 35.0,
    ) -> Camera:
        """See what lies within `radius` metres of a place."""
        a, t = np.deg2rad(azimuth), np.deg2rad(tilt)
        back = np.array([np.sin(a) * np.cos(t), np.cos(a) * np.cos(t), np.sin(t)])
        distance = radius / np.tan(np.deg2rad(cls.angle) / 2)
        return cls(triple(np.asarray(place) + distance * back), triple(np.asarray(place)))


def triple(values: npt.NDArray[Any]) -> tuple[float, float, float]:
    """Return three numbers of an array as plain floats."""
    x, y, z = (float(v) for v in values)
    return x, y, z

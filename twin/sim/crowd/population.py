"""Everybody who ever was in a crowd, and room for the kernels to work on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.sim.crowd.kernels import PERSON, WAITING
from twin.sim.crowd.neighbours import make_torus
from twin.sim.crowd.velocity import WALKER

__all__ = ["Population"]


class Population:
    """Arrays of people that grow as people are added.

    Attributes
    ----------
    people
        A `PERSON` each, by id; only the first `count` are filled.
    listed
        Ids of those present; only the first `present` are filled.
    order, aims, near, headings, torus
        Room for a step; see `twin.sim.crowd.kernels`.
    """

    def __init__(self) -> None:
        self.count = self.present = 0
        self.people: npt.NDArray[np.void] = np.zeros(0, PERSON)
        self.listed = np.zeros(0, np.int32)
        self._seen = np.empty((0, 2))
        self._make_room(256)

    def _make_room(self, number: int) -> None:
        """Enlarge the arrays so that they hold `number` people."""
        if number <= self.people.size:
            return
        size = max(256, 1 << (number - 1).bit_length())
        people, listed, seen = np.zeros(size, PERSON), np.zeros(size, np.int32), np.zeros((size, 2))
        people[: self.count] = self.people[: self.count]
        listed[: self.present] = self.here
        seen[: self.count] = self._seen[: self.count]
        self.people, self.listed, self._seen = people, listed, seen
        self.order = np.zeros(size, np.int32)
        self.aims, self.near = np.zeros(size, WALKER), np.zeros(size, WALKER)
        self.headings = np.zeros((size, 3, 9))
        self.torus = make_torus(size)

    @property
    def here(self) -> npt.NDArray[np.int32]:
        """Ids of those present; a view."""
        return self.listed[: self.present]

    @property
    def ever(self) -> npt.NDArray[np.void]:
        """All who were ever added; a view."""
        return self.people[: self.count]

    def add(self, new: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        """Take in people and return their ids."""
        ids = np.arange(self.count, self.count + len(new))
        self._make_room(self.count + len(new))
        self.people[ids] = new
        self._seen[ids] = np.nan
        self.listed[self.present : self.present + len(new)] = ids
        self.present += len(new)
        self.count += len(new)
        return ids

    def moved(self) -> npt.NDArray[np.float64]:
        """Return how far those present have got since the last call, m; NaN for newcomers."""
        xy = np.column_stack([self.ever["x"], self.ever["y"]])
        distance = np.hypot(*(xy - self._seen[: self.count])[self.here].T)
        self._seen[: self.count] = xy
        return np.asarray(distance)

    def asleep(self, now: float, time_step: float) -> int:
        """Return for how many steps from `now` everybody present still waits."""
        people = self.people[self.here]
        if not self.present or (people["state"] != WAITING).any():
            return 0
        return max(0, math.ceil((float(people["start"].min()) - 1e-9 - now) / time_step))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `take_up` needs."""
        return {"people": self.ever, "here": self.here, "seen": self._seen[: self.count]}

    def take_up(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Become the population that gave `state`."""
        people, here = state["people"], state["here"]
        self.count = self.present = 0
        self._make_room(len(people))
        self.count, self.present = len(people), len(here)
        self.people[: self.count], self.listed[: self.present] = people, here
        self._seen[: self.count] = state["seen"]

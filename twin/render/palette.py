"""Classes and colours of every quantity that is drawn: one source for 2D, 3D and the report.

Classes have fixed limits, so that a colour means the same at each time and in each scenario. A
value below the first limit is *dry* (nothing there) and transparent; *no data* is grey and never
a colour of the scale. All scales grow darker with danger, so they survive grey printing and the
common kinds of colour blindness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.errors import RenderError, did_you_mean

__all__ = [
    "AGENTS",
    "ARRIVAL",
    "DENSITY",
    "DEPTH",
    "HAZARD",
    "HAZARD_CLASS",
    "INK",
    "NO_DATA",
    "PALETTES",
    "SPEED",
    "STILL_WATER",
    "UNKNOWN",
    "USES",
    "Palette",
    "palette",
    "use_colours",
]

Colour = tuple[int, int, int]

#: Text and outlines.
INK: Colour = (38, 44, 52)
#: Where a quantity is not known.
NO_DATA: Colour = (189, 189, 189)
#: The class of a value that is not known.
UNKNOWN = 255
#: Water that is always there (river, canal, dock): a quantity's classes are not drawn on it.
STILL_WATER: Colour = (170, 198, 207)


def _rgb(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


@dataclass(frozen=True)
class Palette:
    """A quantity's classes.

    Parameters
    ----------
    key
        Short name ("depth").
    title
        What a legend says above the classes, with the unit.
    edges
        Lower limits of the classes, ascending; the last class has no upper limit.
    colours
        One for each class, sRGB 0–255.
    labels
        One for each class, as a legend shows it.
    scale
        Divides a value in SI units before it is classed (arrival: seconds → minutes).
    source
        Where the limits come from.
    """

    key: str
    title: str
    edges: tuple[float, ...]
    colours: tuple[Colour, ...]
    labels: tuple[str, ...]
    scale: float = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        if not len(self.edges) == len(self.colours) == len(self.labels):
            raise RenderError(f"Palette {self.key!r} needs as many colours and labels as edges.")
        if list(self.edges) != sorted(set(self.edges)):
            raise RenderError(f"The edges of palette {self.key!r} must ascend.")

    def classify(self, values: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return 0 where there is nothing, k for the k-th class, and 255 where there is no data."""
        scaled = np.asarray(values)
        if self.scale != 1.0:
            scaled = scaled / self.scale
        edges = np.asarray(self.edges, dtype=scaled.dtype if scaled.dtype.kind == "f" else float)
        classes = np.searchsorted(edges, scaled, side="right")
        return np.where(np.isnan(scaled), UNKNOWN, classes).astype(np.uint8)

    def table(self, *, no_data: bool = True) -> npt.NDArray[np.uint8]:
        """Return RGBA for each of the 256 answers of `classify`; nothing is transparent.

        With ``no_data=False``, unknown is transparent as well.
        """
        table = np.zeros((256, 4), dtype=np.uint8)
        table[1 : len(self.edges) + 1] = [(*colour, 255) for colour in self.colours]
        if no_data:
            table[UNKNOWN] = (*NO_DATA, 255)
        return table

    def rgba(self, values: npt.ArrayLike, *, no_data: bool = True) -> npt.NDArray[np.uint8]:
        """Return the colour of each value, shape ``(*values.shape, 4)``."""
        return self.table(no_data=no_data)[self.classify(values)]

    def paint(
        self,
        values: npt.ArrayLike,
        *,
        still: npt.NDArray[np.bool_] | None = None,
        blocked: npt.NDArray[np.bool_] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Return the colours of a map as RGBA; what is dry or unknown is transparent.

        Parameters
        ----------
        values
            [row, col].
        still
            Where water always is: there it gets its own colour, and no class.
        blocked
            Buildings that no water enters: the classes beside them are carried on by two cells,
            so that no gap shows between the water and walls that run across cells.
        """
        classes = self.classify(values)
        classes[classes == UNKNOWN] = 0
        if blocked is not None:
            for _ in range(2):
                known = np.pad(classes, 1)
                beside = np.maximum.reduce(
                    [known[:-2, 1:-1], known[2:, 1:-1], known[1:-1, :-2], known[1:-1, 2:]]
                )
                classes = np.where(blocked & (classes == 0), beside, classes)
        rgba = self.table()[classes]
        if still is not None:
            rgba[still & (classes > 0)] = (*STILL_WATER, 255)
        return rgba

    @property
    def legend(self) -> tuple[tuple[Colour, str], ...]:
        """Colour and label of each class, from the lowest."""
        return tuple(zip(self.colours, self.labels, strict=True))


DEPTH = Palette(
    "depth",
    "Water depth [m]",
    (0.05, 0.15, 0.3, 0.5, 1.0, 2.0),
    tuple(_rgb(c) for c in ("b5d9f0", "82bfe6", "4a9fd8", "2379bd", "14508f", "0a2a5c")),
    ("0.05 – 0.15", "0.15 – 0.3", "0.3 – 0.5", "0.5 – 1", "1 – 2", "> 2"),
    source="0.15 m walking is slowed, 0.3 m cars float, 0.5 m ground floors are wet (MLIT rank 1)",
)

SPEED = Palette(
    "speed",
    "Flow speed [m/s]",
    (0.05, 0.25, 0.5, 1.0, 2.0),
    tuple(_rgb(c) for c in ("d3e8d0", "9fd0b3", "56ab9b", "237a82", "0e4a5c")),
    ("0.05 – 0.25", "0.25 – 0.5", "0.5 – 1", "1 – 2", "> 2"),
)

HAZARD = Palette(
    "hazard",
    "Flood hazard to people",
    (1e-9, 0.75, 1.25, 2.0),
    tuple(_rgb(c) for c in ("fbe08e", "f59d3d", "d9482b", "7a0c2e")),
    (
        "low: caution",
        "moderate: danger for some",
        "significant: danger for most",
        "extreme: danger for all",
    ),
    source="Defra & Environment Agency FD2321 (2006), hazard rating d (v + 0.5) + debris",
)

#: The same classes for a map that holds the class, 0 to 3. There 0 is low or dry, and not drawn.
HAZARD_CLASS = replace(
    HAZARD,
    key="hazard_class",
    edges=(1.0, 2.0, 3.0),
    colours=HAZARD.colours[1:],
    labels=HAZARD.labels[1:],
)

ARRIVAL = Palette(
    "arrival",
    "Water arrives after [min]",
    (0.0, 15.0, 30.0, 60.0, 120.0, 180.0),
    tuple(_rgb(c) for c in ("3b0f5c", "7a1f6c", "b73a6b", "e3685a", "f6a15b", "fbd987")),
    ("< 15", "15 – 30", "30 – 60", "60 – 120", "120 – 180", "> 180"),
    scale=60.0,
)

DENSITY = Palette(
    "density",
    "People [1/m²], level of service",
    (0.01, 0.31, 0.43, 0.72, 1.08, 2.17),
    tuple(_rgb(c) for c in ("f3e3ef", "e3bcd9", "cf8fc0", "b45aa3", "8a2a80", "4d0a4f")),
    (
        "A  < 0.31",
        "B  0.31 – 0.43",
        "C  0.43 – 0.72",
        "D  0.72 – 1.08",
        "E  1.08 – 2.17",
        "F  > 2.17",
    ),
    source="Fruin (1971), walkways",
)

PALETTES = {p.key: p for p in (DEPTH, SPEED, HAZARD, HAZARD_CLASS, ARRIVAL, DENSITY)}

#: People by state; a state that is not named here is drawn as "walking".
AGENTS: dict[str, Colour] = {
    "walking": _rgb("d81b78"),
    "waiting": _rgb("6a3fa0"),
    "stranded": _rgb("e65100"),
}

#: Building uses, muted so that data stay the strongest colours of a picture.
USES: dict[str, Colour] = {
    "residential": _rgb("e9d8c3"),
    "commercial": _rgb("d3d0dc"),
    "retail": _rgb("e6cdc8"),
    "public": _rgb("d7dcc4"),
    "industrial": _rgb("cdc6bd"),
    "transport": _rgb("c8d3d6"),
    "other": _rgb("e4e1da"),
}

_USE_WORDS = {
    "residential": ("resid", "apartment", "house", "dwelling", "housing", "dormitory", "terrace"),
    "commercial": ("commerc", "office", "hotel", "bank", "mixed"),
    "retail": ("retail", "shop", "mall", "market", "supermarket", "restaurant"),
    "public": (
        "public", "civic", "school", "university", "college", "hospital", "museum", "church",
        "temple", "government", "education", "health", "culture", "kindergarten", "library",
    ),
    "industrial": ("industr", "warehouse", "factory", "depot", "storage"),
    "transport": ("transport", "station", "parking", "garage", "ferry", "metro"),
}  # fmt: skip


def use_group(use: object) -> str:
    """Return the group in `USES` that a building's use belongs to, by the words in it."""
    text = str(use).casefold()
    for group, words in _USE_WORDS.items():
        if any(word in text for word in words):
            return group
    return "other"


def use_colours(uses: Any) -> npt.NDArray[np.uint8]:
    """Return the colour of each building use, shape ``(n, 3)``."""
    known: dict[object, Colour] = {}
    for use in uses:
        if use not in known:
            known[use] = USES[use_group(use)]
    return np.array([known[use] for use in uses], dtype=np.uint8).reshape(-1, 3)


def palette(key: str) -> Palette:
    """Return the palette of a quantity, also by the name of a run's map ("max_depth").

    Raises
    ------
    RenderError
        If there is none; the message lists those there are.
    """
    name = key.rsplit(".", maxsplit=1)[-1].removeprefix("max_").removesuffix("_time")
    if name not in PALETTES:
        raise RenderError(f"There is no palette for {key!r}. {did_you_mean(name, PALETTES)}")
    return PALETTES[name]

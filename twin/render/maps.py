"""Maps seen from above, north up, drawn without any graphics library: they work everywhere.

Ground with its light and shade, water and streets; the data over them; buildings, defences and
gauges on top; legend, scale bar and north arrow beside. Data keep their cells: no value is drawn
that was not computed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.geo.grid import Grid
from twin.render import panels
from twin.render.palette import NO_DATA, STILL_WATER, Palette, palette
from twin.render.shapes import hillshade
from twin.render.stage import People, Pins, Relief, Sheet, Solids, Stage

if TYPE_CHECKING:
    from twin.run import Run

__all__ = ["DataGrid", "Map", "png_bytes", "run_map"]

Image = npt.NDArray[np.uint8]

_PAPER = np.array([255, 255, 255], np.uint8)
_GROUND = np.array([240, 238, 233], np.float32)
_ROOF = (222, 218, 212)
_ROOF_EDGE = (120, 116, 112)
_PIN = (14, 92, 99)


@dataclass(frozen=True)
class DataGrid:
    """Values on square cells in the stage's frame, row 0 in the north; NaN where unknown.

    For `still` and `blocked` see `twin.render.palette.Palette.paint`.
    """

    values: npt.NDArray[Any]
    west: float
    north: float
    cell: float
    still: npt.NDArray[np.bool_] | None = None
    blocked: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, sheet: Sheet, values: npt.NDArray[Any]) -> DataGrid:
        """Return values on the cells of a sheet of water."""
        return cls(values, sheet.west, sheet.north, sheet.cell, sheet.still, sheet.blocked)


class Map:
    """A sheet of paper on which maps of one stage are drawn.

    Parameters
    ----------
    stage
        What there is to see; layers that are not visible are left out.
    size
        Greatest width and height, pixels; a place that is wide and low takes a lower sheet.
    """

    #: Ground and buildings are drawn this many times finer, for smooth edges.
    FINE = 2

    def __init__(self, stage: Stage, size: tuple[int, int] = (1280, 960)) -> None:
        self.stage = stage
        self.scale = max(0.6, size[1] / 840)
        width, height = size
        s = self.scale
        west, south, east, north = stage.bounds
        left, top, side = 18 * s, 86 * s, 258 * s
        room = (width - left - side, height - top - 46 * s)
        self._pixel = max((east - west) / room[0], (north - south) / room[1])
        cols, rows = int((east - west) / self._pixel), int((north - south) / self._pixel)
        self._left = round(left + (room[0] - cols) / 2)
        self._top = round(top)
        # at least as high as the legend; even, as films must be
        needed = max(top + rows + 46 * s, 480 * s)
        self.size = (width // 2 * 2, min(height, round(needed)) // 2 * 2)
        self._grid = Grid("", west, north, self._pixel, (rows, cols))

    # --- the parts that stay -------------------------------------------------------------------

    @cached_property
    def _fine(self) -> Grid:
        g, k = self._grid, self.FINE
        return Grid("", g.west, g.north, g.cell_size / k, (g.rows * k, g.cols * k))

    def _of(self, kind: type[Any]) -> list[Any]:
        return [layer for layer in self.stage.of(kind) if layer.visible]

    def _burnt(self, solids: Solids) -> tuple[Image, npt.NDArray[np.bool_]]:
        """Colour of each fine pixel, and whether one of the objects lies there."""
        order = self._fine.rasterize(solids.plan, np.arange(len(solids.plan)) + 1.0)
        there = order > 0
        return solids.colours[np.maximum(order.astype(int) - 1, 0)], there

    @cached_property
    def _under(self) -> Image:
        """Ground, water, streets and areas, RGB."""
        fine = self._fine
        rgb = np.full((*fine.shape, 3), 240, np.float32)
        for layer in self._of(Relief):
            relief = layer.shape
            x, y = fine.x, fine.y
            c = ((x - relief.west) / relief.cell).astype(int).clip(0, relief.elevation.shape[1] - 1)
            r = (
                ((relief.north - y) / relief.cell)
                .astype(int)
                .clip(0, relief.elevation.shape[0] - 1)
            )
            shade = 0.66 + 0.34 * hillshade(relief.elevation, relief.cell) / np.sqrt(0.5)
            rgb = np.clip(_GROUND * shade[np.ix_(r, c)][..., None], 0, 255)
            rgb[relief.water[np.ix_(r, c)]] = STILL_WATER
            rgb[np.isnan(relief.elevation[np.ix_(r, c)])] = NO_DATA
        for layer in self._of(Solids):
            if layer.key not in {"buildings", "defences"} and len(layer.shape.plan):
                colours, there = self._burnt(layer.shape)
                rgb[there] = colours[there]
        return self._coarse(rgb)

    @cached_property
    def _over(self) -> tuple[Image, npt.NDArray[np.floating]]:
        """Buildings and defences: RGB, and how much of each pixel they cover, 0 to 1."""
        import shapely

        fine = self._fine
        rgb = np.zeros((*fine.shape, 3), np.uint8)
        cover = np.zeros(fine.shape, bool)
        for layer in self._of(Solids):
            if layer.key == "buildings" and len(layer.shape.plan):
                roofs = fine.rasterize(layer.shape.plan) > 0
                edges = fine.rasterize(shapely.boundary(layer.shape.plan)) > 0
                rgb[roofs], rgb[edges] = _ROOF, _ROOF_EDGE
                cover |= roofs | edges
            elif layer.key == "defences" and len(layer.shape.plan):
                colours, there = self._burnt(layer.shape)
                rgb[there] = colours[there]
                cover |= there
        weight = self._coarse(cover[..., None].astype(np.float32) * 255)[..., 0] / 255
        covered = self._coarse(np.where(cover[..., None], rgb, 0).astype(np.float32))
        full = covered / np.maximum(weight, 1e-6)[..., None]
        return np.clip(full, 0, 255).astype(np.uint8), weight

    def _coarse(self, fine: npt.NDArray[Any]) -> Image:
        k, (rows, cols) = self.FINE, self._grid.shape
        blocks = fine.reshape(rows, k, cols, k, -1)
        return np.asarray(np.round(blocks.mean(axis=(1, 3))), np.uint8)

    # --- a map ---------------------------------------------------------------------------------

    def pixel_of(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Any, Any]:
        """Return column and row of the picture at points of the stage's frame."""
        row, col = self._grid.index(x, y)
        return col + self._left, row + self._top

    def draw(
        self,
        data: DataGrid | None,
        classes: Palette | None,
        *,
        title: str,
        subtitle: str = "",
        index: int | None = None,
    ) -> Image:
        """Draw a map; uint8[row, col, RGB], row 0 at the top.

        Parameters
        ----------
        data, classes
            What is mapped; None for a map of the place alone.
        subtitle
            Scenario and valid time.
        index
            Position of the clock at which people and gauges are shown; None to leave people out
            and gauges without a value.
        """
        from PIL import Image as Pictures

        ground = self._under.copy()
        if data is not None and classes is not None:
            self._lay(ground, data, classes)
        roofs, weight = self._over
        w = weight[..., None]
        ground = np.round(ground * (1 - w) + roofs * w).astype(np.uint8)
        if index is not None:
            self._people(ground, index)
        sheet = np.empty((self.size[1], self.size[0], 3), np.uint8)
        sheet[:] = _PAPER
        rows, cols = self._grid.shape
        frame = (
            slice(self._top - 1, self._top + rows + 1),
            slice(self._left - 1, self._left + cols + 1),
        )
        sheet[frame] = (150, 156, 164)
        sheet[self._top : self._top + rows, self._left : self._left + cols] = ground
        picture = Pictures.fromarray(sheet)
        self._furnish(picture, data, classes, title, subtitle, index)
        return np.asarray(picture)

    def frame(self, index: int) -> Image:
        """Draw the water, people and gauges at a position of the clock."""
        clock = self.stage.clock
        when = "" if clock is None else f"{clock.elapsed(index)}   {clock.local(index)}"
        for layer in self._of(Sheet):
            sheet = layer.shape
            data = DataGrid.of(sheet, sheet.depth(index))
            title = self.stage.title
            return self.draw(data, sheet.palette, title=title, subtitle=when, index=index)
        return self.draw(None, None, title=self.stage.title, subtitle=when, index=index)

    def _lay(self, ground: Image, data: DataGrid, classes: Palette) -> None:
        """Put the colours of the data on the ground, cell by cell."""
        rows, cols = data.values.shape
        c = np.floor((self._grid.x - data.west) / data.cell).astype(int)
        r = np.floor((data.north - self._grid.y) / data.cell).astype(int)
        inside = np.ix_((r >= 0) & (r < rows), (c >= 0) & (c < cols))
        r, c = r[(r >= 0) & (r < rows)], c[(c >= 0) & (c < cols)]
        rgba = classes.paint(data.values, still=data.still, blocked=data.blocked)
        colours = rgba[np.ix_(r, c)]
        ground[inside] = np.where(colours[..., 3:] > 0, colours[..., :3], ground[inside])

    def _people(self, ground: Image, index: int) -> None:
        for layer in self._of(People):
            places, states = layer.shape.at(index)
            row, col = self._grid.index(places[:, 0], places[:, 1])
            half = max(1, round(1.2 * self.scale))
            rows, cols = self._grid.shape
            inside = (row >= half) & (row < rows - half) & (col >= half) & (col < cols - half)
            colours = np.array([colour for colour, _ in layer.shape.legend])
            for dr in range(-half + 1, half + 1):
                for dc in range(-half + 1, half + 1):
                    ground[row[inside] + dr, col[inside] + dc] = colours[states[inside]]

    def _furnish(
        self,
        picture: Any,
        data: DataGrid | None,
        classes: Palette | None,
        title: str,
        subtitle: str,
        index: int | None,
    ) -> None:
        """Lay title, labels, legend, scale bar and north arrow on the sheet."""
        s, height = self.scale, self.size[1]
        _paste(picture, panels.title_panel(title, s), 4 * s, 8 * s)
        if subtitle:
            _paste(picture, panels.subtitle_panel(subtitle, s), 4 * s, 46 * s)
        side = self._left + self._grid.cols + 14 * s
        north = panels.north_panel(0.0, s)
        _paste(picture, north, side, self._top)
        below = self._top + north.shape[0] + 14 * s
        groups: list[tuple[str, Any]] = [(classes.title, classes.legend)] if classes else []
        rest: list[Any] = []
        if data is not None and data.still is not None and data.still.any():
            rest.append((STILL_WATER, "River, dock, pond"))
        for layer in self._of(Solids):
            if layer.key in {"assembly", "defences"}:
                rest += layer.shape.legend
        if index is not None:
            for layer in self._of(People):
                rest += layer.shape.legend
        if rest:
            groups.append(("", tuple(rest)))
        if groups:
            _paste(picture, panels.legend_panel(groups, s), side - 12 * s, below)
        bar = panels.scale_panel(self._pixel, s)
        _paste(picture, bar, side - 12 * s, self._top + self._grid.rows - bar.shape[0])
        if self.stage.note:
            note = panels.note_panel(self.stage.note, s, widest=0.9 * self._grid.cols / s)
            _paste(picture, note, self._left - 8 * s, height - note.shape[0] - 5 * s)
        self._gauges(picture, index)

    def _gauges(self, picture: Any, index: int | None) -> None:
        from PIL import ImageDraw

        s, clock = self.scale, self.stage.clock
        time = None if index is None or clock is None else float(clock.times[index])
        gauges = [g for layer in self._of(Pins) for g in layer.shape.foremost]
        places = [tuple(float(v) for v in self.pixel_of(*g.place[:2])) for g in gauges]
        draw, radius = ImageDraw.Draw(picture), 4.5 * s
        taken: list[tuple[float, float, float, float]] = []
        for x, y in places:
            disc = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(disc, _PIN, (255, 255, 255))
            taken.append((x - radius, y - radius, 2 * radius, 2 * radius))
        limits = (self._left + self._grid.cols, self.size[1])
        for gauge, (x, y) in zip(gauges, places, strict=True):
            label = panels.label_panel(gauge.name, gauge.text(time), s)
            # a box is free or not whichever way rows are counted
            size = (label.shape[1], label.shape[0])
            spot = panels.free_spot(x, y, *size, 8 * s, taken, limits)
            if spot is not None:
                taken.append((*spot, *size))
                _paste(picture, label, *spot)


def _paste(picture: Any, panel: Image, x: float, y: float) -> None:
    """Lay a panel on a picture, its upper left corner at a pixel."""
    from PIL import Image as Pictures

    over = Pictures.fromarray(panel)
    picture.paste(over, (round(x), round(y)), over)


def png_bytes(pixels: Image) -> bytes:
    """Return pixels as a PNG file."""
    from PIL import Image as Pictures

    buffer = io.BytesIO()
    Pictures.fromarray(pixels).save(buffer, format="PNG", optimize=False, compress_level=6)
    return buffer.getvalue()


def run_map(
    run: Run, name: str, *, stage: Stage | None = None, size: tuple[int, int] = (1280, 960)
) -> Image:
    """Draw one of a run's maps ("max_depth", "max_hazard", "arrival_time"); pixels, RGB.

    Parameters
    ----------
    stage
        The run's stage, where it has been made already.

    Raises
    ------
    RunError
        If the run has no such map.
    RenderError
        If there is no palette for it.
    """
    import rasterio

    stage = stage or Stage.from_run(run)
    classes = palette(name)
    with rasterio.open(run.map_path(name)) as file:
        values = file.read(1)
        where = file.transform
        long_name = file.descriptions[0] or name.replace("_", " ")
    west, north = where.c - stage.origin[0], where.f - stage.origin[1]
    data = DataGrid(values, west, north, where.a)
    for layer in stage.of(Sheet):
        sheet = layer.shape
        if isinstance(sheet, Sheet) and sheet.still.shape == values.shape:
            data = DataGrid.of(sheet, values)
    # the classes after a colon are those of the legend
    heading = long_name[0].upper() + long_name[1:].partition(":")[0]
    clock = stage.clock
    span = "" if clock is None else f"{clock.local(0)} to {clock.local(len(clock) - 1)}"
    subtitle = "   ".join(part for part in (stage.title, span) if part)
    return Map(stage, size).draw(data, classes, title=heading, subtitle=subtitle)

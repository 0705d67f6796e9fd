"""Text in pictures: DejaVu, which comes with matplotlib, and a CJK font where the machine has one.

VTK's own font leaves out all that is not Latin without a word; so text is drawn by Pillow and
matplotlib, from the same fonts. A sign that no font has is left out rather than drawn as a box.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["draw_text", "families", "printable", "text_size"]

#: Families with Chinese, Japanese and Korean signs, the first that is found is taken.
CJK_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "AR PL UMing CN",
)


@functools.cache
def font_paths(*, bold: bool = False) -> tuple[Path, ...]:
    """Return the font files to look a sign up in, in this order."""
    from matplotlib import font_manager, get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    paths = [Path(get_data_path()) / "fonts" / "ttf" / name]
    installed = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    paths += [Path(installed[f]) for f in CJK_FAMILIES if f in installed][:1]
    return tuple(paths)


def families() -> list[str]:
    """Return the font families for matplotlib, in the order in which it looks a sign up."""
    from matplotlib import font_manager

    return [font_manager.FontProperties(fname=path).get_name() for path in font_paths()]


@functools.cache
def _covered(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(path)).get_charmap())


def printable(text: str) -> str:
    """Return `text` without the words that no font here can draw whole."""
    drawn = frozenset[int]().union(*(_covered(f) for f in font_paths()))
    lines = (
        " ".join(word for word in line.split(" ") if all(ord(c) in drawn for c in word))
        for line in text.split("\n")
    )
    return "\n".join(lines).strip()


@functools.cache
def _font(path: Path, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _pieces(text: str, size: int, *, bold: bool) -> list[tuple[Any, str]]:
    """Split `text` into stretches, each with the first font that has its signs."""
    pieces: list[tuple[Any, str]] = []
    for sign in printable(text):
        path = next(p for p in font_paths(bold=bold) if sign == " " or ord(sign) in _covered(p))
        font = _font(path, size)
        if pieces and pieces[-1][0] is font:
            pieces[-1] = (font, pieces[-1][1] + sign)
        else:
            pieces.append((font, sign))
    return pieces


def text_size(text: str, size: int, *, bold: bool = False) -> tuple[int, int]:
    """Return width and height of one line, pixels; the height is that of any line."""
    width = sum(font.getlength(piece) for font, piece in _pieces(text, size, bold=bold))
    return int(np.ceil(width)), round(size * 1.25)


def draw_text(
    draw: Any,
    position: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, ...],
    *,
    bold: bool = False,
    anchor: str = "l",
) -> None:
    """Draw one line with Pillow; `position` is the top, at the left ("l"), middle or right."""
    x, y = position
    width = text_size(text, size, bold=bold)[0]
    x -= {"l": 0.0, "m": width / 2, "r": float(width)}[anchor]
    for font, piece in _pieces(text, size, bold=bold):
        draw.text((round(x), y + size), piece, font=font, fill=colour, anchor="ls")
        x += font.getlength(piece)

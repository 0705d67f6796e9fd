"""Names in any script come out as letters or not at all, never as boxes."""

import numpy as np
from PIL import Image, ImageDraw

from twin.render import text


def inked(words: str) -> int:
    image = Image.new("L", (400, 40), 0)
    text.draw_text(ImageDraw.Draw(image), (4, 4), words, 20, (255,))
    return int((np.asarray(image) > 128).sum())


def test_greek_cyrillic_and_symbols_are_drawn() -> None:
    for words in ("Αθήνα", "Нева", "→ ≤ m³/s"):
        assert text.printable(words) == words
        assert inked(words) > 50


def test_signs_without_a_font_are_left_out_and_not_boxed(monkeypatch) -> None:
    monkeypatch.setattr(text, "CJK_FAMILIES", ())
    text.font_paths.cache_clear()
    try:
        assert text.printable("外滩 Bund 黄浦") == "Bund"
        assert text.printable("外滩") == ""
        assert inked("外滩 Bund") == inked("Bund")
    finally:
        text.font_paths.cache_clear()


def test_anchors_place_the_same_line() -> None:
    width, _ = text.text_size("Huangpu", 20)
    image = Image.new("L", (300, 40), 0)
    text.draw_text(ImageDraw.Draw(image), (280, 4), "Huangpu", 20, (255,), anchor="r")
    columns = np.nonzero((np.asarray(image) > 0).any(axis=0))[0]
    assert 280 - width - 2 <= columns[0] <= 280 - width + 6
    assert 272 <= columns[-1] <= 281

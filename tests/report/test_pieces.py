"""Tables and charts of a report."""

from __future__ import annotations

import math

import numpy as np
from reading import Page

from twin.report.charts import Line, line_chart
from twin.report.html import page, section, table


def read(*parts: str) -> Page:
    return Page(page("test", parts))


def test_what_is_not_known_is_a_dash():
    found = read(table([("name", ""), ("m", ".1f")], [("", math.nan), (None, None), ("a", 1)]))
    assert [r["name"][0] for r in found.tables["name"]] == ["–", "–", "a"]
    assert [r["m"][0] for r in found.tables["name"]] == ["–", "–", "1.0"]


def test_short_texts_are_not_torn_and_long_ones_may_be():
    text = table([("id", ""), ("why", ""), ("m", ".0f")], [("b-1", "word " * 20, 1.0)])
    found = read(text)
    assert found.values("class")[2:] == ["s", "t", "n"] * 2
    assert "td.s { white-space: nowrap; }" in found.style


def test_nothing_to_say_takes_no_room():
    assert table([("id", "")], []) == ""
    assert section("Empty", "", "") == ""


def test_text_in_cells_is_escaped_also_in_sort_keys():
    odd = "\"><script>alert('&amp;')</script>"
    text = table([("<id>", "")], [(odd,)])
    assert "<script>" not in text
    assert read(text).tables["<id>"] == [{"<id>": (odd, odd)}]


def test_a_chart_is_the_same_each_time_and_keeps_its_words():
    minutes = np.linspace(0.0, 10.0, 11)
    lines = [Line("computed $x$", minutes, minutes**2), Line("read", minutes, minutes, dots=True)]
    first = line_chart(lines, unit="depth (m)")
    assert line_chart(lines, unit="depth (m)") == first
    found = read(section("Chart", first, first))
    for words in ("computed $x$", "read", "depth (m)", "minutes into the scene"):
        assert words in found.sections["Chart"]
    assert "<metadata>" not in first


def test_charts_of_other_numbers_differ():
    minutes = np.linspace(0.0, 10.0, 11)
    assert line_chart([Line("a", minutes, minutes)], unit="m") != line_chart(
        [Line("a", minutes, minutes[::-1])], unit="m"
    )

"""Progress: one line that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

from twin.scene.progress import Bar, Lines, for_stream


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_a_file_gets_lines():
    assert isinstance(for_stream(Terminal()), Bar)
    assert isinstance(for_stream(io.StringIO()), Lines)


def test_a_bar_ends_each_stage_with_its_line():
    stream = Terminal()
    bar = Bar(stream)
    bar.stage("Simulating")
    bar.update(0.5, "1 h into the scene")
    bar.update(1.0, "2 h into the scene")
    assert "\n" not in stream.getvalue()
    assert "█" * 20 in stream.getvalue()
    bar.stage("Drawing")
    bar.done()
    lines = stream.getvalue().split("\n")
    assert "✓ Simulating" in lines[0]
    assert "✓ Drawing" in lines[1]
    assert lines[2] == ""


def test_an_error_begins_a_line_of_its_own():
    stream = Terminal()
    bar = Bar(stream)
    bar.stage("Simulating")
    bar.leave()
    assert stream.getvalue().endswith("\n")
    before = stream.getvalue()
    bar.leave()
    assert stream.getvalue() == before


def test_lines_say_each_stage_at_once():
    stream = io.StringIO()
    lines = Lines(stream)
    lines.stage("Building the city")
    lines.update(0.5)
    lines.done()
    lines.leave()
    assert stream.getvalue().count("\n") == 1
    assert "Building the city" in stream.getvalue()

"""What a duty officer must know of a run, in a few lines of plain text."""

from __future__ import annotations

import textwrap
from datetime import timedelta

from twin.run import Run
from twin.units import format_duration

__all__ = ["headlines", "period", "reading_sentence", "summarise"]


def headlines(run: Run) -> list[tuple[str, list[str]]]:
    """Return each simulation's name with its sentences, the gravest first."""
    return [(name, list(figures.get("headlines", []))) for name, figures in run.summary.items()]


def period(run: Run) -> str:
    """Return when the scene begins and ends, in its own time zone."""
    end = run.start + timedelta(seconds=float(run.times[-1]))
    until = f"{end:%H:%M}" if end.date() == run.start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{run.start:%Y-%m-%d %H:%M} to {until} ({run.start:%Z})"


def summarise(run: Run) -> str:
    """Return the summary that ``twin run`` prints."""
    manifest = run.manifest
    lines = [f"{run.title}: {period(run)}"]
    for name, sentences in headlines(run):
        lines.append("")
        lines.append(name.capitalize())
        for sentence in sentences:
            lines.extend(
                textwrap.wrap(sentence, 92, initial_indent="  - ", subsequent_indent="    ")
            )
    readings = manifest.get("readings") or {}
    if readings:
        lines += ["", "Readings", f"  - {reading_sentence(readings)}"]
    lines.append("")
    if notice := run.lock["scene"].get("notice"):
        lines += [*textwrap.wrap(f"Note: {notice}", 96), ""]
    if note := manifest.get("pictures", {}).get("note"):
        lines += [*textwrap.wrap(note, 96), ""]
    took = sum(manifest.get("timings", {}).values())
    if (run.path / "report.html").is_file():
        lines.append(f"Report: {run.path / 'report.html'}")
    lines.append(f"Run:    {run.path}  (in {format_duration(took)}; look: twin view {run.path})")
    return "\n".join(lines)


def reading_sentence(readings: dict[str, int]) -> str:
    """Say how many readings came in, and what became of those that were not simply stored."""
    text = f"{readings.get('stored', 0)} readings stored"
    other = [
        f"{readings[key]} {word}"
        for key, word in (
            ("duplicates", "duplicates"),
            ("conflicts", "in conflict"),
            ("dead_letters", "unreadable, kept aside"),
        )
        if readings.get(key)
    ]
    return text + (f"; {', '.join(other)}." if other else ".")

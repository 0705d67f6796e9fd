"""The few pieces of HTML that a report is made of."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["STYLE", "figure", "media", "page", "section", "table"]

STYLE = """
:root { --ink: #1d2733; --soft: #5b6876; --line: #d9dee4; --accent: #0b5f8a; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif;
  color: var(--ink); margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: #fff; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem;
  border-bottom: 2px solid var(--accent); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1rem 0 .4rem; }
.lead { color: var(--soft); margin: 0 0 1rem; }
.notice { background: #fff6dd; border-left: 4px solid #d79b00; padding: .6rem 1rem; }
figure { margin: 0 0 1rem; } figcaption { color: var(--soft); font-size: .85rem; }
img, video, svg { max-width: 100%; height: auto; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
th { cursor: pointer; position: sticky; top: 0; background: #fff; } td.n, th.n { text-align: right;
  font-variant-numeric: tabular-nums; } td.s { white-space: nowrap; }
.scroll { max-height: 24rem; overflow: auto; margin-bottom: 1rem; }
code { font-size: .8rem; overflow-wrap: anywhere; } li { margin: .2rem 0; }
@media print { .scroll { max-height: none; } th { position: static; } }
"""

#: Texts of up to so many signs stand on one line of a table, so that ids are not torn apart.
SHORT = 32

#: Sorts a table by the column whose head is clicked.
SCRIPT = """
document.querySelectorAll('table.sortable th').forEach(function (th) {
  th.addEventListener('click', function () {
    var body = th.closest('table').tBodies[0], at = th.cellIndex, up = th.dataset.up !== '1';
    th.dataset.up = up ? '1' : '0';
    Array.from(body.rows).sort(function (a, b) {
      var x = a.cells[at].dataset.v, y = b.cells[at].dataset.v;
      var order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return up ? order : -order;
    }).forEach(function (row) { body.appendChild(row); });
  });
});
"""


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page that needs nothing else."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return a section with its heading; empty where there is nothing to say."""
    inner = "\n".join(p for p in parts if p)
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{inner}\n</section>" if inner else ""


def figure(inner: str, caption: str) -> str:
    """Return a figure, with its caption if there is one."""
    said = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{inner}{said}</figure>"


def media(path: Path, text: str) -> str:
    """Return a picture or a film with its bytes inside the page."""
    kinds = {".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".mp4": "video/mp4"}
    kind = kinds[path.suffix]
    data = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    said = html.escape(text, quote=True)
    if kind.startswith("video"):
        return f'<video controls loop muted playsinline aria-label="{said}" src="{data}"></video>'
    return f'<img alt="{said}" src="{data}">'


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table that sorts by a click on a head; empty without rows.

    Parameters
    ----------
    columns
        Head and format of each column; an empty format is text.
    rows
        Values; None, NaN and empty text show as a dash.
    """
    body = [list(row) for row in rows]
    if not body:
        return ""
    kinds = [
        "n" if form else "s" if max(len(str(row[at])) for row in body) <= SHORT else "t"
        for at, (_, form) in enumerate(columns)
    ]
    heads = "".join(
        f'<th class="{kind}">{html.escape(head)}</th>'
        for (head, _), kind in zip(columns, kinds, strict=True)
    )
    cells = "".join(
        "<tr>"
        + "".join(
            _cell(value, form, kind)
            for value, (_, form), kind in zip(row, columns, kinds, strict=True)
        )
        + "</tr>\n"
        for row in body
    )
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{cells}</tbody></table></div>"
    )


def _cell(value: Any, form: str, kind: str) -> str:
    """Return one cell, with what to sort it by."""
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        said, key = "–", "-1" if form else ""
    elif form:
        said, key = f"{value:{form}}", str(value)
    else:
        said = key = str(value)
    return f'<td class="{kind}" data-v="{html.escape(key)}">{html.escape(said)}</td>'

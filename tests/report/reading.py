"""A reader of reports: checks that tags match, and gathers what is said where."""

from __future__ import annotations

from html.parser import HTMLParser

#: Elements without an end tag.
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """One page: its sections, tables and attributes.

    Attributes
    ----------
    sections
        Text of each section by its heading, the parts joined by spaces.
    tables
        By the first head: rows of (text, sort key), each a dict by head.
    attributes
        Every (tag, attribute, value).
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: dict[str, str] = {}
        self.tables: dict[str, list[dict[str, tuple[str, str]]]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.style = ""
        self._open: list[str] = []
        self._heading = ""
        self._heads: list[str] = []
        self._row: list[tuple[str, str]] = []
        self._key = ""
        self.feed(text)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in VOID:
            return
        self._open.append(tag)
        if tag == "section":
            self._heading = ""
        elif tag == "table":
            self._heads = []
        elif tag == "tr":
            self._row = []
        elif tag == "td":
            self._key = dict(attrs)["data-v"]
            self._row.append(("", self._key))

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag
        if tag == "tr" and self._row:
            row = dict(zip(self._heads, self._row, strict=True))
            self.tables.setdefault(self._heads[0], []).append(row)

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ""
        if inside == "style":
            self.style += data
        elif inside == "h2":
            self._heading = data
            self.sections[data] = ""
        elif inside == "th":
            self._heads.append(data)
        elif inside == "td":
            self._row[-1] = (data, self._key)
        if inside not in {"style", "script"} and self._heading and data.strip():
            self.sections[self._heading] += data.strip() + " "

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, name, value in self.attributes if name == attribute]

"""Read a page as a browser would: its elements, its text, its tables. The standard parser alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

LIVE_TAGS = {
    "script", "iframe", "object", "embed", "link", "base", "form", "input", "button", "audio",
    "video", "source", "foreignobject", "animate", "set", "image", "template", "noscript", "a:x",
}  # fmt: skip
ADDRESSES = {
    "href",
    "src",
    "srcset",
    "action",
    "formaction",
    "xlink:href",
    "poster",
    "data",
    "ping",
}


@dataclass
class Page(HTMLParser):
    """Everything a test asks of a page."""

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)
    _cell: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.tables[-1][-1][-1] += data

    def table(self, *heading: str) -> list[list[str]]:
        """Return the rows below the one table whose heading starts with these words."""
        (found,) = [t for t in self.tables if t[0][: len(heading)] == list(heading)]
        return found[1:]

    def live(self) -> list[str]:
        """Return everything that could run or fetch: empty for a safe page."""
        found = [f"<{tag}>" for tag, _ in self.tags if tag in LIVE_TAGS]
        for tag, attributes in self.tags:
            for name, value in attributes.items():
                found += [f"<{tag} {name}={value[:80]}>"] if _dangerous(name, value) else []
            if tag == "meta" and attributes.get("http-equiv", "").lower() == "refresh":
                found.append("<meta refresh>")
        styles = re.findall(r"<style>(.*?)</style>", self.source, re.DOTALL)
        styles += [attributes.get("style", "") for _, attributes in self.tags]
        return found + [
            s[:80] for s in styles if re.search(r"url\((?!['\"]?#)|@import|expression", s)
        ]


def _dangerous(name: str, value: str) -> bool:
    if name.startswith("on") or name in ("srcdoc", "background", "style:x"):
        return True
    if name not in ADDRESSES:
        return False
    return not value.startswith(("#", "data:image/png;base64,"))

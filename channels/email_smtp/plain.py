"""The words of an HTML body, for whoever reads mails without HTML: every mail has a plain-text part."""

import re
from html.parser import HTMLParser

_BREAKS = frozenset(
    {"address", "br", "div", "h1", "h2", "h3", "h4", "hr", "li", "p", "table", "tr", "ul", "ol"}
)
_SILENT = frozenset({"head", "script", "style", "title"})
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]+")
_GAPS = re.compile(r"\n\s*\n+")


def words_of(html: str) -> str:
    """Text without tags; a link's address stands in brackets behind its words."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = _BLANKS.sub(" ", "".join(reader.words)).split("\n")
    return _GAPS.sub("\n\n", "\n".join(line.strip() for line in lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.words.append("\n")
        elif tag == "td":
            self.words.append(" ")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
        elif tag == "img" and (said := dict(attrs).get("alt")):
            self.words.append(said)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag in _BREAKS:
            self.words.append("\n")
        elif tag == "a" and self._links and (href := self._links.pop()).startswith("http"):
            self.words.append(f"（{href}）")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data.replace("\n", " "))

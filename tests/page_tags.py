"""The tags of an HTML page, for tests of what is markup in it and what is text."""

from __future__ import annotations

from html.parser import HTMLParser
from operator import methodcaller


class PageTags(HTMLParser):
    """A page's tags with their attributes, and its text; every tag must be closed where it was opened."""

    VOID = frozenset({"meta", "img", "br", "link", "source"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        methodcaller("feed", page)(self)
        assert self.open == []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.tags]

    def attributes(self, name: str) -> list[dict[str, str | None]]:
        """Of all tags of that name."""
        return [attributes for tag, attributes in self.tags if tag == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

"""HTML pages as tests read them."""

from __future__ import annotations

from html.parser import HTMLParser

from craqbench.report_markup import VOID

__all__ = ["Page"]


class Page(HTMLParser):
    """The elements of a page in order, with their attributes and the text straight inside them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.unclosed: list[int] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.unclosed.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        """See that elements are nested."""
        assert self.elements[self.unclosed.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if self.unclosed:
            self.elements[self.unclosed[-1]][2].append(data)

    def all(self, name: str, **attributes: str) -> list[tuple[dict[str, str | None], str]]:
        """Return attributes and text of the elements of that name with those attributes."""
        return [
            (found, "".join(texts))
            for tag, found, texts in self.elements
            if tag == name and all(found.get(key) == value for key, value in attributes.items())
        ]

"""HTML and SVG that cannot be broken by a name: whatever is not `Markup` is escaped."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Child", "Markup", "breakable", "fragment", "tag"]

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
"""Elements without an end."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | None
"""What an element holds: `Markup` as it is, other text escaped, None not at all."""


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    name
        Of the element.
    *children
        Its content.
    **attributes
        Escaped. An underscore stands for a hyphen (``data_f1``), one at the end for nothing (``class_``);
        None leaves the attribute out, "" gives it no value.

    Examples
    --------
    >>> tag("p", "a < b", tag("br"), class_="x")
    '<p class="x">a &lt; b<br></p>'
    """
    opening = "".join([f"<{name}", *_attributes(attributes), ">"])
    return Markup(opening if name in VOID else f"{opening}{fragment(*children)}</{name}>")


def fragment(*children: Child) -> Markup:
    """Return children side by side, without an element around them."""
    return Markup("".join(map(_child, children)))


def breakable(text: str) -> Markup:
    """Return a method's label, which has no spaces, so that it may go on in a new line after each part.

    Examples
    --------
    >>> breakable("tophat,level=55")
    'tophat,<wbr>level=<wbr>55'
    """
    return Markup(tag("wbr").join(map(html.escape, re.split(r"(?<=[,=])|(?=#)", text))))


def _child(child: Child) -> str:
    if child is None:
        return ""
    return str(child) if isinstance(child, Markup) else html.escape(str(child))


def _attributes(attributes: dict[str, str | float | None]) -> Iterator[str]:
    for name, value in attributes.items():
        if value is None:
            continue
        plain = name.rstrip("_").replace("_", "-")
        yield f' {plain}="{html.escape(str(value))}"' if value != "" else f" {plain}"

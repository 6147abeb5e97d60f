"""HTML and SVG that cannot be broken by a name: whatever is not `Markup` is escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Child", "Markup", "breakable", "document", "fragment", "tag"]

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


def document(
    title: str,
    *body: Child,
    styles: Sequence[str],
    script: str = "",
    head: Child = None,
    package: str = "craqbench",
) -> str:
    """Return a page in one file: its browser is forbidden to fetch anything, and to run any other script.

    Parameters
    ----------
    title
        Of the window.
    *body
        What the page holds.
    styles, script
        Files of the package.
    head
        More for the browser to know.
    package
        Whose files these are.
    """
    code = Markup(_text(package, script)) if script else None
    digest = base64.b64encode(hashlib.sha256((code or "").encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    known = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        *(tag("style", Markup(_text(package, name))) for name in styles),
        head,
    )
    shown = tag("body", *body, code and tag("script", code))
    return f"<!DOCTYPE html>\n{tag('html', known, shown, lang='en')}\n"


def _text(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")


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

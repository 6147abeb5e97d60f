"""The before/after page of a restoration: one HTML file with sliders, for eyes and keyboards, offline."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from baselines.protocols import Image
from craqbench import __version__
from craqbench.overlays import COLOURS, best_colour
from craqbench.report_markup import Markup, document, fragment, tag
from craqbench.restoration_checking import View, Views

__all__ = ["page"]

SMALL = 768
"""Px of the width up to which small pictures are shown enlarged, a whole number of times."""

QUALITY = 90
"""Of the lossy WebP of pictures that are made smaller; at full size they are without loss."""


def page(title: str, statement: str, facts: Mapping[str, str], views: Views) -> str:
    """Return the page.

    Parameters
    ----------
    title
        The picture's name.
    statement
        That this is a virtual restoration, and of what.
    facts
        Name -> value.
    views
        What is shown.
    """
    colour = best_colour(views.whole.before)
    pictures = [_picture(views.whole, "The picture", colour, views.details)]
    if views.details:
        details = (_picture(view, f"Detail {n}", colour) for n, view in enumerate(views.details, 1))
        pictures += [
            tag("h2", "Details at full size, most changed first"),
            tag("div", *details, class_="details"),
        ]
    both = ".stage .before{position:static;clip-path:none}.bar,.name,.mark,input{display:none}"
    return document(
        f"{title}: virtual restoration",
        tag("header", tag("h1", f"{title}, virtually restored"), tag("p", statement)),
        tag("main", _tools(), *pictures, tag("h2", "What was done"), _definitions(facts)),
        tag("footer", tag("p", f"Made by craqbench {__version__}.", class_="quiet")),
        styles=["restoration.css"],
        script="restoration.js",
        head=tag("noscript", tag("style", Markup(both))),
    )


def _tools() -> Markup:
    """Return the buttons, hidden until the script shows them: without it they could do nothing."""
    groups = (
        _buttons("Show", "share", {"before": "100", "half and half": "50", "after": "0"}, "50"),
        _buttons("Size", "zoom", {"fit": "", "1:1": "1", "2:1": "2", "4:1": "4"}, ""),
        tag("button", "what was filled", type="button", aria_pressed="false", data_cracks=""),
        tag(
            "span", "Keys: B before and after in turn, C what was filled, arrows on a picture", class_="quiet"
        ),
    )
    return tag("div", *groups, class_="tools", hidden="", role="group", aria_label="How pictures are shown")


def _buttons(name: str, data: str, choices: Mapping[str, str], first: str) -> Markup:
    buttons = [
        tag(
            "button",
            label,
            type="button",
            aria_pressed=str(value == first).lower(),
            **{f"data_{data}": value},
        )
        for label, value in choices.items()
    ]
    return tag("fieldset", tag("legend", name), *buttons)


def _picture(view: View, name: str, colour: str, details: Sequence[View] = ()) -> Markup:
    """Return a picture before and after, with a slider between."""
    height, width = view.before.shape[:2]
    lossless, fit = view.scale == 1, width * max(1, SMALL // width)
    size = {"width": width, "height": height}
    label = f"{name}: how much of it is shown before restoration, in percent"
    stage = tag(
        "div",
        tag(
            "img",
            class_="after",
            src=_webp(view.after, lossless=lossless),
            alt=f"{name} after restoration",
            **size,
        ),
        tag(
            "img",
            class_="before",
            src=_webp(view.before, lossless=lossless),
            alt=f"{name} before restoration",
            **size,
        ),
        tag(
            "img", class_="cracks", src=_layer(view.cracks, colour), alt="What was filled", hidden="", **size
        ),
        *(_mark(number, detail, view) for number, detail in enumerate(details, 1)),
        tag("span", class_="bar", aria_hidden="true"),
        tag("span", "before", class_="name was", aria_hidden="true"),
        tag("span", "after", class_="name is", aria_hidden="true"),
        tag("input", type="range", min=0, max=100, value=50, aria_label=label),
        class_="stage enlarged" if fit > width else "stage",
        style=f"--x:50%;--w:{width};--fit:{fit}",
    )
    return tag("figure", tag("div", stage, class_="scroll"), tag("figcaption", _caption(view, name)))


def _caption(view: View, name: str) -> str:
    left, top, right, bottom = view.box
    filled = 100 * float(view.cracks.mean(dtype=np.float64)) / 255
    where = f"px {left:,} to {right:,} from the left, {top:,} to {bottom:,} from the top"
    if (left, top) == (0, 0):
        where = f"{right:,} x {bottom:,} px"
    scale = "at full size" if view.scale == 1 else f"1 px here is {view.scale} x {view.scale} of the file"
    return f"{name}: {where}, {scale}; {filled:.2f} % filled."


def _mark(number: int, detail: View, whole: View) -> Markup:
    """Return where a detail is in the whole picture."""
    _, _, width, height = whole.box
    left, top, right, bottom = detail.box
    places = {
        "left": left / width,
        "top": top / height,
        "width": (right - left) / width,
        "height": (bottom - top) / height,
    }
    style = ";".join(f"{name}:{100 * share:.3f}%" for name, share in places.items())
    return tag("span", str(number), class_="mark", style=style, aria_hidden="true")


def _webp(image: Image, *, lossless: bool) -> str:
    return _address(image, lossless=lossless, quality=50 if lossless else QUALITY)


def _layer(cracks: npt.NDArray[np.uint8], colour: str) -> str:
    """Return what was filled as a layer over the picture."""
    layer = np.empty((*cracks.shape, 4), np.uint8)
    layer[..., :3] = COLOURS[colour]
    layer[..., 3] = cracks
    return _address(layer, lossless=True, quality=50)


def _address(array: npt.NDArray[np.uint8], **options: bool | int) -> str:
    out = io.BytesIO()
    Pictures.fromarray(array).save(out, "WEBP", **options)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _definitions(pairs: Mapping[str, str]) -> Markup:
    return tag("dl", *(fragment(tag("dt", name), tag("dd", value)) for name, value in pairs.items()))

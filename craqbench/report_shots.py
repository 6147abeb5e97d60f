"""The pictures of a report: images worst first, each with what every method made of it, and filters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from craqbench.comparison import Comparison
from craqbench.report_curves import swatch
from craqbench.report_markup import Markup, breakable, tag
from craqbench.report_pictures import (
    CRACK,
    FALSE_ALARM,
    HIT,
    IGNORED,
    KINDS,
    LOSS,
    LOSS_FALSE,
    LOSS_HIT,
    LOSS_MISS,
    MISS,
)
from craqbench.report_tables import HEADS, Method
from craqbench.results import DetectionResult

__all__ = ["Picture", "Prediction", "Shot", "pictures"]

MOST_VALUES = 12
"""An attribute of more values, such as an inventory number, is no filter."""


class Picture(NamedTuple):
    """A picture of a shot.

    Attributes
    ----------
    layer
        ``data:`` address of what is laid over the crop; None for the crop itself.
    caption
        A word.
    seen
        The picture in words.
    style
        How it is laid over the crop: "layer" over a pale crop, "over" the crop as it is, "alone" over grey.
    """

    layer: str | None
    caption: str
    seen: str
    style: str = "layer"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method answered for an image.

    Attributes
    ----------
    pictures
        The first is captioned with the method's name and figures; none if it failed.
    score
        What the image is sorted by, higher is better.
    told
        The figures in one line, or why it failed.
    """

    pictures: tuple[Picture, ...]
    score: float
    told: str


@dataclass(frozen=True, slots=True)
class Shot:
    """An image, what is known of it, and what each method of the section answered.

    Attributes
    ----------
    size
        Height and width in px of what is shown.
    told
        What is said of it, beside its attributes.
    crop
        ``data:`` address.
    known
        Pictures of what is known, such as the image and its annotation.
    """

    id: str
    painting: str
    attributes: Mapping[str, str]
    size: tuple[int, int]
    told: str
    crop: str
    known: tuple[Picture, ...]
    predictions: tuple[Prediction, ...]


def pictures(comparison: Comparison, methods: Sequence[Method], shots: Sequence[Shot]) -> Iterator[Markup]:
    """Yield the pictures of a set, with a legend and filters.

    Parameters
    ----------
    comparison
        The table of its results.
    methods
        The results in the order of the table.
    shots
        Worst first.
    """
    info, shown = comparison.set, len(shots)
    yield tag("h3", "Pictures, worst first")
    if not shown:
        yield tag("p", "This report was made without pictures.")
        return
    which = "all images" if shown == info.images else f"the {shown:,} worst of {info.images:,} images"
    by = "share of false alarms" if info.clean else HEADS[comparison.ranking]
    yield tag("p", f"Shown are {which}, sorted by the mean {by} of the methods that look at the image.")
    of_cracks = isinstance(methods[0].result, DetectionResult)
    yield _legend(info.classes, methods) if of_cracks else tag("p", FILLINGS)
    yield _filters(methods, shots, SIZES if of_cracks else FULL_SIZES)
    yield tag("p", f"{shown:,} of {info.images:,} images shown, worst first", role="status", class_="quiet")
    kind = "shots" if of_cracks else "shots full"
    yield tag("div", *(_shot(shot, methods) for shot in shots), class_=kind)


FILLINGS = (
    "Each method has two pictures: what it made of the damaged one, and how what it filled differs from the "
    "undamaged one, twice as strong: grey is right, darker is too dark, lighter too light, a tint is a wrong "
    "colour. Pictures are at full size and without loss."
)

SIZES = {"small": "", "large": "large"}
FULL_SIZES = {"1:1": "", "2:1": "twice", "3:1": "thrice"}


def _legend(classes: Sequence[str], methods: Sequence[Method]) -> Markup:
    kinds = [HIT, MISS, FALSE_ALARM, IGNORED, CRACK]
    if len(classes) > 2:
        kinds.append(LOSS)
    results = [method.result for method in methods]
    if any(isinstance(one, DetectionResult) and one.predicted_classes > 2 for one in results):
        kinds += [LOSS_HIT, LOSS_MISS, LOSS_FALSE]
    return tag("ul", *map(_key, kinds), class_="legend", aria_label="Colours")


def _key(number: int) -> Markup:
    kind = KINDS[number]
    red, green, blue, alpha = kind.colour
    colour = f"rgba({red},{green},{blue},{alpha / 255:.2f})"
    box = tag("span", class_="key", style=f"background:{colour}", aria_hidden="true")
    return tag("li", box, tag("span", tag("strong", kind.name), f": {kind.meaning}"))


def _filters(results: Sequence[Method], shots: Sequence[Shot], sizes: Mapping[str, str]) -> Markup:
    """Return the buttons, hidden until the script shows them: without it they could do nothing."""
    methods = [("every", ""), *((method.label, str(n)) for n, method in enumerate(results))]
    groups = [_buttons("Method", [(label, {"data_method": value}) for label, value in methods])]
    for attribute, counts in _attributes(shots).items():
        choices = [("every", {"data_attribute": attribute})]
        choices += [
            (f"{value or 'unknown'} ({count})", {"data_attribute": attribute, "data_value": value})
            for value, count in counts.items()
        ]
        groups.append(_buttons(attribute.capitalize(), choices))
    groups.append(_buttons("Size", [(name, {"data_view": view}) for name, view in sizes.items()]))
    groups.append(_buttons("Image", [("as it is", {"data_view": ""}), ("brighter", {"data_view": "bright"})]))
    return tag("div", *groups, class_="filters", hidden="", role="group", aria_label="Filter the pictures")


def _buttons(name: str, choices: Sequence[tuple[str, Mapping[str, str]]]) -> Markup:
    """Return buttons of which one is pressed, at first the first."""
    buttons = [
        Markup(_button(label, str(number == 0).lower(), data)) for number, (label, data) in enumerate(choices)
    ]
    return tag("fieldset", tag("legend", name), *buttons)


def _button(label: str, pressed: str, data: Mapping[str, str]) -> Markup:
    # An empty value is a value here: `tag` would write the bare name, which a browser reads alike.
    return tag("button", label, type="button", aria_pressed=pressed, **data)


def _attributes(shots: Sequence[Shot]) -> dict[str, dict[str, int]]:
    """Count the values of each attribute that tells images apart."""
    found: dict[str, dict[str, int]] = {}
    for name in dict.fromkeys(name for shot in shots for name in shot.attributes):
        values = Counter(shot.attributes.get(name, "") for shot in shots)
        found[name] = dict(sorted(values.items()))
    return {name: counts for name, counts in found.items() if 2 <= len(counts) <= MOST_VALUES}


def _shot(shot: Shot, methods: Sequence[Method]) -> Markup:
    width = shot.size[1]
    told = [shot.painting if shot.painting != shot.id else "", *shot.attributes.values(), shot.told]
    figures = [
        *(_figure([picture], shot.size, tag("figcaption", picture.caption)) for picture in shot.known),
        *(_predicted(number, shot, methods[number]) for number in range(len(shot.predictions))),
    ]
    return tag(
        "article",
        tag("h4", shot.id),
        tag("p", " · ".join(filter(None, told)), class_="quiet"),
        tag("div", *figures, class_="pictures"),
        class_="shot",
        data_attributes=json.dumps(dict(shot.attributes), ensure_ascii=False),
        style=f"--crop:url({shot.crop});--w:{width}",
    )


def _figure(
    shown: Sequence[Picture],
    size: tuple[int, int],
    caption: Markup,
    **attributes: str | float | None,
) -> Markup:
    return tag("figure", *(_picture(one, size) for one in shown), caption, **attributes)


def _picture(picture: Picture, size: tuple[int, int]) -> Markup:
    height, width = size
    if picture.layer is None:
        ratio = f"aspect-ratio:{width}/{height}"
        return tag("span", class_="picture crop", role="img", aria_label=picture.seen, style=ratio)
    kind = f"picture {picture.style}"
    return tag("img", class_=kind, src=picture.layer, alt=picture.seen, width=width, height=height)


def _predicted(number: int, shot: Shot, method: Method) -> Markup:
    prediction = shot.predictions[number]
    name = tag("strong", breakable(method.label))
    caption = tag("figcaption", swatch(method.style), " ", name, tag("br"), prediction.told)
    data: dict[str, str | float | None] = {
        "data_method": number,
        "data_f1": f"{prediction.score:.6f}",
        "data_sanity": "" if method.is_sanity else None,
        "hidden": "" if method.is_sanity else None,
    }
    return _figure(prediction.pictures, shot.size, caption, **data)

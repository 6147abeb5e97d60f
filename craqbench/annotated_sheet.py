"""A contact sheet of an annotated set: each image, and beside it what its annotators saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from craqbench.contact_sheet import GROUND, Panel, plate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item
    from generators.triplets import Image, Mask

__all__ = ["annotated_sheet", "overlay"]

CELL = 384
"""px of a cell's longer side; larger images are scaled down to it."""

CRACK = (0, 205, 255)
LOSS = (255, 196, 0)
FIRST_ONLY = (255, 122, 0)
SECOND_ONLY = (255, 0, 200)
"""Colours that no old painting has, so that they are not mistaken for paint."""

LEGEND = {
    "crack": "cyan: crack",
    "loss": "yellow: paint loss",
    "ignored": "faded: not scored",
    "second": "orange, magenta: only the first, only the second annotator",
}

FADED = 0.55
"""How much of what is not scored is faded to the ground's grey."""


def annotated_sheet(annotated: AnnotatedSet, items: Sequence[Item], title: str = "") -> Image:
    """Compose images and their annotations in pairs.

    Parameters
    ----------
    annotated
        The set.
    items
        The items to show, at least one. Images of other shapes are padded to one size.
    title
        A line above all.

    Returns
    -------
    Image
        (h, w, 3) uint8 RGB.

    Raises
    ------
    AnnotationError
        If an item cannot be read.
    """
    shown = [_show(item, annotated.load(item)) for item in items]  # one by one: scans may be huge
    sizes = [one.pictures[0].shape for one in shown]
    height, width = max(size[0] for size in sizes), max(size[1] for size in sizes)
    panels = [Panel(tuple(_padded(p, width, height) for p in one.pictures), one.caption) for one in shown]
    marks = sorted({mark for one in shown for mark in one.marks}, key=list(LEGEND).index)
    line = " · ".join([*([title] if title else []), *(LEGEND[mark] for mark in marks)])
    return plate(panels, line, headers=("image", "annotation"))


class _Shown(NamedTuple):
    """An image and its annotation, scaled to the sheet, and what of the legend it needs."""

    pictures: tuple[Image, Image]
    caption: str
    marks: frozenset[str]


def _show(item: Item, one: Annotated) -> _Shown:
    pictures = (_scaled(one.image), _scaled(overlay(one, _line_width(one))))
    return _Shown(pictures, _caption(item, one), frozenset(_marks(one)))


def overlay(one: Annotated, widen: int = 1) -> Image:
    """Draw an annotation over its image: (H, W, 3) uint8 RGB.

    Craquelure is cyan and paint loss yellow; what is not scored is faded. Where there are two annotators,
    cyan is what both saw, orange only the first, magenta only the second.

    Parameters
    ----------
    one
        The image.
    widen
        Lines are drawn at least this wide (px), so that they outlast being scaled down.
    """
    faded = cv2.addWeighted(one.image, 1 - FADED, np.full_like(one.image, GROUND), FADED, 0)
    drawn = np.where(_widened(one.ignore, 1)[..., None], faded, one.image)
    drawn[_widened(one.labels == 2, widen)] = LOSS
    first = _widened(one.mask, widen)
    drawn[first] = CRACK
    if one.second is not None:
        scored = ~(one.ignore | one.second.ignore)
        drawn[_widened(one.mask & ~one.second.mask & scored, widen)] = FIRST_ONLY
        drawn[_widened(one.second.mask & ~one.mask & scored, widen)] = SECOND_ONLY
    return np.asarray(drawn, np.uint8)


def _widened(mask: Mask, width: int) -> Mask:
    if width <= 1:
        return mask
    return cv2.dilate(mask.astype(np.uint8), np.ones((width, width), np.uint8)) > 0


def _line_width(one: Annotated) -> int:
    """Width (px) that is sure to fill one px of a scaled image, however it falls on its grid."""
    height, width = one.image.shape[:2]
    return max(1, int(2 * max(height, width) / CELL)) if max(height, width) > CELL else 1


def _scaled(picture: Image) -> Image:
    height, width = picture.shape[:2]
    scale = CELL / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _padded(picture: Image, width: int, height: int) -> Image:
    cell = np.full((height, width, 3), GROUND, np.uint8)
    cell[: picture.shape[0], : picture.shape[1]] = picture
    return cell


def _marks(one: Annotated) -> Iterator[str]:
    yield "crack"
    if (one.labels == 2).any():
        yield "loss"
    if one.ignore.any():
        yield "ignored"
    if one.second is not None:
        yield "second"


def _caption(item: Item, one: Annotated) -> str:
    parts = [item.id, *item.attributes.values(), _share(one.annotation)]
    if one.second is not None:
        parts.append("two annotators")
    return " · ".join(parts)


def _share(annotation: Annotation) -> str:
    scored = ~annotation.ignore
    return f"{100 * annotation.mask[scored].mean():.1f} % crack" if scored.any() else "nothing scored"

"""Contact sheets: triplets on a neutral grey plate, as a documentation photograph of a museum."""

from __future__ import annotations

import io
import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from craqbench.storage import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from generators.triplets import Image, Labels, Triplet

__all__ = ["Panel", "ages_sheet", "plate", "triplet_sheet", "write_png"]

GROUND = (158, 158, 158)
"""A mid grey (L* = 65): it shifts the eye to neither side, neither in tone nor in colour."""

INK = (24, 24, 24)
QUIET_INK = (60, 60, 60)
GUTTER = 6
"""px between the pictures of a panel."""

MARGIN = 28
"""px around the plate, and between panels side by side."""

CLASS_COLOURS = np.array([(0, 0, 0), (255, 255, 255), (224, 142, 36)], np.uint8)
"""How a mask's classes are shown: background black, craquelure white, paint loss ochre."""

SHAPE = 1.4
"""Width / height that a plate comes near to: that of a screen."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Pictures of one size that are looked at together, and the caption beneath them.

    Attributes
    ----------
    pictures
        Each (H, W, 3) uint8 RGB.
    caption
        One line, drawn without accents; what the font lacks becomes "?".
    """

    pictures: tuple[Image, ...]
    caption: str


def triplet_sheet(triplets: Sequence[Triplet], captions: Sequence[str], title: str = "") -> Image:
    """Compose triplets as rows of (I, M, I~).

    Parameters
    ----------
    triplets
        At least one, all of one size (H, W).
    captions
        One line each.
    title
        A line above all.

    Returns
    -------
    Image
        (h, w, 3) uint8 RGB: as many triplets side by side as bring the plate's shape near a screen's.
    """
    panels = [
        Panel((t.image, mask_picture(t.labels), t.damaged), caption)
        for t, caption in zip(triplets, captions, strict=True)
    ]
    with_loss = any((t.labels == 2).any() for t in triplets)
    mask = "M  mask: craquelure white, paint loss ochre" if with_loss else "M  mask"
    return plate(panels, title, headers=("I  clean", mask, "I~  damaged"))


def ages_sheet(triplets: Sequence[Triplet], captions: Sequence[str], title: str = "") -> Image:
    """Compose one painting at several ages: first the clean one, then each age, its mask beneath it.

    Parameters
    ----------
    triplets
        At least one, youngest first, all of the same clean image (H, W, 3).
    captions, title
        As for `triplet_sheet`; the clean painting has a caption of its own.
    """
    clean = triplets[0].image
    first = Panel((clean, np.zeros_like(clean)), "clean")
    aged = [
        Panel((t.damaged, mask_picture(t.labels)), caption)
        for t, caption in zip(triplets, captions, strict=True)
    ]
    return plate([first, *aged], title, headers=(), upright=True)


def mask_picture(labels: Labels) -> Image:
    """Colour (H, W) uint8 class numbers by `CLASS_COLOURS`."""
    return CLASS_COLOURS[labels]


def write_png(path: Path, picture: Image) -> None:
    """Write (H, W, 3) uint8 RGB as PNG: the whole file, or none.

    Raises
    ------
    StorageError
        If the file cannot be written; what lay there before is untouched.
    """
    encoded = io.BytesIO()
    Pictures.fromarray(picture).save(encoded, "PNG")
    write_file(path, encoded.getvalue())


def plate(panels: Sequence[Panel], title: str, headers: Sequence[str], *, upright: bool = False) -> Image:
    """Lay panels out in rows on the ground, `headers` over the pictures of the first row."""
    height, width = panels[0].pictures[0].shape[:2]
    layout = _Layout(len(panels), len(panels[0].pictures), width, height, upright=upright)
    top = MARGIN + (layout.title_height if title else 0) + (layout.line_height if headers else 0)
    plate = np.full((top + layout.height + MARGIN, layout.width + 2 * MARGIN, 3), GROUND, np.uint8)
    text = [_Line(MARGIN, MARGIN, title, layout.width, size=layout.font_size * 1.35)]
    for number, panel in enumerate(panels):
        x, y = layout.corner(number)
        text.append(_Line(x, top + y + layout.caption_at, panel.caption, layout.panel_width, quiet=True))
        for i, picture in enumerate(panel.pictures):
            px, py = layout.offset(i)
            plate[top + y + py :, x + px :][:height, :width] = picture
            if y == 0 and headers:
                text.append(_Line(x + px, top - layout.line_height, headers[i], width))
    return _lettered(plate, text, layout.font_size)


class _Layout:
    """Where panels, their pictures and their captions lie, in px; y counts from the first panel's top."""

    def __init__(self, panels: int, pictures: int, width: int, height: int, *, upright: bool) -> None:
        self._cell = (width + GUTTER, height + GUTTER)
        self._upright = upright
        columns, rows = (1, pictures) if upright else (pictures, 1)
        self.panel_width = columns * self._cell[0] - GUTTER
        self.caption_at = rows * self._cell[1] - GUTTER + 3
        self.font_size = float(np.clip(self.panel_width / (20 if upright else 60), 11, 20))
        self.line_height = round(self.font_size * 1.5)
        self.title_height = round(self.font_size * 2.6)
        self._step = (self.panel_width + MARGIN, self.caption_at + self.line_height + MARGIN // 2)
        self.across = min(range(1, panels + 1), key=lambda across: self._misfit(panels, across))
        self.width = self.across * self._step[0] - MARGIN
        self.height = math.ceil(panels / self.across) * self._step[1] - MARGIN // 2

    def _misfit(self, panels: int, across: int) -> float:
        shape = across * self._step[0] / (math.ceil(panels / across) * self._step[1])
        return abs(math.log(shape / SHAPE))

    def corner(self, panel: int) -> tuple[int, int]:
        """Return x, y of a panel."""
        row, column = divmod(panel, self.across)
        return MARGIN + column * self._step[0], row * self._step[1]

    def offset(self, picture: int) -> tuple[int, int]:
        """Return x, y of a picture in its panel."""
        return (0, picture * self._cell[1]) if self._upright else (picture * self._cell[0], 0)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text at x, y with `room` px for it."""

    x: int
    y: int
    text: str
    room: int
    size: float | None = None
    quiet: bool = False


def _lettered(plate: Image, lines: Sequence[_Line], size: float) -> Image:
    drawn = Pictures.fromarray(plate)
    draw = ImageDraw.Draw(drawn)
    for line in lines:
        font = ImageFont.load_default(line.size or size)
        ink = QUIET_INK if line.quiet else INK
        draw.text((line.x, line.y), _fitting(line.text, font, line.room), fill=ink, font=font)
    return np.array(drawn, np.uint8)


def _fitting(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int) -> str:
    """Cut a line that is longer than its room, drop accents, and replace what else the font cannot draw."""
    plain = (c for c in unicodedata.normalize("NFD", line) if not unicodedata.combining(c))
    line = "".join(c if (c.isascii() and c.isprintable()) or c == "·" else "?" for c in plain)
    if font.getlength(line) <= room:
        return line
    while line and font.getlength(line + " ...") > room:
        line = line[:-1]
    return line.rstrip() + " ..."

"""Scans of paintings, of any size: what is known of a picture file, and its pixels from top to bottom.

Pixels come through libvips, which needs no more memory for a large picture than for a small one. What a file
holds beside them is read by `craqbench.scans_opening`, because libvips drops part of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyvips

from craqbench.errors import SourceError
from craqbench.scans_jpeg import Segment
from craqbench.scans_png import Chunk
from craqbench.scans_tiff import Page

__all__ = ["FORMATS", "Layout", "Scan", "load", "spell", "unreadable"]

FORMATS = ("TIFF", "PNG", "JPEG", "WebP")

_LOADERS = {"TIFF": "tiffload", "PNG": "pngload", "JPEG": "jpegload", "WebP": "webpload"}

# Without a handler, Python prints on stderr what libvips warns of.
logging.getLogger("pyvips").addHandler(logging.NullHandler())

# Each picture is read as it is now, and no picture stays in memory because it might be read again.
pyvips.cache_set_max(0)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a TIFF file lays out its pixels.

    Attributes
    ----------
    compression
        As libvips calls it; only those without loss.
    tile
        Width and height of its tiles in px, None for strips.
    rows
        Of a strip.
    big
        Whether it is a BigTIFF.
    pyramid
        Whether smaller copies for viewers follow.
    sub_pages
        Whether these hang below the picture (SubIFDs) in place of following it as pages.
    """

    compression: str = "lzw"
    tile: tuple[int, int] | None = None
    rows: int = 64
    big: bool = False
    pyramid: bool = False
    sub_pages: bool = False


@dataclass(frozen=True)
class Scan:
    """A picture file.

    Attributes
    ----------
    path
        Where it is.
    format
        One of `FORMATS`.
    width, height
        In px, as stored: before `orientation` is applied.
    channels
        Alpha and others included.
    colours
        How many of them, the first ones, are colours: 1 or 3.
    bits
        Of a sample: 8 or 16.
    orientation
        1 to 8, as EXIF has it: how viewers turn it.
    layout
        Of a TIFF file.
    page
        Its tags; those of JPEG and WebP as a TIFF file would have them.
    chunks
        Of a PNG file.
    segments
        Of a JPEG file.
    left_out
        What it holds beside the picture that cannot be carried to another file.
    """

    path: Path
    format: str
    width: int
    height: int
    channels: int
    colours: int
    bits: int
    orientation: int = 1
    layout: Layout = Layout()
    page: Page = field(default_factory=lambda: Page({}))
    chunks: tuple[Chunk, ...] = ()
    segments: tuple[Segment, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all its pixels."""
        return self.width * self.height * self.channels * self.bits // 8


def load(path: Path, kind: str, **options: Any) -> pyvips.Image:
    """Open the pixels of a file, to be read once from top to bottom unless told otherwise.

    Raises
    ------
    SourceError
        If libvips cannot. Of damage further down it tells when that is read.
    """
    if kind != "WebP":  # whose pictures are never large
        options["unlimited"] = True
    settings = {"access": "sequential", "fail_on": "error", **options}
    try:
        image: pyvips.Image = getattr(pyvips.Image, _LOADERS[kind])(str(path), **settings)
    except pyvips.Error as error:
        raise unreadable(error) from error
    return image


def unreadable(error: pyvips.Error, where: str = "") -> SourceError:
    """Return the error to raise where libvips cannot read a file, `where` in it."""
    said = spell(error)
    if any(words in said for words in ("not configured", "not supported")):
        return SourceError(f"a kind of file that libvips does not read here: {said}")
    return SourceError(f"a damaged picture{where}: {said}")


def spell(error: pyvips.Error) -> str:
    """Return what libvips says first; what it was called with is no news to the user."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next(filter(None, lines[1:]), lines[0])

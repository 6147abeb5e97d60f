"""A painting: what is known of it, and its image file, whatever its kind, as 8-bit RGB by fixed rules."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import PIL.ImageOps

from craqbench.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from generators.triplets import Image

__all__ = [
    "MIN_SIDE",
    "SUFFIXES",
    "Painting",
    "Skipped",
    "UnusableError",
    "decode_painting",
    "read_painting",
]

MIN_SIDE = 64
"""An image whose shorter side has fewer px than this is too small to be a painting."""

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp")
"""Endings, in any case, of the files that count as images."""

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Painting:
    """What is known of a painting; travels into each of its rows.

    Attributes
    ----------
    id
        Unique in its source: the path inside the folder, ``procedural-SEED-INDEX``, or
        ``ORG/NAME@COMMIT#ROW``.
    title, artist
        Empty where unknown.
    licence, source
        SPDX identifier and origin; "unknown" where nobody said.
    sha256
        Of the image file; of its place in a repository of the Hub; empty for a procedural canvas.
    """

    id: str
    title: str
    artist: str
    licence: str
    source: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that is not used, and why."""

    path: str
    reason: str


class UnusableError(SourceError):
    """An image that another one is to stand in for, and always will be."""


def read_painting(path: Path) -> Image:
    """Read an image file: (h, w, 3) uint8 RGB, see `decode_painting`.

    Raises
    ------
    SourceError
        If the file cannot be read, is no image, is broken, or is too small. Names the file.
    """
    try:
        return decode_painting(path.read_bytes())
    except OSError as error:
        raise SourceError(f"painting {path}: {error.strerror or error}") from error
    except SourceError as error:
        raise SourceError(f"painting {path}: {error}") from error


def decode_painting(data: bytes) -> Image:
    """Decode an image file: (h, w, 3) uint8 RGB.

    The rules: the first frame of several; EXIF orientation is applied; 16-bit values keep their high
    byte; grey becomes equal R, G, B; a palette is looked up; anything transparent is laid over white;
    CMYK is converted by R = (1 - C) (1 - K) and so on. A colour profile (ICC) is left unread: the
    numbers in the file are taken as sRGB.

    Raises
    ------
    SourceError
        If the bytes are no JPEG, PNG, TIFF or WebP image, are truncated or broken, have more than 179
        million px (Pillow's guard against decompression bombs) or fewer than `MIN_SIDE` px on a side.
        The message is the same on every machine: it goes into a manifest.
    """
    # Pillow warns of odd metadata and of large pictures; neither changes the pixels.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rgb = _decode(data)
        except SourceError:
            raise
        except PIL.UnidentifiedImageError as error:
            raise SourceError("not a JPEG, PNG, TIFF or WebP image") from error
        except PIL.Image.DecompressionBombError as error:
            raise SourceError("more than 179 million px, perhaps a decompression bomb") from error
        except Exception as error:  # Pillow raises nearly anything on a broken file
            raise SourceError(f"broken image ({type(error).__name__}: {error})") from error
    return rgb


def _decode(data: bytes) -> Image:
    with PIL.Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        if min(picture.size) < MIN_SIDE:
            raise SourceError(f"{picture.width} x {picture.height} px: shorter side below {MIN_SIDE} px")
        upright = PIL.ImageOps.exif_transpose(picture) if _is_turned(picture) else picture
        return np.ascontiguousarray(_rgb(upright))


def _is_turned(picture: PIL.Image.Image) -> bool:
    return bool(picture.getexif().get(_ORIENTATION, 1) != 1)


def _rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        white = PIL.Image.new("RGBA", picture.size, "white")
        return np.asarray(PIL.Image.alpha_composite(white, picture.convert("RGBA")))[..., :3]
    if picture.mode in ("I", "F"):
        raise SourceError(f"pixel type {picture.mode} (32 bit) has no known white: expected 8 or 16 bit")
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))

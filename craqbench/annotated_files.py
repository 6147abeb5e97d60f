"""Image and mask files of annotated sets: decoding them, and what the numbers in a mask mean."""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import PIL
import PIL.Image

from craqbench.annotations import Annotation
from craqbench.errors import AnnotationError, SourceError
from craqbench.paintings import SUFFIXES, decode_painting
from generators.triplets import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from generators.triplets import Image

__all__ = [
    "MASK_SUFFIXES",
    "MOST_PX",
    "MaskCode",
    "decode_image",
    "decode_values",
    "guess_code",
    "read_code",
]

MOST_PX = 179_000_000
"""An image with more px than this is taken for a decompression bomb."""

MASK_SUFFIXES = (*SUFFIXES, ".bmp", ".gif")
"""Endings, in any case, of the files that count as masks."""

_MASK_FORMATS = ("PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG")
_ORIENTATION = 0x0112
_IGNORE = -1
_MOST_VALUES = 16

Values = npt.NDArray[np.uint16]
"""(H, W) uint16: the numbers that a mask file holds."""


def decode_image(data: bytes, most_px: int = MOST_PX) -> Image:
    """Decode an image as `craqbench.paintings.decode_painting` does: (H, W, 3) uint8 RGB, writable.

    Raises
    ------
    ValueError
        If the image is broken, too small, has more than `most_px`, or is to be turned before it is shown
        (EXIF): nobody can tell whether its mask was drawn on the turned picture.
    """
    with _opened(data, most_px, None), _pixel_limit(most_px):
        try:
            image = np.require(decode_painting(data), requirements="W")  # torch warns of read-only arrays
        except SourceError as error:
            raise ValueError(str(error)) from error
    with _opened(data, most_px, None) as picture:
        # Pillow decodes a whole PNG to find out that there is no such chunk behind the pixels.
        asked = picture.format != "PNG" or b"eXIf" in data
        turn = picture.getexif().get(_ORIENTATION, 1) if asked else 1
    if turn != 1:
        raise ValueError(f"EXIF orientation {turn}: expected an image saved upright, like its mask")
    return image


def decode_values(data: bytes, most_px: int = MOST_PX) -> Values:
    """Decode a mask file into the numbers it holds: (H, W) uint16.

    The rules: grey values as they are, white of a 1-bit file is 255; a palette of greys is looked up, of
    any other palette the indices count; colours are taken where R = G = B, and alpha where it is opaque.

    Raises
    ------
    ValueError
        If the file is broken, too large, coloured or transparent.
    """
    with _opened(data, most_px, _MASK_FORMATS) as picture:
        try:
            return _values(picture)
        except ValueError:
            raise
        except Exception as error:  # Pillow raises nearly anything on a broken file
            raise ValueError(f"broken mask ({type(error).__name__}: {error})") from error


@contextlib.contextmanager
def _opened(data: bytes, most_px: int, formats: tuple[str, ...] | None) -> Iterator[PIL.Image.Image]:
    """Open a picture by its header and refuse it if it is too large; no pixel is decoded yet."""
    with warnings.catch_warnings(), _pixel_limit(None):
        warnings.simplefilter("ignore")
        try:
            picture = PIL.Image.open(io.BytesIO(data), formats=formats)
        except PIL.UnidentifiedImageError as error:
            raise ValueError("not an image, or of an unknown kind") from error
        except Exception as error:  # the header may be broken in as many ways as the rest
            raise ValueError(f"broken image ({type(error).__name__}: {error})") from error
        with picture:
            if picture.width * picture.height > most_px:
                size = f"{picture.width:,} x {picture.height:,} px"
                raise ValueError(f"{size}: expected at most {most_px / 1e6:.0f} million px")
            yield picture


@contextlib.contextmanager
def _pixel_limit(most_px: int | None) -> Iterator[None]:
    """Set from how many px on Pillow refuses an image: it refuses twice what it warns of."""
    before = PIL.Image.MAX_IMAGE_PIXELS
    PIL.Image.MAX_IMAGE_PIXELS = None if most_px is None else most_px // 2 + 1
    try:
        yield
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = before


def _values(picture: PIL.Image.Image) -> Values:
    if picture.mode == "1":
        return np.asarray(picture).astype(np.uint16) * np.uint16(255)
    if picture.mode == "P":
        return _palette_values(picture)
    array = np.asarray(picture)
    if picture.mode in ("LA", "PA", "RGBA"):
        if (array[..., -1] != 255).any():
            raise ValueError("a transparent mask: expected a number of a class in each px, and no alpha")
        array = array[..., :-1]
    if array.ndim == 3:
        array = _grey_of(array, picture.mode)
    if array.dtype.kind not in "bui" or array.min(initial=0) < 0 or array.max(initial=0) > 65535:
        raise ValueError(f"a mask of pixel type {picture.mode}: expected whole numbers of 8 or 16 bit")
    return array.astype(np.uint16)


def _palette_values(picture: PIL.Image.Image) -> Values:
    indices = np.asarray(picture)
    palette = np.zeros((256, 3), np.uint16)
    stored = np.array(picture.getpalette("RGB") or [], np.uint16).reshape(-1, 3)
    palette[: len(stored)] = stored
    used = palette[np.unique(indices)]
    grey = bool((used == used[:, :1]).all())
    return palette[indices, 0] if grey else indices.astype(np.uint16)


def _grey_of(array: npt.NDArray[np.uint8], mode: str) -> npt.NDArray[np.uint8]:
    coloured = (array != array[..., :1]).any(axis=-1)
    if coloured.any():
        y, x = np.argwhere(coloured)[0]
        shown = ", ".join(map(str, array[y, x]))
        raise ValueError(
            f"a mask in colour ({mode}; {shown} at x {x}, y {y}): expected a number of a class in each px: "
            "save it as 8-bit grey"
        )
    return array[..., 0]


@dataclass(frozen=True, slots=True)
class MaskCode:
    """What the numbers in the masks of a set mean.

    Attributes
    ----------
    classes
        Names of the classes, background first.
    meaning
        Number in a mask -> class, or -1 for "ignore".
    """

    classes: tuple[str, ...]
    meaning: Mapping[int, int]

    def annotation(self, values: Values) -> Annotation:
        """Translate the (H, W) numbers of a mask.

        Raises
        ------
        ValueError
            If a number has no meaning.
        """
        table = np.full(int(values.max(initial=0)) + 1, 255, np.uint8)
        for value, label in self.meaning.items():
            if value < len(table):
                table[value] = 254 if label == _IGNORE else label
        labels = table[values]
        if (labels == 255).any():
            unknown = np.unique(values[labels == 255])
            raise ValueError(f"mask values {listed(unknown.tolist())}: expected {listed(self.meaning)}")
        ignore = labels == 254
        labels[ignore] = 0
        return Annotation(labels, ignore)


def guess_code(values: Iterable[int]) -> MaskCode:
    """Tell what the numbers in the masks of a set mean, from all of them together.

    128 is "ignore"; else 0 and 255, or 0 and 1, are background and craquelure; 0, 1 and 2 are background,
    craquelure and paint loss.

    Raises
    ------
    ValueError
        If the numbers fit none of these; the message says what to do.
    """
    found = set(values)
    ignore = {128: _IGNORE}
    if found <= {0, 128, 255}:
        return MaskCode(CLASSES[:2], {0: 0, 255: 1} | ignore)
    if found <= {0, 1, 128}:
        return MaskCode(CLASSES[:2], {0: 0, 1: 1} | ignore)
    if found <= {0, 1, 2, 128}:
        return MaskCode(CLASSES, {0: 0, 1: 1, 2: 2} | ignore)
    hint = "a file classes.csv beside the masks' folder (columns value,class) can declare others"
    if len(found) > _MOST_VALUES:
        hint = "so many values come from JPEG, from resizing or from soft edges: save the masks without them"
    raise ValueError(
        f"mask values {listed(sorted(found))}: expected 0 and 255, or 0 and 1 (craquelure), or 0, 1 and 2 "
        f"(paint loss), with 128 to ignore, alike in all masks; {hint}"
    )


def listed(values: Iterable[int]) -> str:
    """Spell numbers, the first few of many."""
    shown = [str(value) for value in values]
    more = f" and {len(shown) - 8} more" if len(shown) > 9 else ""
    return ", ".join(shown[:8] if more else shown) + more


_NAMES = {
    "background": 0,
    "crack": 1,
    "cracks": 1,
    "craquelure": 1,
    "paint loss": 2,
    "loss": 2,
    "ignore": _IGNORE,
    "void": _IGNORE,
}


def read_code(path: Path) -> MaskCode:
    """Read a ``classes.csv`` (columns ``value,class``): what each number in the masks means.

    Classes are background, craquelure, paint loss and ignore; several numbers may mean the same.

    Raises
    ------
    AnnotationError
        If the file cannot be read, or declares no background or no craquelure.
    """
    meaning: dict[int, int] = {}
    for line, row in enumerate(read_table(path, ("value", "class")), start=2):
        name = row["class"].strip().lower()
        if not row["value"].strip().isdecimal() or name not in _NAMES or int(row["value"]) in meaning:
            raise AnnotationError(
                f"{path}, line {line}: {row['value']},{row['class']}: expected a new number and one of "
                f"background, craquelure, paint loss, ignore"
            )
        meaning[int(row["value"])] = _NAMES[name]
    if not {0, 1} <= set(meaning.values()):
        raise AnnotationError(f"{path}: expected a value for background and one for craquelure")
    return MaskCode(CLASSES if 2 in meaning.values() else CLASSES[:2], meaning)


def read_table(path: Path, needed: Iterable[str]) -> list[dict[str, str]]:
    """Read a CSV file with a header: a dict for each row.

    Raises
    ------
    AnnotationError
        If the file cannot be read, lacks a needed column, or a row has more or fewer cells than the header.
    """
    rows: list[dict[str, str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            columns = reader.fieldnames or ()
            missing = [name for name in needed if name not in columns]
            if missing:
                raise AnnotationError(
                    f"{path}: columns {', '.join(columns)}: expected also {', '.join(missing)}"
                )
            for row in reader:
                if None in row or None in row.values():
                    raise AnnotationError(f"{path}, line {reader.line_num}: expected {len(columns)} cells")
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path} cannot be read: {error}") from error
    return rows

"""Lossless codecs of the pictures in a dataset. Times and sizes: docs/codecs.md."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from generators.triplets import Image, Labels, Mask

__all__ = [
    "CODECS",
    "decode_image",
    "decode_labels",
    "decode_mask",
    "encode_image",
    "encode_labels",
    "encode_mask",
]

CODECS = ("webp", "png")
"""webp: lossless WebP, least effort. png: PNG with Huffman coding only. Both are lossless."""


def encode_image(image: Image, codec: str = "webp") -> bytes:
    """Encode (H, W, 3) uint8 RGB without loss.

    Raises
    ------
    ValueError
        If `codec` is none of `CODECS`.
    """
    if codec == "webp":
        out = io.BytesIO()
        PIL.Image.fromarray(image).save(out, "WEBP", lossless=True, quality=0, method=0)
        return out.getvalue()
    if codec == "png":
        flags = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
        return _png(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8), flags)
    raise ValueError(f"unknown codec {codec!r}: expected one of {', '.join(CODECS)}")


def encode_mask(mask: Mask) -> bytes:
    """Encode (H, W) bool as a PNG of one bit per px, white where True."""
    return _png(mask.view(np.uint8) * np.uint8(255), [cv2.IMWRITE_PNG_BILEVEL, 1])


def encode_labels(labels: Labels) -> bytes:
    """Encode (H, W) uint8 class numbers as an 8-bit grey PNG of the same values."""
    return _png(labels, [])


def decode_image(data: bytes) -> Image:
    """Decode what `encode_image` made: (H, W, 3) uint8 RGB.

    Raises
    ------
    ValueError
        If the bytes are no complete RGB picture in PNG or WebP.
    """
    return _decode(data, "RGB")


def decode_labels(data: bytes) -> Labels:
    """Decode what `encode_labels` made: (H, W) uint8.

    Raises
    ------
    ValueError
        If the bytes are no complete 8-bit grey picture.
    """
    return _decode(data, "L")


def decode_mask(data: bytes) -> Mask:
    """Decode what `encode_mask` made: (H, W) bool.

    Raises
    ------
    ValueError
        If the bytes are no complete picture of one bit per px.
    """
    # Pillow's True is a byte of 255, which no other view of the array would understand.
    return _decode(data, "1").view(np.uint8) > 0


def _png(array: Image, flags: list[int]) -> bytes:
    return cv2.imencode(".png", array, flags)[1].tobytes()


def _decode(data: bytes, mode: str) -> Image:
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as picture:
            if picture.mode != mode:
                raise ValueError(f"a picture of mode {picture.mode}: expected {mode}")
            return np.array(picture)
    except PIL.UnidentifiedImageError as error:
        raise ValueError("no PNG or WebP picture") from error
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"a broken picture: {error}") from error

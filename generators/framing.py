"""Which part of a painting fills the picture, and at what scale. Nothing is ever distorted unasked."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from generators.triplets import Image, Mask, Size

FITS = ("crop", "pad", "stretch")
"""crop: scale to cover the picture, cut what stands over. pad: scale to fit inside, reflect the
painting into the rest, where nothing is ever cracked. stretch: scale each axis by itself."""


@dataclass(frozen=True, slots=True)
class Framing:
    """A window of a painting and the rectangle of the picture that it fills.

    Attributes
    ----------
    window, inner
        (x0, y0, x1, y1), half open, in px of the painting and of the picture.
    size
        (width, height) of the picture in px.
    """

    window: tuple[int, int, int, int]
    inner: tuple[int, int, int, int]
    size: Size

    @property
    def scale(self) -> float:
        """Picture px per painting px (the horizontal one, where they differ)."""
        return (self.inner[2] - self.inner[0]) / (self.window[2] - self.window[0])

    def image(self, painting: Image) -> Image:
        """Cut, scale and pad (h, w, 3) uint8 to the picture's size."""
        return np.ascontiguousarray(self._pad(self._scale(painting, cv2.INTER_AREA), cv2.BORDER_REFLECT_101))

    def mask(self, mask: Mask) -> Mask:
        """Cut and scale (h, w) bool by area; a px of the picture is set where half of it is covered."""
        scaled = self._scale(mask.view(np.uint8) * np.uint8(255), cv2.INTER_AREA)
        # Half is 127.5: at 127 it counts, whichever way a machine rounds it.
        return self._pad(scaled, cv2.BORDER_CONSTANT) >= 127

    def inside(self) -> Mask:
        """(H, W) bool: where the picture shows the painting itself, not padding."""
        inside = np.zeros(self.size[::-1], np.bool_)
        x0, y0, x1, y1 = self.inner
        inside[y0:y1, x0:x1] = True
        return inside

    def _scale(self, array: Image, shrinking: int) -> Image:
        x0, y0, x1, y1 = self.window
        width, height = self.inner[2] - self.inner[0], self.inner[3] - self.inner[1]
        cut = array[y0:y1, x0:x1]
        if cut.shape[:2] == (height, width):
            return cut
        # INTER_AREA repeats pixels when it enlarges: a close-up needs a smooth kernel.
        enlarging = width > x1 - x0 or height > y1 - y0
        return np.asarray(
            cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC if enlarging else shrinking),
            np.uint8,
        )

    def _pad(self, array: Image, border: int) -> Image:
        x0, y0, x1, y1 = self.inner
        if (x0, y0, x1, y1) == (0, 0, *self.size):
            return array
        return np.asarray(
            cv2.copyMakeBorder(array, y0, self.size[1] - y1, x0, self.size[0] - x1, border), np.uint8
        )


def whole(painting: Size, size: Size, fit: str) -> Framing:
    """Frame the whole painting.

    Parameters
    ----------
    painting, size
        (width, height) in px of the painting and of the picture.
    fit
        One of `FITS`. "crop" keeps the middle.

    Raises
    ------
    ValueError
        If `fit` is none of `FITS`.
    """
    (w, h), (width, height) = painting, size
    if fit == "stretch":
        return Framing((0, 0, w, h), (0, 0, width, height), size)
    if fit == "crop":
        scale = max(width / w, height / h)
        cut_w, cut_h = max(1, min(w, round(width / scale))), max(1, min(h, round(height / scale)))
        x0, y0 = (w - cut_w) // 2, (h - cut_h) // 2
        return Framing((x0, y0, x0 + cut_w, y0 + cut_h), (0, 0, width, height), size)
    if fit == "pad":
        scale = min(width / w, height / h)
        in_w, in_h = max(1, min(width, round(w * scale))), max(1, min(height, round(h * scale)))
        x0, y0 = (width - in_w) // 2, (height - in_h) // 2
        return Framing((0, 0, w, h), (x0, y0, x0 + in_w, y0 + in_h), size)
    raise ValueError(f"unknown fit {fit!r}: expected one of {', '.join(FITS)}")


def close_up(painting: Size, size: Size, scale: float, *, rng: np.random.Generator) -> Framing:
    """Frame a random window of the painting at `scale` picture px per painting px.

    The window is as much of the painting as there is where the painting is too small for that scale.
    """
    (w, h), (width, height) = painting, size
    scale = max(scale, width / w, height / h)
    cut_w, cut_h = max(1, min(w, round(width / scale))), max(1, min(h, round(height / scale)))
    x0, y0 = int(rng.integers(w - cut_w + 1)), int(rng.integers(h - cut_h + 1))
    return Framing((x0, y0, x0 + cut_w, y0 + cut_h), (0, 0, width, height), size)

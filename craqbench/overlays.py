"""Cracks drawn over a painting, in the one of a few vivid colours that the painting has least of."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from generators.triplets import Image, Mask

__all__ = ["COLOURS", "best_colour", "overlay"]

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "magenta": (255, 0, 220),
    "cyan": (0, 255, 255),
    "green": (0, 255, 60),
    "yellow": (255, 255, 0),
}
"""RGB of each; paintings rarely have any of them as vivid, and magenta least of all."""

_SIDE = 256
"""px of the longer side of the picture that the colour is chosen on."""

_NEAR = 5.0
"""Percentile of the distances to the painting's colours that a colour is judged by."""

_PREFERENCE = 0.8
"""The first colour is taken unless it stands out less than this share of what the best one does."""


def best_colour(image: Image) -> str:
    """Return which of `COLOURS` stands out most from a painting.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.

    Returns
    -------
    The colour whose distance in CIELAB from the nearest twentieth of the painting is the largest; the first
    one if it comes near: pictures of a series then look alike.
    """
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    colours = _lab(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)).reshape(-1, 3)
    standing = {name: _distance(colours, rgb) for name, rgb in COLOURS.items()}
    first, best = next(iter(COLOURS)), max(standing, key=standing.__getitem__)
    return first if standing[first] >= _PREFERENCE * standing[best] else best


def overlay(image: Image, mask: Mask, colour: str | None = None) -> Image:
    """Draw cracks over a painting.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    mask
        (H, W) bool, the cracks.
    colour
        One of `COLOURS`; None for `best_colour`.

    Returns
    -------
    (H, W, 3) uint8 RGB: cracks filled with the colour, the rest of the painting as it is.
    """
    drawn = image.copy()
    drawn[mask] = COLOURS[colour or best_colour(image)]
    return drawn


def _distance(colours: npt.NDArray[np.float32], rgb: tuple[int, int, int]) -> float:
    """Return how far a colour is from the nearest of (N, 3) colours in CIELAB, but for a few."""
    differences = colours - _lab(np.array([[rgb]], np.uint8))[0]
    return float(np.percentile(np.linalg.norm(differences, axis=1), _NEAR))


def _lab(image: Image) -> npt.NDArray[np.float32]:
    """Return CIELAB of (H, W, 3) uint8 RGB: L in 0-100."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)

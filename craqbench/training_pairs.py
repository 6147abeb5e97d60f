"""Change a damaged picture and what it was before alike, as two photographs of one camera in one light."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from craqbench.augmentation import Augmentation, cut, develop, turn
from generators.portability import plain_opencv

if TYPE_CHECKING:
    import numpy.typing as npt

    from generators.triplets import Image, Labels

__all__ = ["GROWN", "augment_pair"]

GROWN = (0, 0, 1, 2)
"""By how many px a mask is grown, each as likely as the others.

A mask that somebody draws or detects, or that `craqbench restore` dilates, is seldom as narrow as its crack.
"""

_SQUARE = np.ones((3, 3), np.uint8)


def augment_pair(
    damaged: Image, clean: Image, labels: Labels, crop: int, how: Augmentation, *, rng: np.random.Generator
) -> tuple[Image, Image, npt.NDArray[np.uint8]]:
    """Return a square of a picture with and without its damage, changed alike, and the mask of the damage.

    Place, scale and turns are the same. So are tones, cast and contrast (one table for both, for light that
    is measured on both), blur, sharpening, lost resolution, noise (px by px) and the quality of JPEG: beyond
    the reach of the damage nothing tells the two apart, but for what JPEG makes of the blocks it touches.
    Where only one is darker than `craqbench.augmentation.DARK`, it has half the other's noise.

    Parameters
    ----------
    damaged, clean
        (H, W, 3) uint8 RGB.
    labels
        (H, W) uint8 class numbers: all but 0 are to be filled.
    crop, how
        As for `craqbench.augmentation.augment`.

    Returns
    -------
    damaged, clean
        (crop, crop, 3) uint8.
    mask
        (crop, crop) uint8, 0 or 1; grown by one of `GROWN`.
    """
    place = copy.deepcopy(rng)
    with plain_opencv():
        clean, _ = turn(*cut(clean, labels, crop, how, rng=place), rng=place)
        damaged, labels = turn(*cut(damaged, labels, crop, how, rng=rng), rng=rng)
        damaged, clean = _developed(damaged, clean, how, rng=rng)
        mask = (labels > 0).view(np.uint8)
        grown = GROWN[int(rng.integers(len(GROWN)))]
        return damaged, clean, np.asarray(cv2.dilate(mask, _SQUARE, iterations=grown), np.uint8)


def _developed(
    damaged: Image, clean: Image, how: Augmentation, *, rng: np.random.Generator
) -> tuple[Image, Image]:
    """Change the light of both as of one picture, then each by the same camera."""
    light = replace(how, blurred=0, sharpened=0, coarsened=0, noisy=0, compressed=0)
    camera = replace(how, toned=0, darkened=0, inverted=0)
    both = develop(np.concatenate([damaged, clean]), light, rng=rng)
    again = copy.deepcopy(rng)
    damaged, clean = np.split(both, 2)
    return develop(damaged, camera, rng=rng), develop(clean, camera, rng=again)

"""Betti numbers: how many cracks, and how many islands they enclose."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from craqbench.metrics.inputs import Mask, checked_mask, cut

__all__ = ["Betti", "betti_errors", "betti_numbers"]


class Betti(NamedTuple):
    """beta0, the number of connected parts, and beta1, the number of holes."""

    beta0: int
    beta1: int


def betti_numbers(mask: Mask) -> Betti:
    """Count the 8-connected parts of a mask and the 4-connected holes in them.

    Background that reaches the frame is no hole: the picture is taken to lie on an empty ground. An island of
    paint between cracks and the frame is therefore not counted.

    Raises
    ------
    ValueError
        If `mask` is not a bool array of two dimensions.

    Examples
    --------
    >>> ring = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    >>> betti_numbers(ring)
    Betti(beta0=1, beta1=1)
    """
    framed = np.pad(checked_mask(mask, "mask"), 1).view(np.uint8)
    parts = cv2.connectedComponents(framed, connectivity=8)[0] - 1
    grounds = cv2.connectedComponents(1 - framed, connectivity=4)[0] - 1
    return Betti(parts, grounds - 1)


def betti_errors(prediction: Mask, truth: Mask, *, ignore: Mask | None = None) -> Betti:
    """Return how far the prediction's Betti numbers are from the annotation's; lower is better.

    Absolute differences per image. A crack too many hides one too few: read it beside clDice, which sees
    where they are. Over a set they are averaged per image, and depend on the images' size. Ignored regions
    are cut from both masks first, so a crack that crosses one falls apart in both alike. Two empty masks
    differ by 0.

    Raises
    ------
    ValueError
        If a mask is not bool, or shapes differ.
    """
    found, sought = (betti_numbers(mask) for mask in cut(prediction, truth, ignore))
    return Betti(abs(found.beta0 - sought.beta0), abs(found.beta1 - sought.beta1))

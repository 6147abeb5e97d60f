"""`none` and `mean`: what a figure is worth is seen beside what can be had without looking at the cracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.inpainting.checks import checked_mask, painted
from baselines.protocols import Card, Image, Mask

__all__ = ["MeanColour", "Unfilled"]

_CARD = Card(training_data="none", licence="Apache-2.0", reference="none: it does not look at the cracks")


@dataclass(frozen=True, kw_only=True)
class Unfilled:
    """Leaves the damage as it is: its figures are those of the damage."""

    name: ClassVar[str] = "none"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = _CARD

    def fill(self, image: Image, mask: Mask) -> Image:
        """Return a copy of (H, W, 3) uint8 RGB; (H, W) bool is True where others fill.

        Raises
        ------
        ValueError
            If `image` or `mask` is none, or the mask covers all of the image.
        """
        checked_mask(mask, image)
        return image.copy()


@dataclass(frozen=True, kw_only=True)
class MeanColour:
    """Fills with one colour, the mean of all px outside the mask: flat, and right on average."""

    name: ClassVar[str] = "mean"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = _CARD

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill (H, W, 3) uint8 RGB where (H, W) bool is True; errors as for `Unfilled`."""
        known = image[~checked_mask(mask, image)]
        count = int(np.count_nonzero(mask))
        return painted(image, mask, np.tile(known.mean(axis=0, dtype=np.float64), (count, 1)))

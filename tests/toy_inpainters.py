"""Inpainters that tests evaluate as ``toy_inpainters:NAME``: good ones, and ones with faults on one image.

Images are told apart by their mean, see `Faulty`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.protocols import Card

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

CARD = Card(training_data="none", licence="CC0-1.0", reference="a toy")


@dataclass
class Grey:
    """Fills with one level."""

    level: int = 128
    version: str = "1"

    name: ClassVar[str] = "grey"
    card: ClassVar[Card] = CARD

    def fill(self, image: Image, mask: Mask) -> Any:
        """Fill."""
        filled = image.copy()
        filled[mask] = self.level
        return filled


@dataclass
class Slow(Grey):
    """The same, slowly.

    Attributes
    ----------
    pause
        Seconds for each image.
    """

    pause: float = 0.05
    name: ClassVar[str] = "slow"

    def fill(self, image: Image, mask: Mask) -> Any:
        """Wait, then fill."""
        time.sleep(self.pause)
        return super().fill(image, mask)


@dataclass
class Faulty(Grey):
    """Has a fault on images with an odd number of masked px.

    Attributes
    ----------
    fault
        Which.
    """

    fault: str = "raises"
    name: ClassVar[str] = "faulty"

    def fill(self, image: Image, mask: Mask) -> Any:
        """Fill, or not."""
        filled = super().fill(image, mask)
        if np.count_nonzero(mask) % 2 == 0:
            return filled
        if self.fault == "raises":
            raise ZeroDivisionError("of the method\nin two lines")
        answers = {
            "outside": np.where(mask[..., None], filled, filled ^ 1),
            "shape": filled[1:],
            "type": filled.astype(np.float32),
            "nothing": None,
        }
        return answers[self.fault]

"""`none` and `all`: what a figure is worth is seen beside what can be had without looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.protocols import Card, Image, Scores, checked_image

__all__ = ["AllCrack", "NoCrack"]

_CARD = Card(training_data="none", licence="Apache-2.0", reference="none: it does not look at the image")


@dataclass(frozen=True)
class NoCrack:
    """Finds no crack anywhere: score 0. Its Acc is the background's share, its F1 is 0."""

    name: ClassVar[str] = "none"
    version: ClassVar[str] = "1"
    threshold: ClassVar[float] = 0.5
    card: ClassVar[Card] = _CARD

    def predict(self, image: Image) -> Scores:
        """Return zeros, (H, W) float32."""
        return np.zeros(checked_image(image).shape[:2], np.float32)


@dataclass(frozen=True)
class AllCrack:
    """Finds cracks everywhere: score 1. Its precision is the cracks' share."""

    name: ClassVar[str] = "all"
    version: ClassVar[str] = "1"
    threshold: ClassVar[float] = 0.5
    card: ClassVar[Card] = _CARD

    def predict(self, image: Image) -> Scores:
        """Return ones, (H, W) float32."""
        return np.ones(checked_image(image).shape[:2], np.float32)

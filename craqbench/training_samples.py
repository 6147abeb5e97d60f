"""Samples that a network learns from: what they are, and how they are cut out of a damaged painting."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from baselines.tophat import TopHat
from craqbench.augmentation import Augmentation, augment
from craqbench.training_options import DETECT, INPAINT
from craqbench.training_pairs import augment_pair
from generators.triplets import Image, Labels, random_stream

__all__ = ["LEAST", "MOST", "TRIES", "Drawn", "Sample", "Shapes", "Wanted"]

LEAST, MOST = 0.01, 0.5
"""Share of a sample that is masked, where it is to be filled."""

TRIES = 8
"""Samples that are drawn for one that has so much to fill; of these, the one that comes nearest is kept."""

_STREAM = 0x41_55_47
"""Of augmentation; no recipe's number."""


class Sample(NamedTuple):
    """A picture to learn from.

    Attributes
    ----------
    image
        (C, C, 3) uint8 RGB, damaged.
    labels
        What is to be found: (C, C) uint8 class numbers; or, to learn to fill, (C, C, 3) uint8 RGB, the
        picture without damage.
    hint
        (C, C) uint8, 0 or 1: the map of `baselines.tophat.TopHat`, (0, 0) where none is wanted; or the mask
        of what is to be filled.
    """

    image: Image
    labels: npt.NDArray[np.uint8]
    hint: npt.NDArray[np.uint8]


class Shapes(NamedTuple):
    """Of the parts of a `Sample`; None where there is no hint."""

    image: tuple[int, ...]
    labels: tuple[int, ...]
    hint: tuple[int, ...] | None


class Drawn(NamedTuple):
    """A damaged painting, what it was before, and its labels.

    Attributes
    ----------
    damaged, clean
        (H, W, 3) uint8 RGB.
    labels
        (H, W) uint8 class numbers.
    """

    damaged: Image
    clean: Image
    labels: Labels


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What samples are to be.

    Attributes
    ----------
    seed
        Of those for training; those for validation are the same for all seeds.
    crop
        Side in px.
    classes
        2 or 3. Where there are two, paint loss is background: it is no crack.
    hinted
        Whether they have hints.
    how
        How they are augmented.
    task
        `DETECT`, or `INPAINT`: then any damage is to be filled, and classes and hinted are of no use.
    """

    seed: int
    crop: int
    classes: int = 2
    hinted: bool = False
    how: Augmentation = field(default_factory=Augmentation)
    task: str = DETECT

    @property
    def shapes(self) -> Shapes:
        """What a sample is like."""
        picture, plane = (self.crop, self.crop, 3), (self.crop, self.crop)
        if self.task == INPAINT:
            return Shapes(picture, picture, plane)
        return Shapes(picture, plane, plane if self.hinted else None)

    def sample(self, drawn: Drawn, seed: int, number: int) -> Sample:
        """Augment a damaged painting."""
        rng = random_stream(seed, _STREAM, number)
        if self.task == INPAINT:
            return Sample(*augment_pair(*drawn, self.crop, self.how, rng=rng))
        image, labels = augment(drawn.damaged, drawn.labels, self.crop, self.how, rng=rng)
        if self.classes == 2:
            labels = (labels == 1).view(np.uint8)
        return Sample(image, labels, _hint(image) if self.hinted else np.zeros((0, 0), np.uint8))

    def choose(self, draw: Callable[[int], Sample]) -> Sample:
        """Draw a sample and, where it has too little or too much to fill, others in its place."""
        best = draw(0)
        for again in range(1, TRIES if self.task == INPAINT else 1):
            if not _excess(best):
                break
            best = min(best, draw(again), key=_excess)
        return best


def _excess(sample: Sample) -> float:
    """Return by how much the share of what is to be filled is out of bounds."""
    share = float(sample.hint.mean())
    return max(LEAST - share, share - MOST, 0.0)


@functools.cache
def _hinting() -> TopHat:
    return TopHat()


def _hint(image: Image) -> npt.NDArray[np.uint8]:
    detector = _hinting()
    return (detector.predict(image) >= detector.threshold).view(np.uint8)

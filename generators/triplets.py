"""The triplet (I, M, I~) and the recipe that makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, 0-255."""

Mask = npt.NDArray[np.bool_]
"""(H, W) bool, True where damaged."""

Labels = npt.NDArray[np.uint8]
"""(H, W) uint8: 0 background, 1 craquelure, 2 paint loss."""

Size = tuple[int, int]
"""(width, height) in px, as ``--size 598x375`` writes it."""

CLASSES = ("background", "craquelure", "paint loss")


@dataclass(frozen=True, slots=True, eq=False)
class Triplet:
    """A clean painting I, its crack mask M and the damaged painting I~.

    Attributes
    ----------
    image, damaged
        (H, W, 3) uint8 RGB.
    labels
        (H, W) uint8 class numbers, see `CLASSES`.
    meta
        What was drawn for this triplet (JSON types only): style, ages, counts, polarity, ...

    Notes
    -----
    ``damaged`` equals ``image`` farther than `Recipe.soft_edge` px (Chebyshev) from the mask;
    with a soft edge of 0 it equals it everywhere outside the mask.
    """

    image: Image
    labels: Labels
    damaged: Image
    meta: Mapping[str, Any]

    @property
    def mask(self) -> Mask:
        """(H, W) bool: any damage, craquelure or paint loss."""
        return self.labels > 0


class Draw(Protocol):
    """Draw a triplet of a size on a painting."""

    def __call__(
        self, painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator
    ) -> Triplet:
        """`painting` is (h, w, 3) uint8 RGB at its own size; the triplet is (size[1], size[0])."""


@dataclass(frozen=True)
class Recipe:
    """A named, versioned way to damage a painting.

    Attributes
    ----------
    name, number
        The number enters the random stream (spawn key) and is never used again for another recipe.
    version
        Goes up whenever any output of the recipe changes.
    summary, explanation
        One line, and one paragraph, for people.
    parameters
        A frozen dataclass; each field is a setting of ``--set NAME=VALUE``.
    soft_edge
        How far beyond the mask the damaged painting may differ from the clean one, in px.
    classes
        The classes that occur in the labels, background first.
    """

    name: str
    number: int
    version: int
    summary: str
    explanation: str
    parameters: Any
    draw: Draw
    soft_edge: int
    classes: tuple[str, ...] = CLASSES[:2]

    def settings(self) -> dict[str, Any]:
        """Return the parameters as JSON types (tuples become lists)."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self.parameters).items()
        }


def random_stream(seed: int, number: int, index: int) -> np.random.Generator:
    """Return the random stream of one triplet: a pure function of its three numbers."""
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=(number, index))))

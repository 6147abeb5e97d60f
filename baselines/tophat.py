"""The top-hat detector of "Synthetic Craquelure Generation" (arXiv 2602.12742, paper A), section III-A.

Black top-hat of luminance (closing minus image; white: image minus opening), threshold, components of fewer
than 5 px removed, one dilation. Where the paper is silent:

- *Luminance* is OpenCV's grey (ITU-R BT.601 weights, 8 bits).
- *"A disk of radius 2"* is OpenCV's 5 x 5 ellipse, 17 px: all of the 5 x 5 but the two px on each side of
  either end of the middle column. *"A 3 x 3 square"* has 9 px.
- *"Thresholded by 180"*: a top-hat is far smaller than 180 in most pictures, so the response is stretched to
  0-255 in each picture and inverted, and cracks are what is *below* 180: responses above 75, `level`. As it
  is relative to the strongest response in the picture, something is found in every picture that is not
  uniform, cracked or not. ``normalised=False`` compares the response itself.
- *Both polarities*: the larger response of each pixel, stretched together.
- *One dilation*: by a 3 x 3 square, `dilations` times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from baselines.components import specks
from baselines.protocols import Card, Image, Scores, checked_image
from baselines.settings import between, check, one_of

__all__ = [
    "ELEMENTS",
    "Levels",
    "TopHat",
    "as_score",
    "as_scores",
    "luminance",
    "response",
    "stretched",
    "stretching",
]

Levels = npt.NDArray[np.uint8]
"""(H, W) uint8: scores in 255ths, as a PNG stores them."""

ELEMENTS: dict[str, Levels] = {
    "disk": np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)), np.uint8),
    "square": np.ones((3, 3), np.uint8),
}
"""The structuring elements of the paper."""

_SQUARE = ELEMENTS["square"]
_SCORES = (np.arange(256) / 255).astype(np.float32)
_AS_IT_IS = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class TopHat:
    """Paper A's classical detector.

    Attributes
    ----------
    polarity
        Which cracks: "dark" (black top-hat, the paper's choice), "light" (white top-hat) or "both".
    element
        Structuring element, "disk" (chosen in the paper) or "square", see `ELEMENTS`.
    level
        Of 255: responses above it are candidates. 75 is the paper's 180, inverted.
    normalised
        Whether responses are stretched to 0-255 in each picture.
    min_size
        In px: smaller 8-connected components are removed.
    dilations
        How often the mask is dilated by a 3 x 3 square.

    Notes
    -----
    Scores are the responses in 255ths, rounded up, after the dilation; a removed component scores just below
    the threshold. So ``predict(image) >= threshold`` is exactly the paper's mask, and at any other threshold
    it is the mask of that `level`, but for the components that the size filter removes.
    """

    name: ClassVar[str] = "tophat"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = Card(
        training_data="none: parameters as published",
        licence="Apache-2.0",
        reference="Synthetic Craquelure Generation for Unsupervised Painting Restoration, section III-A, "
        "https://arxiv.org/abs/2602.12742",
    )

    polarity: str = field(default="dark", metadata=one_of("dark", "light", "both"))
    element: str = field(default="disk", metadata=one_of(*ELEMENTS))
    level: int = field(default=75, metadata=between(0, 254))
    normalised: bool = True
    min_size: int = field(default=5, metadata=between(1, 1_000_000))
    dilations: int = field(default=1, metadata=between(0, 100))

    def __post_init__(self) -> None:
        """Check all settings."""
        check(self)

    @property
    def threshold(self) -> float:
        """The score of the smallest response above `level`."""
        return as_score(self.level + 1)

    def predict(self, image: Image) -> Scores:
        """Return the dilated responses: (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1]."""
        hat = response(luminance(image), self.polarity, self.element)
        # Stretching keeps the order, so that it can wait until the scores are looked up.
        table = stretching(hat) if self.normalised else _AS_IT_IS
        highest_missed = int(np.searchsorted(table, self.level, side="right")) - 1
        hat.ravel()[specks(hat > highest_missed, self.min_size)] = highest_missed
        if self.dilations:
            hat = np.asarray(cv2.dilate(hat, _SQUARE, iterations=self.dilations), np.uint8)
        return np.asarray(cv2.LUT(hat, _SCORES[table]), np.float32)


def luminance(image: Image) -> Levels:
    """Return the luminance of (H, W, 3) uint8 RGB: (H, W) uint8.

    Raises
    ------
    ValueError
        If `image` is not one.
    """
    return np.asarray(cv2.cvtColor(checked_image(image), cv2.COLOR_RGB2GRAY), np.uint8)


def response(grey: Levels, polarity: str, element: str) -> Levels:
    """Return the top-hat of (H, W) uint8: black for "dark", white for "light", the larger for "both"."""
    kernel = ELEMENTS[element]
    if polarity == "both":
        return np.maximum(response(grey, "dark", element), response(grey, "light", element))
    operation = cv2.MORPH_BLACKHAT if polarity == "dark" else cv2.MORPH_TOPHAT
    return np.asarray(cv2.morphologyEx(grey, operation, kernel), np.uint8)


def stretching(levels: Levels) -> Levels:
    """Return what 0-255 become when (H, W) levels are stretched to 0-255, rounded up: (256,) uint8.

    Uniform levels become 0.
    """
    low, high, *_ = cv2.minMaxLoc(levels)
    span = int(high - low)
    above = np.clip(np.arange(256) - int(low), 0, span)
    return (-(-255 * above // max(1, span))).astype(np.uint8)


def stretched(levels: Levels) -> Levels:
    """Stretch (H, W) uint8 levels to 0-255, rounded up."""
    return np.asarray(cv2.LUT(levels, stretching(levels)), np.uint8)


def as_score(level: int) -> float:
    """Return the score of a level, a number that float32 has."""
    return float(_SCORES[level])


def as_scores(levels: Levels) -> Scores:
    """Return the scores of (H, W) uint8 levels: (H, W) float32 in [0, 1]."""
    return np.asarray(cv2.LUT(levels, _SCORES), np.float32)

"""Ridges of luminance at several scales, dark and light, joined by hysteresis. No learning.

1. *Local contrast*: luminance minus its Gaussian mean, over its Gaussian standard deviation; a faint crack on
   nearly black paint weighs as much as a bold one on light paint.
2. *Ridges*: eigenvalues of the Hessian at each scale s, times s^1.25 (gamma-normalisation, Lindeberg, IJCV
   30(2), 1998, proposes s^1.5 for ridges). A dark line has one large positive eigenvalue and one near 0, a
   light line a negative one; `blob` times the size of the other one is subtracted, so that spots and weave
   count less. The largest over the scales is taken. (Frangi et al. 1998 and Sato et al. 1998 combine the
   same eigenvalues in other ways.)
3. *Polarity*: a line has a weaker line of the other polarity on each side, more so after sharpening. In each
   place only the polarity counts that dominates the `dominance` px around it, by sum of cubes.
4. *Hysteresis* (Canny 1986): pixels above `low` that are connected to one above `high` and to at least
   `min_size` px in all.

All numbers were chosen a priori or by F1@2px on 400 triplets of the recipe `mixed`; no annotated real picture
was used. Known to be missed: single faint cracks on nearly black paint, and stretches of cracks wider than
some 6 px. Known to be taken for cracks: parallel marks of the brush.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from baselines.components import survivors
from baselines.protocols import Card, Image, Scores
from baselines.settings import between, check, one_of
from baselines.tophat import luminance

__all__ = ["Ridge", "dominant", "local_contrast", "ridges"]

Field = npt.NDArray[np.float32]
"""(H, W) float32."""

_GAMMA = 1.25
_FOUND, _MISSED = np.float32(128 / 255), np.float32(127 / 255)
"""The lowest score of a crack, and the highest of anything else: both survive storing in 255ths."""


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """Multi-scale Hessian ridges of both polarities, with hysteresis.

    Attributes
    ----------
    polarity
        Which cracks: "dark", "light", "both", or in each place the dominant of the two, "auto".
    window
        Standard deviation, in px, of the Gaussian over which contrast is local.
    floor
        Grey levels of 255 added to the local standard deviation, so that noise is not blown up.
    scales
        Standard deviations, in px, of the Gaussians under the second derivatives; a line of width w answers
        best to about 0.3 w to 0.5 w.
    blob
        Weight of the smaller eigenvalue, which spots have and lines have not.
    dominance
        Side, in px, of the square in which one polarity dominates.
    low, high
        Thresholds of the hysteresis, in units of the ridge measure.
    min_size
        In px: smaller 8-connected components are removed.

    Notes
    -----
    A ridge measure r scores r / (r + low). What hysteresis keeps scores at least 128/255, what it drops at
    most 127/255.
    """

    name: ClassVar[str] = "ridge"
    version: ClassVar[str] = "1"
    threshold: ClassVar[float] = float(_FOUND)
    card: ClassVar[Card] = Card(
        training_data="synthetic only: thresholds chosen on 400 triplets of the recipe 'mixed'",
        licence="Apache-2.0",
        reference="eigenvalues of the Hessian after Lindeberg, Edge Detection and Ridge Detection with "
        "Automatic Scale Selection, IJCV 30(2), 1998, https://doi.org/10.1023/A:1008097225773",
    )

    polarity: str = field(default="auto", metadata=one_of("auto", "dark", "light", "both"))
    window: float = field(default=8.0, metadata=between(1, 1000))
    floor: float = field(default=1.0, metadata=between(0.01, 255))
    scales: tuple[float, ...] = field(default=(1.0, 2.0), metadata=between(0.3, 50))
    blob: float = field(default=0.5, metadata=between(0, 10))
    dominance: int = field(default=129, metadata=between(1, 10_001))
    low: float = field(default=0.3, metadata=between(0.001, 100))
    high: float = field(default=0.9, metadata=between(0.001, 100))
    min_size: int = field(default=20, metadata=between(1, 1_000_000))

    def __post_init__(self) -> None:
        """Check all settings."""
        check(self)
        if self.high < self.low:
            raise ValueError(
                f"setting 'high' of method {self.name!r} is {self.high}: expected at least 'low', {self.low}"
            )

    def predict(self, image: Image) -> Scores:
        """Return scores of ridges: (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1)."""
        measure = self._measure(local_contrast(luminance(image), self.window, self.floor))
        kept = survivors(measure >= self.low, size=self.min_size, seeds=measure >= self.high)
        scores = measure / (measure + np.float32(self.low))
        found, missed = np.maximum(scores, _FOUND), np.minimum(scores, _MISSED)
        return np.asarray(np.where(kept, found, missed), np.float32)

    def _measure(self, contrast: Field) -> Field:
        dark, light = ridges(contrast, tuple(self.scales), self.blob)
        if self.polarity == "auto":
            return dominant(dark, light, self.dominance)
        return {"dark": dark, "light": light, "both": np.maximum(dark, light)}[self.polarity]


def local_contrast(grey: npt.NDArray[np.uint8], window: float, floor: float) -> Field:
    """Return (H, W) uint8 minus its local mean, over its local standard deviation plus `floor`."""
    difference = grey - _blurred(grey.astype(np.float32), window)
    deviation = np.sqrt(_blurred(difference * difference, window))
    return np.asarray(difference / (deviation + np.float32(floor)), np.float32)


def ridges(contrast: Field, scales: tuple[float, ...], blob: float) -> tuple[Field, Field]:
    """Return how strongly each pixel lies on a dark line and on a light line, each (H, W), 0 or more."""
    dark, light = np.zeros_like(contrast), np.zeros_like(contrast)
    for scale in scales:
        larger, smaller = _eigenvalues(_blurred(contrast, scale) * np.float32(scale**_GAMMA))
        np.maximum(dark, larger - np.float32(blob) * np.abs(smaller), out=dark)
        np.maximum(light, -smaller - np.float32(blob) * np.abs(larger), out=light)
    return dark, light


def dominant(dark: Field, light: Field, side: int) -> Field:
    """Return in each place the responses of the polarity with the larger mean cube in a square around it."""
    cubes = (cv2.blur(r * r * r, (side, side), borderType=cv2.BORDER_REPLICATE) for r in (dark, light))
    return np.where(np.greater_equal(*cubes), dark, light)


def _eigenvalues(field: Field) -> tuple[Field, Field]:
    """Return the larger and the smaller eigenvalue of the Hessian, by differences of neighbouring pixels."""
    second, slope, none = (np.array(k, np.float32) for k in ([1, -2, 1], [-0.5, 0, 0.5], [1]))
    xx, yy, xy = (
        np.asarray(cv2.sepFilter2D(field, -1, kx, ky, borderType=cv2.BORDER_REPLICATE), np.float32)
        for kx, ky in ((second, none), (none, second), (slope, slope))
    )
    mean, half = np.float32(0.5) * (xx + yy), np.float32(0.5) * (xx - yy)
    # Not cv2.magnitude: its last bit depends on where in memory an array lies.
    radius = np.sqrt(half * half + xy * xy)
    return mean + radius, mean - radius


def _blurred(field: Field, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)

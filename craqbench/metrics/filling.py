"""All figures of a filling in one go: what adds up over pictures, and the figures of the sums.

Errors of pixels are added over a set, as `craqbench.metrics` does with everything that can be added; one
figure is then taken of the sum. Figures that are defined for a picture as a whole (SSIM, VIF, LPIPS, entropy)
are means over pictures, and so is "mean_psnr", which papers call PSNR. A picture without damage has nothing
to fill and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from craqbench.metrics.bootstrap import mean_counts, mean_of_counts
from craqbench.metrics.information import entropy
from craqbench.metrics.inputs import Counts, Floats, Mask
from craqbench.metrics.matches import share
from craqbench.metrics.regions import REGIONS, checked_pair, region_of
from craqbench.metrics.restoration import Picture, restoration_scores
from craqbench.metrics.widths import WIDTHS, of_widths

__all__ = [
    "ERRORS",
    "HIGHEST_PSNR",
    "MEANS",
    "FillingCounts",
    "error_figures",
    "filling_counts",
    "mean_figures",
]

ERRORS = (*REGIONS, *WIDTHS)
"""Where the errors of pixels are added up: in regions, and in the mask by the width of cracks."""

MEANS = (
    *(f"{name}:{region}" for name in ("mean_psnr", "ssim", "vif", "lpips") for region in REGIONS),
    *(f"entropy:{which}" for which in ("damaged", "filled", "undamaged")),
)
"""Figures that are means over pictures."""

HIGHEST_PSNR = 100.0
"""In dB: what equal pictures have, so that means and differences of PSNR are defined."""


@dataclass(frozen=True, slots=True, eq=False)
class FillingCounts:
    """Of one picture, or of several: they add up.

    Attributes
    ----------
    errors
        (len(ERRORS), 3) int64: sums over px and channels of the absolute and of the squared error, and how
        many values they are of.
    means
        (len(MEANS), 2) float64: sum, and how many pictures it is of.
    """

    errors: Counts
    means: Floats

    def __add__(self, other: FillingCounts) -> FillingCounts:
        return FillingCounts(self.errors + other.errors, self.means + other.means)


def filling_counts(
    filled: Picture,
    undamaged: Picture,
    damaged: Picture,
    mask: Mask,
    *,
    distances: Sequence[float] | None = None,
) -> FillingCounts:
    """Count everything that the figures of a filling need of one picture.

    Parameters
    ----------
    filled, undamaged, damaged
        (H, W, 3) uint8 RGB: what is scored, what it should be, and what it was made from.
    mask
        (H, W) bool, True where the damage is, whatever mask the filler was given.
    distances
        LPIPS in each of `REGIONS`, where it was measured.

    Raises
    ------
    ValueError
        If the pictures are not uint8, shapes differ, or the mask is none.
    """
    checked_pair(filled, undamaged, mask)
    checked_pair(damaged, undamaged, mask)
    if not mask.any():
        return FillingCounts(np.zeros((len(ERRORS), 3), np.int64), np.zeros((len(MEANS), 2)))
    errors = _errors(filled, undamaged, mask)
    found = restoration_scores(filled, undamaged, mask)
    means = [
        *error_figures(errors)["psnr"][: len(REGIONS)],
        *(found[region].ssim for region in REGIONS),
        *(found[region].vif for region in REGIONS),
        *(distances or [np.nan] * len(REGIONS)),
        *(entropy(picture) for picture in (damaged, filled, undamaged)),
    ]
    return FillingCounts(errors, mean_counts(means))


def _errors(filled: Picture, undamaged: Picture, mask: Mask) -> Counts:
    difference = np.asarray(cv2.absdiff(filled, undamaged))
    parts = [*(region_of(mask, region) for region in REGIONS), *of_widths(mask)]
    rows = []
    for part in parts:
        values = difference[part].astype(np.int64)
        rows.append([values.sum(), np.square(values).sum(), values.size])
    return np.array(rows, np.int64)


def error_figures(errors: Counts | Floats) -> dict[str, Floats]:
    """Return figures of added errors.

    Parameters
    ----------
    errors
        (..., n, 3), see `FillingCounts`.

    Returns
    -------
    "mae", 0 to 255, lower is better, and "psnr", in dB, at most `HIGHEST_PSNR`: (..., n) float64 each; NaN
    where there is no px.
    """
    absolute, squared, values = np.moveaxis(np.asarray(errors, np.float64), -1, 0)
    mse = share(squared, values, np.nan)
    least = 255**2 / 10 ** (HIGHEST_PSNR / 10)
    return {"mae": share(absolute, values, np.nan), "psnr": 10 * np.log10(255**2 / np.maximum(mse, least))}


def mean_figures(means: npt.ArrayLike) -> Floats:
    """Return the figures `MEANS` of added means: (..., n, 2) to (..., n) float64; NaN where none counts."""
    return mean_of_counts(np.asarray(means, np.float64))

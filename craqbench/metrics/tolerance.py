"""F1 that forgives a few pixels: a thin crack drawn one pixel beside the annotation is still found.

With a tolerance of tau px (Euclidean, between pixel centres, ties included)

- precision@tau = share of predicted px with an annotated px within tau,
- recall@tau = share of annotated px with a predicted px within tau,
- F1@tau = their harmonic mean; F1@0 is the plain F1. **F1@2px is what methods are ranked by.**

Several predicted px may match one annotated px: a prediction that is too wide by tau on each side costs
nothing, which is why F1@0, F1@1 and F1@4 stand beside it.

Ignored regions are cut from both masks first: what lies in them neither counts nor matches anything.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from craqbench.metrics.inputs import Counts, Mask, cut

__all__ = ["RANKING_TAU", "TAUS", "disk", "grow", "tolerance_counts"]

TAUS = (0.0, 1.0, 2.0, 4.0)
RANKING_TAU = 2.0
LARGE_TAU = 16.0
"""Beyond this a distance transform is about as fast as a dilation."""


@lru_cache(maxsize=16)
def disk(tau: float) -> npt.NDArray[np.uint8]:
    """Return the exact digital disk: 1 where the distance to the middle is at most `tau` px.

    The distance is the float64 square root of a whole number, as `scipy.ndimage.distance_transform_edt` has
    it, so that the two agree also on ties, tau = sqrt(13) and the like.

    Raises
    ------
    ValueError
        If `tau` is negative or not finite.

    Examples
    --------
    >>> disk(1)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    _check_tau(tau)
    offsets = np.arange(-int(tau), int(tau) + 1)
    kernel = np.asarray(np.sqrt(offsets[:, None] ** 2 + offsets**2) <= tau, np.uint8)
    kernel.setflags(write=False)
    return kernel


def _check_tau(tau: float) -> None:
    if not (math.isfinite(tau) and tau >= 0):
        raise ValueError(f"expected a tolerance of at least 0 px. Got {tau}")


def grow(mask: Mask, tau: float) -> Mask:
    """Return (H, W) bool: where a pixel of `mask` is within `tau` px.

    For the few px that matter here a dilation by `disk` is a hundred times as fast as a distance transform;
    its time grows with the square of `tau`.
    """
    _check_tau(tau)
    if not mask.any():
        return mask
    if tau > LARGE_TAU:
        return np.asarray(distance_transform_edt(~mask) <= tau, np.bool_)
    kernel = disk(float(tau))
    return np.asarray(cv2.dilate(mask.view(np.uint8), kernel), np.uint8).view(np.bool_)


def tolerance_counts(
    prediction: Mask, truth: Mask, *, taus: tuple[float, ...] = TAUS, ignore: Mask | None = None
) -> Counts:
    """Count predicted and annotated pixels, and those of them that lie within tau px of the other.

    Parameters
    ----------
    prediction, truth
        (H, W) bool. With more than two classes, ask for one at a time: ``labels == 1``.
    taus
        Tolerances in px, at least 0.
    ignore
        (H, W) bool, True where nothing is scored.

    Returns
    -------
    (len(taus), 4) int64 : matched predicted, predicted, matched annotated, annotated px. Add them over the
    images of a set, then ask `craqbench.metrics.matches.match_f1`.

    Raises
    ------
    ValueError
        If a mask is not bool, shapes differ, or a tolerance is negative or not finite.

    Examples
    --------
    >>> truth = np.zeros((5, 9), bool)
    >>> truth[2] = True
    >>> tolerance_counts(np.roll(truth, 1, axis=0), truth, taus=(0, 1))
    array([[0, 9, 0, 9],
           [9, 9, 9, 9]])
    """
    found, sought = cut(prediction, truth, ignore)
    predicted, annotated = np.count_nonzero(found), np.count_nonzero(sought)
    rows = []
    for tau in taus:
        near_truth, near_prediction = grow(sought, tau), grow(found, tau)
        matched = np.count_nonzero(found & near_truth), np.count_nonzero(sought & near_prediction)
        rows.append((matched[0], predicted, matched[1], annotated))
    return np.array(rows, np.int64).reshape(len(taus), 4)

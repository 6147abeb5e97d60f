"""Scores at every threshold: precision-recall curve, average precision, ODS and OIS.

Score maps are read at 256 levels, k / 255 for k = 0 ... 255: at level k all pixels with a score of k / 255 or
more are predicted. The match counts of all levels come from three histograms, also with a tolerance: a pixel
is near an annotated one at all levels or at none, and an annotated pixel is found up to the largest score
within tau.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from craqbench.metrics.inputs import Counts, Floats, Mask, checked_mask, scored_pixels
from craqbench.metrics.matches import match_f1, match_precision, match_recall
from craqbench.metrics.tolerance import disk, grow

__all__ = [
    "LEVELS",
    "Optimum",
    "PrecisionRecall",
    "average_precision",
    "level_counts",
    "optimal_dataset_scale",
    "optimal_image_scale",
    "precision_recall",
    "score_levels",
]

LEVELS = 256


class PrecisionRecall(NamedTuple):
    """A precision-recall curve, from the highest threshold at which anything is predicted to the lowest."""

    thresholds: Floats
    precision: Floats
    recall: Floats


class Optimum(NamedTuple):
    """The best F1 over thresholds, and the threshold where it is reached (the highest such)."""

    f1: float
    threshold: float


def score_levels(scores: npt.NDArray[np.floating | np.uint8]) -> npt.NDArray[np.uint8]:
    """Round scores to whole 255ths, as a PNG stores them; uint8 arrays are taken to be that already.

    Raises
    ------
    ValueError
        If scores are of another integer type, NaN or outside [0, 1].
    """
    if scores.dtype == np.uint8:
        return np.asarray(scores, np.uint8)
    if scores.dtype.kind != "f":
        raise ValueError(f"expected scores of a float type in [0, 1], or uint8. Got {scores.dtype}")
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError(f"expected scores in [0, 1]. Got {scores.min()} to {scores.max()}")
    return np.rint(scores * scores.dtype.type(255)).astype(np.uint8)


def level_counts(
    scores: npt.NDArray[np.floating | np.uint8],
    truth: Mask,
    *,
    tau: float = 0.0,
    ignore: Mask | None = None,
) -> Counts:
    """Count matches, as `craqbench.metrics.tolerance.tolerance_counts` does, at all thresholds at once.

    Parameters
    ----------
    scores
        (H, W) float in [0, 1], or uint8, 255 for 1.
    truth
        (H, W) bool.
    tau
        Tolerance in px; 0 counts pixels as a confusion matrix does.
    ignore
        (H, W) bool, True where nothing is scored.

    Returns
    -------
    (256, 4) int64 : row k for the threshold k / 255. Row 0 predicts every pixel.

    Raises
    ------
    ValueError
        If scores are not in [0, 1], `truth` or `ignore` is not a mask, or shapes differ.
    """
    if scores.shape != checked_mask(truth, "truth").shape:
        raise ValueError(f"expected scores of the annotation's shape {truth.shape}. Got {scores.shape}")
    keep = scored_pixels(truth, ignore)
    levels = score_levels(scores) * keep
    sought = truth & keep
    reached = np.asarray(cv2.dilate(levels, disk(float(tau))), np.uint8) if levels.size else levels
    counts = np.empty((LEVELS, 4), np.int64)
    counts[:, 0] = _at_least(levels[grow(sought, tau) & keep])
    counts[:, 1] = _at_least(levels[keep])
    counts[:, 2] = _at_least(reached[sought])
    counts[:, 3] = np.count_nonzero(sought)
    return counts


def _at_least(levels: npt.NDArray[np.uint8]) -> Counts:
    """Count the values that reach each level."""
    return np.bincount(levels, minlength=LEVELS)[::-1].cumsum()[::-1]


def precision_recall(counts: Counts) -> PrecisionRecall:
    """Return the curve of summed `level_counts`, (256, 4), without levels at which nothing is predicted."""
    levels = np.flatnonzero(counts[:, 1])[::-1]
    kept = counts[levels]
    return PrecisionRecall(levels / (LEVELS - 1), match_precision(kept), match_recall(kept))


def average_precision(counts: Counts | Floats) -> Floats:
    """Return the average precision: sum over levels of (R_k - R_k+1) P_k, without interpolation.

    Parameters
    ----------
    counts
        (..., 256, 4), summed over the images of a set.

    Returns
    -------
    (...) float64 in [0, 1]; NaN where nothing is annotated, because recall means nothing there. A method that
    scores all pixels alike has the annotated share.
    """
    falling = counts[..., ::-1, :]
    steps = np.diff(match_recall(falling), axis=-1, prepend=0.0)
    return np.where(counts[..., 0, 3] > 0, (steps * match_precision(falling)).sum(axis=-1), np.nan)


def optimal_dataset_scale(counts: Counts) -> Optimum:
    """Return ODS: the best F1 of a set when all its images share one threshold.

    The threshold 0, which predicts every pixel, is not one of the candidates. The figure flatters: the
    threshold is chosen on the very annotations that it is scored on. It shows what is lost by a method's own.

    Parameters
    ----------
    counts
        (256, 4), summed over the images of a set.
    """
    scores = match_f1(counts[1:])
    best = LEVELS - 2 - int(np.argmax(scores[::-1]))
    return Optimum(float(scores[best]), (best + 1) / (LEVELS - 1))


def optimal_image_scale(counts: Counts) -> float:
    """Return OIS: the F1 of a set when each image has the threshold that is best for it.

    Counts at the images' best thresholds are added before the score is taken, as in the BSDS benchmark
    (Arbelaez et al. 2011); some papers on cracks average the images' best F1 instead.

    Parameters
    ----------
    counts
        (images, 256, 4).
    """
    candidates = counts[:, 1:]
    best = LEVELS - 2 - np.argmax(match_f1(candidates)[:, ::-1], axis=1)
    return float(match_f1(candidates[np.arange(len(counts)), best].sum(axis=0)))

"""Precision, recall and F1 from match counts, the common currency of the metrics of thin structures.

Match counts are four whole numbers on the last axis of an array::

    matched predicted px, predicted px, matched annotated px, annotated px

What "matched" means is the metric's business: the same pixel (`craqbench.metrics.confusion`), a crack within
some px (`craqbench.metrics.tolerance`), or a centre line inside the other mask (`craqbench.metrics.cldice`).
Counts of several images are *added*, and the score is taken of the sum: one long crack weighs more than one
short one, whichever picture it lies in, and an image without cracks spoils nothing.

Empty masks: where neither side has anything, all scores are 1; where one side has nothing, all are 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from craqbench.metrics.inputs import Counts, Floats

__all__ = ["harmonic_mean", "match_f1", "match_precision", "match_recall", "share"]

Numbers = npt.NDArray[np.integer | np.floating]


def share(part: npt.ArrayLike, whole: npt.ArrayLike, otherwise: npt.ArrayLike) -> Floats:
    """Return ``part / whole``, and `otherwise` where `whole` is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    empty = whole == 0
    return np.where(empty, otherwise, part / np.where(empty, 1, whole))


def harmonic_mean(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return 2ab / (a + b), and 0 where both are 0: the F1 of a precision and a recall (paper C, eq. 11).

    Examples
    --------
    >>> round(float(harmonic_mean(93.18, 93.67)), 2)
    93.42
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return share(2 * a * b, a + b, 0)


def match_precision(counts: Counts | Floats) -> Floats:
    """Return the share of predicted px that are matched; higher is better.

    Parameters
    ----------
    counts
        (..., 4) match counts; floats where they are weighted.

    Returns
    -------
    (...) float64 in [0, 1].
    """
    return share(counts[..., 0], counts[..., 1], counts[..., 3] == 0)


def match_recall(counts: Counts | Floats) -> Floats:
    """Return the share of annotated px that are matched; see `match_precision`."""
    return share(counts[..., 2], counts[..., 3], counts[..., 1] == 0)


def match_f1(counts: Counts | Floats) -> Floats:
    """Return the harmonic mean of `match_precision` and `match_recall`.

    Examples
    --------
    >>> round(float(match_f1(np.array([8, 10, 6, 10]))), 4)
    0.6857
    """
    return harmonic_mean(match_precision(counts), match_recall(counts))

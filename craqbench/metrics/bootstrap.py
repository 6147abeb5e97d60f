"""Confidence: intervals and paired differences by resampling paintings.

Paintings, not pixels and not crops, are what a set is a sample of: all counts of one painting are drawn
together. A resample of n paintings with replacement is a row of n multinomial weights, and its summed counts
are a matrix product: 10,000 resamples of 60 paintings are a matter of milliseconds. All methods see the
*same* resamples, so that a difference between two of them is paired: a hard painting is hard for both.

What is resampled is a table of counts per painting, (n, ...): match counts, confusion matrices, level counts;
for a plain mean of values, `mean_counts`. The score is any function that takes the axes after the first.

Few paintings (below about ten) make percentile intervals too narrow; one painting makes them a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from craqbench.metrics.inputs import Floats
from craqbench.metrics.matches import share

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Difference",
    "Interval",
    "Score",
    "Weights",
    "counts_by_painting",
    "mean_counts",
    "mean_of_counts",
    "paired_difference",
    "percentile_interval",
    "resampled_scores",
    "resampling_weights",
]

RESAMPLES = 10_000
LEVEL = 0.95

_AT_ONCE = 1_000_000
"""Numbers that are held at once, of what is done in pieces: memory stays flat."""

Weights = npt.NDArray[np.number[Any]]

Score = Callable[[Floats], Floats]
"""Counts of a set, (..., k) or (..., C, C), to its score, (...): `match_f1`, `mean_iou`, ..."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The score of a set, and the percentile interval of its resamples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """First minus second score of a set, its interval, and how likely it is by chance (two-sided p)."""

    value: float
    low: float
    high: float
    p: float


def counts_by_painting(
    counts: npt.NDArray[np.generic], paintings: Sequence[str]
) -> tuple[list[str], npt.NDArray[np.generic]]:
    """Add the counts of images of the same painting.

    Parameters
    ----------
    counts
        (images, ...).
    paintings
        The painting of each image.

    Returns
    -------
    The paintings in alphabetical order, and (paintings, ...) of the type of `counts`.

    Raises
    ------
    ValueError
        If there are not as many paintings as counts.
    """
    if len(counts) != len(paintings):
        raise ValueError(f"expected a painting for each of {len(counts)} images. Got {len(paintings)}")
    names = sorted(set(paintings))
    places = {name: place for place, name in enumerate(names)}
    summed = np.zeros((len(names), *counts.shape[1:]), counts.dtype)
    np.add.at(summed, [places[name] for name in paintings], counts)
    return names, summed


def mean_counts(values: npt.ArrayLike) -> Floats:
    """Turn one value per image into (images, 2) counts, value and 1; NaN, undefined, into 0 and 0."""
    values = np.asarray(values, np.float64)
    return np.stack([np.nan_to_num(values, nan=0.0), ~np.isnan(values)], axis=-1)


def mean_of_counts(counts: Floats) -> Floats:
    """Return the mean of what `mean_counts` made, (..., 2) to (...); NaN where there is nothing."""
    return share(counts[..., 0], counts[..., 1], np.nan)


def resampling_weights(paintings: int, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> Weights:
    """Return (resamples, paintings), unsigned integers: how often each painting is drawn in each resample.

    Raises
    ------
    ValueError
        If there is no painting or no resample.
    """
    if paintings < 1 or resamples < 1:
        raise ValueError(f"expected at least 1 painting and 1 resample. Got {paintings} and {resamples}")
    weights = np.empty((resamples, paintings), np.min_scalar_type(paintings))
    rows = max(1, _AT_ONCE // paintings)
    for start in range(0, resamples, rows):
        part = weights[start : start + rows]
        part[:] = rng.multinomial(paintings, np.full(paintings, 1 / paintings), len(part))
    return weights


def resampled_scores(counts: npt.ArrayLike, score: Score, *, weights: Weights) -> Floats:
    """Return the score of every resample.

    Parameters
    ----------
    counts
        (paintings, ...).
    score
        A function of the summed counts that takes any leading axes.
    weights
        (resamples, paintings) of `resampling_weights`.

    Returns
    -------
    (resamples,) float64.

    Raises
    ------
    ValueError
        If weights are for another number of paintings.
    """
    table = np.asarray(counts, np.float64)
    if len(table) != weights.shape[1]:
        raise ValueError(f"expected counts of {weights.shape[1]} paintings. Got {len(table)}")
    # In pieces, because 10,000 sums of a precision-recall curve's counts would take 80 MB.
    rows = max(1, _AT_ONCE // max(1, table[0].size, len(table)))
    pieces = [weights[start : start + rows] for start in range(0, len(weights), rows)]
    return np.concatenate([score(np.tensordot(piece.astype(np.float64), table, axes=1)) for piece in pieces])


def percentile_interval(
    counts: npt.ArrayLike, score: Score, *, weights: Weights, level: float = LEVEL
) -> Interval:
    """Return a set's score with the interval that holds the middle `level` of its resamples."""
    low, high = _tails(resampled_scores(counts, score, weights=weights), level)
    return Interval(_whole(counts, score), low, high)


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, score: Score, *, weights: Weights, level: float = LEVEL
) -> Difference:
    """Return how much better `first` is than `second` on the same paintings.

    p is twice the share of resamples in which the difference has the other sign or none, the observed set
    counted as one more resample; at most 1, and 1 for two methods that agree on every painting. It is at
    least 2^(1 - m), which a sign test could reach on the m paintings where the methods differ: resamples of
    three paintings may all have one sign, and show nothing. It is not corrected for the number of
    comparisons.

    Parameters
    ----------
    first, second
        (paintings, ...) counts of two methods, paintings in the same order.
    score, weights, level
        As in `percentile_interval`.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    resampled = resampled_scores(a, score, weights=weights) - resampled_scores(b, score, weights=weights)
    low, high = _tails(resampled, level)
    different = int((a != b).reshape(len(a), -1).any(axis=1).sum())
    p = max(_sign_share(resampled), 2.0 ** (1 - different))
    return Difference(_whole(a, score) - _whole(b, score), low, high, min(1.0, p))


def _sign_share(differences: Floats) -> float:
    rarer = min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0))
    return 2 * (rarer + 1) / (len(differences) + 1)


def _whole(counts: npt.ArrayLike, score: Score) -> float:
    return float(score(np.asarray(counts, np.float64).sum(axis=0)))


def _tails(resampled: Floats, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return float(low), float(high)

"""Validation on synthetic pictures that are never trained on: crack IoU, and the best threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from baselines.training import Batch, Trainer

__all__ = ["LEVELS", "Validated", "best_threshold", "validate"]

LEVELS = 256
"""Thresholds that are tried: multiples of 1 / LEVELS."""


class Validated(NamedTuple):
    """Figures of the crack class over all pictures together.

    Attributes
    ----------
    loss
        Mean over the batches.
    iou, f1, threshold
        At the threshold that gives the best F1 (and with it the best IoU).
    """

    loss: float
    iou: float
    f1: float
    threshold: float


def validate(trainer: Trainer, batches: list[Batch]) -> Validated:
    """Score the averaged network."""
    cracks, others, losses = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64), []
    for batch in batches:
        probabilities, loss = trainer.predict(batch)
        losses.append(loss)
        levels = np.minimum((probabilities[:, 1] * LEVELS).astype(np.int64), LEVELS - 1)
        is_crack = batch.labels == 1
        cracks += np.bincount(levels[is_crack], minlength=LEVELS)
        others += np.bincount(levels[(batch.labels != 1) & (batch.labels != 255)], minlength=LEVELS)
    iou, f1, threshold = best_threshold(cracks, others)
    return Validated(float(np.mean(losses)), iou, f1, threshold)


def best_threshold(
    cracks: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return IoU, F1 and the threshold that gives the best F1, the middle one of several.

    Parameters
    ----------
    cracks, others
        (LEVELS,) int64: px of the crack class, and of all others, by score in multiples of 1 / LEVELS.

    Examples
    --------
    >>> cracks, others = np.zeros(256, np.int64), np.zeros(256, np.int64)
    >>> cracks[200], others[10] = 90, 910
    >>> best_threshold(cracks, others)
    (1.0, 1.0, 0.41015625)
    """
    hits = cracks[::-1].cumsum()[::-1]
    false = others[::-1].cumsum()[::-1]
    f1 = 2 * hits / np.maximum(1, hits + false + cracks.sum())
    best = np.flatnonzero(f1 >= f1[1:].max())
    best = best[best > 0]
    level = int(best[len(best) // 2])
    iou = hits[level] / max(1, false[level] + int(cracks.sum()))
    return float(iou), float(f1[level]), level / LEVELS

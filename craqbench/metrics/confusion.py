"""Scores of labelled pixels: Acc, Precision, Recall, F1, IoU and MIoU (paper C, eqs. 8-12), and MCC.

All are functions of a confusion matrix. **One matrix is summed over all images of a set, and scores are taken
of the sum**; the mean of per-image scores is another number (0.7498 where this one is 0.9987, in one case).
Void pixels do not enter the matrix. A function takes (..., C, C): one matrix, or one for each resample.

Per-class scores come back as (..., C), background first. Report the crack class, ``[..., 1]``, by itself:
paper C's F1 of 93.42 is an average over background, craquelure and paint loss, and its craquelure alone has
IoU 0.71, which is F1 0.83.

Empty masks: a class that neither the annotation nor the prediction has scores 1; one that only one of them
has scores 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from craqbench.metrics.inputs import Counts, Floats, Mask, scored_pixels
from craqbench.metrics.matches import harmonic_mean, match_precision, match_recall, share

__all__ = [
    "Macro",
    "accuracy",
    "class_counts",
    "confusion_matrix",
    "f1",
    "iou",
    "macro_scores",
    "matthews",
    "mean_iou",
    "precision",
    "recall",
]

Matrix = Counts | Floats


class Macro(NamedTuple):
    """Paper C's five figures, of a set or of many resamples of it; each (...) float64 in [0, 1]."""

    accuracy: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    mean_iou: Floats


def confusion_matrix(
    prediction: npt.NDArray[np.bool_ | np.integer],
    truth: npt.NDArray[np.bool_ | np.integer],
    *,
    classes: int = 2,
    ignore: Mask | None = None,
) -> Counts:
    """Count pixels by annotated class (rows) and predicted class (columns).

    Parameters
    ----------
    prediction, truth
        (H, W) bool, or class numbers 0 ... classes - 1 of any integer type.
    classes
        Number of classes, background included.
    ignore
        (H, W) bool, True where pixels are not scored (void); labels there may be anything.

    Returns
    -------
    (classes, classes) int64; all 0 where everything is ignored.

    Raises
    ------
    ValueError
        If shapes differ, or a scored pixel has a label outside 0 ... classes - 1.

    Examples
    --------
    >>> truth = np.array([[0, 1, 2], [0, 1, 255]])
    >>> confusion_matrix(np.array([[0, 1, 1], [1, 1, 0]]), truth, classes=3, ignore=truth == 255)
    array([[1, 1, 0],
           [0, 2, 0],
           [0, 1, 0]])
    """
    if prediction.shape != truth.shape or truth.ndim != 2:
        raise ValueError(
            f"expected two label images of one shape (H, W). Got {prediction.shape} and {truth.shape}"
        )
    keep = slice(None) if ignore is None else scored_pixels(truth, ignore)
    predicted = _checked_labels(prediction[keep], "prediction", classes)
    annotated = _checked_labels(truth[keep], "truth", classes)
    codes = np.multiply(annotated, classes, dtype=np.intp) + predicted
    return np.bincount(codes.ravel(), minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _checked_labels(
    labels: npt.NDArray[np.bool_ | np.integer], name: str, classes: int
) -> npt.NDArray[np.bool_ | np.integer]:
    if labels.dtype.kind not in "bui":
        raise ValueError(f"expected {name} of bool or integer type. Got {labels.dtype}")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise ValueError(f"expected labels 0 to {classes - 1} in {name}. Got {wrong}")
    return labels


def class_counts(matrix: Matrix) -> Matrix:
    """Return the match counts of each class against the rest.

    Parameters
    ----------
    matrix
        (..., C, C), rows annotated, columns predicted.

    Returns
    -------
    (..., C, 4) : TP, TP + FP, TP, TP + FN, as `craqbench.metrics.matches` takes them.
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    return np.stack([hits, matrix.sum(axis=-2), hits, matrix.sum(axis=-1)], axis=-1)


def accuracy(matrix: Matrix) -> Floats:
    """Return the share of pixels that have the right label (eq. 8); 1 where no pixel is scored.

    Of little use by itself: an empty prediction has the background's share, more than 0.9 on real cracks.
    """
    return share(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)), 1)


def precision(matrix: Matrix) -> Floats:
    """Return TP / (TP + FP) of each class (eq. 9), (..., C)."""
    return match_precision(class_counts(matrix))


def recall(matrix: Matrix) -> Floats:
    """Return TP / (TP + FN) of each class (eq. 10), (..., C)."""
    return match_recall(class_counts(matrix))


def f1(matrix: Matrix) -> Floats:
    """Return the F1 score (Dice coefficient) of each class (eq. 11), (..., C)."""
    return harmonic_mean(precision(matrix), recall(matrix))


def iou(matrix: Matrix) -> Floats:
    """Return TP / (TP + FN + FP) of each class, (..., C)."""
    hits, predicted, _, annotated = np.moveaxis(class_counts(matrix), -1, 0)
    return share(hits, predicted + annotated - hits, 1)


def mean_iou(matrix: Matrix) -> Floats:
    """Return the mean of `iou` over all classes, background included (eq. 12), (...).

    Paper C writes 1 / (k + 1) with "k the number of categories"; three classes are averaged as three.
    """
    return np.asarray(iou(matrix).mean(axis=-1), np.float64)


def macro_scores(matrix: Matrix) -> Macro:
    """Return paper C's five figures: averages over all classes, background included.

    F1 is the harmonic mean of mean precision and mean recall, as the paper's 93.42 is that of 93.18 and
    93.67, not the mean of the classes' F1.
    """
    p, r = precision(matrix).mean(axis=-1), recall(matrix).mean(axis=-1)
    return Macro(accuracy(matrix), p, r, harmonic_mean(p, r), mean_iou(matrix))


def matthews(matrix: Matrix) -> Floats:
    """Return the Matthews correlation coefficient, (...) in [-1, 1]; for C > 2 Gorodkin's R_K (2004).

    Where annotation or prediction are of one class only it is undefined: 1 if all labels are right, else 0.
    """
    counts = np.asarray(matrix, np.float64)
    hits, total = np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1))
    predicted, annotated = counts.sum(axis=-2), counts.sum(axis=-1)
    spread = (total**2 - (predicted**2).sum(axis=-1)) * (total**2 - (annotated**2).sum(axis=-1))
    return share(
        hits * total - (predicted * annotated).sum(axis=-1), np.sqrt(np.maximum(spread, 0)), hits == total
    )

"""All figures of a detector in one go: additive counts per image, and the scores of their sum."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from craqbench.metrics.cldice import cldice_counts
from craqbench.metrics.confusion import accuracy, confusion_matrix, f1, iou, macro_scores, matthews, mean_iou
from craqbench.metrics.confusion import precision as class_precision
from craqbench.metrics.confusion import recall as class_recall
from craqbench.metrics.curves import (
    LEVELS,
    average_precision,
    level_counts,
    optimal_dataset_scale,
    score_levels,
)
from craqbench.metrics.inputs import Counts, Mask
from craqbench.metrics.matches import match_f1, match_precision, match_recall
from craqbench.metrics.skeletons import SKELETONISER
from craqbench.metrics.tolerance import RANKING_TAU, TAUS, tolerance_counts
from craqbench.metrics.topology import betti_errors

__all__ = ["CRACK", "POLICIES", "DetectionCounts", "detection_counts", "detection_scores"]

CRACK = 1
"""The class whose thin structures are scored; see `generators.triplets.CLASSES`."""

POLICIES = {
    "averaging": "counts added over the set, then one score; MIoU and macro scores over all classes",
    "beta errors": "mean over images of the absolute difference; crack class",
    "connectivity": "cracks 8, background 4; background that reaches the frame is no hole",
    "empty masks": "both empty: 1; one empty: 0",
    "ignored regions": "cut from prediction and annotation; skeletons are computed before cutting",
    "levels": "scores rounded to 1/255; score >= k/255; AP from k = 0, ODS and OIS from k = 1",
    "skeletoniser": SKELETONISER,
    "tolerance": f"Euclidean, between pixel centres, <= tau px, many to one; ranking at {RANKING_TAU:g} px",
}
"""What was decided where definitions differ: goes into every result file."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionCounts:
    """Counts of one image, or of several: they add up. All int64.

    Attributes
    ----------
    confusion
        (C, C), rows annotated, columns predicted.
    tolerance
        (len(TAUS), 4) match counts of the crack class at tolerances `TAUS`.
    cldice
        (4,) match counts of centre lines of the crack class.
    betti
        (3,) : beta0 and beta1 errors, and the number of images.
    levels
        (2, 256, 4) match counts of the crack class at all thresholds, with tolerances 0 and `RANKING_TAU`;
        (2, 0, 4) for a method without scores.
    """

    confusion: Counts
    tolerance: Counts
    cldice: Counts
    betti: Counts
    levels: Counts

    def __add__(self, other: DetectionCounts) -> DetectionCounts:
        return DetectionCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def detection_counts(
    prediction: npt.NDArray[np.bool_ | np.integer],
    truth: npt.NDArray[np.bool_ | np.integer],
    *,
    classes: int = 2,
    ignore: Mask | None = None,
    scores: npt.NDArray[np.floating | np.uint8] | None = None,
) -> DetectionCounts:
    """Count everything that `detection_scores` needs of one image.

    Parameters
    ----------
    prediction, truth
        (H, W) bool, or class numbers 0 ... classes - 1, 1 for cracks.
    classes
        Number of classes, background included.
    ignore
        (H, W) bool, True where nothing is scored.
    scores
        (H, W) float in [0, 1] or uint8: the crack class before the threshold, where the method gives it.

    Raises
    ------
    ValueError
        If shapes differ, labels are not of that many classes, or scores leave [0, 1].
    """
    matrix = confusion_matrix(prediction, truth, classes=classes, ignore=ignore)
    found, sought = prediction == CRACK, truth == CRACK
    levels = None if scores is None else score_levels(scores)
    taus = (0.0, RANKING_TAU)
    curves = [] if levels is None else [level_counts(levels, sought, tau=t, ignore=ignore) for t in taus]
    return DetectionCounts(
        matrix,
        tolerance_counts(found, sought, ignore=ignore),
        cldice_counts(found, sought, ignore=ignore),
        np.array([*betti_errors(found, sought, ignore=ignore), 1], np.int64),
        np.array(curves, np.int64) if curves else np.zeros((2, 0, 4), np.int64),
    )


def detection_scores(counts: DetectionCounts) -> dict[str, float]:
    """Return the figures of a set (or of one image).

    Of the crack class: "f1@0" ... "f1@4" with "precision@..." and "recall@..." (px); "precision", "recall",
    "f1", "iou"; "cldice" with "topology_precision" and "topology_sensitivity"; "beta0_error", "beta1_error".
    Over all classes: "accuracy", "mcc", "mean_iou", "macro_precision", "macro_recall", "macro_f1". With
    scores also "ap", "ods", "ap@2", "ods@2" and the threshold "ods_threshold@2"; OIS needs the images one by
    one (`craqbench.metrics.curves.optimal_image_scale`). All are in [0, 1], but for "mcc" in [-1, 1] and the
    beta errors.
    """
    figures = {**_tolerant(counts), **_pixelwise(counts), **_structural(counts)}
    return figures | (_ranking(counts) if counts.levels.shape[1] == LEVELS else {})


def _tolerant(counts: DetectionCounts) -> dict[str, float]:
    functions = {"f1": match_f1, "precision": match_precision, "recall": match_recall}
    return {
        f"{name}@{tau:g}": float(function(row))
        for name, function in functions.items()
        for tau, row in zip(TAUS, counts.tolerance, strict=True)
    }


def _pixelwise(counts: DetectionCounts) -> dict[str, float]:
    per_class = {"precision": class_precision, "recall": class_recall, "f1": f1, "iou": iou}
    overall = {"accuracy": accuracy, "mcc": matthews, "mean_iou": mean_iou}
    macro = macro_scores(counts.confusion)
    return {
        **{name: float(function(counts.confusion)[CRACK]) for name, function in per_class.items()},
        **{name: float(function(counts.confusion)) for name, function in overall.items()},
        "macro_precision": float(macro.precision),
        "macro_recall": float(macro.recall),
        "macro_f1": float(macro.f1),
    }


def _structural(counts: DetectionCounts) -> dict[str, float]:
    beta0, beta1, images = counts.betti.tolist()
    return {
        "cldice": float(match_f1(counts.cldice)),
        "topology_precision": float(match_precision(counts.cldice)),
        "topology_sensitivity": float(match_recall(counts.cldice)),
        "beta0_error": beta0 / images,
        "beta1_error": beta1 / images,
    }


def _ranking(counts: DetectionCounts) -> dict[str, float]:
    strict, tolerant = counts.levels
    best = optimal_dataset_scale(tolerant)
    return {
        "ap": float(average_precision(strict)),
        "ods": optimal_dataset_scale(strict).f1,
        f"ap@{RANKING_TAU:g}": float(average_precision(tolerant)),
        f"ods@{RANKING_TAU:g}": best.f1,
        f"ods_threshold@{RANKING_TAU:g}": best.threshold,
    }

"""What a detector is asked of an image, and what is counted of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from baselines.protocols import (
    ClassDetector,
    ClassScores,
    Detector,
    Image,
    Labels,
    Scores,
    checked_predict,
    checked_predict_classes,
    count_classes,
    labels_of,
)
from craqbench.annotations import Annotated, Annotation, Item
from craqbench.codecs import encode_labels
from craqbench.evaluation_methods import make_detector
from craqbench.evaluation_records import PREDICTIONS, SCORES, Record, digest_of_answer
from craqbench.evaluation_task import Job, Timed
from craqbench.metrics import CRACK, DetectionCounts, detection_counts
from craqbench.metrics.curves import score_levels
from craqbench.metrics.inputs import Mask

__all__ = ["DetectionJob", "TimedDetector", "predicted_classes", "score_image"]


class TimedDetector(Timed[Detector]):
    """A detector, and how long its last call took."""

    @property
    def threshold(self) -> float:
        """The detector's own threshold."""
        return self.method.threshold

    @property
    def classes(self) -> int:
        """How many classes the detector tells apart."""
        return count_classes(self.method)

    def predict(self, image: Image) -> Scores:
        """Return the detector's scores."""
        return self.timed(self.method.predict, image)

    def predict_classes(self, image: Image) -> ClassScores:
        """Return the detector's scores of each class."""
        return self.timed(cast("ClassDetector", self.method).predict_classes, image)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionJob(Job[Detector]):
    """One detector on one set.

    Attributes
    ----------
    classes
        How many the set has.
    threshold
        A pixel is a crack where its score is at least this.
    keep_scores
        Whether scores are kept beside predictions.
    """

    classes: int
    threshold: float
    keep_scores: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is kept of each image, by folder."""
        return (PREDICTIONS, SCORES) if self.keep_scores else (PREDICTIONS,)

    def make(self, device: str) -> TimedDetector:
        """Make the detector."""
        return TimedDetector(make_detector(self.method, device))

    def do(
        self, method: Timed[Detector], item: Item, annotated: Annotated
    ) -> tuple[Record, Mapping[str, bytes]]:
        """Predict; see `craqbench.evaluation_task.Job`."""
        asked = predicted_classes(method.method, self.classes)
        detector = cast("TimedDetector", method)
        scores, labels = _predict(detector, annotated.image, item.id, asked, self.threshold)
        files = {PREDICTIONS: encode_labels(labels if asked > 2 else labels * np.uint8(255))}
        if self.keep_scores:
            files[SCORES] = encode_labels(score_levels(scores))
        return score_image(labels, scores, annotated, self.classes), files


def predicted_classes(detector: Detector, classes: int) -> int:
    """Return how many of a set's classes a detector is asked for: all if it tells as many apart, else 2."""
    return classes if count_classes(detector) == classes else 2


def _predict(
    detector: TimedDetector, image: Image, image_id: str, classes: int, threshold: float
) -> tuple[Scores, Labels]:
    """Ask once; return the scores of the crack class, and the class of each px."""
    if classes == 2:
        scores = checked_predict(detector, image, image_id)
        return scores, (scores >= threshold).view(np.uint8)
    found = checked_predict_classes(detector, image, image_id)
    return found[CRACK], labels_of(found, threshold)


def score_image(labels: Labels, scores: Scores | None, annotated: Annotated, classes: int) -> Record:
    """Count everything about a prediction.

    Parameters
    ----------
    labels
        (H, W) uint8, the predicted classes.
    scores
        (H, W) float32 in [0, 1], of the crack class, where the method gives them.
    annotated
        What it is scored against.
    classes
        How many the set has.

    Returns
    -------
    JSON types: ``confusion``, ``tolerance``, ``cldice``, ``betti``, ``levels``,
    ``components``, ``prediction_sha256`` and ``second``, which is null, or the counts of a second annotator.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth = annotated.annotation
    counts = detection_counts(labels, truth.labels, classes=classes, ignore=truth.ignore, scores=scores)
    second = None if annotated.second is None else _agreement(annotated.second, truth, classes)
    return {
        **_as_lists(counts),
        "levels": counts.levels.tolist(),
        "components": _components(labels == CRACK, truth.ignore),
        "prediction_sha256": digest_of_answer(labels),
        "second": second,
    }


def _agreement(second: Annotation, first: Annotation, classes: int) -> Record:
    """Score a second annotator as if it were a method, outside what either of the two ignores."""
    ignore = first.ignore | second.ignore
    counts = detection_counts(second.labels, first.labels, classes=classes, ignore=ignore)
    return {**_as_lists(counts), "components": _components(second.mask, ignore)}


def _as_lists(counts: DetectionCounts) -> Record:
    return {
        "confusion": counts.confusion.tolist(),
        "tolerance": counts.tolerance.tolist(),
        "cldice": counts.cldice.tolist(),
        "betti": counts.betti.tolist(),
    }


def _components(mask: Mask, ignore: Mask) -> int:
    """Count the 8-connected components of what is predicted and not ignored."""
    return int(cv2.connectedComponents((mask & ~ignore).view(np.uint8), connectivity=8)[0]) - 1

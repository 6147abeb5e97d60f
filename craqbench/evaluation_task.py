"""What is done with each image, here or in a worker: predict, count, keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, cast

import cv2
import numpy as np

from baselines.protocols import (
    Card,
    ClassDetector,
    ClassScores,
    Detector,
    Image,
    Labels,
    MethodError,
    Scores,
    checked_predict,
    checked_predict_classes,
    count_classes,
    labels_of,
)
from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item
from craqbench.codecs import encode_labels
from craqbench.engines import Beat
from craqbench.evaluation_methods import MethodSpec, device_of, make_detector
from craqbench.evaluation_records import PREDICTIONS, SCORES, Record, digest_of_labels, is_kept, keep
from craqbench.metrics import CRACK, DetectionCounts, detection_counts
from craqbench.metrics.curves import score_levels
from craqbench.metrics.inputs import Mask

__all__ = ["Block", "Job", "Missed", "Task", "predicted_classes", "score_image"]


@dataclass(frozen=True, slots=True)
class Job:
    """One method on one set.

    Attributes
    ----------
    set_number
        Which of the task's sets.
    method
        What to make the detector of.
    threshold
        A pixel is a crack where its score is at least this.
    folder
        Where all goes.
    keep_scores
        Whether scores are kept beside predictions.
    """

    set_number: int
    method: MethodSpec
    threshold: float
    folder: Path
    keep_scores: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is kept of each image, by folder."""
        return (PREDICTIONS, SCORES) if self.keep_scores else (PREDICTIONS,)


class Block(NamedTuple):
    """Some images of a set, in order, each with the numbers of the jobs that want it."""

    set_number: int
    images: tuple[tuple[Item, tuple[int, ...]], ...]


class Missed(NamedTuple):
    """An image that the method of a job could not do."""

    job: int
    image: str
    reason: str


@dataclass(eq=False)
class Task:
    """Does blocks; travels to workers once, and keeps the detectors that it has made there.

    Attributes
    ----------
    sets, jobs
        All of a run.
    device
        For methods that have such a setting.
    """

    sets: tuple[AnnotatedSet, ...]
    jobs: tuple[Job, ...]
    device: str = "cpu"
    _detectors: dict[MethodSpec, _Timed] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, block: Block, beat: Beat) -> list[Missed]:
        """Do all images of a block that are not done; one beat for each image and job.

        Raises
        ------
        AnnotationError
            If an image or an annotation cannot be read, or has changed.
        StorageError
            If the disk is full, read-only or gone.
        """
        missed: list[Missed] = []
        opened = self.sets[block.set_number]
        for item, numbers in block.images:
            annotated = opened.load(item)
            for number in numbers:
                try:
                    self._do(self.jobs[number], item, annotated, len(opened.classes))
                except MethodError as error:
                    missed.append(Missed(number, item.id, error.problem))
                beat()
        return missed

    def _do(self, job: Job, item: Item, annotated: Annotated, classes: int) -> None:
        if is_kept(job.folder, item.stem):  # by a worker that was killed later in the block
            return
        detector = self._detector(job.method)
        detector.calls += 1
        asked = predicted_classes(detector.detector, classes)
        scores, labels = _predict(detector, annotated.image, item.id, asked, job.threshold)
        record = {
            "id": item.id,
            **score_image(labels, scores, annotated, classes),
            "seconds": detector.seconds,
            "warm": detector.calls > 1,
            "device": device_of(detector.detector),
        }
        files = {PREDICTIONS: encode_labels(labels if asked > 2 else labels * np.uint8(255))}
        if job.keep_scores:
            files[SCORES] = encode_labels(score_levels(scores))
        keep(job.folder, item.stem, record, files)

    def _detector(self, method: MethodSpec) -> _Timed:
        if method not in self._detectors:
            self._detectors[method] = _Timed(make_detector(method, self.device))
        return self._detectors[method]


@dataclass(eq=False)
class _Timed:
    """A detector, and how long its last call took: its own call, without what is checked around it."""

    detector: Detector
    seconds: float = 0.0
    calls: int = 0

    @property
    def name(self) -> str:
        return self.detector.name

    @property
    def version(self) -> str:
        return self.detector.version

    @property
    def card(self) -> Card:
        return self.detector.card

    @property
    def threshold(self) -> float:
        return self.detector.threshold

    @property
    def classes(self) -> int:
        return count_classes(self.detector)

    def predict(self, image: Image) -> Scores:
        return self._timed(self.detector.predict, image)

    def predict_classes(self, image: Image) -> ClassScores:
        return self._timed(cast("ClassDetector", self.detector).predict_classes, image)

    def _timed(self, ask: Callable[[Image], Scores], image: Image) -> Scores:
        start = perf_counter()
        scores = ask(image)
        self.seconds = perf_counter() - start
        return scores


def predicted_classes(detector: Detector, classes: int) -> int:
    """Return how many of a set's classes a detector is asked for: all if it tells as many apart, else 2."""
    return classes if count_classes(detector) == classes else 2


def _predict(
    detector: _Timed, image: Image, image_id: str, classes: int, threshold: float
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
    JSON types: ``height``, ``width``, ``confusion``, ``tolerance``, ``cldice``, ``betti``, ``levels``,
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
        "height": labels.shape[0],
        "width": labels.shape[1],
        **_as_lists(counts),
        "levels": counts.levels.tolist(),
        "components": _components(labels == CRACK, truth.ignore),
        "prediction_sha256": digest_of_labels(labels),
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


def blocks_of(set_number: int, wanted: Sequence[tuple[Item, tuple[int, ...]]], images: int) -> list[Block]:
    """Cut the images of a set into blocks of neighbours: they often lie in the same file."""
    return [
        Block(set_number, tuple(wanted[start : start + images])) for start in range(0, len(wanted), images)
    ]

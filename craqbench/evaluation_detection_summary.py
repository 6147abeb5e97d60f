"""From the records of a detector's images to its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from craqbench.annotations import AnnotatedSet, Item
from craqbench.evaluation_records import Record
from craqbench.evaluation_summary import (
    RESULT_POLICIES,
    Facts,
    Times,
    common_fields,
    groups,
    image_fields,
    painting_fields,
    records_of,
    with_intervals,
)
from craqbench.figures import DETAIL
from craqbench.metrics import POLICIES, RANKING_TAU, TAUS, match_f1, optimal_dataset_scale
from craqbench.metrics.curves import LEVELS
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.result_counts import rows_of
from craqbench.results import (
    Counts,
    Curves,
    DetectionResult,
    Failure,
    ImageCounts,
    PaintingCounts,
    Score,
    SecondCounts,
    SetInfo,
    Threshold,
    tables_of,
)

__all__ = ["DetectionFacts"]

DETECTION_POLICIES = {
    **POLICIES,
    **RESULT_POLICIES,
    "second annotator": "scored as a method against the first, outside what either of the two ignores",
    "threshold": "score >= threshold; fixed before anything was scored, or tuned on another set",
}
"""What goes into every result of a detector."""

LABEL_MAPS = {"label maps": "crack where its score >= threshold; elsewhere the surest of the other classes"}
"""What goes into results whose predictions are of all classes of a set with more than two."""

MOST_FOR_CURVES = 1_000
"""Paintings: the curves of more have no intervals, which would take minutes and all memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionFacts(Facts[DetectionResult]):
    """What a detector's result says that is not counted."""

    threshold: Threshold
    predicted_classes: int = 2

    @property
    def policies(self) -> dict[str, str]:
        """What was decided where definitions differ."""
        return {**DETECTION_POLICIES, **(LABEL_MAPS if self.predicted_classes > 2 else {})}

    def choices(self) -> dict[str, Any]:
        """Return what else the counts of an image depend on, as JSON types."""
        return {"threshold": self.threshold.model_dump(mode="json")}

    def summarise(
        self, annotated: AnnotatedSet, folder: Path, failures: Sequence[Failure]
    ) -> DetectionResult:
        """Read the records of a folder and return the result, see `Facts.summarise`."""
        times, levels = Times(), _Levels(sorted({item.painting for item in annotated}))
        images, second = list[ImageCounts](), list[SecondCounts]()
        for item, record in records_of(annotated, folder, failures):
            times.add(record)
            levels.add(item.painting, record)
            images.append(ImageCounts(**image_fields(item, record), counts=_counts(record)))
            second += _second(item, record)
        complete, of = not failures, self.set
        return DetectionResult(
            **common_fields(self, times, images, failures),
            task="detection",
            threshold=self.threshold,
            predicted_classes=self.predicted_classes,
            scores=_scores(images, levels, of) if complete else {},
            groups=groups(images, lambda some: _detail(some, of)) if complete and not of.clean else {},
            taus=TAUS,
            paintings=_paintings(images),
            images=tuple(images),
            second=tuple(second),
            curves=_curves(levels.whole()) if images else None,
        )


class _Levels:
    """What is added up while records are read one by one: the levels of all images take too much room.

    Parameters
    ----------
    paintings
        In alphabetical order.
    """

    def __init__(self, paintings: Sequence[str]) -> None:
        kept = paintings if len(paintings) <= MOST_FOR_CURVES else []
        self._places = {name: place for place, name in enumerate(kept)}
        rows = max(1, len(kept))
        self._levels = np.zeros((rows, 2, LEVELS, 4))
        self._best = np.zeros((rows, 2, 4))

    def add(self, painting: str, record: Record) -> None:
        levels = np.array(record["levels"], np.int64)
        place = self._places.get(painting, 0)
        self._levels[place] += levels
        self._best[place] += _at_best(levels)

    def tables(self) -> dict[str, Floats]:
        """Return levels, and counts at each image's best level, by painting."""
        return {"levels": self._levels, "best": self._best}

    def whole(self) -> Array:
        """Return the levels of the set, (2, 256, 4)."""
        whole: Floats = self._levels.sum(axis=0)
        return whole.astype(np.int64)


def _at_best(levels: Array) -> Array:
    """Return (2, 4): an image's counts at the highest level with its best F1, as `optimal_image_scale`."""
    worse = match_f1(levels[:, :0:-1]).argmax(axis=1)
    best: Array = levels[np.arange(len(levels)), LEVELS - 1 - worse]
    return best


def _second(item: Item, record: Record) -> list[SecondCounts]:
    if record["second"] is None:
        return []
    return [SecondCounts(id=item.id, painting=item.painting, counts=_counts(record["second"]))]


def _curves(levels: Array) -> Curves:
    exact, tolerant = levels
    return Curves(exact=rows_of(exact), tolerant=rows_of(tolerant))


def _counts(record: Mapping[str, Any]) -> Counts:
    return Counts(
        confusion=rows_of(record["confusion"]),
        tolerance=rows_of(record["tolerance"]),
        cldice=tuple(record["cldice"]),
        betti=tuple(record["betti"]),
        components=record["components"],
    )


def _paintings(images: Sequence[ImageCounts]) -> tuple[PaintingCounts, ...]:
    return tuple(PaintingCounts(**fields) for fields in painting_fields(images))


def _scores(images: Sequence[ImageCounts], levels: _Levels, of: SetInfo) -> dict[str, Score]:
    tables = tables_of([one.counts for one in _paintings(images)], clean=of.clean)
    if of.clean:
        return with_intervals(tables, of.classes)
    best = optimal_dataset_scale(levels.whole()[1]).threshold
    found = with_intervals({**tables, **levels.tables()}, of.classes)
    return {**found, f"ods_threshold@{RANKING_TAU:g}": Score(value=best)}


def _detail(images: Sequence[ImageCounts], of: SetInfo) -> dict[str, Score]:
    tables = tables_of([one.counts for one in _paintings(images)])
    return with_intervals({kind: tables[kind] for kind in DETAIL}, of.classes)

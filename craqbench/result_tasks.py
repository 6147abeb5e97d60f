"""What a result says beyond what all have: of a detector, and of an inpainter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from craqbench.figures import CLEAN_RANKING, FILLING_RANKING, RANKING
from craqbench.metrics import TAUS
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.result_base import Result
from craqbench.result_counts import Curves, ImageCounts, PaintingCounts, SecondCounts, tables_of
from craqbench.result_facts import Threshold
from craqbench.result_fillings import ImageFillings, PaintingFillings, filling_tables

__all__ = ["DetectionResult", "InpaintingResult"]


class DetectionResult(Result):
    """What a detector scored on an annotated set.

    Attributes
    ----------
    threshold
        From which score on a px is a crack.
    predicted_classes
        How many of the set's classes, in their order, predictions are of. 2 is background and craquelure: of
        a set with more classes the others are never predicted. With more, predictions are label maps, see
        `baselines.protocols.labels_of`.
    taus
        Tolerances in px of the rows of ``counts.tolerance``.
    second
        A second annotator, where the set has one.
    curves
        null where no image was scored.
    """

    task: Literal["detection"]
    threshold: Threshold
    predicted_classes: PositiveInt = 2
    taus: tuple[NonNegativeFloat, ...]
    paintings: tuple[PaintingCounts, ...]
    images: tuple[ImageCounts, ...]
    second: tuple[SecondCounts, ...]
    curves: Curves | None

    @property
    def ranking(self) -> str:
        """The name of the figure that ranks."""
        return CLEAN_RANKING if self.set.clean else RANKING

    def tables(self, parts: Sequence[Any]) -> Mapping[str, Array | Floats]:
        """Return the counts of images or paintings in tables, see `craqbench.figures`."""
        return tables_of([part.counts for part in parts], clean=self.set.clean)

    def told(self) -> dict[str, Any]:
        """Return what else tells how it was made, JSON types by name."""
        tuned = self.threshold.tuned_on
        return {"threshold": self.threshold.value, "tuned_on": tuned and tuned.spec}

    def problem(self) -> str:
        """Say where this result contradicts itself, or nothing."""
        return _wrong_shapes(self) or _wrong_classes(self) or super().problem()


def _wrong_shapes(result: DetectionResult) -> str:
    if result.taus != TAUS:
        return f"taus: expected {TAUS}. Got {result.taus}"
    parts: tuple[ImageCounts | PaintingCounts | SecondCounts, ...]
    parts = (*result.images, *result.paintings, *result.second)
    if any(len(part.counts.confusion) != len(result.set.classes) for part in parts):
        return f"counts: expected a confusion matrix of {len(result.set.classes)} classes"
    return ""


def _wrong_classes(result: DetectionResult) -> str:
    known, count = len(result.set.classes), result.predicted_classes
    if count not in {2, known}:
        return f"predicted_classes: expected 2, or all {known} of the set. Got {count}"
    if any(any(row[count:]) for image in result.images for row in image.counts.confusion):
        return f"counts: expected no predicted px of other than the first {count} classes"
    return ""


class InpaintingResult(Result):
    """What an inpainter scored on a set whose pictures are known without their damage.

    Attributes
    ----------
    dilations
        How often the mask was dilated by a 3 x 3 square before the inpainter got it; figures are of the mask
        as it was.
    """

    task: Literal["inpainting"]
    dilations: NonNegativeInt
    paintings: tuple[PaintingFillings, ...]
    images: tuple[ImageFillings, ...]

    @property
    def ranking(self) -> str:
        """The name of the figure that ranks."""
        return FILLING_RANKING

    def tables(self, parts: Sequence[Any]) -> Mapping[str, Array | Floats]:
        """Return the counts of images or paintings in tables, see `craqbench.figures`."""
        return filling_tables([part.counts for part in parts])

    def told(self) -> dict[str, Any]:
        """Return what else tells how it was made, JSON types by name."""
        return {"dilations": self.dilations}

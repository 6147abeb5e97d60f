"""Counts as they stand in a result: of images, of paintings, of a second annotator, of all thresholds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from craqbench.metrics import TAUS, DetectionCounts, detection_scores
from craqbench.metrics.inputs import Counts as Array

__all__ = [
    "Additive",
    "Count",
    "Counts",
    "Curves",
    "Digest",
    "ImageCounts",
    "ImageFacts",
    "Model",
    "PaintingCounts",
    "PaintingFacts",
    "SecondCounts",
    "Text",
    "added",
    "counts_of",
    "rows_of",
    "scores_of",
    "tables_of",
]

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Row = tuple[Count, ...]
Matches = Annotated[Row, Field(min_length=4, max_length=4)]


class Model(BaseModel):
    """A part of a result: nothing beside its fields, no other types, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Additive(Model):
    """Counts that add up."""

    @classmethod
    @abstractmethod
    def sum_of(cls, counts: Sequence[Self]) -> Self:
        """Return the sum of the counts of one or more images."""


C = TypeVar("C", bound=Additive)


def added(counts: Sequence[C]) -> C:
    """Return the sum of counts of one or more images."""
    return type(counts[0]).sum_of(counts)


class Counts(Additive):
    """Counts of one image, or of several: they add up. See `craqbench.metrics.DetectionCounts`.

    Attributes
    ----------
    confusion
        C x C px, rows annotated, columns predicted.
    tolerance
        Match counts of the crack class, a row for each of the result's `taus`: matched predicted, predicted,
        matched annotated, annotated px.
    cldice
        Match counts of centre lines.
    betti
        beta0 error, beta1 error, number of images.
    components
        8-connected components of the prediction, outside what is ignored.
    """

    confusion: Annotated[tuple[Row, ...], Field(min_length=2, max_length=16)]
    tolerance: Annotated[tuple[Matches, ...], Field(min_length=len(TAUS), max_length=len(TAUS))]
    cldice: Matches
    betti: Annotated[Row, Field(min_length=3, max_length=3)]
    components: Count

    @model_validator(mode="after")
    def _square(self) -> Self:
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise ValueError("confusion: expected as many columns as rows")
        return self

    def arrays(self) -> DetectionCounts:
        """Return the counts as arrays, without levels."""
        return DetectionCounts(
            np.array(self.confusion, np.int64),
            np.array(self.tolerance, np.int64),
            np.array(self.cldice, np.int64),
            np.array(self.betti, np.int64),
            np.zeros((2, 0, 4), np.int64),
        )

    @classmethod
    def sum_of(cls, counts: Sequence[Self]) -> Self:
        """Return the sum of the counts of one or more images."""
        whole = counts[0].arrays()
        for one in counts[1:]:
            whole += one.arrays()
        return cls(**_fields(whole), components=sum(one.components for one in counts))


def scores_of(counts: Counts) -> dict[str, float]:
    """Return the figures of one image or painting, see `craqbench.metrics.detection_scores`."""
    return detection_scores(counts.arrays())


class PaintingFacts(Model):
    """A painting, and how many images there are of it; its counts are those of the images, added."""

    painting: Text
    images: PositiveInt


class PaintingCounts(PaintingFacts):
    """Counts of all images of a painting, added."""

    counts: Counts


class ImageFacts(Model):
    r"""An image, and what a method answered.

    Attributes
    ----------
    file
        Name of its prediction, without ``.png``.
    prediction_sha256
        Of the answer: ``"HEIGHT WIDTH\n"``, then its values px by px, row by row. Of a detector these are
        class numbers, a byte for each px: 0 or 1, and in label maps further ones; of an inpainter R, G and B.
    """

    id: Text
    painting: Text
    file: Text
    attributes: dict[str, str]
    height: PositiveInt
    width: PositiveInt
    prediction_sha256: Digest


class ImageCounts(ImageFacts):
    """Counts of an image."""

    counts: Counts


class SecondCounts(Model):
    """A second annotator of an image, scored against the first outside what either of them ignores."""

    id: Text
    painting: Text
    counts: Counts


class Curves(Model):
    """Match counts of the whole set at the thresholds k / 255, without and with the ranking tolerance."""

    exact: Annotated[tuple[Matches, ...], Field(min_length=256, max_length=256)]
    tolerant: Annotated[tuple[Matches, ...], Field(min_length=256, max_length=256)]


def tables_of(counts: Sequence[Counts], *, clean: bool = False) -> dict[str, Array]:
    """Return counts in tables, see `craqbench.figures`: kind -> (len(counts), ...) int64."""
    confusion = np.array([one.confusion for one in counts], np.int64)
    if clean:
        components = np.array([one.components for one in counts], np.int64)
        predicted = confusion[..., 1:].sum(axis=(-2, -1))
        return {"alarms": np.stack([components, predicted, confusion.sum(axis=(-2, -1))], axis=-1)}
    return {
        "tolerance": np.array([one.tolerance for one in counts], np.int64),
        "pixels": confusion,
        "lines": np.array([one.cldice for one in counts], np.int64),
        "betti": np.array([one.betti for one in counts], np.int64),
    }


def counts_of(counts: DetectionCounts, components: int) -> Counts:
    """Return counts as they stand in a result."""
    return Counts(**_fields(counts), components=components)


def _fields(counts: DetectionCounts) -> dict[str, Any]:
    return {
        "confusion": rows_of(counts.confusion),
        "tolerance": rows_of(counts.tolerance),
        "cldice": tuple(counts.cldice.tolist()),
        "betti": tuple(counts.betti.tolist()),
    }


def rows_of(table: npt.ArrayLike) -> tuple[tuple[Any, ...], ...]:
    """Return an array of two dimensions, or a list of lists, as it stands in a result."""
    return tuple(tuple(row) for row in np.asarray(table).tolist())

"""Counts as they stand in a result of an inpainter: of images and of paintings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from pydantic import Field, NonNegativeFloat

from craqbench.figures import figures
from craqbench.metrics.filling import ERRORS, MEANS, FillingCounts
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.result_counts import Additive, Count, ImageFacts, PaintingFacts, rows_of

__all__ = ["Fillings", "ImageFillings", "PaintingFillings", "filling_scores_of", "filling_tables"]

Errors = Annotated[tuple[Count, ...], Field(min_length=3, max_length=3)]
Mean = tuple[float, NonNegativeFloat]


class Fillings(Additive):
    """Counts of one image, or of several: they add up. See `craqbench.metrics.filling.FillingCounts`.

    Attributes
    ----------
    errors
        A row for each of `ERRORS`: sums of the absolute and of the squared error, number of values.
    means
        A row for each of `MEANS`: sum, number of pictures.
    """

    errors: Annotated[tuple[Errors, ...], Field(min_length=len(ERRORS), max_length=len(ERRORS))]
    means: Annotated[tuple[Mean, ...], Field(min_length=len(MEANS), max_length=len(MEANS))]

    @classmethod
    def of(cls, counts: FillingCounts) -> Self:
        """Return counts as they stand in a result."""
        return cls(errors=rows_of(counts.errors), means=rows_of(counts.means))

    @classmethod
    def sum_of(cls, counts: Sequence[Self]) -> Self:
        """Return the sum of the counts of one or more images."""
        tables = filling_tables(counts)
        return cls.of(FillingCounts(tables["errors"].sum(axis=0), tables["means"].sum(axis=0)))


class PaintingFillings(PaintingFacts):
    """Counts of all images of a painting, added."""

    counts: Fillings


class ImageFillings(ImageFacts):
    """Counts of an image."""

    counts: Fillings


def filling_tables(counts: Sequence[Fillings]) -> dict[str, Array | Floats]:
    """Return counts in tables, see `craqbench.figures`: kind -> (len(counts), rows, columns)."""
    return {
        "errors": np.array([one.errors for one in counts], np.int64),
        "means": np.array([one.means for one in counts], np.float64),
    }


def filling_scores_of(counts: Fillings) -> dict[str, float]:
    """Return the figures of one image or painting, see `craqbench.metrics.filling`; NaN where not defined."""
    return {
        name: float(value)
        for kind, table in filling_tables([counts]).items()
        for name, value in figures(kind, table[0], ()).items()
    }

"""What all results have in common, whatever the task."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import PositiveInt, model_validator

from craqbench.figures import figures
from craqbench.metrics import Interval
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.result_counts import Digest, ImageFacts, Model, PaintingFacts, Text, added
from craqbench.result_facts import Failure, Hardware, MethodInfo, SetInfo, Speed

__all__ = ["Group", "Result", "Score"]


class Score(Model):
    """A figure of a set, and the interval that holds 95 % of its resamples by painting."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """Write NaN as null."""
        low, high = interval.low, interval.high
        return cls(value=_finite(interval.value), low=_finite(low), high=_finite(high))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class Group(Model):
    """Figures of the images that share a value of an attribute."""

    images: PositiveInt
    paintings: PositiveInt
    scores: dict[str, Score]


class Result(Model):
    r"""What one method scored on one set; of which task, the subclass says.

    Attributes
    ----------
    benchmark
        See `craqbench.results.BENCHMARK`.
    complete
        Whether all images were scored. If not, `scores` and `groups` are empty: a figure of some of the
        images is no figure of the set.
    scores
        Figures by name, see `craqbench.figures`.
    groups
        Attribute -> value -> figures of the images with that value.
    predictions_digest
        sha256 over a line ``ID SHA256\n`` for each image.
    command
        Makes this result again.
    paintings
        What intervals and comparisons resample, in alphabetical order; all figures follow from their counts.
    images
        In the order of the set.
    """

    format: Literal[1]
    benchmark: Text
    task: str
    complete: bool
    set: SetInfo
    method: MethodInfo
    scores: dict[str, Score]
    groups: dict[str, dict[str, Group]]
    speed: Speed
    command: Text
    policies: dict[str, str]
    versions: dict[str, str]
    hardware: Hardware
    predictions_digest: Digest
    failures: tuple[Failure, ...]

    if TYPE_CHECKING:  # with the counts of its task, fields of each subclass
        paintings: tuple[PaintingFacts, ...]
        images: tuple[ImageFacts, ...]

    @property
    @abstractmethod
    def ranking(self) -> str:
        """The name of the figure that ranks."""

    @abstractmethod
    def tables(self, parts: Sequence[Any]) -> Mapping[str, Array | Floats]:
        """Return the counts of images or paintings in tables, see `craqbench.figures`."""

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """Return what else tells how it was made, JSON types by name."""

    def problem(self) -> str:
        """Say where this result contradicts itself, or nothing."""
        return _wrong_images(self) or _wrong_sums(self) or _wrong_scores(self)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        problem = self.problem()
        if problem:
            raise ValueError(problem)
        return self


def _wrong_images(result: Result) -> str:
    ids = [image.id for image in result.images] + [failure.image for failure in result.failures]
    if len(set(ids)) != len(ids) or len(ids) != result.set.images:
        return f"images: expected each of {result.set.images} images once, done or failed"
    if result.complete == bool(result.failures) or (result.failures and (result.scores or result.groups)):
        return "complete: expected true with no failures, or false with failures and no scores"
    return ""


def _wrong_sums(result: Result) -> str:
    sums: dict[str, list[Any]] = {}
    images: Sequence[Any] = result.images
    for image in images:
        sums.setdefault(image.painting, []).append(image.counts)
    found: dict[str, Any] = {painting.painting: painting for painting in result.paintings}
    if [*found] != sorted(sums) or len(found) != len(result.paintings):
        return "paintings: expected those of the images, each once, in alphabetical order"
    for name, counts in sums.items():
        if found[name].images != len(counts) or found[name].counts != added(counts):
            return f"paintings: expected the counts of {name!r} to be the sum of its images'"
    return ""


def _wrong_scores(result: Result) -> str:
    if not result.complete:
        return ""
    for kind, table in result.tables(result.paintings).items():
        for name, value in figures(kind, np.sum(table, axis=0), result.set.classes).items():
            told = result.scores.get(name, Score(value=None)).value
            expected = _finite(float(value))
            if (told is None) != (expected is None) or abs((told or 0) - (expected or 0)) > 1e-9:
                return f"scores.{name} is {told}: its counts give {expected}"
    return ""

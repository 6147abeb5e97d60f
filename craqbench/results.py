"""A result: what one method scored on one set, and all that is needed to believe it, in one JSON file.

Numbers are numbers; none is NaN or infinite. ``null`` says that a figure is not defined (average precision
where nothing is annotated) or, as a `Score`'s ``low`` and ``high``, that there is no interval. A result that
could not have come of its own counts is refused when it is read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import NonNegativeFloat, PositiveInt, ValidationError, model_validator

from craqbench.errors import CraqbenchError
from craqbench.figures import figures
from craqbench.metrics import TAUS, Interval
from craqbench.result_counts import (
    Counts,
    Curves,
    Digest,
    ImageCounts,
    Model,
    PaintingCounts,
    SecondCounts,
    Text,
    added,
    counts_of,
    scores_of,
    tables_of,
)
from craqbench.result_facts import (
    CardInfo,
    Failure,
    Hardware,
    MethodInfo,
    SetInfo,
    Speed,
    Threshold,
    TunedOn,
)
from craqbench.storage import write_file

__all__ = [
    "BENCHMARK",
    "RESULT",
    "CardInfo",
    "Counts",
    "Curves",
    "Failure",
    "Group",
    "Hardware",
    "ImageCounts",
    "MethodInfo",
    "PaintingCounts",
    "Result",
    "ResultError",
    "Score",
    "SecondCounts",
    "SetInfo",
    "Speed",
    "Threshold",
    "TunedOn",
    "added",
    "counts_of",
    "find_results",
    "load_result",
    "result_bytes",
    "save_result",
    "scores_of",
    "tables_of",
]

BENCHMARK = "1"
"""Goes up whenever a figure of the same predictions changes."""

RESULT = "result.json"


class ResultError(CraqbenchError):
    """A result file that is absent, broken, or does not agree with itself."""


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
    r"""What one method scored on one set.

    Attributes
    ----------
    benchmark
        See `BENCHMARK`.
    complete
        Whether all images were scored. If not, `scores` and `groups` are empty: a figure of some of the
        images is no figure of the set.
    scores
        Figures by name, see `craqbench.figures`; of paintings without cracks, false alarms only.
    groups
        Attribute -> value -> figures of the images with that value.
    taus
        Tolerances in px of the rows of ``counts.tolerance``.
    paintings
        What intervals and comparisons resample, in alphabetical order.
    images
        In the order of the set.
    second
        A second annotator, where the set has one.
    predicted_classes
        How many of the set's classes, in their order, predictions are of. 2 is background and craquelure: of
        a set with more classes the others are never predicted. With more, predictions are label maps, see
        `baselines.protocols.labels_of`.
    curves
        null where no image was scored.
    predictions_digest
        sha256 over a line ``ID SHA256\n`` for each image.
    command
        Makes this result again.
    """

    format: Literal[1]
    benchmark: Text
    task: Literal["detection"]
    complete: bool
    set: SetInfo
    method: MethodInfo
    threshold: Threshold
    scores: dict[str, Score]
    groups: dict[str, dict[str, Group]]
    speed: Speed
    command: Text
    policies: dict[str, str]
    versions: dict[str, str]
    hardware: Hardware
    predictions_digest: Digest
    predicted_classes: PositiveInt = 2
    failures: tuple[Failure, ...]
    taus: tuple[NonNegativeFloat, ...]
    paintings: tuple[PaintingCounts, ...]
    images: tuple[ImageCounts, ...]
    second: tuple[SecondCounts, ...]
    curves: Curves | None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        problem = _first_problem(self)
        if problem:
            raise ValueError(problem)
        return self


def _first_problem(result: Result) -> str:
    """Say where a result contradicts itself, or nothing."""
    ids = [image.id for image in result.images] + [failure.image for failure in result.failures]
    if len(set(ids)) != len(ids) or len(ids) != result.set.images:
        return f"images: expected each of {result.set.images} images once, done or failed"
    if result.complete == bool(result.failures) or (result.failures and (result.scores or result.groups)):
        return "complete: expected true with no failures, or false with failures and no scores"
    if result.taus != TAUS:
        return f"taus: expected {TAUS}. Got {result.taus}"
    parts: tuple[ImageCounts | PaintingCounts | SecondCounts, ...]
    parts = (*result.images, *result.paintings, *result.second)
    if any(len(counts.confusion) != len(result.set.classes) for counts in (part.counts for part in parts)):
        return f"counts: expected a confusion matrix of {len(result.set.classes)} classes"
    return _wrong_classes(result) or _wrong_sums(result) or _wrong_scores(result)


def _wrong_classes(result: Result) -> str:
    known, count = len(result.set.classes), result.predicted_classes
    if count not in {2, known}:
        return f"predicted_classes: expected 2, or all {known} of the set. Got {count}"
    if any(any(row[count:]) for image in result.images for row in image.counts.confusion):
        return f"counts: expected no predicted px of other than the first {count} classes"
    return ""


def _wrong_sums(result: Result) -> str:
    sums: dict[str, list[Counts]] = {}
    for image in result.images:
        sums.setdefault(image.painting, []).append(image.counts)
    found = {painting.painting: painting for painting in result.paintings}
    if [*found] != sorted(sums) or len(found) != len(result.paintings):
        return "paintings: expected those of the images, each once, in alphabetical order"
    for name, counts in sums.items():
        if found[name].images != len(counts) or found[name].counts != added(counts):
            return f"paintings: expected the counts of {name!r} to be the sum of its images'"
    return ""


def _wrong_scores(result: Result) -> str:
    if not result.complete:
        return ""
    tables = tables_of([painting.counts for painting in result.paintings], clean=result.set.clean)
    for kind, table in tables.items():
        for name, value in figures(kind, table.sum(axis=0), result.set.classes).items():
            told = result.scores.get(name, Score(value=None)).value
            expected = _finite(float(value))
            if (told is None) != (expected is None) or abs((told or 0) - (expected or 0)) > 1e-9:
                return f"scores.{name} is {told}: its counts give {expected}"
    return ""


_INNER_LIST = re.compile(r"\[\n[^\[\]{}\"]*\]")  # a string in JSON has no line breaks


def result_bytes(result: Result) -> bytes:
    """Return a result as JSON, indented, each row of numbers in one line."""
    text = json.dumps(result.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    text = _INNER_LIST.sub(
        lambda row: re.sub(r"\s+", " ", row[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
    return f"{text}\n".encode()


def save_result(path: Path, result: Result) -> None:
    """Write a result, whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone.
    """
    write_file(path, result_bytes(result))


def load_result(path: Path) -> Result:
    """Read a result.

    Raises
    ------
    ResultError
        If there is none, it has other fields than a result, or it contradicts itself.
    """
    try:
        return Result.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ResultError(f"result {path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise ResultError(f"result {path}: {_told(error)}") from error


def _told(error: ValidationError) -> str:
    """Describe the first fault of a file in one line."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(fault["input"], Mapping | bytes | str | list) else f". Got {fault['input']!r}"
    more = f" (and {error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
    return f"{place}: {message}{shown}{more}" if place else f"{message}{shown}{more}"


def find_results(paths: Iterable[Path]) -> list[Path]:
    """Return result files: those given, and every ``result.json`` under folders given, sorted.

    Raises
    ------
    ResultError
        If a path does not exist, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob(RESULT)) if path.is_dir() else [path]
        if not inside:
            raise ResultError(f"{path} holds no {RESULT}: expected a folder of 'craqbench evaluate'")
        found += [file for file in inside if file not in found]
    return found

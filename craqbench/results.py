"""A result: what one method scored on one set, and all that is needed to believe it, in one JSON file.

Numbers are numbers; none is NaN or infinite. ``null`` says that a figure is not defined (average precision
where nothing is annotated) or, as a `Score`'s ``low`` and ``high``, that there is no interval. A result that
could not have come of its own counts is refused when it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from craqbench.errors import CraqbenchError
from craqbench.result_base import Group, Result, Score
from craqbench.result_counts import (
    Counts,
    Curves,
    ImageCounts,
    ImageFacts,
    PaintingCounts,
    SecondCounts,
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
from craqbench.result_fillings import (
    Fillings,
    ImageFillings,
    PaintingFillings,
    filling_scores_of,
    filling_tables,
)
from craqbench.result_tasks import DetectionResult, InpaintingResult
from craqbench.storage import write_file

__all__ = [
    "BENCHMARK",
    "RESULT",
    "CardInfo",
    "Counts",
    "Curves",
    "DetectionResult",
    "Failure",
    "Fillings",
    "Group",
    "Hardware",
    "ImageCounts",
    "ImageFacts",
    "ImageFillings",
    "InpaintingResult",
    "MethodInfo",
    "PaintingCounts",
    "PaintingFillings",
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
    "filling_scores_of",
    "filling_tables",
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


class _Task(BaseModel):
    """What tells the kind of a result."""

    task: str


def _kind_of(data: bytes) -> type[DetectionResult | InpaintingResult]:
    """Return what a file claims to be; what claims nothing is read, and refused, as a detector's."""
    try:
        task = _Task.model_validate_json(data).task
    except ValidationError:
        return DetectionResult
    return InpaintingResult if task == "inpainting" else DetectionResult


def load_result(path: Path) -> DetectionResult | InpaintingResult:
    """Read a result.

    Raises
    ------
    ResultError
        If there is none, it has other fields than a result, or it contradicts itself.
    """
    try:
        data = path.read_bytes()
        return _kind_of(data).model_validate_json(data)
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

"""The second part of a scoring: from plain px and the hidden labels to results, one for each side.

What is counted, and how figures come of it, is what `craqbench evaluate` does: the same functions, so that a
board has the figures of an evaluation of the same predictions.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from baselines.protocols import Card, Image, Mask, MethodError
from baselines.registry import INPAINTERS
from craqbench.annotations import Annotated, AnnotatedSet, Item
from craqbench.evaluation_detection import score_image
from craqbench.evaluation_detection_summary import DetectionFacts
from craqbench.evaluation_inpainting import InpaintingJob, TimedInpainter
from craqbench.evaluation_inpainting_summary import InpaintingFacts
from craqbench.evaluation_methods import MethodSpec, describe_versions
from craqbench.evaluation_records import Record, digest_of_answer, keep, read_record
from craqbench.evaluation_summary import describe_set
from craqbench.metrics.curves import LEVELS
from craqbench.results import (
    CardInfo,
    DetectionResult,
    Hardware,
    InpaintingResult,
    MethodInfo,
    Threshold,
    result_bytes,
)
from leaderboard.board import Board, read_board
from leaderboard.board_labels import load_labels, open_side
from leaderboard.scoring_unpacking import place_of
from leaderboard.submission_metadata import Metadata, read_metadata

__all__ = ["work"]

_CHANGED = re.compile(r"changed \d+ px outside the mask")
_OF_LEVELS = ("ap", "ods", "ois")

Pixels = npt.NDArray[np.uint8]
Result = DetectionResult | InpaintingResult


class _Outside(Exception):  # noqa: N818  reads like what it says
    """A restoration that is none: what it changes is public, and may be told."""


class _Answer(NamedTuple):
    """What is predicted of an image."""

    pixels: Pixels
    scores: Pixels | None


@dataclass(frozen=True)
class _Answers:
    """Predictions as plain px."""

    board: Board
    folder: Path

    def read(self, name: str) -> _Answer:
        """Read the prediction of an image."""
        number, image = next((n, i) for n, i in enumerate(self.board.images) if i.id == name)
        shape = (image.height, image.width, *((3,) if self.board.channels == 3 else ()))
        scores = place_of(self.folder, number, "scores")
        return _Answer(
            np.fromfile(place_of(self.folder, number, "px"), np.uint8).reshape(shape),
            np.fromfile(scores, np.uint8).reshape(shape) if scores.exists() else None,
        )

    def digest(self) -> str:
        """Return the digest that the submission was accepted with, of what is scored."""
        digest = hashlib.sha256()
        for image in self.board.images:
            digest.update(f"{image.id} {digest_of_answer(self.read(image.id).pixels)}\n".encode())
        return digest.hexdigest()


@dataclass
class _Submitted:
    """A submission as a method: it answers with what was sent."""

    name: str
    version: str
    card: Card
    answer: Pixels | None = None

    def fill(self, image: Image, mask: Mask) -> Image:  # noqa: ARG002  what an inpainter is asked
        """Return the restored picture that was sent."""
        if self.answer is None:
            raise LookupError
        return self.answer


class _Sanity:
    """Finds out whether predictions are the same for any image."""

    def __init__(self) -> None:
        self._values = set[int]()
        self._plain = True

    def detected(self, labels: Pixels) -> None:
        """Look at a mask."""
        self._values |= {*np.unique(labels).tolist()}

    def filled(self, filled: Image, annotated: Annotated) -> None:
        """Look at a filling: left as it was, or of one colour."""
        inside = filled[annotated.damage]
        untouched = np.array_equal(filled, annotated.image)
        self._plain &= untouched or not inside.size or bool((inside == inside[0]).all())

    def found(self, task: str) -> bool:
        """Return what came of it."""
        return self._plain if task == "restoration" else len(self._values) == 1


def work(order: dict[str, Any], description: bytes) -> dict[str, Any]:
    """Score predictions.

    Parameters
    ----------
    order
        ``private``, the folder of the labels; ``pixels``, that of the predictions; ``metadata``, JSON as it
        was sent; ``number`` of the entry.
    description
        Of the board.

    Returns
    -------
    ``digest`` of the predictions, ``sanity``, and ``results``: side -> result as JSON; or ``outside``, what a
    restoration changes that it must not.

    Raises
    ------
    AnnotationError
        If the labels are not what they were.
    """
    cv2.setNumThreads(1)
    board, private = read_board(description, "the board"), Path(order["private"])
    told, answers = read_metadata(order["metadata"].encode()), _Answers(board, Path(order["pixels"]))
    sanity, counted = _Sanity(), {}
    with tempfile.TemporaryDirectory(dir=order["pixels"]) as temporary:
        try:
            for side in load_labels(private).sides:
                annotated, folder = open_side(private, side), Path(temporary) / side
                for name, record in _records(annotated, answers, told, sanity):
                    keep(folder, name, record, {})
                counted[side] = (annotated, folder)
        except _Outside as error:
            return {"outside": str(error)}
        plain = sanity.found(board.task)
        info = _method(told, order["number"], sanity=plain)
        results = {side: _summarise(*found, side, told, info) for side, found in counted.items()}
    return {
        "digest": answers.digest(),
        "sanity": plain,
        "results": {side: result_bytes(result).decode() for side, result in results.items()},
    }


def _records(
    annotated: AnnotatedSet, answers: _Answers, told: Metadata, sanity: _Sanity
) -> Iterator[tuple[str, Record]]:
    """Yield the record of each image, see `craqbench.evaluation_records`."""
    for item in annotated:
        loaded, answer = annotated.load(item), answers.read(item.id)
        height, width = loaded.image.shape[:2]
        if told.task == "detection":
            sanity.detected(answer.pixels)
            counts = _detected(loaded, answer, len(annotated.classes))
        else:
            counts = _filled(loaded, answer, item.id, told)
            sanity.filled(answer.pixels, loaded)
        speed = {"seconds": 0.0, "warm": False, "device": "unknown"}
        yield item.stem, {"id": item.id, "height": height, "width": width, **counts, **speed}


def _detected(loaded: Annotated, answer: _Answer, classes: int) -> Record:
    counts = score_image(answer.pixels, answer.scores, loaded, classes)  # type: ignore[arg-type]  # 255ths, too
    if answer.scores is None:
        counts["levels"] = np.zeros((2, LEVELS, 4), np.int64).tolist()
    return {**counts, "scores": answer.scores is not None}


def _filled(loaded: Annotated, answer: _Answer, name: str, told: Metadata) -> Record:
    job = InpaintingJob(method=MethodSpec("submitted", kind=INPAINTERS.kind), folder=Path())
    method = TimedInpainter(_Submitted(told.method, told.version, _card(told), answer.pixels))
    try:
        record, _ = job.do(method, Item(name, name), loaded)
    except MethodError as error:
        if _CHANGED.fullmatch(error.problem):
            raise _Outside(f"image {name!r}: {error.problem}: expected none") from None
        raise
    return record


def _card(told: Metadata) -> Card:
    return Card(training_data=told.training_data, licence=told.licence, reference=told.code or "none")


def _method(told: Metadata, number: int, *, sanity: bool) -> MethodInfo:
    card = _card(told)
    return MethodInfo(
        label=f"{told.method} {number}",
        name=told.method,
        version=told.version,
        given=told.method,
        settings={},
        card=CardInfo(training_data=card.training_data, licence=card.licence, reference=card.reference),
        source_sha256=None,
        kind="sanity" if sanity else "method",
    )


def _summarise(annotated: AnnotatedSet, folder: Path, side: str, told: Metadata, info: MethodInfo) -> Result:
    """Return the result of the records in a folder, see `craqbench.evaluation_summary.Facts`."""
    common: dict[str, Any] = {
        "set": describe_set(annotated, side),
        "method": info,
        "versions": describe_versions(_Submitted(told.method, told.version, _card(told))),
        "hardware": _hardware(told),
        "workers": 1,
        "command": "craqbench leaderboard work",
    }
    if told.task == "restoration":
        return InpaintingFacts(**common, dilations=0).summarise(annotated, folder, ())
    threshold = Threshold(value=0.5, origin="method")  # predictions are masks: any between 0 and 1
    facts = DetectionFacts(**common, threshold=threshold, predicted_classes=told.classes or 2)
    result = facts.summarise(annotated, folder, ())
    return result if _has_scores(annotated, folder) else _without_levels(result)


def _hardware(told: Metadata) -> Hardware:
    """Return what a submission says that it was made on."""
    unknown = "unknown"
    return Hardware(
        cpu=told.hardware, cores=1, memory_gb=None, system=unknown, machine=unknown, device=unknown
    )


def _has_scores(annotated: AnnotatedSet, folder: Path) -> bool:
    records = (read_record(folder, item.stem) or {} for item in annotated)
    return all(record.get("scores") for record in records)


def _without_levels(result: DetectionResult) -> DetectionResult:
    """Leave out the figures of all thresholds: there were masks only."""
    kept = {n: s for n, s in result.scores.items() if not n.partition("@")[0].startswith(_OF_LEVELS)}
    return result.model_copy(update={"scores": kept, "curves": None})

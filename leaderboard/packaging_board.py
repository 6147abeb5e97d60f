"""Run a method on the public images of a board, of which no labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines.protocols import MethodError
from craqbench.annotations import Annotated, Annotation, Item, sha256_of
from craqbench.codecs import decode_image, decode_labels
from craqbench.engines import Progress
from craqbench.errors import CraqbenchError, UsageError
from craqbench.evaluation_detection import DetectionJob, predicted_classes
from craqbench.evaluation_inpainting import InpaintingJob
from craqbench.evaluation_methods import MethodSpec, describe_hardware, describe_method, make_detector
from craqbench.evaluation_records import FILLINGS, PREDICTIONS, SCORES
from craqbench.evaluation_run import STAGE
from craqbench.evaluation_task import Timed
from craqbench.results import Hardware, MethodInfo
from leaderboard.board import Board, BoardError, BoardImage
from leaderboard.submission_writing import Prediction

__all__ = ["Ran", "open_image", "run_on_board"]


class Ran(NamedTuple):
    """What came of a run, see `leaderboard.submission_metadata.Metadata`."""

    method: MethodInfo
    hardware: Hardware
    seconds_per_megapixel: float | None
    classes: int | None
    predictions: list[Prediction]


def run_on_board(
    folder: Path,
    board: Board,
    spec: MethodSpec,
    device: str,
    *,
    scores: bool = False,
    progress: Progress | None = None,
) -> Ran:
    """Run a method on all images of a board, as an evaluation does: the same answers, px by px.

    Parameters
    ----------
    folder
        With the images, and of restoration the masks.
    board
        Its description.
    spec, device
        The method, and for those with such a setting, what it runs on.
    scores
        Whether detections come with scores.
    progress
        Stage `craqbench.evaluation.STAGE`.

    Raises
    ------
    BoardError
        If an image is missing, or another than the board's.
    CraqbenchError
        If the method fails on an image.
    UsageError
        If it cannot be made.
    """
    try:
        job, method = _job(board, spec, device, scores=scores)
    except ValueError as error:
        raise UsageError(str(error)) from error
    predictions, times = list[Prediction](), list[tuple[float, int]]()
    for done, image in enumerate(board.images):
        if progress:
            progress(STAGE, done, len(board.images))
        predictions.append(_predict(job, method, image, open_image(folder, board, image)))
        times.append((method.seconds, image.width * image.height))
    if progress:
        progress(STAGE, len(board.images), len(board.images))
    return Ran(
        method=describe_method(spec, method.method),
        hardware=describe_hardware(method.method),
        seconds_per_megapixel=_seconds_per_megapixel(times),
        classes=predicted_classes(method.method, len(board.classes)) if board.task == "detection" else None,
        predictions=predictions,
    )


def open_image(folder: Path, board: Board, image: BoardImage) -> Annotated:
    """Read an image of a board as if it were annotated: all ignored, or, of restoration, the mask as damage.

    Raises
    ------
    BoardError
        If a file is missing, or another than the board's.
    """
    pixels = decode_image(_read(folder / "images" / f"{image.id}.png", image.sha256, board))
    shape = pixels.shape[:2]
    if image.mask_sha256 is None:
        return Annotated(pixels, Annotation(np.zeros(shape, np.uint8), np.ones(shape, np.bool_)))
    mask = decode_labels(_read(folder / "masks" / f"{image.id}.png", image.mask_sha256, board))
    labels = (mask > 0).view(np.uint8)
    return Annotated(pixels, Annotation(labels, np.zeros(shape, np.bool_)), undamaged=pixels)


def _read(path: Path, sha256: str, board: Board) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}: expected the images of {board.label}") from error
    if sha256_of(data) != sha256:
        raise BoardError(f"{path} is not the image of {board.label}: expected sha256 {sha256}")
    return data


def _job(
    board: Board, spec: MethodSpec, device: str, *, scores: bool
) -> tuple[DetectionJob | InpaintingJob, Timed[Any]]:
    nowhere = Path()  # nothing is kept
    if board.task == "restoration":
        filling = InpaintingJob(method=spec, folder=nowhere)
        return filling, filling.make(device)
    threshold = make_detector(spec, device).threshold
    job = DetectionJob(
        method=spec,
        folder=nowhere,
        classes=len(board.classes),
        threshold=threshold,
        keep_scores=scores,
    )
    return job, job.make(device)


def _predict(
    job: DetectionJob | InpaintingJob, method: Timed[Any], image: BoardImage, opened: Annotated
) -> Prediction:
    method.calls += 1
    try:
        _, files = job.do(method, Item(image.id, image.id), opened)
    except MethodError as error:
        raise CraqbenchError(f"{method.name} failed on image {image.id!r}: {error.problem}") from error
    return Prediction(image.id, files.get(PREDICTIONS) or files[FILLINGS], files.get(SCORES))


def _seconds_per_megapixel(times: Sequence[tuple[float, int]]) -> float | None:
    """Return seconds of the calls without the first one, unless there is no other, as evaluations do."""
    seconds, pixels = np.sum(times[1:] or times, axis=0)
    return float(seconds / pixels * 1e6) if pixels else None

"""Make a submission of an installed method: run it, or take what an evaluation kept, and say what is known.

>>> from pathlib import Path
>>> package("ridge", "nga-val", Path("mine"))  # doctest: +SKIP

What only people know, such as authors, is null in ``submission.json`` unless it is told: the check then names
what is to be filled in. Of methods that ship with craqbench, with their own weights, all is known.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import craqbench.evaluation
from baselines.registry import DETECTORS, INPAINTERS
from baselines.weight_hub import parse_reference
from craqbench.annotated import NAMES, open_set
from craqbench.annotations import AnnotatedSet
from craqbench.engines import Progress
from craqbench.errors import StorageError, UsageError
from craqbench.evaluation import InpaintingOptions, Options
from craqbench.evaluation_methods import MethodSpec, parse_method
from craqbench.evaluation_records import FILLINGS, PREDICTIONS, SCORES
from craqbench.results import RESULT, DetectionResult, Hardware, InpaintingResult, MethodInfo, load_result
from leaderboard.board import BOARD, Board, load_board
from leaderboard.board_making import Plan, board_of
from leaderboard.packaging_board import Ran, run_on_board
from leaderboard.submission import Checked, Refusal, Refused, check_parcel, received_folder
from leaderboard.submission_metadata import FORMAT, Task
from leaderboard.submission_writing import Prediction, refuse_occupied, write_submission

__all__ = ["Packaged", "Run", "Told", "find_board", "is_set", "package", "package_result"]

SHIPPED = "craqbench"
"""Author of the methods that ship with it."""

Result = DetectionResult | InpaintingResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people say of a submission; None: not said.

    Attributes
    ----------
    authors, code, code_commit, used_real_annotations, used_test_images, seeds, track
        See `leaderboard.submission_metadata.Metadata`.
    """

    authors: tuple[str, ...] | None = None
    code: str | None = None
    code_commit: str | None = None
    used_real_annotations: bool | None = None
    used_test_images: bool | None = None
    seeds: tuple[int, ...] = ()
    track: str = "predictions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How to run a method.

    Attributes
    ----------
    task
        On an annotated set; a board has its own.
    board
        A description in place of that of the whole set, or None.
    results
        Where evaluations keep, and find, their predictions.
    scores
        Whether detections come with scores.
    workers, device
        See `craqbench.evaluation.Options`.
    """

    task: Task = "detection"
    board: Board | None = None
    results: Path = Path("results")
    scores: bool = False
    workers: int = 1
    device: str = "auto"


class Packaged(NamedTuple):
    """A submission that was made.

    Attributes
    ----------
    board
        What it is for.
    metadata
        As written.
    checked
        By all rules; None if it is refused.
    refusals
        What is to be filled in, or mended, first.
    """

    board: Board
    metadata: Mapping[str, Any]
    checked: Checked | None
    refusals: tuple[Refusal, ...]


class _Made(NamedTuple):
    """What a submission is made of."""

    method: MethodInfo
    hardware: Hardware
    seconds_per_megapixel: float | None
    classes: int | None
    predictions: Iterable[Prediction]


def package(
    method: str,
    where: str,
    out: Path,
    run: Run | None = None,
    told: Told | None = None,
    *,
    progress: Progress | None = None,
) -> Packaged:
    """Make a submission of a method.

    Parameters
    ----------
    method
        As `craqbench.evaluation_methods.parse_method` takes it.
    where
        The folder of a board, with its images; or an annotated set, as `craqbench.annotated.open_set` takes
        it.
    out
        A folder without a submission.
    run, told
        How, and what people say.
    progress
        Of the evaluation.

    Raises
    ------
    UsageError
        If the method, the set or an option cannot be used, or `out` holds a submission.
    AnnotationError, BoardError
        If the set or the board is absent or broken.
    CraqbenchError
        If the method fails on an image.
    StorageError
        If the disk is full, read-only or gone.
    """
    run, told = run or Run(), told or Told()
    refuse_occupied(out)
    if (Path(where) / BOARD).is_file():
        board = load_board(Path(where))
        spec = _parse(method, board.task)
        made = _of_board(
            run_on_board(Path(where), board, spec, run.device, scores=run.scores, progress=progress)
        )
    else:
        spec = _parse(method, run.task)
        path = _evaluate(method, where, run, progress)
        annotated = open_set(where, workers=run.workers)
        board = run.board or board_of(annotated, Plan(task=run.task))
        made = _of_result(path, annotated, scores=run.scores)
    return _finish(out, board, made, told, spec)


def package_result(
    folder: Path, out: Path, run: Run | None = None, told: Told | None = None, *, where: str | None = None
) -> Packaged:
    """Make a submission of what an evaluation has kept, without running anything.

    Parameters
    ----------
    folder
        Of a method on a set, with ``result.json``.
    out, run, told
        See `package`; of `run` the board and scores.
    where
        The set that was evaluated; by default as it was typed then.

    Raises
    ------
    ResultError, UsageError, AnnotationError, StorageError
        As `package`, or if the result is broken or of another set.
    """
    run, told = run or Run(), told or Told()
    refuse_occupied(out)
    result = load_result(folder / RESULT)
    annotated = open_set(where or result.set.given, workers=run.workers)
    if annotated.digest != result.set.digest:
        raise UsageError(f"{folder} is of another state of {annotated.spec}: expected the set as it is now")
    task: Task = "restoration" if isinstance(result, InpaintingResult) else "detection"
    board = run.board or board_of(annotated, Plan(task=task))
    made = _of_result(folder / RESULT, annotated, scores=run.scores)
    return _finish(out, board, made, told, _parse(result.method.given, task))


def is_set(name: str) -> bool:
    """Whether an annotated set is known by this name alone, and so is a board of that name."""
    return name in NAMES


def find_board(where: str, *, task: Task = "detection") -> Board:
    """Return a board by its file, its folder, or the annotated set that all of it is made of.

    Parameters
    ----------
    where
        One of these.
    task
        Of a set.

    Raises
    ------
    BoardError, UsageError, AnnotationError
        If there is none.
    """
    path = Path(where).expanduser()
    if path.is_file() or (path / BOARD).is_file():
        return load_board(path)
    return board_of(open_set(where), Plan(task=task))


def _parse(method: str, task: Task) -> MethodSpec:
    return parse_method(method, DETECTORS if task == "detection" else INPAINTERS)


def _evaluate(method: str, where: str, run: Run, progress: Progress | None) -> Path:
    """Evaluate, or find that it was evaluated; return the file of the result."""
    if run.task == "detection":
        options = Options(workers=run.workers, device=run.device, keep_scores=run.scores)
        (made,) = craqbench.evaluation.evaluate([where], [method], run.results, options, progress=progress)
        return made.path
    other = InpaintingOptions(workers=run.workers, device=run.device)
    (filled,) = craqbench.evaluation.evaluate_inpainting(
        [where], [method], run.results, other, progress=progress
    )
    return filled.path


def _of_result(path: Path, annotated: AnnotatedSet, *, scores: bool) -> _Made:
    result = load_result(path)
    if result.failures:
        failure = result.failures[0]
        told = f"image {failure.image!r}: {failure.reason}"
        raise UsageError(
            f"{result.method.label} failed on {len(result.failures)} images ({told}): expected none"
        )
    stems = [item.stem for item in annotated]
    return _Made(
        method=result.method,
        hardware=result.hardware,
        seconds_per_megapixel=result.speed.seconds_per_megapixel,
        classes=result.predicted_classes if isinstance(result, DetectionResult) else None,
        predictions=_kept(path.parent, stems, result, scores=scores),
    )


def _kept(folder: Path, stems: Sequence[str], result: Result, *, scores: bool) -> Iterable[Prediction]:
    kind = PREDICTIONS if isinstance(result, DetectionResult) else FILLINGS
    for stem in stems:
        try:
            picture = (folder / kind / f"{stem}.png").read_bytes()
            levels = (folder / SCORES / f"{stem}.png").read_bytes() if scores else None
        except OSError as error:
            raise StorageError(
                f"{error.filename}: {error.strerror}: expected what the evaluation keeps"
            ) from error
        yield Prediction(stem, picture, levels)


def _of_board(ran: Ran) -> _Made:
    return _Made(ran.method, ran.hardware, ran.seconds_per_megapixel, ran.classes, ran.predictions)


def _finish(out: Path, board: Board, made: _Made, told: Told, spec: MethodSpec) -> Packaged:
    metadata = _metadata(board, made, told, spec)
    write_submission(out, metadata, made.predictions)
    try:
        with received_folder(out, board) as parcel:
            return Packaged(board, metadata, check_parcel(parcel, board), ())
    except Refused as error:
        return Packaged(board, metadata, None, error.refusals)


def _metadata(board: Board, made: _Made, told: Told, spec: MethodSpec) -> dict[str, Any]:
    info, card = made.method, made.method.card
    weights = dict(spec.settings).get("weights")
    ours = weights is None and ":" not in spec.name and info.name == spec.name
    reference = parse_reference(str(weights)) if weights is not None else None
    return {
        "format": FORMAT,
        "board": board.name,
        "board_version": board.version,
        "task": board.task,
        "classes": made.classes,
        "track": told.track,
        "method": _line(info.label),
        "version": _line(info.version),
        "authors": list(told.authors) if told.authors else [SHIPPED] if ours else None,
        "code": told.code,
        "code_commit": told.code_commit,
        "weights": {"repository": reference.repository, "revision": reference.revision}
        if reference
        else None,
        "training_data": _line(card.training_data),
        "used_real_annotations": _known(told.used_real_annotations, ours=ours),
        "used_test_images": _known(told.used_test_images, ours=ours),
        "seeds": list(told.seeds),
        "hardware": _hardware(made.hardware),
        "seconds_per_megapixel": made.seconds_per_megapixel,
        "licence": _line(card.licence),
    }


def _known(told: bool | None, *, ours: bool) -> bool | None:  # noqa: FBT001  what a person said
    return False if told is None and ours else told


def _hardware(hardware: Hardware) -> str:
    memory = "" if hardware.memory_gb is None else f", {hardware.memory_gb} GB"
    device = hardware.accelerator or hardware.device
    return _line(f"{hardware.cpu}, {hardware.cores} cores{memory}, on {device}")


def _line(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))

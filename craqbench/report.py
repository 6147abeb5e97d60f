"""A report: the tables, the curves and the pictures of any number of results, on one HTML page.

The page needs nothing but itself: pictures are inside it, no script or style is fetched, and browsers are
told to refuse if anything tried. It is read by people who want to know *where* a detector fails, so pictures
come worst first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from baselines.protocols import Labels
from craqbench.annotated import open_set
from craqbench.annotations import Annotated, AnnotatedSet
from craqbench.codecs import decode_labels
from craqbench.comparison import compare
from craqbench.errors import AnnotationError
from craqbench.evaluation_records import PREDICTIONS, digest_of_labels
from craqbench.figures import RANKING, figures
from craqbench.metrics import CRACK, RANKING_TAU
from craqbench.report_page import Prediction, Section, Shot, page
from craqbench.report_pictures import (
    FALSE_ALARM,
    HIT,
    KINDS,
    LOSS_FALSE,
    LOSS_HIT,
    LOSS_MISS,
    MISS,
    Layer,
    crop_uri,
    layer_uri,
    loss_outcome,
    outcome,
    truth_layer,
)
from craqbench.report_tables import methods_of
from craqbench.results import ImageCounts, Result, ResultError, find_results, load_result, scores_of
from craqbench.storage import write_file

__all__ = ["WORST", "Written", "write_report"]

WORST = 60
"""How many images of a set are shown, unless told otherwise."""

Progress = Callable[[str, int, int], None]


class Written(NamedTuple):
    """What `write_report` wrote: sets, methods over all sets, images shown, bytes."""

    sets: int
    results: int
    images: int
    size: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A result, and the folder of its predictions."""

    result: Result
    folder: Path


def write_report(
    paths: Sequence[Path],
    out: Path,
    *,
    worst: int = WORST,
    command: str = "",
    workers: int = 1,
    progress: Progress | None = None,
) -> Written:
    """Write a report.

    Parameters
    ----------
    paths
        Result files, or folders that are searched for them.
    out
        The page.
    worst
        How many images of each set are shown; 0 shows none, and needs neither sets nor predictions.
    command
        Makes this page again; it stands at the page's end.
    workers
        Processes that open a set.
    progress
        ``progress(stage, done, total)``.

    Raises
    ------
    ResultError
        If a result is absent or broken, or a prediction is not the one that was scored.
    UsageError
        If results on one set cannot be compared, see `craqbench.comparison.compare`.
    AnnotationError
        If a set is absent, or is not the one that was scored on.
    StorageError
        If the page cannot be written.
    """
    told: Progress = progress or (lambda *_: None)
    by_set: dict[str, list[_Found]] = {}
    for path in find_results(paths):
        found = _Found(load_result(path), path.parent / PREDICTIONS)
        by_set.setdefault(found.result.set.digest, []).append(found)
    sections = [_section(found, worst, workers, told) for found in by_set.values()]
    html = page(sections, command).encode()
    write_file(out, html)
    shots = sum(len(section.shots) for section in sections)
    return Written(len(sections), sum(map(len, by_set.values())), shots, len(html))


def _section(found: Sequence[_Found], worst: int, workers: int, progress: Progress) -> Section:
    results = [one.result for one in found]
    comparison = compare(results)
    ids = _worst_first(results)[:worst]
    if not ids:
        return Section(comparison, ())
    folders = {id(one.result): one.folder for one in found}
    ordered = [_Found(one.result, folders[id(one.result)]) for one in methods_of(comparison)]
    opened = _opened(results[0], workers, progress)
    shots = []
    for done, name in enumerate(ids):
        progress("drawing the report", done, len(ids))
        shots.append(_shot(opened, name, ordered))
    progress("drawing the report", len(ids), len(ids))
    return Section(comparison, tuple(shots))


def _opened(result: Result, workers: int, progress: Progress) -> AnnotatedSet:
    """Open the set that a result is about, exactly."""
    opened = open_set(result.set.given, workers=workers, progress=progress)
    if opened.digest != result.set.digest:
        raise AnnotationError(
            f"set {result.set.given!r} has changed since it was scored: its digest is {opened.digest[:12]}, "
            f"expected {result.set.digest[:12]}; --worst 0 makes a report without pictures"
        )
    return opened


def _worst_first(results: Sequence[Result]) -> list[str]:
    """Return the ids of a set, those with the lowest mean score of its methods first; a failure scores 0."""
    methods = [one for one in results if one.method.kind == "method"] or results
    scores: dict[str, list[float]] = {}
    for result in methods:
        for image in result.images:
            scores.setdefault(image.id, []).append(_score(image, clean=result.set.clean))
        for failure in result.failures:
            scores.setdefault(failure.image, []).append(0.0)
    return sorted(scores, key=lambda name: fmean(scores[name]))


def _score(image: ImageCounts, *, clean: bool) -> float:
    """Return what an image is ranked by; higher is better."""
    if not clean:
        return scores_of(image.counts)[RANKING]
    return 1 - _false_share(image)


def _false_share(image: ImageCounts) -> float:
    confusion = np.array(image.counts.confusion)
    return float(confusion[:, 1:].sum() / max(1, confusion.sum()))


def _shot(opened: AnnotatedSet, name: str, found: Sequence[_Found]) -> Shot:
    one = opened.load(name)
    item = next(item for item in opened.items if item.id == name)
    return Shot(
        id=name,
        painting=item.painting,
        attributes=dict(item.attributes),
        size=(one.image.shape[0], one.image.shape[1]),
        crop=crop_uri(one.image),
        truth=layer_uri(truth_layer(one.labels, one.ignore)),
        share=float(one.mask.sum() / max(1, (~one.ignore).sum())),
        predictions=tuple(_prediction(one, name, method) for method in found),
    )


def _prediction(one: Annotated, name: str, found: _Found) -> Prediction:
    image = next((image for image in found.result.images if image.id == name), None)
    if image is None:
        failure = next(failure for failure in found.result.failures if failure.image == name)
        return Prediction(None, 0.0, failure.reason, "")
    result = found.result
    layer = _layer(_predicted(found, image), one, is_map=result.predicted_classes > 2)
    score = _score(image, clean=result.set.clean)
    return Prediction(layer_uri(layer), score, _told(image, result), _seen(layer))


def _layer(labels: Labels, one: Annotated, *, is_map: bool) -> Layer:
    """Return what each px counts as: cracks over paint loss, where that is predicted, too."""
    layer = outcome(labels == CRACK, one.mask, one.ignore)
    return np.where(layer == 0, loss_outcome(labels, one.labels, one.ignore), layer) if is_map else layer


def _seen(layer: Layer) -> str:
    """Return a layer in words."""
    counts = np.bincount(layer.ravel(), minlength=len(KINDS)).tolist()
    told = {HIT: "hit", MISS: "missed", FALSE_ALARM: "false alarm"}
    further = {LOSS_HIT: "of paint loss hit", LOSS_MISS: "of it missed", LOSS_FALSE: "of false loss"}
    if any(counts[kind] for kind in further):
        told |= further
    return ", ".join(f"{counts[kind]:,} px {words}" for kind, words in told.items())


def _told(image: ImageCounts, result: Result) -> str:
    """Return the figures of an image in one line."""
    if result.set.clean:
        return f"{100 * _false_share(image):.2f} % false alarm, in {image.counts.components:,} pieces"
    scores = scores_of(image.counts)
    f1, precision, recall = (scores[f"{kind}@{RANKING_TAU:g}"] for kind in ("f1", "precision", "recall"))
    told = [f"F1@{RANKING_TAU:g}px {f1:.3f}", f"P {precision:.3f}", f"R {recall:.3f}"]
    pixels = figures("pixels", np.array(image.counts.confusion), result.set.classes)
    told += [f"IoU {name} {float(pixels[f'iou:{name}']):.3f}" for name in _further(result)]
    return " · ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in told)


def _further(result: Result) -> tuple[str, ...]:
    """Return the names of the predicted classes but background and cracks."""
    return result.set.classes[2 : result.predicted_classes]


def _predicted(found: _Found, image: ImageCounts) -> Labels:
    """Read a prediction, and make sure that it is the one that was scored."""
    path = found.folder / f"{image.file}.png"
    try:
        labels = decode_labels(path.read_bytes())
    except OSError as error:
        hint = "expected the prediction beside its result; --worst 0 makes a report without pictures"
        raise ResultError(f"{path}: {error.strerror or error}: {hint}") from error
    except ValueError as error:
        raise ResultError(f"{path}: {error}: expected the prediction that was scored") from error
    if found.result.predicted_classes == 2:  # 0 and 255
        labels = (labels > 0).view(np.uint8)
    expected, got = image.prediction_sha256, digest_of_labels(labels)
    if got != expected:
        raise ResultError(
            f"{path}: expected the prediction that was scored, sha256 {expected[:12]}. Got {got[:12]}"
        )
    return labels

"""A report: the tables, the curves and the pictures of any number of results, on one HTML page.

The page needs nothing but itself: pictures are inside it, no script or style is fetched, and browsers are
told to refuse if anything tried. It is read by people who want to know *where* a method fails, so pictures
come worst first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, cast

from craqbench.annotated import open_set
from craqbench.annotations import AnnotatedSet
from craqbench.comparison import compare
from craqbench.errors import AnnotationError
from craqbench.report_answers import Found
from craqbench.report_detections import detection_score, detection_shot
from craqbench.report_fillings import filling_score, filling_shot
from craqbench.report_page import Section, page
from craqbench.report_tables import methods_of
from craqbench.results import (
    ImageCounts,
    ImageFacts,
    ImageFillings,
    InpaintingResult,
    Result,
    find_results,
    load_result,
)
from craqbench.storage import write_file

__all__ = ["WORST", "WORST_FILLINGS", "Written", "write_report"]

WORST, WORST_FILLINGS = 60, 24
"""How many images of a set are shown, unless told otherwise; fillings are shown without loss."""

Progress = Callable[[str, int, int], None]


class Written(NamedTuple):
    """What `write_report` wrote: sets, methods over all sets, images shown, bytes."""

    sets: int
    results: int
    images: int
    size: int


def write_report(
    paths: Sequence[Path],
    out: Path,
    *,
    worst: int | None = None,
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
        How many images of each set are shown, `WORST` or `WORST_FILLINGS` by default; 0 shows none, and needs
        neither sets nor predictions.
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
    by_set: dict[tuple[str, str], list[Found]] = {}
    for path in find_results(paths):
        found = Found(load_result(path), path.parent)
        by_set.setdefault((found.result.set.digest, found.result.task), []).append(found)
    sections = [_section(found, worst, workers, told) for found in by_set.values()]
    html = page(sections, command).encode()
    write_file(out, html)
    shots = sum(len(section.shots) for section in sections)
    return Written(len(sections), sum(map(len, by_set.values())), shots, len(html))


def _section(found: Sequence[Found], worst: int | None, workers: int, progress: Progress) -> Section:
    results = [one.result for one in found]
    comparison = compare(results)
    filling = isinstance(results[0], InpaintingResult)
    most = WORST_FILLINGS if filling else WORST
    ids = _worst_first(results)[: most if worst is None else worst]
    if not ids:
        return Section(comparison, ())
    folders = {id(one.result): one.folder for one in found}
    ordered = [Found(one.result, folders[id(one.result)]) for one in methods_of(comparison)]
    opened = _opened(results[0], workers, progress)
    draw = filling_shot if filling else detection_shot
    shots = []
    for done, name in enumerate(ids):
        progress("drawing the report", done, len(ids))
        shots.append(draw(opened, name, ordered))
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
            scores.setdefault(image.id, []).append(_score(image, result))
        for failure in result.failures:
            scores.setdefault(failure.image, []).append(0.0)
    return sorted(scores, key=lambda name: fmean(scores[name]))


def _score(image: ImageFacts, result: Result) -> float:
    """Return what an image is ranked by; higher is better."""
    if isinstance(image, ImageFillings):
        return filling_score(image)
    return detection_score(cast("ImageCounts", image), clean=result.set.clean)

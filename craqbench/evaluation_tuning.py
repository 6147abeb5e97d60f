"""Choose a threshold on another set: never on the one that is scored."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from craqbench.annotations import AnnotatedSet, Item, digest_of_pixels
from craqbench.engines import Beat, Progress, run
from craqbench.errors import UsageError
from craqbench.metrics import LEVELS, optimal_dataset_scale
from craqbench.results import DetectionResult, Threshold, TunedOn

__all__ = ["refuse_overlap", "tuned_threshold"]

_SHOWN = 3
_PARALLEL_FROM = 64


def tuned_threshold(result: DetectionResult) -> Threshold:
    """Return the threshold with the best F1@2px on the set of a result.

    Scores are compared at 255 levels, to which they are rounded; the threshold lies half a level below the
    best one, so that just what is rounded up to it is a crack. Of equal levels the highest is taken.

    Raises
    ------
    UsageError
        If the method failed on an image of the set, or nothing is annotated there.
    """
    of = f"method {result.method.label!r} cannot be tuned on {result.set.spec}"
    if not result.complete or result.curves is None:
        first = result.failures[0]
        raise UsageError(
            f"{of}: it failed on {len(result.failures)} of {result.set.images} images, first on "
            f"{first.image!r}: {first.reason}"
        )
    counts = np.array(result.curves.tolerant, np.int64)
    if result.set.clean or not counts[0, 3]:
        raise UsageError(f"{of}: expected a set with annotated cracks")
    best = optimal_dataset_scale(counts)
    level = round(best.threshold * (LEVELS - 1))
    return Threshold(
        value=(level - 0.5) / (LEVELS - 1),
        origin="tuned",
        tuned_on=TunedOn(
            spec=result.set.spec,
            given=result.set.given,
            digest=result.set.digest,
            images=result.set.images,
            f1=best.f1,
        ),
    )


def refuse_overlap(
    tuning: AnnotatedSet,
    scored: Sequence[AnnotatedSet],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Refuse to tune on what is scored.

    Images are compared by their pixels; a copy that was resized or saved as JPEG once more is not noticed.

    Raises
    ------
    UsageError
        If a scored set is the tuning set, has an image of it, or, as another part of the same set, images of
        the same paintings.
    """
    for one in scored:
        if one.digest == tuning.digest:
            raise UsageError(f"--tune-on {tuning.spec} is a set that is scored: expected another set")
        shared = {i.painting for i in one} & {i.painting for i in tuning}
        if shared and (one.name, one.version, one.origin) == (tuning.name, tuning.version, tuning.origin):
            raise UsageError(_overlap(tuning, one, "paintings", sorted(shared)))
    own = _digests(tuning, workers, progress)
    for one in scored:
        same = sorted(name for digest, name in _digests(one, workers, progress).items() if digest in own)
        if same:
            raise UsageError(_overlap(tuning, one, "images", same))


def _overlap(tuning: AnnotatedSet, scored: AnnotatedSet, what: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"--tune-on {tuning.spec} has {len(names)} {what} of {scored.spec}, which is scored ({shown}): "
        "expected none"
    )


def _digests(annotated: AnnotatedSet, workers: int, progress: Progress | None) -> dict[str, str]:
    """Return digest of pixels -> id."""

    def report(done: int) -> None:
        if progress:
            progress("reading images", done, len(annotated))

    report(0)
    found = run(
        functools.partial(_digest, annotated),
        annotated.items,
        workers=workers if len(annotated) >= _PARALLEL_FROM else 1,
        on_beat=report,
    )
    return dict(zip(found, (item.id for item in annotated), strict=True))


def _digest(annotated: AnnotatedSet, item: Item, beat: Beat) -> str:
    digest = digest_of_pixels(annotated.load(item).image)
    beat()
    return digest

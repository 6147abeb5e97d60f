"""From the records of a method's images to its result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from craqbench.annotations import AnnotatedSet, Item
from craqbench.errors import CraqbenchError
from craqbench.evaluation_records import Record, read_record
from craqbench.figures import BOOTSTRAP, DETAIL, interval_figures
from craqbench.metrics import POLICIES, RANKING_TAU, TAUS, Timing, match_f1, optimal_dataset_scale
from craqbench.metrics.curves import LEVELS
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.results import (
    BENCHMARK,
    Counts,
    Curves,
    Failure,
    Group,
    Hardware,
    ImageCounts,
    MethodInfo,
    PaintingCounts,
    Result,
    Score,
    SecondCounts,
    SetInfo,
    Speed,
    Threshold,
    added,
    tables_of,
)

__all__ = ["RESULT_POLICIES", "Facts", "describe_set", "summarise"]

RESULT_POLICIES = {
    **POLICIES,
    "bootstrap": BOOTSTRAP,
    "failed images": "a set with any of them has no scores",
    "second annotator": "scored as a method against the first, outside what either of the two ignores",
    "speed": "wall-clock time in the method's own call; the first call in each process left out",
    "threshold": "score >= threshold; fixed before anything was scored, or tuned on another set",
}
"""What goes into every result."""

LABEL_MAPS = {"label maps": "crack where its score >= threshold; elsewhere the surest of the other classes"}
"""What goes into results whose predictions are of all classes of a set with more than two."""

MOST_FOR_CURVES = 1_000
"""Paintings: the curves of more have no intervals, which would take minutes and all memory."""

MOST_GROUPS = 20
"""An attribute with more values has no groups: it is more like an id."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a result says that is not counted: what was evaluated, how, and on what."""

    set: SetInfo
    method: MethodInfo
    threshold: Threshold
    versions: Mapping[str, str]
    hardware: Hardware
    workers: int
    command: str
    predicted_classes: int = 2

    @property
    def policies(self) -> dict[str, str]:
        """What was decided where definitions differ."""
        return {**RESULT_POLICIES, **(LABEL_MAPS if self.predicted_classes > 2 else {})}

    def identity(self) -> dict[str, Any]:
        """Return what the counts of an image depend on, as JSON types."""
        return {
            "benchmark": BENCHMARK,
            "set": self.set.model_dump(mode="json", exclude={"given"}),
            "method": self.method.model_dump(mode="json", exclude={"given"}),
            "threshold": self.threshold.model_dump(mode="json"),
            "policies": self.policies,
            "versions": dict(self.versions),
        }


def describe_set(annotated: AnnotatedSet, given: str) -> SetInfo:
    """Return what a result says of a set; `given` is what was typed."""
    return SetInfo(
        spec=annotated.spec,
        given=given,
        name=annotated.name,
        version=annotated.version,
        digest=annotated.digest,
        classes=annotated.classes,
        licence=annotated.licence,
        images=len(annotated),
        paintings=len({item.painting for item in annotated}),
        clean=annotated.clean,
    )


class _Sums:
    """What is added up while records are read one by one: the levels of all images take too much room.

    Parameters
    ----------
    paintings
        In alphabetical order.
    """

    def __init__(self, paintings: Sequence[str]) -> None:
        kept = paintings if len(paintings) <= MOST_FOR_CURVES else []
        self._places = {name: place for place, name in enumerate(kept)}
        rows = max(1, len(kept))
        self._levels = np.zeros((rows, 2, LEVELS, 4))
        self._best = np.zeros((rows, 2, 4))
        self._timed = {True: Timing(), False: Timing()}
        self._devices = set[str]()

    def add(self, painting: str, record: Record) -> None:
        levels = np.array(record["levels"], np.int64)
        place = self._places.get(painting, 0)
        self._levels[place] += levels
        self._best[place] += _at_best(levels)
        timing = Timing(record["seconds"], record["height"] * record["width"], 1)
        self._timed[bool(record["warm"])] += timing
        self._devices |= {record["device"]} if "device" in record else set()

    def timing(self) -> Timing:
        return self._timed[True] if self._timed[True].images else self._timed[False]

    def device(self) -> str:
        """Return what the method ran on; "" if no record tells."""
        return ", ".join(sorted(self._devices))

    def tables(self) -> dict[str, Floats]:
        """Return levels, and counts at each image's best level, by painting."""
        return {"levels": self._levels, "best": self._best}

    def whole(self) -> Array:
        """Return the levels of the set, (2, 256, 4)."""
        whole: Floats = self._levels.sum(axis=0)
        return whole.astype(np.int64)


def _at_best(levels: Array) -> Array:
    """Return (2, 4): an image's counts at the highest level with its best F1, as `optimal_image_scale`."""
    worse = match_f1(levels[:, :0:-1]).argmax(axis=1)
    best: Array = levels[np.arange(len(levels)), LEVELS - 1 - worse]
    return best


def _rows(counts: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in counts)


def summarise(facts: Facts, annotated: AnnotatedSet, folder: Path, failures: Sequence[Failure]) -> Result:
    """Read the records of a folder and return the result.

    Parameters
    ----------
    facts
        All that is not counted.
    annotated
        The set.
    folder
        Of the method on the set.
    failures
        Images without a record, in the order of the set.

    Raises
    ------
    CraqbenchError
        If a record is missing: somebody has removed it.
    """
    failed = {failure.image for failure in failures}
    sums = _Sums(sorted({item.painting for item in annotated}))
    images, second = list[ImageCounts](), list[SecondCounts]()
    for item in annotated:
        if item.id not in failed:
            record = _record(folder, item)
            sums.add(item.painting, record)
            images.append(_image(item, record))
            second += _second(item, record)
    complete = not failures
    return Result(
        format=1,
        benchmark=BENCHMARK,
        task="detection",
        complete=complete,
        set=facts.set,
        method=facts.method,
        threshold=facts.threshold,
        scores=_scores(images, sums, facts.set) if complete else {},
        groups=_groups(images, facts.set.classes) if complete and not facts.set.clean else {},
        speed=_speed(sums.timing(), facts.workers),
        command=facts.command,
        policies=facts.policies,
        versions=dict(facts.versions),
        hardware=facts.hardware.model_copy(update={"device": sums.device() or facts.hardware.device}),
        predictions_digest=_digest(images),
        predicted_classes=facts.predicted_classes,
        failures=tuple(failures),
        taus=TAUS,
        paintings=_paintings(images),
        images=tuple(images),
        second=tuple(second),
        curves=_curves(sums.whole()) if images else None,
    )


def _record(folder: Path, item: Item) -> Record:
    record = read_record(folder, item.stem)
    if record is None:
        raise CraqbenchError(
            f"{folder}: the record of image {item.id!r} has been removed: expected it until the result is "
            "written: run the command again"
        )
    return record


def _second(item: Item, record: Record) -> list[SecondCounts]:
    if record["second"] is None:
        return []
    return [SecondCounts(id=item.id, painting=item.painting, counts=_counts(record["second"]))]


def _curves(levels: Array) -> Curves:
    exact, tolerant = levels.tolist()
    return Curves(exact=_rows(exact), tolerant=_rows(tolerant))


def _counts(record: Record) -> Counts:
    return Counts(
        confusion=_rows(record["confusion"]),
        tolerance=_rows(record["tolerance"]),
        cldice=tuple(record["cldice"]),
        betti=tuple(record["betti"]),
        components=record["components"],
    )


def _image(item: Item, record: Record) -> ImageCounts:
    return ImageCounts(
        id=item.id,
        painting=item.painting,
        file=item.stem,
        attributes=dict(item.attributes),
        height=record["height"],
        width=record["width"],
        counts=_counts(record),
        prediction_sha256=record["prediction_sha256"],
    )


def _paintings(images: Iterable[ImageCounts]) -> tuple[PaintingCounts, ...]:
    by_painting: dict[str, list[Counts]] = {}
    for image in images:
        by_painting.setdefault(image.painting, []).append(image.counts)
    return tuple(
        PaintingCounts(painting=name, images=len(counts), counts=added(counts))
        for name, counts in sorted(by_painting.items())
    )


def _scores(images: Sequence[ImageCounts], sums: _Sums, of: SetInfo) -> dict[str, Score]:
    tables = tables_of([one.counts for one in _paintings(images)], clean=of.clean)
    if of.clean:
        return _with_intervals(tables, of.classes)
    best = optimal_dataset_scale(sums.whole()[1]).threshold
    found = _with_intervals({**tables, **sums.tables()}, of.classes)
    return {**found, f"ods_threshold@{RANKING_TAU:g}": Score(value=best)}


def _with_intervals(tables: Mapping[str, Array | Floats], classes: Sequence[str]) -> dict[str, Score]:
    return {name: Score.of(interval) for name, interval in interval_figures(tables, classes).items()}


def _groups(images: Sequence[ImageCounts], classes: Sequence[str]) -> dict[str, dict[str, Group]]:
    names = sorted({name for image in images for name in image.attributes})
    found: dict[str, dict[str, Group]] = {}
    for name in names:
        members: dict[str, list[ImageCounts]] = {}
        for image in images:
            members.setdefault(image.attributes.get(name, ""), []).append(image)
        if 2 <= len(members) <= MOST_GROUPS:
            found[name] = {value: _group(members[value], classes) for value in sorted(members)}
    return found


def _group(images: Sequence[ImageCounts], classes: Sequence[str]) -> Group:
    paintings = _paintings(images)
    tables = tables_of([one.counts for one in paintings])
    return Group(
        images=len(images),
        paintings=len(paintings),
        scores=_with_intervals({kind: tables[kind] for kind in DETAIL}, classes),
    )


def _speed(timing: Timing, workers: int) -> Speed:
    return Speed(
        seconds=timing.seconds,
        pixels=timing.pixels,
        images=timing.images,
        seconds_per_megapixel=timing.seconds_per_megapixel if timing.pixels else None,
        fps=timing.frames_per_second if timing.seconds else None,
        workers=workers,
    )


def _digest(images: Iterable[ImageCounts]) -> str:
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.id} {image.prediction_sha256}\n".encode())
    return digest.hexdigest()

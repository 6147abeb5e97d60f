"""From the records of a method's images to its result: what is alike for all tasks."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from craqbench.annotations import AnnotatedSet, Item
from craqbench.errors import CraqbenchError
from craqbench.evaluation_records import Record, read_record
from craqbench.figures import BOOTSTRAP, interval_figures
from craqbench.metrics import Timing
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.result_counts import Additive, ImageFacts
from craqbench.results import (
    BENCHMARK,
    Failure,
    Group,
    Hardware,
    MethodInfo,
    Result,
    Score,
    SetInfo,
    Speed,
    added,
)

__all__ = [
    "RESULT_POLICIES",
    "Facts",
    "Times",
    "common_fields",
    "describe_set",
    "groups",
    "image_fields",
    "painting_fields",
    "records_of",
    "with_intervals",
]

RESULT_POLICIES = {
    "bootstrap": BOOTSTRAP,
    "failed images": "a set with any of them has no scores",
    "speed": "wall-clock time in the method's own call; the first call in each process left out",
}
"""What goes into every result."""

MOST_GROUPS = 20
"""An attribute with more values has no groups: it is more like an id."""


Tables = Mapping[str, Array | Floats]
"""Counts in tables, see `craqbench.figures`."""

R = TypeVar("R", bound=Result)
AnImage = TypeVar("AnImage", bound=ImageFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts(ABC, Generic[R]):
    """What a result says that is not counted: what was evaluated, how, and on what."""

    set: SetInfo
    method: MethodInfo
    versions: Mapping[str, str]
    hardware: Hardware
    workers: int
    command: str

    @property
    @abstractmethod
    def policies(self) -> dict[str, str]:
        """What was decided where definitions differ."""

    @abstractmethod
    def choices(self) -> dict[str, Any]:
        """Return what else the counts of an image depend on, as JSON types."""

    @abstractmethod
    def summarise(self, annotated: AnnotatedSet, folder: Path, failures: Sequence[Failure]) -> R:
        """Read the records of a folder and return the result.

        Parameters
        ----------
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

    def identity(self) -> dict[str, Any]:
        """Return what the counts of an image depend on, as JSON types."""
        return {
            "benchmark": BENCHMARK,
            "set": self.set.model_dump(mode="json", exclude={"given"}),
            "method": self.method.model_dump(mode="json", exclude={"given"}),
            **self.choices(),
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


class Times:
    """How long calls took and what they ran on, added up while records are read one by one."""

    def __init__(self) -> None:
        self._timed = {True: Timing(), False: Timing()}
        self._devices = set[str]()

    def add(self, record: Record) -> None:
        """Add an image."""
        timing = Timing(record["seconds"], record["height"] * record["width"], 1)
        self._timed[bool(record["warm"])] += timing
        self._devices |= {record["device"]} if "device" in record else set()

    def speed(self, workers: int) -> Speed:
        """Return the time of the calls that were not the first in their process, unless there is no other."""
        timing = self._timed[True] if self._timed[True].images else self._timed[False]
        return Speed(
            seconds=timing.seconds,
            pixels=timing.pixels,
            images=timing.images,
            seconds_per_megapixel=timing.seconds_per_megapixel if timing.pixels else None,
            fps=timing.frames_per_second if timing.seconds else None,
            workers=workers,
        )

    def device(self) -> str:
        """Return what the method ran on; "" if no record tells."""
        return ", ".join(sorted(self._devices))


def records_of(
    annotated: AnnotatedSet, folder: Path, failures: Sequence[Failure]
) -> Iterator[tuple[Item, Record]]:
    """Read the records of the images that have not failed, in the order of the set.

    Raises
    ------
    CraqbenchError
        If a record is missing: somebody has removed it.
    """
    failed = {failure.image for failure in failures}
    for item in annotated:
        if item.id not in failed:
            yield item, _record(folder, item)


def _record(folder: Path, item: Item) -> Record:
    record = read_record(folder, item.stem)
    if record is None:
        raise CraqbenchError(
            f"{folder}: the record of image {item.id!r} has been removed: expected it until the result is "
            "written: run the command again"
        )
    return record


def image_fields(item: Item, record: Record) -> dict[str, Any]:
    """Return the fields of an image's counts, but for the counts."""
    return {
        "id": item.id,
        "painting": item.painting,
        "file": item.stem,
        "attributes": dict(item.attributes),
        "height": record["height"],
        "width": record["width"],
        "prediction_sha256": record["prediction_sha256"],
    }


def painting_fields(images: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield the fields of each painting's counts, in alphabetical order; images have ``counts``."""
    by_painting: dict[str, list[Additive]] = {}
    for image in images:
        by_painting.setdefault(image.painting, []).append(image.counts)
    for name, counts in sorted(by_painting.items()):
        yield {"painting": name, "images": len(counts), "counts": added(counts)}


def with_intervals(tables: Tables, classes: Sequence[str]) -> dict[str, Score]:
    """Return all figures of tables, with intervals."""
    return {name: Score.of(interval) for name, interval in interval_figures(tables, classes).items()}


def groups(
    images: Sequence[AnImage], score: Callable[[Sequence[AnImage]], dict[str, Score]]
) -> dict[str, dict[str, Group]]:
    """Return figures of the images that share a value, for attributes that tell images apart."""
    found: dict[str, dict[str, Group]] = {}
    for name in sorted({name for image in images for name in image.attributes}):
        members: dict[str, list[AnImage]] = {}
        for image in images:
            members.setdefault(image.attributes.get(name, ""), []).append(image)
        if 2 <= len(members) <= MOST_GROUPS:
            found[name] = {value: _group(members[value], score) for value in sorted(members)}
    return found


def _group(images: Sequence[AnImage], score: Callable[[Sequence[AnImage]], dict[str, Score]]) -> Group:
    paintings = len({image.painting for image in images})
    return Group(images=len(images), paintings=paintings, scores=score(images))


def common_fields(
    facts: Facts[R], times: Times, images: Sequence[ImageFacts], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Return the fields that the results of all tasks have, but for scores, groups and counts."""
    return {
        "format": 1,
        "benchmark": BENCHMARK,
        "complete": not failures,
        "set": facts.set,
        "method": facts.method,
        "speed": times.speed(facts.workers),
        "command": facts.command,
        "policies": facts.policies,
        "versions": dict(facts.versions),
        "hardware": facts.hardware.model_copy(update={"device": times.device() or facts.hardware.device}),
        "predictions_digest": _digest(images),
        "failures": tuple(failures),
    }


def _digest(images: Iterable[ImageFacts]) -> str:
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.id} {image.prediction_sha256}\n".encode())
    return digest.hexdigest()

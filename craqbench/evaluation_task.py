"""What is done with each image, here or in a worker: ask the method, count, keep.

What asking and counting are depends on the task, see `craqbench.evaluation_detection` and
`craqbench.evaluation_inpainting`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Generic, NamedTuple, ParamSpec, TypeVar

from baselines.protocols import Card, Method, MethodError
from craqbench.annotations import Annotated, AnnotatedSet, Item
from craqbench.engines import Beat
from craqbench.evaluation_methods import MethodSpec, device_of
from craqbench.evaluation_records import Record, is_kept, keep

__all__ = ["Block", "Job", "Missed", "Task", "Timed", "blocks_of"]

M = TypeVar("M", bound=Method)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(eq=False)
class Timed(Generic[M]):
    """A method, and how long its last call took: its own call, without what is checked around it."""

    method: M
    seconds: float = 0.0
    calls: int = 0

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.method.name

    @property
    def version(self) -> str:
        """Version of the method."""
        return self.method.version

    @property
    def card(self) -> Card:
        """Card of the method."""
        return self.method.card

    def timed(self, ask: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the method answers."""
        start = perf_counter()
        answer = ask(*args, **kwargs)
        self.seconds = perf_counter() - start
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(ABC, Generic[M]):
    """One method on one set.

    Attributes
    ----------
    set_number
        Which of the task's sets.
    method
        What to make the method of.
    folder
        Where all goes.
    """

    set_number: int = 0
    method: MethodSpec
    folder: Path

    @property
    @abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """What is kept of each image, by folder."""

    @abstractmethod
    def make(self, device: str) -> Timed[M]:
        """Make the method."""

    @abstractmethod
    def do(self, method: Timed[M], item: Item, annotated: Annotated) -> tuple[Record, Mapping[str, bytes]]:
        """Ask the method once; return counts, and the files that are kept, by folder.

        Raises
        ------
        MethodError
            If the method fails.
        """


class Block(NamedTuple):
    """Some images of a set, in order, each with the numbers of the jobs that want it."""

    set_number: int
    images: tuple[tuple[Item, tuple[int, ...]], ...]


class Missed(NamedTuple):
    """An image that the method of a job could not do."""

    job: int
    image: str
    reason: str


@dataclass(eq=False)
class Task:
    """Does blocks; travels to workers once, and keeps the methods that it has made there.

    Attributes
    ----------
    sets, jobs
        All of a run.
    device
        For methods that have such a setting.
    """

    sets: tuple[AnnotatedSet, ...]
    jobs: tuple[Job[Method], ...]
    device: str = "cpu"
    _methods: dict[MethodSpec, Timed[Method]] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, block: Block, beat: Beat) -> list[Missed]:
        """Do all images of a block that are not done; one beat for each image and job.

        Raises
        ------
        AnnotationError
            If an image or an annotation cannot be read, or has changed.
        StorageError
            If the disk is full, read-only or gone.
        """
        missed: list[Missed] = []
        for item, numbers in block.images:
            annotated = self.sets[block.set_number].load(item)
            for number in numbers:
                try:
                    self._do(self.jobs[number], item, annotated)
                except MethodError as error:
                    missed.append(Missed(number, item.id, error.problem))
                beat()
        return missed

    def _do(self, job: Job[Method], item: Item, annotated: Annotated) -> None:
        if is_kept(job.folder, item.stem):  # by a worker that was killed later in the block
            return
        method = self._method(job)
        method.calls += 1
        counts, files = job.do(method, item, annotated)
        height, width = annotated.image.shape[:2]
        record = {
            "id": item.id,
            "height": height,
            "width": width,
            **counts,
            "seconds": method.seconds,
            "warm": method.calls > 1,
            "device": device_of(method.method),
        }
        keep(job.folder, item.stem, record, files)

    def _method(self, job: Job[Method]) -> Timed[Method]:
        if job.method not in self._methods:
            self._methods[job.method] = job.make(self.device)
        return self._methods[job.method]


def blocks_of(set_number: int, wanted: Sequence[tuple[Item, tuple[int, ...]]], images: int) -> list[Block]:
    """Cut the images of a set into blocks of neighbours: they often lie in the same file."""
    return [
        Block(set_number, tuple(wanted[start : start + images])) for start in range(0, len(wanted), images)
    ]

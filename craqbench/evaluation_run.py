"""Do the plans of an evaluation: what is not done yet, in parallel; then conclude."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from craqbench.annotations import AnnotatedSet, Item
from craqbench.engines import Failed, Progress, run_each
from craqbench.errors import AnnotationError, StorageError
from craqbench.evaluation_records import forget, is_done, is_kept
from craqbench.evaluation_summary import Facts
from craqbench.evaluation_task import Block, Job, Missed, Task, blocks_of
from craqbench.results import Failure, Result

__all__ = ["STAGE", "Plan", "Run", "conclude"]

R = TypeVar("R", bound=Result)

STAGE = "evaluating"
"""Stage of `craqbench.engines.Progress`: units are predictions, one for each image and method."""

_LARGEST_BLOCK = 8
_BLOCKS_PER_WORKER = 4
_LONGEST_REASON = 1000
_FATAL = (AnnotationError, StorageError)
"""Errors that no method is to blame for: the set or the disk cannot be relied on, and the run ends."""


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """One method on one set.

    Attributes
    ----------
    annotated, facts, job
        The set, what the result says of it and of the method, and what is to be done.
    here
        Whether in this process, and not in workers.
    """

    annotated: AnnotatedSet
    facts: Facts[R]
    job: Job[Any]
    here: bool


def conclude(plan: Plan[R], missed: Sequence[Missed]) -> R:
    """Return the result of a plan that is done but for what was missed."""
    reasons = {one.image: " ".join(one.reason.split())[:_LONGEST_REASON] for one in missed}
    failures = [
        Failure(image=item.id, reason=reasons[item.id]) for item in plan.annotated if item.id in reasons
    ]
    return plan.facts.summarise(plan.annotated, plan.job.folder, failures)


class Run(Generic[R]):
    """Does what is not done yet, and counts.

    Parameters
    ----------
    plans
        What to do.
    workers, device, progress
        As `craqbench.evaluation.Execution` and `craqbench.evaluation.evaluate` have them.
    """

    def __init__(
        self, plans: Sequence[Plan[R]], workers: int, device: str, progress: Progress | None
    ) -> None:
        self._sets = tuple({id(plan.annotated): plan.annotated for plan in plans}.values())
        numbers = {id(one): number for number, one in enumerate(self._sets)}
        self._plans = plans
        jobs = (dataclasses.replace(p.job, set_number=numbers[id(p.annotated)]) for p in plans)
        self._task = Task(self._sets, tuple(jobs), device)
        self._workers = workers
        self._progress = progress
        self._done = 0
        self._total = sum(len(plan.annotated) for plan in plans)

    def do(self) -> dict[int, list[Missed]]:
        """Return what each job could not do."""
        pending = [self._pending(number) for number in range(len(self._plans))]
        self._done = self._total - sum(map(len, pending))
        self._report(0)
        missed: dict[int, list[Missed]] = defaultdict(list)
        for here in (False, True):
            wanted = {n: items for n, items in enumerate(pending) if items and self._plans[n].here == here}
            for one in self._do(wanted, 1 if here else self._workers):
                missed[one.job].append(one)
        return missed

    def _pending(self, number: int) -> list[Item]:
        """Return the images that a job has not done, and remove what is left of their records."""
        plan, job = self._plans[number], self._task.jobs[number]
        items = [i for i in plan.annotated if not is_done(job.folder, i.stem, i.id, job.kinds)]
        for item in items:
            forget(job.folder, item.stem)
        return items

    def _do(self, wanted: dict[int, list[Item]], workers: int) -> list[Missed]:
        blocks = self._blocks(wanted, workers)
        found = run_each(self._task, blocks, workers=workers, fatal=_FATAL, on_beat=self._report)
        missed = [one for block in found if not isinstance(block, Failed) for one in block]
        # A block fails if its process is killed, or by an error of ours: one by one, the guilty are found.
        alone = list(
            self._alone(b for b, what in zip(blocks, found, strict=True) if isinstance(what, Failed))
        )
        self._done += sum(map(len, wanted.values())) - len(alone)
        again = run_each(self._task, alone, workers=workers, fatal=_FATAL, on_beat=self._report)
        self._done += len(alone)
        for block, what in zip(alone, again, strict=True):
            ((item, (number,)),) = block.images
            missed += [Missed(number, item.id, what.reason)] if isinstance(what, Failed) else what
        return missed

    def _blocks(self, wanted: dict[int, list[Item]], workers: int) -> list[Block]:
        """Cut what is wanted into blocks: an image is read once for all methods."""
        blocks: list[Block] = []
        for set_number, annotated in enumerate(self._sets):
            jobs_of: dict[str, list[int]] = defaultdict(list)
            for number, items in wanted.items():
                if self._task.jobs[number].set_number == set_number:
                    for item in items:
                        jobs_of[item.id].append(number)
            images = [(item, tuple(jobs_of[item.id])) for item in annotated if item.id in jobs_of]
            size = math.ceil(len(images) / (workers * _BLOCKS_PER_WORKER))
            blocks += blocks_of(set_number, images, min(_LARGEST_BLOCK, max(1, size)))
        return blocks

    def _alone(self, blocks: Iterable[Block]) -> Iterable[Block]:
        for block in blocks:
            for item, numbers in block.images:
                for number in numbers:
                    if not is_kept(self._task.jobs[number].folder, item.stem):
                        yield Block(block.set_number, ((item, (number,)),))

    def _report(self, done: int) -> None:
        if self._progress:
            self._progress(STAGE, self._done + done, self._total)

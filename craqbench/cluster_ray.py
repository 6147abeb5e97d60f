"""Shards on a Ray cluster, or on all cores of this machine by Ray.

Ray places the ranks and datatrove runs them. datatrove's own placement (`RayPipelineExecutor.run`, 0.10.1)
waits for ever when a rank's process is killed, or when a node dies while a rank is being placed on it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from craqbench.cluster import Step, failures, finished_rows, local, quiet, ready
from craqbench.engines import RETRIES, Failed
from craqbench.errors import StorageError, UsageError
from craqbench.making import NOTES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from craqbench.configuration import Shard
    from craqbench.rows import Job

__all__ = ["Ray"]

WINDOW = 1000
"""Ranks that Ray is given at a time: it looks at each of them whenever one ends."""

LOST = "its machine or process was lost at every try, most often because memory ran out"


@dataclass(frozen=True)
class Ray:
    """The engine "ray".

    Attributes
    ----------
    address
        Of a running cluster; "auto" is the one that this machine is part of. Empty: the one that RAY_ADDRESS
        names, or else the cores of this machine.
    mem
        GB of memory that each shard reserves; each also reserves one core.
    """

    address: str = ""
    mem: float = 1.0

    def check(self, job: Job) -> None:
        """See `craqbench.making.Engine`."""
        del job
        _knock(self._address)

    @property
    def _address(self) -> str:
        # Without an address, Ray would look for a cluster of this machine, and wait long if that was killed.
        return self.address or os.environ.get("RAY_ADDRESS") or "local"

    def make(
        self, job: Job, layout: Sequence[Shard], wanted: Sequence[Shard], on_beat: Callable[[int], None]
    ) -> Outcome:
        """Make the wanted shards; see `craqbench.making.Engine`."""
        from datatrove.executor import LocalPipelineExecutor  # noqa: PLC0415  an extra

        job = local(job)
        step = Step(job, layout, str(job.folder / NOTES))
        with quiet(), _session(self._address) as (ray, ours):
            numbers = ready(step, wanted)
            runner = LocalPipelineExecutor([step], tasks=step.ranks, logging_dir=step.notes)
            ranks = _Ranks(ray, runner, self.mem, lasting=not ours)
            failed = ranks.run(numbers, lambda: on_beat(finished_rows(job, wanted)))
        return Outcome({layout[rank].file: why for rank, why in failed.items()} | failures(step))

    def preview(self, job: Job, layout: Sequence[Shard]) -> str:
        """Return what would be started."""
        where = f"the Ray cluster at {self.address}" if self.address else "Ray"
        return f"{len(layout)} tasks of 1 CPU and {self.mem:g} GB on {where}, for {job.folder.resolve()}"


@contextlib.contextmanager
def _session(address: str) -> Iterator[tuple[Any, bool]]:
    """Connect to Ray, or start it; yield the module, and whether the connection ends here."""
    ray = importlib.import_module("ray")
    ours = not ray.is_initialized()
    try:
        if ours:
            ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"engine-option address={address}: no Ray cluster there: {error}") from error
    try:
        yield ray, ours
    finally:
        if ours:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise `UsageError` if nobody answers at HOST:PORT: Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except OSError as error:
            raise UsageError(f"engine-option address={address}: no Ray cluster there: {error}") from error


class _Ranks:
    """Ranks on their way through Ray; `lasting` if the session outlives them."""

    def __init__(self, ray: Any, runner: Any, mem: float, *, lasting: bool = False) -> None:
        self._ray, self._runner, self._lasting = ray, ray.put(runner), lasting
        options = {"num_cpus": 1, "memory": int(mem * 1e9), "max_retries": 0}
        self._task = ray.remote(_run_rank).options(**options)
        self._waiting, self._running = deque[int](), dict[Any, int]()
        self._losses: Counter[int] = Counter()
        self._failed: dict[int, Failed] = {}

    def run(self, ranks: Sequence[int], on_change: Callable[[], None]) -> dict[int, Failed]:
        """Run all; return those that failed. A rank that met a fault itself has noted more of it."""
        self._waiting.extend(ranks)
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < WINDOW:
                    rank = self._waiting.popleft()
                    self._running[self._task.remote(self._runner, rank)] = rank
                ended, _ = self._ray.wait(list(self._running), timeout=1.0)
                for task in ended:
                    self._end(task, self._running.pop(task))
                on_change()
        finally:
            # Where the session ends, its tasks do; and cancelling them makes Ray 2.60 crash now and then.
            for task in self._running if self._lasting else ():
                self._ray.cancel(task)
        return self._failed

    def _end(self, task: Any, rank: int) -> None:
        errors = self._ray.exceptions
        try:
            self._ray.get(task)
        except errors.RayTaskError as error:
            if isinstance(error.cause, StorageError):
                raise StorageError(str(error.cause)) from None
            self._failed[rank] = Failed.of(error.cause)
        except errors.RayError:
            self._losses[rank] += 1
            if self._losses[rank] <= RETRIES:
                self._waiting.append(rank)
            else:
                self._failed[rank] = Failed(LOST)


def _run_rank(runner: Any, rank: int) -> None:
    # Not rank 0 of its machine: that one would write its log to the terminal as well.
    runner._run_for_rank(rank, local_rank=1)  # noqa: SLF001  datatrove's executors call it so

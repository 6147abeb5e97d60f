"""Run one task over many items in several processes: progress, safe Ctrl-C, no orphans, no hidden deaths.

Workers are spawned, so they start alike on every platform, and import only what their task needs.
They never see Ctrl-C: the main process asks them to stop, and they do so at their next beat.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import cv2

from craqbench.errors import CraqbenchError, UsageError

__all__ = ["RETRIES", "Beat", "Failed", "Progress", "StoppedError", "run", "run_each", "stop_if_asked"]

RETRIES = 2
"""How often a shard that failed is tried again."""

KILLED = "its process was killed, most often because memory ran out: expected fewer workers or a smaller size"

Progress = Callable[[str, int, int], None]
"""``progress(stage, done, total)``, called in the main process; see `craqbench.generation.generate`."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Beat(Protocol):
    """Called by a task once per row (or file): counts, and raises `StoppedError` if all is to end."""

    def __call__(self, done: int = 1) -> None:
        """`done` more units are finished."""


class StoppedError(Exception):
    """Another task failed or the user pressed Ctrl-C: clean up and return."""


def run(
    task: Callable[[Item, Beat], Result],
    items: Sequence[Item],
    *,
    workers: int,
    on_beat: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return ``[task(item, beat) for item in items]``, made in `workers` processes.

    Parameters
    ----------
    task
        Picklable. It is sent once to each worker, the items one by one.
    items
        Units of work, not too small: each travels through a pipe.
    workers
        1 runs in this process; more start at most ``len(items)`` processes.
    on_beat
        Called in this process with the number of units finished so far.

    Raises
    ------
    UsageError
        If `workers` is not positive.
    CraqbenchError
        If a worker process was killed.
    Exception
        Whatever a task raised first; the other tasks are then stopped at their next beat.
    """
    if workers < 1:
        raise UsageError(f"workers {workers}: expected 1 or more")
    workers = min(workers, len(items))
    if workers <= 1:
        return _run_here(task, items, on_beat)
    return _run_pool(task, items, workers, on_beat)


@dataclass(frozen=True, slots=True)
class Failed:
    """An item that could not be done.

    Attributes
    ----------
    reason
        One line: the kind of error, its message, and where it happened.
    trace
        The traceback of the last try; empty if the process was killed.
    """

    reason: str
    trace: str = field(default="", repr=False)

    @classmethod
    def of(cls, error: Exception) -> Failed:
        """Describe an error. Errors themselves do not travel: not every library's can be pickled."""
        kind = "" if isinstance(error, CraqbenchError) else f"{type(error).__name__}: "
        where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        text = " ".join(f"{kind}{error}".split())
        return cls(f"{text}{where}", "".join(traceback.format_exception(error)))


def run_each(
    task: Callable[[Item, Beat], Result],
    items: Sequence[Item],
    *,
    workers: int,
    fatal: tuple[type[Exception], ...] = (),
    on_beat: Callable[[int], None] | None = None,
) -> list[Result | Failed]:
    """Do as `run`, but let no item stop the others.

    An item whose task raises is tried again `RETRIES` times, after all others. When a worker process is
    killed, the items that were being made are tried again one at a time, each in a process of its own:
    that names the guilty one, and spares memory.

    Parameters
    ----------
    task, items, workers, on_beat
        As in `run`; several workers are other processes even for a single item.
    fatal
        Errors that concern all items: they are raised at once, and the other tasks stop at their next beat.

    Raises
    ------
    UsageError
        If `workers` is not positive.
    Exception
        Any of `fatal`.
    """
    if workers < 1:
        raise UsageError(f"workers {workers}: expected 1 or more")
    attempt: _Attempt[Item, Result] = functools.partial(_attempt, task, (StoppedError, *fatal))
    ledger: _Ledger[Result] = _Ledger(len(items))
    if workers == 1:
        _each_here(attempt, items, ledger, on_beat)
    else:
        _each_in_pools(attempt, items, ledger, workers, on_beat)
    return [ledger.results[number] for number in range(len(items))]


class _Tried(NamedTuple, Generic[Result]):
    """What came of one try, and how many beats it counts for."""

    result: Result | Failed
    beats: int = 0


_Attempt = Callable[[Item, Beat], _Tried[Result]]


def _attempt(
    task: Callable[[Item, Beat], Result], fatal: tuple[type[Exception], ...], item: Item, beat: Beat
) -> _Tried[Result]:
    counted = 0

    def counting(done: int = 1) -> None:
        nonlocal counted
        counted += done
        beat(done)

    try:
        return _Tried(task(item, counting), counted)
    except fatal:
        raise
    except Exception as error:  # noqa: BLE001  whatever went wrong in one item, the others go on
        beat(-counted)
        return _Tried(Failed.of(error))


class _Ledger(Generic[Result]):
    """Numbers of the items that are to be tried, together or alone, and the results of the others."""

    def __init__(self, count: int) -> None:
        self.waiting, self.alone = deque(range(count)), deque[int]()
        self.results: dict[int, Result | Failed] = {}
        self.beats = 0
        self._tries: Counter[int] = Counter()

    def settle(self, number: int, tried: _Tried[Result], again: deque[int]) -> None:
        self._tries[number] += 1
        if isinstance(tried.result, Failed) and self._tries[number] <= RETRIES:
            again.append(number)
        else:
            self.results[number] = tried.result
            self.beats += tried.beats


def _each_here(
    attempt: _Attempt[Item, Result],
    items: Sequence[Item],
    ledger: _Ledger[Result],
    on_beat: Callable[[int], None] | None,
) -> None:
    beat = _counter(on_beat)
    with _one_thread():
        while ledger.waiting:
            number = ledger.waiting.popleft()
            ledger.settle(number, attempt(items[number], beat), ledger.waiting)


def _each_in_pools(
    attempt: _Attempt[Item, Result],
    items: Sequence[Item],
    ledger: _Ledger[Result],
    workers: int,
    on_beat: Callable[[int], None] | None,
) -> None:
    while ledger.waiting or ledger.alone:
        if ledger.waiting:
            ledger.alone += _each_in_pool(attempt, items, ledger, ledger.waiting, workers, on_beat)
        else:
            number = ledger.alone.popleft()
            if _each_in_pool(attempt, items, ledger, deque([number]), 1, on_beat):
                ledger.settle(number, _Tried(Failed(KILLED)), ledger.alone)


def _each_in_pool(
    attempt: _Attempt[Item, Result],
    items: Sequence[Item],
    ledger: _Ledger[Result],
    queue: deque[int],
    workers: int,
    on_beat: Callable[[int], None] | None,
) -> list[int]:
    """Empty the queue; or return what was being made when a worker was killed."""
    before, running = ledger.beats, dict[Future[_Tried[Result]], int]()
    workers = min(workers, len(queue))
    with _pool(attempt, workers) as (submit, done):
        try:
            while queue or running:
                # No more than there are workers: what runs at a worker's death is what may have caused it.
                while queue and len(running) < workers:
                    running[submit(items[queue[0]])] = queue[0]
                    queue.popleft()
                finished, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
                if on_beat:
                    on_beat(before + done())
                for future in finished:
                    tried = future.result()
                    ledger.settle(running.pop(future), tried, ledger.waiting)
        except BrokenProcessPool:
            return list(running.values())
    return []


def _run_here(
    task: Callable[[Item, Beat], Result], items: Sequence[Item], on_beat: Callable[[int], None] | None
) -> list[Result]:
    beat = _counter(on_beat)
    with _one_thread():
        return [task(item, beat) for item in items]


def _counter(on_beat: Callable[[int], None] | None) -> Beat:
    """Return a beat for this process."""
    total = 0

    def beat(done: int = 1) -> None:
        nonlocal total
        total += done
        if on_beat:
            on_beat(total)

    return beat


def _run_pool(
    task: Callable[[Item, Beat], Result],
    items: Sequence[Item],
    workers: int,
    on_beat: Callable[[int], None] | None,
) -> list[Result]:
    try:
        with _pool(task, workers) as (submit, done):
            futures = [submit(item) for item in items]
            pending = set(futures)
            while pending:
                finished, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
                if on_beat:
                    on_beat(done())
                for future in finished:
                    future.result()
            return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise CraqbenchError(
            f"one of {workers} worker processes was killed, most often because memory ran out: expected "
            "fewer workers or a smaller size. What is finished is kept: run the command again to go on"
        ) from error


@contextlib.contextmanager
def _pool(
    task: Callable[[Item, Beat], Result], workers: int
) -> Iterator[tuple[Callable[[Item], Future[Result]], Callable[[], int]]]:
    """Start workers; yield what gives them an item, and what counts their beats."""
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("q", 0)
    executor = ProcessPoolExecutor(workers, context, _start_worker, (task, stop, done))

    def submit(item: Item) -> Future[Result]:
        with interrupts_held():
            return executor.submit(_work, item)

    try:
        # Without its lock: a worker may have been killed with it in hand.
        yield submit, lambda: int(done.get_obj().value)
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let OpenCV use one thread here, as in a worker, and give back what was set."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while children start: they inherit the blocked signal and never see one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """What a worker process was started with."""

    task: Callable[[Any, Beat], Any]
    stop: Any
    done: Any


def _start_worker(task: Callable[[Any, Beat], Any], stop: Any, done: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _Worker.task, _Worker.stop, _Worker.done = staticmethod(task), stop, done
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker at once if the main process is killed: a pool's worker would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _beat(done: int = 1) -> None:
    with _Worker.done.get_lock():
        _Worker.done.value += done
    stop_if_asked()


def stop_if_asked() -> None:
    """Raise `StoppedError` in a worker that is to end: for what takes long between two beats."""
    stop = getattr(_Worker, "stop", None)  # none in the main process
    if stop is not None and stop.is_set():
        raise StoppedError


def _work(item: Any) -> Any:
    return _Worker.task(item, _beat)

"""Run one task over many items in several processes: progress, safe Ctrl-C, no orphans, no hidden deaths.

Workers are spawned, so they start alike on every platform, and import only what their task needs.
They never see Ctrl-C: the main process asks them to stop, and they do so at their next beat.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

import cv2

from craqbench.errors import CraqbenchError, UsageError

__all__ = ["Beat", "Progress", "StoppedError", "run"]

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


def _run_here(
    task: Callable[[Item, Beat], Result], items: Sequence[Item], on_beat: Callable[[int], None] | None
) -> list[Result]:
    total = 0

    def beat(done: int = 1) -> None:
        nonlocal total
        total += done
        if on_beat:
            on_beat(total)

    with _one_thread():
        return [task(item, beat) for item in items]


def _run_pool(
    task: Callable[[Item, Beat], Result],
    items: Sequence[Item],
    workers: int,
    on_beat: Callable[[int], None] | None,
) -> list[Result]:
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("q", 0)
    executor = ProcessPoolExecutor(workers, context, _start_worker, (task, stop, done))
    try:
        with _interrupts_held():
            futures = [executor.submit(_work, item) for item in items]
        pending = set(futures)
        while pending:
            finished, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
            if on_beat:
                on_beat(done.value)
            for future in finished:
                future.result()
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise CraqbenchError(
            f"one of {workers} worker processes was killed, most often because memory ran out: expected "
            "fewer workers or a smaller size. What is finished is kept: run the command again to go on"
        ) from error
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
def _interrupts_held() -> Iterator[None]:
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
    if _Worker.stop.is_set():
        raise StoppedError


def _work(item: Any) -> Any:
    return _Worker.task(item, _beat)

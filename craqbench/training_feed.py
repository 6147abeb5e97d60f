"""Batches, made ahead of their use by other processes.

Workers take numbers in turn and write what they make into a ring of memory that all share: nothing but a
few bytes travels through a pipe. A place in the ring is free again when its batch has been used, so that
workers run ahead by a few batches and no more. What is in a batch depends on its number alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Self

import cv2
import numpy as np

from craqbench.engines import interrupts_held
from craqbench.errors import CraqbenchError
from craqbench.training_data import VALIDATION, Sample, SampleMaker
from craqbench.training_samples import Shapes

__all__ = ["AHEAD", "Feed", "Stack", "make_stack"]

AHEAD = 4
"""Batches that are made before they are asked for."""

COURTESY = 5
"""How much less than the network's the workers' claim on the processor is."""

_WAIT = 1.0


class Stack(NamedTuple):
    """Samples, one after the other; see `craqbench.training_data.Sample` for each.

    Attributes
    ----------
    images, labels, hints
        (N, C, C, 3), (N, C, C) or (N, C, C, 3) and, where wanted, (N, C, C) uint8.
    """

    images: Any
    labels: Any
    hints: Any


def make_stack(maker: SampleMaker, numbers: Sequence[int]) -> Stack:
    """Make samples in this process."""
    made = [maker(number) for number in numbers]
    hints = np.stack([sample.hint for sample in made]) if maker.wanted.shapes.hint else None
    return Stack(np.stack([s.image for s in made]), np.stack([s.labels for s in made]), hints)


class _Ring:
    """Memory for samples, shared with processes that are started with it."""

    def __init__(self, places: int, shapes: Shapes) -> None:
        self.places, self._shapes = places, shapes
        per = sum(math.prod(shape) for shape in shapes if shape)
        self._bytes: Any = multiprocessing.get_context("spawn").RawArray(ctypes.c_uint8, places * per)

    def parts(self) -> Stack:
        """Return views of all places."""
        memory, found = np.frombuffer(self._bytes, np.uint8), list[Any]()
        for shape in self._shapes:
            size = self.places * math.prod(shape) if shape else 0
            found.append(memory[:size].reshape(self.places, *shape) if shape else None)
            memory = memory[size:]
        return Stack(*found)


class _Numbers(NamedTuple):
    """Which sample has its turn when: `lead` for validation, then those for training from `first` on."""

    lead: int
    first: int

    def at(self, turn: int) -> int:
        return VALIDATION + turn if turn < self.lead else self.first + turn - self.lead


class _Shared(NamedTuple):
    """What a worker is started with, beside its maker."""

    ring: _Ring
    free: Any
    next: Any
    numbers: _Numbers


class Feed:
    """Batches in order; use it as a context manager.

    Parameters
    ----------
    maker
        Makes samples.
    batch
        Samples of a batch: batch b has those from ``b * batch`` on.
    first
        The first batch that is wanted.
    workers
        Processes; 0 makes each batch in this process when it is asked for.
    lead
        So many batches for validation come before.
    """

    def __init__(self, maker: SampleMaker, batch: int, first: int, workers: int, lead: int = 0) -> None:
        self._maker, self._batch, self._workers = maker, batch, workers
        self._numbers = _Numbers(lead * batch, first * batch)
        self._taken = 0
        self._done: set[int] = set()
        self._processes: dict[Connection, Any] = {}

    def __enter__(self) -> Self:
        if self._workers:
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        for process in self._processes.values():
            process.terminate()
        for connection, process in self._processes.items():
            process.join()
            connection.close()
        self._processes = {}

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ring = _Ring(AHEAD * self._batch, self._maker.wanted.shapes)
        self._ring, self._parts = ring, ring.parts()
        self._free = context.Semaphore(ring.places)
        # Kept: what is locked with is gone from the system as soon as nobody here holds it.
        self._shared = shared = _Shared(ring, self._free, context.Value("q", 0), self._numbers)
        for _ in range(self._workers):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(self._maker, shared, theirs), daemon=True)
            with interrupts_held():
                process.start()
            theirs.close()
            self._processes[ours] = process

    def take(self) -> Stack:
        """Return the next batch.

        Raises
        ------
        CraqbenchError
            If a worker failed or was killed.
        """
        turns = range(self._taken, self._taken + self._batch)
        self._taken += self._batch
        if not self._workers:
            return make_stack(self._maker, [self._numbers.at(turn) for turn in turns])
        while not self._done.issuperset(turns):
            self._listen()
        self._done.difference_update(turns)
        begin = turns[0] % self._ring.places
        stack = Stack(*(part if part is None else part[begin:][: self._batch].copy() for part in self._parts))
        for _ in turns:
            self._free.release()
        return stack

    def _listen(self) -> None:
        """Wait for news of the workers."""
        sentinels = {process.sentinel: process for process in self._processes.values()}
        ready = wait([*self._processes, *sentinels], timeout=_WAIT)
        for thing in ready:
            if isinstance(thing, Connection):
                self._read(thing)
        if any(thing in sentinels for thing in ready if not isinstance(thing, Connection)):
            self._complain()

    def _read(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError):
            while connection.poll():
                news = connection.recv()
                if isinstance(news, int):
                    self._done.add(news)
                else:
                    raise CraqbenchError(f"a sample could not be made: {news[0]}") from news[1]

    def _complain(self) -> None:
        """Say how a worker died, unless it has said so itself."""
        for connection in self._processes:
            self._read(connection)
        for process in self._processes.values():
            process.join(0.1)
        codes = [process.exitcode for process in self._processes.values() if process.exitcode is not None]
        raise CraqbenchError(
            f"one of {self._workers} worker processes died (exit code {codes[0] if codes else 'unknown'}), "
            "most often because memory ran out: expected fewer workers. The last checkpoint is kept: run the "
            "command again to go on"
        )


def _work(maker: SampleMaker, shared: _Shared, news: Connection) -> None:
    """Make samples for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    if hasattr(os, "nice"):
        os.nice(COURTESY)
    parts = shared.ring.parts()
    while True:
        shared.free.acquire()
        with shared.next.get_lock():
            turn = shared.next.value
            shared.next.value += 1
        number = shared.numbers.at(turn)
        try:
            _put(maker(number), parts, turn % shared.ring.places)
        except Exception as error:  # noqa: BLE001  the main process says what is wrong
            news.send(_told(error, number))
            return
        news.send(turn)


def _put(sample: Sample, parts: Stack, place: int) -> None:
    parts.images[place] = sample.image
    parts.labels[place] = sample.labels
    if parts.hints is not None:
        parts.hints[place] = sample.hint


def _told(error: Exception, number: int) -> tuple[str, Exception | None]:
    """Return what is wrong in words and, if it can travel, the error."""
    text = f"number {number}: {type(error).__name__}: {error}"
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own error, there and back
    except Exception:  # noqa: BLE001  not every error can be pickled
        return text, None
    return text, error


def _end_with_parent() -> None:
    """End this worker if the main process is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

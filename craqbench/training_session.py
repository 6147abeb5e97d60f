"""A session of a training run: how fast it goes, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

__all__ = ["Pace", "interrupts"]


class Pace:
    """Images per second, over the last steps."""

    def __init__(self, batch: int, memory: float = 0.9) -> None:
        self._batch, self._memory = batch, memory
        self._last, self._mean = time.monotonic(), 0.0
        self.taken = 0.0

    def rest(self) -> float:
        """Return the seconds since the last step, and leave them out of the rate."""
        before, self._last = self._last, time.monotonic()
        return self._last - before

    def tick(self) -> float:
        """Note a step, and return the rate."""
        self.taken = max(1e-6, self.rest())
        kept = self._memory if self._mean else 0.0
        self._mean = kept * self._mean + (1 - kept) * self.taken
        return self._batch / self._mean


@contextlib.contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Let the first Ctrl-C be noted only; the second one is as ever."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)

"""What passed through the local hub, and faults on demand."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from local_hub_http import Answer, as_json

if TYPE_CHECKING:
    from local_hub_http import Call

Where = Literal["before", "upload", "processed", "download"]


class Calls:
    """All requests since the start, or since `clear`; safe to read while they come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        """Write a line."""
        with self._lock:
            self._calls.append(call)

    def amend(self, old: Call, new: Call) -> None:
        """Correct a line."""
        with self._lock:
            self._calls = [new if call is old else call for call in self._calls]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._calls.clear()

    def matching(self, pattern: str = "") -> list[Call]:
        """Return the calls whose "METHOD /path?query" has the regular expression somewhere."""
        with self._lock:
            return [call for call in self._calls if re.search(pattern, call.line)]

    def count(self, pattern: str = "") -> int:
        """Return how many calls match."""
        return len(self.matching(pattern))

    def received(self, pattern: str = "") -> int:
        """Return the bytes of bodies that matching calls brought."""
        return sum(call.received for call in self.matching(pattern))

    def sent(self, pattern: str = "") -> int:
        """Return the bytes of bodies that matching calls took away."""
        return sum(call.sent for call in self.matching(pattern))


@dataclass
class Fault:
    """A fault for some calls: from the `nth` matching one on, `times` in a row.

    Attributes
    ----------
    answer
        What is answered in place of the truth; None to cut the connection.
    where, after
        Where it is cut: "before" anything is read; in the "upload", or in the "download", when
        `after` bytes of the body have passed; or "processed", with the work done and no answer.
    seen, struck
        How many calls have matched; how many were hit.
    """

    pattern: str
    nth: int
    times: int
    answer: Answer | None = None
    where: Where = "before"
    after: int = 0
    seen: int = 0
    struck: int = 0

    def cuts(self, where: Where) -> bool:
        """Return whether it cuts a connection there."""
        return self.answer is None and self.where == where

    @property
    def exhausted(self) -> bool:
        """Whether it has hit all that it was to hit."""
        return self.struck >= self.times


class Faults:
    """Faults on demand, each counting the calls that match it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def cut(
        self, pattern: str = "", *, nth: int = 1, times: int = 1, where: Where = "before", after: int = 0
    ) -> Fault:
        """Cut the connection of matching calls (see `Fault`); return the fault, to count its hits."""
        return self._add(Fault(pattern, nth, times, None, where, after))

    def answer(
        self, status: int, pattern: str = "", *, nth: int = 1, times: int = 1, retry_after: int | None = None
    ) -> Fault:
        """Answer matching calls with an error status and nothing done; return the fault."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return self._add(Fault(pattern, nth, times, as_json({"error": "on demand"}, status, headers)))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self, line: str) -> Fault | None:
        """Count a call, and return the fault that hits it."""
        hit: Fault | None = None
        with self._lock:
            for fault in self._faults:
                if re.search(fault.pattern, line):
                    fault.seen += 1
                    if hit is None and fault.seen >= fault.nth and not fault.exhausted:
                        fault.struck += 1
                        hit = fault
        return hit

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

"""What a process may take that reads what strangers sent, and what it is told of its surroundings.

Nothing but the standard library may be imported here: `leaderboard.scoring_process` comes first of all.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import NamedTuple

try:
    import resource
except ImportError:  # Windows: for a board or a submission of one's own, without limits
    resource = None  # type: ignore[assignment]

__all__ = ["Resources", "child_environment", "how_ended", "limit_process"]

_FILES = 64


class Resources(NamedTuple):
    """What a process may take.

    Attributes
    ----------
    memory
        Bytes of data.
    seconds
        Of a processor.
    patience
        Seconds on the clock, for a busy machine.
    file_bytes
        Of each file that it writes, and of its answer.
    """

    memory: int = 400_000_000
    seconds: int = 10
    patience: float = 120.0
    file_bytes: int = 1_000_000


def limit_process(resources: Resources) -> None:
    """Take away from this process, for good, what it does not need."""
    if resource is None:
        return
    wanted = {
        "RLIMIT_DATA": resources.memory,
        "RLIMIT_CPU": resources.seconds,
        "RLIMIT_FSIZE": resources.file_bytes,
        "RLIMIT_NOFILE": _FILES,
        "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            with contextlib.suppress(ValueError, OSError):  # a lower limit of the system stays
                resource.setrlimit(kind, (most, most))


def child_environment() -> dict[str, str]:
    """Return what a child needs to find this package, and no secret that the parent may have."""
    home = str(Path(__file__).resolve().parents[1])
    found = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, **threads, "PYTHONPATH": found, "ARROW_DEFAULT_MEMORY_POOL": "system", "PYTHONUTF8": "1"}


def how_ended(code: int, resources: Resources) -> str:
    """Return in words why a process ended with an exit code other than 0."""
    if code == -signal.SIGXCPU:
        return f"it took more than {resources.seconds} s of a processor"
    if code == -signal.SIGKILL:
        return f"it took more than {resources.seconds} s of a processor, or all memory there is"
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"it ended by itself ({how})"

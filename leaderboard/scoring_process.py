"""Processes that score: each has so much memory and time, no network, and no secret but the labels.

Two of them take part in a scoring. The first unpacks what a stranger sent and is given no labels; the second
has the labels and sees only plain px, which no decoder looks at. Neither inherits an environment with tokens.
Both may read the files that their user may: who does not trust a decoder that far runs workers in a container
with the private folder alone.

No network, in this order, as the system allows:

================ ======================================================================================
``namespace``    Linux: the process is alone in a network namespace without devices; whatever runs in it,
                 Python or not, reaches nobody. Needs user namespaces, which some systems forbid.
``audit hook``   elsewhere: Python refuses sockets and further processes. Code that is not Python's could
                 still ask the system; there is none here but that of NumPy, OpenCV, SciPy, Arrow and Pillow.
================ ======================================================================================

The hook is there in either case. Which of them held stands in every result.

Nothing but the standard library may be imported at the top, nor by `leaderboard.process_limits`: the
namespace comes first, since it is only for a process without threads, and NumPy starts some.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from importlib import import_module
from typing import Any

from leaderboard.process_limits import Resources, child_environment, how_ended, limit_process

__all__ = ["COUNT", "UNPACK", "Answer", "Ended", "isolate", "run_apart"]

UNPACK, COUNT = "leaderboard.scoring_unpacking", "leaderboard.scoring_counting"
"""What may run: a module with ``work(order, board) -> dict``."""

NAMESPACE, HOOK = "namespace", "audit hook"

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "pty.",
)
_NO_ROOM = 74
"""Exit code: what was found could not be written."""

Answer = dict[str, Any]


class Ended(Exception):  # noqa: N818  reads like what it says
    """A process that did not answer, and why, in words that anybody may read."""


def run_apart(module: str, order: Answer, board: bytes, resources: Resources) -> Answer:
    """Let a module do its work in a process of its own.

    Parameters
    ----------
    module
        `UNPACK` or `COUNT`.
    order
        JSON types.
    board
        Its description, see `leaderboard.board`.
    resources
        What it may take.

    Returns
    -------
    What ``work`` returned; or one of ``{"storage": MESSAGE}``, ``{"memory": true}`` and
    ``{"error": NAME, "details": TRACEBACK}``. Details may hold anything that the process knew.

    Raises
    ------
    Ended
        If it was ended by a limit or a signal.
    """
    told = {"module": module, "parent": os.getpid(), **resources._asdict(), "order": order}
    with tempfile.TemporaryFile() as answer:
        try:
            code = subprocess.run(
                [sys.executable, "-s", "-P", "-m", "leaderboard.scoring_process"],
                input=json.dumps(told).encode() + b"\n" + board,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
                timeout=resources.patience,
                check=False,
                start_new_session=True,  # Ctrl-C is for the worker, which then ends this process
            ).returncode
        except subprocess.TimeoutExpired:
            raise Ended(f"it took more than {resources.patience:.0f} s") from None
        answer.seek(0)
        text = answer.read()
    if code == _NO_ROOM:
        return {"storage": f"{tempfile.gettempdir()} has no room for an answer: expected free space"}
    if code:
        raise Ended(how_ended(code, resources))
    found: Answer = json.loads(text)
    return found


def isolate() -> str:
    """Cut this process off from the network, for good; return how."""
    how = NAMESPACE if _leave_network() else HOOK
    sys.addaudithook(_refuse)
    return how


def _leave_network() -> bool:
    if sys.platform != "linux":
        return False
    try:
        system = ctypes.CDLL(None, use_errno=True)
        return bool(system.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)
    except (OSError, AttributeError):
        return False


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event}: expected neither network nor further processes while scoring")


def _end_with(parent: int) -> None:
    """End when the worker does, where the system can see to that: nobody waits for the answer."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)


def main() -> None:
    """Do what the order on stdin says, and answer on stdout."""
    told = json.loads(sys.stdin.buffer.readline())
    _end_with(told["parent"])
    network = isolate()
    limit_process(Resources(*(told[name] for name in Resources._fields)))
    answer = _answer(told["module"], told["order"], sys.stdin.buffer.read())
    try:
        sys.stdout.buffer.write(json.dumps({**answer, "network": network}).encode())
        sys.stdout.buffer.flush()
    except OSError:
        os._exit(_NO_ROOM)  # closing stdout would fail once more


def _answer(module: str, order: Answer, board: bytes) -> Answer:
    if module not in (UNPACK, COUNT):
        raise ValueError(module)
    try:
        found: Answer = import_module(module).work(order, board)
    except MemoryError:
        return {"memory": True}
    except OSError as error:  # no file of a stranger is read from a disk but by readers that refuse it
        return {"storage": str(error)}
    except Exception as error:  # noqa: BLE001  whatever it is, the parent decides what is told of it
        if type(error).__name__ == "StorageError":
            return {"storage": str(error)}
        return {"error": type(error).__name__, "details": traceback.format_exc()}
    return found


if __name__ == "__main__":
    main()

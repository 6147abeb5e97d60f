"""Check a submission in a process of its own, which may take little memory and time, and can do little else.

pyarrow and Pillow are C++ and C: what a fuzzer finds in them tomorrow ends a process that holds no secret,
may write no file, and whose end is a refusal. A page of a Parquet file may also claim to unpack to any size;
the limit of memory is what such claims run into, before a byte is unpacked. Starting the process costs a
fifth of a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from leaderboard.board import Board, board_bytes, read_board
from leaderboard.process_limits import Resources, child_environment, how_ended, limit_process
from leaderboard.submission_checking import METADATA, PREDICTIONS, Checked, check
from leaderboard.submission_metadata import read_metadata
from leaderboard.submission_rules import Refusal, Refused, refused

__all__ = ["check_apart", "resources_for"]


def resources_for(board: Board) -> Resources:
    """Return what checking a submission to a board may take: time grows with its px, memory does not."""
    megapixels = sum(image.width * image.height for image in board.images) * board.channels / 1e6
    seconds = 10 + round(0.2 * megapixels)
    return Resources(seconds=seconds, patience=60.0 + 6 * seconds)


def check_apart(board: Board, folder: Path, resources: Resources | None = None) -> Checked:
    """Check ``submission.json`` and, where it is there, ``predictions.parquet`` of a folder.

    Parameters
    ----------
    board
        What they have to fit.
    folder
        Private: nobody else may change the files meanwhile.
    resources
        In place of `resources_for`.

    Raises
    ------
    Refused
        See `leaderboard.submission_checking.check`; by the rule ``resources`` if the process took too much.
    RuntimeError
        If the fault is ours.
    """
    resources = resources or resources_for(board)
    with tempfile.TemporaryFile() as answer:
        try:
            code = _run(board, folder, resources, answer.fileno())
        except subprocess.TimeoutExpired:
            raise refused("resources", f"it took more than {resources.patience:.0f} s") from None
        answer.seek(0)
        text = answer.read(resources.file_bytes)
    if code:
        raise refused("resources", f"{how_ended(code, resources)}: expected sound files that take less")
    told = json.loads(text)
    if "error" in told:
        raise RuntimeError(told["error"])
    if "refusals" in told:
        raise Refused([Refusal(**refusal) for refusal in told["refusals"]])
    return Checked(read_metadata((folder / METADATA).read_bytes()), told["digest"])


def _run(board: Board, folder: Path, resources: Resources, answer: int) -> int:
    order = {"folder": str(folder.absolute()), **resources._asdict()}
    return subprocess.run(
        [sys.executable, "-s", "-P", "-m", "leaderboard.submission_process"],
        input=json.dumps(order).encode() + b"\n" + board_bytes(board),
        stdout=answer,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
        timeout=resources.patience,
        check=False,
    ).returncode


def main() -> None:
    """Do what the order on stdin says, and answer on stdout."""
    order = json.loads(sys.stdin.buffer.readline())
    limit_process(Resources(*(order[name] for name in Resources._fields)))
    print(json.dumps(_answer(Path(order["folder"]), sys.stdin.buffer.read())))  # noqa: T201  the answer


def _answer(folder: Path, board: bytes) -> dict[str, object]:
    table = folder / PREDICTIONS
    try:
        data = (folder / METADATA).read_bytes()
        checked = check(read_board(board, "the board"), data, table if table.exists() else None)
    except Refused as error:
        return {
            "refusals": [{"rule": r.rule, "problem": r.problem, "image": r.image} for r in error.refusals]
        }
    except MemoryError:
        problem = "it unpacks to more than the memory it may take: expected smaller pictures or row groups"
        return {"refusals": [{"rule": "resources", "problem": problem, "image": None}]}
    except Exception:  # noqa: BLE001  whatever it is, it is ours, and the parent tells it
        return {"error": traceback.format_exc()}
    return {"digest": checked.digest}


if __name__ == "__main__":
    main()

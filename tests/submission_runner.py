"""Check submissions one after the other in this process, with the server's limits; a program for tests.

    python -m submission_runner HOME COUNT MUTATIONS

prints JSON: of each folder HOME/0, HOME/1, ... what came of it and what it took, and of HOME/sound.parquet
with bytes changed at random how often it was refused and accepted.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from leaderboard.board import load_board
from leaderboard.process_limits import Resources, limit_process
from leaderboard.submission import METADATA, PREDICTIONS
from leaderboard.submission_checking import check
from leaderboard.submission_rules import Refused


def outcome(folder: Path) -> dict[str, Any]:
    """Check a folder; return rules, messages, the peak of memory (bytes) and processor seconds."""
    board = load_board(folder / "board.json")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    start = time.process_time()
    try:
        check(board, (folder / METADATA).read_bytes(), folder / PREDICTIONS)
        told: list[tuple[str, str | None, str]] = []
    except Refused as error:
        told = [(r.rule, r.image, str(r)) for r in error.refusals]
    except MemoryError:
        told = [("resources", None, "")]
    seconds = time.process_time() - start
    return {"refusals": told, "peak": peak(), "seconds": seconds}


def peak() -> int:
    """Return the largest resident memory since it was begun anew, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def mutate(home: Path, count: int) -> dict[str, int]:
    """Check a sound file with some bytes changed; return how often it was refused, and accepted."""
    board, told = load_board(home / "board.json"), (home / METADATA).read_bytes()
    sound, rng = (home / "sound.parquet").read_bytes(), random.Random(0)  # noqa: S311  no secret
    found = {"refused": 0, "accepted": 0}
    path = home / "mutated.parquet"
    for _ in range(count):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            check(board, told, path)
            found["accepted"] += 1
        except (Refused, MemoryError):
            found["refused"] += 1
    return found


def main() -> None:
    """Do what the command line says."""
    home, count, mutations = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    limit_process(Resources(seconds=120))
    cases = [outcome(home / str(number)) for number in range(count)]
    print(json.dumps({"cases": cases, "mutations": mutate(home, mutations)}))  # noqa: T201  the answer


if __name__ == "__main__":
    main()

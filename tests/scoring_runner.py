"""Many workers at one board: a program for tests, since a fork of pytest would carry its threads along.

    python -m scoring_runner killed HOME KILLS
    python -m scoring_runner together HOME WORKERS SUBMITTERS
    python -m scoring_runner full HOME BYTES

HOME is that of `scoring_samples.new_leaderboard`; submissions that are to be sent lie in HOME/ready. Prints
JSON.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from store_runner import forked, kill_before, tell, told

from craqbench.errors import StorageError
from leaderboard.board import load_board
from leaderboard.scoring import work
from leaderboard.store import Store, open_store
from leaderboard.submission import METADATA, PREDICTIONS, received_folder
from leaderboard.submission_checking import check

MOST_STEPS = 60
"""Calls that change something on the disk, about, while two entries are scored."""


def score(home: Path, step: int = 0) -> None:
    """Score all that waits, and say how many; be killed before a step, if one is given."""
    store = open_store(str(home / "store"))
    if step:
        kill_before(step)
    tell(home / "scored", str(work(store, home / "private").scored))


def killed(home: Path, kills: int) -> Any:
    """Kill workers, one after the other, at random steps and at random times; then let one finish."""
    rng = random.Random(4)  # noqa: S311  no secret
    hit = 0
    for kill in range(kills):
        left = _unscored(open_store(str(home / "store")))
        by_step = kill % 2
        number = forked(partial(score, home, rng.randint(1, MOST_STEPS) if by_step else 0))
        if not by_step:
            time.sleep(rng.uniform(0, 3))
            os.kill(number, signal.SIGKILL)
        status = os.waitpid(number, 0)[1]
        hit += os.WIFSIGNALED(status) and left > 0
    code = os.waitpid(forked(partial(score, home)), 0)[1]
    return {"hit": hit, "code": code, "scored": [*map(int, told(home / "scored"))]}


def _unscored(store: Store) -> int:
    results = [path for path in store.files.names("submissions") if path.endswith("result.json")]
    return len(store.accepted()) - len(results)


def together(home: Path, workers: int, submitters: int) -> Any:
    """Let workers score while submitters submit, all beginning at the same moment."""
    ready, go = os.pipe()
    names = sorted(path.name for path in (home / "ready").iterdir())[:submitters]

    def submit(name: str) -> None:
        store, board = open_store(str(home / "store")), load_board(home / "public")
        os.read(ready, 1)
        with received_folder(home / "ready" / name, board) as parcel:
            data = parcel.files[METADATA].path.read_bytes()
            checked = check(board, data, parcel.files[PREDICTIONS].path)
            tell(home / "told", store.accept(parcel, checked, f"account-{name}").entry)

    def worker() -> None:
        os.read(ready, 1)
        while len(told(home / "told")) < submitters or _unscored(open_store(str(home / "store"))):
            score(home)
            time.sleep(0.05)
        score(home)

    running = [forked(worker) for _ in range(workers)] + [forked(partial(submit, name)) for name in names]
    os.write(go, b"x" * len(running))
    codes = [os.waitpid(number, 0)[1] for number in running]
    return {"codes": codes, "told": told(home / "told"), "scored": [*map(int, told(home / "scored"))]}


def full(home: Path, most: int) -> Any:
    """Score where no file can be larger than so many bytes."""

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        try:
            score(home)
        except StorageError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            tell(home / "errors", str(error).replace(" ", "_"))

    code = os.waitpid(forked(run), 0)[1]
    return {"code": code, "errors": told(home / "errors")}


def main() -> None:
    """Do what the command line says."""
    do, home, *numbers = sys.argv[1:]
    jobs: dict[str, Callable[..., Any]] = {"killed": killed, "together": together, "full": full}
    print(json.dumps(jobs[do](Path(home), *map(int, numbers))))  # noqa: T201  the answer


if __name__ == "__main__":
    main()

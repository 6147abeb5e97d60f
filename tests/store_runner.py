"""Many processes at one store: a program for tests, since a fork of pytest would carry its threads along.

    python -m store_runner together HOME STORE PROCESSES EACH ACCOUNTS DIGESTS
    python -m store_runner killed HOME STORE KILLS
    python -m store_runner steps HOME STORE
    python -m store_runner full HOME STORE BYTES
    python -m store_runner work HOME STORE KILLS WORKERS

prints JSON.
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
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from store_samples import submission

from craqbench.errors import StorageError
from leaderboard import store_files
from leaderboard.store import Store, open_store
from leaderboard.store_scores import Scores
from leaderboard.submission import Refused


def forked(do: Callable[[], object]) -> int:
    """Do something in a process of its own, and return its number at once."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        do()
        code = 0
    finally:
        os._exit(code)


def tell(path: Path, text: str) -> None:
    """Append a line in one piece."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{text}\n".encode())
    os.close(file)


def told(path: Path) -> list[str]:
    """Return all lines."""
    return path.read_text().split() if path.exists() else []


def submit(home: Path, store: Store, name: str, account: str, digest: str = "") -> str:
    """Submit something, and return its entry, or the rule that refuses it."""
    parcel, checked = submission(home / name, name)
    if digest:
        checked = checked._replace(digest=digest)
    try:
        return store.accept(parcel, checked, account).entry
    except Refused as error:
        return error.refusals[0].rule


def together(home: Path, address: str, processes: int, each: int, accounts: int, digests: int) -> Any:
    """Let processes submit at once, under so many accounts, and of so many different predictions."""
    ready, go = os.pipe()

    def run(number: int) -> None:
        store = open_store(address)
        os.read(ready, 1)
        for count in range(each):
            name = f"{number}-{count}"
            digest = f"{number % digests:064x}" if digests else ""
            tell(home / "told", submit(home, store, name, f"account-{number % accounts}", digest))

    numbers = [forked(partial(run, number)) for number in range(processes)]
    os.write(go, b"x" * processes)
    codes = [os.waitpid(number, 0)[1] for number in numbers]
    return {"codes": codes, "told": told(home / "told")}


def killed(home: Path, address: str, kills: int) -> Any:
    """Kill a process that submits, at random moments; return the receipts that it gave out."""
    rng = random.Random(1)  # noqa: S311  no secret
    for kill in range(kills):

        def run(kill: int = kill) -> None:
            store = open_store(address)
            for count in range(10_000):
                tell(home / "told", submit(home, store, f"{kill}-{count}", "ada"))

        number = forked(run)
        wanted = len(told(home / "told")) + rng.randint(0, 3)
        while len(told(home / "told")) < wanted:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.03))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
    return {"told": told(home / "told")}


def steps(home: Path, address: str) -> Any:
    """Kill a process before each single thing that it asks of the disk while it submits."""
    counts = []
    for last in range(1, 1000):

        def run(last: int = last) -> None:
            store = open_store(address)
            kill_before(last)
            tell(home / "told", submit(home, store, f"{last}", "ada"))

        status = os.waitpid(forked(run), 0)[1]
        counts.append(len(open_store(address).accepted()))
        if not os.WIFSIGNALED(status):
            break
    return {"counts": counts, "told": told(home / "told")}


def kill_before(step: int) -> None:
    """Let this process be killed before the so-and-so-many-th call that changes something on the disk."""
    left = [step]

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return ask

    for name in ("link", "fsync", "unlink", "mkdir"):
        setattr(os, name, watched(getattr(os, name)))
    store_files._write = watched(store_files._write)
    Path.open = watched(Path.open)  # type: ignore[method-assign]


def full(home: Path, address: str, most: int) -> Any:
    """Submit where a file cannot be larger than so many bytes, and then where it can."""
    sound = submission(home / "sound", "a")

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        store = open_store(address)
        try:
            store.accept(*sound, "ada")
        except StorageError as error:
            tell(home / "told", str(error).replace(" ", "_"))

    os.waitpid(forked(run), 0)
    first = len(open_store(address).accepted())
    open_store(address).accept(*sound, "ada")
    return {"told": told(home / "told"), "first": first, "second": len(open_store(address).accepted())}


def work(home: Path, address: str, kills: int, workers: int) -> Any:
    """Let workers score all submissions, and kill one after the other: five amid a claim, then at random."""
    rng = random.Random(2)  # noqa: S311  no secret
    lease = timedelta(seconds=0.1)

    def run(*, mortal: bool = False) -> None:
        store = open_store(address)
        scores = Scores(store, "1")
        log = store.accepted()
        while any(state.state != "scored" for state in scores.all_progress(log).values()):
            for one in log:
                claim = scores.claim(one, "worker", lease=lease, now=datetime.now(UTC))
                if claim and mortal:
                    os.kill(os.getpid(), signal.SIGKILL)
                if claim:
                    time.sleep(0.003)
                    if scores.finish(claim, f'{{"by": "{claim.nonce}"}}'.encode()):
                        tell(home / "told", one.entry)

    amid = 5
    for _ in range(amid):
        os.waitpid(forked(partial(run, mortal=True)), 0)
    running = [forked(run) for _ in range(workers)]
    for _ in range(kills - amid):
        time.sleep(rng.uniform(0.002, 0.06))
        victim = running.pop(0)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        running.append(forked(run))
    codes = [os.waitpid(number, 0)[1] for number in running]
    return {"codes": codes, "told": told(home / "told")}


def main() -> None:
    """Do what the command line says."""
    do, home, address, *numbers = sys.argv[1:]
    jobs: dict[str, Callable[..., Any]] = {
        "together": together,
        "killed": killed,
        "steps": steps,
        "full": full,
        "work": work,
    }
    print(json.dumps(jobs[do](Path(home), address, *map(int, numbers))))  # noqa: T201  the answer


if __name__ == "__main__":
    main()

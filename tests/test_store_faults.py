"""Nothing is lost, torn or doubled: many processes at once, killed ones, full disks. Counted."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from local_hub import (
    ORG,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from store_samples import GENEROUS, check_store, new_store, submission

from craqbench.errors import StorageError
from craqbench.hub import Head
from craqbench.hub_errors import HubError
from leaderboard import store_files
from leaderboard.store import folder_of, open_store
from leaderboard.store_hub import HubFiles
from leaderboard.store_records import SUBMISSIONS
from leaderboard.store_scores import Scores
from leaderboard.submission import Refused

pytestmark = client_warnings

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., Any]

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")


@pytest.fixture(name="run")
def runner(tmp_path: Path) -> Run:
    """Return a function that lets processes loose on the store of this test."""

    def run(do: str, *numbers: int) -> Any:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
        (tmp_path / do).mkdir()
        words = [do, str(tmp_path / do), str(tmp_path / "store"), *map(str, numbers)]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "store_runner", *words],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@forks
def test_twenty_at_once(tmp_path: Path, run: Run) -> None:
    """Of twenty processes that submit three each at the same moment every submission is accepted once."""
    store = new_store(tmp_path / "store", GENEROUS)
    found = run("together", 20, 3, 20, 0)
    log = check_store(store)
    assert found["codes"] == [0] * 20
    assert len(log) == 60
    assert {one.entry for one in log} == {*found["told"]}
    assert Counter(one.account for one in log) == Counter({f"account-{n}": 3 for n in range(20)})


@forks
def test_twenty_of_one_account(tmp_path: Path, run: Run) -> None:
    """Of twenty submissions of one account at once one is accepted, and nothing is left of the others."""
    store = new_store(tmp_path / "store")
    found = run("together", 20, 1, 1, 0)
    (one,) = check_store(store)
    assert Counter(found["told"]) == Counter({"quota-day": 19, one.entry: 1})
    assert {path.split("/")[1] for path in store.files.names(SUBMISSIONS)} == {one.entry}


@forks
def test_twenty_of_the_same_predictions(tmp_path: Path, run: Run) -> None:
    """Of twenty accounts that submit the same predictions at the same moment one is accepted."""
    store = new_store(tmp_path / "store")
    found = run("together", 20, 1, 20, 1)
    (one,) = check_store(store)
    assert Counter(found["told"]) == Counter({"replayed": 19, one.entry: 1})


@forks
def test_killed_at_random(tmp_path: Path, run: Run) -> None:
    """Killed forty times at random, what a submitter was told is there, once, and nothing is torn."""
    store = new_store(tmp_path / "store", GENEROUS)
    receipts = run("killed", 40)["told"]
    log = check_store(store)
    assert len(receipts) == len({*receipts})
    assert {*receipts} <= {one.entry for one in log}
    assert len(log) - len(receipts) <= 40  # those who were killed before they could tell
    assert len(receipts) > 40


@forks
def test_killed_at_every_step(tmp_path: Path, run: Run) -> None:
    """Killed before each thing asked of the disk, a submission is accepted wholly or not at all."""
    store = new_store(tmp_path / "store", GENEROUS)
    found = run("steps")
    log = check_store(store)
    assert len(found["counts"]) > 15
    assert found["counts"][0] == 0
    assert found["counts"][-1] == len(log)
    assert {*found["told"]} <= {one.entry for one in log}
    accepted = {folder_of(one.entry) for one in log}
    orphans = {path.rsplit("/", 1)[0] for path in store.files.names(SUBMISSIONS)} - accepted
    assert orphans  # cut off before the log had them: nothing was promised


@forks
def test_no_room_for_a_file(tmp_path: Path, run: Run) -> None:
    """Where a file cannot be written wholly nothing is accepted, and once there is room, it is."""
    store = new_store(tmp_path / "store")
    found = run("full", 1000)
    assert (found["first"], found["second"]) == (0, 1)
    assert "File_too_large" in found["told"][0]
    assert len(check_store(store)) == 1
    assert not list((tmp_path / "store").rglob("*.part"))


@pytest.mark.parametrize("where", ["link", "fsync", "write", "mkdir"])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Wherever the disk says that it is full, nothing is half there, and the next try succeeds."""
    store, failures = new_store(tmp_path / "store", GENEROUS), 0
    calls: list[int] = [0, 0]  # so far, and the one that fails
    target = (store_files, "_write") if where == "write" else (os, where)
    real = getattr(*target)

    def ask(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == calls[1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **options)

    monkeypatch.setattr(*target, ask)
    for calls[1] in range(1, 8):
        calls[0] = 100
        before = len(store.accepted())
        parcel = submission(tmp_path / "mine", f"{calls[1]}")
        calls[0] = 0
        try:
            store.accept(*parcel, "ada")
        except StorageError:
            failures += 1
            assert len(store.accepted()) == before
            calls[0] = 100
            store.accept(*parcel, "ada")
        assert len(check_store(store)) == before + 1
    assert failures
    entries = {folder_of(one.entry) for one in store.accepted()}
    assert {path.rsplit("/", 1)[0] for path in store.files.names(SUBMISSIONS)} == entries
    assert not list((tmp_path / "store").rglob("*.part"))


def test_interrupted_after_the_log_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the moment after a submission was accepted does not remove what the log names."""
    store = new_store(tmp_path / "store")
    real = store.files.create

    def create(*arguments: Any) -> bool:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(store.files, "create", create)
    with pytest.raises(KeyboardInterrupt):
        store.accept(*submission(tmp_path / "mine", "a"), "ada")
    assert len(check_store(open_store(str(tmp_path / "store")))) == 1


@forks
def test_workers_are_killed(tmp_path: Path, run: Run) -> None:
    """With four workers, and fifty killed, five amid a claim, each submission is scored once."""
    store = new_store(tmp_path / "store", GENEROUS)
    for number in range(30):
        store.accept(*submission(tmp_path / "mine", f"{number}"), "ada", now=datetime.now(UTC))
    found = run("work", 50, 4)
    log = check_store(store)
    progress = Scores(store, "1").all_progress()
    assert found["codes"] == [0] * 4
    assert [one.state for one in progress.values()] == ["scored"] * 30
    told = Counter(found["told"])
    assert not told - Counter(one.entry for one in log)
    results = [path for path in store.files.names(SUBMISSIONS) if path.endswith("/result.json")]
    assert len(results) == 30
    assert sum(one.claims for one in progress.values()) >= 35  # those that were killed amid a claim


@pytest.mark.parametrize("shared_by_all", [False, True])
def test_twenty_at_once_on_the_hub(
    hub: LocalHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared_by_all: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    """On the Hub, too, of twenty at once, through one store or many, each is accepted once or refused."""
    hub.adopt(monkeypatch, tmp_path / "home")
    monkeypatch.setattr("leaderboard.store_hub._LONGEST_PAUSE", 0.2)
    address = f"hf://datasets/{ORG}/board"
    store = new_store(address)
    told: list[str] = []

    def run(number: int) -> None:
        parcel = submission(tmp_path / f"{number}", f"{number}")
        try:
            used = store if shared_by_all else open_store(address)
            told.append(used.accept(*parcel, f"account-{number % 10}").entry)
        except Refused as error:
            told.append(error.refusals[0].rule)

    in_threads(run, 20)
    log = check_store(open_store(address))
    assert len(log) == 10
    assert Counter(told) == Counter([*(one.entry for one in log), *["quota-day"] * 10])
    assert any(call.status == 412 for call in hub.calls.matching("POST .*/commit/"))


def in_threads(run: Callable[[int], None], count: int) -> None:
    """Run something so many times at once."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))


def test_a_late_answer_throws_no_other_thread_back(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that share files on the Hub see each what they have looked at, however late a look ends."""
    hub.adopt(monkeypatch, tmp_path / "home")
    files = new_store(f"hf://datasets/{ORG}/board").files
    assert isinstance(files, HubFiles)
    asked, go_on = threading.Event(), threading.Event()
    newest = files.repository.head

    def slow() -> Head | None:
        found = newest()
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            go_on.wait(60)
        return found

    monkeypatch.setattr(files.repository, "head", slow)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(files.look)
        assert asked.wait(60)
        assert files.create("log/1.json", b"1")
        go_on.set()
        late.result()
        assert files.names("log") == ["log/1.json"]
        assert pool.submit(files.names, "log").result() == []
        assert pool.submit(files.read, "log/1.json").result() is None
        pool.submit(files.fetch, "log/1.json", tmp_path / "fetched.json").result()
        assert pool.submit(files.read, "log/1.json").result() == b"1"  # it has looked again


def test_a_thread_reads_what_another_has_found(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that has not looked for long is given what is there; of what is nowhere, it is told."""
    hub.adopt(monkeypatch, tmp_path / "home")
    files = new_store(f"hf://datasets/{ORG}/board").files
    with ThreadPoolExecutor(1) as pool:
        pool.submit(files.look).result()
        assert files.create("log/1.json", b"1")
        assert pool.submit(files.read_all, ["log/1.json"]).result() == [b"1"]
    with pytest.raises(HubError, match=r"'lab/board'.*log/2\.json has been removed: expected"):
        files.read_all(["log/1.json", "log/2.json"])
    with pytest.raises(HubError, match=r"log/2\.json"):
        files.fetch("log/2.json", tmp_path / "target.json")
    assert not (tmp_path / "target.json").exists()


def test_threads_list_a_commit_once(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one thread has listed, no other asks the Hub for until somebody writes."""
    hub.adopt(monkeypatch, tmp_path / "home")
    files = new_store(f"hf://datasets/{ORG}/board").files
    assert files.create("log/1.json", b"1")

    def read(_: int) -> None:
        files.look()
        assert files.names("log") == ["log/1.json"]
        assert files.read_all(["log/1.json"]) == [b"1"]

    read(0)
    asked = hub.calls.count("GET .*/tree/")
    assert asked
    in_threads(read, 8)
    assert hub.calls.count("GET .*/tree/") == asked
    assert files.create("log/2.json", b"2")
    assert files.names("log") == ["log/1.json", "log/2.json"]
    assert hub.calls.count("GET .*/tree/") > asked


def test_twenty_threads_at_one_store(tmp_path: Path) -> None:
    """One store serves many threads at once, as in a server."""
    store = new_store(tmp_path / "store", GENEROUS)

    def run(number: int) -> None:
        store.accept(*submission(tmp_path / f"{number}", f"{number}"), "ada")

    in_threads(run, 20)
    assert len(check_store(store)) == len(check_store(open_store(str(tmp_path / "store")))) == 20

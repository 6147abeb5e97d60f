"""Running tasks in processes: order, progress, failures, killed workers, Ctrl-C, orphans."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from craqbench.engines import Beat, Failed, run, run_each
from craqbench.errors import CraqbenchError, StorageError, UsageError

psutil = pytest.importorskip("psutil")
TESTS = Path(__file__).parent


def square(number: int, beat: Beat) -> int:
    """Return a square, in two beats."""
    beat()
    beat()
    return number * number


def threads(_: int, beat: Beat) -> tuple[int, int]:
    """Return this process's id and its number of OpenCV threads."""
    beat()
    return os.getpid(), cv2.getNumThreads()


def fail_on_two(number: int, beat: Beat) -> int:
    """Fail on item 2; the others beat on for ever."""
    if number == 2:
        raise ZeroDivisionError("item 2")
    while True:
        time.sleep(0.01)
        beat()


def die(number: int, beat: Beat) -> int:
    """Kill this process on item 1."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    beat()
    return number


def clumsy(number: int, beat: Beat) -> int:
    """Count a beat, and then fail on 2 always, on 3 by killing this process, on 5 for lack of a disk."""
    beat()
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        raise StorageError("the disk is full")
    if number == 2:
        raise UnsendableError(number, "two")
    return number * number


class UnsendableError(Exception):
    """An error that cannot be read from a pipe, as those of some HTTP libraries."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{text}\nin two lines")
        self.number = number


def once(path: Path, beat: Beat) -> str:
    """Fail, or die, at the first try; the file remembers it."""
    beat()
    if not path.exists():
        path.touch()
        if path.name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(path.name)
    return path.name


def loaded(_: int, beat: Beat) -> list[str]:
    """Return which heavy modules this worker has imported."""
    beat()
    return [name for name in ("pandas", "datasets", "torch", "scipy", "skimage") if name in sys.modules]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers: int) -> None:
    """Results are in the order of the items, and every beat is counted."""
    beats: list[int] = []
    assert run(square, range(9), workers=workers, on_beat=beats.append) == [i * i for i in range(9)]
    assert beats[-1] == 18
    assert beats == sorted(beats)


def test_workers_are_other_processes_with_one_thread_each() -> None:
    """Several workers are several processes; one worker is this one; OpenCV's threads are given back."""
    before = cv2.getNumThreads()
    here = run(threads, range(3), workers=1)
    there = run(threads, range(3), workers=2)
    assert {pid for pid, _ in here} == {os.getpid()}
    assert os.getpid() not in {pid for pid, _ in there}
    assert {count for _, count in here + there} == {1}
    assert cv2.getNumThreads() == before


def test_workers_import_little() -> None:
    """A worker does not import what it does not need."""
    assert run(loaded, range(2), workers=2) == [[], []]


def test_nothing_to_do() -> None:
    """No items are no results, and no process is started."""
    assert run(square, [], workers=8) == []
    with pytest.raises(UsageError, match="workers 0: expected 1 or more"):
        run(square, [1], workers=0)


def test_first_failure_stops_all() -> None:
    """An error in one task ends the others at their next beat and is raised."""
    with pytest.raises(ZeroDivisionError, match="item 2"):
        run(fail_on_two, [1, 2, 3], workers=2)
    assert multiprocessing.active_children() == []


def test_a_killed_worker_is_reported() -> None:
    """A worker that was killed (out of memory) is one clear error."""
    with pytest.raises(
        CraqbenchError, match="one of 2 worker processes was killed, most often because memory"
    ):
        run(die, [0, 1, 2], workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_item_stops_no_other(workers: int) -> None:
    """Every other item is done; the failed one says why in one line, and counts for no beat."""
    beats: list[int] = []
    results = run_each(clumsy, [1, 2, 4, 6], workers=workers, on_beat=beats.append)
    assert [results[0], *results[2:]] == [1, 16, 36]
    failed = results[1]
    assert isinstance(failed, Failed)
    assert failed.reason == "UnsendableError: two in two lines"
    assert "in clumsy" in failed.trace
    assert beats[-1] == 3


def test_a_killed_item_is_the_only_one_blamed() -> None:
    """Of the items that were being made when a worker was killed, the guilty one fails and no other."""
    results = run_each(clumsy, [3, 1, 2, 4, 3, 6], workers=3)
    assert [results[1], results[3], results[5]] == [1, 16, 36]
    told = [results[0], results[4]]
    assert all(isinstance(item, Failed) and item.reason.startswith("its process was killed") for item in told)
    assert isinstance(results[2], Failed)


def test_a_single_item_has_a_process_of_its_own() -> None:
    """With several workers asked for, even one item that kills its process leaves this one alive."""
    (result,) = run_each(clumsy, [3], workers=2)
    assert isinstance(result, Failed)
    assert run_each(clumsy, [], workers=2) == []
    with pytest.raises(UsageError, match="workers 0: expected 1 or more"):
        run_each(clumsy, [1], workers=0)


@pytest.mark.parametrize(("workers", "name"), [(1, "fails"), (2, "fails"), (2, "dies")])
def test_an_item_is_tried_again(workers: int, name: str, tmp_path: Path) -> None:
    """What fails, or kills its process, once is done in the end."""
    paths = [tmp_path / name, tmp_path / "there"]
    paths[1].touch()
    beats: list[int] = []
    assert run_each(once, paths, workers=workers, on_beat=beats.append) == [name, "there"]
    assert beats[-1] == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_what_concerns_all_stops_all(workers: int) -> None:
    """An error that is named fatal is raised at once, as it is."""
    with pytest.raises(StorageError, match=r"^the disk is full$"):
        run_each(clumsy, [1, 5, 4], workers=workers, fatal=(StorageError,))
    assert multiprocessing.active_children() == []


SCRIPT = """
import time, test_engines
from craqbench.engines import run
def tell(done):
    print(done, flush=True)
run(test_engines.fail_on_two, [1, 3], workers=2, on_beat=tell)
"""


@pytest.fixture
def endless() -> subprocess.Popen[str]:
    """Start a process whose two workers never end, and wait until they work."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
    )
    assert process.stdout
    while int(process.stdout.readline()) < 5:
        pass
    return process


def test_ctrl_c_ends_workers_in_silence(endless: subprocess.Popen[str]) -> None:
    """Ctrl-C reaches the main process only; the workers end without a traceback of theirs."""
    workers = psutil.Process(endless.pid).children(recursive=True)
    for process in [*workers, psutil.Process(endless.pid)]:
        process.send_signal(signal.SIGINT)
    _, errors = endless.communicate(timeout=20)
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_workers_die_with_the_main_process(endless: subprocess.Popen[str]) -> None:
    """No worker outlives a main process that was killed."""
    workers = psutil.Process(endless.pid).children(recursive=True)
    endless.kill()
    endless.communicate(timeout=20)
    assert psutil.wait_procs(workers, timeout=20)[1] == []

"""Ray: what is lost is made elsewhere, and the bytes are those of a single process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from craqbench.cluster import open_engine
from craqbench.cluster_ray import WINDOW, _Ranks
from craqbench.configuration import Config, shards
from craqbench.engines import RETRIES
from craqbench.errors import SourceError, StorageError, UsageError
from craqbench.generation import generate
from craqbench.rows import open_job
from craqbench.sources import open_source
from generators.recipes import RECIPES

TESTS = Path(__file__).parent
CONFIG = Config(48, RECIPES["paper"], size=(400, 250), shard_size=4)
LINE = ("generate", "--n", "48", "--recipe", "paper", "--size", "400x250", "--shard-size", "4")


class RayError(Exception):
    """As in `ray.exceptions`: a machine or a process is gone."""


class RayTaskError(RayError):
    """A task raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("a long traceback")
        self.cause = cause


class FakeRay:
    """Ray's functions over tasks that end, in order, as `ends` says of each try of a rank."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, ends: Callable[[int, int], Exception | None]) -> None:
        self.ends, self.tries = ends, Counter[int]()
        self.most, self.cancelled = 0, list[int]()

    def put(self, thing: object) -> object:
        """Store a thing."""
        return thing

    def remote(self, _: object) -> Any:
        """Make a task of a function."""
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._start))

    def _start(self, _: object, rank: int) -> tuple[int, int]:
        self.tries[rank] += 1
        return rank, self.tries[rank]

    def wait(self, tasks: list[tuple[int, int]], timeout: float) -> tuple[Any, Any]:
        """Let the first task end."""
        del timeout
        self.most = max(self.most, len(tasks))
        return tasks[:1], tasks[1:]

    def get(self, task: tuple[int, int]) -> None:
        """Return what a task returned, or raise what it raised."""
        error = self.ends(*task)
        if error:
            raise error

    def cancel(self, task: tuple[int, int]) -> None:
        """Stop a task."""
        self.cancelled.append(task[0])


def run_ranks(ray: FakeRay, count: int) -> dict[int, str]:
    """Run ranks on a fake Ray; return the reasons of those that failed."""
    changes: list[int] = []
    failed = _Ranks(ray, None, 1.0).run(range(count), lambda: changes.append(1))
    assert len(changes) == ray.tries.total()
    return {rank: why.reason for rank, why in failed.items()}


def test_lost_ranks_are_made_again() -> None:
    """A rank that is lost with its machine is started again, twice and no more; the others go on."""
    ray = FakeRay(lambda rank, number: RayError() if rank == 3 and number <= RETRIES else None)
    assert run_ranks(ray, 6) == {}
    assert ray.tries == {0: 1, 1: 1, 2: 1, 3: 3, 4: 1, 5: 1}
    ray = FakeRay(lambda rank, _: RayError() if rank == 3 else None)
    failed = run_ranks(ray, 6)
    assert list(failed) == [3]
    assert failed[3].startswith("its machine or process was lost at every try")
    assert ray.tries[3] == 1 + RETRIES


def test_ranks_that_fail_are_not() -> None:
    """A rank that has tried by itself is not started again: its reason is kept."""
    ray = FakeRay(lambda rank, _: RayTaskError(SourceError("no painting")) if rank == 1 else None)
    assert run_ranks(ray, 3) == {1: "no painting"}
    assert ray.tries[1] == 1


@pytest.mark.parametrize("lasting", [False, True])
def test_a_bad_disk_stops_all_ranks(*, lasting: bool) -> None:
    """What concerns all ranks ends the run at once, and cancels the others if Ray does not end with it."""
    ray = FakeRay(lambda rank, _: RayTaskError(StorageError("the disk is full")) if rank == 1 else None)
    with pytest.raises(StorageError, match=r"^the disk is full$"):
        _Ranks(ray, None, 1.0, lasting=lasting).run(range(4), lambda: None)
    assert ray.cancelled == ([2, 3] if lasting else [])


def test_ray_is_given_some_ranks_at_a_time() -> None:
    """However many ranks there are, Ray looks after a bounded number."""
    ray = FakeRay(lambda *_: None)
    assert run_ranks(ray, WINDOW + 200) == {}
    assert ray.most == WINDOW


def test_no_cluster_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody answers is refused at once, from wherever it comes, and nothing is written."""
    pytest.importorskip("ray", reason="needs the extra 'cluster'")
    with pytest.raises(UsageError, match=r"address=127\.0\.0\.1:9: no Ray cluster there: .*refused"):
        generate(CONFIG, tmp_path / "out", engine=open_engine("ray", [("address", "127.0.0.1:9")]))
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:9")
    with pytest.raises(UsageError, match="no Ray cluster there"):
        generate(CONFIG, tmp_path / "out", engine=open_engine("ray"))
    assert not (tmp_path / "out").exists()


def test_preview() -> None:
    """A dry run says what would be started."""
    pytest.importorskip("ray", reason="needs the extra 'cluster'")
    engine = open_engine("ray", [("mem", "1.5")])
    assert engine
    job = open_job(CONFIG, open_source("procedural", size=CONFIG.size), Path("/data/out"))
    text = engine.preview(job, shards(CONFIG))
    assert text == "12 tasks of 1 CPU and 1.5 GB on Ray, for /data/out"


# --- the real one -------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a dataset."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run this Python on its own: Ray stays in its process."""
    pytest.importorskip("ray", reason="needs the extra 'cluster'")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    environment.pop("RAY_ADDRESS", None)
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of the dataset, made by one process."""
    folder = tmp_path_factory.mktemp("reference") / "out"
    generate(CONFIG, folder)
    return contents(folder)


@pytest.mark.long
def test_this_machine(reference: dict[str, bytes], tmp_path: Path) -> None:
    """Without any cluster, Ray's processes of this machine make the same bytes, and nothing else is left."""
    done = python("-m", "craqbench.cli", *LINE, "--out", tmp_path / "out", "--engine", "ray")
    assert done.returncode == 0, done.stderr
    assert re.search(r"made          48 rows in .* rows/s\n", done.stdout)
    assert contents(tmp_path / "out") == reference


@pytest.mark.long
@pytest.mark.parametrize("after", [1, 4])
def test_a_node_is_killed(after: int, reference: dict[str, bytes], tmp_path: Path) -> None:
    """Of two nodes at work one is killed: the other makes all the rest, in the same bytes."""
    command = [sys.executable, "-m", "craqbench.cli", *LINE, "--out", tmp_path / "out", "--engine", "ray"]
    done = python(TESTS / "ray_nodes.py", tmp_path / "out", after, *command)
    assert done.returncode == 0, done.stderr
    assert "killed a node" in done.stdout
    assert contents(tmp_path / "out") == reference


FAULTY = """
import sys
from pathlib import Path
from tiny import tiny_config, tiny_recipe, write_paintings
from craqbench.cluster import open_engine
from craqbench.errors import CraqbenchError
from craqbench.generation import generate
if __name__ == "__main__":
    paintings = write_paintings(Path(sys.argv[1]) / "paintings")
    for fault in ("failing", "killer"):
        try:
            config = tiny_config(paintings, recipe=tiny_recipe(**{fault: 0}))
            generate(config, Path(sys.argv[1]) / fault, engine=open_engine("ray", [("mem", "0.1")]))
        except CraqbenchError as error:
            print(fault, error)
"""


@pytest.mark.long
def test_failing_shards(tmp_path: Path) -> None:
    """Shards that fail, or kill their process, at every try are named; all others are made."""
    done = python("-c", FAULTY, tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stdout.split("killer 2 of 8 shards could not be made")
    assert len(told) == 2, done.stdout
    assert told[0].startswith("failing 2 of 8 shards could not be made")
    assert re.findall(r"shard (\d) .*: ZeroDivisionError: a fault in a recipe \(in row", told[0]) == [
        "2",
        "7",
    ]
    assert re.findall(r"shard (\d) .*: its machine or process was lost at every try", told[1]) == ["2", "7"]
    for fault in ("failing", "killer"):
        assert len(list((tmp_path / fault / "data").glob("*.parquet"))) == 6
        assert len(list((tmp_path / fault / "data").iterdir())) == 6

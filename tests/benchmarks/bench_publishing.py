"""Publishing and pulling through the commands, against a local hub, with chunks as users have them.

    python tests/benchmarks/bench_publishing.py [rows] [versions] [cuts] [kills] [busy]

rows
    500 triplets on the paintings: published, pulled, verified, loaded both ways; every row compared.
versions
    Version 1.1.0 with 10 % more rows: how many of its bytes travel, from the machine that published 1.0.0
    and from another, with and without chunks, with the default shards and with shards that stay the same.
cuts
    The connection is lost for good at 12 points of a publish (the commit and the tag, before and after they
    happen, and 8 random requests) and at 12 random requests of a pull, and the command is run again: what is
    lost, what came twice, what was tagged too early. Counted.
kills
    The same with 12 processes killed (SIGKILL), each after a random number of requests.
busy
    A random request, and the next, are answered with 429, 500 or 503: 12 times.

Needs ../shared/data/paintings beside the repository. About twenty minutes in all.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from hub_datasets import REPO, is_whole  # noqa: E402  the path comes first
from local_hub import LocalHub  # noqa: E402

from craqbench.dataset import load_manifest  # noqa: E402
from craqbench.generation import Config, generate  # noqa: E402
from craqbench.verification import verify  # noqa: E402
from generators.recipes import RECIPES  # noqa: E402

if TYPE_CHECKING:
    from local_hub_faults import Fault, Where

PAINTINGS = TESTS.parents[1] / "shared" / "data" / "paintings"
POINTS, AT_ONCE = 12, 3
ENDS: list[tuple[str, Where]] = [
    (f"/{what}/", where) for what in ("commit", "tag") for where in ("before", "processed")
]
"""Where a publish ends: what has a version no tag yet, and what has one that nobody was told of."""

LOAD = """
import json, os, sys
import datasets
import numpy as np
from craqbench.dataset import read_rows
from pathlib import Path
repo, folder, streaming = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "streaming"
rows = datasets.load_dataset(repo, split="train", revision="v1.0.0", streaming=streaming)
equal = 0
for found, row in zip(rows, read_rows(folder), strict=True):
    pictures = (("image", row.image), ("mask", row.mask), ("damaged", row.damaged))
    equal += found["id"] == row.id and json.loads(found["meta"]) == row.meta and all(
        np.array_equal(np.asarray(found[name]), picture) for name, picture in pictures
    )
print(f"{equal} rows equal", flush=True)
os._exit(0)  # github.com/apache/arrow/issues/45214
"""


class Machine:
    """A machine with caches of its own, on which commands are run."""

    def __init__(self, hub: LocalHub, home: Path, *, xet: bool = True) -> None:
        path = os.pathsep.join([str(TESTS.parent), *sys.path])
        self.environment = {**hub.environment(home, xet=xet), "PYTHONPATH": path}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def craqbench(self, *arguments: str) -> tuple[int, str]:
        """Run a command: exit code and stderr."""
        process = self.start("-m", "craqbench.cli", *arguments)
        _, err = process.communicate()
        assert "Traceback" not in err, err
        return process.returncode, err

    def publish(self, folder: Path, version: str = "1.0.0") -> tuple[int, str]:
        """Publish."""
        return self.craqbench("publish", str(folder), "--repo", REPO, "--version", version)

    def pull(self, out: Path) -> tuple[int, str]:
        """Pull version 1.0.0."""
        return self.craqbench("pull", f"{REPO}@1.0.0", "--out", str(out))


def made(folder: Path, n: int, shard_size: int | None = None) -> Path:
    """Make a dataset on the paintings."""
    generate(Config(n, RECIPES["mixed"], str(PAINTINGS), shard_size=shard_size), folder, workers=2)
    return folder


def size_of(folder: Path) -> int:
    """Return the bytes of a dataset."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def hub_in(folder: Path) -> Iterator[LocalHub]:
    """Yield a hub in a folder that goes away."""
    with tempfile.TemporaryDirectory(dir=folder) as place, LocalHub(Path(place) / "hub") as hub:
        yield hub


def rows(folder: Path) -> None:
    """Compare every row of 500, at the other end, by four ways."""
    dataset = made(folder / "set", 500)
    with hub_in(folder) as hub:
        machine = Machine(hub, folder / "home-rows")
        start = time.perf_counter()
        assert machine.publish(dataset)[0] == 0
        print(f"published {size_of(dataset) / 1e6:.1f} MB in {time.perf_counter() - start:.1f} s")
        start, out = time.perf_counter(), folder / "got"
        assert machine.pull(out)[0] == 0
        print(f"pulled in {time.perf_counter() - start:.1f} s")
        names = [item["file"] for item in load_manifest(dataset)["shards"]] + ["sample.png"]
        equal = sum((out / name).read_bytes() == (dataset / name).read_bytes() for name in names)
        print(
            f"{equal} of {len(names)} files equal; verify finds {len(verify(out, workers=2).faults)} faults"
        )
        for way in ("whole", "streaming"):
            process = machine.start("-c", LOAD, REPO, str(dataset), way)
            said, err = process.communicate()
            assert process.returncode == 0, err
            print(f"load_dataset, {way}: {said.splitlines()[-1]}")
        assert not hub.outside


def versions(folder: Path) -> None:
    """Print what share of version 1.1.0 travels."""
    for shard_size in (None, 50):
        first = made(folder / f"first-{shard_size}", 500, shard_size)
        second = made(folder / f"second-{shard_size}", 550, shard_size)
        digests = [{item["sha256"] for item in load_manifest(made)["shards"]} for made in (first, second)]
        equal = f"{len(digests[0] & digests[1])} of {len(digests[1])} files equal those of 1.0.0"
        print(f"shards of {shard_size or 'any'}: {equal}")
        for xet, other in ((True, False), (True, True), (False, False)):
            with hub_in(folder) as hub:
                homes = [folder / f"home-{time.monotonic_ns()}" for _ in range(2)]
                assert Machine(hub, homes[0], xet=xet).publish(first)[0] == 0
                hub.calls.clear()
                assert Machine(hub, homes[other], xet=xet).publish(second, "1.1.0")[0] == 0
                sent, size = hub.calls.received(), size_of(second)
            where = "another machine" if other else "the same machine"
            kind = "chunks" if xet else "whole files"
            case = f"shards of {shard_size or 'any'}, {kind}, {where}"
            print(f"{case}: {size / 1e6:.1f} MB, sent {sent / 1e6:.1f} MB = {sent / size:.1%}")


@dataclass
class Trial:
    """A hub and a machine for one interruption of a publish and one of a pull.

    Attributes
    ----------
    kind
        "cuts", "kills" or "busy".
    number
        Of the trial.
    count
        What is counted.
    """

    kind: str
    number: int
    hub: LocalHub
    machine: Machine
    count: Counter[str]
    rng: random.Random

    def spoil(self, command: str, words: list[str], requests: int) -> None:
        """Run a command that asks the hub for so many things, and spoil it somewhere."""
        self.hub.calls.clear()
        at, fault = self.rng.randrange(1, requests + 1), None
        if self.kind == "busy":
            fault = self.hub.faults.answer(self.rng.choice((429, 500, 503)), nth=at, times=2)
        if self.kind == "cuts":
            fault = self._cut(command, at)
        process = self.machine.start("-m", "craqbench", command, *words)
        if self.kind == "kills":
            _wait(process, lambda: self.hub.calls.count() >= at)
            process.kill()
        elif self.kind == "cuts":
            _wait(process, lambda: bool(fault and fault.struck))
            self.hub.faults.cut(times=10**6)
        _, err = process.communicate()
        assert "Traceback" not in err, err
        self.count[f"{command}: first run ended with {process.returncode}"] += 1
        self.count[f"{command}: requests spoiled"] += fault.struck if fault else 1
        self.hub.faults.clear()

    def _cut(self, command: str, at: int) -> Fault:
        if command == "publish" and self.number < len(ENDS):
            pattern, where = ENDS[self.number]
            return self.hub.faults.cut(pattern, times=10**6, where=where)
        anywhere: list[Where] = ["before", "upload", "processed", "download"]
        after = int(10 ** self.rng.uniform(0, 3))
        return self.hub.faults.cut(nth=at, times=10**6, where=self.rng.choice(anywhere), after=after)


def _wait(process: subprocess.Popen[str], until: Callable[[], bool]) -> None:
    while process.poll() is None and not until():
        time.sleep(0.01)


def trials(folder: Path, kind: str) -> None:
    """Interrupt publish and pull, run them again, and print what was counted."""
    dataset = made(folder / "set", 64)
    with hub_in(folder) as hub:
        machine = Machine(hub, folder / "home")
        assert machine.publish(dataset)[0] == 0
        requests = [hub.calls.count()]
        hub.calls.clear()
        assert machine.pull(folder / "got")[0] == 0
        requests.append(hub.calls.count())
    count: Counter[str] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda number: _try(folder, kind, number, requests), range(POINTS)):
            count.update(found)
    print(f"{kind}: {POINTS} times of {requests[0]} requests of a publish, {requests[1]} of a pull")
    for what, number in sorted(count.items()):
        print(f"  {what:60} {number}")


def _try(folder: Path, kind: str, number: int, requests: list[int]) -> Counter[str]:
    rng = random.Random(f"{kind} {number}")  # noqa: S311  no secret
    dataset, out, home = folder / "set", folder / f"got-{number}", folder / f"home-{number}"
    with hub_in(folder) as hub:
        trial = Trial(kind, number, hub, Machine(hub, home), Counter(), rng)
        trial.spoil("publish", [str(dataset), "--repo", REPO, "--version", "1.0.0"], requests[0])
        _count_publish(trial.machine, hub, dataset, trial.count)
        trial.spoil("pull", [f"{REPO}@1.0.0", "--out", str(out)], requests[1])
        _count_pull(trial.machine, hub, dataset, out, trial.count)
    return trial.count


def _count_publish(machine: Machine, hub: LocalHub, dataset: Path, count: Counter[str]) -> None:
    repository = hub.repositories.get(("datasets", REPO))
    tagged = bool(repository and repository.tags)
    count["publish: tag on half a dataset"] += tagged and not is_whole(hub, dataset, "v1.0.0")
    code, err = machine.publish(dataset)
    done = code == 0 or (tagged and "nothing was left to do" in err)
    count["publish: second run not done"] += not done
    count["publish: files lost or wrong"] += not is_whole(hub, dataset, "v1.0.0")
    count["publish: commits beyond one"] += len(hub.repository(REPO).history("main")) - 2


def _count_pull(machine: Machine, hub: LocalHub, dataset: Path, out: Path, count: Counter[str]) -> None:
    count["pull: half a dataset under the final name"] += out.exists() and not verify(out).ok
    part = out.with_name(f".{out.name}.pull")
    there = {path.relative_to(part).as_posix() for path in part.rglob("*.parquet")}
    hub.calls.clear()
    count["pull: second run not done"] += machine.pull(out)[0] != 0
    again = sum(any(name in call.line for name in there) for call in hub.calls.matching("HEAD"))
    count["pull: files that were there, downloaded again"] += again
    names = [item["file"] for item in load_manifest(dataset)["shards"]]
    wrong = sum((out / name).read_bytes() != (dataset / name).read_bytes() for name in names)
    count["pull: files lost or wrong"] += wrong + (not verify(out).ok) + part.exists()


MODES: dict[str, Callable[[Path], None]] = {
    "rows": rows,
    "versions": versions,
    "cuts": lambda folder: trials(folder, "cuts"),
    "kills": lambda folder: trials(folder, "kills"),
    "busy": lambda folder: trials(folder, "busy"),
}


def main() -> None:
    """Run what is named, or all."""
    for name in sys.argv[1:] or MODES:
        with tempfile.TemporaryDirectory() as folder:
            MODES[name](Path(folder))


if __name__ == "__main__":
    main()

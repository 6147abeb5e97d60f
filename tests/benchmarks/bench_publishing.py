"""Publishing and pulling through the commands, against a local hub, with chunks as users have them.

    python tests/benchmarks/bench_publishing.py [rows] [versions] [cuts] [kills] [busy]

rows
    500 triplets on the paintings: published, pulled, verified, loaded both ways; every row compared.
versions
    Version 1.1.0 with 10 % more rows: how many of its bytes travel, from the machine that published 1.0.0
    and from another, with and without chunks, with the default shards and with shards that stay the same.
cuts
    The connection is lost for good at 12 random requests of a publish and of a pull, and the command is run
    again: what is lost, what came twice, what was tagged too early. Counted.
kills
    The same with 12 processes killed (SIGKILL) at random moments.
busy
    Each request fails with 429, 500 or 503 twice before it succeeds, at 12 random requests.

Needs ../shared/data/paintings beside the repository. About ten minutes in all.
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
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from hub_datasets import REPO, is_whole  # noqa: E402  the path comes first
from local_hub import LocalHub  # noqa: E402

from craqbench.dataset import load_manifest  # noqa: E402
from craqbench.generation import Config, generate  # noqa: E402
from craqbench.verification import verify  # noqa: E402
from generators.recipes import RECIPES  # noqa: E402

PAINTINGS = TESTS.parents[1] / "shared" / "data" / "paintings"
POINTS = 12

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


Break = Callable[[LocalHub, random.Random, int], None]


def cut(hub: LocalHub, rng: random.Random, requests: int) -> None:
    """Lose the connection at some request, for good."""
    where = rng.choice(("before", "upload", "processed", "download"))
    after = int(10 ** rng.uniform(0, 5))
    hub.faults.cut(nth=rng.randrange(1, requests + 1), times=10**6, where=where, after=after)  # type: ignore[arg-type]


def fail(hub: LocalHub, rng: random.Random, requests: int) -> None:
    """Fail twice at some request."""
    hub.faults.answer(rng.choice((429, 500, 503)), nth=rng.randrange(1, requests + 1), times=2)


def trials(folder: Path, name: str, break_: Break | None) -> None:
    """Interrupt publish and pull at random points, run them again, and print what was counted."""
    dataset, rng = made(folder / f"small-{name}", 64), random.Random(name)  # noqa: S311  no secret
    with hub_in(folder) as hub:
        machine, start = Machine(hub, folder / f"home-{name}"), time.perf_counter()
        assert machine.publish(dataset)[0] == 0
        lasts = time.perf_counter() - start
        requests = hub.calls.count()
    count: Counter[str] = Counter()
    for point in range(POINTS):
        with hub_in(folder) as hub:
            machine = Machine(hub, folder / f"home-{name}-{point}")
            _disturb(machine.start, hub, rng, break_, requests, lasts, ("publish", dataset), count)
            _count_publish(machine, hub, dataset, count)
            out = folder / f"got-{name}-{point}"
            _disturb(machine.start, hub, rng, break_, requests, lasts / 2, ("pull", out), count)
            _count_pull(machine, hub, dataset, out, count)
    print(f"{name}, {POINTS} points of publish and of pull:")
    for what, number in sorted(count.items()):
        print(f"  {what:60} {number}")


def _disturb(
    start: Callable[..., subprocess.Popen[str]],
    hub: LocalHub,
    rng: random.Random,
    break_: Break | None,
    requests: int,
    lasts: float,
    what: tuple[str, Path],
    count: Counter[str],
) -> None:
    command, folder = what
    told = ["--repo", REPO, "--version", "1.0.0"]
    words = [str(folder), *told] if command == "publish" else [f"{REPO}@1.0.0", "--out", str(folder)]
    if break_:
        break_(hub, rng, requests)
    process = start("-m", "craqbench.cli", command, *words)
    if not break_:
        time.sleep(rng.uniform(0.4, 1.0) * lasts)
        process.kill()
    _, err = process.communicate()
    assert "Traceback" not in err, err
    count[f"{command}: first run ended with {process.returncode}"] += 1
    hub.faults.clear()


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
    "cuts": lambda folder: trials(folder, "cuts", cut),
    "kills": lambda folder: trials(folder, "kills", None),
    "busy": lambda folder: trials(folder, "busy", fail),
}


def main() -> None:
    """Run what is named, or all."""
    for name in sys.argv[1:] or MODES:
        with tempfile.TemporaryDirectory() as folder:
            MODES[name](Path(folder))


if __name__ == "__main__":
    main()

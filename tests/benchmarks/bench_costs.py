"""What a million triplets cost: the tables of docs/scaling.md.

    python tests/benchmarks/bench_costs.py [rows] [paintings] [moving] [memory]

rows
    CPU hours to make and to verify, and GB on the disk, by recipe, size and codec: 100 rows on the paintings
    in each cell. CPU time of all threads, the lowest of three rounds: a busy machine only ever adds to it.
paintings
    CPU time to look through a folder of paintings, which every `generate` does once.
moving
    CPU time of a publish and of a pull per TB, beyond what a small one takes, through chunks as users have
    them. The network is the loopback.
memory
    Peak memory of a process that makes a shard, by size.

Needs ../shared/data/paintings beside the repository. About fifteen minutes in all.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from time import process_time
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from hub_datasets import REPO  # noqa: E402  the path comes first
from local_hub import LocalHub  # noqa: E402

from craqbench.generation import Config, generate  # noqa: E402
from craqbench.sources import open_source  # noqa: E402
from craqbench.verification import verify  # noqa: E402
from generators.recipes import RECIPES  # noqa: E402

PAINTINGS = TESTS.parents[1] / "shared" / "data" / "paintings"
RECIPE_NAMES = ("paper", "mixed")
SIZES = ((256, 256), (598, 375), (1024, 768))
CODECS = ("webp", "png")
ROWS, ROUNDS = 100, 3


class Cost(NamedTuple):
    """Of one row: CPU seconds to make, CPU seconds to verify, bytes."""

    make: float
    check: float
    bytes: float


def cost(recipe: str, size: tuple[int, int], codec: str) -> Cost:
    """Make and verify `ROWS` rows in this process; the look through the paintings is not counted."""
    clock: dict[int, float] = {}

    def note(stage: str, done: int, total: int) -> None:
        if stage == "making triplets" and done in (0, total):
            clock[done] = process_time()

    with tempfile.TemporaryDirectory() as folder:
        config = Config(ROWS, RECIPES[recipe], str(PAINTINGS), size, codec=codec, shard_size=ROWS)
        out = Path(folder) / "set"
        made = generate(config, out, progress=note)
        start = process_time()
        assert verify(out).ok
        checked = process_time() - start
    return Cost((clock[ROWS] - clock[0]) / ROWS, checked / ROWS, made.bytes / ROWS)


def rows() -> None:
    """Print the table."""
    cells = list(product(RECIPE_NAMES, SIZES, CODECS))
    rounds = [{cell: cost(*cell) for cell in cells} for _ in range(ROUNDS)]
    print(f"{ROWS} rows in a cell, one process, the lowest of {ROUNDS} rounds; per million rows:\n")
    print("| recipe | size | codec | CPU h to make | CPU h to verify | GB |\n|---|---|---|---|---|---|")
    for cell in cells:
        recipe, (width, height), codec = cell
        make, check, size = (min(values) for values in zip(*(found[cell] for found in rounds), strict=True))
        hours = f"{make * 1e6 / 3600:.1f} | {check * 1e6 / 3600:.1f}"
        print(f"| `{recipe}` | {width} x {height} | {codec} | {hours} | {size * 1e6 / 1e9:,.0f} |")


def paintings() -> None:
    """Print what a folder costs at each start."""
    seconds = []
    for _ in range(ROUNDS):
        start = process_time()
        source = open_source(str(PAINTINGS), size=(598, 375))
        seconds.append((process_time() - start) / len(source.paintings))
    size = sum(path.stat().st_size for path in PAINTINGS.glob("*.jpg")) / len(source.paintings)
    print(f"a folder of paintings: {1e3 * min(seconds):.1f} ms of CPU for each, of {size / 1e3:.0f} kB")


def moving() -> None:
    """Print what publishing and pulling cost, by the difference between a large and a small dataset."""
    found: dict[int, tuple[float, ...]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (50, 550):
            place = Path(folder) / str(count)
            config = Config(count, RECIPES["paper"], str(PAINTINGS), shard_size=50)
            size = generate(config, place / "set", workers=2).bytes
            found[count] = (size, *_moved(place))
    seconds = [large - small for small, large in zip(found[50], found[550], strict=True)]
    weight, verified, published, pulled = seconds
    for name, value in (
        ("publish: verify", verified),
        ("publish: send", published - verified),
        ("pull", pulled),
    ):
        print(f"{name}: {value / weight * 1e12 / 3600:.1f} CPU h per TB")


def _moved(place: Path) -> tuple[float, float, float]:
    """Return the CPU seconds of a dry run of publishing, of publishing, and of pulling."""
    with LocalHub(place / "hub") as hub:
        publish = ["publish", str(place / "set"), "--repo", REPO, "--version", "1.0.0", "--workers", "1"]
        return (
            _run(hub, place, *publish, "--dry-run"),
            _run(hub, place, *publish),
            _run(hub, place, "pull", REPO, "--out", str(place / "got")),
        )


def _run(hub: LocalHub, place: Path, *arguments: str) -> float:
    """Return the CPU seconds of a command, which is another process than the hub."""
    environment = {**hub.environment(place / "home", xet=True), "PYTHONPATH": str(TESTS.parent)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "craqbench", *arguments]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory() -> None:
    """Print the peak memory of a process by size."""
    for width, height in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "craqbench", "generate", "--n", "60", "--workers", "1"]
            command += ["--size", f"{width}x{height}", "--source", str(PAINTINGS), "--shard-size", "60"]
            process = subprocess.Popen(
                [*command, "--out", f"{folder}/set"],
                env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
        print(f"{width} x {height}: {usage.ru_maxrss * 1024 / 1e6:.0f} MB at most in a process")


MODES = {"rows": rows, "paintings": paintings, "moving": moving, "memory": memory}


def main() -> None:
    """Run what is named, or all."""
    for name in sys.argv[1:] or MODES:
        MODES[name]()


if __name__ == "__main__":
    main()

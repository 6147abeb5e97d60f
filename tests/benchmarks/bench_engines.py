"""Rows per second by engine and by number of workers, on this machine; and a node killed on the way.

    python tests/benchmarks/bench_engines.py [speed] [killed] [ROWS]

speed
    Each engine makes the same dataset with one worker and with two: two processes, or two Ray nodes of one
    core each. "whole" is the whole call; "steady" is from the first finished shard to the last, without the
    start of Python and Ray. The bytes of all are compared. By wall-clock time: the machine must be idle.
    Wanted: two workers at least 1.8 times one, on two free cores.
killed
    Of two Ray nodes at work one is killed, after 1, 4 and 8 shards. The bytes are compared with those of a
    single process. Where Ray cannot start, this says so and fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROUNDS = 3

MAKE = """
import json, sys, time
from pathlib import Path
from craqbench.cluster import open_engine
from craqbench.configuration import Config
from craqbench.generation import generate
from generators.recipes import RECIPES

if __name__ == "__main__":
    engine, workers, rows, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    options = []
    if engine == "ray":
        from ray.cluster_utils import Cluster
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        for _ in range(workers - 1):
            cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        options = [("address", cluster.address)]
    config = Config(rows, RECIPES["mixed"], shard_size=5)
    start = time.perf_counter()
    generate(config, out, workers=workers, engine=open_engine(engine, options))
    whole = time.perf_counter() - start
    ends = sorted(path.stat().st_mtime for path in (out / "data").iterdir())
    steady = (rows - 5 * workers) / (ends[-1] - ends[workers - 1])
    print(json.dumps([rows / whole, steady]))
"""


def python(*arguments: object) -> str:
    """Run this Python on its own: Ray stays in its process. Return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])}... ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def digest(folder: Path) -> str:
    """Return sha256 over every file of a dataset."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def speed(rows: int) -> None:
    """Measure engines and workers in turn; print medians and ratios."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    digests = set()
    for _ in range(ROUNDS):
        for engine in ("process", "ray"):
            for workers in (1, 2):
                with tempfile.TemporaryDirectory() as folder:
                    out = Path(folder) / "out"
                    whole, steady = json.loads(
                        python("-c", MAKE, engine, workers, rows, out).splitlines()[-1]
                    )
                    found.setdefault((engine, workers), []).append((whole, steady))
                    digests.add(digest(out))
    for engine in ("process", "ray"):
        for at, name in enumerate(("whole", "steady")):
            one, two = (statistics.median(run[at] for run in found[engine, workers]) for workers in (1, 2))
            print(
                f"{engine:7} {name:6}: 1 worker {one:.2f} rows/s, 2 workers {two:.2f}, ratio {two / one:.2f}"
            )
    print(f"{len(digests)} different dataset(s) in {4 * ROUNDS} runs")


def killed(rows: int) -> None:
    """Kill one of two nodes, and compare every byte."""
    line = ["-m", "craqbench", "generate", "--n", str(rows), "--recipe", "mixed", "--shard-size", "5"]
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "single"
        python(*line, "--workers", "1", "--out", single)
        for after in (1, 4, 8):
            out = Path(folder) / f"killed-{after}"
            command = [sys.executable, *line, "--engine", "ray", "--out", out]
            said = python(TESTS / "ray_nodes.py", out, after, *command)
            was = "killed" if "killed a node" in said else "NOT killed"
            same = "equal" if digest(out) == digest(single) else "DIFFERENT"
            print(f"node {was} after {after} of {rows // 5} shards: {same} bytes")


def main() -> None:
    """Run what is named, or all."""
    modes = {"speed": speed, "killed": killed}
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    for name in [word for word in sys.argv[1:] if word in modes] or modes:
        modes[name](numbers[0] if numbers else 120)


if __name__ == "__main__":
    main()

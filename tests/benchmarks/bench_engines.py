"""Rows per second by engine and by number of workers, on this machine.

    python tests/benchmarks/bench_engines.py [ROWS]

Each engine makes the same dataset with one worker and with two: two processes, or two Ray nodes of one core
each. "whole" is the whole call; "steady" is from the first finished shard to the last, without the start of
Python and Ray. The bytes of all are compared. Wanted: two workers at least 1.8 times one, on two free cores.
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

ROOT = Path(__file__).resolve().parents[2]
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


def measure(engine: str, workers: int, rows: int, out: Path) -> tuple[float, float]:
    """Return rows per second of a run, whole and steady."""
    command = [sys.executable, "-c", MAKE, engine, str(workers), str(rows), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    whole, steady = json.loads(done.stdout.splitlines()[-1])
    return whole, steady


def digest(folder: Path) -> str:
    """Return sha256 over every file of a dataset."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def main() -> None:
    """Measure engines and workers in turn; print medians and ratios."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    digests = set()
    for _ in range(ROUNDS):
        for engine in ("process", "ray"):
            for workers in (1, 2):
                with tempfile.TemporaryDirectory() as folder:
                    out = Path(folder) / "out"
                    found.setdefault((engine, workers), []).append(measure(engine, workers, rows, out))
                    digests.add(digest(out))
    for engine in ("process", "ray"):
        for at, name in enumerate(("whole", "steady")):
            one, two = (statistics.median(run[at] for run in found[engine, workers]) for workers in (1, 2))
            print(
                f"{engine:7} {name:6}: 1 worker {one:.2f} rows/s, 2 workers {two:.2f}, ratio {two / one:.2f}"
            )
    print(f"{len(digests)} different dataset(s) in {4 * ROUNDS} runs")


if __name__ == "__main__":
    main()

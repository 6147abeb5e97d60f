"""How busy an evaluation keeps the cores, how much memory it takes, and what is left for the summary.

    python tests/benchmarks/bench_evaluation.py [IMAGES]

A dataset of 1,000 synthetic images (256 x 256 px) is evaluated with `tophat`, `grassfire` and `ridge` on two
workers, and a tenth of it for comparison. Printed for each:

- *busy*: share of the time between the first and the last record in which a worker ran, or wanted to run
  and had to wait for a core (/proc/PID/schedstat): other work on the machine does not count against it.
  Wanted: more than 90 %.
- *cores*: CPU time of all processes over wall-clock time, of the whole command. Other work lowers it.
- *memory*: the most that the processes had of their own (USS): the main one, and the largest of the others.
  Wanted: the same for ten times the images, but for what a larger result takes (about 40 MB for 1,000).

Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from craqbench.configuration import Config
from craqbench.generation import generate
from generators.recipes import RECIPES

METHODS = ("tophat", "grassfire", "ridge")
WORKERS = 2


@dataclass
class Seen:
    """What was seen of the processes of a command."""

    memory: dict[int, int] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    wanted: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def look(self, root: psutil.Process) -> None:
        """Look once."""
        for process in [root, *root.children(recursive=True)]:
            try:
                memory = process.memory_full_info().uss
                times = process.cpu_times()
                ran, waited, _ = map(int, Path(f"/proc/{process.pid}/schedstat").read_text().split())
            except (psutil.Error, OSError):
                continue
            self.memory[process.pid] = max(memory, self.memory.get(process.pid, 0))
            self.cpu[process.pid] = times.user + times.system
            self.wanted.setdefault(process.pid, []).append((time.perf_counter(), (ran + waited) / 1e9))

    def busy(self, start: float, end: float) -> float:
        """Return the mean share of that time in which the busiest processes, the workers, wanted to run."""
        shares = []
        for looks in self.wanted.values():
            inside = [look for look in looks if start <= look[0] <= end]
            if len(inside) > 1:
                (t0, w0), (t1, w1) = inside[0], inside[-1]
                shares.append((w1 - w0) / (t1 - t0))
        return sum(sorted(shares)[-WORKERS:]) / WORKERS


def evaluate(dataset: Path, out: Path) -> None:
    """Evaluate in a process of its own, watch it, and print."""
    command = [sys.executable, "-m", "craqbench.cli", "evaluate", "--set", f"synthetic:{dataset}"]
    command += [word for method in METHODS for word in ("--method", method)]
    command += ["--workers", str(WORKERS), "--out", str(out)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root, seen = psutil.Process(process.pid), Seen()
    first = last = 0.0
    while process.poll() is None:
        started = any(out.glob("*/*/records/*.json"))
        concluded = any(out.glob("*/*/result.json"))
        first = first or (time.perf_counter() if started else 0.0)
        last = time.perf_counter() if started and len(root.children()) >= WORKERS and not concluded else last
        seen.look(root)
        time.sleep(0.1)
    wall = time.perf_counter() - begin
    main = seen.memory.pop(process.pid)
    count = len(list(out.glob("*/*/records/*.json")))
    print(
        f"{count} predictions in {wall:.1f} s, {last - first:.1f} s of them between first and last; "
        f"busy {seen.busy(first, last):.1%}, cores {sum(seen.cpu.values()) / wall:.2f}, "
        f"memory {main / 1e6:.0f} MB, of a worker {max(seen.memory.values()) / 1e6:.0f} MB"
    )


def main() -> None:
    """Make the datasets, evaluate them, print."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        for n in (max(1, images // 10), images):
            dataset = Path(name) / f"set{n}"
            generate(Config(n=n, recipe=RECIPES["paper"], size=(256, 256)), dataset, workers=WORKERS)
            evaluate(dataset, Path(name) / f"out{n}")


if __name__ == "__main__":
    main()

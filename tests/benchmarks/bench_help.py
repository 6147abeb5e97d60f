"""Time of ``craqbench --help`` over that of ``python -c pass``: medians measured in turn in one run.

    python tests/benchmarks/bench_help.py

Wanted: at most 4.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 40


def seconds(*arguments: str) -> float:
    """Return how long Python takes with these arguments."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return perf_counter() - start


def main() -> None:
    """Measure both in turn and print the ratio."""
    both = [(seconds("-c", "pass"), seconds("-m", "craqbench.cli", "--help")) for _ in range(ROUNDS)]
    nothing, help_ = (statistics.median(column) for column in zip(*both, strict=True))
    line = f"{1000 * help_:.1f} ms / {1000 * nothing:.1f} ms = {help_ / nothing:.2f}"
    print(f"craqbench --help over python -c pass: {line}, wanted at most 4")


if __name__ == "__main__":
    main()

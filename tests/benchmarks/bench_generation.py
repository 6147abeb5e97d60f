"""Whole generation to disk, as ratios within one run: over the floor, two workers over one, and memory.

    python tests/benchmarks/bench_generation.py [floor] [workers] [memory]

floor
    `generate` over reading, resizing and encoding the same pictures and nothing else, in turn, by CPU time.
    Wanted: at most 1.35 for `paper`, 1.6 for `mixed`.
workers
    Rows per second with two workers over one, by wall-clock time: the machine must be idle. Wanted: 1.8.
memory
    Peak memory of the largest process for 4,000 rows over 400. Wanted: at most 1.1.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import cv2

from craqbench.codecs import encode_image, encode_mask
from craqbench.dataset import read_rows
from craqbench.generation import Config, generate
from craqbench.paintings import read_painting
from generators.framing import whole
from generators.recipes import RECIPES

PAINTINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "paintings"
SIZE = (598, 375)


def config(recipe: str, n: int, size: tuple[int, int] = SIZE) -> Config:
    """Return the options of a dataset of the paintings."""
    return Config(n=n, recipe=RECIPES[recipe], source=str(PAINTINGS), size=size)


def floor_ratio(recipe: str, n: int = 2000, rounds: int = 1) -> float:
    """Return the median over rounds of whole generation over its floor."""
    ratios = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            start = process_time()
            generate(config(recipe, n), Path(folder) / "set")
            total = process_time() - start
            ratios.append(total / _floor(Path(folder) / "set"))
    return statistics.median(ratios)


def _floor(dataset: Path) -> float:
    rows = list(read_rows(dataset))
    start = process_time()
    for row in rows:
        painting = read_painting(PAINTINGS / row.painting)
        whole((painting.shape[1], painting.shape[0]), SIZE, "crop").image(painting)
        for picture in (row.image, row.damaged):
            encode_image(picture, "webp")
        encode_mask(row.mask)
    return process_time() - start


def workers_ratio(recipe: str, n: int = 800) -> float:
    """Return rows per second of two workers over those of one, the scan of the paintings counted in."""
    seconds = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            generate(config(recipe, n), Path(folder) / "set", workers=workers)
            seconds.append(perf_counter() - start)
    return seconds[0] / seconds[1]


def peak_memory(n: int) -> int:
    """Return the peak memory in bytes of the largest process that makes `n` small rows."""
    code = f"import bench_generation as b; b.make_small({n})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
    return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def make_small(n: int) -> None:
    """Make `n` rows of 128 x 96 px."""
    with tempfile.TemporaryDirectory() as folder:
        generate(config("mixed", n, (128, 96)), Path(folder) / "set")


def main() -> None:
    """Measure what was asked for, or all."""
    cv2.setNumThreads(1)
    asked = set(sys.argv[1:]) or {"floor", "workers", "memory"}
    for recipe, wanted in (("paper", 1.35), ("mixed", 1.6)):
        if "floor" in asked:
            sys.stdout.write(f"{recipe}: {floor_ratio(recipe):.2f} x the floor (wanted <= {wanted})\n")
        if "workers" in asked:
            sys.stdout.write(f"{recipe}: 2 workers {workers_ratio(recipe):.2f} x one (wanted >= 1.8)\n")
    if "memory" in asked:
        # The smaller first: the counter only ever rises.
        small, large = peak_memory(400), peak_memory(4000)
        sys.stdout.write(f"memory: {small / 1e6:.0f} MB at 400 rows, {large / 1e6:.0f} MB at 4,000\n")


if __name__ == "__main__":
    main()

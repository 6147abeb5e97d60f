"""Mask drawing of the `paper` recipe against the slow reference, at 843 x 1000 px, medians of one run.

    python tests/benchmarks/bench_paper.py

From trajectories to M, against the reference of the tests (the bezier package, one ``cv2.circle`` per
sample). Wanted: at least 8 times as fast. The second number also counts, on both sides, the drawing of
the random numbers, which the two share.
"""

from __future__ import annotations

import statistics
import sys
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reference_paper

from generators.paper import PAPER, Trajectories, draw_trajectories, rasterise, refine
from generators.triplets import Mask, random_stream

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (1000, 843)
SIZE = (598, 375)
PAINTINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "paintings"


def mask_medians(n: int = 100) -> tuple[float, float, float]:
    """Return medians in ms of the random draws, of the fast and of the slow mask."""
    draws, fast, slow = [], [], []
    for index in range(n):
        cracks = _trajectories(index)
        draws.append(_timed(partial(_trajectories, index)))
        fast.append(_timed(partial(_fast_mask, cracks)))
        slow.append(_timed(partial(reference_paper.crack_mask, SHAPE, cracks, PAPER.parameters)))
    return statistics.median(draws), statistics.median(fast), statistics.median(slow)


def _timed(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return 1e3 * (perf_counter() - start)


def _trajectories(index: int) -> Trajectories:
    return draw_trajectories(SHAPE, PAPER.parameters, rng=random_stream(0, PAPER.number, index))


def _fast_mask(cracks: Trajectories) -> Mask:
    return refine(rasterise(SHAPE, cracks), PAPER.parameters)


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    draws, fast, slow = mask_medians()
    sys.stdout.write(
        f"mask {fast:.2f} ms, reference {slow:.2f} ms: {slow / fast:.1f} x as fast (wanted >= 8); "
        f"with random draws ({draws:.2f} ms) {(slow + draws) / (fast + draws):.1f} x\n"
    )


if __name__ == "__main__":
    main()

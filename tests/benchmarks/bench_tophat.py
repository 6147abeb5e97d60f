"""Time of `tophat` beside the OpenCV calls that paper A's section III-A comes down to, and of all detectors.

    python tests/benchmarks/bench_tophat.py

1. `tophat` against the bare calls: grey, closing minus image, stretching, threshold, labelling, dilation.
   They remove no component, because OpenCV has no call for that, and give no scores. Wanted: at most 1.3 x.
   Labelling is with the sizes of the components (what a script would call) and without. Beside them, such a
   script, which also removes small components, by NumPy.
2. Seconds per megapixel of each detector. Wanted of `ridge`: below 1.

Times are the best of some turns, taken in turn, in one run.
"""

from __future__ import annotations

import sys
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import cv2
import numpy as np

from baselines.registry import BUILT_IN, get_detector
from generators.recipes import RECIPES, triplet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generators.triplets import Image

SIZES = ((256, 256), (1500, 1000), (3000, 2000))
TURNS = 15
LEVEL = 75


def draw_image(size: tuple[int, int]) -> Image:
    """Draw a network of cracks on a smooth ground with grain."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (30, 45, 3)).astype(np.uint8)
    painting = np.asarray(cv2.resize(coarse, size), np.uint8)
    damaged = triplet(RECIPES["dutch"], 0, 0, painting, size).damaged
    return np.clip(damaged + rng.normal(0, 3, damaged.shape), 0, 255).astype(np.uint8)


def bare_calls(image: Image, *, sizes: bool) -> None:
    """Call OpenCV, and nothing else."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    hat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    hat = cv2.normalize(hat, hat, 0, 255, cv2.NORM_MINMAX)
    _, mask = cv2.threshold(hat, LEVEL, 1, cv2.THRESH_BINARY)
    label = cv2.connectedComponentsWithStats if sizes else cv2.connectedComponents
    label(mask, connectivity=8)
    cv2.dilate(mask, np.ones((3, 3), np.uint8))


def plain_mask(image: Image) -> None:
    """Make the paper's mask as a script would."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    hat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    stretched = cv2.normalize(hat, np.empty(hat.shape, np.float32), 0, 255, cv2.NORM_MINMAX, cv2.CV_32F)
    mask = (stretched > LEVEL).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= 5
    keep[0] = False
    cv2.dilate(keep[labels].astype(np.uint8), np.ones((3, 3), np.uint8))


def times(calls: Mapping[str, Callable[[], object]], turns: int = TURNS) -> dict[str, float]:
    """Return the time in s of the fastest turn of each call; they take turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(turns):
        for name, call in calls.items():
            start = perf_counter()
            call()
            best[name] = min(best[name], perf_counter() - start)
    return best


def report_tophat(size: tuple[int, int]) -> None:
    """Print how `tophat` compares with the bare calls."""
    image = draw_image(size)
    calls: dict[str, Callable[[], object]] = {
        "tophat": partial(get_detector("tophat").predict, image),
        "bare calls": partial(bare_calls, image, sizes=True),
        "bare calls without sizes": partial(bare_calls, image, sizes=False),
        "script": partial(plain_mask, image),
    }
    found = times(calls)
    sys.stdout.write(f"{size[0]} x {size[1]}\n")
    for name, seconds in found.items():
        ratio = found["tophat"] / seconds
        sys.stdout.write(f"  {name:24} {1e3 * seconds:6.2f} ms; tophat is {ratio:.2f} x of it\n")


def report_detectors(size: tuple[int, int]) -> None:
    """Print the speed of each detector."""
    image = draw_image(size)
    detectors = {listing.name: get_detector(listing.name) for listing in BUILT_IN.values()}
    found = times({name: partial(d.predict, image) for name, d in detectors.items()}, 3)
    for name, seconds in found.items():
        sys.stdout.write(f"{name:10} {seconds / (size[0] * size[1] / 1e6):.4f} s per megapixel\n")


def main() -> None:
    """Measure and print."""
    for size in SIZES:
        report_tophat(size)
    report_detectors(SIZES[1])


if __name__ == "__main__":
    main()

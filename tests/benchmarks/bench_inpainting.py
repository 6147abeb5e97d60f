"""Time of the classical inpainters, beside OpenCV's and beside plain Python.

    python tests/benchmarks/bench_inpainting.py

1. 598 x 375 px, 10 % cracks of 3 px. Wanted: `mtm` and `diffusion` no slower than Telea with radius 3, and at
   least 20 x as fast as plain per-pixel Python, the slow versions of the tests.
2. The same picture with 0.5 to 20 % cracks, and the same crack px in pictures of 4 and 16 times the area.
   Wanted: time follows the crack px, not the area.
3. Table I of paper A: its two fillers on what the top-hat finds with its two structuring elements, at the
   paper's 598 x 375 px, by the filler alone and with detection, as the paper does not say which it gives.

Times are of the processor (what else runs on it counts little), the best of some turns, taken in turn, in one
run, on one thread.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inpainting_references import slow_diffusion, slow_mtm

from baselines.registry import get_detector, get_inpainter
from generators.canvases import numbered_canvas
from generators.recipes import RECIPES, triplet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from baselines.protocols import Image, Mask

SIZE = (598, 375)
NAMES = ("mtm", "diffusion", "telea", "navier_stokes")
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
TURNS = 25
PAPER = {("mtm", "square"): 3.2565, ("mtm", "disk"): 3.2378}
PAPER |= {("diffusion", "square"): 3.2015, ("diffusion", "disk"): 2.4548}
"""Table I, seconds."""


def draw_cracks(size: tuple[int, int], pixels: int) -> Mask:
    """Draw wandering lines of 3 px until there are so many px."""
    rng = np.random.default_rng(0)
    mask = np.zeros(size[::-1], np.uint8)
    while cv2.countNonZero(mask) < pixels:
        bends = np.cumsum(rng.normal(0, 8, (12, 2)) + rng.normal(0, 8, 2), axis=0) + rng.uniform(0, size)
        cv2.polylines(mask, [bends.astype(np.int32)], False, 1, 3)
    return mask.view(np.bool_)


def times(calls: Mapping[str, Callable[[], object]], turns: int = TURNS) -> dict[str, float]:
    """Return the time in s of the fastest turn of each call; they take turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(turns):
        for name, call in calls.items():
            start = process_time()
            call()
            best[name] = min(best[name], process_time() - start)
    return best


def fill_times(image: Image, mask: Mask, turns: int = TURNS) -> dict[str, float]:
    """Return the time in s of each inpainter, and of copying the image, without which none can do."""
    calls: dict[str, Callable[[], object]] = {n: partial(get_inpainter(n).fill, image, mask) for n in NAMES}
    return times({**calls, "copy": image.copy}, turns)


def report_peers() -> None:
    """Print how the fillers compare with OpenCV's and with plain Python."""
    image = numbered_canvas(0, 0, SIZE)
    mask = draw_cracks(SIZE, image.size // 30)
    found = fill_times(image, mask)
    slow = times({"mtm": partial(slow_mtm, image, mask)}, 1)
    slow |= times({"diffusion": partial(slow_diffusion, slow_mtm(image, mask), mask)}, 1)
    sys.stdout.write(f"{SIZE[0]} x {SIZE[1]} px, {mask.mean():.1%} cracks\n")
    for name, seconds in found.items():
        line = f"  {name:14} {1e3 * seconds:7.2f} ms, {seconds / found['telea']:.2f} x of telea"
        if name in slow:
            line += f"; plain Python {slow[name]:.2f} s, {slow[name] / seconds:.0f} x"
        sys.stdout.write(f"{line}\n")


def report_growth() -> None:
    """Print times by crack px and by area."""
    width, height = SIZE
    cases = [(SIZE, share) for share in SHARES]
    cases += [((width * side, height * side), 0.1 / side**2) for side in (2, 4)]
    sys.stdout.write("size, cracks, ms (ns per crack px):\n")
    for size, share in cases:
        image = cv2.resize(numbered_canvas(0, 0, SIZE), size)
        mask = draw_cracks(size, round(share * size[0] * size[1]))
        found = fill_times(np.asarray(image, np.uint8), mask, 9)
        cells = [f"{n} {1e3 * s:6.2f} ({1e9 * s / mask.sum():5.0f})" for n, s in found.items()]
        sys.stdout.write(f"  {size[0]:4} x {size[1]:4} {mask.mean():6.2%}  {', '.join(cells)}\n")


def report_table() -> None:
    """Print Table I."""
    image = triplet(RECIPES["paper"], 0, 0, numbered_canvas(0, 0, (1200, 752)), SIZE).damaged
    sys.stdout.write(f"Table I, {SIZE[0]} x {SIZE[1]} px\n")
    for (name, element), published in PAPER.items():
        detector, inpainter = get_detector("tophat", element=element), get_inpainter(name)
        mask = np.asarray(detector.predict(image) >= detector.threshold, np.bool_)
        found = times(
            {"detection": partial(detector.predict, image), "filling": partial(inpainter.fill, image, mask)}
        )
        both = found["detection"] + found["filling"]
        sys.stdout.write(
            f"  {name:10} {element:7} {mask.mean():5.1%} cracks: {found['filling']:.4f} s, with detection "
            f"{both:.4f} s; published {published} s, {published / found['filling']:.0f} x, "
            f"{published / both:.0f} x\n"
        )


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    report_peers()
    report_growth()
    report_table()


if __name__ == "__main__":
    main()

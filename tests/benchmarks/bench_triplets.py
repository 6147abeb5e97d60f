"""Cost of a whole triplet at 598 x 375 px over the floor, per recipe: CPU time, in turn, in one run.

    python tests/benchmarks/bench_triplets.py [RECIPE ...]

The floor reads and resizes the same painting and encodes the same three pictures, and nothing else.
Wanted: at most 1.35 for `paper`, 1.6 for `mixed`.
"""

from __future__ import annotations

import io
import statistics
import sys
from pathlib import Path
from time import process_time

import cv2
import numpy as np
from PIL import Image as Pillow

from generators.framing import whole
from generators.recipes import RECIPES, triplet
from generators.triplets import Image, Recipe, Triplet

SIZE = (598, 375)
PAINTINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "paintings"


def ratio(recipe: Recipe, paintings: list[Path]) -> tuple[float, float]:
    """Return the sums in ms per triplet of the floor and of whole triplets."""
    floor, total = [], []
    for index, path in enumerate(paintings):
        start = process_time()
        made = triplet(recipe, 0, index, _read(path), SIZE)
        _encode(made)
        middle = process_time()
        painting = _read(path)
        whole((painting.shape[1], painting.shape[0]), SIZE, "crop").image(painting)
        _encode(made)
        floor.append(process_time() - middle)
        total.append(middle - start)
    return 1e3 * statistics.fmean(floor), 1e3 * statistics.fmean(total)


def _read(path: Path) -> Image:
    return np.asarray(Pillow.open(path).convert("RGB"))


def _encode(made: Triplet) -> None:
    for picture in (made.image, made.damaged):
        Pillow.fromarray(picture).save(io.BytesIO(), "WEBP", lossless=True, method=0, quality=0)
    Pillow.fromarray(made.mask).save(io.BytesIO(), "PNG")


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    paintings = sorted(PAINTINGS.glob("*.jpg"))
    for name in sys.argv[1:] or RECIPES:
        floor, total = ratio(RECIPES[name], paintings)
        sys.stdout.write(f"{name:12} floor {floor:6.1f} ms, triplet {total:6.1f} ms: {total / floor:.2f} x\n")


if __name__ == "__main__":
    main()

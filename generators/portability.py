"""The same bytes on every machine: what depends on the processor, and how it is kept out.

- Intel's IPP inside OpenCV has other results for each instruction set, and for none (`plain_opencv`).
- OpenCV's arithmetic on floats may round products and sums together or apart: where it enters a picture, the
  factors are so coarse that nothing needs rounding (`coarse`), or whole numbers are used instead.
- Sine, exponential and the like differ in the last bit: they are taken in float64 and rounded at once, or
  looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def plain_opencv() -> Iterator[None]:
    """Keep OpenCV from using IPP in this thread for a while."""
    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(before)


def coarse(factor: float) -> float:
    """Round to 1/64: times 8 bits, and added to another such, exact in float32.

    >>> coarse(0.13)
    0.125
    """
    return round(factor * 64) / 64

"""Pairs of masks on which metrics are compared with independent implementations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st

Mask = npt.NDArray[np.bool_]

SHAPES = ((1, 1), (1, 17), (23, 1), (16, 16), (37, 53), (64, 200))
KINDS = ("empty", "pixel", "sparse", "half", "lines", "full")
IGNORED = ("nothing", "some", "everything")


def draw(kind: str, shape: tuple[int, ...], seed: int) -> Mask:
    """Draw a mask of a kind, (height, width) of a picture's shape."""
    shape = shape[:2]
    rng = np.random.default_rng(seed)
    if kind == "lines":
        return lines(shape, rng)
    if kind == "pixel":
        mask = np.zeros(shape, np.bool_)
        mask[tuple(rng.integers(shape))] = True
        return mask
    return rng.random(shape) < {"empty": 0, "sparse": 0.03, "half": 0.5, "full": 1}[kind]


def lines(shape: tuple[int, ...], rng: np.random.Generator) -> Mask:
    """Draw some straight lines, 1 to 4 px wide."""
    canvas = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(1, 7))):
        x0, x1 = rng.integers(0, shape[1], 2).tolist()
        y0, y1 = rng.integers(0, shape[0], 2).tolist()
        cv2.line(canvas, (x0, y0), (x1, y1), 255, int(rng.integers(1, 5)))
    return canvas > 0


def draw_ignored(kind: str, shape: tuple[int, int], seed: int) -> Mask | None:
    """Draw an ignored region: None, some blocks, or everything."""
    if kind == "nothing":
        return None
    if kind == "everything":
        return np.ones(shape, np.bool_)
    ignore = np.zeros(shape, np.bool_)
    ignore[seed % 3 : shape[0] // 3, : shape[1] // 2] = True
    ignore[shape[0] // 2 :, -(shape[1] // 4 + 1) :] = True
    return ignore


CASES = [
    pytest.param(
        draw(predicted, shape, 2 * number),
        draw(annotated, shape, 2 * number + 1),
        draw_ignored(ignored, shape, number),
        id=f"{shape[0]}x{shape[1]}-{predicted}-{annotated}-{ignored}",
    )
    for number, (shape, predicted, annotated, ignored) in enumerate(
        (shape, predicted, annotated, ignored)
        for shape in SHAPES
        for predicted in KINDS
        for annotated in KINDS
        for ignored in IGNORED
    )
]
"""Prediction, annotation and ignored region (or None), for every combination."""


def without_ignored(mask: Mask, ignore: Mask | None) -> Mask:
    """Return a mask with nothing in the ignored region."""
    return mask if ignore is None else mask & ~ignore


@st.composite
def pairs(draw_value: Callable[..., int]) -> tuple[Mask, Mask]:
    """Draw two masks of lines and speckle, at times equal ones."""
    shape = draw_value(st.integers(1, 40)), draw_value(st.integers(1, 40))
    kinds = [KINDS[draw_value(st.integers(0, len(KINDS) - 1))] for _ in range(2)]
    seeds = [draw_value(st.integers(0, 10**6)) for _ in range(2)]
    first, second = (draw(kind, shape, seed) for kind, seed in zip(kinds, seeds, strict=True))
    return first, second


TURNS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "left-right": np.fliplr,
    "up-down": np.flipud,
    "quarter turn": np.rot90,
    "transposed": np.transpose,
}
"""Ways to lay the same picture: views, not copies, with strides that are not the usual ones."""

"""What the metrics say about real annotated cracks: why F1@2px ranks, and what two annotators agree on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from metric_cases import Mask
from scipy import ndimage

from craqbench.metrics import (
    DetectionCounts,
    detection_counts,
    detection_scores,
)
from craqbench.metrics.skeletons import skeletonize

Change = Callable[[Mask], Mask]


def read(folder: Path, name: str) -> tuple[Mask, Mask]:
    """Read a mask: where cracks are, and where nothing is scored."""
    labels = np.asarray(cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE))
    return labels == 255, labels == 128


def shift(mask: Mask) -> Mask:
    """Move all cracks one px to the right."""
    moved = np.zeros_like(mask)
    moved[:, 1:] = mask[:, :-1]
    return moved


def widen(mask: Mask) -> Mask:
    """Widen all cracks by one px on each side."""
    return np.asarray(ndimage.binary_dilation(mask, np.ones((3, 3), np.bool_)))


def interrupt(mask: Mask) -> Mask:
    """Cut all cracks along a grid: gaps of one px, 16 px apart."""
    broken = mask.copy()
    broken[::16] = False
    broken[:, ::16] = False
    return broken


CHANGES: dict[str, Change] = {
    "as annotated": lambda mask: mask,
    "shift": shift,
    "widen": widen,
    "skeleton": skeletonize,
    "interrupt": interrupt,
    "empty": np.zeros_like,
    "all": np.ones_like,
}


@pytest.fixture(scope="module")
def table(shared: Path) -> dict[str, dict[str, float]]:
    """Score every change of the 20 annotations against the annotations."""
    folder = shared / "data" / "real" / "val" / "masks"
    masks = [read(folder, path.name) for path in sorted(folder.glob("*.png"))]
    assert len(masks) == 20
    return {
        name: detection_scores(_added([detection_counts(change(t), t, ignore=i) for t, i in masks]))
        for name, change in CHANGES.items()
    }


def _added(counts: list[DetectionCounts]) -> DetectionCounts:
    first, *rest = counts
    for one in rest:
        first += one
    return first


TABLE = {
    #               accuracy  f1     f1@1   f1@2   cldice
    "as annotated": (1.0000, 1.0000, 1.0000, 1.0000, 1.0000),
    "shift": (0.9482, 0.6940, 0.9996, 1.0000, 0.0),
    "widen": (0.9009, 0.6326, 0.9202, 1.0000, 0.0),
    "skeleton": (0.9516, 0.6040, 0.9722, 0.9962, 0.0),
    "interrupt": (0.9900, 0.9379, 0.9960, 0.9996, 0.0),
    "empty": (0.9147, 0.0000, 0.0000, 0.0000, 0.0),
    "all": (0.0853, 0.1572, 0.2716, 0.3675, 0.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_tolerance_table(table: dict[str, dict[str, float]], change: str) -> None:
    """The figures are those that an independent script found on the same masks."""
    found = [table[change][name] for name in ("accuracy", "f1", "f1@1", "f1@2", "cldice")]
    print(change, found, table[change])


def test_second(shared: Path) -> None:
    folder = shared / "data" / "real" / "val"
    counts = []
    for path in sorted((folder / "masks_second").glob("*.png")):
        (first, void), (second, also_void) = (
            read(folder / kind, path.name) for kind in ("masks", "masks_second")
        )
        counts.append(detection_counts(second, first, ignore=void | also_void))
    print(detection_scores(_added(counts)))

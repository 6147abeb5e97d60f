"""What the metrics say about real annotated cracks: why F1@2px ranks, and what two annotators agree on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from metric_cases import Mask
from scipy import ndimage

from craqbench.metrics import DetectionCounts, detection_counts, detection_scores
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
    #               accuracy  f1     f1@1    f1@2    cldice
    "as annotated": (1.0000, 1.0000, 1.0000, 1.0000, 1.0000),
    "shift": (0.9482, 0.6940, 0.9996, 1.0000, 0.7266),
    "widen": (0.9009, 0.6326, 0.9202, 1.0000, 0.9857),
    "skeleton": (0.9516, 0.6040, 0.9722, 0.9962, 1.0000),
    "interrupt": (0.9900, 0.9379, 0.9960, 0.9996, 0.9389),
    "empty": (0.9147, 0.0000, 0.0000, 0.0000, 0.0000),
    "all": (0.0853, 0.1572, 0.2716, 0.3675, 0.1538),
}
"""All but clDice found by a separate script with a pair of distance transforms."""


@pytest.mark.parametrize("change", CHANGES)
def test_tolerance_table(table: dict[str, dict[str, float]], change: str) -> None:
    """What a change of the annotations costs, by each figure."""
    found = [table[change][name] for name in ("accuracy", "f1", "f1@1", "f1@2", "cldice")]
    assert found == pytest.approx(TABLE[change], abs=1e-4)


def test_why_two_pixels(table: dict[str, dict[str, float]]) -> None:
    """One px aside costs F1 a third and F1@2 less than 0.001; predicting nothing costs Acc least of all."""
    shifted, empty = table["shift"], table["empty"]
    assert 1 - shifted["f1"] > 0.3
    assert 1 - shifted["f1@2"] < 0.001
    assert empty["accuracy"] > table["widen"]["accuracy"]
    assert empty["accuracy"] > 0.9
    assert empty["f1"] == empty["f1@2"] == empty["mcc"] == empty["cldice"] == 0


def test_what_two_pixels_do_not_see(table: dict[str, dict[str, float]]) -> None:
    """Gaps of one px in every crack cost F1@2 nothing; clDice and beta0 see them."""
    broken = table["interrupt"]
    assert 1 - broken["f1@2"] < 0.001
    assert broken["cldice"] < 0.95
    assert broken["beta0_error"] > 100


def test_two_annotators(shared: Path) -> None:
    """Blind annotators of four crops agree with F1@2px 0.978, F1 0.896 and IoU 0.812."""
    folder = shared / "data" / "real" / "val"
    counts = []
    for path in sorted((folder / "masks_second").glob("*.png")):
        first, void = read(folder / "masks", path.name)
        second, also_void = read(folder / "masks_second", path.name)
        counts.append(detection_counts(second, first, ignore=void | also_void))
    assert len(counts) == 4
    figures = detection_scores(_added(counts))
    found = [figures[name] for name in ("f1@2", "f1", "iou", "cldice")]
    assert found == pytest.approx([0.9776, 0.8959, 0.8115, 0.9366], abs=1e-4)

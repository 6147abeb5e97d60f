"""Methods and small helpers for the tests of restoration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from baselines.protocols import Card, Image, Mask, Scores
from craqbench.scans import Scan
from craqbench.scans_opening import open_scan
from craqbench.scans_rows import RowReader, Store

CARD = Card(training_data="none", licence="Apache-2.0", reference="a test")


class Dark:
    """Finds what is dark; knows nothing but a px itself."""

    name = "dark"
    version = "1"
    threshold = 0.5
    card = CARD

    def predict(self, image: Image) -> Scores:
        """Return 1 where all colours are below 20."""
        return np.asarray(image.max(axis=2) < 20, np.float32)


class Blurred(Dark):
    """Finds what is darker than its surroundings of 31 px."""

    name = "blurred"

    def predict(self, image: Image) -> Scores:
        """Return how much darker a px is, 1 for 64 levels."""
        grey = image.mean(axis=2, dtype=np.float32)
        around = cv2.blur(grey, (31, 31), borderType=cv2.BORDER_REFLECT)
        return np.asarray(np.clip((around - grey) / 64, 0, 1), np.float32)


class Half(Dark):
    """Calls most of a picture a crack."""

    name = "half"

    def predict(self, image: Image) -> Scores:
        """Return 1 in nine of ten rows."""
        scores = np.ones(image.shape[:2], np.float32)
        scores[::10] = 0
        return scores


class Broken(Dark):
    """Fails."""

    name = "broken"

    def predict(self, image: Image) -> Scores:
        """Fail."""
        raise RuntimeError(f"no idea of {image.shape}")


class Grey:
    """Fills with the mean of all known px of what it is given: it reaches everywhere, and does not say so."""

    name = "grey"
    version = "1"
    card = CARD
    shown: ClassVar[list[tuple[int, int]]] = []

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill with one colour."""
        self.shown.append(image.shape[:2])
        copy = image.copy()
        copy[mask] = image[~mask].mean(axis=0).astype(np.uint8)
        return copy


class Real(Grey):
    """Fills with the mean of the known px left and right, before it is rounded too."""

    name = "real"

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill with the mean of the row."""
        copy = image.copy()
        copy[mask] = np.rint(self.values(image, mask))
        return copy

    def values(self, image: npt.NDArray[Any], mask: Mask) -> npt.NDArray[np.float64]:
        """Return a quarter of a level more than the mean of all known px."""
        return np.tile(image[~mask].mean(axis=0, dtype=np.float64) + 0.25, (int(mask.sum()), 1))


@contextmanager
def stored(folder: Path, mask: Mask, scan: Scan) -> Iterator[tuple[Store, Store]]:
    """Yield a mask on the disk, and an empty store for the pixels of a scan."""
    for name in ("mask", "pixels"):
        (folder / name).write_bytes(b"")
    with (
        Store(folder / "mask", scan.width) as holes,
        Store(folder / "pixels", scan.width, scan.channels, scan.bits) as pixels,
    ):
        holes.append(mask * np.uint8(255))
        yield holes, pixels


def read(path: Path) -> npt.NDArray[Any]:
    """Return all pixels of a file."""
    scan = open_scan(path)
    return RowReader.of(scan, scan.height).read(0, scan.height)

"""Detectors that tests evaluate as ``toy_detectors:NAME``: good ones, and ones with faults on one image.

Images are told apart by their width, see `evaluation_samples.write_images`.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.protocols import Card

Image = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]

CARD = Card(training_data="none", licence="CC0-1.0", reference="a toy")


def darkness(image: Image) -> Scores:
    """Return how dark each pixel is, (H, W) float32 in [0, 1]."""
    return np.asarray(1 - image.mean(axis=2) / 255, np.float32)


@dataclass
class Dark:
    """What is dark is a crack."""

    threshold: float = 0.55
    version: str = "1"

    name: ClassVar[str] = "dark"
    card: ClassVar[Card] = CARD

    def predict(self, image: Image) -> Scores:
        """Score by darkness."""
        return darkness(image)


@dataclass
class Slow(Dark):
    """The same, slowly.

    Attributes
    ----------
    pause
        Seconds for each image.
    """

    pause: float = 0.05
    name: ClassVar[str] = "slow"

    def predict(self, image: Image) -> Scores:
        """Wait, then score."""
        time.sleep(self.pause)
        return darkness(image)


@dataclass
class Faulty(Dark):
    """Has a fault on images of one width.

    Attributes
    ----------
    fault
        Which.
    width
        Of which images, in px.
    """

    fault: str = "raises"
    width: int = 97
    name: ClassVar[str] = "faulty"

    def predict(self, image: Image) -> Any:
        """Score, or not."""
        scores = darkness(image)
        if image.shape[1] != self.width:
            return scores
        if self.fault == "raises":
            raise ZeroDivisionError("of the method\nin two lines")
        if self.fault == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        answers = {
            "shape": scores.T,
            "type": scores.astype(np.float64),
            "nan": np.where(scores > 0.5, np.nan, scores).astype(np.float32),
            "range": scores + 1,
            "nothing": None,
        }
        return answers[self.fault]


@dataclass
class Meddling(Dark):
    """Deletes a file while it looks at the image of one width.

    Attributes
    ----------
    path
        Of the file.
    width
        Of the image, in px.
    """

    path: str = ""
    width: int = 96
    name: ClassVar[str] = "meddling"

    def predict(self, image: Image) -> Scores:
        """Delete, then score."""
        if image.shape[1] == self.width:
            Path(self.path).unlink(missing_ok=True)
        return darkness(image)


@dataclass
class OnDevice(Dark):
    """Runs where it is told.

    Attributes
    ----------
    device
        Where.
    home
        A folder in which it leaves the number of its process.
    """

    device: str = "auto"
    home: str = "."
    name: ClassVar[str] = "ondevice"

    def predict(self, image: Image) -> Scores:
        """Say which process this is, then score."""
        (Path(self.home) / f"{self.device}-{os.getpid()}").touch()
        return darkness(image)


@dataclass
class Coloured(Dark):
    """What is dark is a crack, what is red is paint loss.

    Attributes
    ----------
    classes
        How many it says that it tells apart.
    fault
        Of its scores of classes, on images of one width.
    width
        Of which images, in px.
    """

    classes: int = 3
    fault: str = ""
    width: int = 81
    name: ClassVar[str] = "coloured"
    asked: ClassVar[list[str]] = []

    def predict(self, image: Image) -> Scores:
        """Score cracks."""
        self.asked.append("predict")
        return np.asarray(self._planes(image)[1], np.float32)

    def predict_classes(self, image: Image) -> Any:
        """Score all classes, or not."""
        self.asked.append("predict_classes")
        planes = self._planes(image)
        if image.shape[1] != self.width or not self.fault:
            return planes
        if self.fault == "raises":
            raise ZeroDivisionError("of the method\nin two lines")
        answers = {
            "label map": planes.argmax(axis=0).astype(np.uint8),
            "planes": planes[:2],
            "shape": planes.transpose(1, 2, 0),
            "type": planes.astype(np.float64),
            "nan": np.where(planes > 0.9, np.nan, planes).astype(np.float32),
            "range": -planes,
            "nothing": None,
        }
        return answers[self.fault]

    def _planes(self, image: Image) -> Scores:
        red = np.asarray((image[..., 0] / 255) * (image[..., 1] < 100), np.float32)
        crack = darkness(image) * (1 - red)
        return np.asarray([np.maximum(0, 1 - crack - red), crack, red], np.float32)


@dataclass
class Reading(Dark):
    """Has read a file.

    Attributes
    ----------
    file
        Which.
    """

    file: str = ""
    name: ClassVar[str] = "reading"

    def __post_init__(self) -> None:
        """Read it."""
        Path(self.file).read_bytes()

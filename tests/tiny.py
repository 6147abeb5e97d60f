"""A recipe, paintings and datasets so small that tests of files and processes are quick."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import PIL.Image

from craqbench.configuration import Config
from generators.framing import whole
from generators.triplets import CLASSES, Image, Recipe, Size, Triplet

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (96, 64)


@dataclass(frozen=True)
class TinyParameters:
    """Settings of the tiny recipe.

    Attributes
    ----------
    lines
        Cracks per triplet.
    pause
        Seconds that a row takes longer.
    killer, failing
        Index-like draws that kill the worker, or raise; none by default.
    """

    lines: int = 3
    pause: float = 0.0
    killer: int = -1
    failing: int = -1


def draw_lines(
    painting: Image, size: Size, fit: str, parameters: TinyParameters, *, rng: np.random.Generator
) -> Triplet:
    """Draw a few straight dark lines."""
    time.sleep(parameters.pause)
    draw = int(rng.integers(8))
    if draw == parameters.killer:
        os.kill(os.getpid(), signal.SIGKILL)
    if draw == parameters.failing:
        raise ZeroDivisionError("a fault in a recipe")
    image = whole(painting.shape[1::-1], size, fit).image(painting)
    labels = np.zeros(size[::-1], np.uint8)
    for label, ends in enumerate(rng.integers(0, size, (parameters.lines, 2, 2))):
        cv2.line(labels, ends[0].tolist(), ends[1].tolist(), 1 + label % 2, 2)
    damaged = image.copy()
    damaged[labels > 0] //= 3
    return Triplet(image, labels, damaged, {"lines": parameters.lines, "angle": float(rng.random())})


def draw_two_classes(
    painting: Image, size: Size, fit: str, parameters: TinyParameters, *, rng: np.random.Generator
) -> Triplet:
    """Draw the same lines, all of one class."""
    made = draw_lines(painting, size, fit, parameters, rng=rng)
    return Triplet(made.image, np.minimum(made.labels, 1), made.damaged, made.meta)


def tiny_recipe(**settings: Any) -> Recipe:
    """Return a recipe of two classes."""
    return Recipe(
        "tiny", 900, 1, "A few straight lines.", "", TinyParameters(**settings), draw_two_classes, 0
    )


def three_class_recipe(**settings: Any) -> Recipe:
    """Return a recipe of three classes."""
    parameters = TinyParameters(**settings)
    return Recipe("tiny3", 901, 1, "Lines of two classes.", "", parameters, draw_lines, 0, CLASSES)


def tiny_config(source: Path | str, **options: Any) -> Config:
    """Return a configuration of 24 tiny rows in 8 shards."""
    defaults: dict[str, Any] = {"n": 24, "recipe": tiny_recipe(), "size": SIZE, "shard_size": 3}
    return Config(source=str(source), **{**defaults, **options})


def smooth_picture(number: int, size: Size = (120, 90)) -> Image:
    """Return (h, w, 3) uint8 with gentle gradients, another for each number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def write_paintings(folder: Path, count: int = 5) -> Path:
    """Write some small JPEG paintings into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        PIL.Image.fromarray(smooth_picture(number)).save(folder / f"painting-{number}.jpg", quality=95)
    return folder

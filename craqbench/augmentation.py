"""Change a damaged picture and its labels as photographs of paintings differ: place, scale, light, camera.

Geometry (crop, scale, flips, quarter turns) moves labels and picture together; light and camera change the
picture alone. A pure function of the random stream.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from generators.portability import plain_opencv
from generators.triplets import Image, Labels

__all__ = ["Augmentation", "augment", "cut", "develop", "turn"]

DARK = 60
"""Pictures of a lower mean tone, of 255, are not darkened, and get half the noise."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How often, and how far. Shares in [0, 1]; ranges are drawn from uniformly unless told otherwise.

    Attributes
    ----------
    rescaled, scale
        Share of pictures that are enlarged or reduced, and by how much (uniform in the logarithm).
    toned, contrast, gamma
        Share whose tones change; factor around the mean tone, and exponent (both uniform in the logarithm).
    cast
        Largest difference of a channel's gain from 1.
    darkened, darkness
        Share that is darkened, and to which mean tone, of 255.
    inverted
        Share of negatives.
    blurred, blur
        Share, and standard deviation in px.
    sharpened, sharpening
        Share, and strength of unsharp masking.
    coarsened, coarseness
        Share that has lost resolution: reduced and enlarged again, and by how much.
    noisy, noise
        Share, and standard deviation in levels of 255; half of it is coarser than a px.
    compressed, quality
        Share worn by JPEG, and its quality.
    """

    rescaled: float = 0.5
    scale: tuple[float, float] = (0.85, 1.3)
    toned: float = 0.6
    contrast: tuple[float, float] = (0.7, 1.6)
    gamma: tuple[float, float] = (0.7, 1.35)
    cast: float = 0.08
    darkened: float = 0.1
    darkness: tuple[float, float] = (12.0, 60.0)
    inverted: float = 0.02
    blurred: float = 0.15
    blur: tuple[float, float] = (0.3, 0.9)
    sharpened: float = 0.25
    sharpening: tuple[float, float] = (0.2, 1.2)
    coarsened: float = 0.1
    coarseness: tuple[float, float] = (1.1, 1.8)
    noisy: float = 0.35
    noise: tuple[float, float] = (0.5, 4.0)
    compressed: float = 0.3
    quality: tuple[int, int] = (60, 96)


def augment(
    image: Image, labels: Labels, crop: int, how: Augmentation, *, rng: np.random.Generator
) -> tuple[Image, Labels]:
    """Return a square of a picture, changed.

    Parameters
    ----------
    image, labels
        (H, W, 3) uint8 RGB and (H, W) uint8; left as they are. Where a side is shorter than `crop` the
        picture is enlarged first.
    crop
        Side of the square in px.
    how
        What may happen.

    Returns
    -------
    (crop, crop, 3) uint8 and (crop, crop) uint8.
    """
    with plain_opencv():
        image, labels = cut(image, labels, crop, how, rng=rng)
        image, labels = turn(image, labels, rng=rng)
        return develop(image, how, rng=rng), labels


def cut(
    image: Image, labels: Labels, crop: int, how: Augmentation, *, rng: np.random.Generator
) -> tuple[Image, Labels]:
    """Cut a random square out of a picture, and bring it to `crop` px."""
    shorter = min(labels.shape)
    scale = _log_uniform(how.scale, rng) if rng.random() < how.rescaled else 1.0
    side = min(shorter, max(8, round(crop / scale)))
    y, x = (int(rng.integers(length - side + 1)) for length in labels.shape)
    image, labels = image[y : y + side, x : x + side], labels[y : y + side, x : x + side]
    if side == crop:
        return image, labels
    kernel = cv2.INTER_AREA if side > crop else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (crop, crop), interpolation=kernel), np.uint8), _resized(labels, crop)


def _resized(labels: Labels, crop: int) -> Labels:
    """Scale labels: a px belongs to a class that covers four tenths of it, so that hairlines last."""
    kernel = cv2.INTER_AREA if labels.shape[0] > crop else cv2.INTER_LINEAR
    result = np.zeros((crop, crop), np.uint8)
    for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)):
        if label:
            covered = np.where(labels == label, np.uint8(255), np.uint8(0))
            result[cv2.resize(covered, (crop, crop), interpolation=kernel) >= 102] = label
    return result


def turn(image: Image, labels: Labels, *, rng: np.random.Generator) -> tuple[Image, Labels]:
    """Turn by quarters and mirror: all eight are equally likely."""
    quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    image, labels = np.rot90(image, quarters), np.rot90(labels, quarters)
    if mirrored:
        image, labels = image[:, ::-1], labels[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def develop(image: Image, how: Augmentation, *, rng: np.random.Generator) -> Image:
    """Change light and camera: tones, then sharpness, then noise, then JPEG, as a photograph comes to be."""
    chances = rng.random(8)
    if chances[0] < how.toned or chances[1] < how.darkened:
        image = _toned(image, how, dark=bool(chances[1] < how.darkened), rng=rng)
    if chances[2] < how.inverted:
        image = 255 - image
    if chances[3] < how.coarsened:
        image = _coarsened(image, float(rng.uniform(*how.coarseness)))
    if chances[4] < how.blurred:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*how.blur))), np.uint8)
    if chances[5] < how.sharpened:
        strength = float(rng.uniform(*how.sharpening))
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.7, 1.5)))
        image = np.asarray(cv2.addWeighted(image, 1 + strength, soft, -strength, 0), np.uint8)
    if chances[6] < how.noisy:
        image = _noisy(image, float(rng.uniform(*how.noise)), rng)
    if chances[7] < how.compressed:
        image = _compressed(image, int(rng.integers(*how.quality)))
    return image


def _toned(image: Image, how: Augmentation, *, dark: bool, rng: np.random.Generator) -> Image:
    """Change contrast, gamma and colour, and darken, by one table for each channel."""
    mean = float(np.mean(cv2.mean(image)[:3]))
    gamma, contrast = _log_uniform(how.gamma, rng), _log_uniform(how.contrast, rng)
    gains = 1 + rng.uniform(-how.cast, how.cast, 3)
    if mean < DARK:
        # Darker and flatter still, and eight bits would no longer tell a crack from paint.
        gamma, contrast = min(gamma, 1 / gamma), max(contrast, 1 / contrast)
    elif dark:
        gains *= min(1.0, float(rng.uniform(*how.darkness)) / mean)
    levels = (np.arange(256) / 255) ** gamma
    middle = float(levels[round(mean)])
    levels = (levels - middle) * contrast + middle
    table = np.clip(np.rint(levels[:, None] * gains * 255), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[:, None]), np.uint8)


def _coarsened(image: Image, factor: float) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _noisy(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Add noise that is grey or coloured, and as fine as a px or coarser."""
    coloured, coarse = rng.random(2) < 0.5
    if np.mean(cv2.mean(image)[:3]) < DARK:
        strength /= 2
    shape = image.shape if coloured else image.shape[:2]
    noise = rng.standard_normal(shape, np.float32) * np.float32(strength)
    if coarse:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.8), np.float32) * np.float32(2.2)
    if not coloured:
        noise = np.asarray(cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), np.float32)
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


def _compressed(image: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def _log_uniform(between: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(between[0]), np.log(between[1]))))

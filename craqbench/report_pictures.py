"""A prediction beside its annotation, px by px: hit, miss, false alarm, ignored."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from craqbench.metrics import RANKING_TAU
from craqbench.metrics.tolerance import grow

if TYPE_CHECKING:
    from generators.triplets import Image, Mask

__all__ = [
    "CRACK",
    "FALSE_ALARM",
    "HIT",
    "IGNORED",
    "KINDS",
    "LOSS",
    "LOSS_CLASS",
    "LOSS_FALSE",
    "LOSS_HIT",
    "LOSS_MISS",
    "MISS",
    "Kind",
    "crop_uri",
    "layer_uri",
    "loss_outcome",
    "outcome",
    "truth_layer",
]

LOSS_CLASS = 2
"""See `generators.triplets.CLASSES`."""

LONGEST = 640
"""px of a picture's longer side on the page; larger ones are scaled down."""

QUALITY = 85
"""Of the crops' lossy WebP: what is left out is not seen, and nothing is measured on the page."""

FAINT = 0.2
"""Weight of `AREAS` where px are scaled down: a line over them outlasts being a fifth of a px."""

Layer = npt.NDArray[np.uint8]
"""(H, W) numbers of `KINDS`."""


class Kind(NamedTuple):
    """What a px is, as the page shows it.

    Attributes
    ----------
    name
        For the legend.
    colour
        RGBA, each 0 ... 255.
    meaning
        One line for the legend.
    """

    name: str
    colour: tuple[int, int, int, int]
    meaning: str


KINDS = (
    Kind("nothing", (0, 0, 0, 0), "neither predicted nor missed"),
    Kind("hit", (0, 95, 220, 255), f"predicted, and an annotated crack is within {RANKING_TAU:g} px"),
    Kind("miss", (232, 148, 0, 255), f"annotated, and nothing is predicted within {RANKING_TAU:g} px"),
    Kind("false alarm", (150, 0, 30, 255), f"predicted, and no annotated crack is within {RANKING_TAU:g} px"),
    Kind("ignored", (120, 120, 120, 190), "not scored, whatever is predicted there"),
    Kind("crack", (16, 16, 16, 255), "annotated as crack"),
    Kind("paint loss", (98, 182, 183, 255), "annotated as paint loss, which is not a crack"),
    Kind("paint loss hit", (98, 178, 240, 255), "predicted, and annotated at the very px"),
    Kind("paint loss missed", (255, 221, 135, 255), "annotated, and something else is predicted"),
    Kind("false paint loss", (190, 92, 126, 255), "predicted, and something else is annotated"),
)
"""Told apart in the common forms of colour blindness too, on the pale grey that the page lays under them.

What is said of paint loss has the colour of what is said of cracks, but paler.
"""

HIT, MISS, FALSE_ALARM, IGNORED, CRACK, LOSS, LOSS_HIT, LOSS_MISS, LOSS_FALSE = range(1, len(KINDS))
AREAS = (0, LOSS, LOSS_HIT, LOSS_MISS, LOSS_FALSE)


def outcome(prediction: Mask, truth: Mask, ignore: Mask, *, tau: float = RANKING_TAU) -> Layer:
    """Say of each px what it counts as in F1@tau of the cracks.

    Parameters
    ----------
    prediction, truth, ignore
        (H, W) bool.
    tau
        Tolerance in px, as `craqbench.metrics.tolerance_counts` has it: what is ignored matches nothing.

    Returns
    -------
    (H, W) uint8 : numbers of `KINDS`. Annotated px that are found, but not predicted themselves, are 0: of a
    crack predicted thinner than annotated, what is predicted is a hit, and nothing is missed.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    if not prediction.shape == truth.shape == ignore.shape:
        raise ValueError(
            f"expected masks of one shape. Got {prediction.shape}, {truth.shape} and {ignore.shape}"
        )
    found, sought = prediction & ~ignore, truth & ~ignore
    layer = np.zeros(truth.shape, np.uint8)
    layer[sought & ~grow(found, tau)] = MISS
    near = grow(sought, tau)
    layer[found & near] = HIT
    layer[found & ~near] = FALSE_ALARM
    layer[ignore] = IGNORED
    return layer


def loss_outcome(prediction: Layer, truth: Layer, ignore: Mask) -> Layer:
    """Say of each px what it counts as in the IoU of paint loss, which knows no tolerance.

    Parameters
    ----------
    prediction, truth
        (H, W) uint8 class numbers.
    ignore
        (H, W) bool.

    Returns
    -------
    (H, W) uint8 : numbers of `KINDS`, 0 where neither says paint loss.
    """
    found, sought = prediction == LOSS_CLASS, truth == LOSS_CLASS
    layer = np.zeros(truth.shape, np.uint8)
    layer[found] = LOSS_FALSE
    layer[sought] = LOSS_MISS
    layer[found & sought] = LOSS_HIT
    layer[ignore] = IGNORED
    return layer


def truth_layer(labels: Layer, ignore: Mask) -> Layer:
    """Return the numbers of `KINDS` that show an annotation: (H, W) uint8 from class numbers 0, 1, 2."""
    layer = np.array([0, CRACK, LOSS], np.uint8)[np.minimum(labels, LOSS_CLASS)]
    layer[ignore] = IGNORED
    return layer


def crop_uri(image: Image) -> str:
    """Return (H, W, 3) uint8 RGB as a ``data:`` address, at most `LONGEST` px wide and high."""
    size = _shown_size(image.shape)
    if size != image.shape[:2]:
        image = np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    encoded = io.BytesIO()
    Pictures.fromarray(image).save(encoded, "WEBP", quality=QUALITY, method=4)
    return _uri("webp", encoded.getvalue())


def layer_uri(layer: Layer) -> str:
    """Return a layer as the ``data:`` address of a PNG in the colours of `KINDS`, transparent where 0."""
    picture = Pictures.fromarray(_shrunk(layer))
    colours = np.array([kind.colour for kind in KINDS], np.uint8)
    picture.putpalette(colours[:, :3].tobytes())
    encoded = io.BytesIO()
    picture.save(encoded, "PNG", transparency=colours[:, 3].tobytes(), optimize=True, bits=4)
    return _uri("png", encoded.getvalue())


def _shown_size(shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _shrunk(layer: Layer) -> Layer:
    """Scale a layer down to the size of its crop; each px becomes what most of it is, lines first."""
    size = _shown_size(layer.shape)
    if size == layer.shape:
        return layer
    shares = [
        cv2.resize((layer == kind).astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        for kind in range(len(KINDS))
    ]
    for area in AREAS:
        shares[area] *= FAINT
    return np.asarray(np.argmax(shares, axis=0), np.uint8)


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"

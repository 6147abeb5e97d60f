"""The masked pixels of a picture and those beside them, as a table: what is done costs what cracks cost."""

from __future__ import annotations

from typing import NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from baselines.inpainting.checks import Values, fitting_mask
from baselines.protocols import Image, Mask, checked_image

__all__ = ["STEPS", "Colours", "Rows", "Surroundings", "survey"]

Rows = npt.NDArray[np.intp]

Colours = npt.NDArray[np.uint8] | Values
"""(m, 3) RGB."""

STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""(dy, dx) to the neighbours: N, S, W, E, then the diagonal ones."""


class Surroundings(NamedTuple):
    """A table with a row for each of m px: first the n masked ones, then the others beside them.

    Attributes
    ----------
    colours
        (m, 3) what the picture shows there, of its type.
    neighbours
        (8, n) the rows of the neighbours of the masked px, as `STEPS` has them; one beyond the frame is
        replaced by the px itself.
    """

    colours: Colours
    neighbours: Rows


def survey(image: Image | Values, mask: Mask) -> Surroundings:
    """Make the table of the masked px in raster order.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB, or float64 for pictures of more than 8 bits.
    mask
        (H, W) bool.

    Raises
    ------
    ValueError
        If `image` or `mask` is none, or the mask covers all of the image.
    """
    if image.dtype != np.float64 or image.ndim != 3 or image.shape[2] != 3:
        image = checked_image(cast("Image", image))
    height, width = fitting_mask(mask, image.shape[:2]).shape
    masked = np.flatnonzero(mask)
    near = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    places = np.concatenate((masked, np.flatnonzero(near & ~mask)))
    # Only the rows that are asked for are ever written: most of a large picture costs nothing.
    row_of = np.empty(mask.size, np.int32)
    row_of[places] = np.arange(len(places), dtype=np.int32)
    y, x = np.divmod(masked, width)
    at_frame = np.flatnonzero((y == 0) | (y == height - 1) | (x == 0) | (x == width - 1))
    y, x = y[at_frame], x[at_frame]
    neighbours = np.empty((len(STEPS), len(masked)), np.intp)
    for row, (dy, dx) in zip(neighbours, STEPS, strict=True):
        row[:] = row_of.take(masked + (dy * width + dx), mode="clip")  # beyond the frame: any row
        beyond = at_frame[(y + dy < 0) | (y + dy == height) | (x + dx < 0) | (x + dx == width)]
        row[beyond] = beyond
    return Surroundings(image.reshape(-1, 3).take(places, axis=0), neighbours)

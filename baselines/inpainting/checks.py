"""What can be filled, and the check that what an inpainter answers is a filling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from baselines.protocols import Image, Inpainter, Mask, MethodError, checked_image

__all__ = ["Values", "checked_fill", "checked_mask", "fitting_mask", "painted"]

Values = npt.NDArray[np.float64]
"""(n, 3) float64, RGB, 0-255: the n masked px in raster order, as ``image[mask]`` has them."""


def checked_mask(mask: Mask, image: Image) -> Mask:
    """Return `mask` if `image` can be filled in it.

    Raises
    ------
    ValueError
        If `image` is not (H, W, 3) uint8, `mask` is not (H, W) bool, or no px outside the mask is left.
    """
    return fitting_mask(mask, checked_image(image).shape[:2])


def fitting_mask(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Return `mask` if a picture of (height, width) `shape` can be filled in it; errors as `checked_mask`."""
    if mask.shape != shape or mask.dtype != np.bool_:
        raise ValueError(f"expected a mask of shape {shape} and type bool. Got {mask.shape} {mask.dtype}")
    if mask.all():
        raise ValueError(
            f"the mask covers all {mask.size} px of the image: expected at least one known px to fill from"
        )
    return mask


def painted(image: Image, mask: Mask, values: Values) -> Image:
    """Return a copy of an image with values in its mask, rounded to the nearest level, halves to even."""
    copy = image.copy()
    copy.reshape(-1, 3)[np.flatnonzero(mask)] = np.rint(values)  # faster than a mask of rows
    return copy


def checked_fill(inpainter: Inpainter, image: Image, mask: Mask, image_id: str) -> Image:
    """Return what an inpainter answers, if it is a filling; the inpainter works on copies.

    Parameters
    ----------
    inpainter
        Of whatever origin.
    image
        (H, W, 3) uint8 RGB.
    mask
        (H, W) bool, True where to fill; at least one px is not.
    image_id
        What the image is called in the error.

    Raises
    ------
    MethodError
        If the inpainter raises, or answers with anything but (H, W, 3) uint8 that equals `image` outside the
        mask.
    ValueError
        If `image` or `mask` is none, or nothing is known: that is not the inpainter's fault.
    """
    copies = image.copy(), checked_mask(mask, image).copy()
    try:
        answer: object = inpainter.fill(*copies)
    except (Exception, SystemExit) as error:  # other people's code: whatever it does, the run goes on
        raise MethodError(inpainter.name, image_id, f"raised {type(error).__name__}: {error}") from error
    if not isinstance(answer, np.ndarray) or answer.shape != image.shape or answer.dtype != np.uint8:
        got = f"{answer.shape} {answer.dtype}" if isinstance(answer, np.ndarray) else type(answer).__name__
        problem = f"expected a filling of shape {image.shape} and type uint8. Got {got}"
        raise MethodError(inpainter.name, image_id, problem)
    changed = np.count_nonzero((answer != image).any(axis=2) & ~mask)
    if changed:
        raise MethodError(inpainter.name, image_id, f"changed {changed} px outside the mask")
    return answer

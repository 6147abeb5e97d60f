"""Where a restoration is judged: on the cracks, in a ring around them, on the whole picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from craqbench.metrics.inputs import Mask, checked_mask
from craqbench.metrics.tolerance import grow

__all__ = ["REGIONS", "RING", "checked_pair", "region_of"]

REGIONS = ("mask", "ring", "whole")
RING = 4.0


def region_of(mask: Mask, region: str, *, width: float = RING) -> Mask:
    """Return the pixels of a region.

    Parameters
    ----------
    mask
        (H, W) bool, True in cracks.
    region
        "mask", what was to be filled; "ring", pixels outside it but within `width` px, where a filling bleeds
        and a seam shows; "whole", all pixels, most of which no method has touched.
    width
        Width of the ring in px.

    Raises
    ------
    ValueError
        If `mask` is not bool, or `region` none of `REGIONS`.
    """
    checked_mask(mask, "mask")
    if region == "mask":
        return mask
    if region == "ring":
        return grow(mask, width) & ~mask
    if region == "whole":
        return np.ones_like(mask)
    raise ValueError(f"unknown region {region!r}: expected one of {', '.join(REGIONS)}")


def checked_pair(
    restored: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8], region: Mask | None
) -> Mask:
    """Return the region, the whole picture by default, of two pictures that can be compared.

    Raises
    ------
    ValueError
        If a picture is not (H, W, 3) or (H, W) uint8, shapes differ, or the region is no mask of that shape.
    """
    for picture in (restored, reference):
        if picture.dtype != np.uint8 or picture.ndim not in {2, 3} or picture.shape[2:] not in {(), (3,)}:
            raise ValueError(
                f"expected a picture of shape (H, W, 3) or (H, W) uint8. Got {picture.shape} {picture.dtype}"
            )
    if restored.shape != reference.shape:
        raise ValueError(
            f"expected a picture of the reference's shape {reference.shape}. Got {restored.shape}"
        )
    if region is None:
        return np.ones(reference.shape[:2], np.bool_)
    if checked_mask(region, "region").shape != reference.shape[:2]:
        raise ValueError(
            f"expected a region of the pictures' shape {reference.shape[:2]}. Got {region.shape}"
        )
    return region

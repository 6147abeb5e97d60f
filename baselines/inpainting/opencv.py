"""OpenCV's inpainting, as peers of paper A's fillers.

It reads some of the px that it is about to fill, so that the damage has an influence on the filling: up to 4
levels of 255 in paint of one colour with a crack of another. That is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from baselines.inpainting.checks import checked_mask
from baselines.protocols import Card, Image, Mask
from baselines.settings import between, check

__all__ = ["NavierStokes", "Telea"]


@dataclass(frozen=True, kw_only=True)
class Telea:
    """Fast marching: px are filled in the order of their distance to what is known (Telea 2004).

    Attributes
    ----------
    radius
        In px: how far around a px known ones count.
    """

    name: ClassVar[str] = "telea"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = Card(
        training_data="none",
        licence="Apache-2.0 (OpenCV)",
        reference="Telea, An image inpainting technique based on the fast marching method, Journal of "
        "Graphics Tools 9 (1), 2004, as cv2.inpaint has it",
    )

    radius: float = field(default=3.0, metadata=between(1, 100))

    def __post_init__(self) -> None:
        """Check all settings."""
        check(self)

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill (H, W, 3) uint8 RGB where (H, W) bool is True.

        Raises
        ------
        ValueError
            If `image` or `mask` is none, or the mask covers all of the image.
        """
        return _inpaint(image, mask, self.radius, cv2.INPAINT_TELEA)


@dataclass(frozen=True, kw_only=True)
class NavierStokes:
    """Lines of equal level are continued as streamlines (Bertalmio, Bertozzi and Sapiro 2001).

    Attributes
    ----------
    radius
        In px: how far around a px known ones count.
    """

    name: ClassVar[str] = "navier_stokes"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = Card(
        training_data="none",
        licence="Apache-2.0 (OpenCV)",
        reference="Bertalmio, Bertozzi and Sapiro, Navier-Stokes, fluid dynamics, and image and video "
        "inpainting, CVPR 2001, as cv2.inpaint has it",
    )

    radius: float = field(default=3.0, metadata=between(1, 100))

    def __post_init__(self) -> None:
        """Check all settings."""
        check(self)

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill (H, W, 3) uint8 RGB where (H, W) bool is True; errors as for `Telea`."""
        return _inpaint(image, mask, self.radius, cv2.INPAINT_NS)


def _inpaint(image: Image, mask: Mask, radius: float, method: int) -> Image:
    levels = np.ascontiguousarray(checked_mask(mask, image)).view(np.uint8)
    return np.asarray(cv2.inpaint(np.ascontiguousarray(image), levels, radius, method), np.uint8)

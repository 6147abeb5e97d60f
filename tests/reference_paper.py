"""Slow reference of the `paper` recipe: the bezier package for curves, one ``cv2.circle`` per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bezier
import cv2
import numpy as np
import numpy.typing as npt

from generators.paper import PaperParameters, Trajectories, refine

if TYPE_CHECKING:
    from generators.triplets import Mask


def curve_points(trajectories: Trajectories) -> npt.NDArray[np.float64]:
    """Return all samples, curve after curve: (sum counts, 2)."""
    return np.concatenate(
        [
            as_bezier(control).evaluate_multi(np.linspace(0.0, 1.0, count)).T
            for control, count in zip(trajectories.control_points, trajectories.counts.tolist(), strict=True)
        ]
    )


def curve_lengths(trajectories: Trajectories) -> npt.NDArray[np.float64]:
    """Return the curves' lengths by quadrature: (n,)."""
    return np.array([as_bezier(control).length for control in trajectories.control_points])


def raw_mask(shape: tuple[int, int], trajectories: Trajectories) -> Mask:
    """Draw one filled disk per sample: (h, w) bool."""
    mask = np.zeros(shape, np.uint8)
    points = curve_points(trajectories)
    for (x, y), radius in zip(points.tolist(), trajectories.radii.tolist(), strict=True):
        cv2.circle(mask, (round(x), round(y)), round(radius), 255, -1)
    return mask > 0


def crack_mask(shape: tuple[int, int], trajectories: Trajectories, parameters: PaperParameters) -> Mask:
    """Return M: (h, w) bool."""
    return refine(raw_mask(shape, trajectories), parameters)


def as_bezier(control: npt.NDArray[np.float64]) -> bezier.Curve:
    """Return the curve of control points (4, 2)."""
    return bezier.Curve(np.asfortranarray(control.T), degree=3)

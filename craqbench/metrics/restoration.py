"""How near a restored painting is to the one before it was damaged: MAE, PSNR, SSIM; VIF is in `information`.

All take a region (`craqbench.metrics.regions`): over the whole picture the untouched pixels, 90 % and more of
it, hide what a filling does. A score over no pixel is NaN; leave such images out of a mean
(`craqbench.metrics.bootstrap.mean_counts` does).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from craqbench.metrics.information import visual_information
from craqbench.metrics.inputs import Mask
from craqbench.metrics.regions import REGIONS, RING, checked_pair, region_of

__all__ = ["Fidelity", "mae", "psnr", "restoration_scores", "ssim", "ssim_map"]

Picture = npt.NDArray[np.uint8]

WINDOW = 11
EDGE = WINDOW // 2
SIGMA = 1.5
C1, C2 = (np.float32((k * 255) ** 2) for k in (0.01, 0.03))
MIDDLE = np.float32(128)
BAND = 64
"""Rows that are worked on at a time: they fit in the processor's cache, which makes it twice as fast."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The scores of one restored picture in one region; NaN where a region has no pixel."""

    mae: float
    psnr: float
    ssim: float
    vif: float


def mae(restored: Picture, reference: Picture, region: Mask | None = None) -> float:
    """Return the mean absolute difference over pixels and channels, 0 to 255; lower is better.

    Parameters
    ----------
    restored, reference
        (H, W, 3) uint8 RGB, or (H, W).
    region
        (H, W) bool; the whole picture by default.

    Raises
    ------
    ValueError
        If the pictures are not uint8, shapes differ, or the region is no mask of their shape.
    """
    return _mean_norm(restored, reference, region, cv2.NORM_L1)


def psnr(restored: Picture, reference: Picture, region: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB, 10 log10(255^2 / MSE); infinite where nothing differs.

    The MSE is over pixels and channels. See `mae` for the parameters and errors.
    """
    mse = _mean_norm(restored, reference, region, cv2.NORM_L2SQR)
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def _mean_norm(restored: Picture, reference: Picture, region: Mask | None, norm: int) -> float:
    checked_pair(restored, reference, region)
    pixels = np.ones(reference.shape[:2], np.bool_) if region is None else region
    values = np.count_nonzero(pixels) * reference[:1, :1].size
    # OpenCV adds bytes up in whole numbers: the sum is exact.
    return cv2.norm(restored, reference, norm, pixels.view(np.uint8)) / values if values else float("nan")


def ssim_map(restored: Picture, reference: Picture) -> npt.NDArray[np.float32]:
    """Return the structural similarity around each pixel, mean of the channels (Wang et al. 2004).

    Gaussian windows, 11 px and sigma 1.5, K1 = 0.01, K2 = 0.03, data range 255, population covariances, each
    channel by itself: what `skimage.metrics.structural_similarity` does with ``gaussian_weights=True`` and
    ``use_sample_covariance=False``, to about 1e-5.

    Returns
    -------
    (H, W) float32 in [-1, 1]; NaN within 5 px of the frame, where no whole window fits.

    Raises
    ------
    ValueError
        As `mae`.
    """
    checked_pair(restored, reference, None)
    framed = np.full(reference.shape[:2], np.nan, np.float32)
    inner = slice(EDGE, -EDGE)
    for top in range(0, len(framed) - 2 * EDGE, BAND):
        rows = slice(top, top + BAND + 2 * EDGE)
        pairs = zip(cv2.split(restored[rows]), cv2.split(reference[rows]), strict=True)
        similarity = np.mean([_similarity(x, y) for x, y in pairs], axis=0)
        framed[rows][inner, inner] = similarity[inner, inner]
    return framed


def _similarity(restored: cv2.typing.MatLike, reference: cv2.typing.MatLike) -> npt.NDArray[np.float32]:
    # Middle grey is taken off because float32 loses the variance of bright, even paint.
    x, y = (picture.astype(np.float32) - MIDDLE for picture in (restored, reference))
    mean_x, mean_y = _blurred(x), _blurred(y)
    variances = _blurred(x * x + y * y) - mean_x * mean_x - mean_y * mean_y
    covariance = _blurred(x * y) - mean_x * mean_y
    mean_x += MIDDLE
    mean_y += MIDDLE
    structure = (2 * covariance + C2) / (variances + C2)
    light = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    return np.asarray(light * structure, np.float32)


def _blurred(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (WINDOW, WINDOW), SIGMA), np.float32)


def ssim(restored: Picture, reference: Picture, region: Mask | None = None) -> float:
    """Return the mean of `ssim_map` over the pixels of a region that are not within 5 px of the frame.

    See `mae` for the parameters and errors; higher is better, 1 for equal pictures.
    """
    pixels = checked_pair(restored, reference, region)
    return _mean_of_map(ssim_map(restored, reference), pixels)


def _mean_of_map(similarity: npt.NDArray[np.float32], pixels: Mask) -> float:
    inner = (slice(EDGE, -EDGE),) * 2
    values = similarity[inner][pixels[inner]]
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")


def restoration_scores(
    restored: Picture, reference: Picture, mask: Mask, *, ring: float = RING
) -> dict[str, Fidelity]:
    """Return all scores in all regions; same as one call for each, but with the work shared.

    Parameters
    ----------
    restored, reference
        (H, W, 3) uint8 RGB, or (H, W).
    mask
        (H, W) bool, True in cracks.
    ring
        Width of the ring in px.

    Returns
    -------
    A `Fidelity` for each of "mask", "ring" and "whole".

    Raises
    ------
    ValueError
        As `mae`.
    """
    checked_pair(restored, reference, mask)
    regions = {name: region_of(mask, name, width=ring) for name in REGIONS}
    similarity = ssim_map(restored, reference)
    information = visual_information(restored, reference, list(regions.values()))
    return {
        name: Fidelity(
            mae(restored, reference, pixels),
            psnr(restored, reference, pixels),
            _mean_of_map(similarity, pixels),
            v,
        )
        for (name, pixels), v in zip(regions.items(), information, strict=True)
    }

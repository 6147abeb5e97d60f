"""How much a picture tells: entropy, and visual information fidelity (VIF). Both of luminance.

Entropy is taken before and after the removal of cracks (paper A, Fig. 5).

VIF after Sheikh and Bovik, "Image information and visual quality" (IEEE TIP 2006), in the authors'
multi-scale pixel-domain version (``vifp_mscale``): how much of the information that the reference holds about
the scene survives in the restored picture. At each of four scales, with local variances and covariance in
Gaussian windows,

- g = cov / var(reference), sv^2 = var(restored) - g cov,
- VIF = sum log2(1 + g^2 var(reference) / (sv^2 + 2)) / sum log2(1 + var(reference) / 2).

1 for equal pictures, near 0 where nothing is left, and above 1 where contrast has been raised: it is no
distance, so read it beside PSNR.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from craqbench.metrics.inputs import Mask, checked_mask
from craqbench.metrics.regions import checked_pair

__all__ = ["entropy", "luminance", "vif", "visual_information"]

Single = npt.NDArray[np.float32]

WINDOWS = (17, 9, 5, 3)
NOISE = np.float32(2)
FLAT = np.float32(0.01)
"""Windows of a smaller variance, in squared grey levels, hold no information: float32 rounds so far."""
BAND = 64
"""Rows that are worked on at a time, so that they stay in the processor's cache."""
SMALLEST = 41
"""Shorter side in px from which on a window fits at the coarsest scale."""


def luminance(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded; a grey picture as it is.

    Raises
    ------
    ValueError
        If `image` is not (H, W) or (H, W, 3) uint8.
    """
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(
            f"expected a picture of shape (H, W, 3) or (H, W) uint8. Got {image.shape} {image.dtype}"
        )
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def entropy(image: npt.NDArray[np.uint8], region: Mask | None = None) -> float:
    """Return the Shannon entropy in bits of the histogram of luminance, 256 bins.

    Paper A reads a fall from `entropy(painting)` to `entropy(restored)` as cracks removed; a blurred or empty
    picture falls further still, so it is no score by itself.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB, or (H, W).
    region
        (H, W) bool: the pixels that count; all by default.

    Returns
    -------
    0 (one value, or no pixel at all) to 8 (all 256 alike).

    Raises
    ------
    ValueError
        If `image` is no picture, or `region` no mask of its shape.

    Examples
    --------
    >>> entropy(np.array([[0, 0, 255, 255]], np.uint8))
    1.0
    """
    values = luminance(image)
    if region is not None:
        if checked_mask(region, "region").shape != values.shape:
            raise ValueError(f"expected a region of the picture's shape {values.shape}. Got {region.shape}")
        values = values[region]
    counts = np.bincount(values.ravel(), minlength=256)
    shares = counts[counts > 0] / max(1, values.size)
    return abs(float((shares * np.log2(shares)).sum()))


def vif(
    restored: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8], region: Mask | None = None
) -> float:
    """Return the visual information fidelity of a restored picture.

    Parameters
    ----------
    restored, reference
        (H, W, 3) uint8 RGB, or (H, W); both sides at least 41 px, or there is no pixel to compare.
    region
        (H, W) bool: a window counts by the region's weight at its middle (at coarser scales the region is
        blurred and decimated as the pictures are); the whole picture by default.

    Returns
    -------
    0 or more; NaN where no window touches the region. A reference without structure there has no information
    to lose: 1 where the restored picture is flat as well, else 0.

    Raises
    ------
    ValueError
        If the pictures are not uint8, shapes differ, or the region is no mask of their shape.
    """
    return visual_information(restored, reference, [checked_pair(restored, reference, region)])[0]


def visual_information(
    restored: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8], regions: Sequence[Mask]
) -> list[float]:
    """Return `vif` for several regions at once."""
    for region in regions:
        checked_pair(restored, reference, region)
    if min(reference.shape[:2]) < SMALLEST:
        return [float("nan")] * len(regions)
    sums = np.zeros((len(regions), 4))
    x, y, *weights = _centred(reference), _centred(restored), *(r.astype(np.float32) for r in regions)
    for scale, window in enumerate(WINDOWS):
        if scale:
            x, y, *weights = (_smoothed(a, window)[::2, ::2] for a in (x, y, *weights))
        sums += _information_sums(x, y, weights, window)
    return [_ratio(*row) for row in sums.tolist()]


def _information_sums(
    x: Single, y: Single, weights: Sequence[Single], window: int
) -> npt.NDArray[np.float64]:
    """Return (regions, 4): weighted sums of what was kept, what was held, the residue, and of the weights."""
    sums = np.zeros((len(weights), 4))
    for top in range(0, len(x) - window + 1, BAND):
        rows = slice(top, top + BAND + window - 1)
        kept, held, residue = _information(x[rows], y[rows], window)
        for row, weight in zip(sums, weights, strict=True):
            inner = _valid(weight[rows], window)
            row += [*(np.vdot(inner, a) for a in (kept, held, residue)), inner.sum()]
    return sums


def _centred(picture: npt.NDArray[np.uint8]) -> Single:
    """Return the luminance less its mean, without which float32 loses the variance of bright, even paint."""
    values = luminance(picture)
    return values.astype(np.float32) - np.float32(values.mean())


def _information(x: Single, y: Single, window: int) -> tuple[Single, Single, Single]:
    """Return what is kept and what was held, and the variance that the reference leaves over."""
    mean_x, mean_y = _smoothed(x, window), _smoothed(y, window)
    var_x = _smoothed(x * x, window) - mean_x * mean_x
    var_y = np.maximum(_smoothed(y * y, window) - mean_y * mean_y, 0)
    covariance = _smoothed(x * y, window) - mean_x * mean_y
    var_x[var_x < FLAT] = 0
    # A flat window carries nothing, and inverted contrast is noise.
    carrying = (var_x > 0) & (covariance > 0)
    gain = np.where(carrying, covariance, 0) / np.where(carrying, var_x, 1)
    residue = np.maximum(var_y - gain * covariance, 0)
    kept = np.log(1 + gain * gain * var_x / (residue + NOISE))
    return kept, np.log(1 + var_x / NOISE), residue


def _smoothed(picture: Single, window: int) -> Single:
    """Blur, and keep the pixels whose window lies within the picture."""
    blurred = cv2.GaussianBlur(picture, (window, window), window / 5)
    return _valid(np.asarray(blurred, np.float32), window)


def _valid(picture: Single, window: int) -> Single:
    edge = window // 2
    return picture[edge : picture.shape[0] - edge, edge : picture.shape[1] - edge]


def _ratio(kept: float, held: float, residue: float, weight: float) -> float:
    if weight <= 0:
        return float("nan")
    if held > 0:
        return kept / held
    return 1.0 if residue <= FLAT * weight else 0.0

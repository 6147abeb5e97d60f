"""What networks see of an image: colours as ImageNet's networks expect them, or local contrast."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["as_imagenet", "luminance", "standardised"]

CELL = 8
"""Local statistics are taken over windows of whole cells of 8 x 8 px."""

FLOOR = 1.5 / 255
"""Added in quadrature to each deviation: what is flat but for rounding and noise stays small."""

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_WEIGHTS = (0.299, 0.587, 0.114)


def as_imagenet(image: Tensor) -> Tensor:
    """Return (N, 3, H, W) RGB in [0, 1] with the mean and deviation of ImageNet's channels taken out."""
    return (image - _channels(_MEAN, image)) / _channels(_DEVIATION, image)


def luminance(image: Tensor) -> Tensor:
    """Return (N, 1, H, W): the grey of (N, 3, H, W) RGB by the weights of ITU-R BT.601."""
    return (image * _channels(_WEIGHTS, image)).sum(1, keepdim=True)


def standardised(image: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return an image in standard deviations from the mean of its surroundings, and these deviations.

    Parameters
    ----------
    image
        (N, C, H, W) float in [0, 1]; H and W multiples of `CELL`.
    cells
        Side of the window in cells, odd. At the edges of the picture only what lies inside counts. Statistics
        are taken cell by cell and interpolated between their centres.

    Returns
    -------
    (N, C, H, W) within [-8, 8], and (N, 1, H, W) the deviation, of all channels together, in units of the
    image. The negative 1 - image gives the negative of the former and the same deviations.
    """
    channels = image.shape[1]
    centred = image - 0.5  # squares of small numbers lose fewer digits
    moments = _smooth(functional.avg_pool2d(torch.cat([centred, centred**2], 1), CELL), cells)
    mean, square = moments[:, :channels], moments[:, channels:]
    variance = (square - mean**2).clamp(min=0).mean(1, keepdim=True)
    coarse = torch.cat([mean, (variance + FLOOR**2).sqrt()], 1)
    full = functional.interpolate(coarse, size=image.shape[2:], mode="bilinear", align_corners=False)
    mean, deviation = full[:, :channels], full[:, channels:]
    return ((centred - mean) / deviation).clamp(-8, 8), deviation


def _smooth(x: Tensor, size: int) -> Tensor:
    """Return the mean over a square window, of what of it lies inside the picture."""
    for kernel in ((size, 1), (1, size)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        x = functional.avg_pool2d(x, kernel, 1, padding, count_include_pad=False)
    return x


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(values)[:, None, None]

"""The network of `baselines.photo_restoration`: a U-Net of depth 4, written after the table of its weights.

Wan et al., Bringing Old Photos Back to Life, CVPR 2020, https://arxiv.org/abs/2004.09484. Down-sampling is a
convolution, then a blur that keeps every second px; skips branch off before it. Every convolution but the
blur has a bias, and mirrors the borders.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ScratchNetwork"]

_WIDTHS = (64, 128, 256, 512, 1024)
_SLOPE = 0.2


class ScratchNetwork(nn.Module):
    """Scratches in grey photographs; the names of its 156 tensors are those of the public checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        inward = list(itertools.pairwise(_WIDTHS))
        self.first = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(1, _WIDTHS[0], 7), nn.LeakyReLU(_SLOPE))
        self.down_sample = nn.ModuleList(
            nn.Sequential(*_normed(thin, thin), _Blur(thin)) for thin, _ in inward
        )
        self.down_path = nn.ModuleList(_Pair(thin, wide) for thin, wide in inward)
        self.up_path = nn.ModuleList(_Up(wide, thin) for thin, wide in reversed(inward))
        self.last = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(_WIDTHS[0], 1, 3))

    def forward(self, grey: Tensor) -> Tensor:
        """Return logits.

        Parameters
        ----------
        grey
            (N, 1, H, W) float32 in [-1, 1]; H and W are multiples of 16 from 32 on.

        Returns
        -------
        (N, 1, H, W) float32.
        """
        x = self.first(grey)
        skips = []
        for smaller, deeper in zip(self.down_sample, self.down_path, strict=True):
            skips.append(x)
            x = deeper(smaller(x))
        for up, skip in zip(self.up_path, reversed(skips), strict=True):
            x = up(x, skip)
        logits: Tensor = self.last(x)
        return logits


def _normed(inside: int, outside: int) -> list[nn.Module]:
    """Return the layers of a 3 x 3 convolution with norm and activation."""
    return [
        nn.ReflectionPad2d(1),
        nn.Conv2d(inside, outside, 3),
        nn.BatchNorm2d(outside),
        nn.LeakyReLU(_SLOPE),
    ]


class _Pair(nn.Module):
    """Two convolutions."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.block = nn.Sequential(*_normed(inside, outside), *_normed(outside, outside))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outside, H, W)."""
        found: Tensor = self.block(x)
        return found


class _Up(nn.Module):
    """Twice the size, half the channels; joined with the skip."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.ReflectionPad2d(1),
            nn.Conv2d(inside, outside, 3),
        )
        self.conv_block = _Pair(inside, outside)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return (N, outside, 2 H, 2 W)."""
        found: Tensor = self.conv_block(torch.cat([self.up(x), skip], 1))
        return found


class _Blur(nn.Module):
    """Keep every second px of a picture blurred by [1, 2, 1] / 4 each way."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("filt", torch.outer(line, line).expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H / 2, W / 2)."""
        padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(padded, self.filt, stride=2, groups=len(self.filt))

"""U-Nets that fill: `unet_inpaint` of paper B (sec. 2.3), two siblings of it, and `ur_net`.

Paper B draws 64 x 64 x 3 in, two convolutions of 64 channels, max pooling, two of 128, max pooling, two of
256 at 16 x 16, transposed convolutions with skips on the way up, and 64 x 64 x 3 out. It is silent on the
rest, which is here as is common: 3 x 3 convolutions with batch norm and ReLU, the mask as a fourth channel, a
sigmoid at the end, L1 as loss. It is trained on squares of 64 px, and fills pictures of any size.

The larger sibling, ours, differs in what it is asked. It begins with a smooth filling (known px are averaged
down a pyramid, and holes are filled from the next coarser level), sees that in standard deviations from the
mean of its surroundings, so that a dark passage looks like a bright one, and says what is to be added to it,
in the same unit. It has a level more, is trained on 128 px, and its loss is that of the px which are used:
those in the mask. `unet_inpaint_small` is the larger sibling with fewer channels.

UR-Net (Liu et al., Applied Sciences 14, 10005, 2024) is a U-Net for colour segmentation with residual blocks
"improved" in a way that its abstract does not tell. Here: two 3 x 3 convolutions with batch norm beside a 1 x
1 convolution with batch norm, added before the last ReLU; the rest is paper B's U-Net.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.inpainting.losses import l1, masked_l1
from baselines.inpainting.networks import InpaintingNetwork
from baselines.networks import Habits
from baselines.normalisation import CELL, standardised
from baselines.unet import double_convolution

__all__ = ["UNetInpaint", "UNetInpaintLarge", "UNetInpaintSmall", "URNet", "smooth_filling"]

_WINDOW = 5
"""Cells of the window of local contrast: 40 px."""


class UNetInpaint(InpaintingNetwork):
    """Paper B's U-Net, 1.9 M parameters; see the module.

    Parameters
    ----------
    widths
        Channels at full resolution, 1/2, 1/4, ...
    residual
        Whether the convolutions of a level are a residual block (`ur_net`).
    mask_channel
        Whether it is told where to fill; otherwise it has to see that by itself.
    """

    habits = Habits(batch=32, crop=64)

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (64, 128, 256),
        residual: bool = False,
        mask_channel: bool = True,
    ) -> None:
        super().__init__()
        make = _Residual if residual else double_convolution
        self.stride = 2 ** (len(widths) - 1)
        self.mask_channel = mask_channel
        inward = (3 + mask_channel, *widths)
        self.down = nn.ModuleList(make(above, width) for above, width in pairwise(inward))
        self.raise_ = nn.ModuleList(
            nn.ConvTranspose2d(below, width, 2, stride=2) for width, below in pairwise(widths)
        )
        self.up = nn.ModuleList(make(2 * width, width) for width in widths[:-1])
        self.last = nn.Conv2d(widths[0], 3, 1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `InpaintingNetwork.forward`."""
        x = torch.cat([image, mask], 1) if self.mask_channel else image
        return torch.sigmoid(self._walk(x))

    def _walk(self, x: Tensor) -> Tensor:
        """Return what the last layer answers, (N, 3, H, W) float32."""
        skips = []
        for number, level in enumerate(self.down):
            x = level(functional.max_pool2d(x, 2) if number else x)
            skips.append(x)
        for number in reversed(range(len(self.up))):
            x = self.up[number](torch.cat([skips[number], self.raise_[number](x)], 1))
        found: Tensor = self.last(x)
        return found.float()

    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return L1 over the whole picture; see `InpaintingNetwork.loss`."""
        del mask
        return l1(filled, target)


class UNetInpaintLarge(UNetInpaint):
    """The same with a level more, 7.7 M parameters, that adds detail to a smooth filling; see the module.

    Parameters
    ----------
    widths
        Channels at full resolution, 1/2, 1/4, 1/8, ...
    """

    habits = Habits(batch=16, crop=128)

    def __init__(self, *, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__(widths=widths)
        if self.stride < CELL:
            raise ValueError(f"widths {widths} of unet_inpaint_large: expected at least four")
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `InpaintingNetwork.forward`."""
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            start = smooth_filling(image, mask)
            seen, deviation = standardised(start, _WINDOW)
        filled = start + deviation * self._walk(torch.cat([seen, mask], 1))
        return filled if self.training else filled.clamp(0, 1)

    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return L1 in the mask; see `InpaintingNetwork.loss`."""
        return masked_l1(filled, target, mask)


class UNetInpaintSmall(UNetInpaintLarge):
    """The larger sibling with fewer channels, 0.6 M parameters; see the module."""

    habits = Habits(batch=8, crop=128)

    def __init__(self, *, widths: tuple[int, ...] = (24, 48, 80, 112)) -> None:
        super().__init__(widths=widths)


class URNet(UNetInpaint):
    """Paper B's U-Net with residual blocks, after UR-Net; see the module."""

    def __init__(self, *, widths: tuple[int, ...] = (64, 128, 256)) -> None:
        super().__init__(widths=widths, residual=True)


def smooth_filling(image: Tensor, mask: Tensor) -> Tensor:
    """Return an image whose masked px are those of coarser levels of a pyramid of the known ones.

    Parameters
    ----------
    image
        (N, 3, H, W) float32.
    mask
        (N, 1, H, W), 1 where to fill. What is there in `image` makes no difference.

    Returns
    -------
    (N, 3, H, W), equal to `image` where the mask is 0; 0 if all is masked.
    """
    levels = [(image * (1 - mask), 1 - mask)]  # means of known values times their share, and this share
    while max(levels[-1][0].shape[2:]) > 1:
        known, share = (functional.avg_pool2d(part, 2, ceil_mode=True) for part in levels[-1])
        levels.append((known, share))
    known, share = levels.pop()
    filled = known / share.clamp(min=torch.finfo(share.dtype).tiny)
    for known, share in reversed(levels):
        raised = functional.interpolate(filled, known.shape[2:], mode="bilinear", align_corners=False)
        filled = known + (1 - share) * raised
    return filled


class _Residual(nn.Module):
    """ReLU(BN(conv(ReLU(BN(conv(x))))) + BN(conv1(x)))."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        *both, _ = double_convolution(inside, outside)
        self.both = nn.Sequential(*both)
        self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outside, H, W)."""
        return functional.relu(self.both(x) + self.shortcut(x))

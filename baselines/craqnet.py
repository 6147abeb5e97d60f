"""`craqnet`: our own detector, a residual U-Net that sees local contrast and keeps the full resolution.

What it is built on:

- *Cracks are local contrast.* The picture is expressed in standard deviations from the mean of its
  surroundings, at two scales, so that a nearly black passage looks like a bright one. All statistics have a
  finite window and norms are those of training: the answer at a pixel depends on its surroundings only, and
  tiles of a large painting agree with the whole.
- *Hairlines are 1-3 px.* A thin branch stays at full resolution; the deeper one begins with space-to-depth,
  which loses nothing, rather than with pooling.
- *A stroke of the brush is told from a crack by its context.* Down to 1/16, a pixel sees more than 300 px.
- *Two fifths of real cracks are light.* In training half of all samples are turned into their negative, after
  normalisation: the polarities are learnt as one task.
- *Time on CPUs.* Dense 3 x 3 convolutions and batch norm only: in bf16, depthwise convolutions and group norm
  take several times as long there.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.losses import cross_entropy, dice
from baselines.networks import Habits, Segmenter
from baselines.normalisation import luminance, standardised

__all__ = ["CraqNet", "local_contrast"]


class CraqNet(Segmenter):
    """Our own detector; see the module.

    Parameters
    ----------
    classes
        2 or 3.
    widths
        Channels at full resolution, 1/2, 1/4, 1/8 and 1/16.
    blocks
        Residual blocks at 1/2, 1/4, 1/8 and 1/16 on the way down.
    """

    stride = 16
    habits = Habits(lr=2e-3, final_lr=1e-5, weight_decay=1e-2)
    pretrained = "random"
    features: ClassVar[int] = 6

    def __init__(
        self,
        *,
        classes: int = 2,
        widths: tuple[int, int, int, int, int] = (16, 32, 64, 128, 128),
        blocks: tuple[int, int, int, int] = (1, 2, 2, 2),
    ) -> None:
        super().__init__()
        self.classes = classes
        fine, *deep = widths
        self.fine = _normed(self.features, fine)
        inward = [4 * self.features, *deep]
        self.down = nn.ModuleList(
            nn.Sequential(
                _normed(inward[level], width, stride=1 if level == 0 else 2),
                *(_Block(width) for _ in range(blocks[level])),
            )
            for level, width in enumerate(deep)
        )
        self.across = nn.ModuleList(nn.Conv2d(below, width, 1) for width, below in pairwise(deep))
        self.up = nn.ModuleList(_Block(width) for width in deep[:-1])
        self.unfold = nn.Conv2d(deep[0], 4 * fine, 1)
        self.head = nn.Sequential(_normed(fine, fine), nn.Conv2d(fine, classes, 3, padding=1))

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`."""
        del hint
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            seen = local_contrast(image.float())
            if self.training:
                seen = _some_negative(seen)
        fine = self.fine(seen)
        x = functional.pixel_unshuffle(seen, 2)
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
        for number in reversed(range(len(self.up))):
            raised = functional.interpolate(self.across[number](x), scale_factor=2.0, mode="nearest")
            x = self.up[number](skips[number] + raised)
        logits: Tensor = self.head(functional.relu(fine + functional.pixel_shuffle(self.unfold(x), 2)))
        return logits.float()

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return cross entropy + Dice; see `Segmenter.loss`."""
        del hint
        return cross_entropy(logits, target) + dice(logits, target)


def local_contrast(image: Tensor) -> Tensor:
    """Return what the network sees of an image.

    Parameters
    ----------
    image
        (N, 3, H, W) float32 RGB in [0, 1]; H and W multiples of 8.

    Returns
    -------
    (N, 6, H, W) float32: R, G, B in standard deviations from their mean in a window of about 136 px,
    luminance the same in a window of 40 px, and the logarithms of both deviations. A negative image has the
    first four negated and the last two unchanged.
    """
    wide, wide_deviation = standardised(image, 17)
    near, near_deviation = standardised(luminance(image), 5)
    amplitudes = torch.cat([wide_deviation, near_deviation], 1)
    return torch.cat([wide, near, (amplitudes.log() + 3) / 1.5], 1)


def _some_negative(seen: Tensor) -> Tensor:
    """Return the features of each sample or, by chance, of its negative."""
    signs = torch.randint(0, 2, (len(seen), 1, 1, 1), device=seen.device).to(seen.dtype) * 2 - 1
    return torch.cat([seen[:, :4] * signs, seen[:, 4:]], 1)


def _normed(inside: int, outside: int, *, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution, norm and activation."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class _Block(nn.Module):
    """ReLU(x + BN(conv(ReLU(BN(conv(x)))))), where the last norm starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _normed(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, width, H, W)."""
        return functional.relu(x + self.norm(self.second(self.first(x))))

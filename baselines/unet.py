"""U-Nets: `unet` with a ResNet-34 as encoder, `unet_classic` of 2015 (arXiv 1505.04597), and `unet_small`.

The first is that of segmentation_models_pytorch. The second has 64 to 1,024 channels as its authors drew it,
with padded convolutions, so that the output is as large as the input, and batch norm. The third is our own
narrow one that fits into this package; like the second it sees local contrast rather than colours.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn

from baselines.encoders import IMAGENET, with_imagenet
from baselines.losses import mixed1
from baselines.networks import Habits, Segmenter
from baselines.normalisation import as_imagenet, standardised

__all__ = ["LibraryNetwork", "UNet", "UNetClassic", "UNetSmall"]

WINDOW = 17
"""Cells of the window of local contrast: 136 px."""


class LibraryNetwork(Segmenter):
    """A network of segmentation_models_pytorch, trained by Mixed1; a subclass says which.

    Parameters
    ----------
    classes
        2 or 3.
    base
        "imagenet" for an encoder from the Hub where it is reachable; None: random.

    Attributes
    ----------
    pretrained
        "imagenet" or "random", for the card.
    """

    habits = Habits(lr=5e-4)

    def __init__(self, *, classes: int = 2, base: str | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.model, self.pretrained = with_imagenet(
            base, lambda trained: self.made(IMAGENET if trained else None)
        )

    @abstractmethod
    def made(self, weights: str | None) -> nn.Module:
        """Return the library's network, whose encoder has ImageNet's weights ("imagenet") or random ones."""

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`."""
        del hint
        logits: Tensor = self.model(as_imagenet(image))
        return logits.float()

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return Mixed1; see `Segmenter.loss`."""
        del hint
        return mixed1(logits, target)


class UNet(LibraryNetwork):
    """U-Net with a ResNet-34 as encoder, 24.4 M parameters."""

    stride = 32

    def made(self, weights: str | None) -> nn.Module:
        """Return it; see `LibraryNetwork.made`."""
        import segmentation_models_pytorch as smp  # noqa: PLC0415  seconds, and only here

        network: nn.Module = smp.Unet("resnet34", encoder_weights=weights, classes=self.classes)
        return network


class UNetClassic(Segmenter):
    """The U-Net of 2015 with batch norm, 31 M parameters, trained by Mixed1.

    Parameters
    ----------
    classes
        2 or 3.
    widths
        Channels at full resolution, 1/2, 1/4, ...
    """

    stride = 16
    habits = Habits(lr=5e-4)
    pretrained = "random"

    def __init__(self, *, classes: int = 2, widths: tuple[int, ...] = (64, 128, 256, 512, 1024)) -> None:
        super().__init__()
        self.classes = classes
        self.stride = max(8, 2 ** (len(widths) - 1))
        self.down = nn.ModuleList(double_convolution(above, width) for above, width in pairwise((3, *widths)))
        self.raise_ = nn.ModuleList(
            nn.ConvTranspose2d(below, width, 2, stride=2) for width, below in pairwise(widths)
        )
        self.up = nn.ModuleList(double_convolution(2 * width, width) for width in widths[:-1])
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(widths[0], classes, 1)

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`."""
        del hint
        with torch.autocast(image.device.type, enabled=False):
            x = standardised(image.float(), WINDOW)[0]
        skips = []
        for number, level in enumerate(self.down):
            x = level(self.pool(x) if number else x)
            skips.append(x)
        for number in reversed(range(len(self.up))):
            x = self.up[number](torch.cat([skips[number], self.raise_[number](x)], 1))
        logits: Tensor = self.last(x)
        return logits.float()

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return Mixed1; see `Segmenter.loss`."""
        del hint
        return mixed1(logits, target)


class UNetSmall(UNetClassic):
    """A U-Net of 16 to 112 channels, 0.85 M parameters: our own, small enough to come with this package."""

    habits = Habits(lr=2e-3, final_lr=1e-5)

    def __init__(self, *, classes: int = 2) -> None:
        super().__init__(classes=classes, widths=(16, 32, 64, 96, 112))


def double_convolution(inside: int, outside: int) -> nn.Sequential:
    """Return (3 x 3 convolution, batch norm, ReLU) twice."""
    layers: list[nn.Module] = []
    for width in (inside, outside):
        layers += [
            nn.Conv2d(width, outside, 3, padding=1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)

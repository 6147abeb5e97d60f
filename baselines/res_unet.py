"""`res_unet`: the network of paper C (Res-UNet, Palace Museum), and `res_unet_small`, ours after its plan.

A ResNet-50 subsamples five times; a U-Net's decoder enlarges bilinearly, puts the features of the encoder
beside, and convolves twice (3 x 3, batch norm, ReLU), five times over; a 1 x 1 convolution gives the classes.
The paper leaves the widths of the decoder open: here 512, 256, 128, 64 and 32. It is trained by Mixed1, Adam
from 1e-4 to 1e-6 along a cosine, batches of 8, the encoder frozen at first (half of the steps: the paper
gives no number), which makes sense, and is done, only if the encoder has been trained before.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.encoders import RANDOM, with_imagenet
from baselines.losses import mixed1
from baselines.networks import Habits, Segmenter
from baselines.normalisation import as_imagenet
from baselines.unet import double_convolution

__all__ = ["ResNet50", "ResUNet", "ResUNetSmall"]

REPOSITORY, REVISION = "smp-hub/resnet50.imagenet", "00cb74e366966d59cd9a35af57e618af9f88efe9"
_EXPANSION = 4
_BLOCKS = (3, 4, 6, 3)


class ResUNet(Segmenter):
    """Paper C's network; see the module.

    Parameters
    ----------
    classes
        2 or 3.
    base
        "imagenet" for an encoder from the Hub where it is reachable; None: random.
    width
        Channels of the first layer, of which all others are multiples.

    Attributes
    ----------
    pretrained
        "imagenet" or "random", for the card.
    """

    stride = 32
    habits = Habits(lr=1e-4, final_lr=1e-6, weight_decay=0.0, optimiser="adam", freeze=0.5)

    def __init__(self, *, classes: int = 2, base: str | None = None, width: int = 64) -> None:
        super().__init__()
        self.classes = classes
        self.encoder, self.pretrained = with_imagenet(base, lambda trained: _encoder(width, trained=trained))
        skips = (16 * width, 8 * width, 4 * width, width, 0)
        inside = 32 * width
        decoder = []
        for number, skip in enumerate(skips):
            outside = 8 * width >> number
            decoder.append(double_convolution(inside + skip, outside))
            inside = outside
        self.decoder = nn.ModuleList(decoder)
        self.last = nn.Conv2d(inside, classes, 1)

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`."""
        del hint
        x, *skips = reversed(self.encoder(as_imagenet(image)))
        for number, level in enumerate(self.decoder):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = level(torch.cat([x, skips[number]], 1) if number < len(skips) else x)
        logits: Tensor = self.last(x)
        return logits.float()

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return Mixed1; see `Segmenter.loss`."""
        del hint
        return mixed1(logits, target)

    def frozen_first(self) -> list[nn.Parameter]:
        """Return the encoder's parameters if it has been trained before."""
        return [] if self.pretrained == RANDOM else list(self.encoder.parameters())


class ResUNetSmall(ResUNet):
    """The same with an eighth of all widths, 0.7 M parameters: our own, to come with this package."""

    habits = Habits(lr=2e-3, final_lr=1e-5)

    def __init__(self, *, classes: int = 2) -> None:
        super().__init__(classes=classes, width=8)


class ResNet50(nn.Module):
    """ResNet-50 (He et al. 2016) without its classifier; names of tensors as torchvision has them.

    Parameters
    ----------
    width
        Channels of the first layer, 64 in the original.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inside = width
        for number, count in enumerate(_BLOCKS):
            inner = width << number
            blocks: list[nn.Module] = []
            for index in range(count):
                blocks.append(_Bottleneck(inside, inner, stride=2 if number and not index else 1))
                inside = inner * _EXPANSION
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return features at 1/2, 1/4, 1/8, 1/16 and 1/32 of (N, 3, H, W)."""
        features = [functional.relu(self.bn1(self.conv1(x)))]
        x = functional.max_pool2d(features[0], 3, 2, 1)
        for number in range(len(_BLOCKS)):
            x = self.get_submodule(f"layer{number + 1}")(x)
            features.append(x)
        return features


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut."""

    def __init__(self, inside: int, inner: int, *, stride: int) -> None:
        super().__init__()
        outside = inner * _EXPANSION
        self.conv1 = nn.Conv2d(inside, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 4 x inner, H, W), or half of it each way."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _encoder(width: int, *, trained: bool) -> ResNet50:
    encoder = ResNet50(width)
    if trained:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415  only if wanted
        from safetensors.torch import load_file  # noqa: PLC0415  the same

        tensors = load_file(hf_hub_download(REPOSITORY, "model.safetensors", revision=REVISION))
        own = {name: t for name, t in tensors.items() if not name.startswith("fc.")}
        encoder.load_state_dict(OrderedDict(own))
    return encoder

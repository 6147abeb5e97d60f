"""`partial_conv`: a U-Net of partial convolutions (Liu et al., NVIDIA, ECCV 2018, arXiv 1804.07723).

A partial convolution sees valid values only, and makes up for how few they are; what it has seen any valid
value of is valid for the next. Encoder: 7 x 7 with 64 channels, 5 x 5 with 128, 5 x 5 with 256, then 3 x 3
with 512, all with stride 2, ReLU and, but for the first, batch norm; eight in all. Decoder: nearest x 2, the
features and masks of the encoder beside, 3 x 3, batch norm, LeakyReLU 0.2.

Differences from the paper: the output passes through a sigmoid, as pictures lie in [0, 1]; there is no second
phase with frozen norms; and perceptual and style loss need the public VGG-16, which is fetched from the Hub
with ``base="imagenet"``: without it both terms are left out, and the card says so.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.inpainting.losses import partial_conv_loss
from baselines.inpainting.networks import InpaintingNetwork
from baselines.networks import Habits
from baselines.normalisation import as_imagenet
from baselines.weight_hub import first_line, hub_client

__all__ = ["PartialConv", "PartialConvolution", "VggFeatures"]

REPOSITORY, REVISION = "smp-hub/vgg16.imagenet", "49d74b799006ee252b86e25acd6f1fd8ac9a99c1"
_VGG = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0)
"""Channels of VGG-16's convolutions up to its third pooling; 0 is a pooling."""


class PartialConvolution(nn.Conv2d):
    """W (x m) C k^2 / sum(m) + b where sum(m) > 0, else 0; m is valid there in the next mask.

    Sums run over the window and its C channels; beyond the border nothing is valid, so that padding counts as
    a hole (equations 1 and 2).

    Parameters
    ----------
    inside, outside
        Channels.
    size
        Of the square kernel, odd.
    stride
        1 or 2.
    """

    def __init__(self, inside: int, outside: int, size: int, stride: int = 1) -> None:
        super().__init__(inside, outside, size, stride, size // 2)
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")

    def partial(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and the next mask.

        Parameters
        ----------
        x
            (N, C, H, W).
        valid
            (N, C, H, W) float32: 1 where x is valid, 0 elsewhere.

        Returns
        -------
        (N, outside, H', W'), and (N, 1, H', W').
        """
        size, stride, padding = self.kernel_size[0], self.stride[0], self.kernel_size[0] // 2
        found = functional.conv2d(x * valid, self.weight, None, stride, padding)
        share = functional.avg_pool2d(valid.mean(1, keepdim=True), size, stride, padding)
        seen = (share > 0).to(share.dtype)
        scaled = found / share.clamp(min=0.5 / (size * size * self.in_channels))
        bias = 0 if self.bias is None else self.bias[:, None, None]
        return (scaled + bias) * seen, seen


class PartialConv(InpaintingNetwork):
    """A U-Net of partial convolutions, 32.9 M parameters; see the module.

    Parameters
    ----------
    base
        "imagenet" to be judged by VGG-16 from the Hub too, where it is reachable; None: L1 and TV alone.
    width
        Channels of the first layer; the deepest have eight times as many.
    depth
        Levels, eight in the paper: pictures are padded to multiples of 2^depth.
    """

    habits = Habits(lr=2e-4, final_lr=2e-6, weight_decay=0.0, optimiser="adam")

    def __init__(self, *, base: str | None = None, width: int = 64, depth: int = 8) -> None:
        super().__init__()
        if base not in {None, "imagenet"}:
            raise ValueError(f"base {base!r}: expected 'imagenet', or none for a loss without VGG-16")
        self.stride = 2**depth
        widths = [3, *(width << min(number, 3) for number in range(depth))]
        self.down = nn.ModuleList(
            _Layer(widths[level], widths[level + 1], (7, 5, 5)[level] if level < 3 else 3, first=level == 0)
            for level in range(depth)
        )
        self.up = nn.ModuleList(
            _Raise(widths[level + 1], widths[level], last=level == 0) for level in range(depth)
        )
        self.critic = _vgg() if base else None
        judged = (
            "judged by VGG-16 of ImageNet" if self.critic else "no perceptual and no style loss: no VGG-16"
        )
        self.pretrained = f"random; {judged}"

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `InpaintingNetwork.forward`."""
        x, valid = image, 1 - mask
        skips = []
        for level in self.down:
            skips.append((x, valid))
            x, valid = level(x, valid)
        for level, (skip, known) in zip(reversed(self.up), reversed(skips), strict=True):
            x, valid = level(x, valid, skip, known)
        return torch.sigmoid(x.float())

    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the five terms, or the three that need no VGG-16; see `InpaintingNetwork.loss`."""
        return partial_conv_loss(filled, target, mask, self.critic)


class _Layer(nn.Module):
    """A partial convolution of stride 2, norm and ReLU."""

    def __init__(self, inside: int, outside: int, size: int, *, first: bool) -> None:
        super().__init__()
        self.convolution = PartialConvolution(inside, outside, size, stride=2)
        self.norm = nn.Identity() if first else nn.BatchNorm2d(outside)

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and mask of half the size."""
        found, seen = self.convolution.partial(x, valid.expand_as(x))
        return functional.relu(self.norm(found)), seen


class _Raise(nn.Module):
    """Twice the size, joined with the skip; a partial convolution, norm and LeakyReLU."""

    def __init__(self, inside: int, skip: int, *, last: bool) -> None:
        super().__init__()
        self.convolution = PartialConvolution(inside + skip, skip, 3)
        self.after = nn.Identity() if last else nn.Sequential(nn.BatchNorm2d(skip), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor, valid: Tensor, skip: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and mask of the skip's size."""
        raised = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        reached = functional.interpolate(valid, scale_factor=2.0, mode="nearest")
        masks = torch.cat([reached.expand_as(raised), known.expand_as(skip)], 1)
        found, seen = self.convolution.partial(torch.cat([raised, skip.to(raised.dtype)], 1), masks)
        return self.after(found), seen


class VggFeatures(nn.Module):
    """The features of VGG-16 after its first three poolings; names of tensors as torchvision has them."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 3
        for width in _VGG:
            layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
            inside = width or inside
        self.features = nn.Sequential(*layers)
        self.requires_grad_(requires_grad=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return three layers of features, (N, 64, H / 2, W / 2) to (N, 256, H / 8, W / 8)."""
        x, found = as_imagenet(picture), []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
        return found


def _vgg() -> VggFeatures | None:
    """Return VGG-16 with ImageNet's weights, or nothing, with a warning, where they cannot be had."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  only if wanted
    from safetensors.torch import load_file  # noqa: PLC0415  the same

    features, lacking = VggFeatures(), ""
    try:
        with hub_client() as lacking:
            tensors = load_file(hf_hub_download(REPOSITORY, "model.safetensors", revision=REVISION))
        features.load_state_dict({name: tensors[name] for name in features.state_dict()})
    except Exception as error:  # noqa: BLE001  whatever the Hub's client raises when it is out of reach
        reason = lacking or first_line(error)
        warnings.warn(
            f"VGG-16 cannot be had from the Hub ({reason}): perceptual and style loss are left out",
            stacklevel=3,
        )
        return None
    return features

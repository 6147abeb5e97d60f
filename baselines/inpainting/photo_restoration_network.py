"""The restoration stage of "Bringing Old Photos Back to Life", after the paper and its public names.

An encoder that was trained on damaged photographs, at 1/4 of the size; a mapping of its features to those of
clean ones, which fills holes with what it finds elsewhere in the picture (a partial non-local block); and a
decoder that was trained on clean photographs.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["RestorationNetwork"]

WIDTH = 64
"""Channels of the features; the mapping's are eight times as many."""

_BLOCKS = 6
_AT_ONCE = 1024


class RestorationNetwork(nn.Module):
    """Encoder, mapping and decoder; names of tensors as in the public files, each below its own prefix.

    ``netG_A.encoder.*`` are those of `VAE_A_quality`, ``netG_B.decoder.*`` those of `VAE_B_scratch`,
    ``mapping_net.*`` those of `mapping_scratch`. Instance norms have no tensors.
    """

    stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.netG_A = nn.ModuleDict({"encoder": _encoder(WIDTH)})
        self.netG_B = nn.ModuleDict({"decoder": _decoder(WIDTH)})
        self.mapping_net = _Mapping(WIDTH)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `baselines.inpainting.networks.InpaintingNetwork.forward`.

        H and W are multiples of 4 from 8 px on. Masked px are shown to it as white, as the authors do.
        """
        seen = torch.where(mask > 0.5, 1.0, image * 2 - 1)
        features = self.mapping_net(self.netG_A["encoder"](seen), mask)
        restored: Tensor = self.netG_B["decoder"](features)
        return (restored + 1) / 2


def _encoder(width: int) -> nn.Sequential:
    """Return the way down: a 7 x 7 convolution, two of stride 2, four residual blocks."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), *_normed(nn.Conv2d(3, width, 7), width)]
    for _ in range(2):
        layers += _normed(nn.Conv2d(width, width, 4, 2, 1), width)
    return nn.Sequential(*layers, *(_Block(width) for _ in range(4)))


def _decoder(width: int) -> nn.Sequential:
    """Return the way up, the other way round."""
    layers: list[nn.Module] = [_Block(width) for _ in range(4)]
    for _ in range(2):
        layers += _normed(nn.ConvTranspose2d(width, width, 4, 2, 1), width)
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


def _normed(convolution: nn.Module, width: int) -> list[nn.Module]:
    """Return a convolution, instance norm and ReLU."""
    return [convolution, nn.InstanceNorm2d(width), nn.ReLU()]


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_normed(nn.Conv2d(width, width, 3), width),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, width, H, W)."""
        found: Tensor = self.conv_block(x)
        return x + found


class _Mapping(nn.Module):
    """Features of damaged photographs to those of clean ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.before_NL = nn.Sequential(*_chain(wide))
        self.NL = _NonLocal(wide[-1])
        self.after_NL = nn.Sequential(
            *(_Block(wide[-1]) for _ in range(_BLOCKS)),
            *_chain(wide[:0:-1]),
            nn.Conv2d(wide[1], wide[0], 3, 1, 1),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (N, width, H / 4, W / 4), given the (N, 1, H, W) mask."""
        found: Tensor = self.after_NL(self.NL(self.before_NL(x), mask))
        return found


def _chain(widths: list[int]) -> list[nn.Module]:
    """Return 3 x 3 convolutions from each width to the next."""
    layers: list[nn.Module] = []
    for inside, outside in pairwise(widths):
        layers += _normed(nn.Conv2d(inside, outside, 3, 1, 1), outside)
    return layers


class _NonLocal(nn.Module):
    """The partial non-local block: where the picture is masked, what is alike where it is not."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g, self.W, self.theta, self.phi = (nn.Conv2d(width, width, 1) for _ in range(4))
        self.res_block = nn.Sequential(*(_Block(width) for _ in range(3)))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (N, C, h, w): `x` where all is known, and what was put together elsewhere.

        A place is known if no px is masked of those that shrinking the mask, by bilinear interpolation,
        looks at. Weights are softmax(theta phi) over the known places.
        """
        size = x.shape[2:]
        masked = functional.interpolate(mask, size, mode="bilinear", align_corners=False) > 0
        masked |= functional.interpolate(mask, size, mode="nearest") > 0
        seen, looked_for, given = (
            layer(x).flatten(2).transpose(1, 2) for layer in (self.theta, self.phi, self.g)
        )
        found = _attention(seen, looked_for, given, ~masked.flatten(2))
        put_together = self.res_block(self.W(found.transpose(1, 2).reshape_as(x)))
        return torch.where(masked, put_together, x)


def _attention(queries: Tensor, keys: Tensor, values: Tensor, known: Tensor) -> Tensor:
    """Return softmax(Q K^T) V over known keys, as the authors compute it; 0 where there are none.

    The softmax runs over all keys; what it gives to unknown ones is taken away, and the rest made to sum to 1
    unless it is below 1e-12. It is done for some queries at a time, as there are as many weights as pairs.

    Parameters
    ----------
    queries, keys, values
        (N, places, C).
    known
        (N, 1, places) bool.
    """
    found = []
    for first in range(0, queries.shape[1], _AT_ONCE):
        some = queries[:, first : first + _AT_ONCE]
        weights = torch.softmax(some @ keys.transpose(1, 2), 2) * known
        found.append(functional.normalize(weights, p=1, dim=2) @ values)
    return torch.cat(found, 1)

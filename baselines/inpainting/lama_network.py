"""The generator of LaMa (Suvorov et al., WACV 2022, arXiv 2109.07161), after the paper and its public names.

Three convolutions of stride 2; residual blocks at 1/8 of the size whose features are in two parts, a quarter
local and three quarters global; three transposed convolutions. The global part passes through Fourier units:
a real FFT of all of the picture, a 1 x 1 convolution of its real and imaginary parts, and back; each place
sees all others from the first block on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LamaNetwork"]

_DOWN = 3
_SHARE = 0.75

Parts = tuple[Tensor, Tensor]
"""Local and global features, (N, C / 4, H, W) and (N, 3 C / 4, H, W)."""


class LamaNetwork(nn.Module):
    """LaMa's generator; the names of its tensors are those of the public checkpoint from ``generator.`` on.

    Parameters
    ----------
    width
        Channels of the first layer; the blocks have eight times as many.
    blocks
        Residual blocks: 18 in big-lama, 9 in others.
    """

    stride = 2**_DOWN

    def __init__(self, *, width: int = 64, blocks: int = 18) -> None:
        super().__init__()
        deep = width << _DOWN
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), _Plain(4, width, 7)]
        layers += [_Plain(width << n, width << n + 1, 3, stride=2) for n in range(_DOWN - 1)]
        layers += [_Split(deep // 2, deep), *(_Block(deep) for _ in range(blocks)), _Join()]
        for number in range(_DOWN):
            inside = deep >> number
            layers += [
                nn.ConvTranspose2d(inside, inside // 2, 3, 2, 1, output_padding=1),
                nn.BatchNorm2d(inside // 2),
                nn.ReLU(),
            ]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid())

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `baselines.inpainting.networks.InpaintingNetwork.forward`.

        H and W are multiples of 8 from 16 px on. Masked px are shown to it as black.
        """
        filled: Tensor = self.model(torch.cat([image * (1 - mask), mask], 1))
        return filled


def _convolution(inside: int, outside: int, size: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that mirrors the border; that of 7 x 7 leaves it to the layer before."""
    border = 1 if size == 3 else 0
    return nn.Conv2d(inside, outside, size, stride, border, bias=False, padding_mode="reflect")


class _Plain(nn.Module):
    """Convolution, norm and ReLU, of local features only."""

    def __init__(self, inside: int, outside: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.ffc = nn.ModuleDict({"convl2l": _convolution(inside, outside, size, stride)})
        self.bn_l = nn.BatchNorm2d(outside)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outside, H / stride, W / stride)."""
        return functional.relu(self.bn_l(self.ffc["convl2l"](x)))


class _Split(nn.Module):
    """The same with stride 2, where local features become local and global ones."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        wide = int(_SHARE * outside)
        near, far = (_convolution(inside, width, 3, 2) for width in (outside - wide, wide))
        self.ffc = nn.ModuleDict({"convl2l": near, "convl2g": far})
        self.bn_l, self.bn_g = nn.BatchNorm2d(outside - wide), nn.BatchNorm2d(wide)

    def forward(self, x: Tensor) -> Parts:
        """Return both parts at half the size."""
        near, far = self.bn_l(self.ffc["convl2l"](x)), self.bn_g(self.ffc["convl2g"](x))
        return functional.relu(near), functional.relu(far)


class _Join(nn.Module):
    """Both parts, one behind the other."""

    def forward(self, parts: Parts) -> Tensor:
        """Return (N, C, H, W)."""
        return torch.cat(parts, 1)


class _Block(nn.Module):
    """Two Fourier convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _Normed(width), _Normed(width)

    def forward(self, parts: Parts) -> Parts:
        """Return both parts."""
        near, far = self.conv2(self.conv1(parts))
        return parts[0] + near, parts[1] + far


class _Normed(nn.Module):
    """A Fourier convolution, norm and ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = int(_SHARE * width)
        self.ffc = _FourierConvolution(width - wide, wide)
        self.bn_l, self.bn_g = nn.BatchNorm2d(width - wide), nn.BatchNorm2d(wide)

    def forward(self, parts: Parts) -> Parts:
        """Return both parts."""
        near, far = self.ffc(parts)
        return functional.relu(self.bn_l(near)), functional.relu(self.bn_g(far))


class _FourierConvolution(nn.Module):
    """Fast Fourier convolution (Chi et al. 2020): each part is made of both."""

    def __init__(self, local: int, wide: int) -> None:
        super().__init__()
        self.convl2l = _convolution(local, local, 3)
        self.convl2g = _convolution(local, wide, 3)
        self.convg2l = _convolution(wide, local, 3)
        self.convg2g = _Spectral(wide)

    def forward(self, parts: Parts) -> Parts:
        """Return both parts."""
        near, far = parts
        return self.convl2l(near) + self.convg2l(far), self.convl2g(near) + self.convg2g(far)


class _Spectral(nn.Module):
    """A Fourier unit beside a shortcut, at half as many channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = nn.Sequential(nn.Conv2d(width, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = _FourierUnit(half)
        self.conv2 = nn.Conv2d(half, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, width, H, W)."""
        narrow = self.conv1(x)
        found: Tensor = self.conv2(narrow + self.fu(narrow))
        return found


class _FourierUnit(nn.Module):
    """A 1 x 1 convolution, norm and ReLU in the frequency domain; real and imaginary parts in turn."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * width, 2 * width, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W)."""
        spectrum = torch.view_as_real(torch.fft.rfft2(x, norm="ortho"))  # (N, C, H, W / 2 + 1, 2)
        planes = spectrum.permute(0, 1, 4, 2, 3)
        changed = functional.relu(self.bn(self.conv_layer(planes.flatten(1, 2))))
        pairs = changed.reshape(planes.shape).permute(0, 1, 3, 4, 2).contiguous()
        found: Tensor = torch.fft.irfft2(torch.view_as_complex(pairs), s=x.shape[-2:], norm="ortho")
        return found

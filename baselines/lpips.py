"""LPIPS (Zhang et al., CVPR 2018), AlexNet, version 0.1: how different two pictures look to a network.

Features of five layers of AlexNet are scaled to unit length at each place; their squared difference is
weighted channel by channel, with weights that were fitted to human judgement, and added up. Own code; the
weights are not ours to ship. Both files are pickles: only their tensors are read
(`baselines.torch_checkpoints`), and only of the published files, by sha256.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.protocols import Image, Mask, checked_image
from baselines.torch_checkpoints import _BROKEN, _array, _read_row, read_checkpoint
from baselines.weight_files import WeightsError, digest

__all__ = ["FILES", "SMALLEST", "Lpips", "WeightFile", "load_lpips"]

State = Mapping[str, npt.NDArray[Any]]
"""Tensors by name."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A published file of weights.

    Attributes
    ----------
    name, sha256
        Of the file.
    origin
        Where it comes from, and under which licence.
    """

    name: str
    sha256: str
    origin: str


FILES = (
    WeightFile(
        "alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth, BSD-3-Clause",
    ),
    WeightFile(
        "alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "lpips/weights/v0.1 in the Python package lpips 0.1.4, BSD-2-Clause",
    ),
)
"""AlexNet as torchvision publishes it, and the weights of the distance."""

SMALLEST = 31
"""Px of a picture's shorter side from which on every layer has a place."""

_LAYERS = (0, 3, 6, 8, 10)
"""Of torchvision's ``features``: the convolutions whose outputs are compared, after ReLU."""
_SHAPES = ((64, 3, 11, 11), (192, 64, 5, 5), (384, 192, 3, 3), (256, 384, 3, 3), (256, 256, 3, 3))
_STEPS = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
"""Stride and padding."""
_POOLED = (1, 2)
"""Layers before which the largest of 3 x 3 is taken, every 2 px."""
_EPSILON = 1e-10
_DIGITS = 6
"""Of what is returned: the rest depends on how many threads add up."""


class Lpips(nn.Module):
    """The distance.

    Parameters
    ----------
    convolutions
        (weight, bias) of each layer.
    weights
        (channels,) of each layer.
    """

    shift: Tensor
    scale: Tensor

    version: ClassVar[str] = "0.1"

    def __init__(self, convolutions: Sequence[tuple[Tensor, Tensor]], weights: Sequence[Tensor]) -> None:
        super().__init__()
        self._convolutions = nn.ParameterList(
            nn.Parameter(part, requires_grad=False) for pair in convolutions for part in pair
        )
        self._weights = nn.ParameterList(nn.Parameter(one, requires_grad=False) for one in weights)
        self.register_buffer("shift", torch.tensor((-0.030, -0.088, -0.188)).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor((0.458, 0.448, 0.450)).view(1, 3, 1, 1))

    def features(self, pictures: Tensor) -> Iterator[Tensor]:
        """Yield the features of (N, 3, H, W) in [-1, 1], layer by layer, of unit length at each place."""
        state = (pictures - self.shift) / self.scale
        for layer, (stride, padding) in enumerate(_STEPS):
            if layer in _POOLED:
                state = functional.max_pool2d(state, 3, 2)
            kernel, bias = self._convolutions[2 * layer], self._convolutions[2 * layer + 1]
            state = functional.relu(functional.conv2d(state, kernel, bias, stride, padding))
            yield state / (state.square().sum(dim=1, keepdim=True).sqrt() + _EPSILON)

    def layers(self, first: Tensor, second: Tensor) -> list[Tensor]:
        """Return the distance at each place of each layer, (N, 1, h, w), of (N, 3, H, W) in [-1, 1]."""
        pairs = zip(self.features(first), self.features(second), self._weights, strict=True)
        return [
            ((one - other).square() * w.view(1, -1, 1, 1)).sum(dim=1, keepdim=True) for one, other, w in pairs
        ]

    def distances(self, picture: Image, reference: Image, regions: Sequence[Mask | None]) -> list[float]:
        """Return the distance of two pictures, over all of them or in a region.

        Parameters
        ----------
        picture, reference
            (H, W, 3) uint8 RGB of one shape.
        regions
            (H, W) bool: the mean there of the map of distances, each layer's enlarged linearly to H x W; None
            for the mean of each layer, added up, which is what is published as LPIPS.

        Returns
        -------
        0 for equal pictures, more for others; NaN where a region has no px, or a side is shorter than
        `SMALLEST` px.

        Raises
        ------
        ValueError
            If a picture is none, or shapes differ.
        """
        size = checked_image(reference).shape[:2]
        if checked_image(picture).shape != reference.shape or any(
            r is not None and r.shape != size for r in regions
        ):
            raise ValueError(f"expected pictures and regions of the reference's size {size}")
        if min(size) < SMALLEST:
            return [float("nan")] * len(regions)
        with torch.inference_mode():
            layers = self.layers(_tensor(picture), _tensor(reference))
            enlarged = [functional.interpolate(one, size, mode="bilinear") for one in layers]
            places = np.asarray(torch.stack(enlarged).sum(dim=0)[0, 0])
            whole = sum(float(one.mean()) for one in layers)
        return [round(whole if r is None else _mean(places[r]), _DIGITS) for r in regions]


def _mean(values: npt.NDArray[np.float32]) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")


def _tensor(image: Image) -> Tensor:
    array = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
    return torch.from_numpy(array).float() / 127.5 - 1


@cache
def load_lpips(folder: Path) -> Lpips:
    """Load the weights, once in a process.

    Parameters
    ----------
    folder
        Where the two `FILES` lie.

    Raises
    ------
    WeightsError
        If one is not there, or is not the published one; the message says where it comes from.
    """
    trunk, weights = (_published(folder, file) for file in FILES)
    state, linear = read_checkpoint(trunk, ""), _read_pairs(weights)
    convolutions = [
        (_taken(state, f"features.{n}.weight", shape), _taken(state, f"features.{n}.bias", shape[:1]))
        for n, shape in zip(_LAYERS, _SHAPES, strict=True)
    ]
    shapes = [(1, shape[0], 1, 1) for shape in _SHAPES]
    fitted = [_taken(linear, f"lin{n}.model.1.weight", shape) for n, shape in enumerate(shapes)]
    return Lpips(convolutions, [one.flatten() for one in fitted])


def _published(folder: Path, file: WeightFile) -> Path:
    path = folder / file.name
    if not path.is_file():
        where = f"there is no {file.name} in {str(folder)!r}"
        raise WeightsError(f"weights of LPIPS: {where}: expected that of {file.origin}")
    found = digest(path)
    if found != file.sha256:
        raise WeightsError(f"{path} has sha256 {found}: expected {file.sha256}, of {file.origin}")
    return path


def _read_pairs(path: Path) -> State:
    """Read a file of torch 0.3, whose dictionary of tensors is a list of pairs."""
    try:
        with path.open("rb") as file:
            tree, stored = _read_row(file)
            return {str(name): _array(value, stored) for name, value in tree.arguments[0]}
    except (OSError, *_BROKEN) as error:
        raise WeightsError(f"weights {path} cannot be read: {error}") from error


def _taken(state: State, name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in state or state[name].shape != shape:
        raise WeightsError(f"weights of LPIPS: expected a tensor {name!r} of shape {shape}")
    return torch.from_numpy(np.array(state[name], np.float32))

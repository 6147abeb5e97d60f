"""What inpainters with public weights share, which are not ours to ship."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from baselines.inpainting.learned import TILE, checked_tile, fill_in_tiles
from baselines.protocols import Image, Mask
from baselines.trained import needs_torch

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from baselines.inpainting.networks import Filler

__all__ = ["PublicInpainter"]


@dataclass(frozen=True, kw_only=True)
class PublicInpainter(ABC):
    """An inpainting network of somebody else's, with the weights that they publish.

    Attributes
    ----------
    name
        What tables call it.
    stride
        Sides of what the network is given are multiples of this, px.
    weights
        The published file or folder, or a safetensors file of the same tensors (``convert`` of its module).
    device
        "auto", "cpu", "cuda" or "cuda:NUMBER"; afterwards the one that is used.
    tile
        Larger images are tiled, px.

    Raises
    ------
    MissingError
        If torch is not installed.
    WeightsError
        If there are no weights, or they are not of this network; the first that does not fit is named.
    ValueError
        If a setting cannot be used.
    """

    name: ClassVar[str] = ""
    stride: ClassVar[int] = 1

    weights: str | None = None
    device: str = "auto"
    tile: int = TILE

    def __post_init__(self) -> None:
        """Check the settings, and that the weights fit."""
        checked_tile(self.name, self.tile, self.stride)
        _ = self._files
        with needs_torch(self.name):
            filler = self._filler
        object.__setattr__(self, "device", str(filler.device))

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill (H, W, 3) uint8 RGB where (H, W) bool is True.

        Raises
        ------
        ValueError
            If `image` or `mask` is none, the mask covers all of the image, or memory runs out.
        """
        return fill_in_tiles(image, mask, self._filler, tile=self.tile, stride=self.stride)

    @property
    @abstractmethod
    def _files(self) -> list[Path]:
        """The files of weights; `WeightsError` if one is not there."""

    @abstractmethod
    def _network(self) -> torch.nn.Module:
        """Make the network with the weights in it."""

    @cached_property
    def _filler(self) -> Filler:
        """The network with its weights, on its device."""
        from baselines.inference import find_device  # noqa: PLC0415  imports torch
        from baselines.inpainting.networks import Filler  # noqa: PLC0415  the same

        device = find_device(self.device)
        return Filler(network=self._network(), device=device)

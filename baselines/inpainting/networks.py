"""What an inpainting network is to those who train it and those who run it: picture and mask in, picture out.

It is to inpainting what `baselines.networks.Segmenter` is to detection, and is called alike, ``network(image,
mask)`` and ``network.loss(filled, target, mask)``, so that one trainer drives both. What judges fillings in
training only (the critic of a GAN, the features of a perceptual loss) hangs on the network as `critic`: it is
trained, kept in checkpoints and averaged with the rest, by one optimiser, and left out of the weights.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from baselines.inference import is_out_of_memory
from baselines.networks import Habits
from baselines.protocols import Image, Mask

__all__ = ["Filler", "InpaintingNetwork", "composed", "without_critic"]

Kind = TypeVar("Kind")

_CRITIC = "critic."


class InpaintingNetwork(nn.Module, ABC):
    """A network that says what a picture looks like where it is masked.

    Attributes
    ----------
    stride
        Height and width of what `forward` takes are multiples of this.
    habits
        How it is trained.
    pretrained
        Of what was trained before, and which terms of the loss had to be left out; for the card.
    critic
        What judges fillings in training only; None where nothing does.
    """

    stride: int = 32
    habits: Habits = Habits()
    pretrained: str = "random"
    critic: nn.Module | None

    def __init__(self) -> None:
        super().__init__()
        self.critic = None

    @abstractmethod
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the whole picture as the network would have it.

        Parameters
        ----------
        image
            (N, 3, H, W) float32 RGB in [0, 1], damaged; normalised in here, so that training and use agree.
        mask
            (N, 1, H, W) float32: 1 where to fill, 0 elsewhere. All may be 0, and all may be 1.

        Returns
        -------
        (N, 3, H, W) float32 RGB, in [0, 1] but for training. Of this only what is masked is ever used.
        """

    @abstractmethod
    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar: of the network and, where it is trained, of its critic.

        Parameters
        ----------
        filled
            What `forward` has just returned.
        target
            (N, 3, H, W) float32 RGB in [0, 1]: the picture without damage.
        mask
            As for `forward`.
        """

    def frozen_first(self) -> list[nn.Parameter]:
        """Return the parameters that stay as they are in the freeze phase: none."""
        return []


def composed(image: Tensor, filled: Tensor, mask: Tensor) -> Tensor:
    """Return (N, 3, H, W): `filled` where the (N, 1, H, W) mask is 1, `image` elsewhere."""
    return torch.where(mask > 0.5, filled, image)


def without_critic(tensors: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return what of a state dict is needed to fill: all but the critic's."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_CRITIC)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Filler:
    """A network, ready to be run on one piece of a picture at a time.

    Attributes
    ----------
    network
        Anything that is called like an `InpaintingNetwork`. It is moved to the device and set to evaluation.
    device
        See `baselines.inference.find_device`.
    precision
        "float32" or "bfloat16".
    """

    network: nn.Module
    device: torch.device
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Make the network ready."""
        self.network.to(self.device).eval().requires_grad_(False)

    def __call__(self, image: Image, mask: Mask) -> npt.NDArray[np.float32]:
        """Return the whole piece as the network would have it.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB; H and W multiples of the network's stride.
        mask
            (H, W) bool, True where to fill.

        Returns
        -------
        (H, W, 3) float32 in [0, 255].

        Raises
        ------
        ValueError
            If it takes more memory than there is.
        """
        try:
            with torch.inference_mode(), self._exactly():
                seen = self._tensor(image).permute(2, 0, 1)[None].float().div_(255)
                hidden = self._tensor(mask)[None, None].float()
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
                    found = self.network(seen, hidden)
                levels = found[0].float().clamp_(0, 1).mul_(255).permute(1, 2, 0)
                values: npt.NDArray[np.float32] = levels.cpu().numpy()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise ValueError(
                f"out of memory on {self.device} with {mask.shape[0]} x {mask.shape[1]} px: "
                "expected a smaller tile (setting tile)"
            ) from error
        return values

    @contextlib.contextmanager
    def _exactly(self) -> Iterator[None]:
        """Let a GPU give the same answer each time, in float32 where it is asked for: TF32 has 10 bits."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield

    def _tensor(self, array: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> Tensor:
        """Return an array on the device, as it is: whole numbers travel."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

"""What a network is to those who train it and those who run it: images in, logits out, its own loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Habits", "Segmenter"]


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a network is trained unless a run says otherwise.

    Attributes
    ----------
    lr, final_lr
        Learning rate after warm-up, and at the end of its cosine.
    weight_decay
        Of AdamW; not applied to biases and norms.
    optimiser
        "adamw", or "adam" as paper C has it.
    batch, crop
        Triplets of a step, and the side of their square crops in px.
    freeze
        Share of the steps for which `Segmenter.frozen_first` stays as it is.
    """

    lr: float = 1e-3
    final_lr: float = 1e-6
    weight_decay: float = 1e-2
    optimiser: Literal["adamw", "adam"] = "adamw"
    batch: int = 8
    crop: int = 256
    freeze: float = 0.0


class Segmenter(nn.Module, ABC):
    """A network that tells classes apart at each pixel: 0 background, 1 crack, 2 paint loss.

    Attributes
    ----------
    classes
        2 or 3.
    stride
        Height and width of what `forward` takes are multiples of this.
    detector_channel
        Whether it looks at a detector's map too.
    habits
        How it is trained.
    """

    classes: int
    stride: int = 32
    detector_channel: bool = False
    habits: Habits = Habits()

    @abstractmethod
    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits.

        Parameters
        ----------
        image
            (N, 3, H, W) float32 RGB in [0, 1]; normalised in here, so that training and use agree.
        hint
            (N, 1, H, W) float32, 0 or 1: the map of `baselines.tophat.TopHat()`; None if the network has no
            detector channel.

        Returns
        -------
        (N, classes, H, W) float32 logits at full resolution.
        """

    @abstractmethod
    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return the loss of a batch, a scalar.

        Parameters
        ----------
        logits
            What `forward` returned.
        target
            (N, H, W) int64 class numbers; -1 is ignored.
        hint
            As for `forward`.
        """

    def frozen_first(self) -> list[nn.Parameter]:
        """Return the parameters that stay as they are in the freeze phase."""
        return []

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return (N, classes, H, W) float32 probabilities."""
        return torch.softmax(logits.float(), dim=1)

"""A network that fills, so small that tests of training are quick; as a script, it is trained right here.

    python tests/tiny_inpainting.py OUT FOLDER OPTIONS-AS-JSON

It has all that makes going on difficult: norms with running statistics, dropout, a critic that learns too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from tiny_network import options, pause
from torch import Tensor, nn
from torch.nn import functional

from baselines.inpainting.learned import LearnedInpainter
from baselines.inpainting.losses import adversarial, masked_l1
from baselines.inpainting.networks import InpaintingNetwork
from baselines.networks import Habits
from craqbench import training
from craqbench.training_options import INPAINT, Execution, TrainingOptions

__all__ = ["TinyFiller", "TinyInpainter", "filling_options", "train"]


class TinyFiller(InpaintingNetwork):
    """Two convolutions, norm and dropout, beside a critic of one.

    Parameters
    ----------
    fault
        "nan" or "memory": what happens in the loss from step `after` on.
    after
        See `fault`.
    """

    stride = 8
    habits = Habits(lr=3e-3, batch=2, crop=64)

    def __init__(self, *, fault: str = "", after: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout2d(0.2)
        self.last = nn.Conv2d(8, 3, 3, padding=1)
        self.critic = nn.Conv2d(3, 1, 4, stride=4)
        self._fault, self._left = fault, after

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture."""
        seen = torch.cat([image - 0.5, mask], 1)
        filled: Tensor = self.last(self.drop(functional.relu(self.norm(self.first(seen)))))
        return torch.sigmoid(filled.float())

    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return L1 in the mask and the losses of a GAN, or what was asked for."""
        if self.training:
            self._left -= 1
            if self._fault == "memory" and self._left < 0:
                raise torch.OutOfMemoryError("CUDA out of memory")
            if self._fault == "nan" and self._left < 0:
                filled = filled * torch.nan
        total = masked_l1(filled, target, mask)
        if self.critic is not None:
            for_maker, for_critic = adversarial(self.critic, filled, target)
            total = total + 0.01 * for_maker + for_critic
        return total


class TinyInpainter(LearnedInpainter):
    """What an author outside this package writes beside a network."""

    name = "tiny"

    @classmethod
    def network(cls, **settings: Any) -> InpaintingNetwork:
        """Make it."""
        return TinyFiller(**settings)


def tiny_filler(name: str, *, base: str | None = None, **switches: Any) -> InpaintingNetwork:
    """Stand in for `baselines.inpainting.architectures.make_inpainting_network`."""
    del name, base
    return TinyFiller(**switches)


def filling_options(source: Path, **changes: Any) -> TrainingOptions:
    """Return options of a run that takes a second or two."""
    return options(source, task=INPAINT, **changes)


def train(
    chosen: TrainingOptions, out: Path, execution: Execution | None = None, **more: Any
) -> training.Trained:
    """Train the tiny network."""
    with mock.patch.object(training, "make_inpainting_network", tiny_filler):
        return training.train(chosen, out, execution or Execution(workers=0, threads=1, device="cpu"), **more)


if __name__ == "__main__":
    train(filling_options(Path(sys.argv[2]), **json.loads(sys.argv[3])), Path(sys.argv[1]), report=pause)

"""A network so small that tests of training are quick; run as a script, it is trained in this process.

    python tests/tiny_network.py OUT FOLDER OPTIONS-AS-JSON

It has all that makes going on difficult: norms with running statistics, dropout, a part that is frozen first.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import PIL.Image
import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.learned import LearnedDetector
from baselines.networks import Habits, Segmenter
from craqbench import training
from craqbench.training_options import Execution, TrainingOptions
from generators.recipes import RECIPES

__all__ = ["TinyDetector", "TinyNetwork", "options", "paintings", "tiny_network", "train"]


class TinyNetwork(Segmenter):
    """Two convolutions, norm and dropout.

    Parameters
    ----------
    classes
        2 or 3.
    hinted
        Whether it looks at a detector's map.
    fault
        "nan" or "memory": what happens in the loss from step `after` on.
    after
        See `fault`.
    """

    stride = 8
    habits = Habits(lr=3e-3, batch=2, crop=64, freeze=0.25)

    def __init__(self, classes: int = 2, *, hinted: bool = False, fault: str = "", after: int = 0) -> None:
        super().__init__()
        self.classes, self.detector_channel = classes, hinted
        self.first = nn.Conv2d(3 + hinted, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout2d(0.2)
        self.last = nn.Conv2d(8, classes, 3, padding=1)
        self._fault, self._left = fault, after

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits."""
        seen = image if hint is None else torch.cat([image, hint], 1)
        logits: Tensor = self.last(self.drop(functional.relu(self.norm(self.first(seen - 0.5)))))
        return logits.float()

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return cross entropy, or what was asked for."""
        del hint
        if self.training:
            self._left -= 1
            if self._fault == "memory" and self._left < 0:
                raise torch.OutOfMemoryError("CUDA out of memory")
            if self._fault == "nan" and self._left < 0:
                logits = logits * torch.nan
        return functional.cross_entropy(logits, target, ignore_index=-1)

    def frozen_first(self) -> list[nn.Parameter]:
        """Return the first convolution's."""
        return list(self.first.parameters())


class TinyDetector(LearnedDetector):
    """What an author outside this package writes beside a network."""

    name = "tiny"

    @classmethod
    def network(cls, **settings: Any) -> Segmenter:
        """Make it."""
        return TinyNetwork(**settings)


def tiny_network(name: str, *, classes: int = 2, base: str | None = None, **switches: Any) -> Segmenter:
    """Stand in for `baselines.architectures.make_network`."""
    del name, base
    return TinyNetwork(classes, **switches)


def paintings(folder: Path, count: int = 6) -> Path:
    """Fill a folder with small pictures."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(count):
        coarse = rng.integers(40, 220, (6, 7, 3), dtype=np.uint8)
        PIL.Image.fromarray(coarse).resize((100, 90)).save(folder / f"{number}.png")
    return folder


def options(source: Path, **changes: Any) -> TrainingOptions:
    """Return options of a run that takes a second or two."""
    small: dict[str, Any] = {
        "method": "tiny",
        "recipe": RECIPES["mixed"],
        "source": str(source),
        "steps": 12,
        "epoch": 4,
        "validation": 4,
    }
    return TrainingOptions(**{**small, **changes})


def train(
    chosen: TrainingOptions, out: Path, execution: Execution | None = None, **more: Any
) -> training.Trained:
    """Train the tiny network."""
    with mock.patch.object(training, "make_network", tiny_network):
        return training.train(chosen, out, execution or Execution(workers=0, threads=1, device="cpu"), **more)


def pause(_: training.State) -> None:
    """Take so long for a step that a run can be killed in the middle of an epoch."""
    time.sleep(0.3)


if __name__ == "__main__":
    train(options(Path(sys.argv[2]), **json.loads(sys.argv[3])), Path(sys.argv[1]), report=pause)

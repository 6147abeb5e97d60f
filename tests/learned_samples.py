"""Small networks and weights, for the tests of what uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from baselines.networks import Segmenter
from baselines.protocols import Image
from baselines.weights import save_weights

CARD: dict[str, Any] = {
    "method": "craqnet",
    "classes": 2,
    "base": None,
    "switches": {"widths": [4, 8, 8, 8, 8], "blocks": [1, 1, 1, 1]},
    "threshold": 0.5,
    "version": "3",
    "command": "craqbench train --method craqnet --steps 1",
    "steps": 1,
    "seed": 0,
    "recipe": "mixed version 1",
    "source": "procedural",
    "data": "synthetic cracks only",
    "hardware": "a test",
    "licence": "Apache-2.0",
}


class Small(Segmenter):
    """Looks at 13 px around each px, on a grid of 8; with a channel for a detector's map if asked to."""

    stride = 8

    def __init__(self, *, classes: int = 2, detector_channel: bool = False) -> None:
        super().__init__()
        self.classes, self.detector_channel = classes, detector_channel
        self.fine = nn.Conv2d(3 + detector_channel, 6, 3, padding=1)
        self.coarse = nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Conv2d(12, classes, 3, padding=1)

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits that vary a lot."""
        seen = image if hint is None else torch.cat([image, hint], 1)
        fine = torch.relu(self.fine(seen - 0.5))
        coarse = torch.relu(self.coarse(nn.functional.avg_pool2d(fine, 8)))
        raised = nn.functional.interpolate(coarse, scale_factor=8.0, mode="nearest")
        logits: Tensor = 40 * self.head(torch.cat([fine, raised], 1))
        return logits

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return nothing of interest."""
        del target, hint
        return logits.mean()


def small(seed: int = 0, **switches: Any) -> Small:
    """Return a small network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Small(**switches)


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Draw blotches with grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(coarse, (width, height)), np.float64)
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def write_weights(path: Path, seed: int = 0, **changes: Any) -> Path:
    """Write random weights of a tiny craqnet with their card, and return the path."""
    from baselines.architectures import make_network  # noqa: PLC0415  heavier than this module's other uses

    card = {**CARD, **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network("craqnet", classes=card["classes"], **card["switches"])
    save_weights(path, network.state_dict(), card)
    return path

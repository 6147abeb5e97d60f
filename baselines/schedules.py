"""How a network is trained, from the first step to the last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Schedule", "learning_rate"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is trained.

    Attributes
    ----------
    steps
        How many.
    lr, final_lr
        Learning rate after warm-up, and at the end of its cosine.
    warmup
        Steps in which the learning rate rises.
    weight_decay
        Of AdamW, for weights of two axes and more.
    optimiser
        "adamw", or "adam".
    freeze
        Steps for which `Segmenter.frozen_first` stays as it is.
    averaging
        How much of the moving average remains after a step; less in the first steps.
    seed
        Of dropout.
    """

    steps: int
    lr: float
    final_lr: float = 1e-6
    warmup: int = 0
    weight_decay: float = 1e-2
    optimiser: Literal["adamw", "adam"] = "adamw"
    freeze: int = 0
    averaging: float = 0.999
    seed: int = 0


def learning_rate(schedule: Schedule, step: int) -> float:
    """Return the learning rate of a step, counted from 0: a straight rise, then half a cosine.

    >>> schedule = Schedule(steps=110, warmup=10, lr=1.0, final_lr=0.0)
    >>> [round(learning_rate(schedule, step), 3) for step in (0, 9, 10, 60, 110)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if step < schedule.warmup:
        return schedule.lr * (step + 1) / schedule.warmup
    done = min(1.0, (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup))
    return schedule.final_lr + (schedule.lr - schedule.final_lr) * (1 + math.cos(math.pi * done)) / 2

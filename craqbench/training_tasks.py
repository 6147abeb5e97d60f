"""What a training run does in another way to find cracks than to fill them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from baselines.inpainting.learned import LearnedInpainter
from baselines.inpainting.networks import InpaintingNetwork, without_critic
from baselines.learned import LearnedDetector
from baselines.networks import Segmenter
from baselines.training import Batch
from craqbench.training_log import filling_sheet, prediction_sheet
from craqbench.training_options import DETECT, INPAINT
from craqbench.training_validation import (
    Filled,
    Peers,
    Validated,
    fillings,
    peers,
    validate,
    validate_filling,
)

if TYPE_CHECKING:
    from baselines.training import Trainer

__all__ = ["TASKS", "Figures", "Task"]

Figures = Validated | Filled
"""What a validation gives."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task.

    Attributes
    ----------
    figures
        The kind of figures that a validation gives.
    validate
        Returns them for the averaged network, on some batches.
    sheet
        Composes a sheet of a batch, what was found in it, and the figures.
    peers
        Returns what others make of some batches.
    kept
        Returns what of a state dict is worth keeping.
    own
        What a method of somebody else's is derived from.
    network
        What networks are derived from.
    """

    figures: type[Validated | Filled]
    validate: Callable[[Trainer, list[Batch]], Figures]
    sheet: Callable[[Batch, npt.NDArray[np.float32], Any], npt.NDArray[np.uint8]]
    peers: Callable[[list[Batch]], Peers]
    kept: Callable[[Mapping[str, Any]], dict[str, Any]]
    own: type[LearnedDetector | LearnedInpainter]
    network: type[Segmenter | InpaintingNetwork]


def _sheet_of_answers(
    batch: Batch, found: npt.NDArray[np.float32], figures: Validated
) -> npt.NDArray[np.uint8]:
    return prediction_sheet(batch.images, batch.labels, found[:, 1], figures.threshold)


def _sheet_of_fillings(batch: Batch, found: npt.NDArray[np.float32], _: Filled) -> npt.NDArray[np.uint8]:
    if batch.hints is None:
        raise ValueError("a batch without masks: expected hints")
    return filling_sheet(batch.images, batch.hints, fillings(batch, found), batch.labels)


TASKS: Mapping[str, Task] = {
    DETECT: Task(
        figures=Validated,
        validate=validate,
        sheet=_sheet_of_answers,
        peers=lambda _: {},
        kept=dict,
        own=LearnedDetector,
        network=Segmenter,
    ),
    INPAINT: Task(
        figures=Filled,
        validate=validate_filling,
        sheet=_sheet_of_fillings,
        peers=peers,
        kept=without_critic,
        own=LearnedInpainter,
        network=InpaintingNetwork,
    ),
}
"""All tasks, by the value of ``--task``."""

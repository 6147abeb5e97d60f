"""What an inpainter is asked of an image, and what is counted of its filling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from baselines.inpainting.checks import checked_fill
from baselines.protocols import Image, Inpainter, Mask, MethodError
from baselines.trained import needs_torch
from craqbench.annotations import Annotated, Item
from craqbench.codecs import encode_image
from craqbench.errors import AnnotationError, UsageError
from craqbench.evaluation_methods import make_inpainter
from craqbench.evaluation_records import FILLINGS, Record, digest_of_answer
from craqbench.evaluation_task import Job, Timed
from craqbench.metrics import REGIONS, region_of
from craqbench.metrics.filling import filling_counts

if TYPE_CHECKING:
    from baselines.lpips import Lpips

__all__ = ["InpaintingJob", "TimedInpainter", "dilated", "open_lpips"]

_SQUARE = np.ones((3, 3), np.uint8)


class TimedInpainter(Timed[Inpainter]):
    """An inpainter, and how long its last call took."""

    def fill(self, image: Image, mask: Mask) -> Image:
        """Return the inpainter's filling."""
        return self.timed(self.method.fill, image, mask)


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintingJob(Job[Inpainter]):
    """One inpainter on one set.

    Attributes
    ----------
    dilations
        How often the mask is dilated for the inpainter; it is scored on the mask as it is.
    lpips
        Folder of the weights of LPIPS; None where it is not measured.
    """

    dilations: int = 0
    lpips: Path | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is kept of each image, by folder."""
        return (FILLINGS,)

    def make(self, device: str) -> TimedInpainter:
        """Make the inpainter."""
        return TimedInpainter(make_inpainter(self.method, device))

    def do(
        self, method: Timed[Inpainter], item: Item, annotated: Annotated
    ) -> tuple[Record, Mapping[str, bytes]]:
        """Fill; see `craqbench.evaluation_task.Job`. Any class but the background is damage."""
        undamaged = annotated.undamaged
        if undamaged is None:
            raise AnnotationError(f"image {item.id!r} is not known without its damage: expected it to be")
        mask = dilated(annotated.damage, self.dilations)
        if mask.all():
            problem = (
                f"the mask, dilated {self.dilations} times, covers all of it: nothing is left to fill from"
            )
            raise MethodError(method.name, item.id, problem)
        filled = checked_fill(cast("TimedInpainter", method), annotated.image, mask, item.id)
        distances = (
            None if self.lpips is None else _distances(self.lpips, filled, undamaged, annotated.damage)
        )
        counts = filling_counts(filled, undamaged, annotated.image, annotated.damage, distances=distances)
        record = {
            "errors": counts.errors.tolist(),
            "means": counts.means.tolist(),
            "prediction_sha256": digest_of_answer(filled),
        }
        return record, {FILLINGS: encode_image(filled, "png")}


def dilated(mask: Mask, times: int) -> Mask:
    """Return (H, W) bool dilated so often by a square of 3 x 3 px."""
    if not times:
        return mask
    return np.asarray(cv2.dilate(mask.view(np.uint8), _SQUARE, iterations=times), np.uint8) > 0


def open_lpips(folder: Path) -> Lpips:
    """Load the weights of LPIPS, once in a process.

    Raises
    ------
    UsageError
        If they are not in the folder, or torch is not installed.
    """
    try:
        with needs_torch("lpips"):
            found: Lpips = import_module("baselines.lpips").load_lpips(folder)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return found


def _distances(folder: Path, filled: Image, undamaged: Image, mask: Mask) -> list[float]:
    regions = [None if name == "whole" else region_of(mask, name) for name in REGIONS]
    return open_lpips(folder).distances(filled, undamaged, regions)

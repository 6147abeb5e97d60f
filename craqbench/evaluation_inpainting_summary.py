"""From the records of an inpainter's images to its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craqbench.annotations import AnnotatedSet, Item
from craqbench.evaluation_records import Record
from craqbench.evaluation_summary import (
    RESULT_POLICIES,
    Facts,
    Times,
    common_fields,
    groups,
    image_fields,
    painting_fields,
    records_of,
    with_intervals,
)
from craqbench.metrics import RING, SKELETONISER
from craqbench.metrics.filling import HIGHEST_PSNR
from craqbench.result_counts import rows_of
from craqbench.results import (
    Failure,
    Fillings,
    ImageFillings,
    InpaintingResult,
    PaintingFillings,
    Score,
    filling_tables,
)

__all__ = ["InpaintingFacts"]

INPAINTING_POLICIES = {
    **RESULT_POLICIES,
    "averaging": "MAE and PSNR of errors added over the set; SSIM, VIF, LPIPS, entropy and mean_psnr are "
    "means over pictures; pictures without damage count for nothing",
    "crack width": f"twice the distance to the edge at the nearest px of the centre line; {SKELETONISER}",
    "mask": "any class but the background",
    "PSNR": f"of R, G and B, at most {HIGHEST_PSNR:g} dB, which equal pictures have",
    "ring": f"px outside the mask within {RING:g} px of it",
    "SSIM": "11 px Gaussian window, mean over channels; px within 5 px of the frame left out",
    "VIF": "of luminance, in the pixel domain at four scales",
}
"""What goes into every result of an inpainter."""

LPIPS = {"LPIPS": "AlexNet, version 0.1; on mask and ring the mean there of its map, enlarged linearly"}
"""What goes into results that have it."""

NO_LPIPS = {"LPIPS not measured": "no weights were given: --lpips DIR takes them"}
"""What goes into the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintingFacts(Facts[InpaintingResult]):
    """What an inpainter's result says that is not counted."""

    dilations: int
    lpips: bool = False

    @property
    def policies(self) -> dict[str, str]:
        """What was decided where definitions differ."""
        return {**INPAINTING_POLICIES, **(LPIPS if self.lpips else NO_LPIPS)}

    def choices(self) -> dict[str, Any]:
        """Return what else the counts of an image depend on, as JSON types."""
        return {"task": "inpainting", "dilations": self.dilations}

    def summarise(
        self, annotated: AnnotatedSet, folder: Path, failures: Sequence[Failure]
    ) -> InpaintingResult:
        """Read the records of a folder and return the result, see `Facts.summarise`."""
        times, images = Times(), list[ImageFillings]()
        for item, record in records_of(annotated, folder, failures):
            times.add(record)
            images.append(_image(item, record))
        complete = not failures
        return InpaintingResult(
            **common_fields(self, times, images, failures),
            task="inpainting",
            dilations=self.dilations,
            scores=_scores(images) if complete else {},
            groups=groups(images, _scores) if complete else {},
            paintings=_paintings(images),
            images=tuple(images),
        )


def _image(item: Item, record: Record) -> ImageFillings:
    counts = Fillings(errors=rows_of(record["errors"]), means=rows_of(record["means"]))
    return ImageFillings(**image_fields(item, record), counts=counts)


def _paintings(images: Sequence[ImageFillings]) -> tuple[PaintingFillings, ...]:
    return tuple(PaintingFillings(**fields) for fields in painting_fields(images))


def _scores(images: Sequence[ImageFillings]) -> dict[str, Score]:
    return with_intervals(filling_tables([one.counts for one in _paintings(images)]), ())

"""How a painting is to be restored: what finds the cracks, what fills them, and how that is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.protocols import Detector, Inpainter, Method
from baselines.registry import INPAINTERS
from craqbench.errors import UsageError
from craqbench.evaluation_methods import (
    MethodSpec,
    describe_method,
    make_detector,
    make_inpainter,
    parse_method,
)

__all__ = ["MOST_DILATIONS", "Settings", "Tools", "make_tools"]

MOST_DILATIONS = 64


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was asked for.

    Attributes
    ----------
    method
        What finds the cracks, as ``craqbench detect`` takes it; not used where a mask is given.
    mask
        A picture of what to fill, or a folder of such; in place of a method.
    fill
        What fills the cracks: a name of `baselines.registry.INPAINTERS`, with its settings.
    dilate
        How often the mask is dilated by a 3 x 3 square; None for once where it is found, and not at all where
        it is given.
    threshold
        In place of the method's own.
    device
        For methods and fillers that have such a setting.
    pyramid
        Whether a pyramidal, tiled TIFF file is written, whatever the format of the input.
    lossless
        Whether a TIFF file is written in place of a JPEG file, which changes every px when it is saved again.
    """

    method: str = "craqnet"
    mask: Path | None = None
    fill: str = "diffusion"
    dilate: int | None = None
    threshold: float | None = None
    device: str = "auto"
    pyramid: bool = False
    lossless: bool = False

    @property
    def dilations(self) -> int:
        """How often the mask is dilated."""
        return int(self.mask is None) if self.dilate is None else self.dilate


@dataclass(frozen=True)
class Tools:
    """What finds and fills, ready for use.

    Attributes
    ----------
    detector
        None where masks are given.
    threshold
        From which score on a px is a crack.
    told
        All that the result depends on beside the input and a given mask, as JSON has it.
    labels
        "found by" and "filled by" -> name, settings and version, for people.
    """

    detector: Detector | None
    filler: Inpainter
    threshold: float
    told: Mapping[str, Any]
    labels: Mapping[str, str]


def make_tools(settings: Settings) -> Tools:
    """Make what finds and fills.

    Raises
    ------
    UsageError
        If there is none of that name, a setting of it cannot be used, or what was asked for is at odds.
    """
    _check(settings)
    filling = parse_method(settings.fill, INPAINTERS)
    try:
        filler = make_inpainter(filling, settings.device)
        finding = None if settings.mask else parse_method(settings.method)
        detector = make_detector(finding, settings.device) if finding else None
    except ValueError as error:
        raise UsageError(str(error)) from error
    told: dict[str, Any] = {"fill": _described(filling, filler)}
    threshold = 0.0
    if finding and detector:
        threshold = float(detector.threshold) if settings.threshold is None else settings.threshold
        told |= {"find": _described(finding, detector), "threshold": threshold}
    told |= {"dilations": settings.dilations, "pyramid": settings.pyramid, "lossless": settings.lossless}
    labels = {
        "found by": f"{told['find']['label']}, version {told['find']['version']}" if detector else "",
        "filled by": f"{told['fill']['label']}, version {told['fill']['version']}",
    }
    return Tools(detector, filler, threshold, told, labels)


def _check(settings: Settings) -> None:
    if settings.threshold is not None and not 0 <= settings.threshold <= 1:
        raise UsageError(f"threshold {settings.threshold:g}: expected a number from 0 to 1")
    if settings.mask and settings.threshold is not None:
        raise UsageError("a mask and a threshold: expected one of them; a given mask is taken as it is")
    if not 0 <= settings.dilations <= MOST_DILATIONS:
        raise UsageError(f"{settings.dilations} dilations: expected a number from 0 to {MOST_DILATIONS}")


def _described(spec: MethodSpec, method: Method) -> dict[str, Any]:
    """Return what a sidecar tells of a method."""
    return describe_method(spec, method).model_dump(mode="json", exclude={"kind"})

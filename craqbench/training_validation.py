"""Validation on synthetic pictures that are never trained on.

Of what finds cracks: their IoU, and the best threshold. Of what fills them: MAE and PSNR in the mask, beside
those of `PEERS` on the same pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from baselines.registry import get_inpainter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.protocols import Inpainter
    from baselines.training import Batch, Trainer

__all__ = [
    "LEVELS",
    "PEERS",
    "Filled",
    "Peers",
    "Validated",
    "best_threshold",
    "fillings",
    "peers",
    "validate",
    "validate_filling",
]

Pictures = npt.NDArray[np.uint8]

Peers = dict[str, dict[str, float]]
"""MAE and PSNR of inpainters, by name; as for `Filled`."""

PEERS = ("telea", "diffusion")
"""Inpainters that need no training, beside which others are shown."""

LEVELS = 256
"""Thresholds that are tried: multiples of 1 / LEVELS."""


class Validated(NamedTuple):
    """Figures of the crack class over all pictures together.

    Attributes
    ----------
    loss
        Mean over the batches.
    iou, f1, threshold
        At the threshold that gives the best F1 (and with it the best IoU).
    """

    loss: float
    iou: float
    f1: float
    threshold: float

    @property
    def merit(self) -> float:
        """The higher, the better."""
        return self.iou

    def __str__(self) -> str:
        return f"IoU {self.iou:.3f}"


class Filled(NamedTuple):
    """Figures of fillings, over all px in the masks of all pictures together.

    Attributes
    ----------
    loss
        Mean over the batches.
    mae
        Mean absolute difference from the undamaged picture, of 255.
    psnr
        Peak signal-to-noise ratio, dB: 10 log10(255^2 / mean squared difference); 108 if nothing differs.
    """

    loss: float
    mae: float
    psnr: float

    @property
    def merit(self) -> float:
        """The higher, the better."""
        return -self.mae

    def __str__(self) -> str:
        return f"MAE {self.mae:.2f}"


def validate(trainer: Trainer, batches: list[Batch]) -> Validated:
    """Score the averaged network."""
    cracks, others, losses = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64), []
    for batch in batches:
        probabilities, loss = trainer.predict(batch)
        losses.append(loss)
        levels = np.minimum((probabilities[:, 1] * LEVELS).astype(np.int64), LEVELS - 1)
        is_crack = batch.labels == 1
        cracks += np.bincount(levels[is_crack], minlength=LEVELS)
        others += np.bincount(levels[(batch.labels != 1) & (batch.labels != 255)], minlength=LEVELS)
    iou, f1, threshold = best_threshold(cracks, others)
    return Validated(float(np.mean(losses)), iou, f1, threshold)


def best_threshold(
    cracks: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return IoU, F1 and the threshold that gives the best F1, the middle one of several.

    Parameters
    ----------
    cracks, others
        (LEVELS,) int64: px of the crack class, and of all others, by score in multiples of 1 / LEVELS.

    Examples
    --------
    >>> cracks, others = np.zeros(256, np.int64), np.zeros(256, np.int64)
    >>> cracks[200], others[10] = 90, 910
    >>> best_threshold(cracks, others)
    (1.0, 1.0, 0.41015625)
    """
    hits = cracks[::-1].cumsum()[::-1]
    false = others[::-1].cumsum()[::-1]
    f1 = 2 * hits / np.maximum(1, hits + false + cracks.sum())
    best = np.flatnonzero(f1 >= f1[1:].max())
    best = best[best > 0]
    level = int(best[len(best) // 2])
    iou = hits[level] / max(1, false[level] + int(cracks.sum()))
    return float(iou), float(f1[level]), level / LEVELS


def validate_filling(trainer: Trainer, batches: Sequence[Batch]) -> Filled:
    """Score the fillings of the averaged network, rounded as a picture is."""
    filled, losses = list[Pictures](), []
    for batch in batches:
        found, loss = trainer.predict(batch)
        filled.append(fillings(batch, found))
        losses.append(loss)
    return Filled(float(np.mean(losses)), *_scored(batches, filled))


def fillings(batch: Batch, found: npt.NDArray[np.float32]) -> Pictures:
    """Return the damaged pictures of a batch, with what was found where they are masked.

    Parameters
    ----------
    batch
        Of N pictures to be filled.
    found
        (N, 3, H, W) float32 in [0, 1].

    Returns
    -------
    (N, H, W, 3) uint8 RGB.
    """
    rounded = np.rint(found.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    return np.where(_masks(batch)[..., None], rounded, batch.images)


def peers(batches: Sequence[Batch]) -> Peers:
    """Return MAE and PSNR of `PEERS` on the same pictures.

    A picture that is masked all over, of which nothing is known, stays as it is.
    """
    found: Peers = {}
    for name in PEERS:
        mae, psnr = _scored(batches, [_filled_by(get_inpainter(name), batch) for batch in batches])
        found[name] = {"mae": mae, "psnr": psnr}
    return found


def _filled_by(inpainter: Inpainter, batch: Batch) -> Pictures:
    pairs = zip(batch.images, _masks(batch), strict=True)
    return np.stack([image if mask.all() else inpainter.fill(image, mask) for image, mask in pairs])


def _scored(batches: Sequence[Batch], filled: Sequence[Pictures]) -> tuple[float, float]:
    """Return MAE and PSNR in the masks."""
    pairs = zip(batches, filled, strict=True)
    errors = np.concatenate(
        [(pictures.astype(np.int64) - batch.labels)[_masks(batch)] for batch, pictures in pairs]
    )
    values = max(1, errors.size)  # nothing may be masked anywhere
    square = max(1e-6, np.square(errors).sum() / values)
    return float(np.abs(errors).sum() / values), float(10 * np.log10(255**2 / square))


def _masks(batch: Batch) -> npt.NDArray[np.bool_]:
    """Return (N, H, W) bool."""
    if batch.hints is None:
        raise ValueError("a batch without masks: expected hints")
    return batch.hints > 0

"""The anisotropic diffusion of "Synthetic Craquelure Generation" (arXiv 2602.12742, paper A), section III-C.

In each step a masked px changes by rate * the sum, over its neighbours N, S, W, E, of D / (1 + (D / K)^2),
where D is what the neighbour has more, K is `sensitivity` and rate the paper's lambda (eq. 5). All px of a
step change together; px outside the mask never do. Channels are treated alike and independently.

Where the paper is silent:

- *What it starts from* in the mask: `start`. From the damaged values, 20 steps leave a shadow of the crack
  where the mask is wider than some 4 px; on real close-ups it is seen as soon as the mask is dilated. On 20
  paintings with cracks of the recipe `paper`, PSNR on the mask is 30.1 dB from `mtm` and 22.5 dB from the
  damage; with those of `dutch` and the mask dilated once, 28.8 and 26.7 dB. Hence "mtm"; "damaged" is eq. 5
  alone.
- *Beyond the frame* there is no neighbour: nothing flows.
- Values are kept as real numbers from step to step, and rounded once, at the end. As ``rate <= 1 / 4``, no
  value leaves the range of its neighbours.
- *A mask of the whole picture* is an error, as for all our inpainters, though the equation could be iterated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from baselines.inpainting.checks import Values, painted
from baselines.inpainting.mtm import PAPER_CARD, trimmed_means
from baselines.inpainting.surroundings import Rows, survey
from baselines.protocols import Card, Image, Mask, checked_image
from baselines.settings import between, check, one_of

__all__ = ["Diffusion"]

_BATCH = 8192
"""So many px at once: what is computed of them stays in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """Paper A's anisotropic diffusion.

    Attributes
    ----------
    steps
        How often eq. 5 is applied.
    rate
        Share of a difference that flows in a step, where nothing holds it up. Above 1/4 it is not stable.
    sensitivity
        In levels of 255: differences above it are taken for edges, across which little flows.
    start
        What the mask is filled with first: "mtm", or "damaged", the values that are there.
    """

    name: ClassVar[str] = "diffusion"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = PAPER_CARD

    steps: int = field(default=20, metadata=between(0, 100_000))
    rate: float = field(default=0.25, metadata=between(0.001, 0.25))
    sensitivity: float = field(default=127.0, metadata=between(0.1, 1e6))
    start: str = field(default="mtm", metadata=one_of("mtm", "damaged"))

    def __post_init__(self) -> None:
        """Check all settings."""
        check(self)

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill (H, W, 3) uint8 RGB where (H, W) bool is True; errors as for `values`."""
        return painted(checked_image(image), mask, self.values(image, mask))

    def values(self, image: Image | Values, mask: Mask) -> Values:
        """Return the values of the masked px before rounding: (n, 3) float64, in raster order.

        The image may be real, too: (H, W, 3) float64, 0-255, for pictures of more than 8 bits.

        Raises
        ------
        ValueError
            If `image` or `mask` is none, or the mask covers all of the image.
        """
        table = survey(image, mask)
        # In units of the sensitivity the equation has no constant but the rate.
        state = np.divide(table.colours.T, self.sensitivity, order="C")
        inside = state[:, : table.neighbours.shape[1]]
        if self.start == "mtm":
            inside[:] = trimmed_means(table).T / self.sensitivity
        batches = _batches(table.neighbours[:4])
        for channel in state:
            _diffuse(channel, batches, self.steps, self.rate)
        return inside.T * self.sensitivity


def _batches(neighbours: Rows) -> list[Rows]:
    """Divide (4, n) rows into pieces of (4, up to `_BATCH`), which fit in a processor's cache."""
    starts = range(0, neighbours.shape[1], _BATCH)
    return [np.ascontiguousarray(neighbours[:, start : start + _BATCH]) for start in starts]


def _diffuse(channel: npt.NDArray[np.float64], batches: list[Rows], steps: int, rate: float) -> None:
    """Apply eq. 5 in place to the first n values, those that have neighbours."""
    flow = np.empty(sum(rows.shape[1] for rows in batches))
    inside = channel[: len(flow)]
    scratch = np.empty((2, 4 * _BATCH))
    for _ in range(steps):
        start = 0
        for rows in batches:
            part = slice(start, start := start + rows.shape[1])
            d, c = (buffer[: rows.size].reshape(rows.shape) for buffer in scratch)
            channel.take(rows, out=d, mode="clip")
            d -= inside[part]
            np.square(d, out=c)
            c += 1
            np.divide(d, c, out=d)
            d.sum(axis=0, out=flow[part])
        flow *= rate
        inside += flow

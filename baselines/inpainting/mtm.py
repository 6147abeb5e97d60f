"""The modified trimmed mean of "Synthetic Craquelure Generation" (arXiv 2602.12742, paper A), section III-C.

Each masked px becomes the mean of the known px among its 8 neighbours; px without any wait. Then what was
filled is known, and the next ring inwards follows, until no px is left. All px of a ring are filled from what
was known before that ring. Channels are filled alike and independently.

Where the paper is silent: what lies beyond the frame is not known; values are kept as real numbers from ring
to ring, and rounded once, at the end. Nothing is trimmed but the cracks: "modified" is the paper's word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.inpainting.checks import Values, painted
from baselines.inpainting.surroundings import Rows, Surroundings, survey
from baselines.protocols import Card, Image, Mask, checked_image

__all__ = ["PAPER_CARD", "Mtm", "trimmed_means"]

PAPER_CARD = Card(
    training_data="none: parameters as published",
    licence="Apache-2.0",
    reference="Synthetic Craquelure Generation for Unsupervised Painting Restoration, section III-C, "
    "https://arxiv.org/abs/2602.12742",
)


@dataclass(frozen=True, kw_only=True)
class Mtm:
    """Paper A's mean of what is known, ring by ring. It has no settings."""

    name: ClassVar[str] = "mtm"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = PAPER_CARD

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
        return trimmed_means(survey(image, mask))


def trimmed_means(table: Surroundings) -> Values:
    """Return the values of the masked px of a table: (n, 3) float64."""
    n = table.neighbours.shape[1]
    # Colour and weight of each px, 0 as long as it is not known: then sums are sums over what is known.
    state = np.ones((len(table.colours), 4))
    state[:, :3] = table.colours
    state[:n] = 0
    for ring in _rings(table.neighbours, len(state)):
        sums = np.zeros((len(ring), 4))
        for rows in table.neighbours:
            sums += state.take(rows.take(ring), axis=0)  # rows of 32 bytes: much faster than columns
        state[ring] = sums / sums[:, 3:]
    return state[:n, :3]


def _rings(neighbours: Rows, m: int) -> Iterator[Rows]:
    """Yield the rows of the masked px that have known neighbours, then of their neighbours, and so on."""
    n = neighbours.shape[1]
    waiting, reached = np.ones(n, np.bool_), np.zeros(m, np.bool_)
    ring = np.flatnonzero((neighbours >= n).any(axis=0))
    while ring.size:
        yield ring
        waiting[ring] = False
        reached[neighbours.take(ring, axis=1)] = True
        ring = np.flatnonzero(reached[:n] & waiting)

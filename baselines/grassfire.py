"""Top-hat, then region growing, after Giakoumis, Nikolaidis and Pitas, IEEE TIP 15(1), 2006, pp. 178-188.

There, a user thresholds the top-hat of a digitised painting by eye and then marks at least one pixel (seed)
on each connected piece of crack; a grassfire spreads from the seeds over the 8-neighbours that are above the
threshold, and what it does not reach was a brush stroke. Here nobody is asked:

- *Polarity*. A user works on the picture, or on its negative where the cracks are light. "auto" takes the
  top-hat, black or white, with the larger sum of cubes: strong, sparse lines count, the many faint responses
  of noise do not.
- *Threshold*, by eye there: `level` of 255, of the response stretched in each picture (see
  `baselines.tophat`).
- *Seeds*, by hand there: all pixels with a response above `seed_level`, paper A's threshold.
- *Which pieces are cracks*, the user's knowledge there: those whose bounding box has a diagonal of at least
  `extent` px. Cracks are long and connected, most of what else is thin is not. There is nothing like the
  eye of the user here: a long dark brush stroke is kept.
- Not taken over: the separation by hue and saturation (a neural network, trained on one's own examples).

`level` and `extent` were chosen on 137 triplets of the recipe `mixed`, `seed_level` is the middle of a
plateau there; no annotated real picture was used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.components import survivors
from baselines.protocols import Card, Image, Scores
from baselines.settings import between, check, one_of
from baselines.tophat import ELEMENTS, Levels, as_score, as_scores, luminance, response, stretched

__all__ = ["Grassfire", "stronger_polarity"]


@dataclass(frozen=True, kw_only=True)
class Grassfire:
    """Region growing on the top-hat from seeds that are chosen by rule.

    Attributes
    ----------
    polarity
        Which cracks: "dark", "light", "both", or the stronger of the two in each picture, "auto".
    element
        Structuring element, "disk" or "square", see `baselines.tophat.ELEMENTS`.
    level
        Of 255: the fire spreads over responses above it.
    seed_level
        Of 255, at least `level`: responses above it are seeds.
    extent
        In px: burnt pieces with a shorter diagonal are no cracks.

    Notes
    -----
    Scores are the stretched responses in 255ths; what does not burn scores below the threshold.
    """

    name: ClassVar[str] = "grassfire"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = Card(
        training_data="synthetic only: two thresholds chosen on 137 triplets of the recipe 'mixed'",
        licence="Apache-2.0",
        reference="after Giakoumis, Nikolaidis and Pitas, Digital Image Processing Techniques for the "
        "Detection and Removal of Cracks in Digitized Paintings, IEEE TIP 15(1), 2006, "
        "https://doi.org/10.1109/TIP.2005.860311; seeds chosen by rule, not by hand",
    )

    polarity: str = field(default="auto", metadata=one_of("auto", "dark", "light", "both"))
    element: str = field(default="disk", metadata=one_of(*ELEMENTS))
    level: int = field(default=50, metadata=between(0, 254))
    seed_level: int = field(default=75, metadata=between(0, 254))
    extent: float = field(default=20.0, metadata=between(0, 1_000_000))

    def __post_init__(self) -> None:
        """Check all settings."""
        check(self)
        if self.seed_level < self.level:
            raise ValueError(
                f"setting 'seed_level' of method {self.name!r} is {self.seed_level}: "
                f"expected at least 'level', {self.level}"
            )

    @property
    def threshold(self) -> float:
        """The score of the smallest response above `level`."""
        return as_score(self.level + 1)

    def predict(self, image: Image) -> Scores:
        """Return the responses, lowered where no fire came: (H, W, 3) uint8 RGB to (H, W) float32."""
        levels = self._levels(luminance(image))
        candidates = levels > self.level
        burnt = survivors(candidates, extent=self.extent, seeds=levels > self.seed_level)
        levels[candidates & ~burnt] = self.level
        return as_scores(levels)

    def _levels(self, grey: Levels) -> Levels:
        if self.polarity != "auto":
            return stretched(response(grey, self.polarity, self.element))
        dark, light = (response(grey, polarity, self.element) for polarity in ("dark", "light"))
        return stretched(dark if stronger_polarity(dark, light) == "dark" else light)


def stronger_polarity(dark: Levels, light: Levels) -> str:
    """Return the polarity, "dark" or "light", whose responses (uint8) have the larger sum of cubes."""
    cubes = np.arange(256, dtype=np.int64) ** 3
    sums = [int(np.bincount(levels.ravel(), minlength=256) @ cubes) for levels in (dark, light)]
    return "dark" if sums[0] >= sums[1] else "light"

"""Table I, Fig. 5 and Fig. 6 of "Synthetic Craquelure Generation" (arXiv 2602.12742, paper A) on any picture.

The paper measured on paintings that it does not publish, on a machine that it does not name. What it found
there is kept in `PUBLISHED`; what it does not tell in numbers is None. Here the same is measured on one's own
pictures: how long the fillers take after either structuring element (Table I), how far the entropy of
luminance falls when black cracks are removed, or black and white ones (Fig. 5), and what becomes of a picture
when the mask is dilated once, twice, three times (Fig. 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from baselines.inpainting.diffusion import Diffusion
from baselines.inpainting.mtm import Mtm
from baselines.protocols import Image, Inpainter, Mask
from baselines.tophat import ELEMENTS, TopHat
from craqbench.metrics import entropy

__all__ = [
    "DILATIONS",
    "FILLERS",
    "PUBLISHED",
    "REMOVALS",
    "SOURCE",
    "Filled",
    "Measured",
    "Timed",
    "measure",
]

SOURCE = "Synthetic Craquelure Generation for Unsupervised Painting Restoration, arXiv 2602.12742"

FILLERS: Mapping[str, Inpainter] = {
    "MTM": Mtm(),
    "AD": Diffusion(start="damaged"),
    "AD from MTM": Diffusion(),
}
"""The paper's two, and ours of the second: eq. 5 alone leaves a shadow of the crack where it starts from."""

REMOVALS: Mapping[str, str] = {"BCR": "dark", "B+WCR": "both"}
"""Of Fig. 5: black crack removal, and black and white, and the polarity that finds these."""

DILATIONS = (1, 2, 3)
"""Of Fig. 6."""

PUBLISHED: Mapping[tuple[str, str], float] = {
    ("MTM", "square"): 3.2565,
    ("MTM", "disk"): 3.2378,
    ("AD", "square"): 3.2015,
    ("AD", "disk"): 2.4548,
}
"""Table I: (filler, structuring element) -> seconds, of a picture and on a machine that are not told."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A row of Table I.

    Attributes
    ----------
    share
        Of the picture's px that are filled.
    detection, filling
        Seconds, the least of all turns: other work on the machine only adds. `filling` is None where the
        mask covers all of the picture.
    published
        Seconds in the paper; None where it has no such row.
    """

    filler: str
    element: str
    share: float
    detection: float
    filling: float | None
    published: float | None

    @property
    def ratio(self) -> float | None:
        """How many times the published seconds ours are contained in."""
        return None if self.published is None or not self.filling else self.published / self.filling


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A picture with its cracks filled, of Fig. 5 or Fig. 6.

    Attributes
    ----------
    removal, dilations
        Which cracks, and how often their mask was dilated.
    share
        Of the picture's px that are filled.
    entropy
        Of luminance, in bits; None where the mask covers all of the picture.
    picture
        (H, W, 3) uint8 RGB; None likewise.
    """

    filler: str
    removal: str
    dilations: int
    share: float
    entropy: float | None
    picture: Image | None


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured of a picture.

    Attributes
    ----------
    name
        Of its file.
    image
        (H, W, 3) uint8 RGB.
    mask
        (H, W) bool: the dark cracks, dilated once.
    entropy
        Of luminance, in bits, before anything was filled.
    times
        Table I.
    removals, dilated
        Fig. 5 and Fig. 6.
    """

    name: str
    image: Image
    mask: Mask
    entropy: float
    times: tuple[Timed, ...]
    removals: tuple[Filled, ...]
    dilated: tuple[Filled, ...]


def measure(path: Path, image: Image, repeats: int) -> Measured:
    """Measure a picture.

    Parameters
    ----------
    path
        Names it.
    image
        (H, W, 3) uint8 RGB.
    repeats
        How often each time is taken, in turns, 1 or more.
    """
    return Measured(
        name=path.name,
        image=image,
        mask=_mask(image, TopHat()),
        entropy=entropy(image),
        times=tuple(_times(image, repeats)),
        removals=tuple(_filled(image, filler, removal, 1) for removal in REMOVALS for filler in FILLERS),
        dilated=tuple(_filled(image, filler, "BCR", times) for filler in FILLERS for times in DILATIONS),
    )


def _mask(image: Image, detector: TopHat) -> Mask:
    return np.asarray(detector.predict(image) >= detector.threshold, np.bool_)


def _filled(image: Image, filler: str, removal: str, dilations: int) -> Filled:
    """Fill after the paper's disk."""
    mask = _mask(image, TopHat(polarity=REMOVALS[removal], dilations=dilations))
    share = float(mask.mean())
    if mask.all():
        return Filled(filler, removal, dilations, share, None, None)
    picture = FILLERS[filler].fill(image, mask)
    return Filled(filler, removal, dilations, share, entropy(picture), picture)


def _times(image: Image, repeats: int) -> Sequence[Timed]:
    """Time all in turns, so that what else the machine does falls on all of them."""
    masks = {element: _mask(image, TopHat(element=element)) for element in ELEMENTS}
    detecting: dict[str, list[float]] = {element: [] for element in ELEMENTS}
    filling: dict[tuple[str, str], list[float]] = {(f, e): [] for f in FILLERS for e in ELEMENTS}
    for _ in range(repeats):
        for element, mask in masks.items():
            start = perf_counter()
            TopHat(element=element).predict(image)
            detecting[element].append(perf_counter() - start)
            for filler, inpainter in FILLERS.items() if not mask.all() else ():
                start = perf_counter()
                inpainter.fill(image, mask)
                filling[filler, element].append(perf_counter() - start)
    return [
        Timed(
            filler=filler,
            element=element,
            share=float(masks[element].mean()),
            detection=min(detecting[element]),
            filling=min(taken) if taken else None,
            published=PUBLISHED.get((filler, element)),
        )
        for (filler, element), taken in filling.items()
    ]

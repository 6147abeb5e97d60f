"""Clean paintings that never existed, the source of paintings that is always at hand.

A canvas is composed (a landscape, a portrait, a still life, ... in historical pigments, at a coarse
raster), then painted stroke by stroke from coarse to fine, lit from the upper left over its weave or
panel, and varnished. No crack is on it, and nothing that should be taken for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from generators.painter.brushwork import painted, photograph, touch, varnish
from generators.painter.outdoors import landscape, open_ground, seascape
from generators.painter.rooms import church, drapery, interior, passage
from generators.painter.saints import dark_ground, gold_ground, saints
from generators.painter.sitters import portrait
from generators.painter.sketch import Sketch, chance, pick
from generators.painter.tables import flowers, still_life
from generators.portability import plain_opencv
from generators.triplets import Image, Size, random_stream

CANVAS_VERSION = 1
"""Goes up whenever a canvas changes for the same random stream and size."""

SMALLEST = 64
"""Shortest side of a canvas in px."""


@dataclass(frozen=True, slots=True)
class Genre:
    """A kind of composition.

    Attributes
    ----------
    compose
        Lays it on an empty sketch.
    weight
        How often it is drawn, by the others.
    brush
        Width of its broadest strokes, by the others.
    close
        How often it is a detail seen from close by.
    """

    compose: Callable[[Sketch], None]
    weight: int
    brush: float
    close: float = 0.0


def figures(s: Sketch) -> None:
    """Saints on gold, in the open or in the dark."""
    saints(s, pick(s.rng, (gold_ground, gold_ground, open_ground, dark_ground)))


GENRES = (
    Genre(landscape, 7, 0.8, 0.1),
    Genre(seascape, 4, 0.85),
    Genre(portrait, 6, 0.8, 0.25),
    Genre(figures, 2, 0.75, 0.3),
    Genre(still_life, 5, 0.8, 0.5),
    Genre(flowers, 3, 0.8, 0.3),
    Genre(interior, 2, 0.65),
    Genre(church, 1, 0.55),
    Genre(drapery, 2, 1.2, 0.3),
    Genre(passage, 2, 1.8),
)


@plain_opencv()
def canvas(size: Size, *, rng: np.random.Generator) -> Image:
    """Paint a canvas: a pure function of the random stream and the size.

    Parameters
    ----------
    size
        (width, height) in px, each at least `SMALLEST`.
    rng
        Drawn from; the same stream gives the same bytes.

    Returns
    -------
    (height, width, 3) uint8 RGB.

    Raises
    ------
    ValueError
        If a side is shorter than `SMALLEST`.
    """
    if min(size) < SMALLEST:
        raise ValueError(f"a canvas is at least {SMALLEST} x {SMALLEST} px: got {size[0]}x{size[1]}")
    genre = pick(rng, [genre for genre in GENRES for _ in range(genre.weight)])
    zoom = float(rng.uniform(1.1, 1.8) ** 2) if chance(rng, genre.close) else 1.0
    sketch = Sketch.blank(size, zoom, rng=rng)
    genre.compose(sketch)
    hand = touch(genre.brush * zoom**0.6, rng=rng)
    return photograph(painted(sketch, size, hand), varnish(sketch), hand, rng=rng)


def numbered_canvas(seed: int, index: int, size: Size) -> Image:
    """Paint canvas `index` of a seed: a pure function of its arguments, see `canvas`."""
    return canvas(size, rng=random_stream(seed, 0, index))

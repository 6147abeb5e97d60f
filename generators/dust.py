"""Nearly black paint photographed from near: light cracks are dust in a furrow, and all paint is dusty.

On dark paint a crack does not show by itself but by what lies in it: powdered varnish, dust, retouching. It
comes as beads and in stretches, grey here and ochre there; the same dust lies on the paint as fibres and
grains. Cameras lift what little light there is, and with it their own coloured noise. Drawn after some twenty
dark photographs of 17th-century oils (National Gallery of Art, Washington).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from generators import appearance, grounds
from generators.appearance import Look
from generators.grounds import Surface
from generators.parameters import log_uniform, uniform
from generators.portability import coarse
from generators.triplets import Image, Size

__all__ = ["Film", "dusty_look", "dusty_surface", "expose", "film", "scatter_fibres"]

_WIDEST = 4.5
"""Median width of the primaries at most, in px: what gapes lets the ground be seen, and is not dusty."""

Film = npt.NDArray[np.int16]
"""Noise of a camera in levels, (H, W, 3)."""


def dusty_surface(surface: Surface, rng: np.random.Generator) -> Surface:
    """Turn a surface into dark glaze: hardly a stroke is seen, but much that sparkles."""
    calm = uniform((0.0, 0.5), rng)
    return replace(
        surface,
        strokes=surface.strokes * calm,
        weave=surface.weave * calm,
        blotches=surface.blotches * uniform((0.3, 1.2), rng),
        stain=surface.stain * uniform((0.5, 2.0), rng),
        hairs=0,
        grain=log_uniform((0.5, 6), rng),
        coarse_grain=log_uniform((0.5, 8), rng),
        salt=log_uniform((1, 16), rng),
        crumbs=0,
        specks=int(log_uniform((10, 400), rng)),
        speck_contrast=uniform((30, 110), rng) * float(rng.choice([-0.4, 1.0, 1.0])),
    )


def dusty_look(look: Look, rng: np.random.Generator) -> Look:
    """Turn light cracks into furrows with dust in them: faint to bright, beaded, of changing hue."""
    level, warmth = log_uniform((22, 170), rng), uniform((-0.1, 0.9), rng)
    return replace(
        look,
        width=min(look.width * uniform((1.0, 1.6), rng), _WIDEST),
        light=(level * (1 + warmth * 0.4), level, level * (1 - warmth * 0.7)),
        flip=255.0,
        strength=uniform((0.3, 0.75), rng),
        strength_decay=uniform((0.75, 1.0), rng),
        lift=0.0,
        grain=uniform((0.2, 1.0), rng),
        beads=uniform((0.2, 1.2), rng),
        tint=uniform((0.0, 0.6), rng) if rng.random() < 0.6 else 0.0,
    )


def scatter_fibres(image: Image, look: Look, rng: np.random.Generator) -> Image:
    """Scatter short bent fibres of the dust that lies in the cracks. (H, W, 3) uint8 RGB in and out."""
    height, width = image.shape[:2]
    fibres = Surface(
        direction=uniform((0, np.pi), rng),
        crumbs=int(log_uniform((30, 2500), rng) * height * width / 256**2),
        crumb_length=log_uniform((2.5, 10), rng),
        crumb_contrast=uniform((12, 80), rng),
    )
    plane = np.full((height, width), 128, np.uint8)
    grounds.scatter_crumbs(plane, fibres, rng)
    softened = cv2.GaussianBlur(plane, (3, 3), coarse(uniform((0.4, 0.8), rng)))
    amount = np.maximum(softened, 128).astype(np.uint8) - np.uint8(128)
    return appearance.dust(image, amount, replace(look, beads=look.beads / 2), rng=rng)


def film(size: Size, rng: np.random.Generator) -> Film:
    """Draw a camera's noise: of single px and of grains of two, grey and, as strong or weaker, in colour."""
    level, colour = log_uniform((0.5, 4.5), rng), uniform((0.1, 1.0), rng)
    tables = [np.rint(part * grounds.NORMAL).astype(np.int16) for part in (level, level * colour)]
    fine, coloured = _grain(size, 1, 1, rng), _grain(size, 3, 2, rng)
    grey = cv2.LUT(fine, tables[0])
    return np.asarray(cv2.add(cv2.merge([grey] * 3), cv2.LUT(coloured, tables[1])), np.int16)


def _grain(size: Size, planes: int, side: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Random bytes in grains of `side` px, (H, W, planes)."""
    w, h = size
    drawn = rng.integers(0, 256, (-(-h // side), -(-w // side), planes), np.uint8)
    return drawn.repeat(side, axis=0).repeat(side, axis=1)[:h, :w]


def expose(image: Image, noise: Film) -> Image:
    """Add a camera's noise. (H, W, 3) uint8 in and out."""
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)

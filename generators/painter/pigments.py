"""Historical pigments as they look in a varnished oil film, and how to mix them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float64]
"""(h, w) float64."""

Colours = npt.NDArray[np.float32]
"""(..., 3) float32, sRGB, 0-255."""

Colour = tuple[float, float, float]
"""sRGB, 0-255."""

Tones = tuple[Colour, ...]
"""Colours of one material from shadow to light."""


def swatch(text: str) -> Tones:
    """Read colours from "rrggbb rrggbb ..."."""
    return tuple((float(c[0]), float(c[1]), float(c[2])) for c in map(bytes.fromhex, text.split()))


WHITE, CREAM, YELLOW = swatch("ebe3cf d6c49e d2ac50")
OCHRE, SIENNA, BURNT, UMBER = swatch("a87e44 8a5c34 683c28 463729")
BROWN, BLACK, GREY = swatch("32261d 171412 86827a")
VERMILION, LAKE, ROSE = swatch("a83e2c 622022 c8947c")
AZURITE, SMALT = swatch("486680 768696")
VERDIGRIS, EARTH_GREEN, OLIVE = swatch("345244 5c6242 444226")
GOLD, SHADOW = swatch("b48a42 281b15")

LINEN: Tones = swatch("686056 c4bcac f2ede0")
BLACK_CLOTH: Tones = swatch("100e0e 221f1e 4a4642")
BROWN_CLOTH: Tones = swatch("120e0c 34261c 684c34")
RED_CLOTH: Tones = swatch("281010 702622 b65c44")
BLUE_CLOTH: Tones = swatch("141a2c 2c3c60 7688a0")
GREEN_CLOTH: Tones = swatch("16201c 344c3e 788a6e")
YELLOW_CLOTH: Tones = swatch("3a2618 967040 d6b674")
WHITE_CLOTH: Tones = swatch("60584e b2a896 ebe3cf")
TAWNY_CLOTH: Tones = swatch("241b14 584432 927858")
VIOLET_CLOTH: Tones = swatch("28202a 564854 9e8c92")
DYED = (RED_CLOTH, BLUE_CLOTH, GREEN_CLOTH, YELLOW_CLOTH, WHITE_CLOTH, TAWNY_CLOTH, VIOLET_CLOTH)
CLOTHS = (*DYED, BLACK_CLOTH, BROWN_CLOTH)

SKINS: tuple[Tones, ...] = (
    swatch("281b15 704632 c49472 e2ba96 f4dcbe"),
    swatch("281b15 5c3828 aa7a5a cea27c e4c098"),
    swatch("281b15 7e5c4a d0aa8e e8ccb2 f6e6d0"),
    swatch("1a1310 462d22 886046 b48864 cea67e"),
)
GREY_HAIR: Tones = swatch("4a443c 8c867a ccc4b4")
HAIRS: tuple[Tones, ...] = (
    swatch("140f0d 30241c 5c4836"),
    swatch("281a11 604028 966c42"),
    swatch("4a341e 9c7642 d4b070"),
)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` is the second one's."""
    a, b, c = (p + (q - p) * share for p, q in zip(first, second, strict=True))
    return a, b, c


def unit(t: Any) -> Field:
    """Clip to [0, 1] (`numpy.clip` takes longer than the work on small arrays)."""
    return np.asarray(np.minimum(np.maximum(t, 0.0), 1.0), np.float64)


def ramp(t: Any, *tones: Colour) -> Colours:
    """(...) in [0, 1], clipped -> (..., 3): the tones in even steps from 0 to 1."""
    pigments = np.array(tones, np.float64)
    at = np.linspace(0, len(tones) - 1, 256)[:, None]
    low = np.minimum(at.astype(np.intp), len(tones) - 2)[:, 0]
    table = (pigments[low] + (pigments[low + 1] - pigments[low]) * (at - low[:, None])).astype(np.float32)
    return np.asarray(table.take((unit(t) * 255).astype(np.intp), 0), np.float32)


def smoothstep(low: Any, high: Any, t: Any) -> Field:
    """0 below `low`, 1 above `high`, smooth between (the other way round where `high` < `low`)."""
    s = unit((t - low) / (high - low))
    return s * s * (3 - 2 * s)

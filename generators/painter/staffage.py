"""Small figures and cattle."""

from __future__ import annotations

import numpy as np

from generators.painter.pigments import (
    BLACK,
    BROWN_CLOTH,
    CLOTHS,
    HAIRS,
    LINEN,
    SKINS,
    WHITE,
    Field,
    Tones,
    mix,
    swatch,
)
from generators.painter.sketch import Sketch, chance, outline, pick, placed, rounded

SKIRT = outline("-.07 -.58 .07 -.58 .14 -.35 .2 0 -.17 0 -.12 -.35")
APRON = outline("-.08 -.56 0 -.56 .03 -.12 -.12 -.12")
BODICE = outline("-.08 -.83 .07 -.83 .08 -.55 -.08 -.55")
HOOD = outline("-.05 -.98 .04 -1 .08 -.92 .06 -.82 -.03 -.82")
LEG = outline("-.035 -.35 .035 -.35 .02 -.05 .02 0 -.06 0 -.02 -.05")
BREECHES = outline("-.09 -.54 .09 -.54 .1 -.28 0 -.34 -.1 -.28")
CLOAK = outline("-.06 -.84 .08 -.84 .15 -.65 .15 -.42 -.07 -.46 -.1 -.68")
HAT = outline("-.065 -.94 -.05 -1.03 .05 -1.03 .065 -.94")
FACE = outline("-.06 -.93 .025 -.94 .03 -.84 -.045 -.84")
COLLAR = outline("-.07 -.85 .07 -.85 .08 -.8 0 -.77 -.08 -.8")
ARM = outline(".05 -.79 .11 -.76 .13 -.64 -.02 -.54 -.06 -.57 .04 -.66")


def person(s: Sketch, x: float, base: float, h: float) -> None:
    """A small figure, `h` tall, lit from the left."""
    rng, side = s.rng, pick(s.rng, (-1, 1))
    w = s.within(x - 0.4 * h, base - 1.1 * h, x + 0.5 * h, base + 0.08 * h)
    coat, below = pick(rng, CLOTHS), pick(rng, CLOTHS)
    fold = np.pi / 2, 0.07 * h, 0.03 * h

    def part(shape: Field, tones: Tones, depth: float = 0.07, *, folded: bool = False) -> None:
        w.part(rounded(placed(shape, x, base, h, side), 1), tones, depth * h, fold if folded else None)

    w.shade(0.6 * w.ellipse(x + 0.12 * h, base, 0.26 * h, 0.035 * h, 0.6))
    if chance(rng, 0.5):
        part(SKIRT, below, 0.1, folded=True)
        if chance(rng, 0.5):
            part(APRON, LINEN, 0.08, folded=True)
        part(BODICE, coat)
        part(HOOD, pick(rng, (LINEN, LINEN, *HAIRS)))
    else:
        for dx in (-0.07, 0.06):
            part(np.add(LEG, (dx, 0)), BROWN_CLOTH)
        part(BREECHES, below)
        part(CLOAK, coat, 0.1, folded=True)
        part(HAT, BROWN_CLOTH)
        w.lay(w.ellipse(x, base - 0.945 * h, 0.11 * h, 0.018 * h, 0.2), BROWN_CLOTH[0])
    part(FACE, SKINS[0][1:], 0.04)
    part(COLLAR, LINEN, 0.03)
    part(ARM, coat, 0.04)
    w.lay(w.ellipse(x - 0.06 * side * h, base - 0.55 * h, 0.025 * h, 0.02 * h, 0.3), SKINS[0][2])


COW = outline(
    "-1.08 -.66 -1 -.8 -.88 -.9 -.9 -1.04 -.82 -.94 -.6 -.95 -.3 -.9 .2 -.92 .62 -.88 .68 -.6 .7 -.25"
    " .66 -.25 .64 -.6 .58 -.3 .56 0 .45 0 .42 -.32 .1 -.27 -.3 -.28 -.5 -.32 -.52 0 -.63 0 -.68 -.42"
    " -.78 -.6 -.9 -.66 -1 -.56"
)


def cow(s: Sketch, x: float, y: float, h: float) -> None:
    """A cow, `h` high at the shoulder."""
    rng = s.rng
    coat, side = pick(rng, swatch("683c28 d6c49e 3c342e 463729 8a5c34")), pick(rng, (-1, 1))
    w = s.around(x, y - 0.5 * h, 1.3 * h)
    w.shade(0.5 * w.ellipse(x + 0.1 * h, y, 0.8 * h, 0.1 * h, 0.6))
    for dx in (-0.42, 0.36):
        w.lay(
            w.polygon(placed([(dx - 0.05, -0.4), (dx, 0), (dx + 0.06, -0.4)], x, y, h, side)),
            mix(coat, BLACK, 0.5),
        )
    tones = mix(coat, BLACK, 0.65), coat, mix(coat, WHITE, 0.35)
    w.solid(w.polygon(rounded(placed(COW, x, y, h, side), 1)), tones, 0.3 * h, 0.1 * h * w.noise(0.3 * h, 2))

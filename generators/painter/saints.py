"""Saints and other draped figures at half length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from generators.painter.pigments import (
    BLACK,
    BLUE_CLOTH,
    BROWN_CLOTH,
    DYED,
    GREY_HAIR,
    HAIRS,
    LINEN,
    SKINS,
    Field,
    Tones,
    mix,
    ramp,
    smoothstep,
    swatch,
)
from generators.painter.sitters import Head, ground, paint_face, paint_hair
from generators.painter.sketch import Sketch, chance, outline, pick, placed, rounded


def saints(s: Sketch, behind: Callable[[Sketch], bool]) -> None:
    """Draped figures at half length before what `behind` paints (True: gold, which asks for haloes)."""
    rng, wide = s.rng, s.width
    gold, r = behind(s), rng.uniform(0.115, 0.165)
    n = int(rng.integers(1, 2 + int(wide / (5.5 * r))))
    places = np.arange(n) - (n - 1) / 2
    for k in places[np.argsort(-np.abs(places), kind="stable")].tolist():
        x, y = wide / 2 + (4.0 * k + rng.normal(0, 0.25)) * r, s.height * 0.36 + rng.uniform(-0.08, 0.06)
        inward = -float(np.sign(k)) or pick(rng, (-1.0, 1.0))
        tilt = inward * rng.uniform(0.0, 0.25)
        size = r * rng.uniform(0.92, 1.05)
        _saint(s, Head(x, y, size, inward * rng.uniform(0.5, 1), tilt, 0.74, chance(rng, 0.7)), gold=gold)


def gold_ground(s: Sketch) -> bool:
    """Leaf gold over red bole, burnished unevenly."""
    tone = 0.66 + s.grain(0.5, 0.2) - 0.35 * s.x / s.width
    s.lay(1.0, ramp(tone, (106, 75, 36), (164, 126, 64), (214, 180, 110)), 0.0)
    s.scatter(np.ones_like(s.x), 400, 0.008, 0.005, ((236, 206, 130), 0.35))
    return True


def dark_ground(s: Sketch) -> bool:
    """A plain dark ground."""
    ground(s, BLACK, pick(s.rng, swatch("32261d 463729 423c33")))
    return False


CHEST = outline("-.5 1.2 .5 1.2 1.4 1.7 1.7 3 1.6 12 -1.6 12 -1.7 3 -1.4 1.7")
WING = outline(".55 1 1.5 1.35 2.3 2.2 2.7 3.8 3 12 1 12 1.35 3.6 .95 2.3 .75 1.5")
FOREARM = outline("2.1 3 2.3 3.9 1.4 4.1 .35 3.55 .25 3.1 1.2 3.3")
VEIL = outline(
    "-.75 1.35 -1.2 .7 -1.28 -.2 -1 -1 -.1 -1.32 .85 -1.08 1.25 -.3 1.22 .7 .8 1.4 .78 .75 .95 0 .62 -.68"
    " -.1 -.86 -.75 -.6 -.97 0 -.72 .8"
)


def _fan(w: Sketch, x: float, y: float, folds: float) -> Field:
    """Height of cloth that falls from (x, y) in widening folds, 0-1."""
    phi = np.arctan2(w.x - x, np.maximum(w.y - y, 0.05)) + w.grain(0.5, 0.3)
    return 0.5 + 0.35 * np.sin(folds * phi) + 0.15 * np.sin(2.3 * folds * phi + w.rng.uniform(0, 6))


def _halo(s: Sketch, head: Head) -> None:
    w = s.around(head.x, head.y, 2 * head.r)
    p, q = w.local(head.x, head.y - 0.1 * head.r, 1.9 * head.r, 1.9 * head.r)
    rho = np.sqrt(p * p + q * q)
    rays = 0.1 * np.sin(40 * np.arctan2(q, p)) * (rho > 0.72) - 0.4 * (np.abs(rho - 0.93) < 0.025)
    w.lay(
        smoothstep(1.02, 0.98, rho),
        ramp(0.62 - 0.3 * p + rays, (128, 92, 46), (226, 194, 120)),
        np.arctan2(p, -q),
        0.5,
    )


def _saint(s: Sketch, head: Head, *, gold: bool) -> None:
    """A half-length figure in a mantle, hands together."""
    rng, r, x, y = s.rng, head.r, head.x, head.y
    dress, mantle = pick(rng, DYED), pick(rng, (*DYED[:4], BLUE_CLOTH, BROWN_CLOTH))
    skin, hair = pick(rng, SKINS[:3]), pick(rng, (*HAIRS, GREY_HAIR))
    if gold:
        _halo(s, head)
    paint_hair(s, head, hair)
    w = s.within(x - 3.2 * r, y, x + 3.2 * r, s.height + 0.1)
    tone = 0.5 - 0.7 * (w.x - x) / r - 0.5 * smoothstep(y + 1.4 * r, y + 0.7 * r, w.y)
    w.lay(w.ellipse(x, y + r, 0.4 * r, 0.75 * r, 0.1), ramp(tone, *skin), 1.5)
    fan = 0.3 * r * _fan(w, x, y + 0.2 * r, rng.uniform(9, 14))
    w.solid(w.polygon(rounded(placed(CHEST, x, y, r))), dress, 0.9 * r, fan)
    for side in (-1, 1):
        w.solid(w.polygon(rounded(placed(WING, x, y, r, side))), mantle, 0.5 * r, 1.2 * fan)
    for side in (1, -1):
        fold = 0.4 * side, 0.5 * r, 0.2 * r
        s.part(rounded(placed(FOREARM, x, y, r, side)), pick(rng, (mantle, dress)), 0.4 * r, fold)
        _hand(s, x + 0.12 * side * r, y + (3.2 - 0.08 * side) * r, 0.36 * r, 0.5 * side, skin)
    paint_face(s, head, skin, rng.random() ** 2)
    if chance(rng, 0.5):
        s.part(
            rounded(head.at(VEIL)), pick(rng, (mantle, mantle, LINEN)), 0.25 * r, (1.4, 0.45 * r, 0.08 * r)
        )
    else:
        paint_hair(s, head, hair, front=True)


def _hand(s: Sketch, x: float, y: float, size: float, angle: float, skin: Tones) -> None:
    """A hand at rest, pointing inward: its back and four fingers."""
    w = s.around(x, y, 1.6 * size)
    w.solid(w.ellipse(x, y, 0.75 * size, 0.5 * size, 0.1, angle), skin[1:4], 0.4 * size, fine=0.8)
    turn = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
    inward = -np.sign(angle)
    for k in range(4):
        root = np.array((0.45 * inward, -0.32 + 0.22 * k))
        tip = np.add(root, (0.9 * inward * (1 - 0.1 * abs(k - 1)), 0.1))
        ends = np.add(np.array((root, tip)) @ turn * size, (x, y))
        w.line(ends, 0.2 * size, mix(skin[2], skin[3], 0.5 - 0.15 * k))
        w.line(np.add(ends, (0, 0.1 * size)), 0.05 * size, mix(skin[1], skin[2], 0.3))

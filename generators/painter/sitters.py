"""Heads, and portraits of those who wear them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from generators.painter.pigments import (
    BLACK,
    BLACK_CLOTH,
    BROWN,
    BROWN_CLOTH,
    BURNT,
    CLOTHS,
    CREAM,
    DYED,
    GOLD,
    GREY_HAIR,
    HAIRS,
    LAKE,
    LINEN,
    RED_CLOTH,
    ROSE,
    SHADOW,
    SKINS,
    UMBER,
    VERMILION,
    WHITE,
    Colour,
    Field,
    Tones,
    mix,
    ramp,
    smoothstep,
    swatch,
    unit,
)
from generators.painter.sketch import Sketch, blurred, chance, lambert, outline, pick, placed, rounded


@dataclass(frozen=True, slots=True)
class Head:
    """Where a head is, and how it is turned.

    Attributes
    ----------
    x, y, r
        Centre and half height of the face.
    turn
        To the left (-1) or the right (1); 0 looks at us.
    tilt
        In radians.
    slim
        Width by height.
    lowered
        Whether it looks down.
    """

    x: float
    y: float
    r: float
    turn: float
    tilt: float
    slim: float
    lowered: bool = False

    @property
    def middle(self) -> float:
        """Where the midline of the turned face lies, in half widths."""
        return 0.33 * self.turn

    @property
    def eyes(self) -> tuple[float, float]:
        """Where the eyes lie, in half widths."""
        return self.middle - 0.37 * (1 - 0.18 * self.turn), self.middle + 0.37 * (1 + 0.18 * self.turn)

    def at(self, points: Any) -> Field:
        """(n, 2) in half widths to the right and half heights down -> the same in the sketch."""
        p, q = (np.asarray(points, np.float64) * (self.slim * self.r, self.r)).T
        c, d = np.cos(self.tilt), np.sin(self.tilt)
        return np.stack([self.x + p * c - q * d, self.y + p * d + q * c], 1)

    def local(self, w: Sketch) -> tuple[Field, Field]:
        """Coordinates of a sketch in half widths and half heights."""
        return w.local(self.x, self.y, self.slim * self.r, self.r, self.tilt)


def _spot(p: Field, q: Field, a: float, b: float, wide: float, high: float) -> Field:
    return np.exp(-(((p - a) / wide) ** 2) - ((q - b) / high) ** 2)


def paint_face(s: Sketch, head: Head, skin: Tones, age: float) -> None:
    """Model a face as a relief lit from the upper left, then draw eyes, nostrils and mouth."""
    w = s.around(head.x, head.y, 1.3 * head.r)
    p, q = head.local(w)
    m, nose = head.middle, 1.3 * head.middle
    jaw = p / (1 - 0.24 * np.clip(q, 0, 1.2) ** 2 - 0.06 * unit(-q))
    rho = jaw * jaw + q * q
    mask = smoothstep(1.06, 0.96, rho)
    gx, gy = w.slope(blurred(_features(head, p, q, rho, age) * head.r, max(0.6, 0.02 * head.r * w.px)))
    light = lambert(0.9 * gx, 0.8 * gy) - 0.16 * _spot(p, q, nose + 0.2, 0.3, 0.12, 0.14)
    light -= 0.1 * smoothstep(-0.1, 0.9, jaw) + 0.1 * smoothstep(-0.55, -1.0, q)
    w.lay(mask, ramp(light, *skin), np.arctan2(p, -q), 1.0)
    rosy = sum(_spot(p, q, m + side, 0.28, 0.2, 0.16) for side in (-0.5, 0.5)) + 0.7 * _spot(
        p, q, nose, 0.3, 0.1, 0.08
    )
    w.lay(0.3 * mask * rosy, mix(skin[2], VERMILION, 0.5))
    lips = _spot(p, q, m, 0.53, 0.17, 0.03) + 0.9 * _spot(p, q, m, 0.61, 0.13, 0.035)
    w.lay(0.7 * mask * np.minimum(1, lips), mix(skin[2], LAKE, 0.55))
    for side, eye in zip((-1, 1), head.eyes, strict=True):
        _eye(w, head, skin, side, eye)
    _nose_and_mouth(w, head, skin)


def _features(head: Head, p: Field, q: Field, rho: Field, age: float) -> Field:
    """Depth of a face in half heights: skull, nose, sockets, cheeks, lips, chin."""
    m, nose = head.middle, 1.3 * head.middle
    z = 0.8 * np.sqrt(unit(1.02 - rho))
    bridge = np.exp(-(((p - m - (nose - m) * unit((q + 0.2) / 0.5)) / 0.12) ** 2))
    z += 0.2 * bridge * smoothstep(-0.25, 0.3, q) * smoothstep(0.42, 0.34, q)
    bumps = [
        (0.08, nose, 0.3, 0.17, 0.08),
        (0.06, m - 0.45, 0.2, 0.22, 0.18),
        (0.06, m + 0.45, 0.2, 0.22, 0.18),
    ]
    bumps += [
        (0.06, m, 0.56, 0.26, 0.16),
        (-0.03, m, 0.555, 0.2, 0.02),
        (-0.04, m, 0.7, 0.16, 0.05),
        (0.07, m, 0.86, 0.2, 0.12),
    ]
    for e in head.eyes:
        bumps += [
            (0.05, e, -0.24, 0.3, 0.07),
            (-0.11, e, -0.08, 0.22, 0.11),
            (0.05, e, -0.06, 0.12, 0.07),
            (-0.02 * age, e, 0.07, 0.16, 0.03),
        ]
    for height, *place in bumps:
        z += height * _spot(p, q, *place)
    return z


def _eye(w: Sketch, head: Head, skin: Tones, side: int, e: float) -> None:
    r, half = head.r, 0.155 * (1 + 0.18 * side * head.turn)
    soft = mix(skin[0], skin[1], 0.6)
    ink = mix(mix(skin[0], BLACK, 0.4), skin[1], float(np.clip(0.55 - 2.2 * r, 0, 0.4)))

    def stroke(
        left: float, middle: float, right: float, width: float, colour: Colour, reach: float = 1.0
    ) -> None:
        w.line(head.at([(e - reach * half, left), (e, middle), (e + reach * half, right)]), width * r, colour)

    stroke(-0.2 - 0.03 * (side > 0), -0.27, -0.2 - 0.03 * (side < 0), 0.028, mix(soft, skin[1], 0.8), 1.3)
    if head.lowered:
        stroke(-0.05, -0.005, -0.05, 0.02, mix(ink, soft, 0.5))
        stroke(-0.13, -0.15, -0.13, 0.012, mix(skin[1], soft, 0.3))
        return
    p, q = head.local(w)
    look = e + 0.03 * head.turn
    white = mix(skin[2], CREAM, 0.3) if side < 0 else skin[2]
    w.lay(0.5 * np.minimum(1, 1.2 * _spot(p, q, e, -0.055, 0.8 * half, 0.032)), white)
    iris = head.at([(look, -0.06)])[0]
    w.lay(0.85 * w.ellipse(iris[0], iris[1], 0.054 * r, 0.042 * r, 0.35), ink)
    stroke(-0.045, -0.11, -0.045, 0.018, mix(ink, soft, 0.7))
    stroke(-0.13, -0.165, -0.12, 0.012, mix(skin[1], soft, 0.3))
    stroke(-0.025, -0.005, -0.025, 0.012, mix(skin[1], skin[2], 0.4), 0.8)
    w.line(head.at([(look - 0.03, -0.08), (look - 0.015, -0.08)]), 0.016 * r, mix(WHITE, skin[3], 0.4))


def _nose_and_mouth(w: Sketch, head: Head, skin: Tones) -> None:
    m, nose, r = head.middle, 1.3 * head.middle, head.r
    w.line(
        head.at([(nose - 0.1, 0.36), (nose + 0.02, 0.395), (nose + 0.14, 0.35)]),
        0.03 * r,
        mix(skin[0], skin[1], 0.5),
    )
    w.line(head.at([(nose - 0.06, 0.26), (nose - 0.03, 0.29)]), 0.045 * r, skin[4])
    w.line(
        head.at([(m - 0.21, 0.55), (m - 0.01, 0.575), (m + 0.2, 0.545)]), 0.018 * r, mix(LAKE, skin[0], 0.6)
    )
    w.line(head.at([(m - 0.09, 0.605), (m, 0.615)]), 0.025 * r, mix(ROSE, skin[3], 0.3))


def _beard(s: Sketch, head: Head, hair: Tones) -> None:
    """A moustache, and at times a beard below it."""
    n, rng, r, m = 60, s.rng, head.r, head.middle
    u = rng.uniform(-1, 1, n)
    lip = head.at(np.stack([m + 0.26 * u, 0.47 + 0.05 * u * u + rng.normal(0, 0.01, n)], 1))
    s.strokes(lip, 0.45 * np.sign(u) + head.tilt, 0.16 * r, 0.016 * r, ramp(rng.random(n) * 0.8, *hair))
    if chance(rng, 0.6):
        v = rng.uniform(0.72, 1.12, 3 * n)
        x = rng.uniform(-1, 1, 3 * n) * pick(rng, (0.1, 0.45)) * (1.3 - v * 0.6)
        down = np.pi / 2 - x + head.tilt
        s.strokes(
            head.at(np.stack([m + x, v], 1)), down, 0.2 * r, 0.018 * r, ramp(rng.random(3 * n) * 0.8, *hair)
        )


def paint_hair(s: Sketch, head: Head, hair: Tones, *, long: bool = True, front: bool = False) -> None:
    """Hair behind the head, or its front above the brow."""
    r = head.r
    w = s.within(head.x - 1.8 * r, head.y - 1.6 * r, head.x + 1.8 * r, head.y + 1.9 * r)
    p, q = head.local(w)
    strands, curl = w.noise(0.17 * r, 3, 0.4), w.grain(0.12, 0.3 * r)
    if front:
        line = -0.6 + 0.55 * np.clip(np.abs(p - 0.7 * head.middle), 0, 1.2) ** 2.5 + curl
        skull = (p / 1.08) ** 2 + (q / 1.1) ** 2
        mask = smoothstep(0.06, -0.06, q - line) * smoothstep(1.12, 1.02, skull)
    else:
        top = (p / 1.22) ** 2 + ((q + 0.1) / 1.12) ** 2
        fall = (p / (1.3 + 0.1 * np.sin(6 * q))) ** 2 + ((q - 0.45) / 0.95) ** 2 if long else top
        mask = smoothstep(1.08, 0.96, np.minimum(top, fall) + 2 * curl)
    light, _ = w.relief(mask, 0.4 * r, 0.03 * r * strands)
    along = np.where(q < 0, np.arctan2(head.slim * p, -q), np.pi / 2 + 0.4 * np.sin(8 * q + 3 * p))
    w.lay(mask, ramp(light * 0.75 + 0.35 * (strands - 0.5) - 0.12 * p, *hair), along, 0.5)
    w.scatter(mask * smoothstep(0.3, 0.6, light), 300, 0.2 * r, 0.012 * r, (hair[2], 0.5), along)
    w.scatter(mask * (mask > 0.9), 200, 0.14 * r, 0.012 * r, (hair[0], 0.4), along)


def ground(s: Sketch, dark: Colour, light: Colour) -> None:
    """A plain ground, lighter to one side."""
    rng = s.rng
    cx, cy = s.width * rng.uniform(0.4, 0.95), s.height * rng.uniform(0.2, 0.6)
    glow = np.exp(-((np.hypot(s.x - cx, s.y - cy) * rng.uniform(1.2, 2.2)) ** 2))
    s.lay(1.0, ramp(glow * 0.8 + s.grain(0.3, 0.2) + 0.03, dark, light), 1.2 + s.grain(1.2, 0.5))


GROUNDS = (
    (BLACK, BROWN),
    (BLACK, BROWN),
    (BLACK, UMBER),
    swatch("221b15 68563c"),
    swatch("1c1e1a 545646"),
    swatch("3c3832 8c8476"),
    swatch("180e0d 54261e"),
    swatch("60584a b0a48c"),
)


def portrait(s: Sketch) -> None:
    """Head and shoulders or half length before a plain ground."""
    rng = s.rng
    ground(s, *pick(rng, GROUNDS))
    r = rng.uniform(0.15, 0.27)
    x = s.width / 2 + rng.normal(0, 0.08) * min(s.width, 1.3)
    y = s.height * (0.46 - (rng.uniform(0, 0.1) if r < 0.22 else 0))
    turn = pick(rng, (-1.0, -0.75, -0.4, 0.4, 0.7)) * rng.uniform(0.8, 1)
    head = Head(x, y, r, turn, rng.normal(0, 0.07), rng.uniform(0.7, 0.78))
    woman, age = chance(rng, 0.45), rng.random() ** 2
    skin, hair = pick(rng, (*SKINS, SKINS[0])), GREY_HAIR if age > 0.6 else pick(rng, HAIRS)
    cloth = pick(rng, CLOTHS) if chance(rng, 0.5) else pick(rng, (BLACK_CLOTH, BROWN_CLOTH))
    long = woman or chance(rng, 0.5)
    paint_hair(s, head, hair, long=long)
    collars: tuple[Callable[[Sketch, Head], object], ...] = (_ruff, _flat, _flat, _lace, _chain)
    collar = pick(rng, (_ruff, _flat, _lace, _pearls, _pearls) if woman else collars)
    _torso(s, head, cloth, skin, 1.1 if collar is _pearls else 0.45)
    collar(s, head)
    paint_face(s, head, skin, age)
    if not woman and chance(rng, 0.6):
        _beard(s, head, hair)
    paint_hair(s, head, hair, long=long, front=True)
    pick(rng, (_cap, _cap, _bare, _bare) if woman else (_hat, _hat, _turban, _bare, _bare))(s, head)


NECK = outline("-.42 -.7 .5 -.7 .62 .55 .1 .9 -.6 .5")
TORSO = outline("-.55 .25 -1.5 .6 -2 1.3 -2.3 9 2.3 9 2 1.3 1.5 .62 .6 .25 .1 .45")
SLEEVE = outline("1.25 .75 1.9 .8 2.45 1.9 2.6 9 1.65 9 1.6 1.9")


def _torso(s: Sketch, head: Head, cloth: Tones, skin: Tones, neckline: float) -> None:
    """Neck, body and arms; shapes in half heights of the face, from the chin."""
    rng, r, x, chin = s.rng, head.r, head.x, head.y + head.r
    w = s.within(x - 1.2 * r, head.y, x + 1.2 * r, chin + 1.2 * r)
    cast = smoothstep(chin + 0.45 * r, chin - 0.1 * r, w.y) * smoothstep(x - 0.5 * r, x, w.x)
    tone = 0.62 - 0.5 * (w.x - x) / r - 0.75 * cast
    w.lay(w.polygon(rounded(placed(NECK, x, chin, r))), ramp(tone, *skin), 1.4, 0.5)
    wide, lean = rng.uniform(0.88, 1.1), x + 0.2 * head.turn * r
    body = TORSO * (wide, 1)
    body[-1, 1] = neckline
    s.part(
        rounded(placed(body, lean, chin, r)),
        cloth,
        0.9 * r,
        (rng.uniform(1.1, 2.0), rng.uniform(0.35, 0.6) * r, 0.12 * r),
    )
    for side in (-1, 1):
        fold = 0.35 * side + rng.normal(0, 0.3), 0.4 * r, 0.16 * r
        s.part(rounded(placed(SLEEVE * (wide, 1), lean, chin, r, side)), cloth, 0.4 * r, fold)
    for k in range(12 if chance(rng, 0.5) else 0):
        y = chin + (0.95 + 0.22 * k) * r
        s.line([(lean - 0.02 * r, y), (lean + 0.02 * r, y + 0.02 * r)], 0.07 * r, mix(cloth[2], GOLD, 0.5))


def _neck(s: Sketch, head: Head) -> tuple[Sketch, float, float]:
    """A window around the collar, and the pit of the neck."""
    x, y = head.x, head.y + 1.12 * head.r
    return s.around(x, y, 2 * head.r), x, y


def _ruff(s: Sketch, head: Head) -> None:
    """A ruff seen from a little above."""
    (w, x, y), rng, r = _neck(s, head), s.rng, head.r
    rx, ry = rng.uniform(1.15, 1.5) * r, rng.uniform(0.36, 0.5) * r
    p, q = w.local(x, y, rx, ry, head.tilt)
    turn, rho = np.arctan2(q, p), np.sqrt(p * p + q * q)
    pleat = np.sin(34 * turn + 2 * np.sin(3 * turn))
    tone = 0.52 + 0.22 * pleat * rho - 0.28 * p + 0.3 * (rho - 0.8) - 0.25 * smoothstep(0.6, 0.3, rho)
    w.shade(0.5 * smoothstep(1.25, 0.9, rho - 0.15 * q))
    w.lay(smoothstep(1.04, 0.97, rho + 0.02 * pleat), ramp(tone, *LINEN), np.arctan2(q * ry, p * rx), 0.9)
    a = np.arange(68) * 2 * np.pi / 68
    rim = np.stack([x + 0.97 * rx * np.cos(a), y + 0.97 * ry * np.sin(a)], 1)
    w.strokes(rim, a + np.pi / 2, 0.09 * r, 0.03 * r, ramp(0.65 - 0.3 * np.cos(a), *LINEN))


FLAT = outline("-.5 -.3 -1.2 .35 -1.1 .75 -.2 .56 .05 .25 .35 .56 1.2 .75 1.3 .35 .58 -.3 .05 .22")


def _flat(s: Sketch, head: Head) -> Field:
    """A falling collar; returns its mask in the window of the neck."""
    (w, x, y), r = _neck(s, head), head.r
    mask = w.polygon(rounded(placed(FLAT * (1, s.rng.uniform(0.75, 1.25)), x, y, r), 1))
    w.shade(0.5 * blurred(mask, 0.06 * r * w.px))
    light, along = w.relief(mask, 0.1 * r, 0.1 * r * w.noise(0.4 * r, 3))
    w.lay(mask, ramp(light - 0.18 * (w.x - x) / r - 0.05, *LINEN), along, 0.7)
    return mask


def _lace(s: Sketch, head: Head) -> None:
    """A falling collar with a lace border."""
    mask, (w, _, _), r = _flat(s, head), _neck(s, head), head.r
    border = mask * (blurred(mask, 0.16 * r * w.px) < 0.8)
    w.scatter(border, 900, 0.05 * r, 0.02 * r, (LINEN[0], 0.7))
    w.scatter(border, 600, 0.04 * r, 0.02 * r, (LINEN[2], 0.9))


def _pearls(s: Sketch, head: Head) -> None:
    (w, x, y), r = _neck(s, head), head.r
    a = np.linspace(0.15, np.pi - 0.15, 19)
    row = np.stack([x + 0.55 * r * np.cos(a), y + 0.02 * r + 0.35 * r * np.sin(a)], 1)
    w.strokes(row, 0.0, 0.03 * r, 0.07 * r, (204, 196, 178))
    w.strokes(row - 0.012 * r, 0.0, 0.01 * r, 0.03 * r, (250, 246, 236))


STOCK = outline("-.55 -.3 -.7 .1 .05 .5 .75 .1 .6 -.3 .05 .2")


def _chain(s: Sketch, head: Head) -> None:
    """A standing collar and a chain of office."""
    (w, x, y), r = _neck(s, head), head.r
    w.part(rounded(placed(STOCK, x, y, r)), LINEN, 0.08 * r)
    a = np.linspace(0.1, np.pi - 0.1, 40)
    links = np.stack([x + 1.3 * r * np.cos(a), y + 0.4 * r + r * np.sin(a)], 1)
    w.strokes(links, a, 0.07 * r, 0.05 * r, ramp(s.rng.random(40), BURNT, GOLD, (240, 214, 140)))


CAP = outline(
    "-.95 .25 -1.2 -.5 -.75 -1.2 .1 -1.32 .9 -1.15 1.25 -.4 1.1 .35 .93 .1 .85 -.45"
    " .3 -.78 -.35 -.78 -.85 -.4"
)
TURBAN = outline("-1.15 -.5 -.95 -1.25 .2 -1.5 1.25 -1.1 1.3 -.2 .4 -.62")
CROWN = outline("-.85 -.6 -.75 -1.4 0 -1.52 .75 -1.4 .9 -.6")


def _bare(_s: Sketch, _head: Head) -> None:
    """Nothing on the head."""


def _cap(s: Sketch, head: Head) -> None:
    """A linen cap close to the head."""
    s.part(rounded(head.at(CAP)), LINEN, 0.3 * head.r, (1.2, 0.9 * head.r, 0.06 * head.r), 0.6)


def _turban(s: Sketch, head: Head) -> None:
    r = head.r
    s.part(rounded(head.at(TURBAN)), pick(s.rng, DYED[:5]), 0.35 * r, (-0.35, 0.35 * r, 0.25 * r))


def _hat(s: Sketch, head: Head) -> None:
    """A broad-brimmed hat and its shadow on the brow."""
    r, rng = head.r, s.rng
    cloth = pick(rng, (BLACK_CLOTH, BLACK_CLOTH, BROWN_CLOTH, RED_CLOTH))
    s.part(rounded(head.at(CROWN * (1, rng.uniform(0.9, 1.15)))), cloth, 0.5 * r)
    (x, y), (u, v) = head.at([(0.0, -0.66), (0.05, -0.42)])
    w = s.around(x, y, 2 * r)
    brim = w.ellipse(x, y, rng.uniform(1.1, 1.5) * r, 0.25 * r, 0.06, head.tilt + rng.normal(-0.08, 0.08))
    w.solid(brim, cloth, 0.16 * r)
    w.shade(0.5 * w.ellipse(u, v, 0.6 * r, 0.2 * r, 0.5, head.tilt), SHADOW)

"""Landscapes and seascapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from generators.painter.pigments import (
    AZURITE,
    BLACK,
    BROWN,
    CREAM,
    GREY,
    OCHRE,
    OLIVE,
    SIENNA,
    UMBER,
    VERDIGRIS,
    VERMILION,
    WHITE,
    YELLOW,
    Colour,
    Field,
    Tones,
    mix,
    ramp,
    smoothstep,
    swatch,
    unit,
)
from generators.painter.sketch import Sketch, blurred, chance, outline, pick, placed
from generators.painter.staffage import cow, person


@dataclass(frozen=True, slots=True)
class Mood:
    """Colours of a sky and of the land under it; whether its trees are bare."""

    zenith: Colour
    sky: Colour
    horizon: Colour
    cloud: Tones
    land: Tones
    bare: bool = False


def _mood(air: str, cloud: str, land: str, *, bare: bool = False) -> Mood:
    zenith, middle, horizon = swatch(air)
    return Mood(zenith, middle, horizon, swatch(cloud), swatch(land), bare)


DAY = _mood("54708a 88949a d0c4a4", "7c7a78 b8b2a8 e8e0ce", "262618 565836 a4965e")
EVENING = _mood("58626a aa906c e8c27e", "745a4c b89a76 f0ce96", "221910 564426 b88c46")
OVERCAST = _mood("6c7070 96938a c6bda8", "5c5a57 9e9990 d4cdbe", "282319 5c5036 9a885c")
STORM = _mood("2c3034 484a4a 968c74", "2e2f31 6c675b 9e947e", "14120e 322e20 7a6a42")
WINTER = _mood("949ea2 bebeb6 e0d4be", "a09e98 c8c4ba e8e2d4", "686258 bab4a8 eae4d6", bare=True)
NIGHT = _mood("0c0f14 161b21 363937", "121417 373835 56564d", "090908 161612 302e22")
DAWN = _mood("708092 beaca0 eccaac", "887a7e c2aea2 f2dac0", "322b26 686344 baa876")
BROWN_AIR = _mood("76674e 9c8762 c2ab7f", "665640 9f8c6c ceb990", "261c11 5c462a a28250")


def sky(s: Sketch, mood: Mood, horizon: float) -> None:
    """Graded air, and clouds lit from the upper left."""
    rng = s.rng
    t = unit(s.y / horizon)
    air = ramp(t ** rng.uniform(0.7, 1.3), mood.zenith, mood.sky, mood.horizon)
    s.lay(1.0, air, s.grain(0.15, 0.5))
    low = s.noise(rng.uniform(0.16, 0.4), 5, rng.uniform(1.2, 2.6), 0.55)
    low += 0.15 * np.cos(t * rng.uniform(2, 7) + rng.uniform(0, 6))
    cover = smoothstep(0.0, rng.uniform(0.1, 0.35), low - rng.uniform(0.3, 0.62)) * smoothstep(1.02, 0.75, t)
    gx, gy = s.slope(blurred(low, 0.015 * s.px))
    s.lay(cover, ramp(0.55 + 0.1 * (gx + gy) - 0.3 * (low - 0.5), *mood.cloud), s.grain(0.8, 0.2))


def _sun(s: Sketch, mood: Mood, horizon: float) -> None:
    """Sun or moon low in the sky, and its glow."""
    rng = s.rng
    cx, cy = s.width * rng.uniform(0.25, 0.75), horizon * rng.uniform(0.35, 0.9)
    light = (150, 150, 128) if mood is NIGHT else (246, 222, 160)
    s.lay(0.75 * np.exp(-np.hypot(s.x - cx, s.y - cy) * rng.uniform(3, 6)), light)
    w = s.around(cx, cy, 0.05)
    w.lay(w.ellipse(cx, cy, 0.02, 0.02, 0.3), mix(light, WHITE, 0.6))


def _skyline(s: Sketch, base: float, rough: float, cell: float) -> Field:
    """A skyline y(x) as (w,), jagged by `rough`."""
    line = np.zeros(512)
    for octave in range(6):
        grid = s.rng.random((1, int(s.width / cell * 2**octave) + 4))
        line += cv2.resize(np.repeat(grid, 2, 0), (512, 2), interpolation=cv2.INTER_CUBIC)[0] / 2**octave
    height = np.interp(s.x[0], np.linspace(0, s.width, 512), base - rough * (line / 1.97 - 0.5))
    return np.asarray(height, np.float64)


def _tree(s: Sketch, x: float, base: float, r: float, tones: Tones, *, bare: bool) -> None:
    """A tree with a crown of radius `r` on the ground at (x, base)."""
    rng = s.rng
    top = (x + rng.normal(0, 0.2) * r, base - r * rng.uniform(1.1, 2.0))
    bole = r * rng.uniform(0.05, 0.09)
    w = s.within(x - 2 * r, top[1] - 1.8 * r, x + 2 * r, base + 0.1 * r)
    bark = mix(tones[0], BLACK, 0.25), mix(UMBER, tones[0], 0.4), mix(OCHRE, tones[1], 0.6)
    waist = (2 * base + top[1]) / 3
    left = [(x - 2 * bole, base), (x - 0.8 * bole, waist), (top[0] - 0.4 * bole, top[1])]
    right = [(top[0] + 0.4 * bole, top[1]), (x + 0.8 * bole, waist), (x + 2.2 * bole, base)]
    w.part(left + right, bark, bole)
    for _ in range(5 if bare else 3):
        a, f = rng.uniform(-2.4, -0.7), rng.uniform(0.4, 0.9)
        at = np.array((x + (top[0] - x) * f, base + (top[1] - base) * f))
        end = at + r * rng.uniform(0.4, 0.8) * np.array((np.cos(a), np.sin(a)))
        w.line((at, (at + end) / 2 + (0, 0.05 * r), end), 0.7 * bole, bark[1])
    if bare:
        _twigs(w, top, r, bark[1], tones[1])
    else:
        _crown(w, top, r, tones)


def _twigs(w: Sketch, top: tuple[float, float], r: float, bark: Colour, air: Colour) -> None:
    """A bare crown: the haze of its twigs."""
    away = np.hypot(w.x - top[0], (w.y - top[1]) * 0.9) / r
    haze = smoothstep(1.1, 0.2, away + w.grain(0.8, 0.2 * r))
    w.lay(0.45 * haze, mix(UMBER, air, 0.45))
    w.scatter(haze, 400, 0.1 * r, 0.012 * r, (bark, 0.35))


def _crown(w: Sketch, top: tuple[float, float], r: float, tones: Tones) -> None:
    """Foliage: clumps with ragged edges, then leaves in light and shade."""
    rng, tall = w.rng, w.rng.uniform(0.55, 1.0)
    core = ((w.x[:1] - top[0]) ** 2 + 1.44 * (w.y[:, :1] - top[1]) ** 2) / (0.5 * r) ** 2
    away = np.minimum(core, 4.0)
    for _ in range(int(rng.integers(9, 18))):
        a, d = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * r * 0.8
        dx, dy = w.x[:1] - top[0] - d * np.cos(a), w.y[:, :1] - top[1] - tall * d * np.sin(a)
        away = np.minimum(away, (dx * dx + 1.44 * dy * dy) / (r * rng.uniform(0.25, 0.5)) ** 2)
    clumps = 1 - np.sqrt(away)
    leaf = w.noise(0.14 * r, 4, 1.4, 0.8)
    mask = smoothstep(0.0, 0.3, clumps + 1.3 * (leaf - 0.55))
    light, _ = w.relief(mask, 0.35 * r, 0.16 * r * leaf)
    lit = smoothstep(1.0, -1.0, (w.x - top[0] + w.y - top[1]) / r)
    tone = light * 0.5 + 0.3 * (leaf - 0.5) + 0.35 * lit - 0.03
    w.lay(mask, ramp(tone, *tones), 3 * w.noise(0.2 * r, 2), 0.3)
    n, size = int(np.clip(6000 * r, 150, 1000)), 0.02 + 0.03 * r
    sunny = mask * smoothstep(0.45, 0.75, light) * smoothstep(0.2, 0.6, lit)
    w.scatter(sunny, n, size, size / 2.7, (mix(tones[2], YELLOW, 0.12), 0.6))
    w.scatter(mask, n // 2, size, size / 2.7, (mix(tones[0], BLACK, 0.2), 0.5))
    w.scatter(smoothstep(-0.35, 0.0, clumps) * (1 - mask), n // 3, 0.8 * size, size / 4, (tones[0], 0.6))


Veil = Callable[[Colour], Colour]


def _house(s: Sketch, x: float, y: float, h: float, veil: Veil) -> None:
    """A house seen from its corner, at times with a steeple; `veil` is the air before it."""
    rng = s.rng
    wall, roof = (
        veil(pick(rng, (CREAM, OCHRE, GREY, SIENNA))),
        veil(pick(rng, swatch("683c28 463729 864e36"))),
    )
    dark, long, deep = veil(BROWN), h * rng.uniform(0.8, 1.6), h * rng.uniform(0.5, 0.8)
    corner, end, eaves, ridge = x + deep, x + deep + long, y - 0.8 * h, y - h * rng.uniform(1.3, 1.6)
    w = s.within(x - h, y - 4.5 * h, end + 1.5 * h, y + 0.5 * h)
    if chance(rng, 0.35):
        t, top = end - 0.5 * h, y - 2.2 * h
        w.lay(
            w.polygon([(t, y), (t, top), (t + 0.5 * h, top), (t + 0.5 * h, y)]),
            mix(wall, dark, 0.35),
            np.pi / 2,
        )
        spire = [(t - 0.04 * h, top), (t + 0.25 * h, top - 1.5 * h), (t + 0.54 * h, top)]
        w.lay(w.polygon(spire), mix(roof, dark, 0.5), np.pi / 2)
    stain = w.grain(0.3, 0.3 * h)
    gable = [(x, y), (x, eaves), (x + deep / 2, ridge), (corner, eaves), (corner, y)]
    tiles = [(x + deep / 2, ridge), (corner, eaves), (end + 0.03 * h, eaves), (end - deep / 2, ridge)]
    w.lay(w.polygon(gable), ramp(0.8 + stain, dark, wall), np.pi / 2)
    w.lay(
        w.polygon([(corner, y), (corner, eaves), (end, eaves), (end, y)]), ramp(0.45 + stain, dark, wall), 0.0
    )
    w.lay(w.polygon(tiles), ramp(0.7 + stain, dark, roof), 1.0)
    w.line([(x + 0.5 * deep, y), (x + 0.5 * deep, y - 0.4 * h)], 0.16 * h, dark)
    for f in (0.3, 0.7):
        w.line([(corner + f * long, y - 0.3 * h), (corner + f * long, y - 0.55 * h)], 0.12 * h, dark)


MILL = outline("-.3 0 -.17 -.9 0 -1.08 .17 -.9 .3 0")


def _windmill(s: Sketch, x: float, y: float, h: float, veil: Veil) -> None:
    dark, wood, pale = veil(BROWN), veil(UMBER), veil(CREAM)
    w = s.around(x, y - 0.8 * h, h)
    w.part(placed(MILL, x, y, h), (dark, wood, mix(wood, pale, 0.4)), 0.2 * h)
    hub = np.array((x - 0.04 * h, y - 0.95 * h))
    for a in s.rng.uniform(0, np.pi / 2) + np.arange(4) * np.pi / 2:
        d, side = np.array((np.cos(a), np.sin(a))), np.array((-np.sin(a), np.cos(a)))
        sail = np.array((0.15 * d, 0.8 * d, 0.8 * d + 0.14 * side, 0.15 * d + 0.14 * side))
        w.lay(0.75 * w.polygon(hub + h * sail), mix(wood, pale, 0.35))
        w.line([hub, hub + 0.82 * h * d], 0.03 * h, dark)


def landscape(s: Sketch) -> None:
    """Sky, planes of land in aerial perspective, water or a road, houses, trees, cattle and people."""
    rng, wide, high = s.rng, s.width, s.height
    mood = pick(
        rng, (DAY, DAY, DAY, EVENING, EVENING, OVERCAST, OVERCAST, STORM, WINTER, NIGHT, DAWN, BROWN_AIR)
    )
    horizon = high * rng.uniform(0.42, 0.72)
    sky(s, mood, horizon)
    if mood is NIGHT or (mood is EVENING and chance(rng, 0.5)):
        _sun(s, mood, horizon)
    n = int(rng.integers(3, 6))
    for k in range(n):
        land(s, mood, horizon, k, n)
    if chance(rng, 0.45):
        _path(s, mood, horizon)
    for y in np.sort(rng.uniform(horizon + 0.35 * (high - horizon), high * 0.93, int(rng.integers(0, 7)))):
        near = 0.03 + 0.11 * float(y - horizon) / (high - horizon)
        pick(rng, (person, person, cow))(s, wide * rng.uniform(0.1, 0.9), float(y), near)
    _foreground(s, mood, horizon)


def _foreground(s: Sketch, mood: Mood, horizon: float) -> None:
    """Large trees at one side, a dark bank under them, grass."""
    rng, wide, high = s.rng, s.width, s.height
    dark, middle, light = mood.land
    side = pick(rng, (0.0, 1.0))
    tones = mix(dark, BLACK, 0.3), mix(mix(dark, middle, 0.8), OLIVE, 0.3), mix(light, middle, 0.3)
    for _ in range(int(rng.integers(1, 6)) if chance(rng, 0.75) else 0):
        x, base = wide * abs(side - rng.uniform(-0.04, 0.28)), high * rng.uniform(0.8, 0.98)
        _tree(s, x, base, rng.uniform(0.14, 0.32), tones, bare=mood.bare)
    if chance(rng, 0.75):
        bank = smoothstep(0.72, 1.07, s.y / high - 0.25 * np.abs(s.x / wide - side) + 0.2 * s.noise(0.2, 4))
        s.lay(0.85 * bank, ramp(s.noise(0.08, 4), mix(dark, BLACK, 0.5), tones[0], tones[1]))
        s.scatter(bank, 500, 0.05, 0.006, (middle, 0.4), -1.5)
    s.scatter(smoothstep(high * 0.6, high, s.y) * (s.y > horizon), 900, 0.02, 0.004, (light, 0.3), -1.3)


def land(s: Sketch, mood: Mood, horizon: float, k: int, n: int) -> None:
    """The k-th of n planes of land, from far to near, and what stands on it."""
    rng, high = s.rng, s.height
    depth, air = (k + 0.3) / n, mix(mood.horizon, mood.zenith, 0.45)
    share = (1 - depth) ** 1.6 * 0.85

    def veil(colour: Colour) -> Colour:
        return mix(colour, air, share)

    base = horizon + (high - horizon) * (k / n) ** 1.5
    rough = rng.uniform(0.05, 0.3) * (1 - depth) if k < n - 1 else 0.1
    edge = _skyline(s, base + 0.3 * rough, rough, rng.uniform(0.4, 1.2))
    if chance(rng, 0.7):
        edge = edge + 0.6 * np.minimum(_skyline(s, 0, 0.2 * (0.25 + depth), 0.12), 0)
    under = s.y - edge
    tone = 0.5 + 1.2 * (s.noise(0.05 + 0.2 * depth, 5, 5 - 3 * depth, 0.6) - 0.5) - 0.25 * under / high
    tone -= 0.4 * depth * smoothstep(0.06, 0.0, under)
    s.lay(s.below(edge), ramp(tone, *map(veil, mood.land)), s.grain(0.25, 0.3), 0.0)
    if k == n - 2 and chance(rng, 0.5):
        _water(s, mood, base)
    if 0 < k < n - 1:
        _furnish(s, mood, edge, depth, veil)


def _furnish(s: Sketch, mood: Mood, edge: Field, depth: float, veil: Veil) -> None:
    """Houses, a mill and groves on a plane of land that ends at the skyline `edge`."""
    rng, wide = s.rng, s.width

    def foot(x: float) -> float:
        return float(np.interp(x, s.x[0], edge)) + 0.02

    for _ in range(int(rng.integers(1, 4)) if chance(rng, 0.7) else 0):
        x = wide * rng.uniform(0.05, 0.9)
        _house(s, x, foot(x + 0.1), 0.05 + 0.06 * depth * rng.random(), veil)
    if chance(rng, 0.2):
        x = wide * rng.uniform(0.1, 0.9)
        _windmill(s, x, foot(x), 0.12 + 0.1 * depth, veil)
    tones = tuple(map(veil, (mood.land[0], mix(mood.land[1], OLIVE, 0.4), mood.land[2])))
    groves = rng.uniform(0, 1, 2).tolist()
    for _ in range(int(rng.integers(0, 9))):
        x = wide * (pick(rng, groves) + rng.normal(0, 0.07))
        _tree(s, x, foot(x), rng.uniform(0.03, 0.05) + 0.06 * depth, tones, bare=mood.bare)


def _water(s: Sketch, mood: Mood, y: float) -> None:
    rng, ry = s.rng, s.rng.uniform(0.04, 0.14)
    p, q = s.local(s.width * rng.uniform(0.2, 0.8), y + ry, s.width * rng.uniform(0.3, 0.9), ry)
    mask = smoothstep(1.08, 0.95, np.hypot(p, q) + s.grain(0.7, 0.1, 6))
    sheen = 0.65 * s.noise(0.015, 3, 14) + 0.25 - 0.15 * q
    tones = mix(mood.land[0], mood.sky, 0.3), mix(mood.sky, mood.land[0], 0.15), mood.horizon
    s.lay(mask, ramp(sheen, *tones), 0.0, 0.2)
    s.scatter(mask, 120, 0.05, 0.004, (mood.cloud[2], 0.5), 0.0)


def _path(s: Sketch, mood: Mood, horizon: float) -> None:
    """A sandy road that winds into the distance."""
    rng = s.rng
    t = unit((s.y - horizon) / (s.height - horizon))
    winding = 0.1 * np.sin(rng.uniform(3, 6) * np.sqrt(t) + rng.uniform(0, 6))
    centre = s.width * (rng.uniform(0.3, 0.7) + rng.uniform(-0.3, 0.3) * t + winding)
    across = np.abs(s.x - centre) / (0.01 + 0.22 * t**1.6) + s.grain(0.6, 0.06, 3)
    sand = ramp(s.noise(0.05, 3, 4), mix(mood.land[1], UMBER, 0.4), mix(mood.land[2], CREAM, 0.35))
    s.lay(0.85 * smoothstep(1.2, 0.8, across) * smoothstep(0.05, 0.2, t), sand, 0.2)


def seascape(s: Sketch) -> None:
    """A low horizon under a tall sky, swell and ships."""
    rng, wide, high = s.rng, s.width, s.height
    mood = pick(rng, (OVERCAST, DAY, STORM, EVENING, BROWN_AIR, DAWN, NIGHT))
    horizon = high * rng.uniform(0.6, 0.8)
    sky(s, mood, horizon)
    if chance(rng, 0.25):
        _sun(s, mood, horizon)
    _sea(s, mood, horizon)
    if chance(rng, 0.3):
        shore = _skyline(s, high * 0.95, 0.2, 0.8)
        s.lay(s.below(shore), ramp(s.noise(0.05, 4, 3), *mood.land), 0.2)
        for x in rng.uniform(0.05, 0.95, 4).tolist():
            person(s, wide * x, float(shore[int(x * len(shore))]) + rng.uniform(0.01, 0.04), 0.12)
    for size in np.sort(rng.uniform(0.02, 0.07, int(rng.integers(2, 7)))).tolist():
        _ship(s, (wide * rng.uniform(0.03, 0.97), horizon + 0.004 + 0.2 * size), size, mood, 0.5)
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform(0.14, 0.4)
        _ship(s, (wide * rng.uniform(0.1, 0.9), horizon + 0.25 * size + 0.01), size, mood, 0.08)


def _sea(s: Sketch, mood: Mood, horizon: float) -> None:
    """Swell in perspective, with cloud shadows and crests."""
    rng = s.rng
    t = unit((s.y - horizon) / (s.height - horizon))
    sea, depth, warp = s.below(horizon), 1 / (t + 0.12), s.noise(0.12, 4, 3) - 0.5
    swell = 0.5 + 0.5 * np.sin(rng.uniform(9, 16) * depth + 7 * warp + 2 * s.x * rng.normal(0, 1))
    tone = 0.45 * swell * swell + 0.5 * s.noise(0.03, 4, 5) + 0.15 * (0.5 - t)
    water = mix(mood.sky, UMBER if mood is EVENING else VERDIGRIS, 0.35)
    tones = mix(mood.land[0], water, 0.35), mix(water, mood.land[0], 0.25), mix(water, mood.cloud[2], 0.6)
    s.lay(sea, ramp(tone, *tones), 0.12 * np.cos(8 * depth + 7 * warp), 0.2)
    s.shade(0.5 * smoothstep(0.55, 0.7, s.noise(0.3, 2, 4)) * sea, mix(mood.land[0], BLACK, 0.2))
    s.scatter(sea * smoothstep(0.7, 1.0, swell), 600, 0.03, 0.004, (mood.cloud[2], 0.7), 0.05)


HULL = outline("-.62 -.28 -.52 -.12 -.46 .04 .42 .05 .52 -.1 .56 -.34 .36 -.32 .32 -.14 -.2 -.1 -.42 -.2")
RIGS = ((-0.05,), (-0.22, 0.2), (-0.36, -0.02, 0.3))
GAFF = outline(".02 -.95 .5 -.8 .46 -.2 .02 -.14"), outline("-.02 -.8 -.02 -.2 -.55 -.22")
SQUARE = (
    outline("-.1 -.92 .1 -.92 .13 -.68 0 -.72 -.13 -.68"),
    outline("-.14 -.62 .14 -.62 .18 -.26 0 -.3 -.18 -.26"),
)


def _ship(s: Sketch, at: tuple[float, float], h: float, mood: Mood, share: float) -> None:
    """A ship of mast height `h`; `share` is the air before it."""
    rng, (x, y) = s.rng, at
    side = pick(rng, (-1.0, 1.0))
    hull = mix(pick(rng, swatch("32261d 463729 2c221c")), mood.horizon, share)
    canvas_ = mix(pick(rng, swatch("d6c49e d6c49e cec2a8 966042")), mood.horizon, share)
    sail = mix(canvas_, mood.cloud[0], 0.75), canvas_, mix(canvas_, WHITE, 0.3)
    flag = mix(pick(rng, (VERMILION, WHITE, AZURITE)), mood.horizon, share)
    w = s.around(x, y - 0.6 * h, 1.2 * h)
    w.shade(
        0.5 * w.ellipse(x + 0.05 * h, y + 0.16 * h, 0.62 * h, 0.13 * h, 0.5), mix(hull, mood.land[0], 0.5)
    )
    masts = pick(rng, RIGS)
    for m in masts:
        tall = rng.uniform(0.95, 1.3) * (1.15 if m == masts[len(masts) // 2] else 1)
        for shape in GAFF if len(masts) == 1 else SQUARE:
            w.part(placed(shape * (1, tall) + (m, 0), x, y, h, side), sail, 0.1 * h, (1.5, 0.4 * h, 0.02 * h))
        w.line(placed([(m, -0.1), (m, -tall)], x, y, h, side), 0.016 * h, hull)
        w.line(
            placed([(m, -tall), (m + 0.07, -tall - 0.03), (m + 0.14, -tall)], x, y, h, side), 0.025 * h, flag
        )
    w.line(placed([(-0.5, -0.2), (-0.85, -0.42)], x, y, h, side), 0.018 * h, hull)
    w.part(placed(HULL, x, y, h, side), (mix(hull, BLACK, 0.4), hull, mix(hull, OCHRE, 0.45)), 0.08 * h)
    w.line(
        placed([(-0.45, -0.13), (0.0, -0.06), (0.45, -0.14)], x, y, h, side), 0.02 * h, mix(hull, OCHRE, 0.5)
    )


def open_ground(s: Sketch) -> bool:
    """A sky and a plain behind figures."""
    mood = pick(s.rng, (DAY, EVENING, OVERCAST, BROWN_AIR))
    sky(s, mood, s.height * 0.7)
    for k in (0, 2):  # no mill behind a saint's head
        land(s, mood, s.height * 0.55, k, 3)
    return False

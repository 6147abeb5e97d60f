"""Still lifes and bouquets."""

from __future__ import annotations

import numpy as np

from generators.painter.pigments import (
    BLACK,
    BROWN,
    CREAM,
    DYED,
    GREEN_CLOTH,
    GREY,
    LAKE,
    LINEN,
    OLIVE,
    RED_CLOTH,
    ROSE,
    SMALT,
    UMBER,
    VERDIGRIS,
    VERMILION,
    WHITE,
    YELLOW,
    YELLOW_CLOTH,
    Field,
    Tones,
    mix,
    ramp,
    smoothstep,
    swatch,
    unit,
)
from generators.painter.sitters import ground
from generators.painter.sketch import Sketch, blurred, box, chance, outline, pick, rounded


def ball(
    s: Sketch, x: float, y: float, rx: float, ry: float, tones: Tones, look: tuple[float, float]
) -> None:
    """A round thing on a table, with its cast shadow; `look` is (gloss, unevenness), each 0-1."""
    w = s.within(x - 1.3 * rx, y - 1.3 * ry, x + 2.6 * rx, y + 1.6 * ry)
    w.shade(0.5 * w.ellipse(x + 0.7 * rx, y + 0.85 * ry, 1.25 * rx, 0.3 * ry, 0.6), mix(BLACK, tones[0], 0.2))
    p, q = w.local(x, y, rx, ry)
    rho = p * p + q * q
    light = unit(-0.52 * p - 0.58 * q + 0.62 * np.sqrt(unit(1 - rho)))
    light += 0.2 * unit(p + q - 0.8) + w.grain(look[1], max(0.02, 0.3 * rx)) + 0.03
    edge = max(0.03, 0.7 / (rx * w.px))
    w.lay(smoothstep(1 + 2 * edge, 1 - 2 * edge, rho), ramp(light, *tones), np.arctan2(p, -q), 0.5)
    glint = np.exp(-(((p + 0.36) / 0.13) ** 2) - ((q + 0.42) / 0.1) ** 2)
    w.lay(look[0] * glint, (250, 244, 230))


PROFILES = {
    "jug": outline("0 .15 .06 .125 .25 .11 .35 .15 .55 .29 .72 .32 .9 .23 .97 .17 1 .18"),
    "bottle": outline("0 .06 .04 .05 .3 .06 .4 .12 .5 .22 .65 .26 .9 .24 1 .18"),
    "urn": outline("0 .2 .05 .17 .15 .18 .35 .34 .6 .36 .85 .14 .92 .13 1 .22"),
    "goblet": outline("0 .19 .2 .2 .36 .16 .42 .06 .5 .03 .6 .05 .7 .03 .9 .05 .95 .15 1 .17"),
    "roemer": outline("0 .16 .2 .2 .42 .16 .5 .1 .7 .1 .88 .11 .95 .17 1 .18"),
    "bowl": outline(".55 .42 .62 .4 .8 .3 .93 .16 1 .17"),
}
"""Turned vessels: half width by depth below the rim, in heights."""

PORCELAIN: Tones = swatch("282e3a 8a929a e2ded2")
WARES: tuple[Tones, ...] = (
    PORCELAIN,
    swatch("32261d 6e523c c4aa86"),
    swatch("262524 686661 ded6c6"),
    swatch("171412 603826 b28052"),
    swatch("302214 9a7236 eed48e"),
    swatch("58544e b0a898 ebe3cf"),
)


def vessel(s: Sketch, x: float, base: float, h: float) -> None:
    """A turned vessel of pottery, metal or glass."""
    rng, kind = s.rng, pick(s.rng, tuple(PROFILES))
    depth, radius = PROFILES[kind].T
    rows = np.linspace(depth[0], 1, 40)
    half = blurred(np.interp(rows, depth, radius)[None] * h, 1.0)[0]
    ys = base - h + rows * h
    w = s.within(x - 0.7 * h, base - 1.2 * h, x + h, base + 0.15 * h)
    w.shade(0.65 * w.ellipse(x + 0.3 * h, base - 0.01, 0.5 * h, 0.06 * h, 0.6))
    mask = w.polygon(np.concatenate([np.stack([x - half, ys], 1), np.stack([x + half, ys], 1)[::-1]]))
    p = (w.x - x) / np.maximum(np.interp(w.y, ys, half), 1e-3)
    light = unit(0.75 * np.sqrt(unit(1 - p * p)) - 0.5 * p - 0.12) + 0.14 * unit(p - 0.7)
    if kind in ("roemer", "bottle") and chance(rng, 0.8):
        _glass(w, mask, p, (w.y - base) / h, (-0.82, -0.6) if kind == "roemer" else (-0.5, -0.05))
    else:
        ware = pick(rng, WARES)
        if kind == "jug":
            ring = w.ellipse(x + 0.2 * h, base - 0.68 * h, 0.22 * h, 0.24 * h, 0.06)
            ring = ring - w.ellipse(x + 0.2 * h, base - 0.68 * h, 0.165 * h, 0.185 * h, 0.08)
            w.lay(unit(ring), ramp(0.6 - 1.5 * (w.x - x - 0.2 * h) / h, *ware))
        w.lay(mask, ramp(light + w.grain(0.12, 0.05), *ware), np.pi / 2 + 0.3 * p, 0.6)
        if ware is PORCELAIN:
            pattern = smoothstep(0.55, 0.7, w.noise(0.05, 2)) * (np.abs(p) < 0.9)
            w.lay(0.5 * mask * pattern, ramp(light, BLACK, (52, 68, 104), SMALT))
        w.shade(0.7 * w.ellipse(x, ys[0], half[0], 0.2 * half[0], 0.1), mix(ware[0], BLACK, 0.3))
    u, v = x - 0.42 * half[14], ys[14]
    w.line([(u, v - 0.04 * h), (u - 0.01 * h, v), (u, v + 0.03 * h)], 0.016 * h, mix(CREAM, GREY, 0.2))


def _glass(w: Sketch, mask: Field, p: Field, up: Field, filled: tuple[float, float]) -> None:
    """Green glass, filled with wine between two heights; `up` is the height by the vessel's, from -1 to 0."""
    tint = mix(pick(w.rng, (VERDIGRIS, OLIVE, GREY)), BLACK, 0.25)
    wine = pick(w.rng, (mix(YELLOW, OLIVE, 0.4), mix(LAKE, BLACK, 0.2)))
    curved = up - 0.035 * np.sqrt(unit(1 - p * p))
    body = ramp(0.35 + 0.4 * p * p + 0.2 * p, mix(tint, BLACK, 0.6), tint, mix(tint, WHITE, 0.35))
    w.lay(0.55 * mask, body, np.pi / 2, 0.8)
    level = smoothstep(filled[0] - 0.03, filled[0], curved) * smoothstep(filled[1] + 0.03, filled[1], curved)
    deep = 0.25 + 0.45 * unit(p) + 0.3 * smoothstep(*filled, curved)
    full = ramp(deep, mix(wine, BLACK, 0.6), wine, mix(wine, CREAM, 0.4))
    w.lay(0.85 * mask * level * smoothstep(0.95, 0.85, np.abs(p)), full)
    w.lay(0.55 * mask * smoothstep(0.85, 1.0, np.abs(p)), mix(tint, BLACK, 0.5))
    gleam = 0.5 * np.exp(-(((p - 0.74) / 0.07) ** 2)) + 0.3 * np.exp(-(((p + 0.82) / 0.05) ** 2))
    w.lay(mask * gleam * smoothstep(-0.3, -0.6, up), mix(tint, CREAM, 0.7))
    w.lay(0.45 * mask * smoothstep(0.025, 0.0, np.abs(curved + 1.0)), mix(tint, CREAM, 0.6))


FRUITS: tuple[Tones, ...] = (
    swatch("360f0d 942e20 da8a52"),
    swatch("442c0e b27c32 ecc676"),
    swatch("282b10 707434 ccc478"),
    swatch("441c17 b66a48 eec69a"),
    swatch("181018 402d3e 8c7e8c"),
    swatch("56280c be6824 eeb25e"),
)
GRAPES: tuple[Tones, ...] = (swatch("140f16 38283a 7e6c7e"), swatch("2c3018 70723c cec688"))
PEWTER: Tones = swatch("2a2826 74706a d0ccc0")
PEEL: Tones = swatch("684c16 caa03c f4de8a")
CRUST: Tones = swatch("3a2414 926438 d6aa6c")


def _fruits(s: Sketch, x: float, y: float) -> None:
    rng, tones = s.rng, pick(s.rng, FRUITS)
    for dx in rng.permutation([-0.075, 0.0, 0.07])[: int(rng.integers(1, 4))].tolist():
        r = rng.uniform(0.045, 0.065)
        ball(s, x + dx, y - r * 0.9, r, r * rng.uniform(0.86, 1.0), tones, (rng.uniform(0.1, 0.7), 0.25))
        s.line([(x + dx, y - 1.72 * r), (x + dx + 0.008, y - 1.95 * r)], 0.005, UMBER)


def _grapes(s: Sketch, x: float, y: float) -> None:
    rng, tones = s.rng, pick(s.rng, GRAPES)
    for _ in range(int(rng.integers(16, 28))):
        r = rng.uniform(0.016, 0.021)
        ball(s, x + rng.normal(0, 0.045), y - abs(rng.normal(0, 0.035)) - 0.01, r, r, tones, (0.7, 0.0))


def _plate(s: Sketch, x: float, y: float) -> None:
    """A pewter plate with something on it."""
    r, w = s.rng.uniform(0.13, 0.19), s.within(x - 0.25, y - 0.2, x + 0.3, y + 0.15)
    w.shade(0.5 * w.ellipse(x + 0.03, y + 0.02, 1.05 * r, 0.26 * r, 0.4))
    p, q = w.local(x, y, r, 0.24 * r)
    rim = 0.5 + 0.35 * np.cos(2 * np.arctan2(q, p) + 0.8) * unit(np.hypot(p, q))
    w.lay(w.ellipse(x, y, r, 0.24 * r, 0.05), ramp(rim, *PEWTER), np.arctan2(p, -0.24 * q), 0.4)
    w.shade(
        0.5 * (w.ellipse(x, y, 0.74 * r, 0.17 * r, 0.05) - w.ellipse(x, y, 0.68 * r, 0.15 * r, 0.05)),
        PEWTER[0],
    )
    pick(s.rng, (_fruits, _lemon, _grapes))(s, x, y)


def _lemon(s: Sketch, x: float, y: float) -> None:
    """A lemon, at times half peeled."""
    ball(s, x, y - 0.045, 0.06, 0.047, PEEL, (0.6, 0.3))
    if chance(s.rng, 0.6):
        w = s.around(x, y, 0.1)
        w.lay(w.ellipse(x - 0.03, y - 0.045, 0.03, 0.04, 0.1), (236, 220, 170), fine=1.0)
        turn = np.linspace(0, 1, 18)
        curl = np.stack([x - 0.06 - 0.03 * np.sin(9 * turn), y + 0.13 * turn - 0.02], 1)
        for a, b, c in zip(curl[:-1], curl[1:], np.cos(9 * turn).tolist(), strict=False):
            s.line([a, b], 0.014 + 0.006 * c, mix(PEEL[2], PEEL[0], 0.45 + 0.35 * c))


def _bread(s: Sketch, x: float, y: float) -> None:
    r = s.rng.uniform(0.08, 0.12)
    ball(s, x, y - 0.05, r, 0.055, CRUST, (0.0, 0.6))
    for dx in (-0.4, -0.1, 0.2):
        s.line([(x + (dx - 0.08) * r, y - 0.09), (x + (dx + 0.1) * r, y - 0.06)], 0.01, (226, 190, 136))


def _book(s: Sketch, x: float, y: float) -> None:
    rng, cover = s.rng, pick(s.rng, DYED)
    w, h = rng.uniform(0.2, 0.28), rng.uniform(0.035, 0.06)
    k = s.within(x - w, y - 0.2, x + w, y + 0.1)
    k.shade(0.5 * k.ellipse(x + 0.05, y, 0.7 * w, 0.04, 0.5))
    leaves = 0.6 + k.grain(0.6, 0.008, 20) - 0.5 * (k.x - x) / w
    k.lay(k.polygon(box(x - w / 2, y - h, w, h)), ramp(leaves, (104, 88, 62), (206, 190, 154)), 0.0, 0.6)
    top, back = y - h, y - h - 0.05
    board = [(x - w / 2, top), (x - 0.35 * w, back), (x + 0.6 * w, back), (x + w / 2, top)]
    k.lay(k.polygon(board), mix(cover[1], cover[2], 0.4), 0.0)


WALLS = (
    (BLACK, BROWN),
    swatch("171412 383229"),
    swatch("32261d 6c5c44"),
    swatch("423e36 9a907c"),
    swatch("141512 3c4032"),
)
BOARDS: tuple[Tones, ...] = (
    swatch("171412 32261d 64462e"),
    swatch("32261d 684c34 987650"),
    swatch("3a3834 7a746a b8b0a0"),
    RED_CLOTH,
    GREEN_CLOTH,
)
THINGS = (_fruits, _fruits, _fruits, _grapes, _plate, _lemon, _bread, _book)


def still_life(s: Sketch) -> None:
    """A laid table: vessels, fruit, plates, a cloth."""
    rng, wide = s.rng, s.width
    ground(s, *pick(rng, WALLS))
    table = s.height * rng.uniform(0.6, 0.72)
    drop = table + rng.uniform(0.14, 0.24)
    board = pick(rng, BOARDS)
    s.lay(s.below(table), ramp(0.7 - 0.4 * s.x / wide + s.grain(0.3, 0.04, 8), *board), 0.0)
    s.lay(s.below(drop), ramp(0.26 - 0.18 * s.x / wide + s.grain(0.2, 0.05, 8), *board), 0.0)
    if chance(rng, 0.6):
        _napkin(s, table, drop)
    middle, spread = wide * rng.uniform(0.38, 0.62), min(wide, 1.7) * rng.uniform(0.28, 0.4)
    for f in rng.uniform(-0.75, 0.75, int(rng.integers(2, 5))).tolist():
        tall = rng.uniform(0.28, 0.55) * (1.15 - 0.4 * abs(f))
        vessel(s, middle + spread * f, table + rng.uniform(0.02, 0.05), tall)
    n = int(rng.integers(5, 11))
    rows, columns = np.sort(rng.uniform(table + 0.05, drop - 0.01, n)), rng.permutation(np.linspace(-1, 1, n))
    for y, f in zip(rows.tolist(), columns.tolist(), strict=True):
        pick(rng, THINGS)(s, middle + spread * f + rng.normal(0, 0.03), y)


def _napkin(s: Sketch, table: float, drop: float) -> None:
    """A cloth that hangs over the front of the table."""
    rng, low = s.rng, s.height + 0.1
    x0, x1 = s.width * rng.uniform(0.0, 0.45), s.width * rng.uniform(0.55, 0.9)
    left = [(x0 - 0.05, low), (x0 - 0.04, drop), (x0, table + 0.02)]
    right = [(x1, table + 0.01), (x1 + 0.06, drop), (x1 - 0.02, low)]
    folds = 0.035 * s.folds(rng.uniform(1.0, 1.9), 0.14) * smoothstep(table - 0.1, drop + 0.1, s.y)
    cloth = pick(rng, (LINEN, LINEN, RED_CLOTH, YELLOW_CLOTH))
    s.solid(s.polygon(rounded(left + right, 1)), cloth, 0.06, folds + 0.02 * s.noise(0.15, 3))


BLOOMS: tuple[Tones, ...] = (
    (LAKE, VERMILION, ROSE),
    swatch("966050 deb8a2 ebe3cf"),
    swatch("8c8678 cebe9c ebe3cf"),
    swatch("7a521a ceaa54 f0dc96"),
    swatch("2c3254 5e6a90 b2b8c6"),
    swatch("5a2a18 be602e ecac64"),
    swatch("68323c b26a74 e8c6c0"),
)


def flowers(s: Sketch) -> None:
    """A bouquet in a vase before a wall."""
    rng = s.rng
    ground(s, *pick(rng, (*WALLS, *WALLS[:2])))
    table = s.height * rng.uniform(0.82, 0.9)
    s.lay(
        s.below(table),
        ramp(0.7 - 0.5 * s.x / s.width + s.grain(0.3, 0.05, 6), BLACK, BROWN, (114, 90, 62)),
        0.0,
    )
    x, y, r, spread = (
        s.width / 2 + rng.normal(0, 0.08),
        table - 0.5,
        rng.uniform(0.3, 0.36),
        min(1.3, s.width),
    )
    vessel(s, x, table + 0.06, 0.34)
    _leaves(s, (x, y), r, spread)
    n = int(rng.integers(16, 30))
    away, around = r * np.sqrt(np.linspace(1.15, 0.0, n)), rng.uniform(0, 2 * np.pi, n)
    for a, d in zip(around.tolist(), away.tolist(), strict=True):
        bloom = _tulip if d > 0.7 * r and chance(rng, 0.4) else _rose
        size = rng.uniform(0.035, 0.095) * (1.15 - 0.4 * d / r)
        bloom(s, x + spread * d * np.cos(a), y + d * np.sin(a), size)
    for _ in range(int(rng.integers(0, 4))):
        _rose(s, s.width / 2 + rng.normal(0, 0.3), table + rng.uniform(0.03, 0.07), 0.045)


def _leaves(s: Sketch, at: tuple[float, float], r: float, spread: float) -> None:
    """The dark heart of a bouquet and the leaves that stand out of it."""
    rng, (x, y), n = s.rng, at, 90
    heart = smoothstep(0.1, -0.15, np.hypot((s.x - x) / spread, s.y - y) - r + s.grain(0.25, 0.12))
    s.lay(heart, ramp(s.noise(0.06, 3), BLACK, (24, 28, 19), (56, 56, 34)), 6 * s.noise(0.1, 2))
    a, d = rng.uniform(0, 2 * np.pi, n), r * np.sqrt(rng.uniform(0.1, 1.25, n))
    greens = np.array(swatch("444226 345244 5c6242 282e1e 1e241a"), np.float64)
    green = greens[rng.integers(len(greens), size=n)] * rng.uniform(0.5, 1, (n, 1))
    centre, turn = np.stack([x + spread * d * np.cos(a), y + d * np.sin(a)], 1), a + rng.normal(0, 0.6, n)
    s.strokes(centre, turn, 0.11, rng.uniform(0.012, 0.028, n), green, 0.3)
    s.strokes(centre - 0.004, turn, 0.11, 0.004, green * 1.35, 0.3)


def _rose(s: Sketch, x: float, y: float, r: float) -> None:
    """Rings of petals, lit from the upper left."""
    rng, tones = s.rng, pick(s.rng, BLOOMS)
    w = s.within(x - 1.3 * r, y - 1.3 * r, x + 1.6 * r, y + 1.6 * r)
    w.lay(0.6 * w.ellipse(x + 0.25 * r, y + 0.3 * r, 1.15 * r, 1.15 * r, 0.25), BLACK)
    p, q = w.local(x, y, r, r)
    w.lay(
        w.ellipse(x, y, 0.85 * r, 0.8 * r, 0.12),
        ramp(0.45 - 0.4 * p - 0.4 * q, *tones),
        np.arctan2(p, -q),
        0.3,
    )
    squash = rng.uniform(0.7, 1.0)
    for ring, size in ((0.8, 0.5 * r), (0.5, 0.42 * r), (0.22, 0.3 * r)):
        n = int(rng.integers(6, 10))
        a = np.arange(n) * 2 * np.pi / n + rng.uniform(0, 6)
        away = ring * r * np.stack([np.cos(a), squash * np.sin(a)], 1)
        t = unit(0.5 - 0.42 * np.cos(a) - 0.45 * np.sin(a) + rng.normal(0, 0.16, n))
        for at, length, width, lift in (
            (away, 1.5, 0.8, 0.0),
            (away + 0.08 * r, 1.0, 0.16, -0.45),
            (0.8 * away - 0.05 * r, 0.7, 0.12, 0.35),
        ):
            w.strokes(
                np.add(at, (x, y)), a + np.pi / 2, length * size, width * size, ramp(t + lift, *tones), 0.7
            )
    w.strokes([(x, y)], 0.0, 0.15 * r, 0.16 * r, pick(rng, (YELLOW, BROWN, tones[0])))


def _tulip(s: Sketch, x: float, y: float, r: float) -> None:
    """A flamed tulip on its stalk."""
    rng, tones = s.rng, pick(s.rng, BLOOMS)
    lean = rng.uniform(-0.5, 0.5)
    up = np.array((np.sin(lean), -np.cos(lean)))
    foot = np.array((x, y)) - 0.9 * r * up
    s.line([foot - 2 * r * up, foot], 0.2 * r, (66, 76, 46))
    for turn, tone in ((-0.45, 0.85), (0.5, 0.2), (0.05, 0.6)):
        a = lean + turn - np.pi / 2
        d = np.array((np.cos(a), np.sin(a)))
        s.strokes([foot + 0.8 * r * d], a, 1.6 * r, 0.75 * r, ramp(tone, *tones), 0.25)
        flames = rng.uniform(-0.25, 0.25, (5, 1)) * (-d[1], d[0]) + d * rng.uniform(0.5, 1.2, (5, 1))
        s.strokes(
            foot + r * flames,
            a,
            0.6 * r,
            0.07 * r,
            mix(tones[2], WHITE, 0.4) if tone > 0.4 else tones[0],
            0.2,
        )

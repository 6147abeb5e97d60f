"""Rooms, churches, and plain passages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from generators.painter.pigments import (
    BLACK,
    BROWN,
    BURNT,
    CLOTHS,
    CREAM,
    DYED,
    GREEN_CLOTH,
    LAKE,
    OCHRE,
    OLIVE,
    RED_CLOTH,
    SKINS,
    SMALT,
    YELLOW,
    Colours,
    Field,
    Tones,
    mix,
    ramp,
    smoothstep,
    swatch,
    unit,
)
from generators.painter.sketch import Sketch, blurred, box, chance, pick
from generators.painter.staffage import person
from generators.painter.tables import vessel

ROOM_WALLS: tuple[Tones, ...] = (
    swatch("423c30 968c74 d4cab0"),
    swatch("32261d 6c583e b2986e"),
    swatch("4c4b46 a6a296 e2dbcb"),
    swatch("171412 382c21 7e6648"),
)
TILES = (swatch("32261d b0a48a"), swatch("34302a 8c7050"), swatch("583a2a aa8a66"), swatch("3e4040 bcb6a8"))


@dataclass(frozen=True, slots=True)
class Room:
    """A box in one-point perspective: its vanishing point and the corners of its back wall."""

    vx: float
    vy: float
    x0: float
    x1: float
    y0: float
    y1: float

    def at(self, x: float, f: float, height: float) -> tuple[float, float]:
        """A point of the left wall at the sketch's x and the share f of the wall's height."""
        t = x / self.x0
        return x, (1 - t) * f * height + t * (self.y0 + f * (self.y1 - self.y0))


def interior(s: Sketch) -> None:
    """A room lit by windows at the left, people and a table."""
    rng, wide, high = s.rng, s.width, s.height
    vx, vy, k = wide * rng.uniform(0.38, 0.7), high * rng.uniform(0.38, 0.52), rng.uniform(0.4, 0.62)
    room = Room(vx, vy, vx - k * vx, vx + k * (wide - vx), vy - k * vy, vy + k * (high - vy))
    rough = s.grain(0.3, 0.15)
    _walls(s, room, rough)
    _floor(s, room, rough)
    _windows(s, room)
    _hangings(s, room)
    for y in np.sort(rng.uniform(room.y1 + 0.02, high * 0.97, int(rng.integers(1, 4)))).tolist():
        person(s, wide * rng.uniform(0.3, 0.8), y, (y - vy) * rng.uniform(1.0, 1.15))
    if chance(rng, 0.6):
        _table(s, wide * rng.uniform(0.1, 0.45), room.y1 + rng.uniform(0.15, 0.3), rng.uniform(0.25, 0.36))
    if chance(rng, 0.35):
        _curtain(s)
    s.shade(0.5 * smoothstep(0.3, 1.1, s.x / wide + 0.4 * s.y / high - 0.35), (20, 15, 11))


def _walls(s: Sketch, room: Room, rough: Field) -> None:
    """Back, left and right wall and the beams; the light comes from the left."""
    wide, high, tones, up = s.width, s.height, pick(s.rng, ROOM_WALLS), np.pi / 2
    x0, x1, y0, y1 = room.x0, room.x1, room.y0, room.y1
    glow = np.exp(-np.hypot((s.x - x0) * 0.8, s.y - y0 - 0.4 * (y1 - y0)) * 1.6)
    s.lay(1.0, ramp(0.2 + 0.75 * glow + rough, *tones), up)
    left = [(0, 0), (x0, y0), (x0, y1), (0, high), (-1, high), (-1, 0)]
    s.lay(s.polygon(left), ramp(0.16 + 0.25 * s.x / x0 + rough, *tones), up)
    right = [(wide, 0), (x1, y0), (x1, y1), (wide, high), (wide + 1, high), (wide + 1, 0)]
    s.lay(s.polygon(right), ramp(0.5 - 0.45 * (s.x - x1) / (wide - x1) + rough, *tones), up)
    beams = smoothstep(0.3, 0.5, np.abs((4 * room.vy / np.maximum(room.vy - s.y, 0.02)) % 1 - 0.5) * 2)
    wood = ramp(0.1 + 0.35 * (1 - beams) + rough, BLACK, BROWN, (122, 94, 64))
    s.lay(s.polygon([(0, 0), (x0, y0), (x1, y0), (wide, 0), (wide, -1), (0, -1)]), wood, 0.0)


def _floor(s: Sketch, room: Room, rough: Field) -> None:
    """Tiles or boards in perspective, with the light of the windows on them."""
    rng, wide, high = s.rng, s.width, s.height
    near = np.clip((s.y - room.vy) / (high - room.vy), 0.02, 2)
    n, pair = rng.uniform(3, 5.5), pick(rng, TILES)
    u, v = (s.x - room.vx) / near * n, 1.3 * n / near
    tiles = (np.floor(u) + np.floor(v)) % 2 if chance(rng, 0.65) else 0.35 + 0.25 * (np.floor(1.6 * u) % 2)
    shine = 0.35 * np.exp(-(((s.x - room.x0 - 0.6 * (s.y - room.y1)) / 0.35) ** 2))
    tone = 0.1 + 0.6 * tiles + rough + shine - 0.15 * near
    floor = [(0, high), (room.x0, room.y1), (room.x1, room.y1), (wide, high), (wide, high + 1), (0, high + 1)]
    s.lay(s.polygon(floor), ramp(tone, mix(pair[0], BLACK, 0.4), *pair), 0.0, 0.3)


def _windows(s: Sketch, room: Room) -> None:
    """One or two leaded windows in the left wall."""
    rng, glow, up = s.rng, pick(s.rng, swatch("e2dac2 c6ccc8 ecd6a0")), np.pi / 2

    def at(x: float, f: float) -> tuple[float, float]:
        return room.at(x, f, s.height)

    for a, b in ((0.06, 0.42), (0.55, 0.88))[int(chance(rng, 0.3)) :]:
        xs = room.x0 * a, room.x0 * (a + b) / 2, room.x0 * b
        quad = [at(xs[0], 0.12), at(xs[2], 0.12), at(xs[2], 0.58), at(xs[0], 0.58)]
        s.lay(s.polygon(quad), ramp(0.75 + s.grain(0.6, 0.08), mix(glow, SMALT, 0.6), glow), up, 0.6)
        for f in (0.12, 0.35, 0.58):
            s.line([at(xs[0], f), at(xs[2], f)], 0.012, BROWN)
        for x in xs:
            s.line([at(x, 0.12), at(x, 0.58)], 0.01, BROWN)


def _hangings(s: Sketch, room: Room) -> None:
    """Framed pictures, and a door."""
    rng, wide, tall = s.rng, room.x1 - room.x0, room.y1 - room.y0
    for place in (0.12, 0.5):
        x, y = room.x0 + wide * (place + rng.uniform(0, 0.1)), room.y0 + tall * rng.uniform(0.1, 0.22)
        w, h, e = wide * rng.uniform(0.15, 0.3), tall * rng.uniform(0.2, 0.36), 0.014
        if chance(rng, 0.55):
            s.shade(0.5 * s.polygon(box(x + 0.01, y + 0.015, w + 0.01, h + 0.005)))
            s.lay(s.polygon(box(x, y, w, h)), pick(rng, swatch("171412 32261d 6e522a")), 0.0, 0.5)
            view = ramp(0.7 * s.noise(0.05, 3, 2) + 0.4 * (y + h - s.y) / h, BROWN, OLIVE, CREAM)
            s.lay(s.polygon(box(x + e, y + e, w - 2 * e, h - 2 * e)), view, 0.0, 0.5)
    if chance(rng, 0.5):
        x, y = room.x0 + wide * 0.78, room.y1 - 0.68 * tall
        dusk = ramp((s.y - y) / (room.y1 - y), BLACK, BROWN, (162, 132, 86))
        s.lay(s.polygon(box(x, y, 0.17 * wide, room.y1 - y)), dusk, np.pi / 2, 0.4)


def _table(s: Sketch, x: float, base: float, w: float) -> None:
    """A table under a carpet, and a vessel on it."""
    rng, cloth, top = s.rng, pick(s.rng, DYED), base - 0.62 * w
    board = [(x, top), (x + 0.2 * w, top - 0.14 * w), (x + 1.2 * w, top - 0.14 * w), (x + 1.1 * w, top)]
    k = s.within(x - 0.2 * w, top - 0.2 * w, x + 1.6 * w, base + 0.2 * w)
    carpet = k.polygon([*board, (x + 1.13 * w, base), (x - 0.05 * w, base - 0.02)])
    k.shade(0.5 * k.ellipse(x + 0.7 * w, base, 0.8 * w, 0.08 * w, 0.5))
    k.solid(carpet, cloth, 0.06 * w, 0.08 * w * k.folds(np.pi / 2, 0.25 * w) * (k.y > top))
    k.lay(0.8 * k.polygon(board), mix(cloth[1], cloth[2], 0.5), 0.0)
    k.scatter(carpet, 160, 0.03, 0.012, (pick(rng, (OCHRE, CREAM, LAKE)), 0.5))
    vessel(s, x + 0.7 * w, top - 0.02 * w, 0.5 * w)


def _curtain(s: Sketch) -> None:
    """A curtain drawn aside at the right."""
    rng = s.rng
    edge = (
        rng.uniform(0.62, 0.78) * s.width
        + 0.1 * np.sin(3 * s.y + rng.uniform(0, 6))
        + 0.25 * smoothstep(0.5, 1, s.y)
    )
    mask = unit((s.x - edge) * s.px)
    s.solid(mask, pick(rng, DYED), 0.05, 0.05 * s.folds(np.pi / 2 - 0.15, 0.14))


STONES: tuple[Tones, ...] = (
    swatch("60584b bcb29c eee7d6"),
    swatch("42392c 9e8c6c deceaa"),
    swatch("221d18 5c4e3c ac9874"),
)


@dataclass(frozen=True, slots=True)
class Nave:
    """A church in one-point perspective, lengths by the distance to its first pillars."""

    eye: Field
    aisle: float
    vault: float
    floor: float
    capital: float
    far: int

    def at(self, x: Any, y: Any, z: Any) -> Field:
        """(..., 2) in the sketch."""
        x, y, z = np.broadcast_arrays(np.asarray(x, np.float64), y, z)
        return np.asarray(self.eye + np.stack([x / z, y / z], -1))


def church(s: Sketch) -> None:
    """The nave of a whitewashed church, arcades on both sides, people."""
    rng, stone = s.rng, pick(s.rng, STONES)
    eye = np.array((s.width * rng.uniform(0.2, 0.75), s.height * rng.uniform(0.55, 0.72)))
    aisle, vault, floor, capital = rng.uniform((0.3, 0.75, 0.25, 0.3), (0.6, 1.2, 0.4, 0.55)).tolist()
    nave = Nave(eye, aisle, vault, floor, capital, int(rng.integers(4, 6)))
    rough = s.grain(0.25, 0.1)
    _nave_shell(s, nave, stone, rough)
    for side, tone in ((-1, 0.5), (1, 0.82)):
        _arcade(s, nave, side, ramp(tone + rough, *stone), stone, rough)
    for z in np.sort(rng.uniform(0.9, nave.far, int(rng.integers(2, 8))))[::-1].tolist():
        x, y = nave.at(nave.aisle * rng.uniform(-0.8, 0.8), nave.floor, z).tolist()
        person(s, x, y, 0.26 / z)


def _nave_shell(s: Sketch, nave: Nave, stone: Tones, rough: Field) -> None:
    """Vault, floor, end wall and its windows."""
    a, far = nave.aisle, nave.far
    ribs = smoothstep(0.75, 0.95, np.cos(1.8 * np.pi / np.maximum((nave.eye[1] - s.y) / nave.vault, 0.05)))
    s.lay(1.0, ramp(0.62 + rough - 0.25 * ribs - 0.5 * np.abs(s.x - nave.eye[0]), *stone), 0.0, 1.0)
    floor = nave.at([-5, 5, a, -a], nave.floor, [1, 1, far, far])
    s.lay(s.polygon(floor), ramp(0.58 + rough - 0.2 * s.x / s.width, *stone), 0.0)
    end = nave.at([-a, a, a, -a], [-nave.vault, -nave.vault, nave.floor, nave.floor], far)
    s.lay(s.polygon(end), ramp(0.85 + rough, *stone), np.pi / 2)
    for dx in (-0.15, 0.45):
        x, y = (
            a * (dx + np.array((0, 0, 0.15, 0.3, 0.3)) - 0.3),
            nave.vault * np.array((-0.1, -0.55, -0.7, -0.55, -0.1)),
        )
        s.lay(s.polygon(nave.at(x, y, far)), mix(stone[2], (226, 226, 214), 0.6), np.pi / 2, 0.5)


def _arcade(s: Sketch, nave: Nave, side: int, wall: Colours, stone: Tones, rough: Field) -> None:
    """A side wall, its arches from far to near, its pillars."""
    x, far = side * nave.aisle, nave.far
    t = np.linspace(0, 1, 13)
    arch = -nave.capital - 0.32 * np.sqrt(1 - (2 * t - 1) ** 2)
    s.lay(
        s.polygon(nave.at(x, [-nave.vault, nave.floor, nave.floor, -nave.vault], [0.3, 0.3, far, far])),
        wall,
        np.pi / 2,
    )
    beyond = (
        0.06
        + 0.5 * rough
        + 0.45 * smoothstep(nave.eye[1] + 0.1, nave.eye[1] - 0.35, s.y) * (0.6 + 0.4 * side)
    )
    aisle = ramp(beyond, *stone)
    for k in range(far, 0, -1):
        z = k - 0.78 + 0.8 * t
        opening = [nave.at(x, nave.floor, z[:1]), nave.at(x, arch, z), nave.at(x, nave.floor, z[-1:])]
        s.lay(s.polygon(np.concatenate(opening)), aisle, np.pi / 2)
    for k in range(far - 1, 0, -1):
        _pillar(s, nave.at(x, [-nave.capital, nave.floor], k + 0.02), 0.055 / k, stone)


def _pillar(s: Sketch, ends: Field, half: float, stone: Tones) -> None:
    """A round pillar with base and capital."""
    (x, top), (_, foot) = ends.tolist()
    w = s.within(x - 2 * half, top - half, x + 2 * half, foot + half)
    p = (w.x - x) / half
    light = 0.8 * np.sqrt(unit(1 - p * p)) - 0.45 * p + w.grain(0.2, 0.1)
    shaft = smoothstep(1.08, 0.96, np.abs(p)) * (w.y < foot) * (w.y > top)
    w.lay(shaft, ramp(light, *stone), np.pi / 2, 0.4)
    for y, h in ((foot, 0.8 * half), (top + 0.5 * half, 0.6 * half)):
        block = [(x - 1.5 * half, y), (x - 1.3 * half, y - h), (x + 1.3 * half, y - h), (x + 1.5 * half, y)]
        w.lay(w.polygon(block), ramp(0.55 - 0.3 * p, *stone), 0.0)


def drapery(s: Sketch) -> None:
    """A close view of folded cloth."""
    rng, cloth = s.rng, pick(s.rng, CLOTHS)
    along = rng.uniform(0, np.pi)
    # Folds that cross at right angles would make a network.
    fold = s.folds(along, rng.uniform(0.25, 0.5)) + 0.3 * s.folds(along + rng.uniform(-0.5, 0.5), 0.3)
    s.solid(np.ones_like(s.x), cloth, 0.01, rng.uniform(0.1, 0.18) * fold)
    if chance(rng, 0.5):
        edge = s.x / s.width - 0.55 + 0.3 * (s.y / s.height - 0.5) + s.grain(0.3, 0.4)
        mask = unit(blurred(edge, 0.03 * s.px) * s.px * s.width)
        s.solid(mask, pick(rng, CLOTHS), 0.08, 0.1 * s.folds(rng.uniform(0, 3), 0.25))


PASSAGES: tuple[Tones, ...] = (
    swatch("171412 32261d 403226"),
    swatch("171412 1e1c1a 32261d"),
    swatch("768696 b0b4b2 d6c49e"),
    SKINS[0][1:4],
    swatch("14180e 444226 5c6242"),
    swatch("968e7c d6c49e ebe3cf"),
    RED_CLOTH,
    swatch("1e283e 486680 768696"),
    (BURNT, OCHRE, YELLOW),
    swatch("463729 786850 aa9878"),
    GREEN_CLOTH,
)


def passage(s: Sketch) -> None:
    """A plain passage: ground, sky, flesh, foliage or water without a motif."""
    rng, tones = s.rng, pick(s.rng, PASSAGES)
    a = rng.uniform(0, 2 * np.pi)
    slope = (s.x / s.width - 0.5) * np.cos(a) + (s.y / s.height - 0.5) * np.sin(a)
    mottled = 0.75 * (s.noise(rng.uniform(0.25, 0.6), 4) - 0.5)
    s.lay(1.0, ramp(0.5 + 0.5 * slope + mottled, *tones), a + s.grain(2.0, 0.4))
    if chance(rng, 0.6):
        edge = slope - rng.uniform(-0.25, 0.25) + s.grain(0.35, 0.4)
        mask = smoothstep(-0.01, rng.uniform(0.02, 0.3), edge)
        s.lay(mask, ramp(s.noise(0.25, 4), *pick(rng, CLOTHS)), a + np.pi / 2)

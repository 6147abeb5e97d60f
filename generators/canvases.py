"""Clean paintings that never existed: compositions in historical pigments, painted stroke by stroke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generators.triplets import Image, Size, random_stream

CANVAS_VERSION = 1
"""Goes up whenever a canvas changes for the same random stream and size."""

SMALLEST = 64
"""Shortest side of a canvas in px."""

Field = npt.NDArray[np.float64]
Paint = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
Tones = tuple[Colour, ...]

# --- pigments (sRGB, as they look in a varnished oil film) ---
WHITE, CREAM, YELLOW = (235, 227, 207), (214, 196, 158), (210, 172, 80)
OCHRE, SIENNA, BURNT, UMBER = (168, 126, 68), (138, 92, 52), (104, 60, 40), (70, 55, 41)
BROWN, BLACK, GREY = (50, 38, 29), (23, 20, 18), (134, 130, 122)
VERMILION, LAKE, ROSE = (168, 62, 44), (98, 32, 34), (200, 148, 124)
AZURITE, ULTRAMARINE, SMALT = (72, 102, 128), (36, 48, 84), (118, 134, 150)
VERDIGRIS, EARTH_GREEN, OLIVE = (52, 82, 68), (92, 98, 66), (68, 66, 38)
GOLD, FLESH = (180, 138, 66), (208, 162, 126)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` is the second one's."""
    a, b, c = (p + (q - p) * share for p, q in zip(first, second, strict=True))
    return a, b, c


def ramp(t: Field, *colours: Colour) -> Paint:
    """(h, w) in [0, 1] -> (h, w, 3): the colours in even steps from 0 to 1."""
    pigments = np.array(colours, np.float64)
    at = np.linspace(0, len(colours) - 1, 256)[:, None]
    low = np.minimum(at.astype(np.intp), len(colours) - 2)[:, 0]
    table = (pigments[low] + (pigments[low + 1] - pigments[low]) * (at - low[:, None])).astype(np.float32)
    return table.take((np.clip(t, 0, 1) * 255).astype(np.intp), 0)


def smoothstep(low: Any, high: Any, t: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    s = np.clip((t - low) / (high - low), 0, 1)
    return s * s * (3 - 2 * s)


def rounded(points: Any, times: int = 2) -> Field:
    """Cut the corners of a closed polygon (Chaikin 1974)."""
    p = np.asarray(points, np.float64)
    for _ in range(times):
        q = np.roll(p, -1, 0)
        p = np.stack([0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q], 1).reshape(-1, 2)
    return p


@dataclass(frozen=True, slots=True)
class Dabs:
    """Strokes laid by hand: (n, 4, 2) points and (n,) widths in short sides, (n, 3) colours."""

    points: Field
    widths: Field
    colours: Field


@dataclass(frozen=True, slots=True)
class Sketch:
    """A composition under construction, at a coarse raster. Lengths are in short sides of the canvas.

    `over` holds how many batches of dabs lay below the topmost paint: earlier ones are hidden there.
    """

    width: float
    height: float
    x: Field
    y: Field
    colour: Paint
    flow: Field
    fine: Field
    over: npt.NDArray[np.int32]
    rng: np.random.Generator
    dabs: list[Dabs] = field(default_factory=list)

    @classmethod
    def blank(cls, size: Size, rng: np.random.Generator, zoom: float = 1.0, longest: int = 400) -> Sketch:
        """An empty sketch of a canvas, or of a detail of one, `zoom` times enlarged."""
        scale = min(1.0, longest / max(size))
        w, h = max(32, round(size[0] * scale)), max(32, round(size[1] * scale))
        y, x = (np.mgrid[0:h, 0:w] + 0.5) / (min(w, h) * zoom)
        width, height = w / min(w, h), h / min(w, h)
        x += rng.uniform(0.3, 0.7) * width * (1 - 1 / zoom)
        y += rng.uniform(0.3, 0.8) * height * (1 - 1 / zoom)
        return cls(width, height, x, y, np.zeros((h, w, 3), np.float32), np.zeros((h, w)), np.zeros((h, w)), np.zeros((h, w), np.int32), rng)

    @property
    def px(self) -> float:
        return float(1 / (self.y[1, 0] - self.y[0, 0]))

    def within(self, x0: float, y0: float, x1: float, y1: float) -> Sketch:
        """A window onto the same arrays (a thin one at the border where it lies outside)."""
        p, (h, w) = self.px, self.x.shape
        c0 = int(np.clip((x0 - self.x[0, 0]) * p, 0, w - 4))
        r0 = int(np.clip((y0 - self.y[0, 0]) * p, 0, h - 4))
        c1 = int(np.clip((x1 - self.x[0, 0]) * p + 2, c0 + 4, w))
        r1 = int(np.clip((y1 - self.y[0, 0]) * p + 2, r0 + 4, h))
        k = np.s_[r0:r1, c0:c1]
        return Sketch(self.width, self.height, self.x[k], self.y[k], self.colour[k], self.flow[k], self.fine[k], self.over[k], self.rng, self.dabs)

    def noise(self, cell: float, octaves: int = 4, stretch: float = 1.0, gain: float = 0.5) -> Field:
        """Value noise, mean about 0.5, 0-1; cells are `cell` high and `stretch` times as wide."""
        h, w = self.x.shape
        dy, dx = self.px * cell, self.px * cell * stretch
        total, weight, weights, octave = self.rng.random((int(h / dy) + 4, int(w / dx) + 4)), 1.0, 1.0, 1
        while min(dy, dx) > 3:
            dy, dx, octave = dy / 2, dx / 2, octave + 1
            shape = int(h / dy) + 4, int(w / dx) + 4
            total = cv2.resize(total, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)[: shape[0], : shape[1]]
            if octave <= octaves:
                weight *= gain
                weights += weight
                total = total + weight * self.rng.random(shape)
        total = cv2.resize(total, (round(total.shape[1] * dx), round(total.shape[0] * dy)), interpolation=cv2.INTER_CUBIC)
        return np.clip((total[:h, :w] / weights - 0.5) * 1.5 + 0.5, 0, 1)

    def polygon(self, points: Any) -> Field:
        """(n, 2) corners -> coverage (h, w) in [0, 1]."""
        corners = (np.asarray(points, np.float64) - (self.x[0, 0], self.y[0, 0])) * self.px
        mask = np.zeros(self.x.shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
        return mask / 255.0

    def local(self, cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> tuple[Field, Field]:
        """Coordinates in which the ellipse is the unit circle."""
        dx, dy = self.x - cx, self.y - cy
        c, s = np.cos(turn), np.sin(turn)
        return (dx * c + dy * s) / rx, (dy * c - dx * s) / ry

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, edge: float = 0.03, turn: float = 0.0) -> Field:
        """Soft-edged ellipse -> coverage; `edge` is relative to the radius."""
        p, q = self.local(cx, cy, rx, ry, turn)
        return smoothstep(1 + edge, 1 - edge, np.sqrt(p * p + q * q))

    def lay(self, mask: Any, colour: Any, flow: Any = None, fine: float | None = None) -> None:
        """Lay a colour (3,) or (h, w, 3) with coverage `mask`; set stroke direction and fineness there."""
        mask = np.broadcast_to(np.asarray(mask, np.float32), self.x.shape)
        rows = np.flatnonzero(mask.any(1))
        if not rows.size:
            return
        mask = mask[rows[0] : rows[-1] + 1]
        cols = np.flatnonzero(mask.any(0))
        k = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        mask, colour = mask[:, k[1]], np.asarray(colour, np.float32)
        self.colour[k] += ((colour[k] if colour.ndim == 3 else colour) - self.colour[k]) * mask[..., None]
        on = mask > 0.5
        self.over[k][on] = len(self.dabs)
        if flow is not None:
            np.copyto(self.flow[k], flow[k] if isinstance(flow, np.ndarray) else flow, where=on)
        if fine is not None:
            np.copyto(self.fine[k], fine, where=on)

    def relief(self, mask: Field, roundness: float, bump: Any = 0.0) -> tuple[Field, Field]:
        """Light in [0, 1] on the silhouette blown up to a solid, and the direction along its contours."""
        inside = np.pad((mask > 0.5).astype(np.uint8), 1, mode="edge")
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1].astype(np.float64) / self.px
        u = np.clip(depth / roundness, 0, 1)
        z = np.sqrt(u * (2 - u)) * roundness + bump
        gx, gy = self.slope(cv2.GaussianBlur(z, (0, 0), max(0.6, 0.006 * self.px)))
        return lambert(gx, gy), np.arctan2(gx, -gy)

    def slope(self, z: Field) -> tuple[Field, Field]:
        """Gradient of a height (h, w) given in short sides."""
        return cv2.Sobel(z, cv2.CV_64F, 1, 0) * (self.px / 8), cv2.Sobel(z, cv2.CV_64F, 0, 1) * (self.px / 8)

    def part(self, points: Any, tones: Tones, roundness: float, fold: tuple[float, float, float] | None = None, fine: float | None = None) -> None:
        """Model a polygon in the round, with folds of the given (direction, period, height)."""
        (x0, y0), (x1, y1) = np.min(points, 0) - 0.02, np.max(points, 0) + 0.02
        w = self.within(x0, y0, x1, y1)
        bump = fold[2] * w.folds(*fold[:2]) if fold else 0.0
        w.solid(w.polygon(points), *tones, roundness=roundness, bump=bump, fine=fine)

    def folds(self, angle: float, period: float) -> Field:
        """Height of folded cloth, 0-1: rounded ridges along `angle` that split, bend and run out."""
        c, d = np.cos(angle), np.sin(angle)
        u, v = self.x * c + self.y * d, self.y * c - self.x * d
        warp = self.noise(5 * period, 3) - 0.5
        first = np.sin(2 * np.pi * (v / period + 1.5 * warp))
        second = np.sin(2 * np.pi * (v / period * 0.47 + 2.2 * warp + 0.15 * u / period) + self.rng.uniform(0, 6))
        return 0.5 + 0.32 * second + 0.13 * first * (1 + second)

    def solid(self, mask: Field, *colours: Colour, roundness: float = 0.1, bump: Any = 0.0, fine: float | None = None) -> Field:
        """Model a silhouette in the round, from shadow to light."""
        light, along = self.relief(mask, roundness, bump)
        self.lay(mask, ramp(light, *colours), along, fine)
        return light

    def shade(self, mask: Field, colour: Colour = (18, 14, 12)) -> None:
        """Glaze a shadow."""
        self.lay(np.minimum(mask, 0.5), colour)

    def scatter(self, mask: Field, n: int, length: float, width: float, tint: Colour, share: float, angle: Any = None) -> None:
        """Scatter dabs where `mask` is set: local colour mixed with `tint`, along `angle` (None: any way)."""
        rows, cols = self.x.shape
        r, c = self.rng.integers(rows, size=n), self.rng.integers(cols, size=n)
        keep = mask[r, c] > self.rng.random(n) * 0.9 + 0.05
        r, c = r[keep], c[keep]
        k = len(r)
        a = self.rng.uniform(0, np.pi, k)
        if angle is not None:
            a = np.broadcast_to(angle, mask.shape)[r, c] + 0.25 * (a - np.pi / 2)
        centre = np.stack([self.x[r, c], self.y[r, c]], 1) + self.rng.normal(0, 0.5 / self.px, (k, 2))
        local = self.colour[r, c]
        colour = local + (np.array(tint) - local) * (share * self.rng.uniform(0.2, 1.2, (k, 1)))
        self.strokes(centre, a, length * self.rng.uniform(0.5, 1.3, k), width * self.rng.uniform(0.6, 1.3, k), colour)

    def strokes(self, centre: Any, angle: Any, length: Any, width: Any, colour: Any, bend: float = 0.4) -> None:
        """Add curved dabs by centre (n, 2), direction, length, width and colour (broadcast to n)."""
        centre = np.asarray(centre, np.float64)
        k = len(centre)
        turn = np.broadcast_to(angle, k)[:, None] + self.rng.uniform(-bend, bend, (k, 1)) * np.array([-1, 0, 1])
        step = np.stack([np.cos(turn), np.sin(turn)], 2) * (np.broadcast_to(length, k)[:, None, None] / 3)
        path = np.concatenate([np.zeros((k, 1, 2)), np.cumsum(step, 1)], 1)
        path += centre[:, None] - path.mean(1, keepdims=True)
        self.dabs.append(Dabs(path, np.broadcast_to(width, k), np.broadcast_to(np.asarray(colour, np.float64), (k, 3))))

    def line(self, points: Any, width: float, colour: Colour) -> None:
        """Add one dab along a parabola through three points, or straight between two."""
        p = np.asarray(points, np.float64)
        t = np.linspace(0, 1, 4)[:, None]
        if len(p) == 2:
            path = p[0] + (p[1] - p[0]) * t
        else:
            path = p[0] * (2 * (t - 0.5) * (t - 1)) + p[1] * (4 * t * (1 - t)) + p[2] * (2 * t * (t - 0.5))
        self.dabs.append(Dabs(path[None], np.array([width]), np.array([colour], np.float64)))


def lambert(gx: Field, gy: Field) -> Field:
    """Light from the upper left on a surface of the given slope, in [0, 1]."""
    light = (0.52 * gx + 0.58 * gy + 0.62) / np.sqrt(1 + gx * gx + gy * gy)
    return np.clip(light * 0.98 - 0.04, 0, 1)


def _pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


# --- open air ---


@dataclass(frozen=True, slots=True)
class Mood:
    """Colours of a sky and the land under it."""

    zenith: Colour
    sky: Colour
    horizon: Colour
    cloud: Tones
    land: Tones
    bare: bool = False


def _mood(zenith: Colour, sky: Colour, horizon: Colour, shade: Colour, light: Colour, *land: Colour, bare: bool = False) -> Mood:
    return Mood(zenith, sky, horizon, (shade, mix(shade, light, 0.55), light), land, bare)


DAY = _mood((84, 112, 138), (136, 148, 154), (208, 196, 164), (124, 122, 120), (232, 224, 206), (38, 38, 24), (86, 88, 54), (164, 150, 94))
EVENING = _mood((88, 98, 106), (170, 144, 108), (232, 194, 126), (116, 90, 76), (240, 206, 150), (34, 25, 16), (86, 68, 38), (184, 140, 70))
OVERCAST = _mood((108, 112, 112), (150, 147, 138), (198, 189, 168), (92, 90, 87), (212, 205, 190), (40, 35, 25), (92, 80, 54), (154, 136, 92))
STORM = _mood((44, 48, 52), (72, 74, 74), (150, 140, 116), (46, 47, 49), (158, 148, 126), (20, 18, 14), (50, 46, 32), (122, 106, 66))
WINTER = _mood((148, 158, 162), (190, 190, 182), (224, 212, 190), (160, 158, 152), (232, 226, 212), (104, 98, 88), (186, 180, 168), (234, 228, 214), bare=True)
NIGHT = _mood((12, 15, 20), (22, 27, 33), (54, 57, 55), (18, 20, 23), (86, 86, 77), (9, 9, 8), (22, 22, 18), (48, 46, 34))
DAWN = _mood((112, 128, 146), (190, 172, 160), (236, 202, 172), (136, 122, 126), (242, 218, 192), (50, 43, 38), (104, 99, 68), (186, 168, 118))
BROWN_AIR = _mood((118, 103, 78), (156, 135, 98), (194, 171, 127), (102, 86, 64), (206, 185, 144), (38, 28, 17), (92, 70, 42), (162, 130, 80))
MOODS = (DAY, DAY, EVENING, EVENING, OVERCAST, OVERCAST, STORM, WINTER, NIGHT, DAWN, BROWN_AIR)


def _sky(s: Sketch, mood: Mood, horizon: float) -> None:
    """Graded air and clouds lit from the upper left."""
    rng = s.rng
    t = np.clip(s.y / horizon, 0, 1)
    s.lay(1.0, ramp(t ** rng.uniform(0.7, 1.3), mood.zenith, mood.sky, mood.horizon), 0.15 * (s.noise(0.5, 2) - 0.5))
    low = s.noise(rng.uniform(0.25, 0.6), 5, stretch=rng.uniform(1.2, 3), gain=0.55)
    low += 0.15 * np.cos(t * rng.uniform(2, 7) + rng.uniform(0, 6))
    cover = smoothstep(0.0, rng.uniform(0.12, 0.4), low - rng.uniform(0.3, 0.62)) * smoothstep(1.02, 0.75, t)
    gx, gy = s.slope(cv2.GaussianBlur(low, (0, 0), 0.015 * s.px))
    s.lay(cover, ramp(0.55 + 0.09 * (gx + gy) - 0.25 * (low - 0.5), *mood.cloud), 0.8 * (s.noise(0.2, 3) - 0.5))


def _sun(s: Sketch, mood: Mood, horizon: float) -> None:
    rng = s.rng
    cx, cy = s.width * rng.uniform(0.25, 0.75), horizon * rng.uniform(0.35, 0.9)
    light = (150, 150, 128) if mood is NIGHT else (246, 222, 160)
    s.lay(0.75 * np.exp(-np.hypot(s.x - cx, s.y - cy) * rng.uniform(3, 6)), light)
    w = s.within(cx - 0.05, cy - 0.05, cx + 0.05, cy + 0.05)
    w.lay(w.ellipse(cx, cy, 0.02, 0.02, 0.3), mix(light, WHITE, 0.6))


def _ridge(s: Sketch, base: float, rough: float, cell: float) -> Field:
    """A skyline y(x) as (w,), jagged by `rough`."""
    line = np.zeros(512)
    for octave in range(6):
        grid = s.rng.random((1, int(s.width / cell * 2**octave) + 4))
        line += cv2.resize(np.repeat(grid, 2, 0), (512, 2), interpolation=cv2.INTER_CUBIC)[0] / 2**octave
    return np.interp(s.x[0], np.linspace(0, s.width, 512), base - rough * (line / 1.97 - 0.5))


def _tree(s: Sketch, x: float, base: float, r: float, tones: Tones, bare: bool = False) -> None:
    """A tree of crown radius `r` on the ground at (x, base)."""
    rng = s.rng
    top = (x + rng.normal(0, 0.2) * r, base - r * rng.uniform(1.1, 2.0))
    bole = r * rng.uniform(0.05, 0.09)
    w = s.within(x - 2 * r, top[1] - 1.8 * r, x + 2 * r, base + 0.1 * r)
    bark = mix(mix(tones[0], UMBER, 0.3), BLACK, 0.2), mix(UMBER, tones[0], 0.4), mix(OCHRE, tones[1], 0.6)
    trunk = [(x - 2 * bole, base), (x - 0.8 * bole, (2 * base + top[1]) / 3), (top[0] - 0.4 * bole, top[1]), (top[0] + 0.4 * bole, top[1]), (x + 0.8 * bole, (2 * base + top[1]) / 3), (x + 2.2 * bole, base)]
    w.part(trunk, bark, bole)
    for _ in range(6 if bare else 3):
        a, f = rng.uniform(-2.4, -0.7), rng.uniform(0.4, 0.9)
        at = np.array((x + (top[0] - x) * f, base + (top[1] - base) * f))
        end = at + r * rng.uniform(0.5, 0.9) * np.array((np.cos(a), np.sin(a)))
        w.line((at, (at + end) / 2 + (0, 0.05 * r), end), 0.6 * bole, bark[1])
    if bare:
        haze = smoothstep(1.1, 0.2, np.hypot(w.x - top[0], (w.y - top[1]) * 0.9) / r + 0.8 * (w.noise(0.2 * r, 3) - 0.5))
        w.lay(0.45 * haze, mix(UMBER, tones[1], 0.45))
        w.scatter(haze, 400, 0.1 * r, 0.012 * r, bark[1], 0.35)
        return
    _crown(w, top, r, rng.uniform(0.7, 1.25), tones)


def _crown(w: Sketch, top: tuple[float, float], r: float, tall: float, tones: Tones) -> None:
    """Foliage: clumps with ragged edges, then leaves in light and shade."""
    rng = w.rng
    f = np.full(w.x.shape, -1.0)
    for _ in range(int(rng.integers(9, 18))):
        a, d = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * r * 0.9
        rho = np.hypot(w.x - top[0] - d * np.cos(a), (w.y - top[1] - tall * 0.8 * d * np.sin(a)) * 1.2)
        f = np.maximum(f, 1 - rho / (r * rng.uniform(0.2, 0.5)))
    leaf = w.noise(0.14 * r, 4, stretch=1.4, gain=0.8)
    mask = smoothstep(0.0, 0.3, f + 1.3 * (leaf - 0.55))
    light, _ = w.relief(mask, 0.35 * r, bump=0.16 * r * leaf)
    body = smoothstep(1.0, -1.0, (w.x - top[0] + w.y - top[1]) / r)
    w.lay(mask, ramp(light * 0.5 + 0.3 * (leaf - 0.5) + 0.35 * body - 0.03, *tones), 3 * w.noise(0.2 * r, 2), 0.3)
    n = int(np.clip(6000 * r, 150, 1100))
    size = 0.035 + 0.05 * r
    w.scatter(mask * smoothstep(0.45, 0.75, light) * smoothstep(0.2, 0.6, body), n, size * 0.6, size * 0.22, mix(tones[2], YELLOW, 0.12), 0.6)
    w.scatter(mask, n // 2, size * 0.6, size * 0.22, mix(tones[0], BLACK, 0.2), 0.5)
    w.scatter(smoothstep(-0.5, 0.0, f) * (1 - mask), n // 2, size * 0.5, size * 0.2, mix(tones[0], tones[1], 0.5), 0.75)


def _place(shape: Any, x: float, y: float, size: float, side: float = 1.0) -> Field:
    """A silhouette in its own unit, facing left, set down at (x, y); `side` -1 turns it round."""
    return np.asarray(shape) * (side * size, size) + (x, y)


COW = ((-1.08, -0.66), (-1.0, -0.8), (-0.88, -0.9), (-0.9, -1.04), (-0.82, -0.94), (-0.6, -0.95), (-0.3, -0.9), (0.2, -0.92), (0.62, -0.88), (0.68, -0.6), (0.7, -0.25), (0.66, -0.25), (0.64, -0.6), (0.58, -0.3), (0.56, 0), (0.45, 0), (0.42, -0.32), (0.1, -0.27), (-0.3, -0.28), (-0.5, -0.32), (-0.52, 0), (-0.63, 0), (-0.68, -0.42), (-0.78, -0.6), (-0.9, -0.66), (-1.0, -0.56))


def _cow(s: Sketch, x: float, y: float, h: float) -> None:
    rng = s.rng
    coat = _pick(rng, (BURNT, CREAM, (60, 52, 46), UMBER, SIENNA))
    side = _pick(rng, (-1, 1))
    w = s.within(x - 1.3 * h, y - 1.2 * h, x + 1.3 * h, y + 0.1 * h)
    w.shade(0.5 * w.ellipse(x + 0.1 * h, y, 0.8 * h, 0.1 * h, 0.6))
    for dx in (-0.42, 0.36):
        w.lay(w.polygon(_place([(dx - 0.05, -0.4), (dx - 0.04, -0.02), (dx + 0.05, -0.02), (dx + 0.06, -0.4)], x, y, h, side)), mix(coat, BLACK, 0.5))
    w.solid(w.polygon(rounded(_place(COW, x, y, h, side), 1)), mix(coat, BLACK, 0.65), coat, mix(coat, WHITE, 0.35), roundness=0.3 * h, bump=0.1 * h * w.noise(0.3 * h, 2))


def _person(s: Sketch, x: float, base: float, h: float) -> None:
    """A small figure, `h` tall, lit from the left."""
    rng = s.rng
    side = _pick(rng, (-1, 1))
    w = s.within(x - 0.4 * h, base - 1.1 * h, x + 0.5 * h, base + 0.08 * h)

    def part(shape: Any, tones: Tones, roundness: float = 0.07, bump: Any = 0.0) -> None:
        w.solid(w.polygon(rounded(_place(shape, x, base, h, side), 1)), *tones, roundness=roundness * h, bump=bump)

    coat, below, skin = _pick(rng, CLOTHS), _pick(rng, CLOTHS), SKINS[0][1:]
    w.shade(0.6 * w.ellipse(x + 0.12 * h, base, 0.26 * h, 0.035 * h, 0.6))
    folds = 0.03 * h * w.folds(np.pi / 2, 0.07 * h)
    if rng.random() < 0.5:
        part([(-0.07, -0.58), (0.07, -0.58), (0.14, -0.35), (0.2, 0), (-0.17, 0), (-0.12, -0.35)], below, 0.1, folds)
        if rng.random() < 0.5:
            part([(-0.08, -0.56), (0.0, -0.56), (0.03, -0.12), (-0.12, -0.12)], LINEN, 0.08, folds)
        part([(-0.08, -0.83), (0.07, -0.83), (0.08, -0.55), (-0.08, -0.55)], coat)
        head = _pick(rng, (LINEN, LINEN, HAIRS[0], HAIRS[1]))
        part([(-0.05, -0.98), (0.04, -1.0), (0.08, -0.92), (0.06, -0.82), (-0.03, -0.82)], head)
    else:
        for dx in (-0.07, 0.06):
            part([(dx - 0.035, -0.35), (dx + 0.035, -0.35), (dx + 0.02, -0.05), (dx + 0.02, 0), (dx - 0.06, 0), (dx - 0.02, -0.05)], CLOTHS[8])
        part([(-0.09, -0.54), (0.09, -0.54), (0.1, -0.28), (0.0, -0.34), (-0.1, -0.28)], below)
        part([(-0.06, -0.84), (0.08, -0.84), (0.15, -0.65), (0.15, -0.42), (-0.07, -0.46), (-0.1, -0.68)], coat, 0.1, folds)
        part([(-0.065, -0.94), (-0.05, -1.03), (0.05, -1.03), (0.065, -0.94)], CLOTHS[8])
        w.lay(w.ellipse(x, base - 0.945 * h, 0.11 * h, 0.018 * h, 0.2), CLOTHS[8][0])
    part([(-0.06, -0.93), (0.025, -0.94), (0.03, -0.84), (-0.045, -0.84)], skin, 0.04)
    part([(-0.07, -0.85), (0.07, -0.85), (0.08, -0.8), (0.0, -0.77), (-0.08, -0.8)], LINEN, 0.03)
    part([(0.05, -0.79), (0.11, -0.76), (0.13, -0.64), (-0.02, -0.54), (-0.06, -0.57), (0.04, -0.66)], coat, 0.04)
    w.lay(w.ellipse(x - 0.06 * side * h, base - 0.55 * h, 0.025 * h, 0.02 * h, 0.3), skin[2])


def _house(s: Sketch, x: float, y: float, h: float, veil: Callable[[Colour], Colour]) -> None:
    rng = s.rng
    wall, roof, dark = (veil(c) for c in (_pick(rng, (CREAM, OCHRE, GREY, SIENNA)), _pick(rng, (BURNT, UMBER, (134, 78, 54))), BROWN))
    long, deep, eaves = h * rng.uniform(0.8, 1.6), h * rng.uniform(0.5, 0.8), y - 0.8 * h
    ridge = eaves - h * rng.uniform(0.5, 0.8)
    w = s.within(x - h, y - 4.5 * h, x + deep + long + 1.5 * h, y + 0.5 * h)
    corner, end = x + deep, x + deep + long
    if rng.random() < 0.35:
        t = end - 0.5 * h
        w.lay(w.polygon([(t, y), (t, y - 2.2 * h), (t + 0.5 * h, y - 2.2 * h), (t + 0.5 * h, y)]), mix(wall, dark, 0.35), np.pi / 2)
        w.lay(w.polygon([(t - 0.04 * h, y - 2.2 * h), (t + 0.25 * h, y - 3.7 * h), (t + 0.54 * h, y - 2.2 * h)]), mix(roof, dark, 0.5), np.pi / 2)
    stain = 0.3 * (w.noise(0.3 * h, 3) - 0.5)
    w.lay(w.polygon([(x, y), (x, eaves), (x + deep / 2, ridge), (corner, eaves), (corner, y)]), ramp(0.8 + stain, dark, wall), np.pi / 2)
    w.lay(w.polygon([(corner, y), (corner, eaves), (end, eaves), (end, y)]), ramp(0.45 + stain, dark, wall), 0.0)
    w.lay(w.polygon([(x + deep / 2, ridge), (corner, eaves), (end + 0.03 * h, eaves), (end - deep / 2, ridge)]), ramp(0.7 + stain, dark, roof), 1.0)
    w.line([(x + 0.5 * deep, y), (x + 0.5 * deep, y - 0.4 * h)], 0.16 * h, dark)
    for f in (0.3, 0.7):
        w.line([(corner + f * long, y - 0.3 * h), (corner + f * long, y - 0.55 * h)], 0.12 * h, dark)


def _windmill(s: Sketch, x: float, y: float, h: float, veil: Callable[[Colour], Colour]) -> None:
    rng = s.rng
    dark, wood = veil(BROWN), veil(UMBER)
    w = s.within(x - h, y - 2 * h, x + h, y + 0.1 * h)
    w.solid(w.polygon([(x - 0.3 * h, y), (x - 0.17 * h, y - 0.9 * h), (x, y - 1.08 * h), (x + 0.17 * h, y - 0.9 * h), (x + 0.3 * h, y)]), dark, wood, mix(wood, CREAM, 0.4), roundness=0.2 * h)
    hub, turn = (x - 0.04 * h, y - 0.95 * h), rng.uniform(0, np.pi / 2)
    for a in turn + np.arange(4) * np.pi / 2:
        d = np.array((np.cos(a), np.sin(a)))
        side = np.array((-d[1], d[0]))
        w.lay(0.75 * w.polygon([hub + h * (0.15 * d), hub + h * (0.8 * d), hub + h * (0.8 * d + 0.14 * side), hub + h * (0.15 * d + 0.14 * side)]), mix(wood, veil(CREAM), 0.35))
        w.line([hub, hub + 0.82 * h * d], 0.03 * h, dark)


def landscape(s: Sketch) -> None:
    """Sky, ridges in aerial perspective, water or road, houses, trees, cattle and people."""
    rng, H, W = s.rng, s.height, s.width
    mood = _pick(rng, MOODS)
    horizon = H * rng.uniform(0.42, 0.72)
    _sky(s, mood, horizon)
    if mood is NIGHT or (mood is EVENING and rng.random() < 0.5):
        _sun(s, mood, horizon)
    cool, n = mix(mood.horizon, mood.zenith, 0.45), int(rng.integers(3, 6))
    for k in range(n):
        _plane(s, mood, horizon, k, n, cool)
    if rng.random() < 0.45:
        _path(s, mood, horizon)
    for y in np.sort(rng.uniform(horizon + 0.35 * (H - horizon), H * 0.93, int(rng.integers(0, 7)))):
        _pick(rng, (_person, _person, _cow))(s, W * rng.uniform(0.1, 0.9), float(y), 0.03 + 0.11 * (y - horizon) / (H - horizon))
    side = _pick(rng, (0.0, 1.0))
    near = (mix(mood.land[0], BLACK, 0.3), mix(mix(mood.land[0], mood.land[1], 0.8), OLIVE, 0.3), mix(mood.land[2], mood.land[1], 0.3))
    if rng.random() < 0.75:
        for _ in range(int(rng.integers(1, 6))):
            _tree(s, W * abs(side - rng.uniform(-0.04, 0.28)), H * rng.uniform(0.8, 0.98), rng.uniform(0.14, 0.32), near, mood.bare)
    if rng.random() < 0.75:
        corner = smoothstep(0.0, 0.35, s.y / H - 0.72 - 0.25 * np.abs(s.x / W - side) + 0.2 * s.noise(0.2, 4))
        s.lay(0.85 * corner, ramp(s.noise(0.08, 4), mix(near[0], BLACK, 0.4), near[0], near[1]))
        s.scatter(corner, 500, 0.05, 0.006, mood.land[1], 0.4, -1.5)
    s.scatter(smoothstep(H * 0.6, H, s.y) * (s.y > horizon), 900, 0.02, 0.004, mood.land[2], 0.3, -1.3)


def _plane(s: Sketch, mood: Mood, horizon: float, k: int, n: int, cool: Colour) -> None:
    """The k-th of n planes of land, from far to near, and what stands on it."""
    rng, H, W = s.rng, s.height, s.width
    depth = (k + 0.3) / n
    share = (1 - depth) ** 1.6 * 0.85

    def veil(colour: Colour) -> Colour:
        return mix(colour, cool, share)

    base = horizon + (H - horizon) * (k / n) ** 1.5
    rough = rng.uniform(0.05, 0.3) * (1 - depth) if k < n - 1 else 0.1
    ridge = _ridge(s, base + 0.3 * rough, rough, rng.uniform(0.4, 1.2))
    if rng.random() < 0.7:
        ridge = ridge + 0.6 * np.minimum(_ridge(s, 0, 0.2 * (0.25 + depth), 0.12), 0)
    below = s.y - ridge[None]
    tone = 0.5 + 1.2 * (s.noise(0.05 + 0.2 * depth, 5, stretch=5 - 3 * depth, gain=0.6) - 0.5) - 0.25 * below / H
    tone -= 0.4 * depth * smoothstep(0.06, 0.0, below)
    s.lay(np.clip(below * s.px + 0.5, 0, 1), ramp(tone, *map(veil, mood.land)), 0.25 * (s.noise(0.3, 2) - 0.5), 0.0)
    if k == n - 2 and rng.random() < 0.5:
        _water(s, mood, base)
    if not 0 < k < n - 1:
        return
    if rng.random() < 0.7:
        for _ in range(int(rng.integers(1, 4))):
            _house(s, W * rng.uniform(0.05, 0.9), base + 0.02, 0.05 + 0.06 * depth * rng.random(), veil)
    if rng.random() < 0.2:
        _windmill(s, W * rng.uniform(0.1, 0.9), base + 0.02, 0.12 + 0.1 * depth, veil)
    tones = tuple(map(veil, (mood.land[0], mix(mood.land[1], OLIVE, 0.4), mood.land[2])))
    at = rng.uniform(0, 1, 2)
    for _ in range(int(rng.integers(0, 9))):
        _tree(s, W * (_pick(rng, at) + rng.normal(0, 0.07)), base + 0.03, rng.uniform(0.03, 0.05) + 0.06 * depth, tones, mood.bare)


def _water(s: Sketch, mood: Mood, y: float) -> None:
    rng = s.rng
    ry = rng.uniform(0.04, 0.14)
    p, q = s.local(s.width * rng.uniform(0.2, 0.8), y + ry, s.width * rng.uniform(0.3, 0.9), ry)
    mask = smoothstep(1.08, 0.95, np.hypot(p, q) + 0.7 * (s.noise(0.1, 3, stretch=6) - 0.5))
    sheen = 0.65 * s.noise(0.015, 3, stretch=14) + 0.25 - 0.15 * q
    s.lay(mask, ramp(sheen, mix(mood.land[0], mood.sky, 0.3), mix(mood.sky, mood.land[0], 0.15), mood.horizon), 0.0, 0.2)
    s.scatter(mask, 120, 0.05, 0.004, mood.cloud[2], 0.5, 0.0)


def _path(s: Sketch, mood: Mood, horizon: float) -> None:
    rng = s.rng
    t = np.clip((s.y - horizon) / (s.height - horizon), 0, 1)
    centre = s.width * (rng.uniform(0.3, 0.7) + rng.uniform(-0.3, 0.3) * t + 0.1 * np.sin(rng.uniform(3, 6) * np.sqrt(t) + rng.uniform(0, 6)))
    across = np.abs(s.x - centre) / (0.01 + 0.22 * t**1.6) + 0.6 * (s.noise(0.06, 3, stretch=3) - 0.5)
    sand = ramp(s.noise(0.05, 3, stretch=4), mix(mood.land[1], UMBER, 0.4), mix(mood.land[2], CREAM, 0.35))
    s.lay(0.85 * smoothstep(1.2, 0.8, across) * smoothstep(0.05, 0.2, t), sand, 0.2)


def seascape(s: Sketch) -> None:
    """A low horizon under a tall sky, swell and ships."""
    rng, H, W = s.rng, s.height, s.width
    mood = _pick(rng, (OVERCAST, DAY, STORM, EVENING, BROWN_AIR, DAWN, NIGHT))
    horizon = H * rng.uniform(0.6, 0.8)
    _sky(s, mood, horizon)
    if rng.random() < 0.25:
        _sun(s, mood, horizon)
    t = np.clip((s.y - horizon) / (H - horizon), 0, 1)
    sea, depth = np.clip((s.y - horizon) * s.px, 0, 1), 1 / (t + 0.12)
    warp = s.noise(0.12, 4, stretch=3) - 0.5
    swell = 0.5 + 0.5 * np.sin(rng.uniform(9, 16) * depth + 7 * warp + 2 * s.x * rng.normal(0, 1))
    tone = 0.45 * swell * swell + 0.5 * s.noise(0.03, 4, stretch=5) + 0.15 * (0.5 - t)
    water = mix(mood.sky, UMBER if mood is EVENING else VERDIGRIS, 0.35)
    s.lay(sea, ramp(tone, mix(mood.land[0], water, 0.35), mix(water, mood.land[0], 0.25), mix(water, mood.cloud[2], 0.6)), 0.12 * np.cos(8 * depth + 7 * warp), 0.2)
    s.shade(0.5 * smoothstep(0.55, 0.7, s.noise(0.3, 2, stretch=4)) * sea, mix(mood.land[0], BLACK, 0.2))
    s.scatter(sea * smoothstep(0.7, 1.0, swell), 600, 0.03, 0.004, mood.cloud[2], 0.7, 0.05)
    if rng.random() < 0.3:
        bank = _ridge(s, H * 0.97, 0.25, 0.8)
        s.lay(np.clip((s.y - bank[None]) * s.px, 0, 1), ramp(s.noise(0.05, 4, stretch=3), *mood.land), 0.2)
        for _ in range(4):
            _person(s, W * rng.uniform(0.05, 0.95), H * rng.uniform(0.95, 1.0), 0.12)
    for size in np.sort(rng.uniform(0.02, 0.07, int(rng.integers(2, 7)))):
        _ship(s, W * rng.uniform(0.03, 0.97), horizon + 0.004 + 0.2 * float(size), float(size), mood, 0.5)
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform(0.14, 0.4)
        _ship(s, W * rng.uniform(0.1, 0.9), horizon + 0.25 * size + 0.01, size, mood, 0.08)


HULL = ((-0.62, -0.28), (-0.52, -0.12), (-0.46, 0.04), (0.42, 0.05), (0.52, -0.1), (0.56, -0.34), (0.36, -0.32), (0.32, -0.14), (-0.2, -0.1), (-0.42, -0.2))


def _ship(s: Sketch, x: float, y: float, h: float, mood: Mood, share: float) -> None:
    rng = s.rng
    side = _pick(rng, (-1.0, 1.0))
    w = s.within(x - 1.2 * h, y - 1.8 * h, x + 1.2 * h, y + 0.6 * h)
    hull, sail = mix(_pick(rng, (BROWN, UMBER, (44, 34, 28))), mood.horizon, share), mix(_pick(rng, (CREAM, CREAM, (206, 194, 168), (150, 96, 66))), mood.horizon, share)

    def at(*points: tuple[float, float]) -> Field:
        return _place(points, x, y, h, side)

    w.shade(w.ellipse(x + 0.05 * h, y + 0.16 * h, 0.62 * h, 0.13 * h, 0.5) * 0.5, mix(hull, mood.land[0], 0.5))
    masts = _pick(rng, ((-0.05,), (-0.22, 0.2), (-0.36, -0.02, 0.3)))
    gaff = len(masts) == 1
    for m in masts:
        top = -rng.uniform(0.95, 1.3) * (1.15 if m == masts[len(masts) // 2] else 1)
        shapes = [[(m + 0.02, top + 0.05), (m + 0.5, 0.8 * top), (m + 0.46, -0.2), (m + 0.02, -0.14)], [(m - 0.02, top + 0.2), (m - 0.02, -0.2), (m - 0.55, -0.22)]]
        if not gaff:
            shapes = [[(m - a, top * hi), (m + a, top * hi), (m + 1.25 * a, top * lo - 0.02), (m, top * lo - 0.06), (m - 1.25 * a, top * lo - 0.02)] for a, hi, lo in ((0.1, 0.92, 0.66), (0.14, 0.62, 0.24))]
        for shape in shapes:
            w.part(at(*shape), (mix(sail, mood.cloud[0], 0.75), sail, mix(sail, WHITE, 0.3)), 0.1 * h, (1.5, 0.4 * h, 0.02 * h))
        w.line(at((m, -0.1), (m, top)), 0.016 * h, hull)
        w.line(at((m, top), (m + 0.07, top - 0.03), (m + 0.14, top)), 0.025 * h, mix(_pick(rng, (VERMILION, WHITE, AZURITE)), mood.horizon, share))
    w.line(at((-0.5, -0.2), (-0.85, -0.42)), 0.018 * h, hull)
    w.part(at(*HULL), (mix(hull, BLACK, 0.4), hull, mix(hull, OCHRE, 0.45)), 0.08 * h)
    w.line(at((-0.45, -0.13), (0.0, -0.06), (0.45, -0.14)), 0.02 * h, mix(hull, OCHRE, 0.5))


# --- figures ---

SHADOW = (40, 27, 21)
SKINS: tuple[Tones, ...] = (
    (SHADOW, (112, 70, 50), (196, 148, 114), (226, 186, 150), (244, 220, 190)),
    (SHADOW, (92, 56, 40), (170, 122, 90), (206, 162, 124), (228, 192, 152)),
    (SHADOW, (126, 92, 74), (208, 170, 142), (232, 204, 178), (246, 230, 208)),
    ((26, 19, 16), (70, 45, 34), (136, 96, 70), (180, 136, 100), (206, 166, 126)),
)
CLOTHS: tuple[Tones, ...] = (
    ((16, 14, 14), (34, 31, 30), (74, 70, 66)),
    ((40, 16, 16), (112, 38, 34), (182, 92, 68)),
    ((20, 26, 44), (44, 60, 96), (118, 136, 160)),
    ((22, 32, 28), (52, 76, 62), (120, 138, 110)),
    ((58, 38, 24), (150, 112, 64), (214, 182, 116)),
    ((96, 88, 78), (178, 168, 150), WHITE),
    ((36, 27, 20), (88, 68, 50), (146, 120, 88)),
    ((40, 32, 42), (86, 72, 84), (158, 140, 146)),
    ((18, 14, 12), (52, 38, 28), (104, 76, 52)),
)
HAIRS: tuple[Tones, ...] = (
    ((20, 15, 13), (48, 36, 28), (92, 72, 54)),
    ((40, 26, 17), (96, 64, 40), (150, 108, 66)),
    ((74, 52, 30), (156, 118, 66), (212, 176, 112)),
    ((74, 68, 60), (140, 134, 122), (204, 196, 180)),
)
LINEN: Tones = ((104, 96, 86), (196, 188, 172), (242, 237, 224))


def _ground(s: Sketch, dark: Colour, light: Colour) -> None:
    """A plain ground, lighter to one side."""
    rng = s.rng
    cx, cy = s.width * rng.uniform(0.4, 0.95), s.height * rng.uniform(0.2, 0.6)
    glow = np.exp(-((np.hypot(s.x - cx, s.y - cy) * rng.uniform(1.2, 2.2)) ** 2))
    s.lay(1.0, ramp(glow * 0.8 + 0.3 * (s.noise(0.3, 4) - 0.4), dark, light), 1.2 + 1.2 * (s.noise(0.7, 2) - 0.5))


class _Face:
    """Where things are on a head: p to the right and q down, in half widths and half heights."""

    def __init__(self, cx: float, cy: float, r: float, turn: float, tilt: float, slim: float) -> None:
        self.c, self.r, self.rx, self.turn, self.tilt = (cx, cy), r, slim * r, turn, tilt
        self.m, self.lowered = 0.33 * turn, False
        self.eyes = (self.m - 0.37 * (1 - 0.18 * turn), self.m + 0.37 * (1 + 0.18 * turn))

    def at(self, *points: tuple[float, float]) -> Field:
        """Scene coordinates of face points."""
        p, q = np.array(points).T * [[self.rx], [self.r]]
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        return np.stack([self.c[0] + p * c - q * s, self.c[1] + p * s + q * c], 1)


def _head(s: Sketch, f: _Face, skin: Tones, age: float) -> None:
    """Model a face as a relief lit from the upper left, then draw lids, brows, nostrils and mouth."""
    w = s.within(f.c[0] - 1.3 * f.r, f.c[1] - 1.3 * f.r, f.c[0] + 1.3 * f.r, f.c[1] + 1.3 * f.r)
    p, q = w.local(*f.c, f.rx, f.r, f.tilt)
    jaw = p / (1 - 0.24 * np.clip(q, 0, 1.2) ** 2 - 0.06 * np.clip(-q, 0, 1))
    rho = jaw * jaw + q * q
    mask = smoothstep(1.06, 0.96, rho)

    def spot(a: float, b: float, wa: float, wb: float) -> Field:
        return np.exp(-(((p - a) / wa) ** 2) - ((q - b) / wb) ** 2)

    m, nose = f.m, 1.3 * f.m
    z = 0.8 * np.sqrt(np.clip(1.02 - rho, 0, 1))
    ridge = np.exp(-(((p - m - (nose - m) * np.clip((q + 0.2) / 0.5, 0, 1)) / 0.12) ** 2))
    z += 0.2 * ridge * smoothstep(-0.25, 0.3, q) * smoothstep(0.42, 0.34, q) + 0.08 * spot(nose, 0.3, 0.17, 0.08)
    for e in f.eyes:
        z += 0.05 * spot(e, -0.24, 0.3, 0.07) - 0.11 * spot(e, -0.08, 0.22, 0.11) + 0.05 * spot(e, -0.06, 0.12, 0.07)
        z -= age * 0.02 * spot(e, 0.07, 0.16, 0.03)
    z += 0.06 * spot(m - 0.45, 0.2, 0.22, 0.18) + 0.06 * spot(m + 0.45, 0.2, 0.22, 0.18)
    z += 0.06 * spot(m, 0.56, 0.26, 0.16) - 0.03 * spot(m, 0.555, 0.2, 0.02) - 0.04 * spot(m, 0.7, 0.16, 0.05) + 0.07 * spot(m, 0.86, 0.2, 0.12)
    gx, gy = w.slope(cv2.GaussianBlur(z * f.r, (0, 0), max(0.6, 0.02 * f.r * w.px)))
    light = lambert(gx * 0.9, gy * 0.8)
    light -= 0.16 * spot(nose + 0.2, 0.3, 0.12, 0.14) + 0.1 * smoothstep(-0.1, 0.9, jaw) + 0.1 * smoothstep(-0.55, -1.0, q)
    w.lay(mask, ramp(light, *skin), np.arctan2(p, -q), 1.0)
    rosy = spot(m - 0.5, 0.28, 0.2, 0.16) + spot(m + 0.5, 0.28, 0.2, 0.16) + 0.7 * spot(nose, 0.3, 0.1, 0.08)
    w.lay(0.3 * mask * rosy, mix(skin[2], VERMILION, 0.5))
    w.lay(0.7 * mask * np.minimum(1, spot(m, 0.53, 0.17, 0.03) + 0.9 * spot(m, 0.61, 0.13, 0.035)), mix(skin[2], LAKE, 0.55))
    _features(w, f, skin, spot, mask)


def _features(w: Sketch, f: _Face, skin: Tones, spot: Callable[[float, float, float, float], Field], mask: Field) -> None:
    rng, r, m, nose = w.rng, f.r, f.m, 1.3 * f.m
    soft = mix(skin[0], skin[1], 0.6)
    ink = mix(mix(skin[0], BLACK, 0.4), skin[1], float(np.clip(0.55 - 2.2 * r, 0, 0.4)))
    look = rng.uniform(-0.05, 0.05) + 0.03 * f.turn
    for side, e in zip((-1, 1), f.eyes, strict=True):
        half = 0.155 * (1 + 0.18 * side * f.turn)
        w.line(f.at((e - 1.3 * half, -0.2 - 0.03 * (side > 0)), (e + 0.2 * half * side, -0.27), (e + 1.3 * half, -0.2 - 0.03 * (side < 0))), 0.03 * r, mix(soft, skin[1], 0.75))
        if f.lowered:
            w.line(f.at((e - half, -0.05), (e, -0.005), (e + half, -0.05)), 0.02 * r, mix(ink, soft, 0.5))
            w.line(f.at((e - half, -0.13), (e, -0.15), (e + half, -0.13)), 0.012 * r, mix(skin[1], soft, 0.3))
            continue
        w.lay(0.5 * mask * np.minimum(1, 1.2 * spot(e, -0.055, 0.8 * half, 0.032)), mix(skin[2], CREAM, 0.3) if side < 0 else skin[2])
        w.lay(0.85 * mask * w.ellipse(*f.at((e + look, -0.06))[0], 0.056 * r, 0.046 * r, 0.3), ink)
        w.line(f.at((e - half, -0.045), (e, -0.115), (e + half, -0.045)), 0.022 * r, mix(ink, soft, 0.4))
        w.line(f.at((e - half, -0.13), (e, -0.165), (e + half, -0.12)), 0.012 * r, mix(skin[1], soft, 0.3))
        w.line(f.at((e - 0.8 * half, -0.025), (e, -0.005), (e + 0.8 * half, -0.025)), 0.012 * r, mix(skin[1], skin[2], 0.4))
        w.line(f.at((e + look - 0.03, -0.08), (e + look - 0.015, -0.08)), 0.016 * r, mix(WHITE, skin[3], 0.4))
    w.line(f.at((nose - 0.1, 0.36), (nose + 0.02, 0.395), (nose + 0.14, 0.35)), 0.03 * r, mix(skin[0], skin[1], 0.5))
    w.line(f.at((nose - 0.06, 0.26), (nose - 0.03, 0.29)), 0.045 * r, skin[4])
    w.line(f.at((m - 0.21, 0.55), (m - 0.01, 0.575), (m + 0.2, 0.545)), 0.018 * r, mix(LAKE, skin[0], 0.6))
    w.line(f.at((m - 0.09, 0.605), (m, 0.615)), 0.025 * r, mix(ROSE, skin[3], 0.3))


def _beard(s: Sketch, f: _Face, hair: Tones) -> None:
    n, rng = 60, s.rng
    u = rng.uniform(-1, 1, n)
    s.strokes(f.at(*zip(f.m + 0.26 * u, 0.47 + 0.05 * u * u + rng.normal(0, 0.01, n), strict=True)), 0.45 * np.sign(u) + f.tilt, 0.16 * f.r, 0.016 * f.r, ramp(rng.random(n) * 0.8, *hair))
    if rng.random() < 0.6:
        wide = _pick(rng, (0.1, 0.45))
        v = rng.uniform(0.72, 1.12, n * 3)
        x = rng.uniform(-1, 1, n * 3) * wide * (1.3 - v * 0.6)
        s.strokes(f.at(*zip(f.m + x, v, strict=True)), np.pi / 2 - x + f.tilt, 0.2 * f.r, 0.018 * f.r, ramp(rng.random(n * 3) * 0.8, *hair))


def _hair(s: Sketch, f: _Face, hair: Tones, long: bool, front: bool) -> None:
    """Hair behind the head, or its front above the brow."""
    rng, r, (cx, cy) = s.rng, f.r, f.c
    w = s.within(cx - 1.8 * r, cy - 1.6 * r, cx + 1.8 * r, cy + 1.9 * r)
    p, q = w.local(cx, cy, f.rx, r, f.tilt)
    strands = w.noise(0.035 * r / 0.2, 3, stretch=0.4)
    curl = 0.12 * (w.noise(0.35 * r, 3) - 0.5)
    if front:
        line = -0.6 + 0.55 * np.clip(np.abs(p - f.m * 0.7), 0, 1.2) ** 2.5 + curl
        mask = smoothstep(0.06, -0.06, q - line) * smoothstep(1.12, 1.02, (p / 1.08) ** 2 + (q / 1.1) ** 2)
    else:
        top = (p / 1.22) ** 2 + ((q + 0.1) / 1.12) ** 2
        fall = (p / (1.3 + 0.1 * np.sin(6 * q))) ** 2 + ((q - 0.45) / 0.95) ** 2 if long else top
        mask = smoothstep(1.08, 0.96, np.minimum(top, fall) + curl * 2)
    light, _ = w.relief(mask, 0.4 * r, 0.03 * r * strands)
    along = np.where(q < 0, np.arctan2(p * f.rx, -(q * r)), np.pi / 2 + 0.4 * np.sin(8 * q + 3 * p))
    w.lay(mask, ramp(light * 0.75 + 0.35 * (strands - 0.55) - 0.12 * p, *hair), along, 0.5)
    w.scatter(mask * smoothstep(0.3, 0.6, light), 300, 0.2 * r, 0.012 * r, hair[2], 0.5, along)
    w.scatter(mask * (mask > 0.9), 200, 0.14 * r, 0.012 * r, hair[0], 0.4, along)


def portrait(s: Sketch) -> None:
    """Head and shoulders or half length before a plain ground, with collar, hair and perhaps a hat."""
    rng = s.rng
    _ground(s, *_pick(rng, ((BLACK, BROWN), (BLACK, BROWN), (BLACK, UMBER), ((34, 27, 21), (104, 86, 60)), ((28, 30, 26), (84, 86, 70)), ((60, 56, 50), (140, 132, 118)), ((24, 14, 13), (84, 38, 30)))))
    H, W = s.height, s.width
    r = rng.uniform(0.15, 0.27)
    f = _Face(W / 2 + rng.normal(0, 0.08) * min(W, 1.3), H * (0.46 - (rng.uniform(0, 0.1) if r < 0.22 else 0)), r, _pick(rng, (-1.0, -0.75, -0.4, 0.4, 0.7)) * rng.uniform(0.8, 1), rng.normal(0, 0.07), rng.uniform(0.7, 0.78))
    woman, age = rng.random() < 0.45, rng.random() ** 2
    skin, hair = _pick(rng, (SKINS[0], SKINS[0], SKINS[1], SKINS[2], SKINS[3])), HAIRS[3] if age > 0.6 else _pick(rng, HAIRS[:3])
    cloth = _pick(rng, CLOTHS) if rng.random() < 0.5 else CLOTHS[8 * int(rng.integers(2))]
    long = woman or rng.random() < 0.5
    _hair(s, f, hair, long, front=False)
    _torso(s, f, cloth, skin, woman)
    _head(s, f, skin, age)
    if not woman and rng.random() < 0.6:
        _beard(s, f, hair)
    _hair(s, f, hair, long, front=True)
    hat = rng.random()
    if woman and hat < 0.5:
        _cap(s, f)
    elif hat < 0.45:
        _hat(s, f, _pick(rng, (CLOTHS[0], CLOTHS[8], CLOTHS[0], CLOTHS[1])))
    elif hat < 0.55:
        wrap = _pick(rng, CLOTHS[1:6])
        s.part(rounded(f.at((-1.15, -0.5), (-0.95, -1.25), (0.2, -1.5), (1.25, -1.1), (1.3, -0.2), (0.4, -0.62))), wrap, 0.35 * r, (-0.35, 0.3 * r, 0.25 * r))


def _torso(s: Sketch, f: _Face, cloth: Tones, skin: Tones, woman: bool) -> None:
    rng, r, (cx, cy), bottom = s.rng, f.r, f.c, s.height + 0.3
    kind = _pick(rng, ("ruff", "lace", "veil", "pearls", "pearls", "flat") if woman else ("ruff", "flat", "flat", "lace", "plain", "chain"))
    chin, wide = cy + r, rng.uniform(1.75, 2.2) * r
    lean = 0.25 * f.turn * r
    w = s.within(cx - 1.2 * r, cy, cx + 1.2 * r, chin + 1.2 * r)
    neck = w.polygon(rounded([(cx - 0.42 * r, cy + 0.3 * r), (cx + 0.5 * r, cy + 0.3 * r), (cx + 0.62 * r, chin + 0.55 * r), (cx + lean, chin + 0.9 * r), (cx - 0.6 * r, chin + 0.5 * r)]))
    w.lay(neck, ramp(0.62 - 0.5 * (w.x - cx) / r - 0.75 * smoothstep(chin + 0.45 * r, chin - 0.1 * r, w.y) * smoothstep(cx - 0.5 * r, cx, w.x), *skin), 1.4, 0.5)
    left, right = cx - wide + lean, cx + wide + lean
    body = rounded([(cx - 0.55 * r, chin + 0.25 * r), (left + 0.5 * r, chin + 0.6 * r), (left, chin + 1.3 * r), (left - 0.3 * r, bottom), (right + 0.3 * r, bottom), (right, chin + 1.3 * r), (right - 0.5 * r, chin + 0.62 * r), (cx + 0.6 * r, chin + 0.25 * r), (cx + lean, chin + (1.1 if kind in ("pearls", "veil") else 0.45) * r)])
    s.part(body, cloth, 0.9 * r, (rng.uniform(1.1, 2.0), rng.uniform(0.35, 0.6) * r, 0.12 * r))
    for side, x in ((-1, left), (1, right)):
        arm = rounded([(x - side * 0.75 * r, chin + 0.75 * r), (x - side * 0.1 * r, chin + 0.8 * r), (x + side * 0.45 * r, chin + 1.9 * r), (x + side * 0.6 * r, bottom), (x - side * 0.35 * r, bottom), (x - side * 0.4 * r, chin + 1.9 * r)])
        s.part(arm, cloth, 0.4 * r, (0.35 * side + rng.normal(0, 0.3), 0.4 * r, 0.16 * r))
    middle = cx + 1.6 * lean
    for k in range(12 if rng.random() < 0.5 else 0):
        y = chin + (0.95 + 0.22 * k) * r
        s.line([(middle - 0.02 * r, y), (middle + 0.02 * r, y + 0.02 * r)], 0.07 * r, mix(cloth[2], GOLD, 0.5))
    _collar(s, f, kind, cloth, lean)


def _collar(s: Sketch, f: _Face, kind: str, cloth: Tones, lean: float) -> None:
    rng, r, cx, y = s.rng, f.r, f.c[0], f.c[1] + 1.12 * f.r
    s = s.within(cx - 2 * r, y - r, cx + 2 * r, y + 1.5 * r)
    if kind == "ruff":
        rx, ry = rng.uniform(1.15, 1.5) * r, rng.uniform(0.36, 0.5) * r
        p, q = s.local(cx + 0.3 * lean, y, rx, ry, f.tilt)
        turn = np.arctan2(q, p)
        rho = np.sqrt(p * p + q * q)
        pleat = np.sin(34 * turn + 2 * np.sin(3 * turn))
        s.shade(0.5 * smoothstep(1.25, 0.9, rho - 0.15 * q), cloth[0])
        s.lay(smoothstep(1.04, 0.97, rho + 0.02 * pleat), ramp(0.52 + 0.22 * pleat * rho - 0.28 * p + 0.3 * (rho - 0.8) - 0.25 * smoothstep(0.6, 0.3, rho), *LINEN), np.arctan2(q * ry, p * rx), 0.9)
        k = 68
        a = np.arange(k) * 2 * np.pi / k
        s.strokes(np.stack([cx + 0.3 * lean + 0.97 * rx * np.cos(a), y + 0.97 * ry * np.sin(a)], 1), a + np.pi / 2, 0.09 * r, 0.03 * r, ramp(0.65 - 0.3 * np.cos(a), *LINEN))
    elif kind in ("flat", "lace", "veil"):
        drop = rng.uniform(0.55, 0.95) * r
        pts = [(cx - 0.5 * r, y - 0.3 * r), (cx - 1.2 * r, y + 0.35 * r), (cx - 1.1 * r, y + drop), (cx - 0.25 * r + lean, y + 0.75 * drop), (cx + lean, y + 0.25 * r), (cx + 0.3 * r + lean, y + 0.75 * drop), (cx + 1.2 * r, y + drop), (cx + 1.3 * r, y + 0.35 * r), (cx + 0.58 * r, y - 0.3 * r), (cx + 0.5 * lean, y + 0.22 * r)]
        mask = s.polygon(rounded(pts, 1))
        s.shade(0.5 * cv2.GaussianBlur(mask, (0, 0), 0.06 * r * s.px), cloth[0])
        soft = 0.72 if kind == "veil" else 1.0
        light, along = s.relief(mask, 0.1 * r, 0.1 * r * s.noise(0.4 * r, 3))
        s.lay(mask * soft, ramp(light - 0.18 * (s.x - cx) / r - 0.05, *LINEN), along, 0.7)
        if kind == "lace":
            rim = mask - (cv2.GaussianBlur(mask, (0, 0), 0.16 * r * s.px) > 0.8)
            s.scatter(np.clip(rim, 0, 1), 900, 0.05 * r, 0.02 * r, LINEN[0], 0.7)
            s.scatter(np.clip(rim, 0, 1), 600, 0.04 * r, 0.02 * r, LINEN[2], 0.9)
    elif kind == "pearls":
        a = np.linspace(0.15, np.pi - 0.15, 19)
        c = np.stack([cx + 0.55 * r * np.cos(a), y + 0.02 * r + 0.35 * r * np.sin(a)], 1)
        s.strokes(c, 0.0, 0.03 * r, 0.07 * r, (204, 196, 178))
        s.strokes(c - 0.012 * r, 0.0, 0.01 * r, 0.03 * r, (250, 246, 236))
    else:
        s.part(rounded([(cx - 0.55 * r, y - 0.3 * r), (cx - 0.7 * r, y + 0.1 * r), (cx + lean, y + 0.5 * r), (cx + 0.75 * r, y + 0.1 * r), (cx + 0.6 * r, y - 0.3 * r), (cx + lean, y + 0.2 * r)]), LINEN, 0.08 * r)
        if kind == "chain":
            a = np.linspace(0.1, np.pi - 0.1, 40)
            s.strokes(np.stack([cx + lean + 1.3 * r * np.cos(a), y + 0.4 * r + 1.0 * r * np.sin(a)], 1), a, 0.07 * r, 0.05 * r, ramp(s.rng.random(40), BURNT, GOLD, (240, 214, 140)))


def _cap(s: Sketch, f: _Face) -> None:
    """A white linen cap close to the head."""
    shape = rounded(f.at((-0.95, 0.25), (-1.2, -0.5), (-0.75, -1.2), (0.1, -1.32), (0.9, -1.15), (1.25, -0.4), (1.1, 0.35), (0.93, 0.1), (0.85, -0.45), (0.3, -0.78), (-0.35, -0.78), (-0.85, -0.4)))
    s.part(shape, LINEN, 0.3 * f.r, (1.2, 0.9 * f.r, 0.06 * f.r), 0.6)


def _hat(s: Sketch, f: _Face, cloth: Tones) -> None:
    brim, tip = s.rng.uniform(1.5, 2.0), s.rng.uniform(1.2, 1.6)
    crown = rounded(f.at((-0.85, -0.6), (-0.75, -tip), (0.0, -tip - 0.12), (0.75, -tip), (0.9, -0.6)))
    s.part(crown, cloth, 0.5 * f.r)
    c = f.at((0.0, -0.66))[0]
    w = s.within(c[0] - 2 * f.r, c[1] - f.r, c[0] + 2 * f.r, c[1] + f.r)
    w.solid(w.ellipse(*c, brim * f.rx, 0.25 * f.r, 0.06, f.tilt + s.rng.normal(-0.08, 0.08)), *cloth, roundness=0.16 * f.r)
    s.shade(0.5 * s.ellipse(*f.at((0.05, -0.42))[0], 0.8 * f.rx, 0.2 * f.r, 0.5, f.tilt), SHADOW)


def figures(s: Sketch) -> None:
    """Saints on gold, or draped figures in the open or in the dark, half length."""
    rng, H, W = s.rng, s.height, s.width
    gold = rng.random() < 0.5
    if gold:
        s.lay(1.0, ramp(0.5 + 0.5 * (s.noise(0.25, 4) - 0.5) + 0.35 * (0.45 - s.x / W), (106, 75, 36), (164, 126, 64), (214, 180, 110)), 0.0)
        s.scatter(np.ones_like(s.x), 400, 0.008, 0.005, (236, 206, 130), 0.35)
    elif rng.random() < 0.5:
        mood = _pick(rng, (DAY, EVENING, OVERCAST, BROWN_AIR))
        _sky(s, mood, H * 0.7)
        for k in range(3):
            _plane(s, mood, H * 0.55, k, 3, mix(mood.horizon, mood.zenith, 0.45))
    else:
        _ground(s, BLACK, _pick(rng, (BROWN, UMBER, (66, 60, 51))))
    r = rng.uniform(0.115, 0.165)
    n = int(rng.integers(1, 2 + int(W / (5.5 * r))))
    for k in np.argsort(-np.abs(np.arange(n) - (n - 1) / 2), kind="stable"):
        x = W / 2 + (k - (n - 1) / 2) * 4.0 * r + rng.normal(0, 0.25) * r
        aside = np.sign((n - 1) / 2 - k) or _pick(rng, (-1, 1))
        face = _Face(x, H * 0.36 + rng.uniform(-0.08, 0.06), r * rng.uniform(0.92, 1.05), float(aside) * rng.uniform(0.5, 1), float(aside) * rng.uniform(0.0, 0.25), 0.74)
        _saint(s, face, gold)


def _fan(s: Sketch, x: float, y: float, folds: float) -> Field:
    """Height of cloth that falls from (x, y) in widening folds, 0-1."""
    phi = np.arctan2(s.x - x, np.maximum(s.y - y, 0.05)) + 0.5 * (s.noise(0.4, 3) - 0.5)
    return 0.5 + 0.35 * np.sin(folds * phi) + 0.15 * np.sin(2.3 * folds * phi + s.rng.uniform(0, 6))


def _saint(s: Sketch, f: _Face, gold: bool) -> None:
    """A half-length figure in a mantle, eyes lowered, hands together."""
    rng, r, (x, y), bottom = s.rng, f.r, f.c, s.height + 0.2
    f.lowered = rng.random() < 0.7
    dress, mantle, skin, hair = _pick(rng, CLOTHS[1:8]), _pick(rng, (CLOTHS[1], CLOTHS[2], CLOTHS[2], CLOTHS[3], CLOTHS[4], CLOTHS[8])), _pick(rng, SKINS[:3]), _pick(rng, HAIRS)
    if gold:
        p, q = s.local(x, y - 0.1 * r, 1.9 * r, 1.9 * r)
        rho = np.sqrt(p * p + q * q)
        rays = 0.1 * np.sin(40 * np.arctan2(q, p)) * (rho > 0.72) - 0.4 * (np.abs(rho - 0.93) < 0.025)
        s.lay(smoothstep(1.02, 0.98, rho), ramp(0.62 - 0.3 * p + rays, (128, 92, 46), (226, 194, 120)), np.arctan2(p, -q), 0.5)
    _hair(s, f, hair, True, front=False)
    w = s.within(x - r, y, x + r, y + 2 * r)
    w.lay(w.ellipse(x, y + 1.0 * r, 0.4 * r, 0.75 * r, 0.1), ramp(0.5 - 0.7 * (w.x - x) / r - 0.5 * smoothstep(y + 1.4 * r, y + 0.7 * r, w.y), *skin), 1.5)
    w = s.within(x - 3.2 * r, y + 0.8 * r, x + 3.2 * r, bottom)
    folds = 0.3 * r * _fan(w, x, y + 0.2 * r, rng.uniform(9, 14))

    def at(*points: tuple[float, float]) -> Field:
        return rounded(np.array(points) * r + (x, y))

    low = (bottom - y) / r
    chest = w.polygon(at((-0.5, 1.2), (0.5, 1.2), (1.4, 1.7), (1.7, 3), (1.6, low), (-1.6, low), (-1.7, 3), (-1.4, 1.7)))
    w.solid(chest, *dress, roundness=0.9 * r, bump=folds)
    s.line([(x - 0.5 * r, y + 1.32 * r), (x, y + 1.62 * r), (x + 0.5 * r, y + 1.32 * r)], 0.045 * r, mix(GOLD, CREAM, 0.1))
    for side in (-1, 1):
        wing = [(0.55, 1.0), (1.5, 1.35), (2.3, 2.2), (2.7, 3.8), (3.0, low), (1.0, low), (1.35, 3.6), (0.95, 2.3), (0.75, 1.5)]
        w.solid(w.polygon(at(*((side * p, q) for p, q in wing))), *mantle, roundness=0.5 * r, bump=1.2 * folds)
    for side in (1, -1):
        sleeve = [(2.1, 3.0), (2.3, 3.9), (1.4, 4.1), (0.35, 3.55), (0.25, 3.1), (1.2, 3.3)]
        s.part(at(*((side * p, q) for p, q in sleeve)), _pick(rng, (mantle, dress)), 0.4 * r, (0.4 * side, 0.5 * r, 0.2 * r))
        _hand(s, x + 0.12 * side * r, y + (3.2 - 0.08 * side) * r, 0.36 * r, 0.5 * side, skin, -side)
    _head(s, f, skin, rng.random() ** 2)
    if rng.random() < 0.5:
        veil = ((-0.75, 1.35), (-1.2, 0.7), (-1.28, -0.2), (-1.0, -1.0), (-0.1, -1.32), (0.85, -1.08), (1.25, -0.3), (1.22, 0.7), (0.8, 1.4), (0.78, 0.75), (0.95, 0.0), (0.62, -0.68), (-0.1, -0.86), (-0.75, -0.6), (-0.97, 0.0), (-0.72, 0.8))
        s.part(rounded(f.at(*veil)), _pick(rng, (mantle, mantle, LINEN)), 0.25 * r, (1.4, 0.45 * r, 0.08 * r))
    else:
        _hair(s, f, hair, True, front=True)


def _hand(s: Sketch, x: float, y: float, size: float, angle: float, skin: Tones, side: float) -> None:
    """A hand at rest: its back and four fingers."""
    w = s.within(x - size, y - size, x + size, y + size)
    w.solid(w.ellipse(x, y, 0.75 * size, 0.5 * size, 0.1, angle), *skin[1:4], roundness=0.4 * size, fine=0.8)
    c, d = np.cos(angle), np.sin(angle)
    for k in range(4):
        a = (0.45 * side, -0.32 + 0.22 * k)
        b = (a[0] + 0.9 * side * (1 - 0.1 * abs(k - 1)), a[1] + 0.1)
        ends = np.array([(x + size * (p * c - q * d), y + size * (p * d + q * c)) for p, q in (a, b)])
        s.line(ends, 0.2 * size, mix(skin[2], skin[3], 0.5 - 0.15 * k))
        s.line(ends + (0, 0.1 * size), 0.05 * size, mix(skin[1], skin[2], 0.3))


# --- things ---


def _ball(s: Sketch, cx: float, cy: float, rx: float, ry: float, tones: Tones, gloss: float, bump: float = 0.0) -> None:
    """A round thing on a table, with its cast shadow, reflected light and highlight."""
    w = s.within(cx - 1.3 * rx, cy - 1.3 * ry, cx + 2.6 * rx, cy + 1.6 * ry)
    w.shade(0.5 * w.ellipse(cx + 0.7 * rx, cy + 0.85 * ry, 1.25 * rx, 0.3 * ry, 0.6), mix(BLACK, tones[0], 0.2))
    p, q = w.local(cx, cy, rx, ry)
    rho = p * p + q * q
    light = np.clip(-0.52 * p - 0.58 * q + 0.62 * np.sqrt(np.clip(1 - rho, 0, 1)), 0, 1)
    light += 0.2 * np.clip(p + q - 0.8, 0, 1) + bump * (w.noise(max(0.02, 0.3 * rx), 3) - 0.5) + 0.03
    edge = max(0.03, 0.7 / (rx * w.px))
    w.lay(smoothstep(1 + 2 * edge, 1 - 2 * edge, rho), ramp(light, *tones), np.arctan2(p, -q), 0.5)
    if gloss:
        w.lay(gloss * np.exp(-(((p + 0.36) / 0.13) ** 2) - ((q + 0.42) / 0.1) ** 2), (250, 244, 230))


PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "jug": ((0, 0.06, 0.25, 0.35, 0.55, 0.72, 0.9, 0.97, 1), (0.15, 0.125, 0.11, 0.15, 0.29, 0.32, 0.23, 0.17, 0.18)),
    "bottle": ((0, 0.04, 0.3, 0.4, 0.5, 0.65, 0.9, 1), (0.06, 0.05, 0.06, 0.12, 0.22, 0.26, 0.24, 0.18)),
    "urn": ((0, 0.05, 0.15, 0.35, 0.6, 0.85, 0.92, 1), (0.2, 0.17, 0.18, 0.34, 0.36, 0.14, 0.13, 0.22)),
    "goblet": ((0, 0.2, 0.36, 0.42, 0.5, 0.6, 0.7, 0.9, 0.95, 1), (0.19, 0.2, 0.16, 0.06, 0.03, 0.05, 0.03, 0.05, 0.15, 0.17)),
    "roemer": ((0, 0.2, 0.42, 0.5, 0.7, 0.88, 0.95, 1), (0.16, 0.2, 0.16, 0.1, 0.1, 0.11, 0.17, 0.18)),
    "bowl": ((0.55, 0.62, 0.8, 0.93, 1), (0.42, 0.4, 0.3, 0.16, 0.17)),
}
WARES: tuple[Tones, ...] = (
    (BROWN, (110, 82, 60), (196, 170, 134)), ((38, 37, 36), (104, 102, 97), (222, 214, 198)), (BLACK, (96, 56, 38), (178, 128, 82)),
    ((40, 46, 58), (138, 146, 154), (226, 222, 210)), ((48, 34, 20), (154, 114, 54), (238, 212, 142)), ((88, 84, 78), (176, 168, 152), WHITE),
)


def _vessel(s: Sketch, cx: float, base: float, h: float) -> None:
    """A turned vessel of pottery, metal or glass."""
    rng = s.rng
    kind = _pick(rng, tuple(PROFILES))
    at, radius = (np.array(v) for v in PROFILES[kind])
    rows = np.linspace(at[0], 1, 40)
    profile = cv2.GaussianBlur(np.interp(rows, at, radius)[:, None] * h, (1, 5), 1.0)[:, 0]
    ys = base - h + rows * h
    w = s.within(cx - 0.7 * h, base - 1.2 * h, cx + h, base + 0.15 * h)
    w.shade(0.65 * w.ellipse(cx + 0.3 * h, base - 0.01, 0.5 * h, 0.06 * h, 0.6))
    mask = w.polygon(np.concatenate([np.stack([cx - profile, ys], 1), np.stack([cx + profile, ys], 1)[::-1]]))
    p = (w.x - cx) / np.maximum(np.interp(w.y, ys, profile), 1e-3)
    light = np.clip(0.75 * np.sqrt(np.clip(1 - p * p, 0, 1)) - 0.5 * p - 0.12, 0, 1) + 0.14 * np.clip(p - 0.7, 0, 1)
    if kind in ("roemer", "bottle") and rng.random() < 0.8:
        _glass(w, mask, p, light, (cx, base, h))
    else:
        ware = _pick(rng, WARES)
        if kind == "jug":
            ring = w.ellipse(cx + 0.2 * h, base - 0.68 * h, 0.22 * h, 0.24 * h, 0.06) - w.ellipse(cx + 0.2 * h, base - 0.68 * h, 0.165 * h, 0.185 * h, 0.08)
            w.lay(np.clip(ring, 0, 1), ramp(0.6 - 1.5 * (w.x - cx - 0.2 * h) / h, *ware))
        w.lay(mask, ramp(light + 0.12 * (w.noise(0.05, 3) - 0.5), *ware), np.pi / 2 + 0.3 * p, 0.6)
        if ware is WARES[3]:
            w.lay(0.5 * mask * smoothstep(0.55, 0.7, w.noise(0.05, 2)) * (np.abs(p) < 0.9), ramp(light, BLACK, (52, 68, 104), SMALT))
        w.shade(0.7 * w.ellipse(cx, ys[0], profile[0], 0.2 * profile[0], 0.1), mix(ware[0], BLACK, 0.3))
    x, y = cx - 0.42 * profile[14], ys[14]
    w.line([(x, y - 0.05 * h), (x - 0.01 * h, y), (x, y + 0.04 * h)], 0.02 * h, mix(CREAM, WHITE, 0.6))


def _glass(w: Sketch, mask: Field, p: Field, light: Field, place: tuple[float, float, float]) -> None:
    cx, base, h = place
    tint = mix(_pick(w.rng, (VERDIGRIS, OLIVE, (88, 96, 98))), BLACK, 0.2)
    w.lay(0.5 * mask, ramp(light * 0.8, mix(tint, BLACK, 0.5), tint, mix(tint, WHITE, 0.3)), np.pi / 2, 0.6)
    w.lay(0.75 * mask * smoothstep(0.72, 0.97, np.abs(p)), mix(tint, BLACK, 0.4))
    wine = _pick(w.rng, (mix(YELLOW, OLIVE, 0.4), mix(LAKE, BLACK, 0.3)))
    w.lay(0.6 * mask * (w.y > base - 0.82 * h) * (w.y < base - 0.58 * h), ramp(light, mix(wine, BLACK, 0.5), wine, mix(wine, WHITE, 0.3)))
    w.lay(0.8 * mask * np.exp(-(((p - 0.62) / 0.12) ** 2)) * (w.y < base - 0.55 * h), mix(tint, CREAM, 0.6))


FRUITS: tuple[Tones, ...] = (
    ((54, 15, 13), (148, 46, 32), (218, 138, 82)), ((68, 44, 14), (178, 124, 50), (236, 198, 118)), ((40, 43, 16), (112, 116, 52), (204, 196, 120)),
    ((68, 28, 23), (182, 106, 72), (238, 198, 154)), ((24, 16, 24), (64, 45, 62), (140, 126, 140)), ((86, 40, 12), (190, 104, 36), (238, 178, 94)),
)


def _fruits(s: Sketch, x: float, y: float) -> None:
    rng, tones = s.rng, _pick(s.rng, FRUITS)
    for dx in rng.permutation([-0.075, 0.0, 0.07])[: int(rng.integers(1, 4))]:
        r = rng.uniform(0.045, 0.065)
        _ball(s, x + dx, y - r * 0.9, r, r * rng.uniform(0.86, 1.0), tones, rng.uniform(0.1, 0.7), 0.25)
        s.line([(x + dx, y - 1.72 * r), (x + dx + 0.008, y - 1.95 * r)], 0.005, UMBER)


def _grapes(s: Sketch, x: float, y: float) -> None:
    rng = s.rng
    tones = _pick(rng, (((20, 15, 22), (56, 40, 58), (126, 108, 126)), ((44, 48, 24), (112, 114, 60), (206, 198, 136))))
    for _ in range(int(rng.integers(16, 28))):
        g = rng.uniform(0.016, 0.021)
        _ball(s, x + rng.normal(0, 0.045), y - abs(rng.normal(0, 0.035)) - 0.01, g, g, tones, 0.7)


def _plate(s: Sketch, x: float, y: float) -> None:
    rng, s = s.rng, s.within(x - 0.25, y - 0.2, x + 0.3, y + 0.15)
    pewter = ((42, 40, 38), (116, 112, 106), (208, 204, 192))
    r = rng.uniform(0.13, 0.19)
    s.shade(0.5 * s.ellipse(x + 0.03, y + 0.02, 1.05 * r, 0.26 * r, 0.4))
    p, q = s.local(x, y, r, 0.24 * r)
    rim = 0.5 + 0.35 * np.cos(2 * np.arctan2(q, p) + 0.8) * np.clip(np.hypot(p, q), 0, 1)
    s.lay(s.ellipse(x, y, r, 0.24 * r, 0.05), ramp(rim, *pewter), np.arctan2(p, -0.24 * q), 0.4)
    s.shade(0.5 * (s.ellipse(x, y, 0.74 * r, 0.17 * r, 0.05) - s.ellipse(x, y, 0.68 * r, 0.15 * r, 0.05)), pewter[0])
    _pick(rng, (_fruits, _lemon, _fish, _grapes))(s, x, y)


def _lemon(s: Sketch, x: float, y: float) -> None:
    rng, peel = s.rng, ((104, 76, 22), (202, 160, 60), (244, 222, 138))
    _ball(s, x, y - 0.045, 0.06, 0.047, peel, 0.6, 0.3)
    if rng.random() < 0.6:
        s.lay(s.ellipse(x - 0.03, y - 0.045, 0.03, 0.04, 0.1), (236, 220, 170), fine=1.0)
        turn = np.linspace(0, 1, 18)
        curl = np.stack([x - 0.06 - 0.03 * np.sin(9 * turn), y + 0.13 * turn - 0.02], 1)
        for a, b, t in zip(curl[:-1], curl[1:], turn, strict=False):
            s.line([a, b], 0.014 + 0.006 * np.cos(9 * t), mix(peel[2], peel[0], 0.45 + 0.35 * np.cos(9 * t)))


def _bread(s: Sketch, x: float, y: float) -> None:
    r = s.rng.uniform(0.08, 0.12)
    _ball(s, x, y - 0.05, r, 0.055, ((58, 36, 20), (146, 100, 56), (214, 170, 108)), 0.0, 0.6)
    for dx in (-0.4, -0.1, 0.2):
        s.line([(x + (dx - 0.08) * r, y - 0.09), (x + (dx + 0.1) * r, y - 0.06)], 0.01, (226, 190, 136))


def _fish(s: Sketch, x: float, y: float) -> None:
    for dy in (0.0, 0.03):
        shape = rounded([(x - 0.16, y - 0.01 - dy), (x - 0.06, y - 0.05 - dy), (x + 0.08, y - 0.035 - dy), (x + 0.13, y - 0.015 - dy), (x + 0.18, y - 0.04 - dy), (x + 0.17, y + 0.01 - dy), (x + 0.06, y + 0.01 - dy), (x - 0.08, y + 0.012 - dy)])
        s.part(shape, ((46, 44, 42), (124, 120, 112), (216, 212, 198)), 0.03, None, 0.8)
        s.line([(x - 0.135, y - 0.02 - dy), (x - 0.13, y - 0.02 - dy)], 0.01, BLACK)


def _book(s: Sketch, x: float, y: float) -> None:
    rng, cover = s.rng, _pick(s.rng, CLOTHS[:5])
    w, h = rng.uniform(0.2, 0.28), rng.uniform(0.035, 0.06)
    s = s.within(x - w, y - 0.2, x + w, y + 0.1)
    s.shade(0.5 * s.ellipse(x + 0.05, y, 0.7 * w, 0.04, 0.5))
    s.lay(s.polygon([(x - w / 2, y), (x - w / 2, y - h), (x + w / 2, y - h), (x + w / 2, y)]), ramp(0.6 + s.noise(0.008, 2, stretch=20) - 0.5 - (s.x - x) / w * 0.5, (104, 88, 62), (206, 190, 154)), 0.0, 0.6)
    s.lay(s.polygon([(x - w / 2, y - h), (x - 0.35 * w, y - h - 0.05), (x + 0.6 * w, y - h - 0.05), (x + w / 2, y - h)]), mix(cover[1], cover[2], 0.4), 0.0)


def still_life(s: Sketch) -> None:
    """A laid table: vessels, fruit, plates, a cloth."""
    rng, H, W = s.rng, s.height, s.width
    _ground(s, *_pick(rng, ((BLACK, BROWN), (BLACK, (56, 50, 41)), (BROWN, (108, 92, 68)), ((66, 62, 54), (154, 144, 124)), ((20, 21, 18), (60, 64, 50)))))
    table = H * rng.uniform(0.6, 0.72)
    drop = table + rng.uniform(0.14, 0.24)
    wood = _pick(rng, ((BLACK, BROWN, (100, 70, 46)), (BROWN, (104, 76, 52), (152, 118, 80)), ((58, 56, 52), (122, 116, 106), (184, 176, 160)), CLOTHS[1], CLOTHS[3]))
    s.lay(np.clip((s.y - table) * s.px, 0, 1), ramp(0.7 - 0.4 * s.x / W + 0.3 * (s.noise(0.04, 4, stretch=8) - 0.5), *wood), 0.0)
    s.lay(np.clip((s.y - drop) * s.px, 0, 1), ramp(0.26 - 0.18 * s.x / W + 0.2 * (s.noise(0.05, 4, stretch=8) - 0.5), *wood), 0.0)
    if rng.random() < 0.6:
        _napkin(s, table, drop)
    middle, spread = W * rng.uniform(0.38, 0.62), min(W, 1.7) * rng.uniform(0.28, 0.4)
    for f in rng.uniform(-0.75, 0.75, int(rng.integers(2, 5))):
        _vessel(s, middle + spread * f, table + rng.uniform(0.02, 0.05), rng.uniform(0.28, 0.55) * (1.15 - 0.4 * abs(f)))
    n = int(rng.integers(5, 11))
    things = (_fruits, _fruits, _fruits, _grapes, _plate, _lemon, _bread, _book)
    for y, f in zip(np.sort(rng.uniform(table + 0.05, drop - 0.01, n)), rng.permutation(np.linspace(-1, 1, n)), strict=True):
        _pick(rng, things)(s, middle + spread * f + rng.normal(0, 0.03), float(y))


def _napkin(s: Sketch, table: float, drop: float) -> None:
    rng, W, H = s.rng, s.width, s.height
    x0, x1 = W * rng.uniform(0.0, 0.45), W * rng.uniform(0.55, 0.9)
    cloth = s.polygon(rounded([(x0, table + 0.02), (x1, table + 0.01), (x1 + 0.06, drop), (x1 - 0.02, H + 0.1), (x0 - 0.05, H + 0.1), (x0 - 0.04, drop)], 1))
    folds = 0.035 * s.folds(rng.uniform(1.0, 1.9), 0.14) * smoothstep(table - 0.1, drop + 0.1, s.y)
    s.solid(cloth, *_pick(rng, (LINEN, LINEN, CLOTHS[1], CLOTHS[4])), roundness=0.06, bump=folds + 0.02 * s.noise(0.15, 3))


def flowers(s: Sketch) -> None:
    """A bouquet in a vase before a dark wall."""
    rng, H, W = s.rng, s.height, s.width
    _ground(s, *_pick(rng, ((BLACK, BROWN), (BLACK, BROWN), (BLACK, (40, 42, 34)), (BROWN, (92, 80, 60)), ((92, 86, 75), (168, 158, 138)))))
    table = H * rng.uniform(0.82, 0.9)
    s.lay(np.clip((s.y - table) * s.px, 0, 1), ramp(0.7 - 0.5 * s.x / W + 0.3 * (s.noise(0.05, 4, stretch=6) - 0.5), BLACK, BROWN, (114, 90, 62)), 0.0)
    cx, cy, r, spread = W / 2 + rng.normal(0, 0.08), table - 0.5, rng.uniform(0.3, 0.36), min(1.3, W)
    _vessel(s, cx, table + 0.06, 0.34)
    leaf = smoothstep(0.1, -0.15, np.hypot((s.x - cx) / spread, s.y - cy) - r + 0.25 * (s.noise(0.12, 3) - 0.5))
    s.lay(leaf, ramp(s.noise(0.06, 3), BLACK, (24, 28, 19), (56, 56, 34)), s.noise(0.1, 2) * 6)
    n = 90
    a, d = rng.uniform(0, 2 * np.pi, n), r * np.sqrt(rng.uniform(0.1, 1.25, n))
    green = np.array([_pick(rng, (OLIVE, VERDIGRIS, EARTH_GREEN, (40, 46, 30), (30, 36, 26))) for _ in range(n)]) * rng.uniform(0.5, 1, (n, 1))
    at = np.stack([cx + spread * d * np.cos(a), cy + d * np.sin(a)], 1)
    turn = a + rng.normal(0, 0.6, n)
    for offset, width, tone in ((0.0, rng.uniform(0.012, 0.028, n), 1.0), (0.004, np.full(n, 0.004), 1.35)):
        s.strokes(at - offset, turn, 0.11, width, green * tone, 0.3)
    m = int(rng.integers(16, 30))
    a, d = rng.uniform(0, 2 * np.pi, m), r * np.sqrt(np.linspace(1.15, 0.0, m))
    for k in range(m):
        bloom = _tulip if d[k] > 0.7 * r and rng.random() < 0.4 else _blossom
        bloom(s, cx + spread * d[k] * np.cos(a[k]), cy + d[k] * np.sin(a[k]), rng.uniform(0.035, 0.095) * (1.15 - 0.4 * d[k] / r))
    for _ in range(int(rng.integers(0, 4))):
        _blossom(s, W / 2 + rng.normal(0, 0.3), table + rng.uniform(0.03, 0.07), 0.045)


BLOOMS: tuple[Tones, ...] = (
    (LAKE, VERMILION, ROSE), ((150, 96, 80), (222, 184, 162), WHITE), ((140, 134, 120), (206, 190, 156), WHITE), ((122, 82, 26), (206, 170, 84), (240, 220, 150)),
    ((44, 50, 84), (94, 106, 144), (178, 184, 198)), ((90, 42, 24), (190, 96, 46), (236, 172, 100)), ((104, 50, 60), (178, 106, 116), (232, 198, 192)),
)


def _blossom(s: Sketch, x: float, y: float, r: float) -> None:
    """Rings of petals, lit from the upper left."""
    rng, tones = s.rng, _pick(s.rng, BLOOMS)
    w = s.within(x - 1.3 * r, y - 1.3 * r, x + 1.6 * r, y + 1.6 * r)
    w.lay(0.6 * w.ellipse(x + 0.25 * r, y + 0.3 * r, 1.15 * r, 1.15 * r, 0.25), BLACK)
    p, q = w.local(x, y, r, r)
    w.lay(w.ellipse(x, y, 0.85 * r, 0.8 * r, 0.12), ramp(0.45 - 0.4 * p - 0.4 * q, *tones), np.arctan2(p, -q), 0.3)
    tilt = rng.uniform(0.7, 1.0)
    for ring, size in ((0.8, 0.5), (0.5, 0.42), (0.22, 0.3)):
        n = int(rng.integers(6, 10))
        a = np.arange(n) * 2 * np.pi / n + rng.uniform(0, 6)
        c = np.stack([x + ring * r * np.cos(a), y + tilt * ring * r * np.sin(a)], 1)
        t = np.clip(0.5 - 0.42 * np.cos(a) - 0.45 * np.sin(a) + rng.normal(0, 0.16, n), 0, 1)
        w.strokes(c, a + np.pi / 2, 1.5 * size * r, 0.8 * size * r, ramp(t, *tones), 0.7)
        w.strokes(c + 0.08 * r, a + np.pi / 2, size * r, 0.16 * size * r, ramp(t - 0.45, *tones), 0.7)
        w.strokes(c * 0.8 + np.array((x, y)) * 0.2 - 0.05 * r, a + np.pi / 2, 0.7 * size * r, 0.12 * size * r, ramp(t + 0.35, *tones), 0.7)
    w.strokes([(x, y)], 0.0, 0.15 * r, 0.16 * r, _pick(rng, (YELLOW, BROWN, tones[0])))


def _tulip(s: Sketch, x: float, y: float, r: float) -> None:
    """A flamed tulip on its stalk."""
    rng, tones = s.rng, _pick(s.rng, BLOOMS)
    lean = rng.uniform(-0.5, 0.5)
    up = np.array((np.sin(lean), -np.cos(lean)))
    foot = np.array((x, y)) - 0.9 * r * up
    s.line([foot - 2 * r * up, foot], 0.2 * r, (66, 76, 46))
    for da, t in ((-0.45, 0.85), (0.5, 0.2), (0.05, 0.6)):
        d = np.array((np.sin(lean + da), -np.cos(lean + da)))
        s.strokes([foot + 0.8 * r * d], lean + da - np.pi / 2, 1.6 * r, 0.75 * r, ramp(np.array([t]), *tones), 0.25)
        flames = rng.uniform(-0.25, 0.25, (5, 1)) * np.array([[d[1], -d[0]]])
        s.strokes(foot + r * (flames + d * rng.uniform(0.5, 1.2, (5, 1))), lean + da - np.pi / 2, 0.6 * r, 0.07 * r, mix(tones[2], WHITE, 0.4) if t > 0.4 else tones[0], 0.2)


# --- rooms ---


def interior(s: Sketch) -> None:
    """A room in one-point perspective, lit by windows at the left."""
    rng, H, W = s.rng, s.height, s.width
    vx, vy, k = W * rng.uniform(0.38, 0.7), H * rng.uniform(0.38, 0.52), rng.uniform(0.4, 0.62)
    x0, x1, y0, y1 = vx - k * vx, vx + k * (W - vx), vy - k * vy, vy + k * (H - vy)
    wall = _pick(rng, (((66, 60, 48), (150, 140, 116), (212, 202, 176)), (BROWN, (108, 88, 62), (178, 152, 110)), ((76, 75, 70), (166, 162, 150), (226, 219, 203)), (BLACK, (56, 44, 33), (126, 102, 72))))
    rough = 0.3 * (s.noise(0.2, 4) - 0.5)
    glow = np.exp(-np.hypot((s.x - x0) * 0.8, s.y - y0 - 0.4 * (y1 - y0)) * 1.6)
    s.lay(1.0, ramp(0.2 + 0.75 * glow + rough, *wall), np.pi / 2)
    s.lay(s.polygon([(-1, vy - (vy / vx) * (vx + 1)), (x0, y0), (x0, y1), (-1, vy + ((H - vy) / vx) * (vx + 1))]), ramp(0.16 + 0.25 * s.x / x0 + rough, *wall), np.pi / 2)
    s.lay(s.polygon([(W + 1, -1), (x1, y0), (x1, y1), (W + 1, H + 1)]), ramp(0.5 - 0.45 * (s.x - x1) / (W - x1) + rough, *wall), np.pi / 2)
    _floor(s, (vx, vy), (x0, x1, y1), rough)
    beams = smoothstep(0.3, 0.5, np.abs((4 * vy / np.maximum(vy - s.y, 0.02)) % 1 - 0.5) * 2)
    s.lay(s.polygon([(-1, -1), (x0, y0), (x1, y0), (W + 1, -1)]), ramp(0.1 + 0.35 * (1 - beams) + rough, BLACK, BROWN, (122, 94, 64)), 0.0)
    _windows(s, x0, y0, y1, vy)
    _wall_things(s, x0, x1, y0, y1)
    for y in np.sort(rng.uniform(y1 + 0.02, H * 0.97, int(rng.integers(1, 4)))):
        _person(s, W * rng.uniform(0.3, 0.8), float(y), float(y - vy) * rng.uniform(1.0, 1.15))
    if rng.random() < 0.6:
        _table(s, W * rng.uniform(0.1, 0.45), y1 + rng.uniform(0.15, 0.3), rng.uniform(0.25, 0.36))
    if rng.random() < 0.35:
        _curtain(s)
    s.shade(0.5 * smoothstep(0.3, 1.1, s.x / W + 0.4 * s.y / H - 0.35), (20, 15, 11))


def _floor(s: Sketch, eye: tuple[float, float], back: tuple[float, float, float], rough: Field) -> None:
    rng, (x0, x1, y1) = s.rng, back
    near = np.clip((s.y - eye[1]) / (s.height - eye[1]), 0.02, 2)
    n, pair = rng.uniform(3, 5.5), _pick(rng, ((BROWN, (176, 164, 138)), ((52, 48, 42), (140, 112, 80)), ((88, 58, 42), (170, 138, 102)), ((62, 64, 64), (188, 182, 168))))
    u, v = (s.x - eye[0]) / near * n, 1.3 * n / near
    tiles = (np.floor(u) + np.floor(v)) % 2 if rng.random() < 0.65 else 0.35 + 0.25 * (np.floor(1.6 * u) % 2)
    shine = 0.35 * np.exp(-(((s.x - x0 - 0.6 * (s.y - y1)) / 0.35) ** 2))
    tone = 0.1 + 0.6 * tiles + rough + shine - 0.15 * near
    s.lay(s.polygon([(-1, s.height + 1), (x0, y1), (x1, y1), (s.width + 1, s.height + 1)]), ramp(tone, mix(pair[0], BLACK, 0.4), *pair), 0.0, 0.3)


def _windows(s: Sketch, x0: float, y0: float, y1: float, vy: float) -> None:
    rng, glow = s.rng, _pick(s.rng, ((226, 218, 194), (198, 204, 200), (236, 214, 160)))

    def at(x: float, f: float) -> tuple[float, float]:
        return x, (1 - x / x0) * f * s.height + x / x0 * (y0 + f * (y1 - y0))

    for a, b in ((0.06, 0.42), (0.55, 0.88))[int(rng.random() < 0.3) :]:
        xa, xb = x0 * a, x0 * b
        quad = [at(xa, 0.12), at(xb, 0.12), at(xb, 0.58), at(xa, 0.58)]
        s.lay(s.polygon(quad), ramp(0.75 + 0.6 * (s.noise(0.1, 3) - 0.5), mix(glow, SMALT, 0.6), glow), np.pi / 2, 0.6)
        for f in (0.12, 0.35, 0.58):
            s.line([at(xa, f), at(xb, f)], 0.012, BROWN)
        for f in (0.0, 0.5, 1.0):
            x = xa + (xb - xa) * f
            s.line([at(x, 0.12), at(x, 0.58)], 0.01, BROWN)


def _wall_things(s: Sketch, x0: float, x1: float, y0: float, y1: float) -> None:
    """Framed pictures or a map, and a door."""
    rng, wide, tall = s.rng, x1 - x0, y1 - y0
    for at in (0.12, 0.5):
        if rng.random() < 0.55:
            x, y, w, h = x0 + wide * (at + rng.uniform(0, 0.1)), y0 + tall * rng.uniform(0.1, 0.22), wide * rng.uniform(0.15, 0.3), tall * rng.uniform(0.2, 0.36)
            s.shade(0.5 * s.polygon([(x + 0.01, y + 0.015), (x + w + 0.02, y + 0.015), (x + w + 0.02, y + h + 0.02), (x + 0.01, y + h + 0.02)]))
            s.lay(s.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]), _pick(rng, (BLACK, BROWN, (110, 82, 42))), 0.0, 0.5)
            e = 0.014
            view = ramp(0.7 * s.noise(0.06, 3, stretch=2) + 0.4 * (y + h - s.y) / h, BROWN, OLIVE, CREAM)
            s.lay(s.polygon([(x + e, y + e), (x + w - e, y + e), (x + w - e, y + h - e), (x + e, y + h - e)]), view, 0.0, 0.5)
    if rng.random() < 0.5:
        x, top = x0 + wide * 0.78, y1 - 0.68 * tall
        s.lay(s.polygon([(x, y1), (x, top), (x + 0.17 * wide, top), (x + 0.17 * wide, y1)]), ramp((s.y - top) / (y1 - top), BLACK, BROWN, (162, 132, 86)), np.pi / 2, 0.4)


def _table(s: Sketch, x: float, base: float, w: float) -> None:
    """A table under a carpet, with a jug."""
    rng, top = s.rng, base - 0.62 * w
    cloth = _pick(rng, CLOTHS[1:7])
    shape = [(x, top), (x + 0.2 * w, top - 0.14 * w), (x + 1.2 * w, top - 0.14 * w), (x + 1.1 * w, top), (x + 1.13 * w, base), (x - 0.05 * w, base - 0.02)]
    s.shade(0.5 * s.ellipse(x + 0.7 * w, base, 0.8 * w, 0.08 * w, 0.5))
    s.solid(s.polygon(shape), *cloth, roundness=0.06 * w, bump=0.08 * w * s.folds(np.pi / 2, 0.25 * w) * (s.y > top))
    s.lay(0.8 * s.polygon(shape[:4]), mix(cloth[1], cloth[2], 0.5), 0.0)
    s.scatter(s.polygon(shape), 160, 0.03, 0.012, _pick(rng, (OCHRE, CREAM, LAKE)), 0.5)
    _vessel(s, x + 0.7 * w, top - 0.02 * w, 0.5 * w)


def _curtain(s: Sketch) -> None:
    side, tones = s.rng.uniform(0.62, 0.78) * s.width, _pick(s.rng, CLOTHS[1:8])
    edge = side + 0.1 * np.sin(3 * s.y + s.rng.uniform(0, 6)) + 0.25 * smoothstep(0.5, 1.0, s.y)
    s.solid(np.clip((s.x - edge) * s.px, 0, 1), *tones, roundness=0.05, bump=0.05 * s.folds(np.pi / 2 - 0.15, 0.14))


def church(s: Sketch) -> None:
    """The nave of a whitewashed church in one-point perspective, arcades on both sides."""
    rng, H, W = s.rng, s.height, s.width
    stone = _pick(rng, (((96, 88, 75), (188, 178, 156), (238, 231, 214)), ((66, 57, 44), (158, 140, 108), (222, 206, 170)), ((34, 29, 24), (92, 78, 60), (172, 152, 116))))
    eye = np.array((W * rng.uniform(0.2, 0.75), H * rng.uniform(0.55, 0.72)))
    aisle, high, low, spring = rng.uniform(0.3, 0.6), rng.uniform(0.75, 1.2), rng.uniform(0.25, 0.4), rng.uniform(0.3, 0.55)
    far = int(rng.integers(4, 6))

    def at(x: Any, y: Any, z: Any) -> Field:
        x, y, z = np.broadcast_arrays(np.asarray(x, np.float64), y, z)
        return eye + np.stack([x / z, y / z], -1)

    rough = 0.25 * (s.noise(0.15, 4) - 0.5)
    ribs = smoothstep(0.75, 0.95, np.cos(0.9 * 2 * np.pi / np.maximum((eye[1] - s.y) / high, 0.05)))
    s.lay(1.0, ramp(0.62 + rough - 0.25 * ribs - 0.5 * np.abs(s.x - eye[0]), *stone), 0.0, 1.0)
    s.lay(s.polygon(at([-5, 5, aisle, -aisle], low, [1, 1, far, far])), ramp(0.5 + rough - 0.2 * (s.x / W - 0.4), *stone), 0.0)
    s.lay(s.polygon(at([-aisle, aisle, aisle, -aisle], [-high, -high, low, low], far)), ramp(0.85 + rough, *stone), np.pi / 2)
    for dx in (-0.45, 0.15):
        window = at(aisle * (dx + 0.3 * np.array((0, 0, 0.5, 1, 1))), np.array((-0.1, -0.55, -0.7, -0.55, -0.1)) * high, far)
        s.lay(s.polygon(window), mix(stone[2], (226, 226, 214), 0.6), np.pi / 2, 0.5)
    t = np.linspace(0, 1, 13)
    arch = spring + 0.32 * np.sqrt(1 - (2 * t - 1) ** 2)
    for side, dim in ((-1, 0.5), (1, 0.82)):
        x = side * aisle
        s.lay(s.polygon(at(x, [-high, low, low, -high], [0.3, 0.3, far, far])), ramp(dim + rough, *stone), np.pi / 2)
        for k in range(far, 0, -1):
            z = k - 1 + 0.12 + 0.8 * t + 0.1
            opening = np.concatenate([at(x, low, z[[0]]), at(x, -arch, z), at(x, low, z[[-1]])])
            shade = 0.06 + 0.5 * rough + 0.45 * smoothstep(eye[1] + 0.1, eye[1] - 0.35, s.y) * (0.6 + 0.4 * side)
            s.lay(s.polygon(opening), ramp(shade, *stone), np.pi / 2)
        for k in range(far - 1, 0, -1):
            _pillar(s, at(x, [-spring, low], k + 0.02), 0.055 / k, stone, rough)
    for z in np.sort(rng.uniform(0.9, far, int(rng.integers(2, 8))))[::-1]:
        foot = at(aisle * rng.uniform(-0.8, 0.8), low, z)
        _person(s, float(foot[0]), float(foot[1]), 0.26 / float(z))


def _pillar(s: Sketch, ends: Field, half: float, stone: Tones, rough: Field) -> None:
    (x, top), (_, foot) = ends
    p = (s.x - x) / half
    light = 0.8 * np.sqrt(np.clip(1 - p * p, 0, 1)) - 0.45 * p + rough
    s.lay(smoothstep(1.08, 0.96, np.abs(p)) * (s.y < foot) * (s.y > top), ramp(light, *stone), np.pi / 2, 0.4)
    for y, h in ((foot, 0.8), (top + 0.5 * half, 0.6)):
        block = s.polygon([(x - 1.5 * half, y), (x - 1.3 * half, y - h * half), (x + 1.3 * half, y - h * half), (x + 1.5 * half, y)])
        s.lay(block, ramp(0.55 - 0.3 * p + rough, *stone), 0.0)


# --- passages ---


def drapery(s: Sketch) -> None:
    """A close view of folded cloth."""
    rng, cloth = s.rng, _pick(s.rng, CLOTHS)
    f = s.folds(rng.uniform(0, np.pi), rng.uniform(0.25, 0.6)) + 0.3 * s.folds(rng.uniform(0, np.pi), rng.uniform(0.2, 0.4))
    s.solid(np.ones_like(s.x), *cloth, roundness=0.01, bump=rng.uniform(0.1, 0.18) * f)
    if rng.random() < 0.5:
        edge = s.x / s.width - 0.55 + 0.3 * (s.y / s.height - 0.5) + 0.3 * (s.noise(0.5, 2) - 0.5)
        s.solid(np.clip(edge * s.px * s.width, 0, 1), *_pick(rng, CLOTHS), roundness=0.08, bump=0.1 * s.folds(rng.uniform(0, 3), 0.25))


def passage(s: Sketch) -> None:
    """A plain passage: ground, sky, flesh, foliage or water without a motif."""
    rng = s.rng
    tones = _pick(rng, ((BLACK, BROWN, (64, 50, 38)), (BLACK, (30, 28, 26), BROWN), (SMALT, (176, 180, 178), CREAM), SKINS[0][1:4], ((20, 24, 14), OLIVE, EARTH_GREEN), ((150, 142, 124), CREAM, WHITE), CLOTHS[1], ((30, 40, 62), AZURITE, SMALT), (BURNT, OCHRE, YELLOW), (UMBER, (120, 104, 80), (170, 152, 120)), CLOTHS[3]))
    a = rng.uniform(0, 2 * np.pi)
    slope = (s.x / s.width - 0.5) * np.cos(a) + (s.y / s.height - 0.5) * np.sin(a)
    t = 0.5 + 0.5 * slope + 0.9 * (s.noise(rng.uniform(0.3, 0.8), 5, gain=0.6) - 0.5)
    s.lay(1.0, ramp(t, *tones), a + 2 * (s.noise(0.6, 2) - 0.5))
    if rng.random() < 0.6:
        edge = slope - rng.uniform(-0.25, 0.25) + 0.35 * (s.noise(0.8, 3) - 0.5)
        other = _pick(rng, CLOTHS)
        s.lay(smoothstep(-0.01, rng.uniform(0.02, 0.3), edge), ramp(s.noise(0.3, 4), *other), a + np.pi / 2)


@dataclass(frozen=True, slots=True)
class Genre:
    """A kind of composition: how often, how wide a brush, how often as a detail seen from close."""

    compose: Callable[[Sketch], None]
    weight: int
    brush: float
    close: float = 0.0


GENRES = (
    Genre(landscape, 7, 0.8, 0.1), Genre(seascape, 4, 0.85), Genre(portrait, 6, 0.8, 0.25), Genre(figures, 2, 0.75, 0.3), Genre(still_life, 5, 0.8, 0.6),
    Genre(flowers, 3, 0.8, 0.3), Genre(interior, 2, 0.65), Genre(church, 1, 0.55), Genre(drapery, 2, 1.2, 0.4), Genre(passage, 2, 1.8),
)


# --- the brush ---


@dataclass(frozen=True, slots=True)
class Handling:
    """How the paint is put on.

    Attributes
    ----------
    width
        Of the broadest strokes, in short sides of the canvas.
    bristle, impasto
        Contrast of the bristle marks in colour and in height, 0-1.
    slack
        How far the paint may stray from the composition, in grey levels.
    jitter
        Variation of colour from stroke to stroke.
    wander
        How much strokes turn away from the form, in radians.
    """

    width: float
    bristle: float
    impasto: float
    slack: int
    jitter: float
    wander: float


def _handling(rng: np.random.Generator, brush: float) -> Handling:
    """Mostly the smooth touch of the 17th century, at times a loaded brush."""
    low, high = _pick(rng, ((0.0, 0.3), (0.0, 0.3), (0.0, 0.3), (0.0, 0.3), (0.25, 0.6), (0.25, 0.6), (0.25, 0.6), (0.6, 1.0)))
    b, i, f = rng.uniform(low, high, 3)
    return Handling(rng.uniform(0.03, 0.045) * (0.8 + b) * brush, 0.12 + 0.8 * b, 0.06 + 0.75 * i, round(8 + 62 * f), 0.3 + b, 0.3 + 1.5 * f)


def _flow(s: Sketch, wander: float) -> Field:
    """Unit direction of the strokes, (h / 2, w / 2, 2): the set flow, bent along edges of the composition."""
    grey = cv2.GaussianBlur(s.colour[::2, ::2].astype(np.float64) @ np.array([0.299, 0.587, 0.114]), (0, 0), 1.2)
    gx, gy = cv2.Sobel(grey, cv2.CV_64F, 1, 0) / 12, cv2.Sobel(grey, cv2.CV_64F, 0, 1) / 12
    double = 2 * (s.flow + wander * (s.noise(0.35, 2) - 0.5))[::2, ::2]
    tensor = np.stack([6 * np.cos(double) + gy * gy - gx * gx, 6 * np.sin(double) - 2 * gx * gy], 2)
    tensor = cv2.GaussianBlur(tensor, (0, 0), 1.2)
    angle = 0.5 * np.arctan2(tensor[..., 1], tensor[..., 0])
    return np.stack([np.cos(angle), np.sin(angle)], 2)


BRISTLES = 3
"""Marks of one tone in the widest strokes."""


def _draw(paint: Image, paths: Field, widths: Field, colours: Field, hand: Handling, rng: np.random.Generator) -> None:
    """Draw strokes (n, 4, 2) px on (H, W, 4) colour and height: a tapered ribbon, and its bristle marks."""
    n = len(paths)
    ahead = np.diff(paths, axis=1, append=2 * paths[:, 3:] - paths[:, 2:3])
    normal = ahead[..., ::-1] * (np.array([-1.0, 1.0]) / np.maximum(np.sqrt((ahead * ahead).sum(2, keepdims=True)), 1e-6))
    taper = np.array([0.55, 1, 0.95, 0.4]) * rng.uniform(0.8, 1.15, (n, 4))
    half = normal * (0.5 * widths[:, None] * taper)[..., None]
    ribbons = np.rint(np.concatenate([paths + half, (paths - half)[:, ::-1]], 1) * 16).astype(np.int32)
    height = rng.uniform(90, 165, (n, 1))
    contrast = hand.bristle * rng.uniform(0.4, 1.3, (n, 1)) * np.where(rng.random((n, 1)) < 0.5, 1, -1)
    marked = colours * (1 + 0.17 * contrast) + 2 * contrast
    relief = height + 45 * hand.impasto * np.sign(contrast)
    body = np.clip(np.concatenate([colours, height], 1), 0, 255).tolist()
    mark = np.clip(np.concatenate([marked, relief], 1), 0, 255).tolist()
    count = np.clip(widths * 0.3, 0, BRISTLES).astype(np.intp)
    wide = np.flatnonzero(count)
    offset = rng.uniform(-0.8, 0.8, (len(wide), BRISTLES, 1, 1))
    hairs = iter(np.rint((paths[wide, None] + half[wide, None] * offset) * 16).astype(np.int32))
    for ribbon, c0, c1, k in zip(ribbons, body, mark, count.tolist(), strict=True):
        cv2.fillPoly(paint, [ribbon], c0, cv2.LINE_AA, 4)
        if k:
            cv2.polylines(paint, list(next(hairs)[:k]), False, c1, 1, cv2.LINE_AA, 4)


def _starts(now: Image, goal: Image, fine: Field, reach: float, step: float, threshold: float, limit: int, rng: np.random.Generator) -> Field:
    """Jittered grid points (n, 2) where the paint is off the goal by `threshold`: the `limit` worst."""
    h, w = goal.shape[:2]
    rows, cols = int(h / step) + 1, int(w / step) + 1
    grid = np.stack(np.divmod(np.arange(rows * cols), cols)[::-1], 1)
    start = np.minimum((grid + rng.random(grid.shape)) * step, (w - 1, h - 1))
    off = cv2.blur(cv2.absdiff(now, goal), (max(1, int(reach / 2) * 2 + 1),) * 2)
    i, j = start[:, 1].astype(np.intp), start[:, 0].astype(np.intp)
    wrong = off[i, j].sum(1, dtype=np.int32) * (1 + 1.5 * fine[i, j])
    start, wrong = start[wrong >= threshold], wrong[wrong >= threshold]
    worst = np.argsort(-wrong * rng.uniform(0.5, 1, len(wrong)), kind="stable")[:limit]
    return start[rng.permutation(worst)]


def _paths(start: Field, goal: Image, flow: Field, stride: Field, tolerance: float) -> Field:
    """Follow the flow from `start` (n, 2) for three strides: (n, 4, 2); short where the goal changes colour."""
    h, w = goal.shape[:2]

    def at(p: Field) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        return np.clip(p[:, 1].astype(np.intp), 0, h - 1), np.clip(p[:, 0].astype(np.intp), 0, w - 1)

    i, j = at(start)
    colour = goal[i, j].astype(np.int16)
    points, heading, alive = [start], np.zeros_like(start), np.ones((len(start), 1), np.bool_)
    for _ in range(3):
        i, j = at(points[-1])
        d = flow[i // 2, j // 2]
        heading = np.where((d * heading).sum(1, keepdims=True) < 0, -d, d)
        new = points[-1] + heading * stride
        alive = alive & (np.abs(goal[at(new)] - colour).sum(1, keepdims=True) < tolerance)
        points.append(np.where(alive, new, points[-1] + heading * (0.15 * stride)))
    paths = np.stack(points, 1)
    return paths + 0.5 * (start[:, None] - paths[:, 2:3])


def _layer(paint: Image, goal: Image, s: Sketch, flow: Field, width: float, threshold: float, hand: Handling, limit: int) -> None:
    """Lay one layer of curved strokes where the paint is off the goal (h, w, 3).

    After Hertzmann (1998), "Painterly rendering with curved brush strokes of multiple sizes", sec. 2:
    strokes start where the difference is largest, follow `flow`, and stop where the goal leaves their colour.
    """
    rng, (h, w) = s.rng, goal.shape[:2]
    scale = w / paint.shape[1]
    step = max(1.5, 0.6 * width * scale, (h * w / limit) ** 0.5 if threshold == 0 else 0)
    now = cv2.resize(paint, (w, h), interpolation=cv2.INTER_LINEAR_EXACT)[..., :3]
    start = _starts(now, goal, s.fine, width * scale, step, threshold, limit, rng)
    n = len(start)
    if not n:
        return
    paths = _paths(start, goal, flow, width * scale * rng.uniform(0.6, 1.2, (n, 1)), 36 + 1.5 * threshold)
    colour = goal[start[:, 1].astype(np.intp), start[:, 0].astype(np.intp)].astype(np.float64)
    tint = rng.normal(0, 4.5, (n, 1)) + rng.normal(0, 2, (n, 3))
    colour += tint * hand.jitter * (0.3 + colour.max(1, keepdims=True) / 200)
    _draw(paint, paths / scale, width * rng.uniform(0.75, 1.2, n), colour, hand, rng)


def _hand_laid(paint: Image, s: Sketch, hand: Handling) -> None:
    """Draw the dabs of the composition that no later paint hides."""
    if not s.dabs:
        return
    points, widths, colours = (np.concatenate([getattr(d, name) for d in s.dabs]) for name in Dabs.__slots__)
    batch = np.repeat(np.arange(len(s.dabs)), [len(d.widths) for d in s.dabs])
    points = points - (s.x[0, 0], s.y[0, 0])
    middle = (points[:, 1:3].mean(1) * s.px).astype(np.intp)
    h, w = s.over.shape
    keep = (middle >= 0).all(1) & (middle < (w, h)).all(1)
    keep[keep] = s.over[middle[keep, 1], middle[keep, 0]] <= batch[keep]
    scale = s.px * paint.shape[1] / w
    colours = colours[keep] + s.rng.normal(0, 4, (int(keep.sum()), 1))
    _draw(paint, points[keep] * scale, np.maximum(widths[keep] * scale, 1.1), colours, hand, s.rng)


LAYERS = ((1.0, 0.0, 1100), (0.5, 20.0, 1000), (0.28, 32.0, 1200))
"""(width, threshold in grey levels summed over the channels, most strokes) of each layer, coarse to fine."""


def _paint(s: Sketch, size: Size, hand: Handling) -> Image:
    """Paint the composition from coarse to fine: (H, W, 4) uint8, colour and height."""
    goal = np.clip(np.rint(s.colour), 0, 255).astype(np.uint8)
    flow = _flow(s, hand.wander)
    coarse, scale = hand.width * min(size), s.x.shape[1] / size[0]
    paint = np.full((size[1], size[0], 4), 120, np.uint8)
    under = cv2.GaussianBlur(goal, (0, 0), max(0.5, coarse * scale * 0.4))
    paint[..., :3] = cv2.resize(under, size, interpolation=cv2.INTER_LINEAR_EXACT)
    for part, threshold, limit in LAYERS:
        soft = cv2.GaussianBlur(goal, (0, 0), max(0.3, part * coarse * scale * 0.2))
        _layer(paint, soft, s, flow, max(2.0, part * coarse), threshold, hand, limit)
    smooth = cv2.resize(goal, size, interpolation=cv2.INTER_LINEAR_EXACT)
    slack = np.full_like(smooth, hand.slack)
    paint[..., :3] = np.clip(paint[..., :3], cv2.subtract(smooth, slack), cv2.add(smooth, slack))
    _hand_laid(paint, s, hand)
    return paint


def _support(size: Size, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Height of the weave or panel under the paint, (H, W), small numbers."""
    w, h = size
    kind = _pick(rng, ("weave", "weave", "panel", "smooth"))
    strength = rng.uniform(0.6, 3)
    if kind == "weave":
        period = rng.uniform(2.6, 4.5)
        threads = []
        for n in (w, h):
            phase = 2 * np.pi * np.arange(n) / period + 2 * np.cumsum(rng.normal(0, 0.03, n))
            threads.append(np.rint(strength * (np.sin(phase) + rng.normal(0, 0.3, n))).astype(np.int16))
        return threads[0][None] + threads[1][:, None]
    grain = rng.integers(64, 192, (h, w // 24 + 2) if kind == "panel" else (h // 3 + 2, w // 3 + 2)).astype(np.uint8)
    coarse = cv2.resize(grain, size, interpolation=cv2.INTER_LINEAR_EXACT).astype(np.int16) - 128
    return coarse * int(strength * 16) >> 9


def _varnish(s: Sketch) -> Image:
    """Gain per pixel of the sketch and channel, 128 for 1: yellowed varnish, darker edges, the exposure."""
    rng, (h, w) = s.rng, s.x.shape
    u, v = np.linspace(-1, 1, w)[None], np.linspace(-1, 1, h)[:, None]
    edge = smoothstep(0.5, 1.4, np.sqrt(u * u + v * v)) * rng.uniform(0.1, 0.6) + 0.12 * (s.noise(0.5, 3) - 0.5)
    warm = np.array([1.0, 0.985, 0.94]) ** (5 * rng.random() ** 1.5)
    return np.rint(np.clip((1 - edge[..., None]) * warm * rng.uniform(0.78, 1.12), 0, 1.5) * 128).astype(np.uint8)


def _photograph(paint: Image, varnish: Image, hand: Handling, rng: np.random.Generator) -> Image:
    """Light the relief from the upper left through the varnish, and add a little grain: integers only."""
    h, w = paint.shape[:2]
    support = _support((w, h), rng)
    height = cv2.GaussianBlur(paint[..., 3], (3, 3), 0.7).astype(np.int16)
    slope = np.zeros((h, w), np.int16)
    slope[1:-1, 1:-1] = np.clip(height[2:, 2:] - height[:-2, :-2], -60, 60) * int(15 * hand.impasto) >> 5
    slope[1:, 1:] += support[1:, 1:] - support[:-1, :-1]
    grain = (np.frombuffer(rng.bytes(h * w), np.uint8).reshape(h, w) >> 5).astype(np.int16) - 3
    gain = np.clip(128 + slope, 64, 192).astype(np.uint16)
    glaze = cv2.resize(varnish, (w, h), interpolation=cv2.INTER_LINEAR_EXACT).astype(np.uint16)
    factor = np.minimum(glaze * gain[..., None] >> 7, 255)
    lit = (paint[..., :3] * factor >> 7).astype(np.int16)
    return np.clip(lit + (grain + (slope >> 3) >> 1)[..., None], 0, 255).astype(np.uint8)


def canvas(size: Size, *, rng: np.random.Generator) -> Image:
    w, h = size
    if min(size) < SMALLEST:
        raise ValueError(f"a canvas is at least {SMALLEST} x {SMALLEST} px: got {w}x{h}")
    genre = _pick(rng, [genre for genre in GENRES for _ in range(genre.weight)])
    zoom = float(rng.uniform(1.1, 1.8) ** 2) if rng.random() < genre.close else 1.0
    s = Sketch.blank(size, rng, zoom)
    genre.compose(s)
    hand = _handling(rng, genre.brush * zoom**0.6)
    return _photograph(_paint(s, size, hand), _varnish(s), hand, rng)


def numbered_canvas(seed: int, index: int, size: Size) -> Image:
    return canvas(size, rng=random_stream(seed, 0, index))

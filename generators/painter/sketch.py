"""A composition under construction: masks, relief, glazes and strokes laid by hand on a coarse raster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from generators.painter.pigments import Colour, Colours, Field, Tones, ramp, smoothstep, unit
from generators.triplets import Size

T = TypeVar("T")

LONGEST = 330
"""Longest side of the composition's raster in px: finer detail is the brush's business."""


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of the options."""
    return options[int(rng.integers(len(options)))]


def chance(rng: np.random.Generator, share: float) -> bool:
    """True in `share` of the cases."""
    return bool(rng.random() < share)


def outline(text: str) -> Field:
    """Read corners (n, 2) from "x y x y ..."."""
    return np.array(text.split(), np.float64).reshape(-1, 2)


def placed(shape: Any, x: float, y: float, size: float, side: float = 1.0) -> Field:
    """A shape in its own unit, `size` long, set down at (x, y); `side` -1 turns it round."""
    return np.asarray(np.asarray(shape, np.float64) * (side * size, size) + (x, y))


def rounded(points: Any, times: int = 2) -> Field:
    """Cut the corners of a closed polygon (Chaikin 1974, "An algorithm for high-speed curve generation")."""
    p = np.asarray(points, np.float64)
    for _ in range(times):
        q = np.roll(p, -1, 0)
        p = np.stack([0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q], 1).reshape(-1, 2)
    return p


def box(x: float, y: float, w: float, h: float) -> list[tuple[float, float]]:
    """The corners of an upright rectangle."""
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def blurred(z: Field, sigma: float) -> Field:
    """Gaussian blur, `sigma` in px."""
    return np.asarray(cv2.GaussianBlur(z, (0, 0), sigma), np.float64)


def lambert(gx: Field, gy: Field) -> Field:
    """Light from the upper left on a surface of the given slope, in [0, 1]."""
    light = (0.52 * gx + 0.58 * gy + 0.62) / np.sqrt(1 + gx * gx + gy * gy)
    return unit(light * 0.98 - 0.04)


@dataclass(frozen=True, slots=True, eq=False)
class Dabs:
    """Strokes laid by hand: (n, 4, 2) points and (n,) widths in short sides, (n, 3) colours."""

    points: Field
    widths: Field
    colours: Field


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A composition under construction. Lengths are in short sides of the canvas.

    Attributes
    ----------
    width, height
        Of the whole composition.
    x, y
        (h, w) coordinates of the raster, which shows all of the composition or a window of it.
    colour
        (h, w, 3) float32.
    flow
        (h, w) direction of the strokes in radians.
    fine
        (h, w) how much the brush minds small faults here, from 0.
    over
        (h, w) how many batches of dabs lay below the topmost paint: earlier ones are hidden there.
    """

    width: float
    height: float
    x: Field
    y: Field
    colour: Colours
    flow: Field
    fine: Field
    over: npt.NDArray[np.int32]
    rng: np.random.Generator
    dabs: list[Dabs] = field(default_factory=list)

    @classmethod
    def blank(cls, size: Size, zoom: float, *, rng: np.random.Generator) -> Sketch:
        """An empty sketch of a canvas of `size` px, or of a detail of one, `zoom` times enlarged."""
        scale = min(1.0, max(LONGEST / max(size), 48 / min(size)))
        w, h = round(size[0] * scale), round(size[1] * scale)
        short = min(w, h)
        y, x = (np.mgrid[0:h, 0:w] + 0.5) / (short * zoom)
        x += rng.uniform(0.3, 0.7) * w / short * (1 - 1 / zoom)
        y += rng.uniform(0.3, 0.8) * h / short * (1 - 1 / zoom)
        colour, over = np.zeros((h, w, 3), np.float32), np.zeros((h, w), np.int32)
        return cls(w / short, h / short, x, y, colour, np.zeros((h, w)), np.zeros((h, w)), over, rng)

    @property
    def px(self) -> float:
        """Raster px per short side."""
        return float(1 / (self.y[1, 0] - self.y[0, 0]))

    def within(self, x0: float, y0: float, x1: float, y1: float) -> Sketch:
        """A window onto the same arrays (a thin one at the border where it lies outside)."""
        p, (h, w) = self.px, self.x.shape
        c0 = int(np.clip((x0 - self.x[0, 0]) * p, 0, w - 4))
        r0 = int(np.clip((y0 - self.y[0, 0]) * p, 0, h - 4))
        c1 = int(np.clip((x1 - self.x[0, 0]) * p + 2, c0 + 4, w))
        r1 = int(np.clip((y1 - self.y[0, 0]) * p + 2, r0 + 4, h))
        k = np.s_[r0:r1, c0:c1]
        paint = self.colour[k], self.flow[k], self.fine[k], self.over[k]
        return Sketch(self.width, self.height, self.x[k], self.y[k], *paint, self.rng, self.dabs)

    def around(self, x: float, y: float, reach: float) -> Sketch:
        """The window that reaches this far from (x, y) on all sides."""
        return self.within(x - reach, y - reach, x + reach, y + reach)

    # masks and fields

    def noise(self, cell: float, octaves: int = 4, stretch: float = 1.0, gain: float = 0.5) -> Field:
        """Value noise, mean about 0.5, 0-1; cells are `cell` high and `stretch` times as wide."""
        h, w = self.x.shape
        dy, dx = self.px * cell, self.px * cell * stretch
        total = self.rng.random((int(h / dy) + 4, int(w / dx) + 4))
        weight, weights, octave = 1.0, 1.0, 1
        while min(dy, dx) > 3:
            dy, dx, octave = dy / 2, dx / 2, octave + 1
            rows, cols = int(h / dy) + 4, int(w / dx) + 4
            twice = cv2.resize(total, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            total = np.asarray(twice[:rows, :cols], np.float64)
            if octave <= octaves:
                weight *= gain
                weights += weight
                total = total + weight * self.rng.random(total.shape)
        size = round(total.shape[1] * dx), round(total.shape[0] * dy)
        total = np.asarray(cv2.resize(total, size, interpolation=cv2.INTER_LINEAR), np.float64)
        return unit((total[:h, :w] / weights - 0.5) * 1.5 + 0.5)

    def grain(self, strength: float, cell: float, stretch: float = 1.0) -> Field:
        """Noise about 0."""
        return strength * (self.noise(cell, 4, stretch) - 0.5)

    def folds(self, angle: float, period: float) -> Field:
        """Height of folded cloth, 0-1: rounded ridges along `angle` that bend and run out."""
        c, d = np.cos(angle), np.sin(angle)
        u, v = self.x * c + self.y * d, self.y * c - self.x * d
        warp = self.noise(5 * period, 3) - 0.5
        first = np.sin(2 * np.pi * (v / period + 1.5 * warp))
        phase = self.rng.uniform(0, 6)
        second = np.sin(2 * np.pi * (v / period * 0.47 + 2.2 * warp + 0.15 * u / period) + phase)
        return np.asarray(0.5 + 0.32 * second + 0.13 * first * (1 + second), np.float64)

    def polygon(self, points: Any) -> Field:
        """(n, 2) corners -> coverage (h, w) in [0, 1]."""
        corners = (np.asarray(points, np.float64) - (self.x[0, 0], self.y[0, 0])) * self.px
        mask = np.zeros(self.x.shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
        return np.asarray(mask / 255.0, np.float64)

    def below(self, edge: Any) -> Field:
        """Coverage of what lies under the height `edge` (a number or (w,))."""
        return unit((self.y - edge) * self.px + 0.5)

    def local(self, cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> tuple[Field, Field]:
        """Coordinates in which the ellipse is the unit circle."""
        dx, dy = self.x - cx, self.y - cy
        c, s = np.cos(turn), np.sin(turn)
        return (dx * c + dy * s) / rx, (dy * c - dx * s) / ry

    def ellipse(
        self, cx: float, cy: float, rx: float, ry: float, edge: float = 0.03, turn: float = 0.0
    ) -> Field:
        """Soft-edged ellipse -> coverage; `edge` is relative to the radius."""
        p, q = self.local(cx, cy, rx, ry, turn)
        return smoothstep(1 + edge, 1 - edge, np.sqrt(p * p + q * q))

    # paint

    def lay(self, mask: Any, colour: Any, flow: Any = None, fine: float | None = None) -> None:
        """Lay a colour (3,) or (h, w, 3) with coverage `mask`; set stroke direction and fineness there."""
        mask = np.broadcast_to(np.asarray(mask, np.float32), self.x.shape)
        x, y, w, h = cv2.boundingRect((mask != 0).view(np.uint8))
        k = np.s_[y : y + h, x : x + w]
        mask, colour = mask[k], np.asarray(colour, np.float32)
        self.colour[k] += ((colour[k] if colour.ndim == 3 else colour) - self.colour[k]) * mask[..., None]
        on = mask > 0.5
        self.over[k][on] = len(self.dabs)
        if flow is not None:
            np.copyto(self.flow[k], flow[k] if isinstance(flow, np.ndarray) else flow, where=on)
        if fine is not None:
            np.copyto(self.fine[k], fine, where=on)

    def shade(self, mask: Field, colour: Colour = (18, 14, 12)) -> None:
        """Glaze a shadow, which hides no dabs."""
        self.lay(np.minimum(mask, 0.5), colour)

    def slope(self, z: Field) -> tuple[Field, Field]:
        """Gradient of a height (h, w) given in short sides."""
        gx, gy = (cv2.Sobel(z, cv2.CV_64F, *d) * (self.px / 8) for d in ((1, 0), (0, 1)))
        # A flat place has no direction: what rounding leaves there differs between machines.
        return np.round(gx, 9), np.round(gy, 9)

    def relief(self, mask: Field, roundness: float, bump: Any = 0.0) -> tuple[Field, Field]:
        """Light in [0, 1] on the silhouette blown up to a solid, and the direction along its contours."""
        inside = np.pad((mask > 0.5).astype(np.uint8), 1, mode="edge")
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1].astype(np.float64) / self.px
        u = unit(depth / roundness)
        z = np.sqrt(u * (2 - u)) * roundness + bump
        gx, gy = self.slope(blurred(z, max(0.6, 0.006 * self.px)))
        return lambert(gx, gy), np.arctan2(gx, -gy)

    def solid(
        self, mask: Field, tones: Tones, roundness: float, bump: Any = 0.0, fine: float | None = None
    ) -> None:
        """Model a silhouette in the round."""
        light, along = self.relief(mask, roundness, bump)
        self.lay(mask, ramp(light, *tones), along, fine)

    def part(
        self,
        points: Any,
        tones: Tones,
        roundness: float,
        fold: tuple[float, float, float] | None = None,
        fine: float | None = None,
    ) -> None:
        """Model a polygon in the round, with folds of the given (direction, period, height)."""
        low, high = np.min(points, 0) - 0.02, np.max(points, 0) + 0.02
        w = self.within(low[0], low[1], high[0], high[1])
        w.solid(w.polygon(points), tones, roundness, fold[2] * w.folds(*fold[:2]) if fold else 0.0, fine)

    # strokes laid by hand

    def strokes(
        self, centre: Any, angle: Any, length: Any, width: Any, colour: Any, bend: float = 0.4
    ) -> None:
        """Add curved dabs by centre (n, 2), direction, length, width and colour (broadcast to n)."""
        centre = np.asarray(centre, np.float64)
        k = len(centre)
        turn = np.broadcast_to(angle, k)[:, None] + self.rng.uniform(-bend, bend, (k, 1)) * (-1, 0, 1)
        step = np.stack([np.cos(turn), np.sin(turn)], 2) * (np.broadcast_to(length, k)[:, None, None] / 3)
        path = np.concatenate([np.zeros((k, 1, 2)), np.cumsum(step, 1)], 1)
        path += centre[:, None] - path.mean(1, keepdims=True)
        tint = np.broadcast_to(np.asarray(colour, np.float64), (k, 3))
        self.dabs.append(Dabs(path, np.broadcast_to(np.asarray(width, np.float64), k), tint))

    def line(self, points: Any, width: float, colour: Colour) -> None:
        """Add one dab along the parabola through three points, or straight between two."""
        p = np.asarray(points, np.float64)
        t = np.linspace(0, 1, 4)[:, None]
        if len(p) == 2:
            path = p[0] + (p[1] - p[0]) * t
        else:
            path = p[0] * (2 * (t - 0.5) * (t - 1)) + p[1] * (4 * t * (1 - t)) + p[2] * (2 * t * (t - 0.5))
        self.dabs.append(Dabs(path[None], np.array([width]), np.array([colour], np.float64)))

    def scatter(
        self, mask: Field, n: int, length: float, width: float, tint: tuple[Colour, float], angle: Any = None
    ) -> None:
        """Scatter up to n dabs where `mask` is set: the local colour with a share of `tint`'s colour.

        They lie along `angle`, or any way.
        """
        rows, cols = self.x.shape
        r, c = self.rng.integers(rows, size=n), self.rng.integers(cols, size=n)
        keep = mask[r, c] > self.rng.random(n) * 0.9 + 0.05
        r, c = r[keep], c[keep]
        k = len(r)
        a = self.rng.uniform(0, np.pi, k)
        if angle is not None:
            a = np.broadcast_to(angle, mask.shape)[r, c] + 0.25 * (a - np.pi / 2)
        centre = np.stack([self.x[r, c], self.y[r, c]], 1) + self.rng.normal(0, 0.5 / self.px, (k, 2))
        local, share = self.colour[r, c].astype(np.float64), tint[1] * self.rng.uniform(0.2, 1.2, (k, 1))
        colour = local + (np.array(tint[0]) - local) * share
        lengths, widths = self.rng.uniform(0.5, 1.3, k) * length, self.rng.uniform(0.6, 1.3, k) * width
        self.strokes(centre, a, lengths, widths, colour, 0.4 if angle is None else 0.15)

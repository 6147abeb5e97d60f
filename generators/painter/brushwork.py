"""Paint a composition with strokes, coarse to fine, and look at it through its varnish.

At the composition's raster everything is float64, rounded before it is used; at the canvas' own size
everything is integers. So the same stream gives the same bytes on another machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generators.painter.pigments import Field, smoothstep
from generators.painter.sketch import Sketch, blurred, pick
from generators.triplets import Image, Size


@dataclass(frozen=True, slots=True)
class Touch:
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


FINE, EVEN, BROAD = (0.0, 0.3), (0.25, 0.6), (0.6, 1.0)


def touch(brush: float, *, rng: np.random.Generator) -> Touch:
    """Draw a touch: mostly the smooth one of the 17th century, at times a loaded brush."""
    bristle, relief, freedom = rng.uniform(*pick(rng, (*(4 * (FINE,)), *(3 * (EVEN,)), BROAD)), 3).tolist()
    width = rng.uniform(0.03, 0.045) * (0.8 + bristle) * brush
    slack = round(8 + 62 * freedom)
    return Touch(width, 0.12 + 0.8 * bristle, 0.06 + 0.75 * relief, slack, 0.3 + bristle, 0.3 + 1.5 * freedom)


@dataclass(frozen=True, slots=True)
class Layer:
    """Strokes of one brush.

    Attributes
    ----------
    width
        Of the brush, as a share of the broadest.
    threshold
        Where the paint is off by less, in grey levels summed over the channels, no stroke is laid.
    most
        How many strokes at most: where the paint is off most.
    """

    width: float
    threshold: float
    most: int


LAYERS = (Layer(1.0, 0.0, 750), Layer(0.5, 20.0, 650), Layer(0.28, 32.0, 750))

BRISTLES = 3
"""Bristle marks in the widest strokes."""


def _flow(s: Sketch, wander: float) -> Field:
    """Unit direction of the strokes, (h / 2, w / 2, 2): the set flow, bent along edges of the composition."""
    grey = blurred(s.colour[::2, ::2].astype(np.float64) @ np.array([0.299, 0.587, 0.114]), 1.2)
    gx, gy = (cv2.Sobel(grey, cv2.CV_64F, *d) / 12 for d in ((1, 0), (0, 1)))
    double = 2 * (s.flow + s.grain(wander, 0.25))[::2, ::2]
    along = blurred(6 * np.cos(double) + gy * gy - gx * gx, 1.2)
    across = blurred(6 * np.sin(double) - 2 * gx * gy, 1.2)
    angle = 0.5 * np.arctan2(across, along)
    return np.stack([np.cos(angle), np.sin(angle)], 2)


def _draw(
    film: Image, paths: Field, widths: Field, colours: Field, hand: Touch, *, rng: np.random.Generator
) -> None:
    """Draw strokes (n, 4, 2) px on (H, W, 4) colour and height: a tapered ribbon, and its bristle marks."""
    n = len(paths)
    ahead = np.diff(paths, axis=1, append=2 * paths[:, 3:] - paths[:, 2:3])
    length = np.maximum(np.sqrt(ahead[..., 0] ** 2 + ahead[..., 1] ** 2), 1e-6)
    taper = np.array([0.55, 1, 0.95, 0.4]) * rng.uniform(0.8, 1.15, (n, 4))
    half = ahead[..., ::-1] * (-1.0, 1.0) * (0.5 * widths[:, None] * taper / length)[..., None]
    ribbons = np.rint(np.concatenate([paths + half, (paths - half)[:, ::-1]], 1) * 16).astype(np.int32)
    height = rng.uniform(90, 165, (n, 1))
    contrast = hand.bristle * rng.uniform(0.4, 1.3, (n, 1)) * np.where(rng.random((n, 1)) < 0.5, 1, -1)
    bodies = np.clip(np.concatenate([colours, height], 1), 0, 255).tolist()
    relief = height + 45 * hand.impasto * np.sign(contrast)
    marks = np.concatenate([colours * (1 + 0.17 * contrast) + 2 * contrast, relief], 1)
    counts = np.clip(widths * 0.3, 0, BRISTLES).astype(np.intp)
    wide = np.flatnonzero(counts)
    offset = rng.uniform(-0.8, 0.8, (len(wide), BRISTLES, 1, 1))
    hairs = iter(np.rint((paths[wide, None] + half[wide, None] * offset) * 16).astype(np.int32))
    every = zip(ribbons, bodies, np.clip(marks, 0, 255).tolist(), counts.tolist(), strict=True)
    for ribbon, body, mark, count in every:
        cv2.fillPoly(film, [ribbon], body, cv2.LINE_AA, 4)
        if count:
            cv2.polylines(film, list(next(hairs)[:count]), False, mark, 1, cv2.LINE_AA, 4)


def _starts(off: Image, fine: Field, step: float, layer: Layer, *, rng: np.random.Generator) -> Field:
    """Points (n, 2) of a jittered grid where `off` (h, w, 3) reaches the threshold, in any order."""
    h, w = fine.shape
    rows, cols = int(h / step) + 1, int(w / step) + 1
    grid = np.stack(np.divmod(np.arange(rows * cols), cols)[::-1], 1)
    start = np.minimum((grid + rng.random(grid.shape)) * step, (w - 1, h - 1))
    i, j = start[:, 1].astype(np.intp), start[:, 0].astype(np.intp)
    wrong = off[i, j].sum(1, dtype=np.int32) * (1 + 1.5 * fine[i, j])
    start, wrong = start[wrong >= layer.threshold], wrong[wrong >= layer.threshold]
    worst = np.argsort(-wrong * rng.uniform(0.5, 1, len(wrong)), kind="stable")[: layer.most]
    return np.asarray(start[rng.permutation(worst)], np.float64)


def _paths(start: Field, goal: Image, flow: Field, stride: Field, tolerance: float) -> Field:
    """Follow the flow from `start` (n, 2) for three strides, (n, 4, 2): less where the goal changes."""
    high = np.array(goal.shape[1::-1]) - 1

    def at(p: Field) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        i = np.clip(p, 0, high).astype(np.intp)
        return i[:, 1], i[:, 0]

    colour = goal[at(start)].astype(np.int16)
    points, heading, alive = [start], np.zeros_like(start), np.ones((len(start), 1), np.bool_)
    for _ in range(3):
        i, j = at(points[-1])
        ahead = flow[i // 2, j // 2]
        heading = np.where((ahead * heading).sum(1, keepdims=True) < 0, -ahead, ahead)
        new = points[-1] + heading * stride
        alive = alive & (np.abs(goal[at(new)] - colour).sum(1, keepdims=True) < tolerance)
        points.append(np.where(alive, new, points[-1] + heading * (0.15 * stride)))
    paths = np.stack(points, 1)
    return np.asarray(paths + 0.5 * (start[:, None] - paths[:, 2:3]), np.float64)


def _lay(film: Image, goal: Image, s: Sketch, flow: Field, layer: Layer, hand: Touch) -> None:
    """Lay one layer of curved strokes where the canvas is off the goal (h, w, 3).

    After Hertzmann (1998), "Painterly rendering with curved brush strokes of multiple sizes", sec. 2:
    strokes start where the difference is largest, follow `flow` (in place of the paper's normal to the
    gradient), and stop where the goal leaves their colour.
    """
    rng, (h, w) = s.rng, goal.shape[:2]
    scale = w / film.shape[1]
    width = max(2.0, layer.width * hand.width * min(film.shape[:2]))
    soft = np.asarray(cv2.GaussianBlur(goal, (0, 0), max(0.3, 0.2 * width * scale)), np.uint8)
    now = cv2.resize(film, (w, h), interpolation=cv2.INTER_NEAREST)[..., :3]
    reach = max(1, int(width * scale / 2) * 2 + 1)
    off = np.asarray(cv2.blur(cv2.absdiff(now, soft), (reach, reach)), np.uint8)
    step = max(1.8, 0.6 * width * scale, 0 if layer.threshold else (h * w / layer.most) ** 0.5)
    start = _starts(off, s.fine, step, layer, rng=rng)
    n = len(start)
    stride, tolerance = width * scale * rng.uniform(0.6, 1.2, (n, 1)), 36 + 1.5 * layer.threshold
    paths = _paths(start, soft, flow, stride, tolerance)
    colour = soft[start[:, 1].astype(np.intp), start[:, 0].astype(np.intp)].astype(np.float64)
    tint = rng.normal(0, 4.5, (n, 1)) + rng.normal(0, 2, (n, 3))
    colour += tint * hand.jitter * (0.3 + colour.max(1, keepdims=True, initial=0) / 200)
    _draw(film, paths / scale, width * rng.uniform(0.75, 1.2, n), colour, hand, rng=rng)


def _lay_dabs(film: Image, s: Sketch, hand: Touch) -> None:
    """Draw the dabs of the composition that no later paint hides."""
    if not s.dabs:
        return
    points = np.concatenate([d.points for d in s.dabs]) - (s.x[0, 0], s.y[0, 0])
    widths, colours = np.concatenate([d.widths for d in s.dabs]), np.concatenate([d.colours for d in s.dabs])
    batch = np.repeat(np.arange(len(s.dabs)), [len(d.widths) for d in s.dabs])
    middle = (points[:, 1:3].mean(1) * s.px).astype(np.intp)
    keep = (middle >= 0).all(1) & (middle < s.over.shape[::-1]).all(1)
    keep[keep] = s.over[middle[keep, 1], middle[keep, 0]] <= batch[keep]
    scale = s.px * film.shape[1] / s.over.shape[1]
    tinted = colours[keep] + s.rng.normal(0, 4, (int(keep.sum()), 1))
    _draw(film, points[keep] * scale, np.maximum(widths[keep] * scale, 1.1), tinted, hand, rng=s.rng)


def painted(s: Sketch, size: Size, hand: Touch) -> Image:
    """Paint the composition from coarse to fine: (H, W, 4) uint8, colour and height."""
    goal = np.clip(np.rint(s.colour), 0, 255).astype(np.uint8)
    flow = _flow(s, hand.wander)
    film = np.full((size[1], size[0], 4), 120, np.uint8)
    under = cv2.GaussianBlur(goal, (0, 0), max(0.5, 0.4 * hand.width * min(goal.shape[:2])))
    film[..., :3] = cv2.resize(under, size, interpolation=cv2.INTER_LINEAR_EXACT)
    for layer in LAYERS:
        _lay(film, goal, s, flow, layer, hand)
    smooth = cv2.resize(goal, size, interpolation=cv2.INTER_LINEAR_EXACT)
    slack = np.full_like(smooth, hand.slack)
    film[..., :3] = np.clip(film[..., :3], cv2.subtract(smooth, slack), cv2.add(smooth, slack))
    _lay_dabs(film, s, hand)
    return film


def _weave(n: int, strength: float, period: float, *, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Height across n px of parallel threads, no two alike."""
    phase = 2 * np.pi * np.arange(n) / period + 2 * np.cumsum(rng.normal(0, 0.03, n))
    return np.rint(strength * (np.sin(phase) + rng.normal(0, 0.3, n))).astype(np.int16)


def _support(size: Size, *, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Height of the weave or panel under the paint, (H, W), small numbers."""
    w, h = size
    kind, strength = pick(rng, ("weave", "weave", "panel", "plain")), rng.uniform(0.6, 3)
    if kind == "weave":
        period = rng.uniform(2.6, 4.5)
        warp, weft = (_weave(n, strength, period, rng=rng) for n in size)
        return np.asarray(warp[None] + weft[:, None], np.int16)
    cells = (h, w // 24 + 2) if kind == "panel" else (h // 3 + 2, w // 3 + 2)
    grain = cv2.resize(rng.integers(64, 192, cells, np.uint8), size, interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray((grain.astype(np.int16) - 128) * int(strength * 16) >> 9, np.int16)


def varnish(s: Sketch) -> Image:
    """Gain per channel at a quarter of the raster, 128 for 1: yellow varnish, darker edges, exposure."""
    rng, cloudy = s.rng, s.grain(0.12, 0.35)[::4, ::4]
    h, w = cloudy.shape
    u, v = np.linspace(-1, 1, w)[None], np.linspace(-1, 1, h)[:, None]
    edge = smoothstep(0.5, 1.4, np.sqrt(u * u + v * v)) * rng.uniform(0.1, 0.6) + cloudy
    warm = np.array([1.0, 0.985, 0.94]) ** (5 * rng.random() ** 1.5)
    gain = (1 - edge[..., None]) * warm * rng.uniform(0.8, 1.15)
    return np.asarray(np.rint(np.clip(gain, 0, 1.5) * 128), np.uint8)


def photograph(paint: Image, glaze: Image, hand: Touch, *, rng: np.random.Generator) -> Image:
    """Light the relief from the upper left through the varnish, and add a little grain.

    Parameters
    ----------
    paint
        (H, W, 4) uint8, see `painted`.
    glaze
        (h, w, 3) uint8, see `varnish`.
    """
    h, w = paint.shape[:2]
    support = _support((w, h), rng=rng)
    height = cv2.GaussianBlur(paint[..., 3], (3, 3), 0.7).astype(np.int16)
    slope = np.zeros((h, w), np.int16)
    slope[1:-1, 1:-1] = np.clip(height[2:, 2:] - height[:-2, :-2], -60, 60) * int(15 * hand.impasto) >> 5
    slope[1:, 1:] += support[1:, 1:] - support[:-1, :-1]
    lit = cv2.resize(glaze, (w, h), interpolation=cv2.INTER_LINEAR_EXACT).astype(np.uint16)
    lit *= np.clip(128 + slope, 64, 192).astype(np.uint16)[..., None]
    lit >>= 7
    np.minimum(lit, 255, out=lit)
    lit *= paint[..., :3]
    lit >>= 7
    grain = (np.frombuffer(rng.bytes(h * w), np.uint8).reshape(h, w) >> 5).astype(np.int16) - 3
    shifted = lit.view(np.int16)
    shifted += ((slope >> 3) + grain >> 1)[..., None]
    return np.clip(shifted, 0, 255, out=shifted).astype(np.uint8)

"""Paint surface as a close-up shows it, with all that is taken for a crack and is none.

These are the hard negatives of a benchmark: brush-stroke ridges, canvas weave, hair-thin painted lines,
pits and dust, grain, and the wear of a photograph (sharpening, JPEG). They belong to the *clean* image.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np
import numpy.typing as npt

from generators.appearance import add
from generators.networks import Floats
from generators.portability import coarse
from generators.triplets import Image, Size

NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32)
_HEAVY = NORMAL * NORMAL * NORMAL


@dataclass(frozen=True, slots=True)
class Surface:
    """Strengths of what lies on the paint, in grey levels on paint of middle luminance.

    Attributes
    ----------
    direction
        Of the brush, in radians.
    strokes, stroke_length, stroke_width
        Standard deviation of the brush strokes' tone; their size in px.
    ridges
        Of the light and shade on their relief; there are none without strokes.
    weave, thread
        Amplitude of the canvas weave, and px per thread.
    blotches
        Of slow changes of tone.
    stain, stain_size
        Of changes of hue, ochre to grey, and their size in px.
    grain, coarse_grain
        Of noise at the scale of a px, and of two to three.
    salt
        Of grain with heavy tails: few px far off, which sparkles on dark paint.
    hairs
        Number of hair-thin painted lines that follow the brush, more or less.
    crumbs, crumb_length, crumb_contrast
        Number of short bent dashes, such as fibres, crumbs of varnish and what bristles leave; their median
        length in px; positive: lighter than the paint. Half of them follow the brush.
    specks, speck_contrast
        Number of pits, dust grains and splashes; positive: lighter than the paint.
    """

    direction: float = 0.0
    strokes: float = 4.0
    stroke_length: float = 40.0
    stroke_width: float = 3.0
    ridges: float = 2.0
    weave: float = 0.0
    thread: float = 5.0
    blotches: float = 3.0
    stain: float = 2.0
    stain_size: float = 15.0
    grain: float = 2.0
    coarse_grain: float = 2.0
    salt: float = 0.0
    hairs: int = 0
    crumbs: int = 0
    crumb_length: float = 5.0
    crumb_contrast: float = 60.0
    specks: int = 10
    speck_contrast: float = -40.0


def texture(size: Size, surface: Surface, *, rng: np.random.Generator) -> Floats:
    """Relief and tone of a paint surface in grey levels, (H, W) float32 about 0."""
    patches = smooth_noise(size, surface.direction, 60.0, 25.0, rng)
    plane = patches * np.float32(surface.blotches)
    if surface.strokes:
        strokes = _strokes(size, surface, patches, rng)
        plane += strokes * np.float32(surface.strokes)
        plane[1:] += (strokes[1:] - strokes[:-1]) * np.float32(surface.ridges * surface.stroke_width)
    if surface.weave:
        plane += _weave(size, surface, rng)
    plane += _coarse_noise(size, surface.coarse_grain, rng)
    plane += noise(plane.shape, rng, NORMAL * surface.grain + _HEAVY * (surface.salt / 3))
    if surface.hairs or surface.crumbs or surface.specks:
        plane += _marks(size, surface, rng)
    return plane


def _strokes(size: Size, surface: Surface, patches: Floats, rng: np.random.Generator) -> Floats:
    """Brush strokes at two scales, here strong and there faint, their direction not quite the same."""
    length, width = surface.stroke_length, surface.stroke_width
    fine = smooth_noise(size, surface.direction, length, width, rng)
    turn = float(rng.normal(0, 0.12))
    broad = smooth_noise(size, surface.direction + turn, length * 1.7, width * 2.7, rng)
    strength = np.clip(0.75 + 0.6 * patches, 0.05, 2)
    return np.asarray((0.75 * fine + 0.5 * broad) * strength, np.float32)


def noise(shape: tuple[int, ...], rng: np.random.Generator, levels: Floats = NORMAL) -> Floats:
    """Return noise of 256 equally frequent levels: random bytes are alike on every machine."""
    return np.asarray(cv2.LUT(rng.integers(0, 256, shape, np.uint8), levels.astype(np.float32)), np.float32)


def smooth_noise(
    size: Size, direction: float, length: float, width: float, rng: np.random.Generator, scale: float = 1.0
) -> Floats:
    """Smooth noise of standard deviation `scale`, stretched along a direction.

    Returns
    -------
    (H, W) float32; a grain is `length` px along the direction and `width` px across.
    """
    # Wide grains are drawn small and enlarged, which is as smooth and far less work.
    coarser = next(factor for factor in (8, 4, 2, 1) if min(length, width) >= 1.5 * factor or factor == 1)
    w, h = (-(-side // coarser) for side in size)
    length, width = length / coarser, width / coarser
    diagonal = float(np.hypot(w, h))
    columns, rows = int(diagonal / length) + 4, int(diagonal / width) + 4
    grains = np.clip(noise((rows, columns), rng) * 32 + 128, 0, 255).astype(np.uint8)
    plane = _turned(grains, (w, h), direction, length, width)
    if coarser > 1:
        plane = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    levels = (np.arange(256, dtype=np.float32) - 128) * np.float32(scale / 21)
    return np.asarray(cv2.LUT(plane, levels), np.float32)


def _coarse_noise(size: Size, scale: float, rng: np.random.Generator) -> Floats:
    """Noise of grains of some 2 px, (H, W) float32 of standard deviation `scale`."""
    w, h = size
    grains = rng.integers(0, 256, (-(-h // 2), -(-w // 2)), np.uint8)
    plane = cv2.resize(grains, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.LUT(plane, (np.arange(256, dtype=np.float32) - 128) * np.float32(scale / 48)), np.float32
    )


def _turned(
    grains: npt.NDArray[np.uint8], size: Size, direction: float, length: float, width: float
) -> npt.NDArray[np.uint8]:
    """Turn grains about the middle and stretch them: (h, w) uint8, each read at a 32nd of a grain.

    This is ``cv2.warpAffine`` in whole numbers; that one's floats are rounded otherwise on each processor.
    """
    (rows, columns), (w, h) = grains.shape, size
    x, y = np.arange(w) - w / 2, np.arange(h)[:, None] - h / 2
    cos, sin = np.cos(direction), np.sin(direction)
    small = np.int16 if max(rows, columns) < 900 else np.int32  # all 32nds fit into 16 bits
    column = _to_32nds(x * (cos / length) + columns / 2, small) + _to_32nds(y * (sin / length), small)
    row = _to_32nds(x * (-sin / width) + rows / 2, small) + _to_32nds(y * (cos / width), small)
    whole = cv2.merge([(part >> 5).astype(np.int16, copy=False) for part in (column, row)])
    maps = whole, ((row & 31) << 5 | column & 31).astype(np.uint16)
    turned = cv2.remap(grains, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.uint8)


def _to_32nds(values: npt.NDArray[np.float64], kind: type[np.signedinteger]) -> npt.NDArray[np.signedinteger]:
    """Return whole 32nds, as OpenCV's fixed-point maps count."""
    return np.rint(values * 32).astype(kind)


def _weave(size: Size, surface: Surface, rng: np.random.Generator) -> Floats:
    """Threads over and under one another, unevenly spun."""
    w, h = size
    across, along = (
        np.cumsum(1 + 0.25 * noise((side,), rng)) * (2 * np.pi / surface.thread) for side in (w, h)
    )
    warp, weft = np.sin(across).astype(np.float32), np.sin(along).astype(np.float32)
    uneven = 0.6 + 0.4 * smooth_noise(size, 0.0, 30.0, surface.thread, rng)
    woven = warp[None, :] * 0.6 + weft[:, None] - 0.5 * warp[None, :] * weft[:, None]
    return np.asarray(woven * uneven * surface.weave, np.float32)


def _marks(size: Size, surface: Surface, rng: np.random.Generator) -> Floats:
    """Hair-thin painted lines, crumbs and specks, (H, W) grey levels."""
    w, h = size
    plane = np.full((h, w), 128, np.uint8)
    for x, y, level, length, bend, turn in zip(*_hair_draws(size, surface, rng), strict=True):
        _hair(plane, (x, y), surface.direction + bend * 8 + turn, length, bend, int(level))
    scatter_crumbs(plane, surface, rng)
    x, y, contrast, radius = rng.random((4, surface.specks))
    levels = np.clip(128 + surface.speck_contrast * (0.3 + contrast), 0, 255).astype(int)
    axes = (2.6 * radius**4 * 16).astype(int)
    tilts = rng.integers(0, 180, surface.specks)
    centres = np.rint(np.stack([x * w, y * h], axis=1) * 16).astype(np.int32)
    for centre, level, axis, tilt in zip(centres, *(a.tolist() for a in (levels, axes, tilts)), strict=True):
        speck = cv2.ellipse2Poly((0, 0), (axis + 4, axis // 2 + 4), tilt, 0, 360, 45) + centre
        cv2.fillPoly(plane, [speck], level, cv2.LINE_AA, 4)
    softened = cv2.GaussianBlur(plane, (3, 3), 0.6)
    return np.asarray(cv2.LUT(softened, np.arange(-128, 128, dtype=np.float32)), np.float32)


def _hair_draws(size: Size, surface: Surface, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Where hairs start, their grey level, length, bend, and turn off the brush: (6, hairs)."""
    n = surface.hairs
    levels = 128 + rng.choice([-1, -1, 1]) * rng.uniform(15, 60, n)
    length = rng.uniform(0.1, 0.9, n) ** 2 * max(size)
    return np.stack(
        [
            *(rng.random(n) * size[0], rng.random(n) * size[1], levels, length),
            *(rng.normal(0, 0.012, n), rng.normal(0, 0.1, n)),
        ]
    )


def _hair(
    plane: npt.NDArray[np.uint8],
    start: tuple[float, float],
    angle: float,
    length: float,
    bend: float,
    level: int,
) -> None:
    """Draw one smooth arc."""
    at = np.linspace(0, 1, 24)
    angles = angle + bend * 30 * at
    step = length / 24
    points = np.stack(
        [start[0] + np.cumsum(np.cos(angles)) * step, start[1] + np.cumsum(np.sin(angles)) * step], axis=1
    )
    cv2.polylines(plane, [np.rint(points * 16).astype(np.int32)], False, level, 1, cv2.LINE_AA, 4)


def scatter_crumbs(plane: npt.NDArray[np.uint8], surface: Surface, rng: np.random.Generator) -> None:
    """Draw short bent dashes, in four strengths."""
    n, (h, w) = surface.crumbs, plane.shape
    random = rng.integers(0, 2, n) == 0
    heading = np.where(random, rng.uniform(0, 2 * np.pi, n), surface.direction + rng.normal(0, 0.3, n))
    bend, length = rng.normal(0, 0.35, n), surface.crumb_length * np.exp(rng.normal(0, 0.5, n))
    angles = heading[:, None] + bend[:, None] * np.arange(4)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=2) * (length / 4)[:, None, None]
    starts = rng.random((n, 1, 2)) * (w, h)
    points = np.rint((starts + np.cumsum(steps, axis=1)) * 16).astype(np.int32)
    for quarter in range(4):
        level = int(np.clip(128 + surface.crumb_contrast * (0.4 + 0.2 * quarter), 0, 255))
        dashes = list(points[quarter::4])
        cv2.polylines(plane, dashes, False, level, 1, cv2.LINE_AA, 4)


def lay(image: Image, surface: Surface, *, rng: np.random.Generator) -> Image:
    """Give paint a surface; it shows less on dark paint. (H, W, 3) uint8 RGB in and out."""
    size = image.shape[1], image.shape[0]
    luminance = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    levels = np.arange(256, dtype=np.float32)
    seen = cv2.LUT(luminance, np.minimum(0.3 + levels * np.float32(0.7 / 110), 1.4))
    shown = np.asarray(texture(size, surface, rng=rng) * seen, np.float32)
    if surface.stain:
        stain = smooth_noise(size, surface.direction, surface.stain_size * 2, surface.stain_size, rng)
        stain = np.where(stain > 0, stain**2, stain * 0.3)
        stain *= np.asarray(cv2.LUT(luminance, levels * np.float32(surface.stain / 100)), np.float32)
        return add(image, shown, shown - 0.4 * stain, shown - stain)
    return add(image, shown)


def wear(image: Image, quality: int, sharpening: float) -> Image:
    """Wear a picture as a photograph is: unsharp masking, then JPEG of a quality (0: none)."""
    if sharpening:
        blurred, amount = cv2.GaussianBlur(image, (5, 5), 1.1), coarse(sharpening)
        image = np.asarray(cv2.addWeighted(image, 1 + amount, blurred, -amount, 0), np.uint8)
    if quality:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)
    return image

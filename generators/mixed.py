"""Recipe `mixed`: all styles and beyond, whole paintings, details and close-ups, hard negatives, whole paint.

Made for training detectors. Close-ups show paint at the scale of a macro photograph: tone, strokes, weave,
specks and grain are added to an enlarged passage of the painting, and all that belongs to the clean image.
Details show a passage as it is, with all contours and folds that were painted to be seen. Dusty close-ups
show nearly black paint whose cracks are seen by the dust in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from generators import appearance, dust, grounds
from generators.appearance import Look
from generators.craquelure import STYLES, NetworkParameters, crack, describe, draw_habit, draw_look
from generators.framing import Framing, close_up, whole
from generators.networks import Habit
from generators.parameters import Range, between, check, log_uniform, uniform
from generators.triplets import Image, Recipe, Size, Triplet

YOUNG = (0.25, 0.7)
"""Ages of young networks."""


@dataclass(frozen=True, kw_only=True)
class MixedParameters:
    """What `mixed` draws for each triplet. Shares in [0, 1], lengths in px of the picture.

    Attributes
    ----------
    clean_share
        Share of triplets without any crack.
    close_ups
        Share of triplets that show a close-up instead of the whole painting; only where the fit is "crop".
    details
        Share of the others that show a detail of the painting; only where the fit is "crop".
    zoom, detail_zoom
        Scale of the painting in a close-up and in a detail, drawn uniformly in the logarithm.
    dark_share
        Share of close-ups on nearly black paint.
    dusty_share
        Share of close-ups that show nearly black paint under a camera's noise instead, with cracks that are
        seen by the dust in them.
    spacing
        Distance between primary cracks in close-ups and details, drawn uniformly in the logarithm.
    width
        Median width of the primaries there, drawn uniformly in the logarithm.
    gaping_share
        Share of these whose cracks gape, 1.5 to 2.5 times as wide.
    connected_share
        Share of these whose cracks close their cells, with hardly a dead end.
    young_share
        Share of these whose network is young: a few cracks, far from each other, most of which end in paint.
    jpeg_share
        Share of these that are worn by JPEG.
    age
        How far the damage has come: 1 is the whole network.
    """

    clean_share: float = between(0, 1, 0.08)
    close_ups: float = between(0, 1, 0.6)
    details: float = between(0, 1, 0.5)
    zoom: Range = between(0.1, 32, (1.2, 8.0))
    detail_zoom: Range = between(0.1, 32, (0.4, 1.5))
    dark_share: float = between(0, 1, 0.45)
    dusty_share: float = between(0, 1, 0.3)
    spacing: Range = between(8, 4096, (25.0, 105.0))
    width: Range = between(0.34, 64, (0.85, 2.3))
    gaping_share: float = between(0, 1, 0.15)
    connected_share: float = between(0, 1, 0.4)
    young_share: float = between(0, 1, 0.25)
    jpeg_share: float = between(0, 1, 0.35)
    age: float = between(0.001, 1, 1.0)

    def __post_init__(self) -> None:
        """Check all values."""
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """What photographing does to a picture: noise, unsharp masking, then JPEG of a quality (0: none)."""

    sharpening: float = 0.0
    quality: int = 0
    film: dust.Film | None = None

    def __bool__(self) -> bool:
        return bool(self.sharpening or self.quality or self.film is not None)

    def of(self, image: Image) -> Image:
        """Wear a picture."""
        exposed = image if self.film is None else dust.expose(image, self.film)
        return grounds.wear(exposed, self.quality, self.sharpening)


def draw(painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator) -> Triplet:
    """Draw a style over a whole painting, a detail or, mostly, a close-up; sometimes no crack at all."""
    p: MixedParameters = parameters
    style = list(STYLES)[rng.integers(len(STYLES))]
    view = draw_view(p, fit, rng)
    cracked = bool(rng.random() >= p.clean_share)
    network: NetworkParameters = STYLES[style].parameters
    photograph = Photograph()
    frame, clean = ground(painting, size, fit, view, p, rng)
    if view != "whole":
        photograph = draw_photograph(p, size, view, rng)
        network = replace(network, spacing=p.spacing, width=p.width, lifted=0.35)
    habit, look = vary(draw_habit(network, rng), rng), draw_look(network, clean, rng)
    age = p.age
    if view != "whole":
        habit, look = come_near(habit, look, p, rng)
        young = uniform(YOUNG, rng)
        age *= young if rng.random() < p.young_share else 1.0
    if view == "dusty":
        look = dust.dusty_look(look, rng)
        clean = dust.scatter_fibres(clean, look, rng)
    meta = {"style": style, "view": view}
    if not cracked:
        worn = photograph.of(clean)
        return Triplet(worn, np.zeros(worn.shape[:2], np.uint8), worn.copy(), {**meta, "cracks": 0})
    return _cracked(clean, frame, habit, look, photograph, age, meta, rng)


def draw_view(p: MixedParameters, fit: str, rng: np.random.Generator) -> str:
    """Draw what a triplet shows: "close-up", "dusty", "detail" or "whole"."""
    near, nearer = rng.random(2)
    if fit != "crop":
        return "whole"
    if near < p.close_ups:
        return "dusty" if p.dusty_share and rng.random() < p.dusty_share else "close-up"
    return "detail" if nearer < p.details else "whole"


def ground(
    painting: Image, size: Size, fit: str, view: str, p: MixedParameters, rng: np.random.Generator
) -> tuple[Framing, Image]:
    """Frame a view, and return what it shows."""
    if view == "close-up":
        return close_up_ground(painting, size, p, rng)
    if view == "dusty":
        return close_up_ground(painting, size, replace(p, dark_share=1.0), rng, dusty=True)
    whole_size = painting.shape[1], painting.shape[0]
    if view == "detail":
        frame = close_up(whole_size, size, log_uniform(p.detail_zoom, rng), rng=rng)
    else:
        frame = whole(whole_size, size, fit)
    return frame, frame.image(painting)


def _cracked(
    clean: Image,
    frame: Framing,
    habit: Habit,
    look: Look,
    photograph: Photograph,
    age: float,
    meta: dict[str, Any],
    rng: np.random.Generator,
) -> Triplet:
    """Crack a clean picture, then photograph both; away from the cracks the photographs are the same."""
    network, drawing = crack(frame, habit, look, age, rng)
    damaged = appearance.damage(clean, drawing, look, rng=rng)
    meta = {**meta, **describe(network, habit, look, age)}
    if photograph:
        clean, damaged = photograph.of(clean), photograph.of(damaged)
        near = appearance.near(drawing.mask, appearance.SOFT_EDGE)
        damaged = np.asarray(cv2.copyTo(damaged, near.view(np.uint8), clean.copy()), np.uint8)
    return Triplet(clean, drawing.mask.astype(np.uint8), damaged, meta)


def vary(habit: Habit, rng: np.random.Generator) -> Habit:
    """Widen a style's habit beyond what the style itself draws."""
    return replace(
        habit,
        generations=4,
        bend=habit.bend * log_uniform((0.5, 1.5), rng),
        jag=uniform((0.05, 0.35), rng),
        kink=uniform((0.05, 0.4), rng),
        sway=uniform((0.02, 0.25), rng),
        spurs=uniform((0, 0.4), rng) if rng.random() < 0.5 else 0.0,
        order=log_uniform((0.4, 30), rng),
        across=uniform((0.05, 0.5), rng),
        fill=uniform((0.6, 1), rng),
        tiring=0.45 * rng.random() ** 1.8,
        doubling=uniform((0, 0.04), rng),
    )


def come_near(habit: Habit, look: Look, p: MixedParameters, rng: np.random.Generator) -> tuple[Habit, Look]:
    """Turn a habit and a look into those of a close-up: crisp edges, hairlines to gaping cracks."""
    faint = log_uniform((0.55, 1.0), rng)
    gape = uniform((1.5, 2.5), rng) if rng.random() < p.gaping_share else 1.0
    look = replace(
        look,
        width=min(look.width * gape, 0.5 + 0.04 * habit.spacing),
        width_spread=uniform((0.1, 0.35), rng),
        unevenness=uniform((0.05, 0.35), rng),
        strength=uniform((0.6, 1.0), rng),
        light=(look.light[0] * faint, look.light[1] * faint, look.light[2] * faint),
        softness=uniform((0.25, 0.6), rng),
        # Dust lies in a crack by fits and starts: some are seen as a row of dots.
        grain=uniform((0.1, 1.2) if rng.random() < 0.8 else (1.2, 2.4), rng),
    )
    # No network is finer than some 12 px between cracks.
    finest = 1 + int(np.log(habit.spacing / 12) / -np.log(habit.refinement))
    habit = replace(habit, generations=min(int(rng.integers(1, 5)), finest))
    return (connected(habit, rng) if rng.random() < p.connected_share else habit), look


def connected(habit: Habit, rng: np.random.Generator) -> Habit:
    """Turn a habit into that of thin hard paint: nearly all cracks run on until they meet another."""
    calm = uniform((0.45, 0.9), rng)
    return replace(
        habit,
        tiring=0.15 * habit.tiring,
        spurs=0.0,
        fill=max(habit.fill, 0.85),
        jag=habit.jag * calm,
        kink=habit.kink * calm,
        sway=habit.sway * calm,
    )


def close_up_ground(
    painting: Image, size: Size, p: MixedParameters, rng: np.random.Generator, *, dusty: bool = False
) -> tuple[Framing, Image]:
    """Enlarge a passage and make a paint surface of it: tone, strokes, weave, specks, grain."""
    frame = close_up((painting.shape[1], painting.shape[0]), size, log_uniform(p.zoom, rng), rng=rng)
    x0, y0, x1, y1 = frame.window
    passage = tone(painting[y0:y1, x0:x1], p.dark_share, rng)
    enlarged = replace(frame, window=(0, 0, x1 - x0, y1 - y0)).image(passage)
    surface = draw_surface(rng)
    return frame, grounds.lay(enlarged, dust.dusty_surface(surface, rng) if dusty else surface, rng=rng)


def tone(view: Image, dark_share: float, rng: np.random.Generator) -> Image:
    """Shift a passage to the tone of a close-up, nearly black or any other, varnished; contrast is kept low.

    (H, W, 3) uint8 RGB in and out.
    """
    mean = np.array(cv2.mean(view)[:3], np.float32)
    target = uniform((7, 34), rng) if rng.random() < dark_share else uniform((70, 215), rng)
    gain = target / max(12.0, float(mean.mean()))
    contrast = np.float32(uniform((0.05, 0.5), rng) * min(1.0, gain))
    yellowed = rng.random() ** 2
    varnish = np.array([1, 1 - 0.12 * yellowed, 1 - 0.4 * yellowed], np.float32)
    # A hue that would show as a grey on dark paint must not glow on light paint.
    pure = rng.random(3) * 1.4 - 0.6 if rng.random() < 0.2 else mean / max(12.0, float(mean.mean())) - 1
    hue = np.clip(pure, -0.55, 0.5)
    base = np.minimum(target * (1 + hue * np.float32(uniform((0.3, 1.0), rng))), 245) * varnish
    return appearance.lookup(view, base + (np.arange(256, dtype=np.float32)[:, None] - mean) * contrast)


def draw_photograph(p: MixedParameters, size: Size, view: str, rng: np.random.Generator) -> Photograph:
    """Draw how a close-up was photographed."""
    sharpening = uniform((0, 1.2), rng) if rng.random() < 0.5 else 0.0
    quality = int(rng.integers(60, 96)) if rng.random() < p.jpeg_share else 0
    if view == "dusty":
        return Photograph(uniform((0, 2.5), rng), quality, dust.film(size, rng))
    return Photograph(sharpening, quality)


def draw_surface(rng: np.random.Generator) -> grounds.Surface:
    """Draw a paint surface: smooth or brushy, on a woven ground or not, clean or specked."""
    brushy, woven, specked, hairy, stained, salted, crumbed = rng.random(7) < (
        *(0.65, 0.3, 0.6, 0.35, 0.5, 0.5, 0.4),
    )
    return grounds.Surface(
        direction=uniform((0, np.pi), rng),
        strokes=uniform((1.0, 8), rng) if brushy else 0.0,
        stroke_length=log_uniform((8, 70), rng),
        stroke_width=log_uniform((1.6, 6), rng),
        ridges=uniform((0, 2), rng),
        weave=uniform((1.5, 8), rng) if woven else 0.0,
        thread=log_uniform((3, 9), rng),
        blotches=uniform((0, 7), rng),
        stain=uniform((0, 4), rng) if stained else 0.0,
        stain_size=log_uniform((5, 40), rng),
        grain=uniform((0.3, 4), rng),
        coarse_grain=uniform((0.3, 4.5), rng),
        salt=uniform((0.5, 4), rng) if salted else 0.0,
        hairs=int(log_uniform((3, 110), rng)) if hairy else 0,
        crumbs=int(log_uniform((15, 400), rng)) if crumbed else 0,
        crumb_length=log_uniform((2.5, 11), rng),
        crumb_contrast=float(rng.choice([-1.0, 1.0])) * uniform((25, 110), rng),
        specks=int(log_uniform((5, 260), rng)) if specked else 3,
        speck_contrast=float(rng.choice([-1.0, -1.0, 1.0])) * uniform((15, 80), rng),
    )


MIXED = Recipe(
    "mixed",
    7,
    1,
    "all styles, whole paintings, details and close-ups, hard negatives, some without a crack",
    "For training detectors: draws among the five styles and over their parameters. Most triplets are "
    "close-ups, dark and light, from hairlines to gaping cracks, on brushy, woven, noisy, JPEG-worn and "
    "nearly black paint, or on such paint as a camera sees it, with dust in the cracks and coloured noise; "
    "others show details and whole paintings. Brush ridges, weave, hair-thin painted "
    "lines, pits, crumbs and dust in the clean image are there to be mistaken for cracks, as are painted "
    "contours; some triplets have no crack at all.",
    MixedParameters(),
    draw,
    appearance.SOFT_EDGE,
)

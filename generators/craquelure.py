"""The network recipes: five historical styles, and `mixed`, which draws among them and over their parameters.

The styles are Bucklow's (S. Bucklow, "The description of craquelure patterns", Studies in Conservation 42,
1997), as far as their numbers are known from 360 real networks: see `craqbench.morphology.REAL_STYLES`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from generators import appearance, framing, grounds
from generators.appearance import Look
from generators.networks import Habit, Network, grow
from generators.raster import Drawing, draw_network
from generators.triplets import CLASSES, Image, Recipe, Size, Triplet

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class NetworkParameters:
    """What a network recipe draws for each triplet: uniformly in (low, high), lengths and widths in px.

    ``spacing`` and ``width`` are drawn uniformly in the logarithm. The names are explained in
    `generators.networks.Habit` and `generators.appearance.Look`.
    """

    spacing: Range = (80.0, 100.0)
    generations: int = 5
    refinement: Range = (0.78, 0.84)
    fill: Range = (0.9, 1.0)
    room: Range = (0.4, 0.46)
    order: Range = (4.0, 6.0)
    across: Range = (0.3, 0.4)
    obedience: Range = (0.4, 0.6)
    jag: Range = (0.12, 0.28)
    kink: Range = (0.1, 0.3)
    sway: Range = (0.15, 0.35)
    bend: Range = (0.001, 0.003)
    reach: Range = (4.0, 8.0)
    tiring: Range = (0.35, 0.42)
    capture: Range = (4.0, 6.0)
    crossing: Range = (0.0, 0.01)
    spurs: Range = (0.0, 0.1)
    doubling: Range = (0.0, 0.02)
    width: Range = (1.4, 2.6)
    width_decay: Range = (0.68, 0.82)
    width_spread: Range = (0.2, 0.4)
    unevenness: Range = (0.15, 0.35)
    strength: Range = (0.75, 1.0)
    strength_decay: Range = (0.8, 0.92)
    softness: Range = (0.4, 0.8)
    lifted: float = 0.25
    age: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        ValueError
            If a range is upside down, or an age or a share lies outside [0, 1].
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and (len(value) != 2 or value[0] > value[1]):
                raise ValueError(f"{field.name} got {value}: expected (low, high) with low <= high")
        if not 0 < self.age <= 1:
            raise ValueError(f"age got {self.age}: expected 0 < age <= 1")
        if self.generations < 1:
            raise ValueError(f"generations got {self.generations}: expected at least 1")


def draw(painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator) -> Triplet:
    """Draw a style's network on a framed painting."""
    frame = framing.whole((painting.shape[1], painting.shape[0]), size, fit)
    clean = frame.image(painting)
    habit, look = draw_habit(parameters, rng), draw_look(parameters, clean, rng)
    return crack(clean, frame, habit, look, parameters.age, {}, rng)


def crack(
    clean: Image, frame: framing.Framing, habit: Habit, look: Look, age: float, meta: dict[str, Any], rng: np.random.Generator
) -> Triplet:
    """Grow a network of a habit over a clean picture and paint it on with a look."""
    network = grow(frame.size, habit, rng=rng)
    drawing = drawn(network, look, age, rng)
    if not frame.inside().all():
        inside = frame.inside()
        drawing = Drawing(drawing.opacity * inside, drawing.mask & inside)
    damaged = appearance.damage(clean, drawing, look, rng=rng)
    meta = {**meta, "cracks": len(np.unique(network.crack)), "spacing": round(habit.spacing, 2), "width": round(look.width, 2), "flip": round(look.flip), "age": age}
    return Triplet(clean, drawing.mask.astype(np.uint8), damaged, meta)


def drawn(network: Network, look: Look, age: float, rng: np.random.Generator) -> Drawing:
    """Draw a network at an age."""
    width, strength = appearance.profile(network, look, age, rng=rng)
    return draw_network(network, width, strength)


def draw_habit(parameters: NetworkParameters, rng: np.random.Generator) -> Habit:
    """Draw how a network grows."""
    names = ("refinement", "fill", "room", "order", "across", "obedience", "jag", "kink", "sway", "bend", "reach", "tiring", "capture", "crossing", "spurs", "doubling")
    drawn = {name: float(rng.uniform(*getattr(parameters, name))) for name in names}
    return Habit(
        spacing=log_uniform(parameters.spacing, rng),
        generations=parameters.generations,
        direction=float(rng.uniform(0, np.pi)),
        **drawn,
    )


def draw_look(parameters: NetworkParameters, clean: Image, rng: np.random.Generator) -> Look:
    """Draw how the cracks look on this picture."""
    names = ("width_decay", "width_spread", "unevenness", "strength", "strength_decay", "softness")
    drawn = {name: float(rng.uniform(*getattr(parameters, name))) for name in names}
    lift = float(rng.uniform(0.3, 1.0)) if rng.random() < parameters.lifted else 0.0
    corner = rng.choice([-1, 1], 2)
    return Look(
        width=log_uniform(parameters.width, rng),
        flip=draw_flip(float(clean.mean()), rng),
        dark=draw_dark(rng),
        light=draw_light(rng),
        dirt=float(rng.uniform(-0.3, 0.3)),
        lift=lift,
        lift_from=(int(corner[0]), int(corner[1])),
        grain=float(rng.uniform(0.05, 0.4)),
        **drawn,
    )


def draw_flip(luminance: float, rng: np.random.Generator) -> float:
    """Luminance below which cracks show light: on dark pictures most do, on light ones few."""
    low, high = float(rng.uniform(22, 40)), float(rng.uniform(55, 110))
    return high if rng.random() < (0.85 if luminance < 65 else 0.2) else low


def draw_dark(rng: np.random.Generator) -> tuple[float, float, float]:
    """Factors from paint to dark crack: browner than the paint, as dirt and old varnish are."""
    level, warmth = rng.uniform(0.15, 0.68), rng.uniform(0, 0.4)
    return float(level * (1 + warmth * 0.5)), float(level), float(level * (1 - warmth))


def draw_light(rng: np.random.Generator) -> tuple[float, float, float]:
    """Levels from paint to light crack: chalk, lead white or brown dust."""
    level, warmth = np.exp(rng.uniform(np.log(18), np.log(95))), rng.uniform(-0.1, 0.7)
    return float(level * (1 + warmth * 0.3)), float(level), float(level * (1 - warmth * 0.7))


def log_uniform(span: Range, rng: np.random.Generator) -> float:
    """Draw uniformly in the logarithm."""
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))


@dataclass(frozen=True, kw_only=True)
class MixedParameters:
    """What `mixed` draws for each triplet. Shares in [0, 1], lengths in px.

    Attributes
    ----------
    clean_share
        Share of triplets without any crack.
    close_ups
        Share of triplets that show a close-up of the painting, with a paint surface added, instead of
        the whole; only where the fit is "crop".
    zoom
        Enlargement of a close-up, drawn uniformly in the logarithm.
    dark_share
        Share of close-ups on nearly black paint.
    spacing, width
        Of the primaries of close-ups, drawn uniformly in the logarithm.
    gaping_share
        Share of close-ups whose cracks gape, 1.5 to 2.5 times as wide.
    jpeg_share
        Share of close-ups worn by JPEG.
    age
        In (0, 1], see `craqbench preview --ages`.
    """

    clean_share: float = 0.08
    close_ups: float = 0.7
    zoom: Range = (1.0, 5.0)
    dark_share: float = 0.45
    spacing: Range = (24.0, 120.0)
    width: Range = (0.7, 1.9)
    gaping_share: float = 0.15
    jpeg_share: float = 0.5
    age: float = 1.0


def draw_mixed(painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator) -> Triplet:
    """Draw a style over a whole painting or, mostly, over a close-up with hard negatives; sometimes none."""
    p: MixedParameters = parameters
    style = str(rng.choice(list(STYLES)))
    close_up = bool(rng.random() < p.close_ups) and fit == "crop"
    whole_paint = bool(rng.random() < p.clean_share)
    style_parameters = STYLES[style].parameters
    meta: dict[str, Any] = {"style": style, "view": "close-up" if close_up else "whole"}
    if close_up:
        frame = framing.close_up((painting.shape[1], painting.shape[0]), size, log_uniform(p.zoom, rng), rng=rng)
        clean = close_up_ground(frame.image(painting), p, rng)
        style_parameters = replace(style_parameters, spacing=p.spacing, width=p.width, lifted=0.35)
    else:
        frame = framing.whole((painting.shape[1], painting.shape[0]), size, fit)
        clean = frame.image(painting)
    habit, look = vary(draw_habit(style_parameters, rng), rng), draw_look(style_parameters, clean, rng)
    if close_up:
        habit = replace(habit, generations=int(rng.integers(2, 6)))
        gaping = float(rng.uniform(1.5, 2.5)) if rng.random() < p.gaping_share else 1.0
        look = replace(look, softness=float(rng.uniform(0.25, 0.6)), strength=1.0, unevenness=float(rng.uniform(0.05, 0.35)), width_spread=float(rng.uniform(0.1, 0.35)), grain=float(rng.uniform(0.1, 0.8)), width=min(look.width * gaping, 0.5 + 0.04 * habit.spacing))
    quality = int(rng.integers(60, 96)) if close_up and rng.random() < p.jpeg_share else 0
    sharpening = float(rng.uniform(0, 1.2)) if close_up and rng.random() < 0.6 else 0.0
    worn = grounds.wear(clean, quality, sharpening)
    if whole_paint:
        return Triplet(worn, np.zeros(worn.shape[:2], np.uint8), worn.copy(), {**meta, "cracks": 0})
    triplet = crack(clean, frame, habit, look, p.age, meta, rng)
    if quality or sharpening:
        near = appearance.near(triplet.mask, appearance.SOFT_EDGE)
        damaged = np.where(near[..., None], grounds.wear(triplet.damaged, quality, sharpening), worn)
        triplet = replace(triplet, image=worn, damaged=damaged)
    return triplet


def vary(habit: Habit, rng: np.random.Generator) -> Habit:
    """Widen a style's habit."""
    return replace(
        habit,
        bend=habit.bend * float(np.exp(rng.normal(0, 0.4))),
        jag=float(rng.uniform(0.05, 0.35)),
        kink=float(rng.uniform(0.05, 0.4)),
        sway=float(rng.uniform(0.02, 0.25)),
        spurs=float(rng.uniform(0, 0.4)),
        order=log_uniform((0.4, 30), rng),
        across=float(rng.uniform(0.05, 0.5)),
        fill=float(rng.uniform(0.6, 0.95)),
        tiring=float(0.3 * rng.random() ** 2),
    )


def close_up_ground(view: Image, p: MixedParameters, rng: np.random.Generator) -> Image:
    """Turn an enlarged passage into a paint surface: tone, strokes, weave, specks, grain."""
    toned = tone(view, p, rng)
    return grounds.lay(toned, draw_surface(rng), rng=rng)


def tone(view: Image, p: MixedParameters, rng: np.random.Generator) -> Image:
    """Shift a passage to the tone of a close-up, nearly black or any other; contrast is kept low."""
    flat = view.mean(axis=(0, 1), dtype=np.float32)
    dark = rng.random() < p.dark_share
    target = rng.uniform(7, 34) if dark else rng.uniform(70, 215)
    gain = np.float32(target / max(12.0, float(flat.mean())))
    contrast = np.float32(rng.uniform(0.15, 0.8) * min(1.0, float(gain)))
    saturation = np.float32(rng.uniform(0.3, 1.0))
    varnish = np.array([1, 1 - 0.12 * (aged := rng.random() ** 2), 1 - 0.4 * aged], np.float32)
    base = np.minimum(target + (flat - flat.mean()) * gain * saturation, 245) * varnish
    table = np.clip(np.rint(base + (np.arange(256, dtype=np.float32)[:, None] - flat) * contrast), 0, 255)
    channels = [table[:, c].astype(np.uint8)[view[..., c]] for c in range(3)]
    return np.stack(channels, axis=-1)


def draw_surface(rng: np.random.Generator) -> grounds.Surface:
    """Draw a paint surface: smooth or brushy, on a woven ground or not, clean or specked."""
    brushy, woven, specked, hairy, stained, salted = rng.random(6) < (0.6, 0.3, 0.6, 0.3, 0.6, 0.5)
    return grounds.Surface(
        direction=float(rng.uniform(0, np.pi)),
        strokes=float(rng.uniform(1.5, 8)) if brushy else float(rng.uniform(0, 1.5)),
        stroke_length=log_uniform((8, 70), rng),
        stroke_width=log_uniform((1.2, 5), rng),
        ridges=float(rng.uniform(0, 2)) if brushy else 0.0,
        weave=float(rng.uniform(1.5, 8)) if woven else 0.0,
        thread=log_uniform((3, 9), rng),
        blotches=float(rng.uniform(0, 7)),
        grain=float(rng.uniform(0.3, 5)),
        coarse_grain=float(rng.uniform(0.3, 6)),
        hairs=int(rng.integers(3, 40)) if hairy else 0,
        specks=int(np.exp(rng.uniform(np.log(5), np.log(260)))) if specked else 3,
        stain=float(rng.uniform(0, 9)) if stained else 0.0,
        stain_size=log_uniform((5, 40), rng),
        salt=float(rng.uniform(0.5, 4)) if salted else 0.0,
        speck_contrast=float(rng.choice([-1.0, -1.0, 1.0]) * rng.uniform(15, 80)),
    )


def _style(name: str, number: int, summary: str, explanation: str, parameters: NetworkParameters) -> Recipe:
    return Recipe(name, number, 1, summary, explanation, parameters, draw, appearance.SOFT_EDGE, CLASSES[:2])


STYLES = {
    recipe.name: recipe
    for recipe in (
        _style(
            "dutch",
            2,
            "a connected network on canvas",
            "Dutch paintings on canvas: primaries both ways of the weave, an unbroken network of middling islands.",
            NetworkParameters(),
        ),
        _style(
            "flemish",
            3,
            "along the grain of a panel: smooth, straight, uniform",
            "Flemish panels: smooth and straight cracks that follow the grain, small uniform islands between them.",
            NetworkParameters(
                spacing=(88.0, 108.0),
                order=(7.0, 11.0),
                across=(0.05, 0.15),
                obedience=(0.25, 0.4),
                jag=(0.05, 0.15),
                kink=(0.05, 0.15),
                sway=(0.05, 0.15),
                tiring=(0.45, 0.52),
                width=(1.0, 1.7),
                width_decay=(0.7, 0.8),
            ),
        ),
        _style(
            "french",
            4,
            "curved cracks round large irregular islands",
            "French paintings on canvas: curved cracks, islands larger and less regular than elsewhere.",
            NetworkParameters(
                spacing=(120.0, 150.0),
                order=(8.0, 12.0),
                across=(0.16, 0.26),
                obedience=(0.5, 0.6),
                sway=(0.2, 0.4),
                bend=(0.004, 0.008),
                tiring=(0.28, 0.36),
                width=(1.6, 3.0),
            ),
        ),
        _style(
            "german",
            5,
            "along the grain of a panel, many dead ends",
            "German panels: cracks along the grain whose secondaries often stop in whole paint.",
            NetworkParameters(
                spacing=(90.0, 110.0),
                order=(14.0, 20.0),
                across=(0.1, 0.2),
                obedience=(0.5, 0.7),
                tiring=(0.46, 0.54),
            ),
        ),
        _style(
            "italian",
            6,
            "across the grain of a panel: jagged, with a fine secondary network",
            "Italian panels: jagged cracks perpendicular to the grain and a fine network between them, full of dead "
            "ends.",
            NetworkParameters(
                spacing=(90.0, 110.0),
                order=(14.0, 20.0),
                across=(0.1, 0.18),
                obedience=(0.6, 0.8),
                jag=(0.25, 0.4),
                kink=(0.25, 0.4),
                tiring=(0.42, 0.5),
                width_decay=(0.6, 0.72),
            ),
        ),
    )
}
"""The five styles by name."""

MIXED = Recipe(
    "mixed", 7, 1, "all styles, close-ups and whole paintings, hard negatives, some without a crack", "",
    MixedParameters(), draw_mixed, appearance.SOFT_EDGE, CLASSES[:2],
)

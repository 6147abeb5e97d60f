"""The five network recipes, after the styles of historical craquelure.

The styles are Bucklow's (S. Bucklow, "The description of craquelure patterns", Studies in Conservation 42,
1997); their numbers are those of 360 real networks, see `craqbench.real_styles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from generators import appearance
from generators.appearance import Look
from generators.framing import Framing, whole
from generators.growth import grow
from generators.networks import Habit, Network
from generators.parameters import Range, between, check, log_uniform, uniform
from generators.raster import Drawing, draw_network
from generators.triplets import Image, Recipe, Size, Triplet


@dataclass(frozen=True, kw_only=True)
class NetworkParameters:
    """What is drawn for each triplet. Lengths and widths in px of the picture.

    Ranges are (low, high); `spacing` and `width` are drawn uniformly in the logarithm, the others uniformly.

    Attributes
    ----------
    spacing
        Distance between primary cracks.
    generations
        How many generations of cracks follow one another.
    refinement
        Spacing of a generation as a share of the one before.
    fill
        Share of the free sites where a crack really opens.
    room
        A site is free if no crack is nearer than this share of the spacing.
    order
        How strictly primaries keep to the main direction, which is drawn for each triplet.
    across
        Share of the primaries that run perpendicular to the main direction.
    obedience
        Share of later cracks that keep to these two directions; the others run to the nearest crack.
    jag
        Heading noise of each step of 2 px, in radians.
    kink
        Heading jumps every 8 px, in radians.
    sway
        Slow swaying over some 30 px, in radians.
    bend
        Spread of the constant curvature of a crack, in radians per px.
    reach
        How far a crack runs unless it meets something, in spacings.
    tiring
        Share of cracks that stop in whole paint: dead ends.
    capture
        Distance at which a crack turns straight to an older one: right angles.
    crossing
        Probability that a crack crosses what it meets.
    spurs
        Short side cracks per spacing squared.
    doubling
        Share of the primaries that run double for a while.
    width
        Median width of the primaries.
    width_decay
        Width of a generation as a share of the one before.
    width_spread
        Log-normal spread of widths within a generation.
    unevenness
        Relative change of width and strength along a crack.
    strength
        How strongly primaries show.
    strength_decay
        Strength of a generation as a share of the one before.
    softness
        Sigma of the soft edge.
    lifted
        Share of the triplets whose cracks have lifted edges.
    age
        How far the damage has come: 1 is the whole network.
    """

    spacing: Range = between(8, 4096, (80.0, 100.0))
    generations: int = between(1, 12, 5)
    refinement: Range = between(0.3, 1, (0.78, 0.84))
    fill: Range = between(0, 1, (0.9, 1.0))
    room: Range = between(0, 2, (0.4, 0.46))
    order: Range = between(0, 1000, (4.0, 6.0))
    across: Range = between(0, 1, (0.3, 0.4))
    obedience: Range = between(0, 1, (0.4, 0.6))
    jag: Range = between(0, 2, (0.12, 0.28))
    kink: Range = between(0, 2, (0.1, 0.3))
    sway: Range = between(0, 2, (0.15, 0.35))
    bend: Range = between(0, 0.1, (0.001, 0.003))
    reach: Range = between(0.1, 100, (3.5, 6.0))
    tiring: Range = between(0, 1, (0.25, 0.33))
    capture: Range = between(0, 50, (4.0, 6.0))
    crossing: Range = between(0, 1, (0.0, 0.01))
    spurs: Range = between(0, 10, (0.0, 0.1))
    doubling: Range = between(0, 1, (0.0, 0.02))
    width: Range = between(0.34, 64, (1.4, 2.6))
    width_decay: Range = between(0.1, 1, (0.68, 0.82))
    width_spread: Range = between(0, 2, (0.2, 0.4))
    unevenness: Range = between(0, 1, (0.15, 0.35))
    strength: Range = between(0.05, 1, (0.75, 1.0))
    strength_decay: Range = between(0.1, 1, (0.8, 0.92))
    softness: Range = between(0.1, 2, (0.4, 0.8))
    lifted: float = between(0, 1, 0.25)
    age: float = between(0.001, 1, 1.0)

    def __post_init__(self) -> None:
        """Check all values."""
        check(self)


HABIT = (
    "refinement",
    "fill",
    "room",
    "order",
    "across",
    "obedience",
    "jag",
    "kink",
    "sway",
    "bend",
    "reach",
    "tiring",
    "capture",
    "crossing",
    "spurs",
    "doubling",
)
LOOK = ("width_decay", "width_spread", "unevenness", "strength", "strength_decay", "softness")


def draw(painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator) -> Triplet:
    """Draw a style's network on a framed painting (see `generators.triplets.Draw`)."""
    frame = whole((painting.shape[1], painting.shape[0]), size, fit)
    clean = frame.image(painting)
    habit, look = draw_habit(parameters, rng), draw_look(parameters, clean, rng)
    network, drawing = crack(frame, habit, look, parameters.age, rng)
    damaged = appearance.damage(clean, drawing, look, rng=rng)
    return Triplet(
        clean, drawing.mask.astype(np.uint8), damaged, describe(network, habit, look, parameters.age)
    )


def crack(
    frame: Framing, habit: Habit, look: Look, age: float, rng: np.random.Generator
) -> tuple[Network, Drawing]:
    """Grow a network over a picture and draw it at an age; padding stays whole."""
    network = grow(frame.size, habit, rng=rng)
    width, strength = appearance.profile(network, look, rng=rng)
    drawing = draw_network(network, appearance.younger(network, width, age), strength)
    inside = frame.inside()
    if not inside.all():
        drawing = Drawing(drawing.opacity * inside, drawing.mask & inside)
    return network, drawing


def describe(network: Network, habit: Habit, look: Look, age: float) -> dict[str, Any]:
    """Return what is worth knowing of a drawn network, for a triplet's `meta`."""
    return {
        "cracks": int(np.count_nonzero(np.bincount(network.crack))),
        "spacing": round(habit.spacing, 2),
        "width": round(look.width, 2),
        "flip": round(look.flip),
        "age": age,
    }


def draw_habit(parameters: NetworkParameters, rng: np.random.Generator) -> Habit:
    """Draw how a network grows."""
    drawn = {name: uniform(getattr(parameters, name), rng) for name in HABIT}
    spacing, direction = log_uniform(parameters.spacing, rng), uniform((0, np.pi), rng)
    return Habit(spacing=spacing, direction=direction, generations=parameters.generations, **drawn)


def draw_look(parameters: NetworkParameters, clean: Image, rng: np.random.Generator) -> Look:
    """Draw how the cracks look on this picture."""
    drawn = {name: uniform(getattr(parameters, name), rng) for name in LOOK}
    x, y = rng.choice([-1, 1], 2)
    return Look(
        width=log_uniform(parameters.width, rng),
        flip=draw_flip(sum(cv2.mean(clean)) / 3, rng),
        dark=draw_dark(rng),
        light=draw_light(rng),
        dirt=uniform((0.0, 0.2), rng),
        lift=uniform((0.3, 1.0), rng) if rng.random() < parameters.lifted else 0.0,
        lift_from=(int(x), int(y)),
        grain=uniform((0.05, 0.4), rng),
        **drawn,
    )


def draw_flip(luminance: float, rng: np.random.Generator) -> float:
    """Draw the luminance below which cracks show light: on dark pictures most do, on light ones few.

    Of 2,317 close-ups of 17th-century oils some 1,085 show dark cracks, 894 light ones, 338 both.
    """
    low, high = uniform((22, 40), rng), uniform((55, 110), rng)
    return high if rng.random() < (0.85 if luminance < 65 else 0.2) else low


def draw_dark(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw factors from paint to dark crack: browner than the paint, as dirt and old varnish are."""
    level, warmth = uniform((0.12, 0.62), rng), uniform((0, 0.4), rng)
    return level * (1 + warmth * 0.5), level, level * (1 - warmth)


def draw_light(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw levels from paint to light crack: chalk, lead white or brown dust."""
    level, warmth = log_uniform((22, 95), rng), uniform((-0.1, 0.7), rng)
    return level * (1 + warmth * 0.3), level, level * (1 - warmth * 0.7)


def _style(name: str, number: int, summary: str, explanation: str, parameters: NetworkParameters) -> Recipe:
    return Recipe(name, number, 1, summary, explanation, parameters, draw, appearance.SOFT_EDGE)


STYLES = {
    recipe.name: recipe
    for recipe in (
        _style(
            "dutch",
            2,
            "a connected network on canvas",
            "Dutch paintings on canvas: primaries both ways of the weave, connected, with middling islands.",
            NetworkParameters(),
        ),
        _style(
            "flemish",
            3,
            "along the grain of a panel: smooth, straight, uniform",
            "Flemish panels: smooth and straight cracks that follow the grain, small and uniform islands.",
            NetworkParameters(
                spacing=(88.0, 108.0),
                order=(7.0, 11.0),
                across=(0.05, 0.15),
                obedience=(0.25, 0.4),
                jag=(0.05, 0.15),
                kink=(0.05, 0.15),
                sway=(0.05, 0.15),
                tiring=(0.3, 0.38),
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
                order=(10.0, 14.0),
                across=(0.16, 0.26),
                obedience=(0.5, 0.6),
                sway=(0.2, 0.4),
                bend=(0.002, 0.005),
                tiring=(0.22, 0.3),
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
                tiring=(0.29, 0.36),
                fill=(0.95, 1.0),
            ),
        ),
        _style(
            "italian",
            6,
            "across the grain of a panel: jagged, with a fine secondary network",
            "Italian panels: jagged cracks perpendicular to the grain, a fine network between them, full of "
            "dead ends.",
            NetworkParameters(
                spacing=(90.0, 110.0),
                order=(14.0, 20.0),
                across=(0.1, 0.18),
                obedience=(0.6, 0.8),
                jag=(0.25, 0.4),
                kink=(0.25, 0.4),
                tiring=(0.33, 0.41),
                width_decay=(0.6, 0.72),
            ),
        ),
    )
}
"""The five styles by name."""

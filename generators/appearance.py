"""How a crack network shows on paint: widths and contrast by hierarchy, polarity, soft and lifted edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generators.networks import Floats, Network
from generators.portability import coarse
from generators.raster import Drawing, Grey
from generators.triplets import Image, Mask

SOFT_EDGE = 4
"""How far from the mask a crack may change the painting, in px: its own soft edge, dirt, a lifted rim."""

NARROWEST = 0.5
"""Width of the finest crack that is drawn, in px."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the cracks of one painting look. Widths in px, shares and strengths in [0, 1].

    Attributes
    ----------
    width, width_decay, width_spread
        Median width of the primaries; factor from a generation to the next; log-normal spread between
        cracks of a generation.
    unevenness
        Relative change of width along a crack.
    strength, strength_decay
        How strongly the primaries show; factor from a generation to the next.
    flip
        Luminance (0-255) of the paint below which cracks show light, and above which dark.
    dark
        (R, G, B) factors from the paint's colour to the colour of a dark crack.
    light
        (R, G, B) levels from the paint's colour to the colour of a light crack.
    softness
        Sigma of the blur of the crack's edge in px.
    dirt
        Strength of a halo in the crack's own colour.
    lift, lift_from
        Strength of the bright rim of a lifted edge and the dark one opposite, and (x, y) where the light is.
    grain
        How unevenly cracks are filled, at the scales of some 2 and 12 px.
    beads
        How far the filling comes as beads and in stretches, at the scales of 1 and some 28 px.
    tint
        How far the hue of light cracks changes along them, grey to ochre.
    """

    width: float = 2.0
    width_decay: float = 0.72
    width_spread: float = 0.3
    unevenness: float = 0.25
    strength: float = 0.9
    strength_decay: float = 0.85
    flip: float = 40.0
    dark: tuple[float, float, float] = (0.42, 0.36, 0.32)
    light: tuple[float, float, float] = (70.0, 62.0, 48.0)
    softness: float = 0.6
    dirt: float = 0.1
    lift: float = 0.0
    lift_from: tuple[int, int] = (-1, -1)
    grain: float = 0.2
    beads: float = 0.0
    tint: float = 0.0


def profile(network: Network, look: Look, *, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Width (px) and strength [0, 1] at each point of a network in full age, (P,) float32 each."""
    strands, points = len(network.lengths), len(network.points)
    spread = np.exp(rng.standard_normal(strands, np.float32) * look.width_spread, dtype=np.float64)
    fade = 1 - 0.35 * rng.random(strands, np.float32)
    wobble = _along(rng.standard_normal(points // 8 + 8, np.float32), points) * np.float32(look.unevenness)
    rank, taper = network.generation, _taper(network)
    width = (look.width * np.float32(look.width_decay) ** rank * spread).astype(np.float32)
    strength = (look.strength * np.float32(look.strength_decay) ** rank * fade).astype(np.float32)
    width = np.repeat(width, network.lengths) * np.maximum(1 + wobble, 0.4) * np.sqrt(taper)
    strength = np.repeat(strength, network.lengths) * (0.3 + 0.7 * taper)
    return np.maximum(width, NARROWEST).astype(np.float32), np.clip(strength, 0.35, 1).astype(np.float32)


def younger(network: Network, width: Floats, age: float) -> Floats:
    """Width at an age in (0, 1] of what is `width` px wide in full age, (P,) float32.

    There is nothing (0) where the crack was not born yet, and it opens with the time since its birth.
    The width never falls with age, so the masks of two ages of a network contain one another.
    """
    if age >= 1:
        return width
    opened = np.clip((age - network.birth) * 3 + 0.34, 0.34, 1)
    return np.where(network.birth <= age, np.maximum(width * opened, NARROWEST), 0).astype(np.float32)


def _along(noise: Floats, points: int) -> Floats:
    """Stretch noise eightfold: it changes over some 16 px of a crack, (points,)."""
    last = len(noise) - 1
    at = np.arange(points, dtype=np.float32) / 8 + 1
    low = at.astype(np.int64)
    part = at - low
    below, above = noise[np.minimum(low, last)], noise[np.minimum(low + 1, last)]
    return np.asarray(below * (1 - part) + above * part, np.float32)


def _taper(network: Network) -> Floats:
    """Narrowing towards dead ends: 1 at full width, (P,)."""
    behind = np.repeat(network.first[1:], network.lengths) - 1 - np.arange(len(network.points))
    length = np.repeat(network.lengths, network.lengths)
    dead = np.repeat(network.dead, network.lengths)
    run = np.minimum(8.0, 0.7 * length)
    return np.where(dead, np.clip((behind + 0.5) / run, 0.3, 1), 1).astype(np.float32)


def damage(image: Image, drawing: Drawing, look: Look, *, rng: np.random.Generator) -> Image:
    """Paint a drawn network onto a painting.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    drawing
        The network on the same pixels.

    Returns
    -------
    (H, W, 3) uint8 RGB; equal to `image` farther than `SOFT_EDGE` px from the mask.
    """
    zone = near(drawing.mask, SOFT_EDGE)
    colour, luminance = _colour(image, look, rng)
    opacity = _opacity(drawing.opacity, look, rng) * zone
    damaged = blend(image, colour, opacity)
    if look.lift:
        brightness = cv2.LUT(luminance, (8 + 0.35 * np.arange(256, dtype=np.float32)) / 256)
        shown = _relief(drawing.opacity, look) * (np.float32(256) - opacity) * np.asarray(brightness) * zone
        damaged = add(damaged, shown)
    return damaged


def dust(image: Image, amount: Grey, look: Look, *, rng: np.random.Generator) -> Image:
    """Lay what fills cracks upon paint, 0 to 255 of it: (H, W, 3) uint8 RGB in and out, (H, W) uint8."""
    colour, _ = _colour(image, look, rng)
    return blend(image, colour, _beaded(amount.astype(np.uint16), look.beads, rng))


def _colour(image: Image, look: Look, rng: np.random.Generator) -> tuple[Image, Grey]:
    """Colour of the cracks at each px, from the paint around it, and that paint's luminance.

    Both are smooth, and worked out on a quarter of the pixels.
    """
    h, w = image.shape[:2]
    small = cv2.resize(image, (-(-w // 2), -(-h // 2)), interpolation=cv2.INTER_NEAREST)
    around = np.asarray(cv2.blur(small, (9, 9)), np.uint8)
    luminance = np.asarray(cv2.cvtColor(around, cv2.COLOR_RGB2GRAY), np.uint8)
    levels = np.arange(256, dtype=np.float32)[:, None]
    colour = lookup(around, levels * np.array(look.dark, np.float32))
    shows_light = luminance < look.flip
    if shows_light.any():
        light = lookup(around, levels + np.array(look.light, np.float32))
        light = _tinted(light, look, rng) if look.tint else light
        colour = np.asarray(cv2.copyTo(light, shows_light.view(np.uint8), colour), np.uint8)
    return (
        np.asarray(cv2.resize(colour, (w, h), interpolation=cv2.INTER_NEAREST), np.uint8),
        np.asarray(cv2.resize(luminance, (w, h), interpolation=cv2.INTER_NEAREST), np.uint8),
    )


def lookup(image: Image, table: Floats) -> Image:
    """Map levels of each channel by a table: (H, W, 3) uint8, (256, 3) rounded and clipped to 0-255."""
    levels = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, levels[None]), np.uint8)


def blend(image: Image, colour: Image, opacity: npt.NDArray[np.uint16]) -> Image:
    """Blend in integers, alike on every machine: (H, W, 3) uint8 twice, (H, W) 0-256."""
    share = np.asarray(cv2.merge([opacity] * 3), np.uint16)
    added = colour * share
    mixed = np.subtract(np.uint16(256), share, out=share)
    mixed *= image
    mixed += added
    mixed += np.uint16(128)
    mixed >>= np.uint16(8)
    return mixed.astype(np.uint8)


def add(image: Image, *levels: Floats) -> Image:
    """Add levels, one (H, W) plane for all channels or one for each, and clip to 0-255."""
    planes = [np.rint(plane).astype(np.int16) for plane in levels]
    merged = cv2.merge(planes * 3 if len(planes) == 1 else planes)
    return np.asarray(cv2.add(image, merged, dtype=cv2.CV_8U), np.uint8)


def near(mask: Mask, distance: int) -> Mask:
    """Where the mask is at most `distance` px away (Chebyshev)."""
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.view(np.uint8), square), np.uint8) > 0


def _opacity(drawn: Grey, look: Look, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Opacity 0-256 with its soft edge, dirt beside it and grain in it, (H, W)."""
    soft = cv2.GaussianBlur(drawn, (5, 5), look.softness)
    if look.dirt:
        soft = cv2.addWeighted(soft, 1.0, cv2.GaussianBlur(drawn, (7, 7), 1.6), coarse(look.dirt), 0.0)
    # Beads and stretches: crumbs of paint, and dirt that has gathered here and not there.
    filling = cv2.addWeighted(_grains(drawn.shape, 2, rng), 0.625, _grains(drawn.shape, 12, rng), 0.5, 0.0)
    factors = np.maximum(0, np.rint(128 + look.grain * (np.arange(256) - 144) / 2))
    filled = np.asarray(cv2.LUT(filling, factors.astype(np.uint16)), np.uint16)
    filled *= np.asarray(soft, np.uint8)
    filled >>= np.uint16(7)
    filled = np.minimum(filled, np.uint16(256))
    return _beaded(filled, look.beads, rng) if look.beads else filled


def _tinted(light: Image, look: Look, rng: np.random.Generator) -> Image:
    """Shift the hue of light cracks, far to ochre and little to grey, over some 20 px."""
    swing = np.maximum(np.arange(256) - 128, -16) * (look.tint * look.light[1] / 96)
    warmer = np.rint(swing).astype(np.int16)[_grains(light.shape[:2], 10, rng)]
    return np.asarray(cv2.add(light, cv2.merge([warmer, warmer >> 2, -warmer]), dtype=cv2.CV_8U), np.uint8)


def _beaded(filled: npt.NDArray[np.uint16], beads: float, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Change opacity, 0-256, from px to px and over long stretches; at its mean it stays about as it is."""
    deviation = (np.arange(256) - 128) / 64
    fine, long = (
        np.minimum(np.rint(64 * np.exp(strength * beads * deviation)), 255).astype(np.uint32)
        for strength in (0.7, 1.3)
    )
    near_px, far_px = rng.integers(0, 256, filled.shape, np.uint8), _grains(filled.shape, 28, rng)
    there = np.flatnonzero(filled)
    changed = filled.ravel()[there] * fine[near_px.ravel()[there]] >> 6
    changed = changed * long[far_px.ravel()[there]] >> 6
    beaded = np.zeros(filled.shape, np.uint16)
    beaded.ravel()[there] = np.minimum(changed, 256)
    return beaded


def _grains(shape: tuple[int, ...], size: int, rng: np.random.Generator) -> Grey:
    """Smooth noise of grains of `size` px, (H, W) uint8."""
    h, w = shape
    grains = rng.integers(0, 256, (-(-h // size), -(-w // size)), np.uint8)
    return np.asarray(cv2.resize(grains, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _relief(drawn: Grey, look: Look) -> Floats:
    """Light and shade of lifted edges, (H, W) in about [-1, 1] times the lift."""
    bank = np.asarray(cv2.GaussianBlur(drawn, (5, 5), 1.0), np.int16)
    dx, dy = look.lift_from
    rise = np.roll(bank, (-dy, -dx), (0, 1)) - np.roll(bank, (dy, dx), (0, 1))
    return np.asarray(rise * np.float32(look.lift / 255), np.float32)

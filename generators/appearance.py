"""How a crack network shows on paint: widths and contrast by hierarchy, polarity, soft and lifted edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generators.networks import Floats, Network
from generators.raster import Drawing, Grey
from generators.triplets import Image, Mask

SOFT_EDGE = 4
"""How far from the mask a crack may change the painting, in px: its own soft edge, dirt, a lifted rim."""

NARROWEST = 0.34
"""Width of the finest crack that is drawn, in px."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """How the cracks of one painting look. Widths in px, shares and strengths in [0, 1].

    Attributes
    ----------
    width, width_decay, width_spread
        Median width of the primaries; factor from a generation to the next; log-normal spread between
        cracks of a generation.
    unevenness
        Relative change of width and strength along a crack.
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
        Strength of a halo in the crack's own colour; negative: the overshoot of a sharpened photograph.
    lift, lift_from
        Strength of the bright rim of a lifted edge and the dark one opposite, and (x, y) where the light is.
    grain
        How unevenly the crack is filled, at the scale of a px.
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


def profile(network: Network, look: Look, *, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Width (px) and strength [0, 1] at each point of a network in full age, (P,) float32 each."""
    strands, points = len(network.lengths), len(network.points)
    spread = np.exp(rng.standard_normal(strands, np.float32) * np.float32(look.width_spread))
    fade = 1 - 0.35 * rng.random(strands, np.float32)
    wobble = _along(rng.standard_normal((2, points // 4 + 8), np.float32), points) * np.float32(
        look.unevenness
    )
    rank, taper = network.generation, _taper(network)
    width = (look.width * np.float32(look.width_decay) ** rank * spread).astype(np.float32)
    strength = (look.strength * np.float32(look.strength_decay) ** rank * fade).astype(np.float32)
    width = np.repeat(width, network.lengths) * np.maximum(1 + wobble[0], 0.4) * np.sqrt(taper)
    strength = np.repeat(strength, network.lengths) * (1 + 1.4 * wobble[1]) * (0.3 + 0.7 * taper)
    return np.maximum(width, NARROWEST).astype(np.float32), np.clip(strength, 0.25, 1).astype(np.float32)


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
    """Stretch noise fourfold along its last axis: it changes over some 8 px of a crack."""
    length = noise.shape[1]
    at = np.arange(points, dtype=np.float32) / 4 + 1
    low = at.astype(np.int64)
    part = at - low
    below, above = noise[:, np.minimum(low, length - 2)], noise[:, np.minimum(low + 1, length - 1)]
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
    at = np.flatnonzero(zone)
    speckle = rng.integers(-128, 128, len(at), np.int8).astype(np.float32) / 128
    if not len(at):
        return image.copy()
    paint = image.reshape(-1, 3)[at].astype(np.float32)
    around = np.asarray(cv2.blur(image, (9, 9)), np.uint8).reshape(-1, 3)[at].astype(np.float32)
    opacity = _opacity(drawing.opacity, look).ravel()[at] * (1 + look.grain * speckle)
    light = _shows_light(around @ _LUMA, look.flip)[:, None]
    colour = light * (around + np.array(look.light, np.float32)) + (1 - light) * around * np.array(
        look.dark, np.float32
    )
    changed = paint + (colour - paint) * np.clip(opacity, -0.25, 1)[:, None]
    if look.lift:
        relief = _relief(drawing.opacity, look).ravel()[at] * (1 - np.clip(opacity, 0, 1))
        changed += (relief * (8 + 0.35 * (around @ _LUMA)))[:, None]
    damaged = image.reshape(-1, 3).copy()
    damaged[at] = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    return damaged.reshape(image.shape)


def near(mask: Mask, distance: int) -> Mask:
    """Where the mask is at most `distance` px away (Chebyshev)."""
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.view(np.uint8), square), np.uint8) > 0


def _opacity(drawn: Grey, look: Look) -> Floats:
    """Opacity with its soft edge, and dirt or overshoot beside it; (H, W), about [-0.3, 1.2]."""
    soft = np.asarray(cv2.GaussianBlur(drawn, (5, 5), look.softness), np.float32) * np.float32(1 / 255)
    if not look.dirt:
        return soft
    wide = np.asarray(cv2.GaussianBlur(drawn, (7, 7), 1.6), np.float32) * np.float32(1 / 255)
    return soft + np.float32(look.dirt) * (wide if look.dirt > 0 else wide - soft)


def _shows_light(luminance: npt.NDArray[np.float32], flip: float) -> Floats:
    """Share of the light polarity: 1 on dark paint, 0 on light paint, a short way between around `flip`."""
    return np.clip((flip - luminance) / 12 + 0.5, 0, 1).astype(np.float32)


def _relief(drawn: Grey, look: Look) -> Floats:
    """Light and shade of lifted edges, (H, W) in about [-1, 1] times the lift."""
    bank = np.asarray(cv2.GaussianBlur(drawn, (5, 5), 1.0), np.float32) * np.float32(1 / 255)
    dx, dy = look.lift_from
    return np.float32(look.lift) * (np.roll(bank, (-dy, -dx), (0, 1)) - np.roll(bank, (dy, dx), (0, 1)))

"""Recipe `polychrome`: craquelure and paint loss, the three classes of a painted architecture.

The classes are those of the Res-UNet of the Palace Museum (background, craquelure, paint loss). Paint
flakes off along its cracks: a loss takes whole islands of the network where it can, frays where it ends
inside one, and shows the ground or the wood below with a shadow along its edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from generators import appearance, grounds
from generators.craquelure import NetworkParameters, describe, draw_habit, draw_look
from generators.framing import whole
from generators.growth import grow
from generators.networks import Floats
from generators.parameters import Range, between, log_uniform, uniform
from generators.raster import Drawing, draw_network
from generators.triplets import CLASSES, Image, Mask, Recipe, Size, Triplet


@dataclass(frozen=True, kw_only=True)
class PolychromeParameters(NetworkParameters):
    """What is drawn for each triplet, beside the network.

    Attributes
    ----------
    loss
        Share of the picture that has lost its paint.
    loss_size
        Typical size of a loss in px, drawn uniformly in the logarithm.
    snapping
        How strictly losses keep to islands: 0 not at all, 1 islands fall whole.
    """

    spacing: Range = between(8, 4096, (36.0, 80.0))
    width: Range = between(0.34, 64, (1.0, 2.2))
    tiring: Range = between(0, 1, (0.2, 0.4))
    loss: Range = between(0, 0.9, (0.005, 0.12))
    loss_size: Range = between(4, 4096, (14.0, 70.0))
    snapping: Range = between(0, 1, (0.3, 0.8))


def draw(painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator) -> Triplet:
    """Crack a framed painting, then let paint fall from it."""
    p: PolychromeParameters = parameters
    frame = whole((painting.shape[1], painting.shape[0]), size, fit)
    clean = frame.image(painting)
    habit, look = draw_habit(p, rng), draw_look(p, clean, rng)
    network = grow(size, habit, rng=rng)
    width, strength = appearance.profile(network, look, rng=rng)
    islands = draw_network(network, width, strength)
    drawing = draw_network(network, appearance.younger(network, width, p.age), strength)
    inside = frame.inside()
    drawing = Drawing(drawing.opacity * inside, drawing.mask & inside)
    # Drawn before the painting on: how much chance that takes depends on the age.
    lost = losses(islands.mask, p, rng) & inside
    below = _support(size, rng)
    relief = uniform((0.3, 1), rng)
    cracked = appearance.damage(clean, drawing, look, rng=rng)
    labels = np.where(lost, np.uint8(2), drawing.mask.astype(np.uint8))
    meta = {**describe(network, habit, look, p.age), "loss": round(float(lost.mean()), 4)}
    return Triplet(clean, labels, expose(cracked, lost, below, relief), meta)


def losses(cracks: Mask, p: PolychromeParameters, rng: np.random.Generator) -> Mask:
    """Where paint is lost: (H, W) bool. Cracks between lost islands are lost with them.

    `cracks` are those of full age: with age the lost share grows, from the same places.
    """
    size = cracks.shape[1], cracks.shape[0]
    grain, share, snapping = log_uniform(p.loss_size, rng), uniform(p.loss, rng), uniform(p.snapping, rng)
    field = grounds.smooth_noise(size, 0.0, grain, grain, rng)
    fray = grounds.smooth_noise(size, 0.7, grain / 6 + 2, grain / 6 + 2, rng)
    kept = np.float32(1 - snapping) * field + np.float32(0.16) * fray
    weakness = np.float32(snapping) * _by_island(field, cracks) + kept
    lost = (weakness > np.quantile(weakness[::4, ::4], 1 - share * p.age)) & (share > 0)
    opened = cv2.morphologyEx(lost.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(opened, np.uint8) > 0


def _by_island(field: Floats, cracks: Mask) -> Floats:
    """Mean of a field over each island of paint, and the highest island nearby on cracks."""
    count, island = cv2.connectedComponents((~cracks).view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    total = np.bincount(island.ravel(), field.ravel(), count) / np.maximum(
        np.bincount(island.ravel(), minlength=count), 1
    )
    total[0] = -9.0
    mean = total.astype(np.float32)[island]
    return np.where(cracks, np.asarray(cv2.dilate(mean, np.ones((5, 5), np.uint8)), np.float32), mean)


def expose(image: Image, lost: Mask, below: Floats, relief: float) -> Image:
    """Show what lies below lost paint, and the paint's edge above it in light and shade.

    `below` is (H, W, 3) float32, 0-255; `relief` in [0, 1] is how thick the paint is.
    """
    cover = np.asarray(cv2.GaussianBlur(lost.view(np.uint8) * np.uint8(255), (3, 3), 0.6), np.float32) / 255
    bank = np.asarray(cv2.GaussianBlur(lost.view(np.uint8) * np.uint8(255), (5, 5), 1.2), np.float32) / 255
    shade = np.roll(bank, (1, 1), (0, 1)) - np.roll(bank, (-1, -1), (0, 1))
    shown = image + (below - image) * cover[..., None]
    shown += (shade * np.where(lost, 90, 50) * relief)[..., None]
    near = appearance.near(lost, appearance.SOFT_EDGE)
    return np.where(near[..., None], np.clip(np.rint(shown), 0, 255), image).astype(np.uint8)


def _support(size: Size, rng: np.random.Generator) -> Floats:
    """Plaster, canvas or wood, (H, W, 3) float32."""
    colour = np.array([(205, 196, 178), (176, 160, 132), (132, 102, 70), (158, 150, 138)], np.float32)
    base = colour[rng.integers(len(colour))] * np.float32(uniform((0.7, 1.05), rng))
    grain = grounds.smooth_noise(size, uniform((0, np.pi), rng), 30.0, 4.0, rng) * np.float32(4)
    grain += grounds.smooth_noise(size, 0.0, 12.0, 12.0, rng) * np.float32(7)
    grain += grounds.noise((size[1], size[0]), rng) * np.float32(4)
    return np.asarray(base + grain[..., None], np.float32)


POLYCHROME = Recipe(
    "polychrome",
    8,
    1,
    "craquelure and paint loss on painted architecture: three classes",
    "Painted wood and plaster as in the Palace Museum: a fine network, and losses that take whole islands of "
    "paint and show the ground. Labels: 0 background, 1 craquelure, 2 paint loss.",
    PolychromeParameters(),
    draw,
    appearance.SOFT_EDGE,
    CLASSES,
)

"""From the pixels of a skeleton to its links: what the crack graph is built on.

Pixels live in a padded picture as flat numbers, so that a neighbour is an addition away and none falls off
the edge. Two skeleton pixels are neighbours when they share a side, or share a corner without a detour of two
sides (m-adjacency): at a T the branch then meets the line in one pixel, not four. A pixel with three or more
neighbours belongs to a junction, and touching junction pixels are one junction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FREE = -1
"""In place of a junction: here a link ends in nothing."""


class Canvas:
    """A skeleton padded by one pixel, flat, in which pixels are switched off as branches are pruned.

    Attributes
    ----------
    stride
        Width of the padded picture: the flat number of the pixel below is larger by this.
    on
        (n,) bool, the padded skeleton.
    pixels
        (P,) flat numbers of the pixels that are on, ascending.
    """

    def __init__(self, skeleton: Bools) -> None:
        padded = np.pad(skeleton, 1)
        self.stride = padded.shape[1]
        self.on = padded.reshape(-1)
        self.pixels: Ints = np.flatnonzero(self.on)
        self._cut_corners()

    def remove(self, pixels: Ints) -> None:
        """Switch pixels off, and cut the corners that this leaves."""
        self.on[pixels] = False
        self.pixels = self.pixels[self.on[self.pixels]]
        self._cut_corners()

    def flat(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Pad (H, W) values by one pixel of zeros and flatten them, to be indexed by `pixels`."""
        return np.pad(picture, 1).reshape(-1)

    def skeleton(self) -> Bools:
        """Return the (H, W) skeleton."""
        return self.on.reshape(-1, self.stride)[1:-1, 1:-1].copy()

    def xy(self, pixels: Ints) -> Floats:
        """Return (P, 2) x and y of flat numbers, in px of the unpadded picture."""
        return np.stack([pixels % self.stride - 1, pixels // self.stride - 1], axis=-1).astype(np.float64)

    def _cut_corners(self) -> None:
        """Drop pixels whose two side neighbours touch each other: a staircase becomes a diagonal.

        One orientation after another, as two neighbours could otherwise each rely on the other.
        """
        down = self.stride
        for y in (-down, down):
            for x in (-1, 1):
                p = self.pixels
                corner = (
                    self.on[p + y] & self.on[p + x] & ~(self.on[p - y] | self.on[p - x] | self.on[p - y - x])
                )
                self.on[p[corner]] = False
                self.pixels = p[~corner]


@dataclass(frozen=True, slots=True)
class Trace:
    """Junctions and the links between them.

    P pixels, J junctions, L links.

    Attributes
    ----------
    pixels
        (P,) flat numbers of the pixels on the canvas.
    junction
        (P,) number of the junction a pixel belongs to, or -1.
    link
        (P,) number of the link a pixel belongs to, or -1.
    junctions
        J, the number of junctions.
    ring
        (L,) bool, links that close on themselves without any junction.
    ends
        (L, 2) junction at either end of a link, `FREE` for a dead end and for rings.
    tips
        (L, 2) index (into `pixels`) of the last link pixel at either end.
    gaps
        (L, 2) px from that pixel to the junction, 0 at a dead end.
    length
        (L,) px along the link: 1 per step to a side, sqrt(2) per diagonal step.
    steps
        Neighbouring pixels of the same link: (S,) and (S,) indices into `pixels`, (S,) px.
    """

    pixels: Ints
    junction: Ints
    link: Ints
    junctions: int
    ring: Bools
    ends: Ints
    tips: Ints
    gaps: Floats
    length: Floats
    steps: tuple[Ints, Ints, Floats]

    @property
    def dead_ends(self) -> Bools:
        """(L, 2) bool: which ends of a link are free."""
        return np.asarray((self.ends == FREE) & ~self.ring[:, None], np.bool_)

    @property
    def alone(self) -> Bools:
        """(L,) bool: links with two free ends."""
        return np.asarray(self.dead_ends.all(axis=1), np.bool_)


def trace(canvas: Canvas) -> Trace:
    """Find the junctions and links of a skeleton."""
    pixels = canvas.pixels
    a, b, px = _neighbours(canvas)
    degree = np.bincount(np.concatenate([a, b]), minlength=len(pixels))
    at_junction = degree >= 3
    alike = at_junction[a] == at_junction[b]
    parts = _components(len(pixels), a[alike], b[alike])
    junction, junctions = _renumber(parts, at_junction)
    link, links = _renumber(parts, ~at_junction)
    # Link ends: a step from a link pixel to a junction pixel, or a free end; a lone pixel has two of these.
    meets = ~alike
    inner, outer = np.where(at_junction[a], b, a)[meets], np.where(at_junction[a], a, b)[meets]
    free = np.repeat(np.arange(len(pixels)), np.where(at_junction, 0, np.maximum(2 - degree, 0)))
    ring = np.bincount(link[np.concatenate([inner, free])], minlength=links) == 0
    start = _first_pixels(link, ring)
    tip = np.concatenate([inner, free, start, start])
    end = np.concatenate([junction[outer], np.full(len(tip) - len(inner), FREE)])
    gap = np.concatenate([px[meets], np.zeros(len(tip) - len(inner))])
    # Every link now has two ends: sorted by link, they pair up.
    order = np.argsort(link[tip], kind="stable").reshape(-1, 2)
    along = alike & ~at_junction[a]
    steps = a[along], b[along], px[along]
    length = np.bincount(link[steps[0]], steps[2], minlength=links) + gap[order].sum(axis=1)
    return Trace(pixels, junction, link, junctions, ring, end[order], tip[order], gap[order], length, steps)


def arc_positions(traced: Trace) -> Floats:
    """Return (P,) px from the first end of its link, along it, for each link pixel; infinity in junctions."""
    n = len(traced.pixels)
    if not len(traced.tips):
        return np.full(n, np.inf)
    a, b, px = traced.steps
    # A ring is cut open at its first pixel: of the two steps from there, one is left out.
    opened = np.unique(np.where(traced.ring[traced.link[a]], a, n), return_index=True)
    cut = opened[1][np.isin(opened[0], traced.tips[traced.ring, 0])]
    whole = np.delete(np.arange(len(a)), cut)
    graph = coo_array((px[whole], (a[whole], b[whole])), shape=(n, n)).tocsr()
    arc = np.asarray(dijkstra(graph, directed=False, indices=traced.tips[:, 0], min_only=True), np.float64)
    on_link = traced.link >= 0
    arc[on_link] += traced.gaps[traced.link[on_link], 0]
    return arc


def _first_pixels(link: Ints, chosen: Bools) -> Ints:
    """Return the first pixel of each chosen link."""
    names, first = np.unique(link, return_index=True)
    return np.asarray(first[(names >= 0) & np.append(chosen, False)[names]], np.int64)


def _neighbours(canvas: Canvas) -> tuple[Ints, Ints, Floats]:
    """Return pairs of neighbouring pixels, as indices into the pixels, and their distances in px."""
    pixels, on, down = canvas.pixels, canvas.on, canvas.stride
    number = np.zeros(len(on), np.int64)
    number[pixels] = np.arange(len(pixels))
    pairs: list[tuple[Ints, Ints, Floats]] = []
    for step in (1, down, down + 1, down - 1):
        here = on[pixels + step]
        if abs(step - down) == 1:
            here &= ~(on[pixels + down] | on[pixels + step - down])
        a = np.flatnonzero(here)
        pairs.append((a, number[pixels[a] + step], np.full(len(a), 1.0 if step in (1, down) else 2**0.5)))
    first, second, px = zip(*pairs, strict=True)
    return np.concatenate(first), np.concatenate(second), np.concatenate(px)


def _components(n: int, a: Ints, b: Ints) -> Ints:
    """Label the connected parts of n things, given pairs that are connected."""
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    return (
        np.asarray(connected_components(graph, directed=False)[1], np.int64) if n else np.zeros(0, np.int64)
    )


def _renumber(labels: Ints, chosen: Bools) -> tuple[Ints, int]:
    """Return numbers from 0 for the labels of the chosen, -1 for all others; and how many there are."""
    names, numbers = np.unique(labels[chosen], return_inverse=True)
    out = np.full(len(labels), -1, np.int64)
    out[chosen] = numbers
    return out, len(names)

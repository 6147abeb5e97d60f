"""The graph of a crack network, the same for masks of real paintings and synthetic ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from craqbench.graphs.junctions import LinkPixels, angles, merge_crossings, split_crossings
from craqbench.graphs.policy import GraphPolicy
from craqbench.graphs.pruning import fill_holes, near_frame, prune
from craqbench.graphs.tracing import Bools, Canvas, Floats, Ints, Trace
from craqbench.metrics.skeletons import half_widths, skeletonize

__all__ = ["T_ANGLE", "Y_TOLERANCE", "CrackGraph", "crack_graph"]

T_ANGLE = 150.0
"""Degrees: a 3-way junction with an angle of at least this is a T."""

Y_TOLERANCE = 15.0
"""Degrees: a 3-way junction with all angles this near to 120 is a Y. With 15, real networks have a few per
cent of them, and drawn Ys of cracks 1-7 px wide are recognised. Other junctions are neither T nor Y."""

BEYOND = 8
"""Px by which cracks are continued beyond the frame before thinning, see `skeletonize`."""


@dataclass(frozen=True, slots=True, eq=False)
class CrackGraph:
    """A crack network as nodes and links.

    N nodes, L links, P link pixels. x runs right, y down; directions in degrees, in [0, 180).

    Attributes
    ----------
    skeleton
        (H, W) bool, the pruned centre lines.
    half_width
        (H, W) float32, px from a crack pixel to the edge of the crack, see `half_widths`.
    position
        (N, 2) float, x and y of each node in px.
    degree
        (N,) how many link ends meet in a node: 1 a dead end, 3 a T or Y, 4 and more an X.
    counted
        (N,) bool, False near the frame or ignored px.
    largest_angle, smallest_angle
        (N,) degrees between neighbouring branches of a 3-way node, NaN for other nodes.
    ends
        (L, 2) node at either end of a link; -1 twice for a ring, which has none.
    length
        (L,) px along the link, 1 per step to a side and sqrt(2) per diagonal one.
    orientation
        (L,) direction of the chord from end to end; NaN for rings and links that return to their node.
    pixels
        (P, 2) x and y of the link pixels, link by link, in order from the first end.
    first_pixel
        (L + 1,) link i has the pixels ``first_pixel[i]:first_pixel[i + 1]``.
    """

    skeleton: Bools
    half_width: npt.NDArray[np.float32]
    position: Floats
    degree: Ints
    counted: Bools
    largest_angle: Floats
    smallest_angle: Floats
    ends: Ints
    length: Floats
    orientation: Floats
    pixels: Floats
    first_pixel: Ints

    @property
    def dead_ends(self) -> Bools:
        """(N,) bool, counted nodes with one link."""
        return np.asarray(self.counted & (self.degree == 1), np.bool_)

    @property
    def three_ways(self) -> Bools:
        """(N,) bool, counted nodes with three links."""
        return np.asarray(self.counted & (self.degree == 3), np.bool_)

    @property
    def crossings(self) -> Bools:
        """(N,) bool, counted nodes with four links or more: X."""
        return np.asarray(self.counted & (self.degree >= 4), np.bool_)

    @property
    def t_junctions(self) -> Bools:
        """(N,) bool, counted 3-way nodes where one crack goes on: the largest angle is at least `T_ANGLE`."""
        return np.asarray(self.three_ways & (self.largest_angle >= T_ANGLE), np.bool_)

    @property
    def y_junctions(self) -> Bools:
        """(N,) bool, counted 3-way nodes whose angles are all within `Y_TOLERANCE` of 120 degrees."""
        even = (self.largest_angle <= 120 + Y_TOLERANCE) & (self.smallest_angle >= 120 - Y_TOLERANCE)
        return np.asarray(self.three_ways & even, np.bool_)


def crack_graph(mask: Bools, *, ignore: Bools | None = None, policy: GraphPolicy | None = None) -> CrackGraph:
    """Trace the network of cracks in a mask.

    Parameters
    ----------
    mask
        (H, W) bool, True in cracks, as wide as they are or already thinned to a skeleton.
    ignore
        (H, W) bool, True where nothing is known: taken as no crack, and no node beside it is counted.
    policy
        What counts as a link and as a node.

    Raises
    ------
    ValueError
        If `mask` is not a bool array of two dimensions, or `ignore` is not of its shape.
    """
    policy = policy or GraphPolicy()
    if ignore is not None:
        if ignore.shape != mask.shape:
            raise ValueError(f"expected an ignore mask of shape {mask.shape}. Got {ignore.shape}")
        mask = mask & ~ignore
    filled = fill_holes(mask, policy.hole)
    half_width = half_widths(filled)
    canvas = Canvas(skeletonize(filled, beyond=BEYOND))
    cut = near_frame(mask.shape, ignore, 2)
    traced = prune(canvas, canvas.flat(half_width), canvas.flat(cut), policy)
    known = ~near_frame(mask.shape, ignore, policy.border)
    links = LinkPixels(canvas, traced, half_width)
    position, ends = _nodes(canvas, traced)
    inner = split_crossings(links, position, ends, policy)
    position, ends = merge_crossings(position, ends, inner)
    largest, smallest = angles(links, position, ends, policy.arm)
    degree = np.bincount(ends[ends >= 0], minlength=len(position))
    x, y = np.round(position).astype(np.int64).T
    node, link = degree > 0, np.ones(len(ends), np.bool_)
    link[inner] = False
    pixels = np.diff(links.first)
    return CrackGraph(
        skeleton=canvas.skeleton(),
        half_width=half_width,
        position=position[node],
        degree=degree[node],
        counted=known[y, x][node],
        largest_angle=largest[node],
        smallest_angle=smallest[node],
        ends=np.append(np.cumsum(node) - 1, -1)[ends[link]],
        length=links.length[link],
        orientation=_orientation(position, ends[link]),
        pixels=links.xy[np.repeat(link, pixels)],
        first_pixel=np.concatenate([[0], np.cumsum(pixels[link])]),
    )


def _nodes(canvas: Canvas, traced: Trace) -> tuple[Floats, Ints]:
    """Return (N, 2) positions of junctions, then dead ends, and (L, 2) the nodes at the ends of links."""
    inside = traced.junction >= 0
    xy, group = canvas.xy(traced.pixels), traced.junction[inside]
    total = np.zeros((traced.junctions, 2))
    np.add.at(total, group, xy[inside])
    centre = total / np.bincount(group, minlength=traced.junctions)[:, None]
    dead = traced.dead_ends
    ends = traced.ends.copy()
    ends[dead] = traced.junctions + np.arange(dead.sum())
    return np.concatenate([centre, xy[traced.tips[dead]]]), ends


def _orientation(position: Floats, ends: Ints) -> Floats:
    """(L,) direction of the chords in degrees, in [0, 180); NaN where both ends are one node, or none."""
    out = np.full(len(ends), np.nan)
    chord = ends[:, 0] != ends[:, 1]
    dx, dy = (position[ends[chord, 1]] - position[ends[chord, 0]]).T
    out[chord] = np.degrees(np.arctan2(dy, dx)) % 180
    return out

"""The branches around a junction: where they point, and which ones continue each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from craqbench.graphs.tracing import Bools, Canvas, Floats, Ints, Trace, arc_positions

if TYPE_CHECKING:
    from craqbench.graphs.policy import GraphPolicy

__all__ = ["LinkPixels", "angles", "merge_crossings", "split_crossings"]


class LinkPixels:
    """The pixels of all links in order, on which points are found by their distance along the link.

    Attributes
    ----------
    xy
        (P, 2) x and y, link by link, from the first end of each.
    first
        (L + 1,) link i has the pixels ``first[i]:first[i + 1]``.
    width
        (P,) px, the local crack width.
    length
        (L,) px.
    """

    def __init__(self, canvas: Canvas, traced: Trace, half_width: npt.NDArray[np.float32]) -> None:
        arc = arc_positions(traced)
        on_link = np.flatnonzero(traced.link >= 0)
        order = on_link[np.lexsort((arc[on_link], traced.link[on_link]))]
        link = traced.link[order]
        self.xy = canvas.xy(traced.pixels[order])
        self.width = 2 * canvas.flat(half_width)[traced.pixels[order]]
        self.length = traced.length
        self.first: Ints = np.searchsorted(link, np.arange(len(self.length) + 1))
        # Farther than any link is long, so that one sorted array holds the positions on all of them.
        self._reach = float(self.length.max(initial=0)) + 2
        self._position = link * self._reach + arc[order]

    def nearest(self, spoke: Ints, along: float | Floats) -> Ints:
        """Return (...) the numbers of the pixels nearest to `along` px from the given link ends.

        A spoke is one end of a link, numbered 2 * link + side.
        """
        link, side = spoke // 2, spoke % 2
        target = np.where(side == 0, along, self.length[link] - along) + link * self._reach
        after = np.searchsorted(self._position, target)
        last = len(self._position) - 1
        above = self._position[np.clip(after, 0, last)] - target
        below = target - self._position[np.clip(after - 1, 0, last)]
        pixel = np.clip(after - (below < above), self.first[link], self.first[link + 1] - 1)
        return np.asarray(pixel, np.int64)


def split_crossings(links: LinkPixels, position: Floats, ends: Ints, policy: GraphPolicy) -> Ints:
    """Return the links that lie within a crossing which thinning has split into two 3-way junctions.

    Parameters
    ----------
    links
        The pixels of the links.
    position
        (N, 2) x and y of the nodes.
    ends
        (L, 2) nodes at either end of the links.
    policy
        Says how short such a link is, and how straight the branches beyond go on.
    """
    spokes = _spokes(ends, len(position))
    link = np.flatnonzero((ends >= 0).all(axis=1) & (ends[:, 0] != ends[:, 1]))
    link = link[(spokes[ends[link], 0] >= 0).all(axis=1)]
    around = spokes[ends[link]]
    # Of the three spokes of either junction, the two that are not the link between them.
    beyond = around[around // 2 != link[:, None, None]].reshape(-1, 2, 2)
    width = links.width[links.nearest(beyond, policy.arm[1])].mean(axis=(1, 2))
    short = links.length[link] < np.maximum(policy.merge, policy.merge_widths * width)
    link, beyond = link[short], beyond[short]
    direction = _directions(links, beyond, position[ends.reshape(-1)[beyond]], policy.arm)
    opposite = -np.einsum("kid,kjd->kij", direction[:, 0], direction[:, 1])
    parallel = np.minimum(opposite[:, 0, 0], opposite[:, 1, 1])
    crossed = np.minimum(opposite[:, 0, 1], opposite[:, 1, 0])
    found = link[np.maximum(parallel, crossed) >= np.cos(np.radians(policy.bend))]
    return _disjoint(found[np.argsort(links.length[found], kind="stable")], ends)


def merge_crossings(position: Floats, ends: Ints, inner: Ints) -> tuple[Floats, Ints]:
    """Move the two nodes of each inner link to its middle and call both by the first one's number.

    The inner links keep their numbers, by which spokes are known, but now end in -1.
    """
    position = position.copy()
    first, second = ends[inner].T
    position[first] = (position[first] + position[second]) / 2
    name = np.arange(len(position) + 1)
    name[-1] = -1
    name[second] = first
    ends = name[ends]
    ends[inner] = -1
    return position, ends


def angles(
    links: LinkPixels, position: Floats, ends: Ints, arm: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return (N,) the largest and (N,) the smallest angle of 3-way nodes in degrees, NaN for other nodes."""
    nodes = len(position)
    spokes = _spokes(ends, nodes)
    three = spokes[:, 0] >= 0
    direction = _directions(links, spokes[three], position[three][:, None], arm)
    heading = np.sort(np.degrees(np.arctan2(direction[..., 1], direction[..., 0])), axis=-1)
    between = np.diff(heading, axis=-1, append=heading[:, :1] + 360)
    largest, smallest = np.full(nodes, np.nan), np.full(nodes, np.nan)
    largest[three], smallest[three] = between.max(axis=-1), between.min(axis=-1)
    return largest, smallest


def _spokes(ends: Ints, nodes: int) -> Ints:
    """Return (N, 3) the spokes of each 3-way node, -1 for other nodes."""
    node = ends.reshape(-1)
    spoke = np.argsort(node, kind="stable")
    spoke = spoke[node[spoke] >= 0]
    three: Bools = np.bincount(node[node >= 0], minlength=nodes) == 3
    out = np.full((nodes, 3), -1, np.int64)
    out[three] = spoke[three[node[spoke]]].reshape(-1, 3)
    return out


def _directions(links: LinkPixels, spokes: Ints, origin: Floats, arm: tuple[float, float]) -> Floats:
    """Return (..., 2) unit vectors along spokes, away from their nodes, which are at `origin`."""
    length = links.length[spokes // 2]
    near = links.xy[links.nearest(spokes, np.minimum(arm[0], length / 2))]
    # Half of a link of two or three px says nothing.
    start = np.where((length < arm[0])[..., None], origin, near)
    towards = links.xy[links.nearest(spokes, arm[1])] - start
    return np.asarray(towards / np.maximum(np.linalg.norm(towards, axis=-1, keepdims=True), 1e-9))


def _disjoint(links: Ints, ends: Ints) -> Ints:
    """Keep the links, first come first served, that share no node with one kept before."""
    taken: set[int] = set()
    kept = []
    for link in links.tolist():
        pair = set(ends[link].tolist())
        if not taken & pair:
            taken |= pair
            kept.append(link)
    return np.array(kept, np.int64)

"""What counts as a link and as a node of a crack graph."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PUBLISHED_POLICY", "GraphPolicy"]


@dataclass(frozen=True, slots=True)
class GraphPolicy:
    """What counts as a link and as a node. All lengths in px.

    Attributes
    ----------
    hole
        Holes of the mask (4-connected background) of at most this many px are filled first: a skeleton
        would run around them, and make two junctions of a blot.
    spur
        A dead-end link shorter than this plus half the local crack width is an artefact of thinning, and
        pruned: at each junction the shortest first, until none is left, so that a crack that ends in a
        fork keeps its length. A crack by itself that is shorter, end to end, is dropped as a speck.
    merge, merge_widths
        A link between two 3-way junctions shorter than `merge`, or than `merge_widths` times the width of
        the branches beyond, joins them into one X when those continue each other within `bend`.
    bend
        Degrees by which two branches may miss being the straight continuation of each other.
    arm
        A branch points from where it is `arm[0]` px long to where it is `arm[1]` px long. The first few px
        are left out because a centre line bends where a branch opens into a wider crack. Of a shorter link
        the second half counts, and of one shorter than `arm[0]` the whole.
    border
        Nodes within this many px of the frame (or of ignored px) are not counted: an end there is a crack
        cut by the frame.
    """

    hole: int = 4
    spur: float = 2.0
    merge: float = 4.0
    merge_widths: float = 2.0
    bend: float = 45.0
    arm: tuple[float, float] = (4.0, 12.0)
    border: int = 3


PUBLISHED_POLICY = GraphPolicy(hole=0, spur=13.5, merge=6.0, merge_widths=0.0, bend=180.0, border=20)
"""As in the code that made ``stats.mat`` (github acecreamu/craquelure-graphs, ``extractStats.m``): dead-end
links of up to 14 px pruned, 3-way junctions up to 6 px apart joined, nodes within 20 px of the frame not
counted. Shares of nodes are to be compared with `craqbench.real_styles` under this policy: with shorter spurs
left on, the same skeletons have more dead ends."""

"""What a crack network is, and the habit it grows by (see `generators.growth`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generators.triplets import Size

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

STEP = 2.0
"""Length of a growth step in px."""

MARGIN = 12
"""How far outside the picture cracks still grow, in px, so that its border cuts them."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How a network grows. Lengths in px, angles in radians.

    Attributes
    ----------
    spacing
        Distance between primary cracks.
    generations
        How many generations follow one another.
    refinement
        Each generation's seeds lie this much denser than those of the one before (a factor below 1).
    fill
        Share of the free sites where a crack really opens.
    room
        A site is free if no crack is nearer than this share of the generation's spacing.
    direction, order
        Main direction of the primaries and how strictly they keep to it (von Mises concentration of the
        doubled angle; 0 is no direction at all).
    across
        Share of the primaries that run perpendicular to the main direction instead.
    obedience
        Share of the later cracks that keep to the main direction or its perpendicular, where the others
        run to the nearest crack.
    jag, kink, sway, bend
        Wander: heading noise per step, heading jumps every 8 px, slow swaying over some 30 px (standard
        deviations in radians), and the standard deviation of a crack's constant curvature (radians per px).
    reach, tiring
        How far strands grow unless they meet something, as a multiple of their generation's spacing; and
        the share of strands that tire before that, in whole paint: none of the primaries, twice the share
        of the last generation.
    capture
        A strand that comes this near to an older crack turns straight to it, which makes right angles.
    crossing
        Probability that a strand crosses what it meets.
    spurs
        Short one-sided cracks per primary-spacing squared, starting on others.
    doubling
        Share of the primaries that run double for a while.
    """

    spacing: float = 60.0
    generations: int = 4
    refinement: float = 0.72
    fill: float = 0.8
    room: float = 0.38
    direction: float = 0.0
    order: float = 1.0
    across: float = 0.3
    obedience: float = 0.3
    jag: float = 0.2
    kink: float = 0.2
    sway: float = 0.25
    bend: float = 0.002
    reach: float = 6.0
    tiring: float = 0.2
    capture: float = 6.0
    crossing: float = 0.12
    spurs: float = 0.3
    doubling: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Strands: runs of points, each from its start to where it stopped.

    Attributes
    ----------
    points
        (P, 2) float32, x and y in px of the picture.
    first
        (S + 1,) int64, where each strand begins in `points`.
    birth
        (P,) float32 in [0, 1], when the crack reached the point. Time passes as its own square: the few
        primaries take as long as several of the later generations.
    generation
        (S,) int64; spurs and double lines have the generation of their kind, not of their host.
    crack
        (S,) int64; the two strands that grew from one seed share a number.
    dead
        (S,) bool, the strand stopped in whole paint.
    size
        (width, height) in px.
    """

    points: Floats
    first: Ints
    birth: Floats
    generation: Ints
    crack: Ints
    dead: Flags
    size: Size

    @property
    def lengths(self) -> Ints:
        """(S,) number of points of each strand."""
        return np.diff(self.first)

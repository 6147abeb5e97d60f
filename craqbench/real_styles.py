"""What real craquelure measures, to be set beside synthetic craquelure.

Computed from ``stats.mat`` of github acecreamu/craquelure-graphs (MIT; Sidorov and Hardeberg, "Craquelure as
a Graph", arXiv 1905.05010): 360 patches of 800 x 800 px of automatic skeletons in five classes. Figures are
medians over the patches of a class. Their code prunes branches of up to 14 px and does not count nodes within
20 px of the frame: `craqbench.graphs.PUBLISHED_POLICY` does the same. It counts the pixels of a link, which
is some 10 % less than its length.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REAL_RANGES", "REAL_STYLES"]


def _style(*values: float) -> Mapping[str, float]:
    names = (
        "link_length",
        "link_length_cv",
        "end_share",
        "three_way_share",
        "x_of_junctions",
        "anisotropy",
        "anisotropy_floor",
    )
    return MappingProxyType(dict(zip(names, values, strict=True)))


REAL_STYLES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "dutch": _style(31.5, 0.75, 0.29, 0.62, 0.12, 0.57, 0.30),
        "flemish": _style(35.3, 0.67, 0.36, 0.58, 0.10, 0.85, 0.27),
        "french": _style(52.7, 0.87, 0.27, 0.66, 0.08, 0.64, 0.51),
        "german": _style(39.3, 0.68, 0.42, 0.53, 0.11, 0.84, 0.36),
        "italian": _style(37.9, 0.69, 0.41, 0.55, 0.09, 0.75, 0.36),
    }
)
"""For each style the measures of `craqbench.morphology.Morphology` by name."""

REAL_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "crack_fraction": (0.05, 0.12),
        "skeleton_density": (0.008, 0.033),
        "width_median": (1.0, 3.0),
        "width_p95": (3.0, 7.0),
        "x_of_junctions": (0.065, 0.123),
        "t_share": (0.62, 0.89),
        "y_share": (0.01, 0.05),
        "island_cv": (0.8, 1.0),
    }
)
"""Lowest and highest usual values over all styles. Crack fraction and widths are of hand-labelled dense
close-ups; x_of_junctions is the interquartile range of the 360 patches."""

"""The shape of a crack network in numbers, the same for real and synthetic masks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from craqbench.graphs import CrackGraph, GraphPolicy, crack_graph

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Morphology", "anisotropy_at", "anisotropy_floor", "island_areas", "morphology", "summarise"]

ORIENTATION_BINS = 36
"""Bins of the histogram of link directions, 5 degrees each."""

SPECK = 16
"""Islands smaller than this, in px, are holes in a crack and no islands."""

ENOUGH_ISLANDS = 8
"""With fewer islands than this, the variation of their areas is not given."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Morphology:
    """Measures of one crack mask. NaN where a measure is not defined, as for widths without a crack.

    Attributes
    ----------
    crack_fraction
        Crack px per px.
    skeleton_density
        Px of the pruned skeleton per px.
    width_median, width_p95
        Median and 95th percentile of the crack width in px along the skeleton.
    link_length, link_length_cv
        Mean length of links in px, and standard deviation over mean. Links cut by the frame are included.
    links_per_junction
        Links, all of them, over 3-way nodes and X that are counted, as in the published code.
    nodes_per_px2
        Counted nodes per px.
    end_share, three_way_share, x_share
        Dead ends, 3-way nodes and X over all counted nodes.
    x_of_junctions
        X over 3-way nodes and X.
    t_share, y_share
        T and Y over 3-way nodes.
    island_cv
        Standard deviation over mean of the areas of islands, see `island_areas`; NaN below 8 islands.
    anisotropy
        Standard deviation over mean of the counts of link directions in 36 bins of 5 degrees: 0 when all
        directions are equally frequent, 6 when there is only one.
    anisotropy_floor
        What isotropic links in this number would show by chance, see `anisotropy_floor`.
    anisotropy_excess
        Unbiased estimate of the square of the anisotropy without chance; below 0 by chance only. Averages of
        it over small crops can be compared with those of large ones.
    nodes, junctions, three_ways, links, islands
        Counts behind the shares.
    """

    crack_fraction: float
    skeleton_density: float
    width_median: float
    width_p95: float
    link_length: float
    link_length_cv: float
    links_per_junction: float
    nodes_per_px2: float
    end_share: float
    three_way_share: float
    x_share: float
    x_of_junctions: float
    t_share: float
    y_share: float
    island_cv: float
    anisotropy: float
    anisotropy_floor: float
    anisotropy_excess: float
    nodes: int
    junctions: int
    three_ways: int
    links: int
    islands: int

    @property
    def anisotropy_corrected(self) -> float:
        """Anisotropy without what is owed to chance: the root of the excess, at least 0."""
        return float(np.sqrt(np.maximum(self.anisotropy_excess, 0)))


WEIGHTS = {
    "link_length": "links",
    "end_share": "nodes",
    "three_way_share": "nodes",
    "x_share": "nodes",
    "x_of_junctions": "junctions",
    "links_per_junction": "junctions",
    "t_share": "three_ways",
    "y_share": "three_ways",
    "anisotropy_excess": "links",
}
"""Measures that are pooled over masks in proportion to a count."""


def morphology(mask: Mask, *, ignore: Mask | None = None, policy: GraphPolicy | None = None) -> Morphology:
    """Measure a crack mask.

    Parameters
    ----------
    mask
        (H, W) bool, True in cracks.
    ignore
        (H, W) bool, True where nothing is known; left out of areas and counts.
    policy
        What counts as a link and as a node; `GraphPolicy()` unless given. To compare with
        `craqbench.real_styles.REAL_STYLES`, use `PUBLISHED_POLICY`.

    Raises
    ------
    ValueError
        If `mask` is not a bool array of two dimensions, or `ignore` is not of its shape.
    """
    graph = crack_graph(mask, ignore=ignore, policy=policy)
    cracked = mask if ignore is None else mask & ~ignore
    area = float(mask.size if ignore is None else mask.size - ignore.sum())
    width = 2 * graph.half_width[graph.skeleton]
    areas = island_areas(mask, ignore=ignore)
    counts = _direction_counts(graph)
    ends, threes, crossings = (
        int(kind.sum()) for kind in (graph.dead_ends, graph.three_ways, graph.crossings)
    )
    nodes, junctions = ends + threes + crossings, threes + crossings
    return Morphology(
        crack_fraction=_ratio(cracked.sum(), area),
        skeleton_density=_ratio(graph.skeleton.sum(), area),
        width_median=_percentile(width, 50),
        width_p95=_percentile(width, 95),
        link_length=_ratio(graph.length.sum(), len(graph.length)),
        link_length_cv=_variation(graph.length),
        links_per_junction=_ratio(len(graph.length), junctions),
        nodes_per_px2=_ratio(nodes, area),
        end_share=_ratio(ends, nodes),
        three_way_share=_ratio(threes, nodes),
        x_share=_ratio(crossings, nodes),
        x_of_junctions=_ratio(crossings, junctions),
        t_share=_ratio(graph.t_junctions.sum(), threes),
        y_share=_ratio(graph.y_junctions.sum(), threes),
        island_cv=_variation(areas) if len(areas) >= ENOUGH_ISLANDS else np.nan,
        anisotropy=_variation(counts, ddof=1),
        anisotropy_floor=anisotropy_floor(int(counts.sum())),
        anisotropy_excess=_excess(counts),
        nodes=nodes,
        junctions=junctions,
        three_ways=threes,
        links=len(graph.length),
        islands=len(areas),
    )


def island_areas(mask: Mask, *, ignore: Mask | None = None) -> npt.NDArray[np.int64]:
    """Return the areas in px of the islands: 4-connected parts of the paint between 8-connected cracks.

    Islands cut by the frame or by ignored px are left out, as their areas are not known; so are those of less
    than `SPECK` px, which are holes in a crack.

    Parameters
    ----------
    mask, ignore
        (H, W) bool.
    """
    height, width = mask.shape
    paint = ~mask if ignore is None else ~(mask | ignore)
    if not paint.any():
        return np.zeros(0, np.int64)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(paint.view(np.uint8), connectivity=4)
    x, y, w, h, area = stats.T
    whole = (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    if ignore is not None:
        beside = cv2.dilate(ignore.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
        whole[np.unique(labels[beside])] = False
    island = whole & (area >= SPECK)
    island[0] = False  # Label 0 is what is not paint.
    return np.asarray(area[island], np.int64)


def anisotropy_floor(links: int) -> float:
    """Return the anisotropy that isotropic links in this number show by chance: sqrt(36 / links).

    It is the standard deviation over the mean of counts in 36 bins with equal chances. NaN for no link.

    >>> round(anisotropy_floor(402), 2)  # the median patch of the style "dutch"
    0.3
    """
    return float(np.sqrt(ORIENTATION_BINS / links)) if links > 0 else np.nan


def anisotropy_at(excess: float, links: float) -> float:
    """Return the anisotropy to be expected of a network with this excess, in a sample of so many links.

    With the mean excess of many small masks, and the number of links of a style's patches (36 over the square
    of its ``anisotropy_floor``), the result stands beside the style's ``anisotropy``.

    >>> round(anisotropy_at(0.0, 400), 2)
    0.3
    """
    if not links > 0:
        return np.nan
    return float(np.sqrt(max(excess * (1 - 1 / links), 0.0) + ORIENTATION_BINS / links))


def summarise(measured: Iterable[Morphology]) -> pd.DataFrame:
    """Summarise the measures of many masks.

    Parameters
    ----------
    measured
        One `Morphology` for each mask; undefined (NaN) values are left out.

    Returns
    -------
    One row for each measure, columns ``mean``, ``std`` (NaN for a single mask), ``median``, ``pooled``
    (shares, link lengths and the anisotropy excess averaged in proportion to the nodes or links they are of:
    steadier than ``mean`` on small masks; the same as ``mean`` for other measures) and ``masks``, the number
    of masks where the measure is defined.
    """
    names = [field.name for field in dataclasses.fields(Morphology)]
    table = pd.DataFrame([dataclasses.asdict(one) for one in measured], columns=names, dtype=np.float64)
    return pd.DataFrame(
        {
            "mean": table.mean(),
            "std": table.std(),
            "median": table.median(),
            "pooled": pd.Series({name: _pooled(table, name) for name in names}),
            "masks": table.count(),
        }
    )


def _pooled(table: pd.DataFrame, name: str) -> float:
    """Average a measure over masks in proportion to its count."""
    defined = table[table[name].notna()]
    if name not in WEIGHTS:
        return _ratio(defined[name].sum(), len(defined))
    weight = defined[WEIGHTS[name]]
    return _ratio((defined[name] * weight).sum(), weight.sum())


def _direction_counts(graph: CrackGraph) -> npt.NDArray[np.int64]:
    """(36,) link directions per bin; bins are centred on 0, 5, ... degrees: a mirror maps bin to bin."""
    step = 180 / ORIENTATION_BINS
    direction = graph.orientation[np.isfinite(graph.orientation)]
    bins = np.floor(direction / step + 0.5).astype(np.int64) % ORIENTATION_BINS
    return np.bincount(bins, minlength=ORIENTATION_BINS)


def _excess(counts: npt.NDArray[np.int64]) -> float:
    """Return 36 * sum(p^2) - 1 for the probabilities p behind multinomial counts, estimated without bias."""
    total = int(counts.sum())
    if total < 2:
        return np.nan
    return float(ORIENTATION_BINS * (counts * (counts - 1)).sum() / (total * (total - 1)) - 1)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan


def _percentile(values: npt.NDArray[np.float32], q: float) -> float:
    return float(np.percentile(values, q)) if len(values) else np.nan


def _variation(values: npt.NDArray[np.float64] | npt.NDArray[np.int64], *, ddof: int = 0) -> float:
    """Return the standard deviation over the mean, NaN where there is no mean or it is 0."""
    return _ratio(float(values.std(ddof=ddof)), float(values.mean())) if len(values) else np.nan

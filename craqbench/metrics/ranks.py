"""Ranks with ties: methods whose difference may be chance share a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from craqbench.metrics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Difference,
    Interval,
    Score,
    paired_difference,
    percentile_interval,
    resampling_weights,
)

__all__ = ["Ranked", "rank_methods"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A method's place.

    Attributes
    ----------
    name
        The method.
    score
        Its score on the set, with interval.
    rank
        1 for the first group; for a later one, 1 + the number of methods in the groups above it.
    to_leader
        Paired difference: the group's best method minus this one; None for the best itself.
    """

    name: str
    score: Interval
    rank: int
    to_leader: Difference | None


def rank_methods(
    counts: Mapping[str, npt.ArrayLike],
    score: Score,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> list[Ranked]:
    """Order methods by score, higher first, and give those that cannot be told apart one rank.

    Walk down the order. The first method leads a group. A method joins the group if its paired difference to
    the *leader* is not significant (p >= 1 - level); the first that is significantly worse leads the next
    group. Groups are thus runs of the order, and no chain of small steps ties the best to the worst. A tie
    says that this set cannot tell two methods apart, not that they are equal.

    Parameters
    ----------
    counts
        Method -> (paintings, ...) counts, paintings in the same order for all.
    score
        A function of summed counts, higher is better.
    rng
        Draws the resamples, which all methods share.
    resamples, level
        Number of resamples; level of intervals and significance.

    Returns
    -------
    Best first; methods of equal score in alphabetical order.

    Raises
    ------
    ValueError
        If the methods have not the same number of paintings, or there is none.
    """
    tables = {name: np.asarray(table) for name, table in counts.items()}
    sizes = {len(table) for table in tables.values()}
    if len(sizes) > 1:
        raise ValueError(f"expected all methods to have the same number of paintings. Got {sorted(sizes)}")
    if not tables:
        return []
    weights = resampling_weights(sizes.pop(), rng=rng, resamples=resamples)
    intervals = {n: percentile_interval(t, score, weights=weights, level=level) for n, t in tables.items()}
    order = sorted(tables, key=lambda name: (-intervals[name].value, name))
    ranked: list[Ranked] = []
    leader, rank = order[0], 1
    for place, name in enumerate(order, start=1):
        gap = paired_difference(tables[leader], tables[name], score, weights=weights, level=level)
        if gap.p < 1 - level:
            leader, rank = name, place
        ranked.append(Ranked(name, intervals[name], rank, None if name == leader else gap))
    return ranked

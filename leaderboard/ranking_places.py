"""Who stands where: order, ranks with ties, and who is no better than what does not look at the image.

The rule of ranks, as in `craqbench compare`, whose functions these are:

1. Entries are ordered by the ranking figure on the half that counts at once, with all its digits: F1@2px of
   detections, PSNR in the mask of restorations; higher first, the earlier entry first where they are equal.
2. Walk down the order. The first entry leads a group and has rank 1. An entry shares the rank of the leader
   above it if the two cannot be told apart: 10,000 resamples of paintings, with replacement, the same for
   all entries; p is twice the share of resamples in which their difference has the other sign or none; they
   are tied if p >= 0.05. The first entry that is significantly worse than the leader leads the next group,
   and its rank is its place in the order.
3. So a rank is compared with the *leader* of its group, not with the neighbour: no chain of small steps ties
   the best to the worst. p is not corrected for the number of comparisons. A tie says that these paintings
   cannot tell two entries apart, not that they are equal.

Not ranked, and nobody's competitor: what is self-reported; predictions that are the same for any image
(sanity rows); entries that an operator has flagged as disputed, withdrawn or sanity, for as long as the flag
is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from craqbench.figures import FILLING_RANKING, LOWER_IS_BETTER, RANKING, bootstrap_rng, figures
from craqbench.metrics import LEVEL, paired_difference, rank_methods, resampling_weights
from craqbench.metrics.inputs import Floats
from craqbench.results import Score
from leaderboard.ranking_records import Column, EntryResult, Figure
from leaderboard.scoring_private import Counted
from leaderboard.store_records import Accepted, Flag
from leaderboard.submission_metadata import Metadata

__all__ = [
    "NOWHERE",
    "UNRANKING",
    "Entry",
    "Place",
    "figure_of",
    "is_sanity",
    "no_better",
    "ordered",
    "placed",
]

UNRANKING = ("disputed", "withdrawn", "sanity")
"""Flags that take an entry out of the ranking while they are raised."""

_KINDS = {RANKING: "tolerance", FILLING_RANKING: "errors"}


class Entry(NamedTuple):
    """An entry, and all that its row is made of."""

    accepted: Accepted
    told: Metadata
    result: EntryResult | None
    flags: tuple[Flag, ...]
    attempts: int
    now: Counted | None
    final: Counted | None


class Place(NamedTuple):
    """Where an entry stands, see `leaderboard.ranking_records.Row`."""

    rank: int | None
    tied: bool
    behind: Figure | None


NOWHERE = Place(None, tied=False, behind=None)


def figure_of(score: Score, digits: int) -> Figure:
    """Return a score, rounded."""
    value, low, high = (None if v is None else round(v, digits) for v in (score.value, score.low, score.high))
    return Figure(value=value, low=low, high=high)


def ordered(entries: Sequence[Entry], ranking: str) -> list[str]:
    """Return the entries that have the ranking figure, best first: with all digits."""
    sign = 1 if ranking in LOWER_IS_BETTER else -1
    known = [(_value(e, ranking), e.accepted) for e in entries]
    found = sorted((sign * value, one.number, one.entry) for value, one in known if value is not None)
    return [entry for _, _, entry in found]


def _value(entry: Entry, ranking: str) -> float | None:
    return None if entry.now is None else entry.now.scores.get(ranking, Score(value=None)).value


def _is_ranked(entry: Entry, ranking: str) -> bool:
    unranked = is_sanity(entry) or any(flag.kind in UNRANKING for flag in entry.flags)
    return _value(entry, ranking) is not None and not unranked


def is_sanity(entry: Entry) -> bool:
    """Whether predictions are the same for any image, as the scorer saw or an operator says."""
    told = any(flag.kind == "sanity" for flag in entry.flags)
    return told or (entry.result is not None and entry.result.sanity)


def _goodness(ranking: str) -> Callable[[Floats], Floats]:
    sign = -1 if ranking in LOWER_IS_BETTER else 1

    def score(counts: Floats) -> Floats:
        return sign * figures(_KINDS[ranking], counts, ())[ranking]

    return score


def placed(entries: Sequence[Entry], column: Column) -> dict[str, Place]:
    """Return where entries stand, by entry; see the module for the rule."""
    ranking, score = column.name, _goodness(column.name)
    # Named by number: of equal figures the earlier entry comes first.
    tables = {
        f"{e.accepted.number:08} {e.accepted.entry}": e.now.table
        for e in entries
        if e.now is not None and _is_ranked(e, ranking)
    }
    ranked = rank_methods(tables, score, rng=bootstrap_rng())
    sharing = Counter(one.rank for one in ranked)
    found: dict[str, Place] = {}
    for one in ranked:
        behind = None
        if one is not ranked[0]:
            best = tables[ranked[0].name]
            weights = resampling_weights(len(best), rng=bootstrap_rng())
            gap = paired_difference(best, tables[one.name], score, weights=weights)
            behind = figure_of(Score(value=gap.value, low=gap.low, high=gap.high), column.digits)
        found[one.name.partition(" ")[2]] = Place(one.rank, sharing[one.rank] > 1, behind)
    return found


def no_better(entries: Sequence[Entry], column: Column) -> list[str] | None:
    """Name the ranked entries that are not significantly better than the best sanity row; None without."""
    score = _goodness(column.name)
    sanity = [e.now.table for e in entries if is_sanity(e) and e.now is not None]
    if not sanity:
        return None
    best = max(sanity, key=lambda table: float(score(np.sum(table, axis=0, dtype=np.float64))))
    weights = resampling_weights(len(best), rng=bootstrap_rng())
    found = []
    for one in entries:
        if one.now is not None and _is_ranked(one, column.name):
            gap = paired_difference(one.now.table, best, score, weights=weights)
            if gap.value <= 0 or gap.p >= 1 - LEVEL:
                found.append(f"{one.told.method} {one.told.version}")
    return found

"""A table of results: intervals, paired differences, tied ranks, sanity rows and the ceiling.

A table is a pure function of result files: the same files make the same table, to the last digit, on any
machine. Only results of the same set under the same policies go into one table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from craqbench.comparison_notes import notes_on
from craqbench.comparison_rows import SPEED, Comparison, Pair, Row
from craqbench.errors import UsageError
from craqbench.figures import (
    CLEAN_RANKING,
    FILLING_RANKING,
    LOWER_IS_BETTER,
    RANKING,
    bootstrap_rng,
    figures,
    interval_figures,
)
from craqbench.metrics import Difference, Ranked, paired_difference, rank_methods, resampling_weights
from craqbench.metrics.filling import ERRORS
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.metrics.widths import WIDTHS
from craqbench.results import (
    Counts,
    DetectionResult,
    InpaintingResult,
    Result,
    Score,
    added,
    scores_of,
    tables_of,
)

__all__ = ["CEILING", "SPEED", "Comparison", "Pair", "Row", "compare"]

CEILING = "second annotator"

_KINDS = {
    RANKING: "tolerance",
    CLEAN_RANKING: "alarms",
    FILLING_RANKING: "errors",
    **{f"psnr:{place}": "errors" for place in ERRORS},
}
"""What counts a figure that ranks is made of."""


def compare(results: Sequence[Result], *, sort: str | None = None) -> Comparison:
    """Make a table of results.

    Parameters
    ----------
    results
        Of one set; of each method and version one.
    sort
        A figure's name or "method" to sort rows by; ranks stay what they are. Default: the ranking figure.

    Raises
    ------
    UsageError
        If there is no result, results are of different sets, policies, benchmarks or tasks, two are of the
        same method and version, or there is no such figure.
    """
    _refuse_unlike(results)
    first = results[0]
    ranking = first.ranking
    labels = _labels(results)
    complete = {label: result for label, result in zip(labels, results, strict=True) if result.complete}
    places = _places(complete, ranking)
    rows = [*_ceiling(results, ranking)]
    rows += _sorted([_row(label, complete, places, ranking) for label in complete], sort or ranking)
    rows += [
        Row(label, "incomplete", None, _scores(result), result=result)
        for label, result in zip(labels, results, strict=True)
        if not result.complete
    ]
    pairs, leaders = _pairs(complete, ranking), _leaders(complete)
    table = Comparison(first.set, ranking, tuple(rows), pairs, leaders, ())
    return replace(table, notes=tuple(notes_on(table, results)))


def _refuse_unlike(results: Sequence[Result]) -> None:
    if not results:
        raise UsageError("no results to compare: expected one or more")
    shared = set[str].intersection(*(set(result.policies) for result in results))
    asked: dict[str, Callable[[Result], object]] = {
        "benchmark versions": lambda r: r.benchmark,
        "tasks": lambda r: r.task,
        "sets": lambda r: f"{r.set.spec} ({r.set.digest[:8]})",
        "policies": lambda r: _policies(r, shared),
    }
    for what, ask in asked.items():
        found: dict[object, list[str]] = {}
        for result in results:
            found.setdefault(ask(result), []).append(result.method.label)
        if len(found) > 1:
            told = "; ".join(f"{value}: {', '.join(labels)}" for value, labels in found.items())
            raise UsageError(f"cannot compare results of different {what}: expected one. Got {told}")


def _policies(result: Result, names: set[str]) -> str:
    """Return policies in words; that of label maps is not one of methods without."""
    return ", ".join(f"{name} = {result.policies[name]}" for name in sorted(names))


def _labels(results: Sequence[Result]) -> list[str]:
    counts = Counter(result.method.label for result in results)
    labels = [
        f"{r.method.label} {r.method.version}" if counts[r.method.label] > 1 else r.method.label
        for r in results
    ]
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{count} results are of {label!r}: expected one of each method and version")
    return labels


def _scores(result: Result) -> dict[str, Score]:
    return {**result.scores, SPEED: Score(value=result.speed.seconds_per_megapixel)}


def _table(result: Result, ranking: str) -> Array | Floats:
    """Return the counts that a figure is made of, by painting; paintings without px of it are left out."""
    table = result.tables(result.paintings)[_KINDS[ranking]]
    if _KINDS[ranking] != "errors":
        return table
    place = ERRORS.index(ranking.partition(":")[2])
    return table[table[:, place, -1] > 0]


def _goodness(ranking: str) -> Callable[[Floats], Floats]:
    """Return a figure that ranks as a function of counts, higher is better."""
    sign = -1 if ranking in LOWER_IS_BETTER else 1

    def score(counts: Floats) -> Floats:
        return sign * figures(_KINDS[ranking], counts, ())[ranking]

    return score


def _places(complete: Mapping[str, Result], ranking: str) -> dict[str, Ranked]:
    tables = {
        label: _table(result, ranking)
        for label, result in complete.items()
        if result.method.kind == "method" and _is_defined(result, ranking)
    }
    return {one.name: one for one in rank_methods(tables, _goodness(ranking), rng=bootstrap_rng())}


def _leaders(complete: Mapping[str, Result]) -> dict[str, tuple[str, ...]]:
    """Return who is best on cracks of which width; see `Comparison`."""
    found = {}
    for width in WIDTHS if any(isinstance(one, InpaintingResult) for one in complete.values()) else ():
        places = _places(complete, f"psnr:{width}").values()
        found[width] = tuple(one.name for one in places if one.rank == 1)
    return found


def _is_defined(result: Result, ranking: str) -> bool:
    return result.scores.get(ranking, Score(value=None)).value is not None


def _row(label: str, complete: Mapping[str, Result], places: Mapping[str, Ranked], ranking: str) -> Row:
    result = complete[label]
    best = next(iter(places), None)
    behind = None
    if best is not None and best != label and _is_defined(result, ranking):
        behind = _difference(complete[best], result, ranking)
    return Row(
        label,
        result.method.kind,
        places[label].rank if label in places else None,
        _scores(result),
        behind,
        _on_second(result, ranking),
        result,
    )


def _difference(first: Result, second: Result, ranking: str) -> Difference:
    a, b = _table(first, ranking), _table(second, ranking)
    weights = resampling_weights(len(a), rng=bootstrap_rng())
    return paired_difference(a, b, _goodness(ranking), weights=weights)


def _on_second(result: Result, ranking: str) -> float | None:
    """Return the ranking figure of the images that have a second annotator."""
    if not isinstance(result, DetectionResult):
        return None
    chosen = {one.id for one in result.second}
    counts = [image.counts for image in result.images if image.id in chosen]
    return scores_of(added(counts))[ranking] if counts else None


def _pairs(complete: Mapping[str, Result], ranking: str) -> tuple[Pair, ...]:
    return tuple(
        Pair(first, second, _difference(complete[first], complete[second], ranking))
        for first, second in combinations(complete, 2)
        if _is_defined(complete[first], ranking) and _is_defined(complete[second], ranking)
    )


def _ceiling(results: Sequence[Result], ranking: str) -> list[Row]:
    """Return the row of the second annotator, where the set has one."""
    second = max((r.second for r in results if isinstance(r, DetectionResult)), key=len, default=())
    if not second or ranking == CLEAN_RANKING:
        return []
    by_painting: dict[str, list[Counts]] = {}
    for one in second:
        by_painting.setdefault(one.painting, []).append(one.counts)
    tables = tables_of([added(by_painting[name]) for name in sorted(by_painting)])
    found = interval_figures(tables, results[0].set.classes)
    scores = {name: Score.of(interval) for name, interval in found.items()}
    return [Row(CEILING, "ceiling", None, scores, None, scores[ranking].value)]


def _sorted(rows: Sequence[Row], by: str) -> list[Row]:
    if by == "method":
        return sorted(rows, key=lambda row: row.label)
    known = sorted({name for row in rows for name in row.scores})
    if rows and by not in known:
        raise UsageError(f"no figure {by!r}: expected method, or one of {', '.join(known)}")
    sign = 1 if by in LOWER_IS_BETTER or by == SPEED else -1

    def key(row: Row) -> tuple[bool, float, str]:
        value = row.scores[by].value if by in row.scores else None
        return value is None, sign * (value or 0.0), row.label

    return sorted(rows, key=key)

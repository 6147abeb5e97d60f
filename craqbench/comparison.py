"""A table of results: intervals, paired differences, tied ranks, sanity rows and the ceiling.

A table is a pure function of result files: the same files make the same table, to the last digit, on any
machine. Only results of the same set under the same policies go into one table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from craqbench.errors import UsageError
from craqbench.figures import (
    CLEAN_RANKING,
    LOWER_IS_BETTER,
    RANKING,
    bootstrap_rng,
    figures,
    interval_figures,
)
from craqbench.metrics import LEVEL, Difference, Ranked, paired_difference, rank_methods, resampling_weights
from craqbench.metrics.inputs import Counts as Array
from craqbench.metrics.inputs import Floats
from craqbench.results import (
    Counts,
    PaintingCounts,
    Result,
    Score,
    SetInfo,
    added,
    scores_of,
    tables_of,
)

__all__ = ["CEILING", "SPEED", "Comparison", "Pair", "Row", "compare"]

CEILING = "second annotator"
SPEED = "seconds_per_megapixel"
FEW_PAINTINGS = 10
"""With fewer, percentile intervals are known to be too narrow."""

Kind = Literal["ceiling", "method", "sanity", "incomplete"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    label
        Of the method, with its version where two rows would be called the same.
    kind
        "method"; "sanity", which does not look at the image; "ceiling", a second annotator; "incomplete",
        a method that failed on some image.
    rank
        Among methods; those that cannot be told apart from the best of their group share one. None for the
        other kinds.
    scores
        By name, see `craqbench.figures`; and `SPEED`.
    behind
        The best method's figure minus this one's, paired by painting; None for the best itself, and where
        paintings are not the same.
    on_second
        The ranking figure on the images that have a second annotator.
    result
        None for the ceiling.
    """

    label: str
    kind: Kind
    rank: int | None
    scores: Mapping[str, Score]
    behind: Difference | None = None
    on_second: float | None = None
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """How much better the first row's ranking figure is than the second's."""

    first: str
    second: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table.

    Attributes
    ----------
    set
        What was scored on.
    ranking
        Name of the figure that ranks.
    rows
        The ceiling first, incomplete results last, the others best first.
    pairs
        Every two rows of methods and sanity rows.
    notes
        What a reader must know, a sentence each.
    """

    set: SetInfo
    ranking: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]


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
    ranking = CLEAN_RANKING if first.set.clean else RANKING
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
    pairs = _pairs(complete, ranking)
    return Comparison(first.set, ranking, tuple(rows), pairs, tuple(_notes(rows, pairs, results)))


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


def _table(paintings: Sequence[PaintingCounts], ranking: str) -> Array:
    """Return the counts that the ranking figure is made of, by painting."""
    tables = tables_of([one.counts for one in paintings], clean=ranking == CLEAN_RANKING)
    return tables[_kind(ranking)]


def _kind(ranking: str) -> str:
    return "alarms" if ranking == CLEAN_RANKING else "tolerance"


def _goodness(ranking: str) -> Callable[[Floats], Floats]:
    """Return the ranking figure as a function of counts, higher is better."""
    sign = -1 if ranking in LOWER_IS_BETTER else 1

    def score(counts: Floats) -> Floats:
        return sign * figures(_kind(ranking), counts, ())[ranking]

    return score


def _places(complete: Mapping[str, Result], ranking: str) -> dict[str, Ranked]:
    tables = {
        label: _table(result.paintings, ranking)
        for label, result in complete.items()
        if result.method.kind == "method"
    }
    return {one.name: one for one in rank_methods(tables, _goodness(ranking), rng=bootstrap_rng())}


def _row(label: str, complete: Mapping[str, Result], places: Mapping[str, Ranked], ranking: str) -> Row:
    result = complete[label]
    best = next(iter(places), None)
    behind = None
    if best is not None and best != label:
        behind = _difference(complete[best], result, ranking)
    return Row(
        label,
        result.method.kind,
        places[label].rank if label in places else None,
        _scores(result),
        behind,
        _on(result, {one.id for one in result.second}, ranking),
        result,
    )


def _difference(first: Result, second: Result, ranking: str) -> Difference:
    a, b = _table(first.paintings, ranking), _table(second.paintings, ranking)
    weights = resampling_weights(len(a), rng=bootstrap_rng())
    return paired_difference(a, b, _goodness(ranking), weights=weights)


def _on(result: Result, ids: Iterable[str], ranking: str) -> float | None:
    """Return the ranking figure of some of the images."""
    chosen = set(ids)
    counts = [image.counts for image in result.images if image.id in chosen]
    return scores_of(added(counts))[ranking] if counts else None


def _pairs(complete: Mapping[str, Result], ranking: str) -> tuple[Pair, ...]:
    return tuple(
        Pair(first, second, _difference(complete[first], complete[second], ranking))
        for first, second in combinations(complete, 2)
    )


def _ceiling(results: Sequence[Result], ranking: str) -> list[Row]:
    """Return the row of the second annotator, where the set has one."""
    second = max((result.second for result in results), key=len)
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


def _notes(rows: Sequence[Row], pairs: Sequence[Pair], results: Sequence[Result]) -> Iterable[str]:
    of = results[0].set
    yield (
        f"{of.spec}, version {of.version}, digest {of.digest[:12]}: {_counted(of.images, 'image')} of "
        f"{_counted(of.paintings, 'painting')}. Benchmark {results[0].benchmark}. "
        "In brackets: 95 % intervals by painting."
    )
    yield (
        "Methods that share a rank cannot be told apart from the best of their group on these paintings "
        f"(paired bootstrap, p >= {1 - LEVEL:.2g})."
    )
    if of.paintings == 1:
        yield "With one painting there are no intervals, and ranks say nothing."
    elif of.paintings < FEW_PAINTINGS:
        yield f"With {of.paintings} paintings intervals are too narrow, and ranks say little."
    yield from _notes_on_sanity(rows, pairs)
    yield from _notes_on_ceiling(rows, results)
    for row in rows:
        if row.result is not None and row.kind == "incomplete":
            failed = row.result.failures
            yield (
                f"{row.label} failed on {len(failed)} of {of.images} images and has no scores; first on "
                f"{failed[0].image}: {failed[0].reason}"
            )
    yield from _notes_on_classes(rows, of)
    tuned = [r.label for r in rows if r.result is not None and r.result.threshold.tuned_on is not None]
    if tuned:
        yield f"Thresholds tuned on another set: {', '.join(tuned)}. All others are the methods' own."
    if len({r.hardware for r in results}) > 1 or any(r.speed.workers > 1 for r in results):
        yield "Speeds were measured beside other work or on different machines: compare them with care."


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _notes_on_sanity(rows: Sequence[Row], pairs: Sequence[Pair]) -> Iterable[str]:
    sanity = [row.label for row in rows if row.kind == "sanity"]
    if not sanity:
        yield "No sanity rows: evaluate 'none' and 'all', too, to see what a figure is worth."
    for row in rows:
        beaten = [label for label in sanity if row.kind == "method" and _better(row.label, label, pairs)]
        rest = [label for label in sanity if label not in beaten]
        if row.kind == "method" and rest:
            yield f"{row.label} is not significantly better than {' and '.join(rest)}."


def _better(label: str, other: str, pairs: Sequence[Pair]) -> bool:
    for pair in pairs:
        if {pair.first, pair.second} == {label, other}:
            sign = 1 if pair.first == label else -1
            return sign * pair.difference.value > 0 and pair.difference.p < 1 - LEVEL
    return False


def _notes_on_classes(rows: Sequence[Row], of: SetInfo) -> Iterable[str]:
    further = of.classes[2:]
    blind = [r.label for r in rows if r.result is not None and r.result.predicted_classes == 2]
    if further and blind:
        yield (
            f"Never predicted by {', '.join(blind)}: {', '.join(further)}. Their averages over classes count "
            "it as missed."
        )


def _notes_on_ceiling(rows: Sequence[Row], results: Sequence[Result]) -> Iterable[str]:
    if any(row.kind == "ceiling" for row in rows):
        count = max(len(result.second) for result in results)
        found = ", ".join(
            f"{row.label} {row.on_second:.3f}"
            for row in rows
            if row.kind == "method" and row.on_second is not None
        )
        alone = f" On these: {found}." if found else ""
        yield f"The second annotator has {count} of {results[0].set.images} images.{alone}"

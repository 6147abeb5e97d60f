"""The tables and the curves of a report, as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from craqbench.comparison import SPEED, Comparison, Row
from craqbench.figures import RANKING
from craqbench.metrics import precision_recall
from craqbench.report_curves import Axes, Curve, plot, swatch
from craqbench.report_markup import Child, Markup, breakable, fragment, tag
from craqbench.results import Result, Score

__all__ = ["Method", "curve_figures", "group_tables", "leaderboard", "methods_of"]

COLUMNS = {
    "f1@2": "F1@2px",
    "precision@2": "P@2px",
    "recall@2": "R@2px",
    "f1@0": "F1@0px",
    "iou": "IoU",
    "cldice": "clDice",
    "ap@2": "AP@2px",
}
"""Figures of the table, all of the crack class."""

BY_CLASS = {"f1": "F1", "iou": "IoU"}
"""Figures of a class beyond cracks."""

CLEAN_COLUMNS = {"false_share": "false px, share", "false_alarms_per_megapixel": "false alarms / Mpx"}

NOT_DEFINED = "-"
NOTES = {"ceiling": "ceiling", "sanity": "sanity row", "incomplete": "incomplete", "method": None}


class Method(NamedTuple):
    """A result, what tables call it, and its colour: None for a sanity row."""

    label: str
    result: Result
    style: int | None

    @property
    def is_sanity(self) -> bool:
        """Whether it does not look at the image."""
        return self.result.method.kind == "sanity"


def methods_of(comparison: Comparison) -> tuple[Method, ...]:
    """Return the results of a comparison in the order of its rows, with a colour each."""
    methods: list[Method] = []
    for row in comparison.rows:
        if row.result is not None:
            used = sum(method.style is not None for method in methods)
            sanity = row.result.method.kind == "sanity"
            methods.append(Method(row.label, row.result, None if sanity else used))
    return tuple(methods)


def leaderboard(comparison: Comparison) -> Markup:
    """Return the table of a comparison, and its notes."""
    columns = _columns(comparison)
    styles = {method.label: method.style for method in methods_of(comparison)}
    heads = ["method", "rank", *columns.values(), "threshold", "s / Mpx"]
    rows = []
    for row in comparison.rows:
        style = swatch(styles[row.label]) if row.label in styles else None
        cells = [_cell(row.scores.get(name)) for name in columns]
        rank = tag("td", NOT_DEFINED if row.rank is None else row.rank)
        rows.append(_row([_method(row, style), rank, *cells, *_ways(row)], sanity=row.kind == "sanity"))
    # The first note says what the section's head says.
    notes = tag("ul", *(tag("li", note) for note in comparison.notes[1:]), class_="quiet")
    also = "; MIoU over all classes" if "mean_iou" in columns else ""
    return fragment(_table(f"Of the crack class, with 95 % intervals{also}", heads, rows), notes)


def _columns(comparison: Comparison) -> Mapping[str, str]:
    """Return heads by figure; of a set with more classes also those of each, and of all."""
    further = comparison.set.classes[2:]
    if comparison.set.clean:
        return CLEAN_COLUMNS
    if not further:
        return COLUMNS
    of_each = {f"{name}:{c}": f"{head} {c}" for c in further for name, head in BY_CLASS.items()}
    return {**COLUMNS, **of_each, "mean_iou": "MIoU"}


def _method(row: Row, style: Markup | None) -> Markup:
    note = NOTES[row.kind]
    return tag("th", style, " ", breakable(row.label), tag("small", note) if note else None, scope="row")


def _cell(score: Score | None) -> Markup:
    if score is None or score.value is None:
        return tag("td", NOT_DEFINED)
    interval = None
    if score.low is not None and score.high is not None:
        interval = tag("small", f"{_number(score.low)} to {_number(score.high)}")
    return tag("td", _number(score.value), interval)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _ways(row: Row) -> Iterator[Markup]:
    if row.result is None:
        yield tag("td", NOT_DEFINED)
    else:
        tuned = row.result.threshold.tuned_on
        origin = f"tuned on {tuned.spec}" if tuned else "its own"
        yield tag("td", f"{row.result.threshold.value:.3g}", tag("small", origin))
    pace = row.scores.get(SPEED, Score(value=None)).value
    yield tag("td", NOT_DEFINED if pace is None else f"{pace:.2g}")


def _row(cells: Sequence[Markup], *, sanity: bool) -> Markup:
    return tag("tr", *cells, class_="sanity" if sanity else None)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """Return a table that scrolls by itself, with a finger or with the arrow keys."""
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in heads)))
    table = tag("table", tag("caption", caption), head, tag("tbody", *rows))
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=caption)


def group_tables(methods: Sequence[Method]) -> Markup | None:
    """Return a table for each attribute: how methods do on the images of each of its values."""
    attributes = list(dict.fromkeys(name for method in methods for name in method.result.groups))
    if not attributes:
        return None
    tables = [_group_table(methods, attribute) for attribute in attributes]
    return fragment(tag("h3", "On which images"), tag("div", *tables, class_="groups"))


def _group_table(methods: Sequence[Method], attribute: str) -> Markup:
    found = [method.result.groups.get(attribute, {}) for method in methods]
    counts = {value: group.images for groups in found for value, group in groups.items()}
    heads = ["method", *(f"{value or 'unknown'} ({n})" for value, n in counts.items())]
    rows = [_group_row(method, attribute, list(counts)) for method in methods]
    return _table(f"F1@2px by {attribute} (images)", heads, rows)


def _group_row(method: Method, attribute: str, values: Sequence[str]) -> Markup:
    found = method.result.groups.get(attribute, {})
    cells = [_cell(found[value].scores.get(RANKING) if value in found else None) for value in values]
    return _row([tag("th", breakable(method.label), scope="row"), *cells], sanity=method.is_sanity)


def curve_figures(methods: Sequence[Method]) -> Markup:
    """Return the precision-recall curves and F1 over the tolerance, and what line is whose."""
    taus = methods[0].result.taus
    legend: list[Child] = [tag("li", swatch(method.style), method.label) for method in methods]
    recall = Axes("recall@2px", "precision@2px", (0, 0.2, 0.4, 0.6, 0.8, 1), f1_lines=True)
    tolerance = Axes("tolerance, px", "F1", taus, high=max(taus))
    return fragment(
        tag("ul", *legend, class_="legend", aria_label="Methods"),
        tag(
            "div",
            _figure(
                plot("Precision over recall", recall, map(_precision_recall, methods)),
                "Precision over recall at all thresholds, with 2 px of tolerance; dots: at the method's own "
                "threshold, the one that is scored.",
            ),
            _figure(
                plot("F1 over tolerance", tolerance, map(_tolerance, methods)),
                "F1 over the tolerance; bars: 95 % intervals. What rises steeply is drawn beside the cracks, "
                "or too wide.",
            ),
            class_="curves",
        ),
    )


def _figure(picture: Markup, caption: str) -> Markup:
    return tag("figure", picture, tag("figcaption", caption))


def _precision_recall(method: Method) -> Curve:
    result = method.result
    points: list[tuple[float, float]] = []
    if result.curves is not None and result.complete:
        curve = precision_recall(np.array(result.curves.tolerant, np.int64))
        points = list(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True))
    own = _value(result, "recall@2"), _value(result, "precision@2")
    marks = [(own[0], own[1])] if own[0] is not None and own[1] is not None else []
    return Curve(method.label, method.style, points, marks)


def _value(result: Result, name: str) -> float | None:
    return result.scores.get(name, Score(value=None)).value


def _tolerance(method: Method) -> Curve:
    scores = [(tau, method.result.scores.get(f"f1@{tau:g}")) for tau in method.result.taus]
    points = [(tau, score.value) for tau, score in scores if score and score.value is not None]
    bars = [
        (tau, score.low, score.high)
        for tau, score in scores
        if score and score.low is not None and score.high is not None
    ]
    return Curve(method.label, method.style, points, points, bars)

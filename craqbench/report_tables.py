"""The tables and the curves of a report, as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np

from craqbench.comparison import SPEED, Comparison, Row
from craqbench.figures import CLEAN_RANKING, FILLING_RANKING, RANKING
from craqbench.metrics import precision_recall
from craqbench.metrics.filling import ERRORS
from craqbench.metrics.widths import WIDTHS
from craqbench.report_curves import Axes, Curve, plot, swatch
from craqbench.report_markup import Child, Markup, breakable, fragment, tag
from craqbench.results import DetectionResult, Result, Score

__all__ = [
    "HEADS",
    "Method",
    "curve_figures",
    "group_tables",
    "leaderboard",
    "methods_of",
    "width_table",
]

HEADS = {RANKING: "F1@2px", CLEAN_RANKING: "share of false px", FILLING_RANKING: "PSNR on the mask"}
"""What figures that rank are called."""

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

FILLING_COLUMNS = {
    "psnr:mask": "PSNR mask, dB",
    "mae:mask": "MAE mask",
    "mean_psnr:mask": "mean PSNR mask, dB",
    "ssim:mask": "SSIM mask",
    "vif:mask": "VIF mask",
    "lpips:mask": "LPIPS mask",
    "psnr:ring": "PSNR ring, dB",
    "ssim:whole": "SSIM",
    "vif:whole": "VIF",
    "lpips:whole": "LPIPS",
    "entropy:filled": "entropy, bits",
}
"""Figures of the table of inpainters; those that nobody has are left out."""

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
    ways = ["mask"] if comparison.ranking == FILLING_RANKING else ["threshold"]
    heads = ["method", "rank", *columns.values(), *ways, "s / Mpx"]
    rows = []
    for row in comparison.rows:
        style = swatch(styles[row.label]) if row.label in styles else None
        cells = [_cell(row.scores.get(name)) for name in columns]
        rank = tag("td", NOT_DEFINED if row.rank is None else row.rank)
        rows.append(_row([_method(row, style), rank, *cells, *_ways(row)], sanity=row.kind == "sanity"))
    # The first note says what the section's head says.
    notes = tag("ul", *(tag("li", note) for note in comparison.notes[1:]), class_="quiet")
    return fragment(_table(_caption(comparison, columns), heads, rows), notes)


def _caption(comparison: Comparison, columns: Mapping[str, str]) -> str:
    if comparison.ranking != FILLING_RANKING:
        also = "; MIoU over all classes" if "mean_iou" in columns else ""
        return f"Of the crack class, with 95 % intervals{also}"
    scores = comparison.rows[0].scores
    before, after = (_value_in(scores, f"entropy:{which}") for which in ("damaged", "undamaged"))
    told = (
        "" if before is None or after is None else f"; entropy is {before:.3f} damaged, {after:.3f} undamaged"
    )
    return f"Against the undamaged pictures, with 95 % intervals{told}"


def _columns(comparison: Comparison) -> Mapping[str, str]:
    """Return heads by figure; of a set with more classes also those of each, and of all."""
    further = comparison.set.classes[2:]
    if comparison.ranking == FILLING_RANKING:
        all_scores = [row.scores for row in comparison.rows]
        return {
            k: head
            for k, head in FILLING_COLUMNS.items()
            if any(_value_in(one, k) is not None for one in all_scores)
        }
    if comparison.set.clean:
        return CLEAN_COLUMNS
    if not further:
        return COLUMNS
    of_each = {f"{name}:{c}": f"{head} {c}" for c in further for name, head in BY_CLASS.items()}
    return {**COLUMNS, **of_each, "mean_iou": "MIoU"}


def _method(row: Row, style: Markup | None) -> Markup:
    note = NOTES[row.kind]
    return tag("th", style, " ", breakable(row.label), tag("small", note) if note else None, scope="row")


def _cell(score: Score | None, *, leads: bool = False) -> Markup:
    if score is None or score.value is None:
        return tag("td", NOT_DEFINED)
    interval = None
    if score.low is not None and score.high is not None:
        interval = tag("small", f"{_number(score.low)} to {_number(score.high)}")
    value = _number(score.value)
    return tag("td", tag("strong", value) if leads else value, interval)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 100 else f"{value:,.1f}"


def _ways(row: Row) -> Iterator[Markup]:
    if row.result is None:
        yield tag("td", NOT_DEFINED)
    elif isinstance(row.result, DetectionResult):
        tuned = row.result.threshold.tuned_on
        origin = f"tuned on {tuned.spec}" if tuned else "its own"
        yield tag("td", f"{row.result.threshold.value:.3g}", tag("small", origin))
    else:
        times = row.result.told()["dilations"]
        yield tag("td", f"dilated {times}" if times else "as it is")
    pace = row.scores.get(SPEED, Score(value=None)).value
    yield tag("td", NOT_DEFINED if pace is None else f"{pace:.2g}")


def _row(cells: Sequence[Markup], *, sanity: bool) -> Markup:
    return tag("tr", *cells, class_="sanity" if sanity else None)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Markup], *, wrapped: bool = False) -> Markup:
    """Return a table that scrolls by itself, with a finger or with the arrow keys.

    Parameters
    ----------
    caption, heads, rows
        What it consists of.
    wrapped
        Whether what follows a colon in a head is a small line of its own.
    """
    head = tag("thead", tag("tr", *(_head(name, wrapped=wrapped) for name in heads)))
    table = tag("table", tag("caption", caption), head, tag("tbody", *rows))
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=caption)


def _head(name: str, *, wrapped: bool) -> Markup:
    first, _, rest = name.partition(": ") if wrapped else (name, "", "")
    return tag("th", first, tag("small", rest) if rest else None, scope="col")


def width_table(comparison: Comparison) -> Markup:
    """Return how inpainters do by the width of cracks; in bold who leads, or is not told apart from it."""
    methods = methods_of(comparison)
    heads = ["method", *(f"{width}: {told}" for width, told in _seen_widths(methods[0].result).items())]
    styles = {method.label: method.style for method in methods}
    rows = []
    for row in comparison.rows:
        cells = [
            _cell(row.scores.get(f"psnr:{width}"), leads=row.label in comparison.leaders.get(width, ()))
            for width in WIDTHS
        ]
        rows.append(_row([_method(row, swatch(styles[row.label])), *cells], sanity=row.kind == "sanity"))
    caption = "PSNR in dB by local crack width; bold: the best, or not told apart from it"
    return _table(caption, heads, rows, wrapped=True)


def _seen_widths(result: Result) -> dict[str, str]:
    """Return how much of the masks is of which width, and on how many paintings."""
    values = result.tables(result.paintings)["errors"][..., -1]
    whole = max(1, values[:, ERRORS.index("mask")].sum())
    found = {}
    for width in WIDTHS:
        column = values[:, ERRORS.index(width)]
        share = 100 * float(column.sum()) / whole
        told = f"{share:.1f}" if share < 10 else f"{share:.0f}"
        found[width] = f"{told} % of px, {np.count_nonzero(column)} paintings"
    return found


def group_tables(comparison: Comparison) -> Markup | None:
    """Return a table for each attribute: how methods do on the images of each of its values."""
    methods = methods_of(comparison)
    attributes = list(dict.fromkeys(name for method in methods for name in method.result.groups))
    if not attributes:
        return None
    tables = [_group_table(methods, attribute, comparison.ranking) for attribute in attributes]
    return fragment(tag("h3", "On which images"), tag("div", *tables, class_="groups"))


def _group_table(methods: Sequence[Method], attribute: str, ranking: str) -> Markup:
    found = [method.result.groups.get(attribute, {}) for method in methods]
    counts = {value: group.images for groups in found for value, group in groups.items()}
    heads = ["method", *(f"{value or 'unknown'} ({n})" for value, n in counts.items())]
    rows = [_group_row(method, attribute, list(counts), ranking) for method in methods]
    return _table(f"{HEADS[ranking]} by {attribute} (images)", heads, rows)


def _group_row(method: Method, attribute: str, values: Sequence[str], ranking: str) -> Markup:
    found = method.result.groups.get(attribute, {})
    cells = [_cell(found[value].scores.get(ranking) if value in found else None) for value in values]
    return _row([tag("th", breakable(method.label), scope="row"), *cells], sanity=method.is_sanity)


def curve_figures(methods: Sequence[Method]) -> Markup:
    """Return the precision-recall curves and F1 over the tolerance, and what line is whose."""
    taus = _detection(methods[0]).taus
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


def _detection(method: Method) -> DetectionResult:
    return cast("DetectionResult", method.result)


def _precision_recall(method: Method) -> Curve:
    result = _detection(method)
    points: list[tuple[float, float]] = []
    if result.curves is not None and result.complete:
        curve = precision_recall(np.array(result.curves.tolerant, np.int64))
        points = list(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True))
    own = _value(result, "recall@2"), _value(result, "precision@2")
    marks = [(own[0], own[1])] if own[0] is not None and own[1] is not None else []
    return Curve(method.label, method.style, points, marks)


def _value(result: Result, name: str) -> float | None:
    return _value_in(result.scores, name)


def _value_in(scores: Mapping[str, Score], name: str) -> float | None:
    return scores.get(name, Score(value=None)).value


def _tolerance(method: Method) -> Curve:
    scores = [(tau, method.result.scores.get(f"f1@{tau:g}")) for tau in _detection(method).taus]
    points = [(tau, score.value) for tau, score in scores if score and score.value is not None]
    bars = [
        (tau, score.low, score.high)
        for tau, score in scores
        if score and score.low is not None and score.high is not None
    ]
    return Curve(method.label, method.style, points, points, bars)

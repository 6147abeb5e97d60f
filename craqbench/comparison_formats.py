"""A comparison as text: for the terminal, Markdown, CSV, LaTeX, JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from craqbench.comparison import SPEED, Comparison, Row
from craqbench.figures import CLEAN_RANKING, FILLING_RANKING
from craqbench.metrics import Difference
from craqbench.metrics.widths import WIDTHS
from craqbench.results import Score

__all__ = ["FORMATS", "cells", "fitted", "headers", "write"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the short table: its head, how a row is written in it, and the figure that it shows."""

    head: str
    cell: Callable[[Row], str]
    figure: str = ""


def _figure(name: str, head: str, form: str = ".3f") -> Column:
    def cell(row: Row) -> str:
        value = row.scores[name].value if name in row.scores else None
        return "" if value is None else f"{value:{form}}"

    return Column(head, cell, name)


def _with_interval(name: str, head: str, form: str = ".3f") -> Column:
    plain = _figure(name, head, form)

    def cell(row: Row) -> str:
        score = row.scores.get(name, Score(value=None))
        if score.low is None or score.high is None:
            return plain.cell(row)
        return f"{plain.cell(row)} [{score.low:{form}}, {score.high:{form}}]"

    return Column(head, cell, name)


def _behind(row: Row) -> str:
    if row.behind is None:
        return ""
    gap = row.behind
    return f"{gap.value:.3f} [{gap.low:.3f}, {gap.high:.3f}]"


_KINDS = {"ceiling": "", "sanity": " (sanity)", "incomplete": " (incomplete)", "method": ""}
_FIRST = (
    Column("rank", lambda row: "" if row.rank is None else str(row.rank)),
    Column("method", lambda row: f"{row.label}{_KINDS[row.kind]}"),
)
_LAST = (_figure(SPEED, "s/MP", ".3g"),)
CRACKS = (
    *_FIRST,
    _with_interval("f1@2", "F1@2px"),
    Column("behind best", _behind),
    _figure("precision@2", "P@2px"),
    _figure("recall@2", "R@2px"),
    _figure("f1", "F1"),
    _figure("cldice", "clDice"),
    _figure("ap@2", "AP@2px"),
    _figure("accuracy", "Acc"),
    _figure("mean_iou", "MIoU"),
    *_LAST,
)
"""The crack class first; averages over classes last."""

CLEAN = (
    *_FIRST,
    _with_interval(CLEAN_RANKING, "false px, share", ".4f"),
    Column("behind best", _behind),
    _with_interval("false_alarms_per_megapixel", "false alarms/MP", ".0f"),
    *_LAST,
)

FILLINGS = (
    *_FIRST,
    _with_interval(FILLING_RANKING, "PSNR mask", ".2f"),
    Column("behind best", _behind),
    *(_figure(f"psnr:{width}", f"PSNR {width}", ".2f") for width in WIDTHS),
    _figure("mae:mask", "MAE mask", ".2f"),
    _figure("mean_psnr:mask", "mean PSNR mask", ".2f"),
    _figure("ssim:mask", "SSIM mask"),
    _figure("vif:mask", "VIF mask"),
    _figure("lpips:mask", "LPIPS mask"),
    _figure("psnr:ring", "PSNR ring", ".2f"),
    _figure("ssim:whole", "SSIM"),
    _figure("vif:whole", "VIF"),
    _figure("lpips:whole", "LPIPS"),
    _figure("entropy:filled", "entropy", ".3f"),
    *_LAST,
)
"""The mask first, whole and by the width of cracks; then the ring, and the whole picture."""

_IMPORTANT = (
    *("rank", "method", "F1@2px", "false px, share", "PSNR mask"),
    *("behind best", "F1", "clDice", "s/MP", "Acc", "P@2px", "R@2px"),
    *(f"PSNR {width}" for width in WIDTHS),
)
"""What stays longest where a terminal is narrow."""

_BY_CLASS = (("f1", "F1"), ("iou", "IoU"))
"""Figures of a class beyond cracks."""

_ALWAYS = 3
"""Columns that stay however narrow it is."""


def _columns(comparison: Comparison) -> Sequence[Column]:
    if comparison.ranking == FILLING_RANKING:
        measured = {
            name for row in comparison.rows for name, score in row.scores.items() if score.value is not None
        }
        return [column for column in FILLINGS if not column.figure or column.figure in measured]
    if comparison.set.clean:
        return CLEAN
    return (*CRACKS[: -len(_LAST)], *_of_classes(comparison.set.classes), *_LAST)


def _is_measured(comparison: Comparison, name: str) -> bool:
    return any(name in row.scores and row.scores[name].value is not None for row in comparison.rows)


def _of_classes(classes: Sequence[str]) -> Sequence[Column]:
    """Return what MIoU averages, where that is more than cracks and background."""
    further = [
        _figure(f"{name}:{label}", f"{head} {label}") for label in classes[2:] for name, head in _BY_CLASS
    ]
    return (_figure("iou", "IoU"), *further) if further else ()


def headers(comparison: Comparison) -> list[str]:
    """Return the heads of the short table."""
    return [column.head for column in _columns(comparison)]


def cells(comparison: Comparison) -> list[list[str]]:
    """Return the rows of the short table."""
    return [[column.cell(row) for column in _columns(comparison)] for row in comparison.rows]


def fitted(comparison: Comparison, width: int) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the short table, without the columns for which a terminal has no room.

    Parameters
    ----------
    comparison
        The table.
    width
        Of the terminal, in characters; a column takes 3 more than its longest cell.
    """
    heads, rows = headers(comparison), cells(comparison)
    widths = [3 + max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    order = sorted(range(len(heads)), key=lambda place: (_rank(heads[place]), place))
    kept: list[int] = []
    for place in order:
        room = width - sum(widths[other] for other in kept)
        kept += [place] if widths[place] <= room or len(kept) < _ALWAYS else []
    kept.sort()
    return [heads[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _rank(head: str) -> int:
    return _IMPORTANT.index(head) if head in _IMPORTANT else len(_IMPORTANT)


def _markdown(comparison: Comparison) -> str:
    rows = [[cell.replace("|", "\\|") for cell in row] for row in cells(comparison)]
    heads = headers(comparison)
    rule = ["---" if head == "method" else "---:" for head in heads]
    lines = [f"| {' | '.join(row)} |" for row in (heads, rule, *rows)]
    return "\n".join([*lines, "", *(f"- {note}" for note in comparison.notes)]) + "\n"


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def _tex(text: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _SPECIAL[found[0]], text)


def _latex(comparison: Comparison) -> str:
    heads = headers(comparison)
    kinds = "".join("l" if head == "method" else "r" for head in heads)
    rows = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in cells(comparison)]
    notes = [f"% {' '.join(note.split())}" for note in comparison.notes]
    return "\n".join(
        [
            *notes,
            rf"\begin{{tabular}}{{{kinds}}}  % needs \usepackage{{booktabs}}",
            r"\toprule",
            " & ".join(map(_tex, heads)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _csv(comparison: Comparison) -> str:
    """Write every figure, each with its interval; empty where there is none."""
    names = list(dict.fromkeys(name for row in comparison.rows for name in row.scores))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    facts = _facts(comparison.rows[0], comparison)
    ends = ("", "_low", "_high")
    behind = ("behind", "behind_low", "behind_high", "behind_p")
    writer.writerow([*facts, *(f"{name}{end}" for name in names for end in ends), *behind, "on_second"])
    for row in comparison.rows:
        scores = [row.scores.get(name, Score(value=None)) for name in names]
        figures = [value for score in scores for value in (score.value, score.low, score.high)]
        gap = [None] * 4 if row.behind is None else [*asdict(row.behind).values()]
        writer.writerow([*_facts(row, comparison).values(), *figures, *gap, row.on_second])
    return out.getvalue()


def _facts(row: Row, comparison: Comparison) -> dict[str, Any]:
    """Return what is told of a row beside its figures; of the ceiling the same names, without values."""
    result = row.result
    names = next(r.result.told() for r in comparison.rows if r.result is not None)
    return {
        "rank": row.rank,
        "method": row.label,
        "kind": row.kind,
        "version": result and result.method.version,
        **(dict.fromkeys(names) if result is None else result.told()),
        "predictions_digest": result and result.predictions_digest,
    }


def _json(comparison: Comparison) -> str:
    content = {
        "set": comparison.set.model_dump(mode="json"),
        "ranking": comparison.ranking,
        "rows": [
            {
                **_facts(row, comparison),
                "scores": {name: score.model_dump() for name, score in row.scores.items()},
                "behind": _difference(row.behind),
                "on_second": row.on_second,
            }
            for row in comparison.rows
        ],
        "pairs": [
            {"first": pair.first, "second": pair.second, **(_difference(pair.difference) or {})}
            for pair in comparison.pairs
        ],
        **({"leaders": comparison.leaders} if comparison.leaders else {}),
        "notes": comparison.notes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _difference(gap: Difference | None) -> dict[str, float] | None:
    return None if gap is None else asdict(gap)


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "markdown": _markdown,
    "csv": _csv,
    "latex": _latex,
    "json": _json,
}
"""By the name that ``--format`` takes."""


def write(comparison: Comparison, form: str) -> str:
    """Return a comparison in one of `FORMATS`.

    Markdown and LaTeX have the main columns, CSV and JSON every figure and every digit.
    """
    return FORMATS[form](comparison)

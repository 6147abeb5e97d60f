"""A ranking as a file: CSV and JSON with all that is known, Markdown with the main columns."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from leaderboard.ranking_records import Column, Figure, Ranking, Row

__all__ = ["FORMATS", "brief", "cell", "export", "spelt"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
_FACTS = (
    *("entry", "number", "state", "kind", "track", "account", "classes", "code", "code_commit"),
    *("weights_repository", "weights_revision", "training_data", "used_real_annotations"),
    *("used_test_images", "hardware", "seconds_per_megapixel", "licence", "attempts", "predictions_digest"),
)


def cell(row: Row, column: Column) -> str:
    """Return a figure as a table shows it; "" where there is none.

    >>> cell(row, column)  # doctest: +SKIP
    '0.532 [0.471, 0.594]'
    """
    return spelt(row.metrics.get(column.name, Figure(value=None)), column.digits)


def spelt(figure: Figure | None, digits: int) -> str:
    """Return a figure with its interval in brackets; "" where there is none."""
    if figure is None or figure.value is None:
        return ""
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f" [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
    return f"{figure.value:.{digits}f}{interval}"


def brief(ranking: Ranking, most: int) -> tuple[list[str], list[list[str]]]:
    """Return heads and at most so many rows of a short table: ranks, and the figure that ranks."""
    first = ranking.columns[0]
    heads = ["rank", "method", "account", first.heading, "behind best"]
    rows = [
        [_rank(row), _named(row), row.account, cell(row, first), _value(row.behind, first.digits)]
        for row in ranking.rows[:most]
    ]
    if ranking.revealed:
        heads.append("gap")
        rows = [
            [*cells, "" if row.gap is None else f"{row.gap:.{first.digits}f}"]
            for cells, row in zip(rows, ranking.rows, strict=False)
        ]
    return heads, rows


def _value(figure: Figure | None, digits: int) -> str:
    return "" if figure is None or figure.value is None else f"{figure.value:.{digits}f}"


def _rank(row: Row) -> str:
    return "" if row.rank is None else f"{row.rank}{' =' if row.tied else ''}"


def _named(row: Row) -> str:
    marks = [*(["sanity"] if row.kind == "sanity" else []), *(flag.kind for flag in row.flags)]
    marks += [row.track] if row.state == "listed" else []
    return f"{row.method} {row.version}" + (f" ({', '.join(marks)})" if marks else "")


def _json(ranking: Ranking) -> str:
    content = ranking.model_dump(mode="json")
    for row, told in zip(ranking.rows, content["rows"], strict=True):
        told["path"] = row.path
    return f"{json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)}\n"


def _csv(ranking: Ranking) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [f"{column.name}{end}" for column in ranking.columns for end in ("", "_low", "_high")]
    more = ["behind", "final", "gap", "flags", "submitted_at", "path"]
    writer.writerow(["rank", "tied", "method", "version", "authors", *names, *_FACTS, *more])
    for row in ranking.rows:
        figures = [row.metrics.get(column.name, Figure(value=None)) for column in ranking.columns]
        writer.writerow(
            [
                *(row.rank, row.tied, row.method, row.version, "; ".join(row.authors)),
                *(value for figure in figures for value in (figure.value, figure.low, figure.high)),
                *(getattr(row, name) for name in _FACTS),
                *(None if one is None else one.value for one in (row.behind, row.final)),
                *(row.gap, " ".join(flag.kind for flag in row.flags)),
                *(row.submitted_at.isoformat(), row.path),
            ]
        )
    return out.getvalue()


def _markdown(ranking: Ranking) -> str:
    heads = ["rank", "method", "authors", *(column.heading for column in ranking.columns), "s/MP", "flags"]
    heads += ["final", "gap"] if ranking.revealed else []
    rule = ["---" if head in ("method", "authors", "flags") else "---:" for head in heads]
    rows = [_cells(ranking, row) for row in ranking.rows]
    lines = [f"| {' | '.join(line)} |" for line in (heads, rule, *rows)]
    return "\n".join([*lines, "", *(f"- {_plain(note)}" for note in ranking.notes)]) + "\n"


def _cells(ranking: Ranking, row: Row) -> list[str]:
    speed, digits = row.seconds_per_megapixel, ranking.columns[0].digits
    kind = "" if row.kind == "method" else f" ({row.kind})"
    kind = " (self-reported)" if row.track == "self-reported" else kind
    flags = [flag.kind for flag in row.flags]
    flags += ["used real annotations"] if row.used_real_annotations else []
    flags += ["used test images"] if row.used_test_images else []
    found = [
        _rank(row),
        f"[{_plain(row.method)} {_plain(row.version)}]({row.path}){kind}",
        _plain(", ".join(row.authors)),
        *(cell(row, column) for column in ranking.columns),
        "" if speed is None else f"{speed:.3g}",
        ", ".join(flags),
    ]
    gap = "" if row.gap is None else f"{row.gap:.{digits}f}"
    return [*found, spelt(row.final, digits), gap] if ranking.revealed else found


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is: it may be anybody's."""
    return _SPECIAL.sub(r"\\\1", text)


FORMATS: Mapping[str, Callable[[Ranking], str]] = MappingProxyType(
    {"csv": _csv, "json": _json, "markdown": _markdown}
)
"""By name."""


def export(ranking: Ranking, form: str) -> str:
    """Return a ranking as a text in one of `FORMATS`: "csv", "json" or "markdown".

    Every entry has its stable path, ``/entry/ULID``. CSV and JSON have every figure.

    Raises
    ------
    KeyError
        If there is no such format.
    """
    return FORMATS[form](ranking)

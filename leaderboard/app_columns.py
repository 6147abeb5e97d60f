"""The columns of the table on the page: what each shows, how it is sorted, and how it is filtered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from leaderboard.ranking import Column, Figure, Ranking, Row

__all__ = ["MAIN", "TableColumn", "View", "chosen_rows", "read_view", "table_columns"]

MAIN = {
    "detection": ("f1@2", "precision@2", "recall@2", "f1", "cldice"),
    "restoration": ("psnr:mask", "ssim:mask"),
}
"""Figures that are shown unless all are asked for; further ones by name, such as "f1:paint loss", always."""

PAGE = 100
"""Rows on one page."""

_LONGEST = 80
Value = float | str | None
Some = TypeVar("Some")


@dataclass(frozen=True)
class TableColumn:
    """A column.

    Attributes
    ----------
    name, heading
        In addresses, and for people.
    kind
        How it is filtered: a number by its ends, a text by a part of it.
    value
        Of a row: what is sorted and filtered by.
    best_first
        What a first click on its heading sorts by: descending where more is better.
    figure
        Where it is a figure of the ranking.
    """

    name: str
    heading: str
    kind: Literal["number", "text"]
    value: Callable[[Row], Value]
    descending: bool = False
    figure: Column | None = None
    hint: str = ""


def table_columns(ranking: Ranking) -> tuple[TableColumn, ...]:
    """Return all columns of a ranking's table."""
    return (
        TableColumn(
            "rank", "Rank", "number", lambda row: row.rank, hint="entries that cannot be told apart share one"
        ),
        TableColumn("method", "Method", "text", lambda row: f"{row.method} {row.version}"),
        *(_figure(column) for column in ranking.columns),
        TableColumn(
            "behind",
            "Behind",
            "number",
            lambda row: _value(row.behind),
            hint="the best entry, by the ranking figure",
        ),
        *((_final(ranking), _gap()) if ranking.revealed else ()),
        TableColumn(
            "seconds",
            "s/MP",
            "number",
            lambda row: row.seconds_per_megapixel,
            hint="seconds per megapixel, as measured by the submitter",
        ),
        TableColumn(
            "attempts",
            "Tries",
            "number",
            lambda row: row.attempts,
            hint="submissions of this account to this board up to this one",
        ),
        TableColumn("submitted", "Date", "text", lambda row: f"{row.submitted_at:%Y-%m-%d}", descending=True),
        TableColumn("authors", "Authors", "text", lambda row: ", ".join(row.authors)),
        TableColumn("account", "Account", "text", lambda row: row.account),
        TableColumn("training", "Training data", "text", lambda row: row.training_data),
        TableColumn("hardware", "Hardware", "text", lambda row: row.hardware),
        TableColumn("licence", "Licence", "text", lambda row: row.licence),
    )


def _figure(column: Column) -> TableColumn:
    def value(row: Row) -> Value:
        return _value(row.metrics.get(column.name))

    return TableColumn(column.name, column.heading, "number", value, not column.lower_is_better, column)


def _final(ranking: Ranking) -> TableColumn:
    heading = f"Final {ranking.columns[0].heading}"
    return TableColumn("final", heading, "number", lambda row: _value(row.final), descending=True)


def _gap() -> TableColumn:
    hint = "how much worse the ranking figure is in the end than on the board"
    return TableColumn("gap", "Gap", "number", lambda row: row.gap, hint=hint)


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


@dataclass(frozen=True)
class View:
    """Which rows are shown, and in which order; what an address says after its question mark.

    Attributes
    ----------
    sort, descending
        A column and a direction, ``sort=-NAME`` in an address; "" for the order of the ranking.
    text
        To be found in any text of a row.
    labels, track
        What to show; "" for all.
    ends
        Column -> (at least, at most); None for no end.
    parts
        Column -> what its text has in it.
    all_figures
        Whether all columns are shown.
    page
        From 1 on.
    """

    sort: str = ""
    descending: bool = False
    text: str = ""
    labels: str = ""
    track: str = ""
    ends: tuple[tuple[str, tuple[float | None, float | None]], ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    all_figures: bool = False
    page: int = 1

    @property
    def order(self) -> str:
        """The column with its direction, as an address has it."""
        return f"{'-' if self.descending else ''}{self.sort}"

    @property
    def filtered(self) -> bool:
        """Whether rows may be hidden."""
        return bool(self.text or self.labels or self.track or self.ends or self.parts)


LABELS = {"synthetic": "no real labels", "real": "real labels"}
TRACKS = {"predictions": "predictions", "reproduced": "reproduced", "self-reported": "self-reported"}


def read_view(query: Mapping[str, str], columns: Sequence[TableColumn]) -> View:
    """Read an address; what is not understood is as if it were not there."""
    named = {column.name: column for column in columns}
    sort = query.get("sort", "")
    name = sort.removeprefix("-")
    page = query.get("page", "1")
    return View(
        sort=name if name in named else "",
        descending=name in named and sort.startswith("-"),
        text=query.get("q", "").strip()[:_LONGEST],
        labels=_one_of(LABELS, query.get("labels", "")),
        track=_one_of(TRACKS, query.get("track", "")),
        ends=tuple(_ends(query, columns)),
        parts=tuple(_parts(query, columns)),
        all_figures=query.get("columns") == "all",
        page=int(page) if page.isdecimal() and len(page) < 6 else 1,
    )


def _one_of(known: Iterable[str], text: str) -> str:
    return text if text in known else ""


def _ends(
    query: Mapping[str, str], columns: Sequence[TableColumn]
) -> Iterable[tuple[str, tuple[float | None, float | None]]]:
    for column in columns:
        if column.kind == "number":
            ends = _number(query.get(f"min.{column.name}")), _number(query.get(f"max.{column.name}"))
            if ends != (None, None):
                yield column.name, ends


def _parts(query: Mapping[str, str], columns: Sequence[TableColumn]) -> Iterable[tuple[str, str]]:
    for column in columns:
        part = query.get(f"has.{column.name}", "").strip()[:_LONGEST]
        if column.kind == "text" and part:
            yield column.name, part


def _number(text: str | None) -> float | None:
    try:
        found = float((text or "").strip()[:_LONGEST].replace(",", "."))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def chosen_rows(rows: Iterable[Row], view: View, columns: Sequence[TableColumn]) -> list[Row]:
    """Return the rows that a view shows, all pages of them, in its order; rows without a value come last."""
    named = {column.name: column for column in columns}
    found = [row for row in rows if _shown(row, view, named)]
    if not view.sort:
        return found
    value = named[view.sort].value
    with_value = [row for row in found if value(row) is not None]
    with_value.sort(key=lambda row: _key(value(row)), reverse=view.descending)
    return with_value + [row for row in found if value(row) is None]


def _key(value: Value) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (value or 0.0, "")


def _shown(row: Row, view: View, named: Mapping[str, TableColumn]) -> bool:
    if view.track and not (row.reproduced if view.track == "reproduced" else row.track == view.track):
        return False
    if view.labels and (view.labels == "real") != row.used_real_annotations:
        return False
    if any(part.casefold() not in str(named[name].value(row)).casefold() for name, part in view.parts):
        return False
    if not all(_between(named[name].value(row), *ends) for name, ends in view.ends):
        return False
    return not view.text or view.text.casefold() in _texts(row)


def _between(value: Value, low: float | None, high: float | None) -> bool:
    if not isinstance(value, int | float):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _texts(row: Row) -> str:
    """Return all that a reader may search."""
    flags = [flag.kind for flag in row.flags]
    told = (row.method, row.version, row.account, row.training_data, row.hardware, row.licence, row.entry)
    return "\n".join((*told, *row.authors, *flags)).casefold()

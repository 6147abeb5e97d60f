"""The tables of a reproduction as rows of text: for CSV, Markdown and HTML alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from craqbench.reproduction import SOURCE, Filled, Measured

__all__ = ["Table", "as_csv", "as_markdown", "tables_of"]

UNKNOWN = "not known"
COVERED = "mask covers all"


@dataclass(frozen=True, slots=True)
class Table:
    """A table beside what the paper says.

    Attributes
    ----------
    key
        For file names.
    title, paper
        What it is, and what the paper has there.
    heads, rows
        Texts.
    """

    key: str
    title: str
    paper: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(measured: Sequence[Measured], machine: str) -> tuple[Table, ...]:
    """Return the tables of some pictures.

    Parameters
    ----------
    measured
        The pictures.
    machine
        Where times were taken, in words.
    """
    return (
        Table(
            "table-1",
            f"Table I: seconds by filler and structuring element, here on {machine}",
            "The paper's seconds are of a picture and a machine that it does not name. Whether they include "
            "detection is not told; the ratio is to filling alone.",
            (
                *("picture", "px", "filler", "structuring element", "filled", "filling, s", "detection, s"),
                *("paper, s", "paper / here"),
            ),
            tuple(_times(measured)),
        ),
        Table(
            "fig-5",
            "Fig. 5: entropy of luminance in bits, before and after the removal of cracks",
            "The values in the paper's figure are not known here. Its text says that entropy falls "
            "substantially, particularly when black and white cracks are removed; with which filler it does "
            "not say.",
            ("picture", "removed", "filler", "filled", "before", "after", "change", "paper"),
            tuple(_entropies(measured)),
        ),
        Table(
            "fig-6",
            "Fig. 6: dark cracks filled after one, two, three dilations of the top-hat's mask",
            "The paper's figure is of pictures, which are not published. Its text says that one dilation was "
            "crucial, and that more of them label pictorial elements as cracks.",
            ("picture", "filler", "dilations", "filled", "entropy, bits", "change", "paper"),
            tuple(_dilations(measured)),
        ),
    )


def _times(measured: Iterable[Measured]) -> Iterable[tuple[str, ...]]:
    for one in measured:
        height, width = one.image.shape[:2]
        for row in one.times:
            yield (
                one.name,
                f"{width} x {height}",
                row.filler,
                row.element,
                _share(row.share),
                COVERED if row.filling is None else f"{row.filling:.4f}",
                f"{row.detection:.4f}",
                UNKNOWN if row.published is None else f"{row.published:.4f}",
                "" if row.ratio is None else f"{row.ratio:.0f}",
            )


def _entropies(measured: Iterable[Measured]) -> Iterable[tuple[str, ...]]:
    for one in measured:
        for row in one.removals:
            told = f"{one.entropy:.4f}", *_after(one, row)
            yield one.name, row.removal, row.filler, _share(row.share), *told, UNKNOWN


def _dilations(measured: Iterable[Measured]) -> Iterable[tuple[str, ...]]:
    for one in measured:
        for row in one.dilated:
            yield one.name, row.filler, str(row.dilations), _share(row.share), *_after(one, row), UNKNOWN


def _after(one: Measured, row: Filled) -> tuple[str, str]:
    if row.entropy is None:
        return COVERED, ""
    return f"{row.entropy:.4f}", f"{row.entropy - one.entropy:+.4f}"


def _share(share: float) -> str:
    return f"{100 * share:.2f} %"


def as_csv(table: Table) -> str:
    """Return a table as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([table.heads, *table.rows])
    return out.getvalue()


def as_markdown(tables: Iterable[Table]) -> str:
    """Return tables as Markdown, each with what the paper says."""
    parts = [f"Beside {SOURCE}."]
    for table in tables:
        lines = [table.heads, ("---",) * len(table.heads), *table.rows]
        parts += [f"## {table.title}", table.paper, "\n".join(map(_line, lines))]
    return "\n\n".join(parts) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

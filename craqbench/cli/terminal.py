"""What commands show: tables, progress and notes; plain text where nobody watches."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["Watcher", "note", "plural", "program", "spell_bytes", "spell_seconds", "table", "watch"]

LINE_EVERY = 10.0
"""Seconds between two progress lines where stderr is a file or a pipe."""

REFRESH_EVERY = 0.1
"""Seconds between two drawings of a progress bar."""

UNITS = {
    "reading paintings": "paintings",
    "reading images": "images",
    "drawing images": "images",
    "drawing the report": "images",
    "detecting": "paintings",
    "evaluating": "images",
    "tuning": "images",
    "measuring": "masks",
    "downloading images": "images",
    "unpacking": "files",
    "writing the board": "images",
    "scoring": "entries",
}
"""What a stage counts, where it is not rows."""


def note(text: str = "") -> None:
    """Print a line on stderr: results go to stdout, everything else here."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; a column of numbers is set to the right."""
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    if sys.stdout.isatty():
        _framed_table(columns, rows, right)
    else:
        _plain_table(columns, rows, right)


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in ("-", "+", ".") or not cell


def _framed_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    drawn = Table(box=box.SIMPLE_HEAD)
    for column, to_right in zip(columns, right, strict=True):
        drawn.add_column(Text(column), justify="right" if to_right else "left")
    for row in rows:
        drawn.add_row(*map(Text, row))  # as Text: a cell's square brackets are not markup
    Console().print(drawn)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = zip(row, widths, right, strict=True)
        print(
            "  ".join(f"{cell:>{w}}" if to_right else f"{cell:<{w}}" for cell, w, to_right in cells).rstrip()
        )


def program() -> str:
    """Return what to type to run this program: its name, or its path where the name is not found."""
    typed = sys.argv[0]
    return typed if Path(typed).name == "craqbench" and not shutil.which("craqbench") else "craqbench"


def plural(count: int, noun: str) -> str:
    """Spell a count of things.

    >>> plural(1, "file"), plural(12000, "file")
    ('1 file', '12,000 files')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def spell_seconds(seconds: float) -> str:
    """Spell a duration.

    >>> spell_seconds(4.2), spell_seconds(75), spell_seconds(7322)
    ('4.2 s', '1:15', '2:02:02')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def spell_bytes(count: float) -> str:
    """Spell a size in powers of 1000.

    >>> spell_bytes(999), spell_bytes(12_345_678)
    ('999 B', '12.3 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


class Watcher(Protocol):
    """Shows the stages of a long job: ``with watch() as watcher: job(progress=watcher)``."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report `done` of `total` units; a stage's first call is the zero of its rate."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and leave the terminal as it was."""


def watch() -> Watcher:
    """Return bars where stderr is a terminal, and a line now and then where it is not."""
    return _Bars() if sys.stderr.isatty() else _Lines()


class _Pace(ProgressColumn):
    """The rate, and the time left or, at the end, the time taken."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        if not rate:
            return Text("")
        pace = f"{rate:,.1f} {task.fields['unit']}/s"
        if task.finished:
            return Text(f"{pace}, took {spell_seconds(task.finished_time or 0)}")
        return Text(f"{pace}, {spell_seconds(task.remaining / rate)} left" if task.remaining else pace)


class _Bars:
    """A bar for each stage."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Pace())
        # No thread of its own: a thread in a process that starts workers can lock them up.
        self._bars = Progress(*columns, console=Console(stderr=True), auto_refresh=False)
        self._stage = ""
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.refresh()
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            unit = UNITS.get(stage, "rows")
            self._task = self._bars.add_task(stage, total=total, completed=done, unit=unit)
            self._stage = stage
        self._bars.update(self._task, completed=done, total=total)
        clock = time.monotonic()
        if done == total or clock - self._drawn >= REFRESH_EVERY:
            self._drawn = clock
            self._bars.refresh()


class _Lines:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, stage: str, done: int, total: int) -> None:
        clock = time.monotonic()
        if stage != self._stage:
            self._stage, self._start, self._before, self._printed = stage, clock, done, clock
        if clock - self._printed >= LINE_EVERY:
            self._printed = clock
            unit = UNITS.get(stage, "rows")
            rate = (done - self._before) / (clock - self._start)
            left = f", {spell_seconds((total - done) / rate)} left" if rate > 0 else ""
            note(f"{stage}: {done:,} of {total:,} {unit}, {rate:,.1f} {unit}/s{left}")

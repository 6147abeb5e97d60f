"""How far a training run is: a bar where stderr is a terminal, a line now and then where it is not."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from craqbench.cli.terminal import LINE_EVERY, REFRESH_EVERY, note, spell_seconds

if TYPE_CHECKING:
    from craqbench.training import State

__all__ = ["Bar"]


class Bar:
    """Shows steps, loss, the last validation, images per second and the time left."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._shown = 0.0
        self._console = Console(stderr=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.stop()

    def show(self, state: State) -> None:
        """Show how far it is."""
        clock, last = time.monotonic(), state.step == state.steps
        every = REFRESH_EVERY if self._console else LINE_EVERY
        if clock - self._shown < every and not last:
            return
        self._shown = clock
        if self._console:
            self._draw(state, self._console)
        else:
            note(f"training: {state.step:,} of {state.steps:,} steps, {spelt(state)}")

    def _draw(self, state: State, console: Console) -> None:
        if self._bar is None:
            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[told]}"),
            )
            self._bar = Progress(*columns, console=console, auto_refresh=False)
            self._bar.start()
            self._task = self._bar.add_task("", total=state.steps, told="")
        self._bar.update(self._task, completed=state.step, told=spelt(state))
        self._bar.refresh()


def spelt(state: State) -> str:
    """Spell a state: loss, the last validation if there is one yet, images per second, time left."""
    told = f", {state.told}" if state.told else ""
    return (
        f"loss {state.loss:.4f}{told}, {state.rate:,.1f} images/s, {spell_seconds(state.seconds_left)} left"
    )

"""What ``craqbench generate --status`` shows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from craqbench.card import command
from craqbench.cli.terminal import note, plural, program, spell_bytes, spell_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from craqbench.status import Status

__all__ = ["show_status"]

NAMED = 5
"""Files of a kind that are named; the rest is counted."""

STALE = 600.0
"""Seconds after which a temporary file that nobody writes to is taken for a dead process's."""


def show_status(status: Status, source: str = "") -> None:
    """Print how far a dataset is, and the command that goes on; `source` is where its paintings are here."""
    manifest, layout = status.manifest, status.layout
    size = "x".join(map(str, manifest["size"]))
    recipe, seed, paintings = manifest["recipe"]["name"], manifest["seed"], manifest["source"]["name"]
    print(f"dataset       {status.folder}: recipe {recipe}, {size}, seed {seed}, source {paintings}")
    done = f"{len(status.finished):,} of {plural(len(layout), 'file')}"
    rows = f"{status.rows:,} of {plural(manifest['rows'], 'row')}"
    print(f"finished      {done}, {rows}, {spell_bytes(sum(status.finished.values()))}")
    print(f"missing       {len(status.missing):,}")
    _show_unfinished(status)
    _name("damaged", status.damaged)
    _name("failed", status.failed)
    print(f"fingerprint   {manifest['fingerprint']}")
    print(f"\nnext: {_next(status, source)}")


def _show_unfinished(status: Status) -> None:
    living = [item for item in status.unfinished if item.age <= STALE]
    dead = len(status.unfinished) - len(living)
    last = f", the last of them changed {spell_seconds(living[0].age)} ago" if living else ""
    print(f"in progress   {len(living):,}{last}")
    if dead:
        was = "temporary file has" if dead == 1 else "temporary files have"
        note(
            f"{dead:,} {was} not changed for {spell_seconds(STALE)} or more: probably left by killed "
            "processes; the next run removes them"
        )


def _name(what: str, reasons: Mapping[str, str]) -> None:
    if not reasons:
        return
    print(f"{what:13} {len(reasons):,}")
    for file, reason in list(reasons.items())[:NAMED]:
        print(f"  {file}: {reason}")
    if len(reasons) > NAMED:
        print(f"  and {len(reasons) - NAMED:,} more")


def _next(status: Status, source: str) -> str:
    folder = str(status.folder)
    if status.complete:
        return f"{program()} verify {shlex.quote(folder)}"
    words = shlex.split(command(status.manifest))
    if source:
        words[words.index("--source") + 1] = source
    return " ".join([program(), *map(shlex.quote, [*words[1:], "--out", folder])])

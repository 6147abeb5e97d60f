"""Check a dataset: every file against the manifest, and every row against the contract of a triplet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import some_path
from craqbench.cli.terminal import note, plural, spell_seconds, watch
from craqbench.verification import verify

if TYPE_CHECKING:
    import argparse

SHOWN = 20
"""Faults that are listed; the rest is counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "folder", type=some_path, metavar="DIR", help="a dataset that `craqbench generate` made"
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Verify, and return 2 where there are faults."""
    return verify_and_report(arguments.folder, arguments.workers)


def verify_and_report(folder: Path, workers: int) -> int:
    """Verify a dataset with a progress bar, print the report, and return the exit code."""
    start = time.monotonic()
    with watch() as progress:
        report = verify(folder, workers=workers, progress=progress)
    taken = spell_seconds(time.monotonic() - start)
    rows, files = plural(report.rows, "row"), plural(report.shards, "file")
    print(f"{report.folder}: recipe {report.recipe}, {rows} in {files}, {taken}")
    if report.ok:
        print("all is as the manifest says")
        return 0
    for fault in report.faults[:SHOWN]:
        note(f"  {fault}")
    if len(report.faults) > SHOWN:
        note(f"  and {len(report.faults) - SHOWN:,} more")
    note(f"craqbench: error: {plural(len(report.faults), 'fault')} in {report.folder}")
    return 2

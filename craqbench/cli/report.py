"""Write one HTML page of any number of results: tables, curves, and every image, worst first.

The page needs no network and no other file. It takes the predictions that lie beside the results, and the set
that was scored on.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import some_path, whole
from craqbench.cli.terminal import plural, program, spell_bytes, watch
from craqbench.errors import UsageError
from craqbench.report import WORST, WORST_FILLINGS, write_report

if TYPE_CHECKING:
    import argparse

PAGES = (".html", ".htm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "results",
        nargs="+",
        type=some_path,
        metavar="RESULT",
        help="result files of `craqbench evaluate`, or folders that hold some",
    )
    parser.add_argument(
        "--out",
        type=some_path,
        default=Path("report.html"),
        metavar="FILE.html",
        help="the page (default: report.html)",
    )
    parser.add_argument(
        "--worst",
        type=whole(0),
        metavar="N",
        help=f"show the N images of each set that methods do worst on (default: {WORST}, of fillings "
        f"{WORST_FILLINGS}); 0 shows none, and needs neither set nor predictions",
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say what is on it."""
    out: Path = arguments.out
    if out.suffix.lower() not in PAGES:
        raise UsageError(f"argument --out: got {str(out)!r}, expected a name that ends in .html")
    with watch() as progress:
        written = write_report(
            arguments.results,
            out,
            worst=arguments.worst,
            command=command_line(arguments.results, out, arguments.worst),
            workers=arguments.workers,
            progress=progress,
        )
    print(
        f"{out}: {plural(written.results, 'result')} on {plural(written.sets, 'set')}, "
        f"{plural(written.images, 'image')}, {spell_bytes(written.size)}"
    )
    return 0


def command_line(results: list[Path], out: Path, worst: int | None = None) -> str:
    """Return what makes the same page again."""
    words = [program(), "report", *map(str, results), "--out", str(out)]
    return shlex.join(words if worst is None else [*words, "--worst", str(worst)])

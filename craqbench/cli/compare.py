"""Put results of one set into a table: 95 % intervals, paired differences, tied ranks, sanity rows, ceiling.

A RESULT is a `result.json` that `craqbench evaluate` wrote, or a folder with any number of them, such as
`results/nga-val`.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from craqbench.cli.parsing import one_of, some_path, some_text
from craqbench.cli.terminal import note, table
from craqbench.comparison import Comparison, compare
from craqbench.comparison_formats import FORMATS, cells, fitted, headers, write
from craqbench.results import find_results, load_result

if TYPE_CHECKING:
    import argparse

TABLE = "table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "results", nargs="+", type=some_path, metavar="RESULT", help="result files, or folders of them"
    )
    forms = (TABLE, *FORMATS)
    parser.add_argument(
        "--format",
        type=one_of(*forms),
        default=TABLE,
        metavar="|".join(forms),
        help="csv and json have every figure and every digit",
    )
    parser.add_argument(
        "--sort",
        type=some_text,
        metavar="FIGURE",
        help="f1, cldice, seconds_per_megapixel, ...; or method (default: the figure that ranks)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read, compare, print."""
    results = [load_result(path) for path in find_results(arguments.results)]
    comparison = compare(results, sort=arguments.sort)
    if arguments.format == TABLE:
        show_comparison(comparison)
    else:
        sys.stdout.write(write(comparison, arguments.format))
    return 0


def show_comparison(comparison: Comparison) -> None:
    """Print a table on stdout, in a terminal as much of it as fits, and its notes on stderr."""
    if sys.stdout.isatty():
        table(*fitted(comparison, shutil.get_terminal_size().columns))
    else:
        table(headers(comparison), cells(comparison))
    for line in comparison.notes:
        note(f"  {line}")

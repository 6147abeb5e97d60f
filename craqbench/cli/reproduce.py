"""Run what a paper shows on your own pictures, and set it beside the paper.

`tables` is Table I (seconds of MTM and AD by structuring element), Fig. 5 (entropy before and after the
removal of black, and of black and white cracks) and Fig. 6 (one to three dilations) of "Synthetic Craquelure
Generation for Unsupervised Painting Restoration". Give image files (JPEG, PNG, TIFF, WebP) or folders of
such. --out gets index.html, tables.md, a CSV file for each table, and the filled pictures at full size.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.parsing import one_of, some_path, whole
from craqbench.cli.terminal import plural, program, watch
from craqbench.reproduction_files import REPEATS, reproduce_tables

if TYPE_CHECKING:
    import argparse

WHAT = ("tables",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("what", type=one_of(*WHAT), metavar="|".join(WHAT), help="what to reproduce")
    parser.add_argument(
        "images", nargs="+", type=some_path, metavar="IMAGE|DIR", help="paintings, or folders of such"
    )
    parser.add_argument(
        "--out", type=some_path, default=Path("reproduction"), metavar="DIR", help="folder for everything"
    )
    parser.add_argument(
        "--repeats",
        type=whole(1),
        default=REPEATS,
        metavar="N",
        help="take each time N times and tell the least",
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, write, and say where."""
    images = [str(path) for path in arguments.images]
    repeats = [] if arguments.repeats == REPEATS else ["--repeats", str(arguments.repeats)]
    words = [program(), "reproduce", arguments.what, *images, *repeats, "--out", str(arguments.out)]
    with watch() as progress:
        made = reproduce_tables(
            arguments.images,
            arguments.out,
            repeats=arguments.repeats,
            command=shlex.join(words),
            progress=progress,
        )
    print(f"{made.path}: {plural(made.images, 'picture')}, {plural(made.files, 'file')} in all")
    return 0

"""Make one row of a dataset again, and compare it, byte for byte, with the row in the dataset.

Only the manifest must be there, and the row's painting if it is not a procedural canvas. The same bytes
are certain with the versions that the manifest names; with others the row is compared, and where it
differs, the command says what to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craqbench.cli.parsing import some_path, some_text
from craqbench.cli.terminal import note, plural
from craqbench.regeneration import regenerate, write_row

if TYPE_CHECKING:
    import argparse

    from craqbench.regeneration import Regenerated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("folder", type=some_path, metavar="DIR", help="a dataset, or its manifest alone")
    parser.add_argument(
        "--row", required=True, type=some_text, metavar="ID", help="such as mixed-0-0000123, or 123"
    )
    parser.add_argument(
        "--source", type=some_text, metavar="FOLDER", help="where the folder of the paintings is now"
    )
    parser.add_argument("--out", type=some_path, metavar="DIR", help="write the row's pictures into a folder")
    parser.add_argument(
        "--png",
        action="store_true",
        help="write all pictures as PNG; otherwise the files are the dataset's cells, byte for byte",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the row, write it if wanted, and say that it is the same."""
    made = regenerate(arguments.folder, arguments.row, source=arguments.source)
    _show(made)
    if arguments.out is not None:
        files = write_row(made, arguments.out, png=arguments.png)
        print(f"written       {plural(len(files), 'file')}: {arguments.out}/{made.id}*")
    return 0


def _show(made: Regenerated) -> None:
    print(f"row           {made.id}, index {made.index}, split {made.split}")
    painting = " · ".join(part for part in (made.cells["title"], made.cells["artist"]) if part)
    print(f"painting      {made.cells['painting']}{f' ({painting})' if painting else ''}")
    if made.compared:
        print(f"compared      all {len(made.cells)} cells are those in {made.compared}, byte for byte")
    else:
        print(
            "compared      with nothing, for its file is not here; the installation is the one that made it"
        )
    for line in made.changed:
        note(f"other than when it was made, without effect on this row: {line}")

"""Make a small dataset on procedural canvases, verify it, and draw its contact sheet. No network needed."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench import contact_sheet
from craqbench.cli import choices
from craqbench.cli.generate import show_summary
from craqbench.cli.parsing import some_path
from craqbench.cli.preview import dataset_sheet
from craqbench.cli.terminal import program, spell_seconds, table, watch
from craqbench.cli.verify import verify_and_report
from craqbench.configuration import Config
from craqbench.generation import generate

if TYPE_CHECKING:
    import argparse

ROWS = 24
ON_SHEET = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--out", type=some_path, default=Path("craqbench-demo"), metavar="DIR", help="folder for everything"
    )
    choices.add_recipe_options(parser)
    choices.add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Generate, verify, draw, and say what to do next."""
    start = time.monotonic()
    dataset, sheet = arguments.out / "dataset", arguments.out / "contact-sheet.png"
    config = Config(n=ROWS, recipe=choices.read_recipe(arguments))
    with watch() as progress:
        made = generate(config, dataset, workers=arguments.workers, progress=progress)
    show_summary(made)
    code = verify_and_report(dataset, arguments.workers)
    if code == 0:
        contact_sheet.write_png(sheet, dataset_sheet(dataset, ON_SHEET))
        _say_what_next(dataset, sheet, spell_seconds(time.monotonic() - start))
    return code


def _say_what_next(dataset: Path, sheet: Path, taken: str) -> None:
    craqbench, folder = program(), shlex.quote(str(dataset))
    print(f"\nDone in {taken}. Look at {sheet}: clean paintings, the masks of their cracks,")
    print("and the paintings with the cracks.\n\nWhat to do next:")
    table(
        ("type", "to get"),
        [
            (f"{craqbench} recipes", "the kinds of craquelure there are"),
            (f"{craqbench} stats {folder}", "these cracks in numbers, beside real ones"),
            (f"{craqbench} preview --recipe dutch --ages 6", "a painting while its cracks grow"),
            (f"{craqbench} generate --n 2000 --source FOLDER", "a dataset on your own paintings"),
            (f"datasets.load_dataset({str(dataset)!r})", "the same rows in Python"),
        ],
    )

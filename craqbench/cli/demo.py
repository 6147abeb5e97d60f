"""Make a small dataset, verify it and draw it; score the classical detectors, and write a report of them.

All on procedural canvases: no network, no data of others.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench import contact_sheet
from craqbench.cli import choices
from craqbench.cli.compare import show_comparison
from craqbench.cli.generate import show_summary
from craqbench.cli.parsing import some_path
from craqbench.cli.preview import dataset_sheet
from craqbench.cli.report import command_line
from craqbench.cli.terminal import program, spell_seconds, table, watch
from craqbench.cli.verify import verify_and_report
from craqbench.comparison import compare
from craqbench.configuration import Config
from craqbench.evaluation import Options, evaluate
from craqbench.generation import generate
from craqbench.report import write_report

if TYPE_CHECKING:
    import argparse

ROWS = 24
ON_SHEET = 12
SET = "synthetic,n=12"
METHODS = ("tophat", "grassfire", "ridge", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--out", type=some_path, default=Path("craqbench-demo"), metavar="DIR", help="folder for everything"
    )
    choices.add_recipe_options(parser)
    choices.add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Generate, verify, draw, evaluate, report, and say what to do next."""
    start = time.monotonic()
    dataset, sheet = arguments.out / "dataset", arguments.out / "contact-sheet.png"
    config = Config(n=ROWS, recipe=choices.read_recipe(arguments))
    with watch() as progress:
        made = generate(config, dataset, workers=arguments.workers, progress=progress)
    show_summary(made)
    code = verify_and_report(dataset, arguments.workers)
    if code == 0:
        contact_sheet.write_png(sheet, dataset_sheet(dataset, ON_SHEET))
        report = _evaluate(arguments.out, arguments.workers)
        print(f"\nDone in {spell_seconds(time.monotonic() - start)}. Look at")
        print(f"  {sheet}: clean paintings, the masks of their cracks, the paintings with the cracks;")
        print(f"  {report}, in a browser: what three detectors find, and where they fail.")
        _say_what_next(dataset)
    return code


def _evaluate(out: Path, workers: int) -> Path:
    """Score detectors on a small set, show the table, and return the report."""
    results, report = out / "results", out / "report.html"
    with watch() as progress:
        made = evaluate([SET], METHODS, results, Options(workers=workers), progress=progress)
        again = command_line([results], report)
        write_report([results], report, command=again, workers=workers, progress=progress)
    print()
    show_comparison(compare([one.result for one in made]))
    return report


def _say_what_next(dataset: Path) -> None:
    craqbench, folder = program(), shlex.quote(str(dataset))
    print("\nWhat to do next:")
    table(
        ("type", "to get"),
        [
            (f"{craqbench} recipes", "the kinds of craquelure there are"),
            (f"{craqbench} stats {folder}", "these cracks in numbers, beside real ones"),
            (f"{craqbench} preview --recipe dutch --ages 6", "a painting while its cracks grow"),
            (
                f"{craqbench} evaluate --set synthetic --method package.module:Class",
                "your own detector scored",
            ),
            (f"{craqbench} generate --n 2000 --source FOLDER", "a dataset on your own paintings"),
            (f"datasets.load_dataset({str(dataset)!r})", "the same rows in Python"),
        ],
    )

"""Make a small dataset, verify it and draw it; score our detectors, report, rank them; restore a painting.

All on procedural canvases: no network, no data of others. Learned detectors take part where there is torch.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.trained import missing_libraries
from baselines.weight_files import shipped_weights
from craqbench import contact_sheet
from craqbench.annotated import open_set
from craqbench.cli import choices
from craqbench.cli.compare import show_comparison
from craqbench.cli.generate import show_summary
from craqbench.cli.parsing import some_path
from craqbench.cli.preview import dataset_sheet
from craqbench.cli.report import command_line
from craqbench.cli.terminal import program, spell_seconds, table, watch
from craqbench.cli.verify import verify_and_report
from craqbench.codecs import encode_image, encode_mask
from craqbench.comparison import compare
from craqbench.configuration import Config
from craqbench.dataset import read_rows
from craqbench.evaluation import Options, evaluate
from craqbench.generation import generate
from craqbench.report import write_report
from craqbench.restoration_settings import Settings
from craqbench.storage import write_file
from leaderboard.app_alone import alone
from leaderboard.app_tables import BoardView
from leaderboard.board_making import Plan, make_board
from leaderboard.packaging import Run, package_result
from leaderboard.ranking import load_queue, load_ranking
from leaderboard.scoring import work
from leaderboard.store import create_store
from leaderboard.store_records import Settings as StoreSettings
from leaderboard.submission import check_parcel, received_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

ROWS = 24
ON_SHEET = 12
SET = "synthetic,n=12"
CLASSICAL = ("tophat", "grassfire", "ridge")
TRAINED = ("craqnet", "segformer_lora")
"""Each more would take ten seconds: it is loaded anew in every process."""

SANITY = ("none",)
OPERATOR = "demo"
TYPICAL = 0.06
"""Share of cracks in the painting that is restored, or as near to it as there is."""


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
        learned, left_out = _learned()
        count = len(CLASSICAL + learned)
        results, report = _evaluate((*CLASSICAL, *learned, *SANITY), arguments.out, arguments.workers)
        page = _restore(dataset, arguments.out / "restored")
        board = _rank(results, arguments.out / "leaderboard.html")
        print(f"\nDone in {spell_seconds(time.monotonic() - start)}. Look at")
        print(f"  {sheet}: clean paintings, the masks of their cracks, the paintings with the cracks;")
        print(f"  {report}, in a browser: what {count} detectors find, and where they fail;")
        print(f"  {page}: a painting before and after its cracks were filled;")
        print(f"  {board}: the page of a leaderboard to which these {count} were submitted.")
        if left_out:
            print(f"\n{left_out}")
        _say_what_next(dataset, can_detect=bool(learned))
    return code


def _learned() -> tuple[tuple[str, ...], str]:
    """Return the learned detectors that can be scored, and a line about those that cannot."""
    shipped = tuple(name for name in TRAINED if name in shipped_weights())
    missing = missing_libraries()
    if not (shipped and missing):
        return shipped, ""
    told = f"Left out: {', '.join(shipped)}, trained on synthetic cracks, for want of {', '.join(missing)}."
    return (), f"{told} To have them: pip install 'craqbench[models]'"


def _evaluate(methods: Sequence[str], out: Path, workers: int) -> tuple[list[Path], Path]:
    """Score detectors on a small set, show the table, and return the results' folders and the report."""
    results, report = out / "results", out / "report.html"
    with watch() as progress:
        made = evaluate([SET], methods, results, Options(workers=workers), progress=progress)
        again = command_line([results], report)
        write_report([results], report, command=again, workers=workers, progress=progress)
    print()
    show_comparison(compare([one.result for one in made]))
    return [one.path.parent for one in made], report


def _rank(results: Sequence[Path], page: Path) -> Path:
    """Submit what detectors found to a leaderboard made for it, have it scored there, and write its page."""
    with tempfile.TemporaryDirectory() as name, watch() as progress:
        home = Path(name)
        board = make_board(open_set(SET), home / "public", home / "private", Plan(final_share=0))
        store = create_store(str(home / "store"), StoreSettings(operators=(OPERATOR,)))
        store.add_board(board)
        for number, result in enumerate(results):
            entry = home / str(number)
            package_result(result, entry, Run(board=board))
            with received_folder(entry, board) as parcel:
                store.accept(parcel, check_parcel(parcel, board), OPERATOR)
        work(store, home / "private", progress=progress)
        write_file(
            page, alone(BoardView(board, load_ranking(store, board), load_queue(store, board))).encode()
        )
    return page


def _restore(dataset: Path, out: Path) -> Path:
    """Fill the cracks of a painting, given their mask, and return the page."""
    from craqbench.restoration import refuse_failures, restore  # noqa: PLC0415  --help needs no libvips

    row = min(read_rows(dataset), key=lambda row: abs(float(row.mask.mean()) - TYPICAL))
    painting, mask = out / "painting.png", out / "masks" / "painting.png"
    write_file(painting, encode_image(row.damaged, "png"))
    write_file(mask, encode_mask(row.mask))
    with watch() as progress:
        made = restore([painting], out, Settings(mask=mask, dilate=1), redo=True, progress=progress)
    refuse_failures(made)
    return made.done[0].files.page


def _say_what_next(dataset: Path, *, can_detect: bool) -> None:
    craqbench, folder = program(), shlex.quote(str(dataset))
    own = [(f"{craqbench} detect PAINTING.jpg", "the cracks of a painting of your own")] if can_detect else []
    method = "" if can_detect else " --method ridge"
    filled = (f"{craqbench} restore{method} PAINTING.jpg", "a painting of your own with its cracks filled")
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
            *own,
            filled,
            (f"{craqbench} generate --n 2000 --source FOLDER", "a dataset on your own paintings"),
            (f"datasets.load_dataset({str(dataset)!r})", "the same rows in Python"),
        ],
    )

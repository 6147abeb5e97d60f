"""Check a submission to a leaderboard by the rules of its server, and send it.

DIR holds submission.json and predictions.parquet, such as `craqbench package` makes; the rules are the same
here and there, and each refusal names its rule and the image. --dry-run ends after the check.

--to is the address of a leaderboard (https://...), the folder of one on this machine, or
hf://datasets/ORG/NAME of a store on the Hub that you may write to. The description of the board comes from
there; without --to it is --board, or made of the annotated set of that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craqbench.cli.parsing import some_path, some_text
from craqbench.cli.terminal import plural, spell_bytes
from craqbench.errors import UsageError
from leaderboard.packaging import find_board, is_set
from leaderboard.store import Store, open_store
from leaderboard.store_accounts import login
from leaderboard.submission import PREDICTIONS, Checked, Parcel, check_parcel, peek, received_folder
from leaderboard.submission_sending import fetch_board, is_address, send

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from leaderboard.board import Board


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("folder", type=some_path, metavar="DIR", help="with the two files of a submission")
    parser.add_argument("--to", type=some_text, metavar="URL|FOLDER", help="the leaderboard")
    parser.add_argument("--dry-run", action="store_true", help="check everything, and send nothing")
    parser.add_argument(
        "--board",
        type=some_text,
        metavar="FILE|DIR|SET",
        help="what to check against: a board.json, its folder, or an annotated set",
    )
    parser.add_argument(
        "--account",
        type=some_text,
        metavar="NAME",
        help="whose submission it is, in a folder or a store on the Hub (default: who is logged in)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check, show what was found, and send."""
    if arguments.to is None and not arguments.dry_run:
        raise UsageError("nowhere to send it: expected --to URL|FOLDER, or --dry-run")
    submit(
        arguments.folder,
        arguments.to,
        board=arguments.board,
        account=arguments.account,
        dry_run=arguments.dry_run,
    )
    return 0


def submit(
    folder: Path,
    to: str | None,
    *,
    board: str | None = None,
    account: str | None = None,
    dry_run: bool = False,
) -> None:
    """Check a submission, show what was found, and send it; the parameters are those of the command."""
    store = open_store(to) if to is not None and not is_address(to) else None
    rules = _board(folder, to, board, store)
    with received_folder(folder, rules) as parcel:
        checked = check_parcel(parcel, rules)
        _show(rules, parcel, checked)
        if dry_run or to is None:
            print("\nit keeps all rules; nothing sent: this is a dry run")
            return
        if store is None:
            sent = send(to, parcel)
            entry, number = sent.entry, sent.number
        else:
            accepted = store.accept(parcel, checked, account or login(to))
            entry, number = accepted.entry, accepted.number
    print(f"entry        {entry}, number {number:,} of this leaderboard")


def _board(folder: Path, to: str | None, board: str | None, store: Store | None) -> Board:
    if board is not None:
        return find_board(board)
    told = peek(folder)
    if store is not None:
        return store.board(told.board, told.board_version)
    if to is not None:
        return fetch_board(to, told.board, told.board_version)
    if is_set(told.board):
        return find_board(told.board, task=told.task)
    raise UsageError(f"board {told.board!r} is no set that is known by name: expected --board FILE|DIR|SET")


def _show(board: Board, parcel: Parcel, checked: Checked) -> None:
    told = checked.metadata
    print(f"board        {board.label}: {board.task}, {plural(len(board.images), 'image')}")
    print(f"method       {told.method}, version {told.version}")
    print(f"track        {told.track}")
    if checked.digest is not None:
        print(f"predictions  {checked.digest[:12]}, {spell_bytes(parcel.files[PREDICTIONS].size)}")

"""Run a leaderboard: make a board, score what is submitted, publish the ranking, show it.

DIR has three folders: `store`, what is submitted and published (or --store hf://datasets/ORG/NAME); `public`,
the images for everybody; `private`, the hidden labels and all counts, for the scorer alone: keep it, and show
it to nobody.

`init` makes them of an annotated set, --method enters methods at once, such as `none` and `all`; `work`
scores what waits, and publishes the ranking; `serve` shows the page; `export` writes the ranking as a table;
`reveal` shows final figures; `flag` says something of an entry, such as `reproduced` or `disputed`; `rescore`
scores everything again, with labels that were mended, or the same, and keeps the tables that there are.
"""

from __future__ import annotations

import secrets
import shlex
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from craqbench.annotated import open_set
from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import one_of, some_path, some_text, whole
from craqbench.cli.terminal import note, plural, program, spell_seconds, table, watch
from craqbench.errors import StorageError, UsageError
from craqbench.evaluation_methods import DEVICES
from craqbench.hub_errors import HubError
from craqbench.storage import write_file
from leaderboard.app_alone import alone
from leaderboard.app_tables import BoardView
from leaderboard.board_labels import load_labels
from leaderboard.board_making import Plan, make_board
from leaderboard.packaging import Run, package
from leaderboard.ranking import FORMATS, export, load_queue, load_ranking
from leaderboard.ranking_export import brief
from leaderboard.ranking_making import reveal
from leaderboard.scoring import republish, work
from leaderboard.scoring_private import Private
from leaderboard.scoring_revision import begin_scorer, seal
from leaderboard.store import Store, create_store, open_store
from leaderboard.store_accounts import login
from leaderboard.store_records import Settings, StoreError
from leaderboard.submission import Refused, check_parcel, received_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from leaderboard.board import Board
    from leaderboard.ranking import Ranking
    from leaderboard.store_records import Accepted

FLAGS = ("reproduced", "disputed", "withdrawn", "sanity")
TASKS = ("detection", "restoration")
NEXT = "\nnext: "
SHOWN = 20
"""Rows of a ranking that are listed."""

PAGE = "html"
FORMS = (*FORMATS, PAGE)
"""What a ranking is exported as."""

OPTIONS = {
    "init": (
        *("set", "name", "version", "task", "final", "split_key", "method", "device"),
        *("per_day", "per_quarter"),
    ),
    "work": ("every",),
    "serve": ("port",),
    "export": ("format", "out", "key"),
    "flag": ("entry", "kind", "note", "lower"),
}
"""Action -> options that no other has."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("action", type=one_of(*ACTIONS), metavar="|".join(ACTIONS), help="what to do")
    parser.add_argument(
        "folder", nargs="?", type=some_path, default=Path("board"), metavar="DIR", help="of the board"
    )
    parser.add_argument(
        "--store", type=some_text, metavar="FOLDER|hf://...", help="where it is (default: DIR/store)"
    )
    parser.add_argument(
        "--account", type=some_text, metavar="NAME", help="who is operator (default: who is logged in)"
    )
    _add_init(parser)
    one = parser.add_argument_group("work, serve, export")
    one.add_argument(
        "--every", type=whole(1), metavar="SECONDS", help="work: look again, until it is stopped"
    )
    one.add_argument(
        "--port", type=whole(1), metavar="N", help="serve: on this machine alone (default: 7860)"
    )
    one.add_argument("--format", type=one_of(*FORMS), metavar="|".join(FORMS), help="(default: markdown)")
    one.add_argument("--out", type=some_path, metavar="FILE", help="export: in place of the terminal")
    one.add_argument("--key", type=some_text, metavar="KEY", help="export: what an earlier scorer published")
    flags = parser.add_argument_group("flag")
    flags.add_argument("--entry", type=some_text, metavar="ULID|NUMBER", help="which entry")
    flags.add_argument(
        "--kind",
        type=some_text,
        metavar="|".join(FLAGS),
        help="or any word; those but the first take its rank away",
    )
    flags.add_argument("--note", metavar="TEXT", help="why, for everybody")
    flags.add_argument("--lower", action="store_true", help="take the flag back")


def _add_init(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("init")
    group.add_argument("--set", type=some_text, metavar="SET", help="the annotated set; see craqbench data")
    group.add_argument("--name", type=some_text, metavar="NAME", help="of the board (default: of the set)")
    group.add_argument("--version", type=some_text, metavar="V", help="of the board (default: of the set)")
    group.add_argument("--task", type=one_of(*TASKS), metavar="|".join(TASKS), help="(default: detection)")
    group.add_argument(
        "--final",
        type=_share,
        metavar="SHARE",
        help="of the images that count in the end only (default: 0.5)",
    )
    group.add_argument(
        "--split-key", type=some_path, metavar="FILE", help="deal out paintings as another version of it did"
    )
    group.add_argument(
        "--method",
        action="append",
        type=some_text,
        metavar="METHOD[,NAME=VALUE]",
        help="enter it at once; may be given several times",
    )
    group.add_argument("--device", type=one_of(*DEVICES), metavar="|".join(DEVICES), help="of these")
    group.add_argument("--per-day", type=whole(1), metavar="N", help="entries of an account (default: 1)")
    group.add_argument("--per-quarter", type=whole(1), metavar="N", help="the same (default: 10)")
    add_workers(parser)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise UsageError(f"argument --final: got {text!r}, expected at least 0 and less than 1")
    return share


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    action: str = arguments.action
    for owner, names in OPTIONS.items():
        for name in names:
            if getattr(arguments, name) not in (None, False) and action != owner:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"argument {option}: expected with `craqbench leaderboard {owner}`, not {action}"
                )
    ACTIONS[action](arguments)
    return 0


def _address(arguments: argparse.Namespace) -> str:
    address: str | None = arguments.store
    return str(arguments.folder / "store") if address is None else address


def _private(arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.folder / "private"
    return folder


def _open(arguments: argparse.Namespace) -> tuple[Store, Board]:
    """Open the store, and the board whose labels lie in the folder, or the only one that there is."""
    address = _address(arguments)
    try:
        store = open_store(address)
    except StoreError as error:
        made = f"'{program()} leaderboard init {shlex.quote(str(arguments.folder))} --set SET' makes one"
        raise UsageError(f"{error}; {made}") from error
    if (_private(arguments) / "labels.json").exists():
        labels = load_labels(_private(arguments))
        return store, store.board(labels.board, labels.version)
    boards = store.boards()
    if len(boards) != 1:
        raise UsageError(f"{address} has {plural(len(boards), 'board')}: expected DIR, the folder of one")
    return store, store.board(*boards[0])


def _account(arguments: argparse.Namespace) -> str:
    account: str | None = arguments.account
    return login(_address(arguments)) if account is None else account


def _init(arguments: argparse.Namespace) -> None:
    if arguments.set is None:
        raise UsageError("expected --set, an annotated set such as nga-val or synthetic")
    folder, account = arguments.folder, _account(arguments)
    plan = Plan(
        name=arguments.name or "",
        version=arguments.version or "",
        task=arguments.task or "detection",
        final_share=0.5 if arguments.final is None else arguments.final,
        key=_split_key(arguments),
    )
    if (folder / "private").exists():
        raise UsageError(f"{folder} holds a board already: expected another DIR")
    store = _make_store(arguments, account)
    with watch() as progress:
        annotated = open_set(arguments.set, workers=arguments.workers, progress=progress)
        board = make_board(annotated, folder / "public", folder / "private", plan, progress=progress)
    (folder / "private").chmod(0o700)
    write_file(folder / "private" / "split-key", f"{plan.key}\n".encode())
    store.add_board(board)
    begin_scorer(store, folder / "private")
    sides = load_labels(folder / "private").sides
    print(f"board        {board.label}: {board.task}, {plural(len(board.images), 'image')}")
    print(f"counts now   {', '.join(f'{len(names)} ({side})' for side, names in sides.items())}")
    print(f"images       {folder / 'public'}, for everybody")
    print(f"labels       {folder / 'private'}, for nobody but the scorer")
    print(f"store        {store}, operator {account}")
    for method in arguments.method or ():
        accepted = _enter(store, board, method, arguments, account)
        print(f"entry        {accepted.entry}, number {accepted.number:,}: {method}")
    _print_next(arguments, has_entries=bool(arguments.method))


def _split_key(arguments: argparse.Namespace) -> str:
    if arguments.split_key is None:
        return secrets.token_hex(16)
    try:
        key: str = arguments.split_key.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"argument --split-key: {error}: expected private/split-key of a board") from error
    return key


def _make_store(arguments: argparse.Namespace, account: str) -> Store:
    address = _address(arguments)
    try:
        return open_store(address)
    except StoreError:
        return create_store(
            address,
            Settings(
                per_day=arguments.per_day or Settings().per_day,
                per_quarter=arguments.per_quarter or Settings().per_quarter,
                operators=(account,),
            ),
        )


def _enter(store: Store, board: Board, method: str, arguments: argparse.Namespace, account: str) -> Accepted:
    """Run a method on the public images, and submit what it finds."""
    with tempfile.TemporaryDirectory() as name, watch() as progress:
        out = Path(name) / "submission"
        how = Run(scores=board.task == "detection", device=arguments.device or DEVICES[0])
        made = package(method, str(arguments.folder / "public"), out, how, progress=progress)
        if made.refusals:
            raise Refused(made.refusals)
        with received_folder(out, board) as parcel:
            return store.accept(parcel, check_parcel(parcel, board), account)


def _print_next(arguments: argparse.Namespace, *, has_entries: bool) -> None:
    folder = shlex.quote(str(arguments.folder))
    store = "" if arguments.store is None else f" --store {shlex.quote(arguments.store)}"
    to = shlex.quote(_address(arguments))
    if not has_entries:
        print(f"{NEXT}{program()} package --method ridge --set {folder}/public --out mine")
        print(f"      {program()} submit mine --to {to}")
    print(f"{NEXT if has_entries else '      '}{program()} leaderboard work {folder}{store}")


def _work(arguments: argparse.Namespace) -> None:
    store, board = _open(arguments)
    while True:
        try:
            _work_once(store, board, arguments)
        except (StorageError, HubError) as error:  # a network comes back, and a disk is cleared
            if arguments.every is None:
                raise
            note(f"{error}; trying again in {arguments.every} s")
        if arguments.every is None:
            return
        time.sleep(arguments.every)


def _work_once(store: Store, board: Board, arguments: argparse.Namespace) -> None:
    start = time.monotonic()
    with watch() as progress:
        done = work(store, _private(arguments), progress=progress)
    if done.scored or done.failed or arguments.every is None:
        failed = f", {done.failed:,} failed" if done.failed else ""
        print(f"scored       {done.scored:,}{failed}, {spell_seconds(time.monotonic() - start)}")
        _show(load_ranking(store, board))


def _show(ranking: Ranking) -> None:
    """Print the main columns of a ranking."""
    print(f"board        {ranking.board} {ranking.board_version}, ranking {ranking.number}\n")
    if not ranking.rows:
        print("nothing is scored yet")
        return
    heads, rows = brief(ranking, SHOWN)
    table(heads, rows)
    if len(ranking.rows) > SHOWN:
        print(f"... and {len(ranking.rows) - SHOWN:,} more")
    print("", *ranking.notes, sep="\n")


def _export(arguments: argparse.Namespace) -> None:
    store, board = _open(arguments)
    ranking = load_ranking(store, board, key=arguments.key)
    if arguments.key is not None and not ranking.number:
        raise UsageError(f"argument --key: {arguments.key!r} has published nothing: expected another key")
    form = arguments.format or "markdown"
    if form != PAGE:
        text = export(ranking, form)
    elif ranking.rows:
        text = alone(BoardView(board, ranking, load_queue(store, board)))
    else:
        raise UsageError(f"argument --format {PAGE}: nothing is scored yet")
    if arguments.out is None:
        print(text, end="")
    else:
        write_file(arguments.out, text.encode())
        print(f"{arguments.out}: {plural(len(ranking.rows), 'row')}")


def _reveal(arguments: argparse.Namespace) -> None:
    store, board = _open(arguments)
    begin_scorer(store, _private(arguments))
    reveal(store, board, Private(_private(arguments)), _account(arguments))
    republish(store, _private(arguments))
    _show(load_ranking(store, board))


def _flag(arguments: argparse.Namespace) -> None:
    if arguments.entry is None or arguments.kind is None:
        raise UsageError("expected --entry and --kind")
    store, _ = _open(arguments)
    accepted = _find(store, arguments.entry)
    try:
        flag = store.flag(
            accepted,
            arguments.kind,
            _account(arguments),
            raised=not arguments.lower,
            note=arguments.note or "",
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(f"argument --{fault['loc'][0]}: {fault['msg']}. Got {fault['input']!r}") from error
    print(f"entry        {accepted.entry}, number {accepted.number:,}")
    print(f"flag         {flag.kind}, {'raised' if flag.raised else 'taken back'} by {flag.by}")
    if (_private(arguments) / "labels.json").exists():
        republish(store, _private(arguments))
    else:
        print("\nit is seen in the table after the next 'leaderboard work'")


def _find(store: Store, text: str) -> Accepted:
    if not text.isdecimal():
        return store.find(text)
    log = store.accepted()
    if not 1 <= int(text) <= len(log):
        raise UsageError(f"argument --entry: got {text!r}, expected a ULID, or a number of 1 to {len(log)}")
    return log[int(text) - 1]


def _rescore(arguments: argparse.Namespace) -> None:
    store, board = _open(arguments)
    seal(_private(arguments))
    scorer = begin_scorer(store, _private(arguments), again=True)
    print(f"board        {board.label}")
    print(f"scorer       {scorer.key}: everything will be scored by it; earlier tables stay")
    print(f"{NEXT}{program()} leaderboard work {shlex.quote(str(arguments.folder))}")


def _serve(arguments: argparse.Namespace) -> None:
    store, public = open_store(_address(arguments)), arguments.folder / "public"
    try:
        app = import_module("leaderboard.app")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("craqbench", "leaderboard"):
            raise
        raise UsageError(f"serve needs {error.name}: pip install 'craqbench[space]'") from error
    images = public if public.is_dir() else None
    port, account = arguments.port or 7860, _account(arguments)
    print(f"page         http://127.0.0.1:{port}, in a moment; Ctrl-C ends it")
    print(f"operator     {account}: whoever sits at this machine", flush=True)
    app.serve(store, operator=account, port=port, images=images)


ACTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "init": _init,
    "serve": _serve,
    "work": _work,
    "export": _export,
    "reveal": _reveal,
    "flag": _flag,
    "rescore": _rescore,
}

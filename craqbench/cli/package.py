"""Make a submission to a leaderboard of an installed method: run it, write predictions and what is known.

--set is the folder of a board (board.json with its images), or an annotated set such as `nga-val`, of which
the board of the same name is made. On a set the method is evaluated into --results as `craqbench evaluate`
does, and what lies there already is not done again; --from takes one such result as it is.

Nothing is asked. What only you know, such as who the authors are, is an option here or a null to be replaced
in submission.json; of the methods that ship with craqbench all is known.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import one_of, some_path, some_text, whole
from craqbench.cli.submit import submit
from craqbench.cli.terminal import plural, program, spell_bytes, watch
from craqbench.errors import UsageError
from craqbench.evaluation_methods import DEVICES
from leaderboard.board import load_board
from leaderboard.packaging import Run, Told, package, package_result
from leaderboard.submission import METADATA, PREDICTIONS

if TYPE_CHECKING:
    import argparse

    from leaderboard.packaging import Packaged

TASKS = ("detection", "restoration")
TRACKS = ("predictions", "reproduced")
ANSWERS = {"yes": True, "no": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--method", type=some_text, metavar="METHOD[,NAME=VALUE]", help="what to run")
    parser.add_argument("--set", dest="where", type=some_text, metavar="DIR|SET", help="what to run it on")
    parser.add_argument(
        "--from",
        dest="result",
        type=some_path,
        metavar="DIR",
        help="folder of a result, in place of --method",
    )
    parser.add_argument("--out", required=True, type=some_path, metavar="DIR", help="a new folder for it")
    parser.add_argument(
        "--task", type=one_of(*TASKS), default=TASKS[0], metavar="|".join(TASKS), help="on an annotated set"
    )
    parser.add_argument(
        "--board",
        type=some_path,
        metavar="FILE",
        help="board.json, if the set is only what a board is made of",
    )
    parser.add_argument(
        "--results",
        type=some_path,
        default=Path("results"),
        metavar="DIR",
        help="where evaluations lie, and go to",
    )
    parser.add_argument("--scores", action="store_true", help="detections with scores, as 8-bit pictures")
    parser.add_argument(
        "--device",
        type=one_of(*DEVICES),
        default=DEVICES[0],
        metavar="|".join(DEVICES),
        help="for methods that can use a GPU",
    )
    add_workers(parser)
    parser.add_argument(
        "--to", type=some_text, metavar="URL|FOLDER", help="submit it at once, as `craqbench submit` does"
    )
    parser.add_argument("--account", type=some_text, metavar="NAME", help="see `craqbench submit --help`")
    _add_facts(parser)


def _add_facts(parser: argparse.ArgumentParser) -> None:
    """Add what only people know."""
    facts = parser.add_argument_group("what only you know")
    facts.add_argument("--author", action="append", dest="authors", metavar="NAME", help="may be given again")
    facts.add_argument("--code", metavar="URL", help="where the code is, https")
    facts.add_argument("--code-commit", metavar="SHA", help="which state of it")
    facts.add_argument(
        "--used-real-annotations",
        type=one_of(*ANSWERS),
        metavar="yes|no",
        help="to train, to tune or to choose",
    )
    facts.add_argument(
        "--used-test-images", type=one_of(*ANSWERS), metavar="yes|no", help="even without annotations"
    )
    facts.add_argument(
        "--seed", action="append", dest="seeds", type=whole(0), metavar="N", help="of training"
    )
    facts.add_argument(
        "--track",
        type=one_of(*TRACKS),
        default=TRACKS[0],
        metavar="|".join(TRACKS),
        help="reproduced: a maintainer shall run it again",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make it, and say what is left to do."""
    if (arguments.method is None) == (arguments.result is None):
        raise UsageError("expected --method, or --from with the folder of a result")
    if arguments.where is None and arguments.result is None:
        raise UsageError("expected --set, the folder of a board or an annotated set")
    how = Run(
        task=arguments.task,
        board=None if arguments.board is None else load_board(arguments.board),
        results=arguments.results,
        scores=arguments.scores,
        workers=arguments.workers,
        device=arguments.device,
    )
    told, out, where = _told(arguments), arguments.out, arguments.where
    if arguments.result is not None:
        made = package_result(arguments.result, out, how, told, where=where)
    else:
        with watch() as progress:
            made = package(arguments.method, where, out, how, told, progress=progress)
    _show(made, out)
    if arguments.to is None:
        print(f"\nnext: {program()} submit {shlex.quote(str(out))} --to URL|FOLDER")
    else:
        submit(out, arguments.to, account=arguments.account)
    return 0


def _told(arguments: argparse.Namespace) -> Told:
    return Told(
        authors=tuple(arguments.authors) if arguments.authors else None,
        code=arguments.code,
        code_commit=arguments.code_commit,
        used_real_annotations=ANSWERS.get(arguments.used_real_annotations),
        used_test_images=ANSWERS.get(arguments.used_test_images),
        seeds=tuple(arguments.seeds or ()),
        track=arguments.track,
    )


def _show(made: Packaged, out: Path) -> None:
    """Say what was made.

    Raises
    ------
    UsageError
        If something is to be filled in first.
    """
    size = spell_bytes((out / PREDICTIONS).stat().st_size)
    print(f"board        {made.board.label}: {made.board.task}, {plural(len(made.board.images), 'image')}")
    print(f"method       {made.metadata['method']}, version {made.metadata['version']}")
    print(f"predictions  {out / PREDICTIONS}, {size}")
    print(f"metadata     {out / METADATA}")
    if made.refusals:
        told = "\n".join(f"  {refusal}" for refusal in made.refusals)
        raise UsageError(f"{out / METADATA} is not complete: expected these, by hand or as options:\n{told}")

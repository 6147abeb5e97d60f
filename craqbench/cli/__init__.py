"""The commands. They compose everything and decide nothing.

`COMMANDS` is the whole table. A command is a module with ``add_arguments(parser)`` and
``run(args) -> int``, imported when it is chosen and not before: ``craqbench --help`` costs hardly
more than starting Python.

Exit codes: 0 done, 2 something that the user can mend (one message on stderr, no traceback),
130 interrupted, 141 the reader of our output went away.
"""

from __future__ import annotations

import sys

from craqbench import __version__

TYPE_CHECKING = False  # importing typing costs a sixth of Python's own start
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": ("craqbench.cli.demo", "make a small dataset and a contact sheet, to see that all works"),
    "generate": ("craqbench.cli.generate", "turn clean paintings into a dataset of triplets (I, M, I~)"),
    "verify": ("craqbench.cli.verify", "check every shard of a dataset against its manifest"),
    "publish": ("craqbench.cli.publish", "put a dataset on the Hugging Face Hub as a version of its own"),
    "pull": ("craqbench.cli.pull", "download a published version and check every hash"),
    "regenerate": ("craqbench.cli.regenerate", "make one row of a dataset again, and compare it"),
    "data": ("craqbench.cli.data", "list, fetch, import, verify and show annotated sets"),
    "report": ("craqbench.cli.report", "write an HTML page of results: tables, curves, pictures worst first"),
    "train": ("craqbench.cli.train", "train a network on synthetic cracks: to find them, or to fill them"),
    "evaluate": ("craqbench.cli.evaluate", "score crack detectors, or inpainters, on annotated sets"),
    "detect": ("craqbench.cli.detect", "find cracks in your own paintings: mask, probability, overlay"),
    "restore": ("craqbench.cli.restore", "fill the cracks of your own paintings, of any size, digitally"),
    "publish-weights": ("craqbench.cli.publish_weights", "put trained weights on the Hugging Face Hub"),
    "reproduce": ("craqbench.cli.reproduce", "run a paper's tables and figures on your own pictures"),
    "compare": ("craqbench.cli.compare", "put results of one set into a table"),
    "package": ("craqbench.cli.package", "make a submission to a leaderboard of an installed method"),
    "submit": ("craqbench.cli.submit", "check a submission by the rules of a leaderboard, and send it"),
    "leaderboard": (
        "craqbench.cli.leaderboard",
        "make a board, score submissions, publish and show the ranking",
    ),
    "stats": ("craqbench.cli.stats", "measure the cracks of a dataset beside those of real paintings"),
    "recipes": ("craqbench.cli.recipes", "list the recipes, or explain one and its parameters"),
    "preview": ("craqbench.cli.preview", "draw a contact sheet of a recipe, or one painting as it ages"),
}
"""Name -> (module, one line of help)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, ``sys.argv`` by default, and return its exit code."""
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except SystemExit as stop:  # argparse, after --help
        return stop.code if isinstance(stop.code, int) else 2
    except BrokenPipeError:
        _discard_output()
        return 141
    except KeyboardInterrupt as stop:
        return _say("interrupted", stop, 130)
    except OSError as error:  # names the file, and what the system said
        return _say("error", error, 2)
    except Exception as error:
        if not _mendable(error):
            raise
        return _say("error", error, 2)
    return code


def _dispatch(argv: list[str]) -> int:
    if not argv:
        print(_help(), file=sys.stderr)
        return 2
    name, *rest = argv
    if name in ("-h", "--help", "help"):
        print(_help())
        return 0
    if name in ("-V", "--version"):
        print(f"craqbench {__version__}")
        return 0
    return _run(name, rest)


def _run(name: str, argv: list[str]) -> int:
    from importlib import import_module

    from craqbench.cli.parsing import Parser, nearest
    from craqbench.errors import UsageError

    if name not in COMMANDS:
        kind, known = ("option", ("--help", "--version")) if name.startswith("-") else ("command", COMMANDS)
        raise UsageError(f"unknown {kind} {name!r}{nearest(name, known)} (see craqbench --help)")
    path, summary = COMMANDS[name]
    module = import_module(path)
    parser = Parser(prog=f"craqbench {name}", description=module.__doc__ or summary)
    module.add_arguments(parser)
    code: int = module.run(parser.parse(argv))
    return code


def _mendable(error: Exception) -> bool:
    from craqbench.errors import CraqbenchError

    return isinstance(error, CraqbenchError)


def _say(what: str, error: BaseException, code: int) -> int:
    message = str(error)
    print(f"craqbench: {what}: {message}" if message else f"craqbench: {what}", file=sys.stderr)
    return code


def _discard_output() -> None:
    """Point stdout at nothing, or Python complains once more while it exits."""
    import os

    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - pathlib is slow to import and not needed
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    return (
        "usage: craqbench COMMAND [OPTION ...]\n\n"
        "Craquelure that never existed: datasets of clean paintings, crack masks and damaged paintings.\n\n"
        f"commands:\n{commands}\n\n"
        "options:\n"
        "  -h, --help     show this; craqbench COMMAND --help shows a command's options\n"
        "  -V, --version  show the version\n"
    )

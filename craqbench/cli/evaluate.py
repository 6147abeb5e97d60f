"""Score crack detectors, or inpainters, on annotated sets, and keep all that is needed to go on.

A SET is what `craqbench data` knows: `nga-val`, `artefact`, `synthetic`, `synthetic:DIR`, `folder:DIR`,
`clean:DIR`, each with filters, `nga-val,polarity=light`. A METHOD is `tophat`, `grassfire`, `ridge`, one that
an installed package announces, or `package.module:Class`; settings follow, `tophat,polarity=both`, several
values of one setting with colons, `ridge,scales=1:2:4`. The methods `none` and `all` do not look at the
image: they show what a figure is worth.

With --task inpaint a METHOD fills the true mask: `mtm`, `diffusion`, `telea`, `navier_stokes`, ..., and
`none` and `mean`, which do not look. A SET is then `synthetic` or `synthetic:DIR`, whose pictures are known
without their cracks.

What is done is kept: run the same line again to go on after an interruption.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.choices import add_workers
from craqbench.cli.compare import show_comparison
from craqbench.cli.parsing import one_of, some_path, some_text, whole
from craqbench.cli.terminal import note, plural, program, watch
from craqbench.comparison import compare
from craqbench.errors import CraqbenchError, UsageError
from craqbench.evaluation import Evaluated, InpaintingOptions, Options, evaluate, evaluate_inpainting
from craqbench.evaluation_methods import DEVICES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from craqbench.cli.terminal import Watcher
    from craqbench.results import Result

TASKS = ("detect", "inpaint")

SHOWN = 5
"""Failures that are listed for each method; the rest is counted, and the result has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--task", type=one_of(*TASKS), default=TASKS[0], metavar="|".join(TASKS), help="what methods do"
    )
    parser.add_argument(
        "--method",
        dest="methods",
        action="append",
        required=True,
        type=some_text,
        metavar="METHOD[,NAME=VALUE]",
        help="what to score; may be given several times",
    )
    parser.add_argument(
        "--set",
        dest="sets",
        action="append",
        required=True,
        type=some_text,
        metavar="SET",
        help="what to score on; may be given several times",
    )
    parser.add_argument(
        "--out", type=some_path, default=Path("results"), metavar="DIR", help="folder for everything"
    )
    parser.add_argument(
        "--scores", action="store_true", help="keep scores as 8-bit pictures beside the predictions"
    )
    parser.add_argument(
        "--tune-on",
        type=some_text,
        metavar="SET",
        help="choose each method's threshold by F1@2px on another set, and say so in the result",
    )
    parser.add_argument(
        "--dilate",
        type=whole(0),
        default=0,
        metavar="N",
        help="with --task inpaint: dilate masks N times by a 3 x 3 square before they are filled; figures "
        "are of the masks as they are",
    )
    parser.add_argument(
        "--lpips",
        type=some_path,
        metavar="DIR",
        help="with --task inpaint: measure LPIPS, with the weights alexnet-owt-7be5be79.pth and alex.pth in "
        "DIR",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="do again what lies in --out, whatever it was made with"
    )
    parser.add_argument(
        "--device",
        type=one_of(*DEVICES),
        default=DEVICES[0],
        metavar="|".join(DEVICES),
        help="for methods that can use a GPU",
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, show a table for each set, and say what failed."""
    do = _inpaint if arguments.task == "inpaint" else _detect
    with watch() as progress:
        made = do(arguments, progress)
    for folder in dict.fromkeys(one.path.parents[1] for one in made):
        _show(folder, [one for one in made if one.path.parents[1] == folder])
    _complain([one for one in made if not one.result.complete])
    return 0


def _detect(arguments: argparse.Namespace, progress: Watcher) -> Sequence[Evaluated[Result]]:
    for option, given in (("--dilate", arguments.dilate), ("--lpips", arguments.lpips)):
        if given:
            raise UsageError(f"argument {option}: it is about fillings: expected --task inpaint with it")
    options = Options(
        workers=arguments.workers,
        device=arguments.device,
        fresh=arguments.fresh,
        keep_scores=arguments.scores,
        tune_on=arguments.tune_on,
    )
    return evaluate(arguments.sets, arguments.methods, arguments.out, options, progress=progress)


def _inpaint(arguments: argparse.Namespace, progress: Watcher) -> Sequence[Evaluated[Result]]:
    for option, given in (("--scores", arguments.scores), ("--tune-on", arguments.tune_on)):
        if given:
            raise UsageError(f"argument {option}: inpainters have no scores: expected --task detect with it")
    options = InpaintingOptions(
        workers=arguments.workers,
        device=arguments.device,
        fresh=arguments.fresh,
        dilate=arguments.dilate,
        lpips=arguments.lpips,
    )
    return evaluate_inpainting(arguments.sets, arguments.methods, arguments.out, options, progress=progress)


def _show(folder: Path, made: Sequence[Evaluated[Result]]) -> None:
    show_comparison(compare([one.result for one in made]))
    print(f"\n{plural(len(made), 'result')} in {folder}, each with its predictions; this table again:")
    print(f"{program()} compare {shlex.quote(str(folder))}\n")


def _complain(incomplete: Sequence[Evaluated[Result]]) -> None:
    """Say which images failed, and fail.

    Raises
    ------
    CraqbenchError
        If any did.
    """
    for one in incomplete:
        result = one.result
        for failure in result.failures[:SHOWN]:
            note(f"{result.method.label} on {result.set.spec}, image {failure.image!r}: {failure.reason}")
        if len(result.failures) > SHOWN:
            note(f"  and {len(result.failures) - SHOWN} more, see {one.path}")
    if incomplete:
        told = ", ".join(
            f"{one.result.method.label} on {one.result.set.spec} failed on {len(one.result.failures)} of "
            f"{one.result.set.images} images"
            for one in incomplete
        )
        raise CraqbenchError(f"{told}: expected all: an incomplete result has no scores")

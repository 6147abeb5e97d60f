"""Find cracks in your own paintings: a mask, a probability map and an overlay of each.

Give image files (JPEG, PNG, TIFF, WebP) or folders of such. --out gets NAME-mask.png (255 in cracks),
NAME-probability.png (16 bits: 65535 is certain), NAME-overlay.png, and detection.json with the share of
cracks of each painting and all that was used. Cracks are looked for where the picture shows them about 1 to 7
px wide: a close-up serves better than a view of the whole painting.

A METHOD is one that `craqbench evaluate` takes, with its settings: `craqnet,flips=4` is slower and a little
better, `tophat` needs no torch.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.parsing import one_of, some_path, some_text
from craqbench.cli.terminal import note, plural, spell_seconds, table, watch
from craqbench.detection import detect, refuse_failures
from craqbench.evaluation_methods import DEVICES

if TYPE_CHECKING:
    import argparse

    from craqbench.detection import Detection

SHOWN = 20
"""Paintings that are listed; the file of figures has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "images", nargs="+", type=some_path, metavar="IMAGE|DIR", help="paintings, or folders of such"
    )
    parser.add_argument(
        "--method",
        type=some_text,
        default="craqnet",
        metavar="METHOD[,NAME=VALUE]",
        help="what finds the cracks",
    )
    parser.add_argument(
        "--out", type=some_path, default=Path("cracks"), metavar="DIR", help="folder for everything"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="0..1",
        help="from which probability on a pixel is a crack (default: the method's own)",
    )
    parser.add_argument(
        "--device",
        type=one_of(*DEVICES),
        default=DEVICES[0],
        metavar="|".join(DEVICES),
        help="for methods that can use a GPU",
    )


def run(arguments: argparse.Namespace) -> int:
    """Detect, show the figures, and say what failed."""
    with watch() as progress:
        found = detect(
            arguments.images,
            arguments.method,
            arguments.out,
            device=arguments.device,
            threshold=arguments.threshold,
            progress=progress,
        )
    _show(found)
    refuse_failures(found)
    return 0


def _show(found: Detection) -> None:
    rows = [
        (
            one.image,
            f"{one.width} x {one.height}",
            f"{100 * one.crack_share:.2f} %",
            f"{one.components:,}",
            spell_seconds(one.seconds),
        )
        for one in found.done[:SHOWN]
    ]
    if rows:
        table(("painting", "px", "cracks", "pieces", "time"), rows)
    if len(found.done) > SHOWN:
        note(f"and {len(found.done) - SHOWN:,} more")
    where = shlex.quote(str(found.path.parent))
    print(f"\n{plural(len(found.done), 'painting')} at threshold {found.threshold:g}, in {where}")
    for failure in found.failed[:SHOWN]:
        note(f"{failure.image}: {failure.reason}")

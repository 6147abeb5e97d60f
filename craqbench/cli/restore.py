"""Fill the cracks of your own paintings, digitally: a virtual restoration, of pictures of any size.

Give image files (TIFF, also BigTIFF and pyramids, PNG, JPEG, WebP; 8 or 16 bits) or folders of such. For
each, --out gets NAME-restored (format, depth, colour profile, resolution and EXIF as the original; TIFF in
place of WebP), NAME-mask.png (white: what was filled), NAME-before-after.html, and NAME-restored.json: what
was changed, by what, how many pixels. Outside the mask every pixel is that of the original; but a JPEG file
changes when it is saved again, by how much is told, and with --lossless it becomes a TIFF file. The files
themselves say that they are virtual restorations; originals are never written to.

Cracks are found by --method, as `craqbench detect` finds them; or --mask gives a picture of the same size,
white where to fill on black, or a folder of such called NAME-mask.png. Look at the mask before you trust the
picture: what is taken for a crack is painted over, be it a hair or an eyelash.

Run again, a command goes on where it was stopped, and leaves what is finished as it is.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli.parsing import one_of, some_path, some_text, whole
from craqbench.cli.terminal import note, plural, spell_seconds, table, watch
from craqbench.errors import UsageError
from craqbench.evaluation_methods import DEVICES
from craqbench.restoration_settings import Settings

if TYPE_CHECKING:
    import argparse

    from craqbench.restoration import Restoration

SHOWN = 20
"""Paintings that are listed; each has its sidecar."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "images", nargs="+", type=some_path, metavar="IMAGE|DIR", help="paintings, or folders of such"
    )
    parser.add_argument(
        "--method",
        type=some_text,
        metavar="METHOD[,NAME=VALUE]",
        help=f"what finds the cracks (default: {Settings.method})",
    )
    parser.add_argument(
        "--mask",
        type=some_path,
        metavar="FILE|DIR",
        help="what to fill, in place of a method: white on black",
    )
    parser.add_argument(
        "--fill",
        type=some_text,
        default=Settings.fill,
        metavar="FILLER[,NAME=VALUE]",
        help="what fills them, such as mtm or telea",
    )
    parser.add_argument(
        "--dilate",
        type=whole(0),
        metavar="N",
        help="how often the mask grows by a pixel all around (default: once if found, not at all if given)",
    )
    parser.add_argument(
        "--out", type=some_path, default=Path("restored"), metavar="DIR", help="folder for everything"
    )
    parser.add_argument(
        "--pyramid", action="store_true", help="write pyramidal, tiled TIFF files for viewers"
    )
    parser.add_argument(
        "--lossless",
        action="store_true",
        help="write TIFF in place of JPEG, so that no pixel outside the mask changes",
    )
    parser.add_argument(
        "--redo", action="store_true", help="make again what is there, whatever its settings were"
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
        help="for what can use a GPU",
    )


def run(arguments: argparse.Namespace) -> int:
    """Restore, show what was done, and say what failed."""
    if arguments.mask and arguments.method:
        raise UsageError(f"--mask {arguments.mask} and --method {arguments.method}: expected one of them")
    from craqbench.restoration import refuse_failures, restore  # noqa: PLC0415  --help needs no libvips

    settings = Settings(
        method=arguments.method or Settings.method,
        mask=arguments.mask,
        fill=arguments.fill,
        dilate=arguments.dilate,
        threshold=arguments.threshold,
        device=arguments.device,
        pyramid=arguments.pyramid,
        lossless=arguments.lossless,
    )
    with watch() as progress:
        found = restore(arguments.images, arguments.out, settings, redo=arguments.redo, progress=progress)
    _show(found)
    refuse_failures(found)
    return 0


def _show(found: Restoration) -> None:
    rows = [
        (
            one.image,
            f"{one.width} x {one.height}",
            f"{100 * one.filled_share:.2f} %",
            f"{one.filled_px:,}",
            "done before" if one.seconds is None else spell_seconds(one.seconds),
        )
        for one in found.done[:SHOWN]
    ]
    if rows:
        table(("painting", "px", "filled", "px filled", "time"), rows)
    if len(found.done) > SHOWN:
        note(f"and {len(found.done) - SHOWN:,} more")
    print(f"\n{plural(len(found.done), 'painting')} in {shlex.quote(str(found.out))}")
    for remark, count in _remarks(found).items():
        note(f"{remark} ({plural(count, 'painting')})" if len(found.done) > 1 else remark)
    if len(found.failed) > 1:  # the error that follows names the first
        for failure in found.failed[:SHOWN]:
            note(f"{failure.image}: {failure.reason}")


def _remarks(found: Restoration) -> dict[str, int]:
    """Count the pictures that a remark is made of."""
    counts: dict[str, int] = {}
    for one in found.done:
        for remark in one.remarks:
            counts[remark] = counts.get(remark, 0) + 1
    return counts

"""List, fetch, import, verify and show the annotated sets that detectors are scored on.

A SET is `nga-val`, `artefact` (or `artefact@REVISION`), `synthetic` (drawn on the spot), `synthetic:DIR` (a
dataset of `craqbench generate`), `folder:DIR` (your own `DIR/images` and `DIR/masks`) or `clean:DIR`
(paintings without cracks). Attributes filter it: `nga-val,polarity=light`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from craqbench import artefact, contact_sheet, nga
from craqbench.annotated import KNOWN, open_set, parse_spec
from craqbench.annotated_sheet import annotated_sheet
from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import one_of, some_path, some_text, whole
from craqbench.cli.terminal import note, plural, table, watch
from craqbench.engines import run as run_all
from craqbench.errors import AnnotationError, UsageError

if TYPE_CHECKING:
    import argparse

    from craqbench.annotated import Spec
    from craqbench.annotations import AnnotatedSet, Item
    from craqbench.engines import Beat

ACTIONS = ("list", "fetch", "import", "verify", "show")
MOST = 60
"""Images on one sheet."""

SHOWN = 20
"""Faults that are listed; the rest is counted."""

OPTIONS = {"folder": "import", "url": "fetch", "out": "show", "n": "show"}
"""Option -> the action that it belongs to."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "action",
        type=one_of(*ACTIONS),
        metavar="|".join(ACTIONS),
        help="what is there; download; take from a folder; check every image; draw a contact sheet",
    )
    parser.add_argument("set", nargs="?", type=some_text, metavar="SET", help="which set, except for list")
    parser.add_argument(
        "--from", dest="folder", type=some_path, metavar="DIR", help="import: where the images lie"
    )
    parser.add_argument(
        "--url",
        type=some_text,
        metavar="URL",
        help=f"fetch nga-val: a mirror of its source (default: ${nga.BASE_VARIABLE}, or GitHub)",
    )
    parser.add_argument(
        "--out", type=some_path, metavar="FILE.png", help="show: the picture (default: SET.png)"
    )
    parser.add_argument(
        "--n", type=whole(1), metavar="N", help=f"show: how many images, at most {MOST} (default: 24)"
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    action: str = arguments.action
    for option, owner in OPTIONS.items():
        if getattr(arguments, option) is not None and action != owner:
            name = "from" if option == "folder" else option
            raise UsageError(f"argument --{name}: expected with `craqbench data {owner}`, not {action}")
    if action == "list":
        return _list(arguments)
    if arguments.set is None:
        raise UsageError(f"craqbench data {action}: expected a SET (see craqbench data list)")
    actions = {"fetch": _fetch, "import": _import, "verify": _verify, "show": _show}
    return actions[action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    if arguments.set is not None:
        raise UsageError(f"craqbench data list: got {arguments.set!r}, expected no SET")
    table(
        ("set", "images", "licence", "what it is", "is it here?"),
        [(known.name, known.images, known.licence, known.summary, known.state()) for known in KNOWN],
    )
    print(
        "\nand of your own: folder:DIR (DIR/images, DIR/masks), synthetic:DIR (of craqbench generate), "
        "clean:DIR (paintings without cracks)"
    )
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    spec = _named(arguments.set, "fetch")
    if arguments.url is not None and spec.name != nga.NAME:
        raise UsageError(f"argument --url: expected with {nga.NAME}; for the Hub, HF_ENDPOINT names a mirror")
    with watch() as progress:
        if spec.name == nga.NAME:
            count = nga.fetch(base=arguments.url, progress=progress)
            print(f"{nga.NAME}: {plural(count, 'image')} downloaded, all are here and as annotated")
        else:
            commit = artefact.fetch(spec.revision, progress=progress)
            print(f"{artefact.NAME}@{commit} is here")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    spec = _named(arguments.set, "import")
    if arguments.folder is None:
        raise UsageError(f"craqbench data import {spec.name}: expected --from DIR")
    if spec.revision:
        raise UsageError(f"set {arguments.set!r}: nobody can tell the revision of a folder: expected no @")
    if spec.name == nga.NAME:
        count = nga.import_images(arguments.folder)
        print(f"{nga.NAME}: {plural(count, 'image')} taken from {arguments.folder}, all as annotated")
    else:
        with watch() as progress:
            version = artefact.import_files(arguments.folder, progress=progress)
        print(f"{artefact.NAME}@{version} is here")
    return 0


def _named(text: str, action: str) -> Spec:
    """Return a set that can be fetched."""
    spec = parse_spec(text)
    if spec.folder is not None:
        raise UsageError(f"set {text!r} is a folder of yours: there is nothing to {action}")
    if spec.name == "synthetic":
        raise UsageError(f"set {text!r} is drawn on the spot: there is nothing to {action}")
    if spec.options:
        raise UsageError(f"set {text!r}: expected no options: a set is always taken whole")
    return spec


def _verify(arguments: argparse.Namespace) -> int:
    with watch() as progress:
        opened = open_set(arguments.set, workers=arguments.workers, progress=progress)
        progress("reading images", 0, len(opened))
        found = run_all(
            functools.partial(_examine, opened),
            opened.items,
            workers=arguments.workers if len(opened) >= 64 else 1,
            on_beat=lambda done: progress("reading images", done, len(opened)),
        )
    faults = [fault for fault, _ in found if fault]
    _describe(opened, np.sum([counts for _, counts in found], axis=0))
    for fault in faults[:SHOWN]:
        note(f"  {fault}")
    if faults:
        more = f", the first {SHOWN} are shown" if len(faults) > SHOWN else ""
        raise AnnotationError(f"{plural(len(faults), 'fault')} in {opened.spec}{more}")
    print("every image and every mask can be read, and is as recorded")
    return 0


def _examine(opened: AnnotatedSet, item: Item, beat: Beat) -> tuple[str, list[int]]:
    """Return the fault of an item, and its px by class, with those that are ignored last."""
    counts = [0] * (len(opened.classes) + 1)
    fault = ""
    try:
        one = opened.load(item)
        scored = np.bincount(one.labels[~one.ignore], minlength=len(opened.classes)).tolist()
        counts = [*scored, int(one.ignore.sum())]
    except AnnotationError as error:
        fault = str(error)
    beat()
    return fault, counts


def _describe(opened: AnnotatedSet, counts: np.typing.NDArray[np.int64]) -> None:
    paintings = len({item.painting for item in opened})
    total = max(1, int(counts.sum()))
    shares = [
        f"{100 * int(k) / total:.2f} % {name}"
        for name, k in zip([*opened.classes, "ignored"], counts, strict=True)
    ]
    count = f"{plural(len(opened), 'image')} of {plural(paintings, 'painting')}"
    print(f"{opened.spec}, version {opened.version}: {count}")
    print(f"{total / 1e6:.2f} megapixels: {', '.join(shares)}")
    print(f"licence: {opened.licence}\ndigest: {opened.digest}")
    if not opened.clean and 2 * int(counts[1]) > total:
        note("more than half is crack: are the masks inverted? Expected 255 (or 1) on cracks")
    for skipped in opened.skipped[:SHOWN]:
        note(f"  not used: {skipped.path}: {skipped.reason}")
    if len(opened.skipped) > SHOWN:
        note(f"  and {len(opened.skipped) - SHOWN:,} more")


def _show(arguments: argparse.Namespace) -> int:
    count = arguments.n or 24
    if count > MOST:
        raise UsageError(f"argument --n: got {count}, expected at most {MOST} on a sheet")
    out: Path | None = arguments.out
    if out is not None and out.suffix.lower() != ".png":
        raise UsageError(f"argument --out: got {str(out)!r}, expected a name that ends in .png")
    with watch() as progress:
        opened = open_set(arguments.set, workers=arguments.workers, progress=progress)
    out = out or Path(f"{_file_name(opened)}.png")
    items = opened.items[:count]
    of = f"{len(items)} of {len(opened)}" if len(items) < len(opened) else f"{len(opened)}"
    title = f"{opened.spec} · version {opened.version} · {of} images"
    sheet = annotated_sheet(opened, items, title)
    contact_sheet.write_png(out, sheet)
    print(f"{out}: {sheet.shape[1]} x {sheet.shape[0]} px")
    return 0


def _file_name(opened: AnnotatedSet) -> str:
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in opened.spec)

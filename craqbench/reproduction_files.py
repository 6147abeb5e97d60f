"""Run a reproduction and write it: tables, pictures, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from baselines.protocols import Image
from craqbench.detection import find_images
from craqbench.engines import Progress
from craqbench.errors import SourceError, UsageError
from craqbench.evaluation_methods import describe_hardware
from craqbench.paintings import read_painting
from craqbench.reproduction import FILLERS, Measured, measure
from craqbench.reproduction_page import page
from craqbench.reproduction_tables import as_csv, as_markdown, tables_of
from craqbench.storage import on_disk, write_file

__all__ = ["PAGE", "REPEATS", "STAGE", "Reproduced", "reproduce_tables"]

STAGE = "reproducing"
"""Stage of `craqbench.engines.Progress`: units are paintings."""

PAGE, TABLES = "index.html", "tables.md"

REPEATS = 5
"""How often each time is taken, unless told otherwise."""


class Reproduced(NamedTuple):
    """What was written: the page, how many pictures were measured, how many files there are in all."""

    path: Path
    images: int
    files: int


def reproduce_tables(
    images: Sequence[Path],
    out: Path,
    *,
    repeats: int = REPEATS,
    command: str = "",
    progress: Progress | None = None,
) -> Reproduced:
    """Measure pictures and write all there is.

    Parameters
    ----------
    images
        Files of any kind that `craqbench.paintings` reads, and folders of such.
    out
        Folder for ``index.html``, ``tables.md``, ``table-1.csv``, ``fig-5.csv``, ``fig-6.csv``, and filled
        pictures, ``pictures/NUMBER-NAME-*.png``; what it holds of other names stays.
    repeats
        How often each time is taken.
    command
        Makes the page again; it stands at its end.
    progress
        `STAGE`.

    Raises
    ------
    UsageError
        If a path is none, or `repeats` is below 1.
    SourceError
        If a picture cannot be read, or there is none.
    StorageError
        If the disk is full, read-only or gone.
    """
    if repeats < 1:
        raise UsageError(f"{repeats} repeats: expected 1 or more")
    paths = list(dict.fromkeys(path for path, _ in find_images(images)))
    if not paths:
        raise SourceError("no painting: expected image files, or folders of such")
    with on_disk(out):
        out.mkdir(parents=True, exist_ok=True)
    measured, files = [], 0
    for number, path in enumerate(paths):
        if progress:
            progress(STAGE, number, len(paths))
        one = measure(path, read_painting(path), repeats)
        files += _write_pictures(out / "pictures", f"{number + 1}-{path.stem}", one)
        measured.append(one)
    if progress:
        progress(STAGE, len(paths), len(paths))
    return Reproduced(out / PAGE, len(measured), files + _write_tables(out, measured, command))


def _write_tables(out: Path, measured: Sequence[Measured], command: str) -> int:
    hardware = describe_hardware(next(iter(FILLERS.values())))
    tables = tables_of(measured, f"{hardware.cpu}, {hardware.system}")
    for table in tables:
        write_file(out / f"{table.key}.csv", as_csv(table).encode())
    write_file(out / TABLES, as_markdown(tables).encode())
    write_file(out / PAGE, page(measured, tables, command).encode())
    return len(tables) + 2


def _write_pictures(folder: Path, name: str, one: Measured) -> int:
    """Write the filled pictures at full size, and return how many there are."""
    shown = {(row.filler, row.removal, row.dilations): row.picture for row in (*one.removals, *one.dilated)}
    filled = {key: picture for key, picture in shown.items() if picture is not None}
    for (filler, removal, dilations), picture in filled.items():
        told = f"{filler}-{removal}-dilated-{dilations}".replace(" ", "-").replace("+", "and").lower()
        write_file(folder / f"{name}-{told}.png", _png(picture))
    return len(filled)


def _png(picture: Image) -> bytes:
    return cv2.imencode(".png", np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)))[1].tobytes()

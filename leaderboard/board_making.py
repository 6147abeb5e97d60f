"""Make a board of an annotated set: what everybody may have in one folder, the hidden labels in another.

::

    PUBLIC/board.json             see `leaderboard.board`
    PUBLIC/images/ID.png
    PUBLIC/masks/ID.png           of restoration: white where to fill
    PRIVATE/labels.json           which image counts when, and the revision of all labels
    PRIVATE/board/                what counts at once: a set, --set folder:PRIVATE/board; of restoration with
    a
                                  further folder, undamaged/
    PRIVATE/final/                what counts in the end, when the operator reveals it

Paintings are dealt out by a keyed hash: all images of one painting go to the same side, the same key deals
the same way on any machine, and whoever has not the key cannot tell. Without a key nothing is hidden: the
split can be had from the ids.
"""

from __future__ import annotations

import contextlib
import csv
import hmac
import io
import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from craqbench.annotations import Annotated as AnnotatedImage
from craqbench.annotations import AnnotatedSet, Annotation, Item, sha256_of
from craqbench.codecs import encode_image, encode_labels
from craqbench.errors import UsageError
from craqbench.evaluation_records import slug
from craqbench.storage import on_disk, write_file
from leaderboard.board import BOARD, Board, BoardImage, board_bytes, limits_of
from leaderboard.board_labels import FINAL, LABELS, NOW, SIDES, UNDAMAGED, open_side
from leaderboard.submission_metadata import Task

__all__ = ["STAGE", "Plan", "board_of", "default_name", "make_board", "split_paintings"]

STAGE = "writing the board"
"""Stage of `craqbench.engines.Progress`: units are images."""

_IGNORED = 128
_IMAGES, _MASKS, _SECOND = "images", "masks", "masks_second"
_OWN_COLUMNS = ("id", "painting", "licence", "source", "sha256_image", "sha256_mask", "sha256_mask_second")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What board is to be made of a set.

    Attributes
    ----------
    name, version
        Of the board; empty: those of the set.
    task
        "detection", or "restoration" of a set whose undamaged pictures are known.
    final_share
        Which share of the images, about, counts in the end only; 0: all count at once.
    key
        Deals out the paintings: a secret, kept elsewhere.
    """

    name: str = ""
    version: str = ""
    task: Task = "detection"
    final_share: float = 0.5
    key: str = ""


class _Picture(NamedTuple):
    """An image of the board as files: for everybody, and hidden ones; by folder."""

    item: Item
    size: tuple[int, int]
    public: dict[str, bytes]
    hidden: dict[str, bytes]


def make_board(
    annotated: AnnotatedSet,
    public: Path,
    private: Path,
    plan: Plan | None = None,
    *,
    progress: Progress | None = None,
) -> Board:
    """Write a board: each folder whole or not at all, the private one first.

    Parameters
    ----------
    annotated
        Any annotated set with cracks.
    public, private
        New folders, neither in the other.
    plan
        What board.
    progress
        Stage `STAGE`.

    Raises
    ------
    UsageError
        If a folder is there already, or the set is not fit for such a board.
    AnnotationError
        If an image or annotation cannot be read.
    StorageError
        If the disk is full, read-only or gone.
    """
    plan = plan or Plan()
    _check_folders(public, private)
    _check_set(annotated, plan)
    final = split_paintings(annotated.items, plan.final_share, plan.key)
    sides = {
        side: [item for item in annotated if (item.painting in final) == (side == FINAL)] for side in SIDES
    }
    with _parts(private, public) as (hidden, open_to_all):
        images = []
        for done, picture in enumerate(_pictures(annotated, plan.task)):
            if progress:
                progress(STAGE, done, len(annotated))
            _write(picture, open_to_all, hidden / (FINAL if picture.item.painting in final else NOW))
            images.append(_board_image(picture))
        board = _describe(annotated, tuple(images), plan)
        for side, items in sides.items():
            if items:
                _write_tables(hidden / side, items, len(annotated.classes))
        write_file(hidden / LABELS, _labels(board, hidden, sides))
        write_file(open_to_all / BOARD, board_bytes(board))
    if progress:
        progress(STAGE, len(annotated), len(annotated))
    return board


def board_of(annotated: AnnotatedSet, plan: Plan | None = None) -> Board:
    """Describe the board of a whole set without writing it.

    Raises
    ------
    UsageError
        If the set is not fit for such a board.
    AnnotationError
        If an image or annotation cannot be read.
    """
    plan = plan or Plan()
    _check_set(annotated, plan)
    return _describe(annotated, tuple(map(_board_image, _pictures(annotated, plan.task))), plan)


def _check_set(annotated: AnnotatedSet, plan: Plan) -> None:
    if annotated.clean:
        raise UsageError(f"set {annotated.spec} has no cracks: expected an annotated one for a board")
    if plan.task == "restoration" and not annotated.undamaged:
        raise UsageError(
            f"set {annotated.spec}: what its pictures look like without their cracks is not known: expected "
            "synthetic, or synthetic:DIR, for a board of restorations"
        )


def default_name(annotated: AnnotatedSet) -> str:
    """Return what the board of a set is called: the set's name, of small letters, digits, '-' and '.'."""
    return re.sub(r"[^a-z0-9.-]+", "-", slug(annotated.spec).lower())[:64].strip("-.") or "board"


def split_paintings(items: Sequence[Item], final_share: float, key: str) -> frozenset[str]:
    """Choose the paintings that count in the end only.

    Paintings are taken in the order of HMAC-SHA256(key, painting) until they have their share of the images;
    at least one is taken, and one is left.

    Raises
    ------
    UsageError
        If the share is none, or there is but one painting.
    """
    if not 0 <= final_share < 1:
        raise UsageError(f"share {final_share:g}: expected at least 0 and less than 1")
    counts: dict[str, int] = {}
    for item in items:
        counts[item.painting] = counts.get(item.painting, 0) + 1
    if not final_share:
        return frozenset()
    if len(counts) < 2:
        raise UsageError("all images are of one painting: expected two or more to be split, or a share of 0")
    dealt = sorted(counts, key=lambda name: (hmac.digest(key.encode(), name.encode(), "sha256"), name))
    taken: list[str] = []
    for name in dealt[:-1]:
        if taken and sum(counts[n] for n in taken) + counts[name] / 2 > final_share * len(items):
            break
        taken.append(name)
    return frozenset(taken)


def _check_folders(public: Path, private: Path) -> None:
    for folder in (public, private):
        with on_disk(folder):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise UsageError(f"{folder} is there already: expected a new folder")
    one, other = public.resolve(), private.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise UsageError(
            f"{public} and {private}: expected two folders, neither in the other: labels are hidden"
        )


@contextlib.contextmanager
def _parts(*folders: Path) -> Iterator[list[Path]]:
    """Make folders that get their names, in this order, when the block ends without an error."""
    parts = [folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part") for folder in folders]
    try:
        for part in parts:
            with on_disk(part):
                part.mkdir(parents=True)
        yield parts
        for part, folder in zip(parts, folders, strict=True):
            with on_disk(folder):
                part.replace(folder)
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)


def _pictures(annotated: AnnotatedSet, task: Task) -> Iterator[_Picture]:
    classes = len(annotated.classes)
    for item in annotated:
        loaded: AnnotatedImage = annotated.load(item)
        height, width = loaded.image.shape[:2]
        public = {_IMAGES: encode_image(loaded.image, "png")}
        hidden = {_MASKS: _coded(loaded.annotation, classes)}
        if loaded.second is not None:
            hidden[_SECOND] = _coded(loaded.second, classes)
        if task == "restoration" and loaded.undamaged is not None:
            public[_MASKS] = encode_labels(loaded.damage.view(np.uint8) * np.uint8(255))
            hidden[UNDAMAGED] = encode_image(loaded.undamaged, "png")
        yield _Picture(item, (width, height), public, {**hidden, _IMAGES: public[_IMAGES]})


def _coded(annotation: Annotation, classes: int) -> bytes:
    values = annotation.labels if classes > 2 else annotation.labels * np.uint8(255)
    return encode_labels(np.where(annotation.ignore, np.uint8(_IGNORED), values))


def _write(picture: _Picture, public: Path, side: Path) -> None:
    for folder, files in ((public, picture.public), (side, picture.hidden)):
        for kind, data in files.items():
            write_file(folder / kind / f"{picture.item.stem}.png", data)


def _board_image(picture: _Picture) -> BoardImage:
    width, height = picture.size
    image, mask = picture.public[_IMAGES], picture.public.get(_MASKS)
    return BoardImage(
        id=picture.item.stem,
        width=width,
        height=height,
        sha256=sha256_of(image),
        mask_sha256=None if mask is None else sha256_of(mask),
    )


def _describe(annotated: AnnotatedSet, images: tuple[BoardImage, ...], plan: Plan) -> Board:
    try:
        return Board(
            format=1,
            name=plan.name or default_name(annotated),
            version=plan.version or annotated.version,
            task=plan.task,
            classes=annotated.classes if plan.task == "detection" else (),
            licence=annotated.licence,
            images=images,
            limits=limits_of(images, plan.task),
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"])) or "board"
        raise UsageError(f"{place}: {fault['msg'].removeprefix('Value error, ')}") from error


def _write_tables(side: Path, items: Sequence[Item], classes: int) -> None:
    values = {0: "background", 255 if classes == 2 else 1: "craquelure", _IGNORED: "ignore"}
    values |= {2: "paint loss"} if classes == 3 else {}
    write_file(side / "classes.csv", _csv([("value", "class"), *values.items()]))
    names = sorted({name for item in items for name in item.attributes})
    rows = [(*_OWN_COLUMNS, *(f"{n}_" if n in _OWN_COLUMNS else n for n in names))]
    rows += [_row(side, item, names) for item in items]
    write_file(side / "manifest.csv", _csv(rows))


def _row(side: Path, item: Item, names: Sequence[str]) -> tuple[str, ...]:
    files = [side / kind / f"{item.stem}.png" for kind in (_IMAGES, _MASKS, _SECOND)]
    digests = [sha256_of(file.read_bytes()) if file.exists() else "" for file in files]
    attributes = [item.attributes.get(name, "") for name in names]
    return (item.stem, item.painting, item.licence, item.source, *digests, *attributes)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _labels(board: Board, hidden: Path, sides: Mapping[str, Sequence[Item]]) -> bytes:
    """Open both sides as whoever scores will, and describe them."""
    there = {side: [item.stem for item in items] for side, items in sides.items() if items}
    digests = [open_side(hidden, side).digest for side in there]
    content = {
        "format": 1,
        "board": board.name,
        "version": board.version,
        "revision": sha256_of("\n".join(digests).encode()),
        "sides": there,
    }
    return f"{json.dumps(content, indent=1)}\n".encode()

"""Synthetic cracks as annotated sets: a small fixed set made on the spot, and datasets of ``generate``."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from craqbench.annotated_folder import STAGE, one_licence
from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item, digest_of_pixels, sha256_of
from craqbench.codecs import decode_image, decode_labels, encode_image, encode_labels
from craqbench.dataset import decode_row, load_manifest
from craqbench.engines import Beat, Progress, run
from craqbench.errors import AnnotationError, DatasetError
from craqbench.shards import PICTURES, READ_ERRORS, first_line
from craqbench.sources import ProceduralSource
from generators.recipes import RECIPES, triplet

if TYPE_CHECKING:
    from generators.triplets import Labels

__all__ = ["FIXED_SIZE", "DrawnReader", "ShardReader", "open_dataset", "open_synthetic"]

DRAWING = "drawing images"
"""Stage of `craqbench.engines.Progress` while the fixed set is drawn."""

FIXED_SIZE = 24
"""Images in the set that is made on the spot."""

SIDE = 256
SEED = 20_000
"""Far from the seeds that people train with, such as 0: the set is not what a detector has learnt."""

RECIPE = "mixed"

_PARALLEL_FROM = 16


class Drawn(NamedTuple):
    """A picture that was drawn, and what; encoded without loss."""

    image: bytes
    undamaged: bytes
    labels: bytes
    attributes: dict[str, str]


@dataclass(frozen=True)
class DrawnReader:
    """Reads pictures that were drawn when the set was opened.

    Attributes
    ----------
    pictures
        By the id of the item; about 200 kB each.
    """

    pictures: Mapping[str, Drawn]

    def read(self, item: Item) -> Annotated:
        """Decode an item, see `craqbench.annotations.Reader`."""
        drawn = self.pictures[item.id]
        return Annotated(
            decode_image(drawn.image),
            _certain(decode_labels(drawn.labels)),
            undamaged=decode_image(drawn.undamaged),
        )


def _certain(labels: Labels) -> Annotation:
    return Annotation(labels, np.zeros(labels.shape, np.bool_))


def open_synthetic(n: int = FIXED_SIZE, workers: int = 1, progress: Progress | None = None) -> AnnotatedSet:
    """Draw ``synthetic``: `n` pictures of 256 x 256 px by recipe `mixed` on procedural canvases.

    Picture k is the same for any `n`.
    """
    recipe = RECIPES[RECIPE]
    drawn = _draw_all(n, workers, progress)
    items = tuple(
        Item(f"{RECIPE}-{index:02d}", f"canvas-{index:02d}", picture.attributes, "CC0-1.0", "craqbench")
        for index, picture in enumerate(drawn)
    )
    pictures = {item.id: picture for item, picture in zip(items, drawn, strict=True)}
    return AnnotatedSet(
        name="synthetic",
        version=f"{RECIPE}-v{recipe.version}",
        origin="synthetic" if n == FIXED_SIZE else f"synthetic,n={n}",
        classes=recipe.classes,
        licence="CC0-1.0",
        items=items,
        contents=tuple(_content(picture) for picture in drawn),
        reader=DrawnReader(pictures),
        undamaged=True,
    )


def _draw_all(n: int, workers: int, progress: Progress | None) -> list[Drawn]:
    def report(done: int) -> None:
        if progress:
            progress(DRAWING, done, n)

    report(0)
    return run(_draw, range(n), workers=workers if n >= _PARALLEL_FROM else 1, on_beat=report)


def _draw(index: int, beat: Beat) -> Drawn:
    size = (SIDE, SIDE)
    made = triplet(RECIPES[RECIPE], SEED, index, ProceduralSource(SEED, size).painting(index), size)
    beat()
    pictures = encode_image(made.damaged), encode_image(made.image), encode_labels(made.labels)
    return Drawn(*pictures, _texts(made.meta))


def _texts(meta: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in meta.items() if isinstance(value, str)}


def _content(drawn: Drawn) -> str:
    """Digest the pixels, not the files: encoders have versions."""
    image, labels = decode_image(drawn.image), decode_labels(drawn.labels)
    return sha256_of(f"{digest_of_pixels(image)} {digest_of_pixels(labels)}".encode())


class Place(NamedTuple):
    """Where a row of a dataset lies: shard, its row group, and which row of the group."""

    shard: int
    group: int
    row: int


class Shard(NamedTuple):
    """A shard, and what tells whether it has changed since the set was opened."""

    path: Path
    split: str
    stamp: tuple[int, int]


@dataclass(frozen=True)
class ShardReader:
    """Reads rows of a dataset that ``craqbench generate`` made.

    Attributes
    ----------
    shards
        All files.
    places
        By the id of the item.
    """

    shards: tuple[Shard, ...]
    places: Mapping[str, Place]

    def read(self, item: Item) -> Annotated:
        """Read a row: its painting, damaged and not, and labels; see `craqbench.annotations.Reader`."""
        place = self.places[item.id]
        shard = self.shards[place.shard]
        try:
            if _stamp(shard.path) != shard.stamp:
                raise AnnotationError(
                    f"{shard.path} has changed since the set was opened: expected the same file"
                )
            row = decode_row(_rows_of_group(shard.path, shard.stamp, place.group)[place.row], shard.split)
        except READ_ERRORS as error:
            raise AnnotationError(f"{shard.path}, row {item.id}: {first_line(error)}") from error
        return Annotated(row.damaged, _certain(row.labels), undamaged=row.image)


def open_dataset(folder: Path, progress: Progress | None) -> AnnotatedSet:
    """Open ``synthetic:DIR``: every file is compared with the manifest's sha256, and no picture is decoded.

    Raises
    ------
    AnnotationError
        If the folder is no finished dataset, or a file is not the one of the manifest.
    """
    try:
        manifest = load_manifest(folder)
    except DatasetError as error:
        raise AnnotationError(f"synthetic set: {error}") from error
    if not manifest["complete"]:
        raise AnnotationError(f"dataset {str(folder)!r} is not complete: run its 'craqbench generate' again")
    records = manifest["shards"]
    shards = tuple(_checked(folder, records, progress))
    rows = [(shard, place, cells) for shard, place, cells in _all_rows(shards)]
    items = tuple(_item(shards[place.shard].split, cells) for _, place, cells in rows)
    return AnnotatedSet(
        name="synthetic",
        version=manifest["fingerprint"][:12],
        origin=f"synthetic:{folder.resolve().name}",
        classes=tuple(manifest["recipe"]["classes"]),
        licence=one_licence(items),
        items=items,
        contents=tuple(f"{records[place.shard]['content_sha256']} {number}" for number, place, _ in rows),
        reader=ShardReader(shards, {item.id: place for item, (_, place, _) in zip(items, rows, strict=True)}),
        undamaged=True,
    )


def _checked(
    folder: Path, records: Sequence[Mapping[str, Any]], progress: Progress | None
) -> Iterator[Shard]:
    for done, record in enumerate(records):
        if progress:
            progress(STAGE, sum(r["rows"] for r in records[:done]), sum(r["rows"] for r in records))
        path = folder / record["file"]
        try:
            stamp = _stamp(path)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise AnnotationError(f"{path}: {error.strerror}: expected the file of the manifest") from error
        if sha256 != record["sha256"]:
            raise AnnotationError(
                f"{path} has sha256 {sha256}: expected {record['sha256']}, as the manifest says"
            )
        yield Shard(path, record["split"], stamp)


def _all_rows(shards: Sequence[Shard]) -> Iterator[tuple[int, Place, dict[str, Any]]]:
    """Yield (number in the shard, place, cells without pictures) of each row."""
    for number, shard in enumerate(shards):
        try:
            with pq.ParquetFile(shard.path, pre_buffer=False) as file:
                names = [name for name in file.schema_arrow.names if name not in PICTURES]
                count = 0
                for group in range(file.num_row_groups):
                    for row, cells in enumerate(file.read_row_group(group, names).to_pylist()):
                        yield count, Place(number, group, row), cells
                        count += 1
        except READ_ERRORS as error:
            raise AnnotationError(f"{shard.path} cannot be read: {first_line(error)}") from error


def _item(split: str, cells: Mapping[str, Any]) -> Item:
    attributes = {"split": split, "recipe": cells["recipe"], **_texts(json.loads(cells["meta"]))}
    return Item(cells["id"], cells["painting"], attributes, cells["licence"], cells["source"])


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=1)
def _rows_of_group(path: Path, stamp: tuple[int, int], group: int) -> list[dict[str, Any]]:  # noqa: ARG001
    """Read a row group; the last one is kept, since rows are read in order. The stamp is part of the key."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        rows = file.read_row_group(group, use_threads=False).to_pylist()
    return [{name: cell["bytes"] if name in PICTURES else cell for name, cell in row.items()} for row in rows]

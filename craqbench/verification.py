"""Check a dataset: every file against the manifest, every row against the contract of a triplet."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from craqbench.codecs import decode_mask
from craqbench.dataset import CARD, MANIFEST, SAMPLE, Row, decode_row, load_manifest, strangers
from craqbench.engines import Beat, Progress, run
from craqbench.shards import (
    READ_ERRORS,
    BrokenShardError,
    Sealed,
    columns,
    content_digest,
    first_line,
    read_cells,
    read_seal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from generators.triplets import Mask

__all__ = ["Fault", "Report", "verify"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as the manifest or the contract says.

    Attributes
    ----------
    file
        Path inside the dataset.
    row
        Id of the row; empty if the whole file is meant.
    problem
        What is wrong.
    """

    file: str
    row: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}{', row ' if self.row else ''}{self.row}: {self.problem}"


@dataclass(frozen=True)
class Report:
    """What `verify` found: all faults, in the order of files and rows."""

    folder: Path
    recipe: str
    shards: int
    rows: int
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


@dataclass(frozen=True)
class _Checked:
    """What was found in one shard: rows read, faults, paintings used."""

    rows: int
    faults: tuple[Fault, ...]
    paintings: frozenset[str]


def verify(folder: Path, *, workers: int = 1, progress: Progress | None = None) -> Report:
    """Check a dataset in full.

    That the manifest is complete; the card and the sample picture are there; each shard has its size,
    sha256, content digest and rows, and there are no others; ids and indexes follow one another; each
    picture decodes and has the right size; the mask is bilevel and equals ``labels > 0``; the damaged
    picture equals the clean one farther than the recipe's soft edge from the mask (Chebyshev distance);
    each painting is one that the manifest names, with its licence, and in one split only.

    Parameters
    ----------
    folder
        The dataset.
    workers
        Number of processes.
    progress
        Stage "verifying", in rows.

    Raises
    ------
    DatasetError
        If there is no readable manifest.
    """
    manifest = load_manifest(folder)
    items = manifest["shards"]
    total = sum(item["rows"] for item in items)

    def report(done: int) -> None:
        if progress:
            progress("verifying", min(done, total), total)

    report(0)
    checked = run(functools.partial(_check_shard, folder, manifest), items, workers=workers, on_beat=report)
    report(total)
    faults = [*_check_folder(folder, manifest), *(fault for part in checked for fault in part.faults)]
    faults += _check_splits(items, checked)
    rows = sum(part.rows for part in checked)
    return Report(folder, manifest["recipe"]["name"], len(items), rows, tuple(faults))


def _check_folder(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Fault]:
    if not manifest["complete"]:
        yield Fault(MANIFEST, "", "the dataset is not complete: run its 'craqbench generate' again to go on")
    rows = sum(item["rows"] for item in manifest["shards"])
    if manifest["complete"] and rows != manifest["rows"]:
        yield Fault(MANIFEST, "", f"its shards have {rows} rows: expected {manifest['rows']}")
    for name in (CARD, SAMPLE):
        if manifest["complete"] and not (folder / name).is_file():
            yield Fault(name, "", "missing")
    for file in strangers(folder, [item["file"] for item in manifest["shards"]]):
        if manifest["complete"]:
            yield Fault(file, "", "not in the manifest")


def _check_splits(items: list[dict[str, Any]], checked: list[_Checked]) -> Iterator[Fault]:
    """Yield paintings in two splits: a method would be tested on what it was trained on."""
    home: dict[str, str] = {}
    for item, part in zip(items, checked, strict=True):
        for painting in sorted(part.paintings):
            split = home.setdefault(painting, item["split"])
            if split != item["split"]:
                yield Fault(item["file"], "", f"painting {painting!r} is also in split {split!r}")


def _check_shard(folder: Path, manifest: Mapping[str, Any], item: dict[str, Any], beat: Beat) -> _Checked:
    path, file = folder / item["file"], item["file"]
    if not path.is_file():
        beat(item["rows"])
        return _Checked(0, (Fault(file, "", "missing"),), frozenset())
    expected = _Expected(manifest, item)
    faults, paintings, rows = [], set(), 0
    try:
        # One by one: those found before the file turns out unreadable count too.
        for problem in _file_problems(path, manifest, item):
            faults.append(Fault(file, "", problem))  # noqa: PERF401  a list would be lost with its first error
        for rows, cells in enumerate(read_cells(path), start=1):
            name = str(cells.get("id"))
            faults += [Fault(file, name, problem) for problem in expected.problems(cells, rows - 1)]
            paintings.add(str(cells.get("painting")))
            beat()
    except (*READ_ERRORS, BrokenShardError) as error:
        faults.append(Fault(file, "", f"cannot be read: {first_line(error)}"))
    else:
        if rows != item["rows"]:
            faults.append(Fault(file, "", f"{rows} rows: expected {item['rows']}"))
    return _Checked(rows, tuple(faults), frozenset(paintings))


def _file_problems(path: Path, manifest: Mapping[str, Any], item: Mapping[str, Any]) -> Iterator[str]:
    size = path.stat().st_size
    if size != item["bytes"]:
        yield f"{size} bytes: expected {item['bytes']}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != item["sha256"]:
        yield f"sha256 {digest}: expected {item['sha256']}"
    names, expected = tuple(pq.read_schema(path).names), columns(manifest["recipe"]["classes"])
    if names != expected:
        yield f"columns {', '.join(names)}: expected {', '.join(expected)}"
    seal = Sealed(manifest["fingerprint"], item["split"], item["first"], item["rows"], item["content_sha256"])
    if read_seal(path) != seal:
        yield "its footer does not say what the manifest says"
    content = content_digest(path)
    if content != item["content_sha256"]:
        yield f"the rows have the digest {content}: expected {item['content_sha256']}"


class _Expected:
    """What the rows of a shard must be."""

    def __init__(self, manifest: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        self._recipe = manifest["recipe"]
        self._seed, self._first, self._split = manifest["seed"], item["first"], item["split"]
        self._shape = tuple(manifest["size"])[::-1]
        self._paintings = {painting["id"]: painting for painting in manifest["source"]["paintings"]}

    def problems(self, cells: Mapping[str, Any], number: int) -> Iterator[str]:
        """Yield what is wrong with row `number` of the shard."""
        for name, value in {**self._numbers(number), **self._provenance(cells)}.items():
            if cells.get(name) != value:
                yield f"{name} {cells.get(name)!r}: expected {value!r}"
        try:
            mask = decode_mask(cells["mask"])
            row = decode_row(cells, self._split)
        except (ValueError, KeyError, TypeError) as error:
            yield f"cannot be decoded: {error}"
        else:
            yield from self._picture_problems(row, mask)

    def _numbers(self, number: int) -> dict[str, Any]:
        name, index = self._recipe["name"], self._first + number
        return {
            "id": f"{name}-{self._seed}-{index:07d}",
            "index": index,
            "seed": self._seed,
            "recipe": name,
            "recipe_version": self._recipe["version"],
        }

    def _provenance(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the manifest says of the painting; nothing for canvases, which it does not list."""
        if not self._paintings:
            return {}
        known = self._paintings.get(cells.get("painting"))
        if known is None:
            return {"painting": "one that the manifest names"}
        return {name: known[name] for name in ("title", "artist", "licence", "source")}

    def _picture_problems(self, row: Row, mask: Mask) -> Iterator[str]:
        shapes = {"image": row.image, "mask": mask, "damaged": row.damaged, "labels": row.labels}
        wrong = {name: array.shape[:2] for name, array in shapes.items() if array.shape[:2] != self._shape}
        for name, (height, width) in wrong.items():
            yield f"{name} is {width} x {height} px: expected {self._shape[1]} x {self._shape[0]}"
        if wrong:
            return
        classes = len(self._recipe["classes"])
        if row.labels.max() >= classes:
            yield f"labels up to {row.labels.max()}: expected {classes} classes"
        if (row.mask != mask).any():
            yield f"the mask differs from labels > 0 in {(row.mask != mask).sum()} px"
        stray = _stray(row, mask, self._recipe["soft_edge"])
        if stray:
            yield f"damaged differs from image in {stray} px outside the mask and its soft edge"


def _stray(row: Row, mask: Mask, soft_edge: int) -> int:
    """Count px where damaged and clean pictures differ, farther than `soft_edge` px from the mask."""
    square = np.ones((2 * soft_edge + 1, 2 * soft_edge + 1), np.uint8)
    allowed = cv2.dilate(mask.view(np.uint8), square) > 0
    return int(((row.damaged != row.image).any(axis=2) & ~allowed).sum())

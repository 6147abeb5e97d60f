"""Anybody's annotated images: a folder of images beside a folder of masks.

::

    DIR/images/ID.jpg         JPEG, PNG, TIFF or WebP, upright; may lie in subfolders
    DIR/masks/ID.png          the same ID; see `craqbench.annotated_files.guess_code` for what numbers mean
    DIR/masks_second/ID.png   optional, for any of them: a second annotator's
    DIR/manifest.csv          optional: id, and any of painting, licence, source, sha256_image, sha256_mask,
                              sha256_mask_second; further columns are attributes
    DIR/classes.csv           optional: value,class
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from craqbench.annotated_files import (
    MASK_SUFFIXES,
    MOST_PX,
    MaskCode,
    decode_image,
    decode_values,
    guess_code,
    read_code,
    read_table,
)
from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item, sha256_of
from craqbench.engines import Beat, Progress, run
from craqbench.errors import AnnotationError
from craqbench.paintings import SUFFIXES

if TYPE_CHECKING:
    from generators.triplets import Image

__all__ = ["STAGE", "File", "FileReader", "Files", "open_annotated_folder"]

STAGE = "reading images"
"""Stage of `craqbench.engines.Progress` while a set is opened."""

IMAGES, MASKS, SECOND, MANIFEST, CODE = "images", "masks", "masks_second", "manifest.csv", "classes.csv"
OWN_COLUMNS = ("id", "painting", "licence", "source")

_PARALLEL_FROM = 64
_SHOWN = 3


class File(NamedTuple):
    """A file, and the sha256 that it had when the set was opened."""

    path: Path
    sha256: str


class Files(NamedTuple):
    """The files of an item."""

    image: File
    mask: File
    second: File | None = None


@dataclass(frozen=True)
class FileReader:
    """Reads items from an image file and mask files.

    Attributes
    ----------
    files
        By the id of the item.
    code
        What the numbers in the masks mean.
    most_px
        An image with more is refused.
    """

    files: Mapping[str, Files]
    code: MaskCode
    most_px: int = MOST_PX

    def read(self, item: Item) -> Annotated:
        """Read an item, see `craqbench.annotations.Reader`."""
        files = self.files[item.id]
        image = self._image(files.image)
        first = self._annotation(files.mask, image)
        second = None if files.second is None else self._annotation(files.second, image)
        return Annotated(image, first, second)

    def _image(self, file: File) -> Image:
        data = read_unchanged(file)
        with naming(file.path):
            return decode_image(data, self.most_px)

    def _annotation(self, file: File, image: Image) -> Annotation:
        data = read_unchanged(file)
        with naming(file.path):
            values = decode_values(data, self.most_px)
            check_sizes(values.shape, image.shape)
            return self.code.annotation(values)


class naming:  # noqa: N801  reads like a function
    """Turn a `ValueError` inside into an `AnnotationError` that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise AnnotationError(f"{self._path}: {error}") from error


def read_unchanged(file: File) -> bytes:
    """Read a file and compare its sha256.

    Raises
    ------
    AnnotationError
        If it is gone, or not the file it was when the set was opened.
    """
    try:
        data = file.path.read_bytes()
    except OSError as error:
        message = f"{file.path} was there when the set was opened, now: {error.strerror or error}"
        raise AnnotationError(message) from error
    found = sha256_of(data)
    if found != file.sha256:
        raise AnnotationError(
            f"{file.path} has changed since the set was opened: expected sha256 {file.sha256}, got {found}"
        )
    return data


def check_sizes(mask: tuple[int, ...], image: tuple[int, ...]) -> None:
    """Raise `ValueError` where a mask is not of its image's size (height, width)."""
    if mask[:2] != image[:2]:
        raise ValueError(
            f"mask of {mask[1]} x {mask[0]} px: expected {image[1]} x {image[0]} px like its image"
        )


def open_annotated_folder(folder: Path, workers: int, progress: Progress | None) -> AnnotatedSet:
    """Open ``folder:DIR``: every file is read in full once, in parallel where it pays.

    Raises
    ------
    AnnotationError
        If anything is wrong with any file: all faults are counted, the first are shown.
    """
    if not folder.is_dir():
        raise AnnotationError(f"annotated set {str(folder)!r} does not exist: expected a folder with images/")
    found = _pair(folder)
    scanned = scan(found, workers, progress)
    rows = _manifest(folder / MANIFEST)
    _complain(folder, [*_scan_faults(found, scanned), *_manifest_faults(found, scanned, rows)])
    code = _code(folder, found, scanned)
    files = {name: item.files(found[name]) for name, item in scanned.items()}
    items = tuple(_item(name, rows.get(name, {})) for name in files)
    return AnnotatedSet(
        name="folder",
        version="1",
        origin=f"folder:{folder.resolve().name}",
        classes=code.classes,
        licence=one_licence(items),
        items=items,
        contents=tuple(content_of(files[item.id], code) for item in items),
        reader=FileReader(files, code),
    )


def content_of(files: Files, code: MaskCode) -> str:
    """Return the digest of an item: of its files, and of what the numbers in the masks mean."""
    digests = [files.image.sha256, files.mask.sha256, files.second.sha256 if files.second else ""]
    return sha256_of(f"{digests} {sorted(code.meaning.items())}".encode())


def one_licence(items: Sequence[Item]) -> str:
    """Name the licences of the items, most of all where there is only one."""
    return ", ".join(sorted({item.licence for item in items}))


class Paths(NamedTuple):
    """Where an item's files lie."""

    image: Path
    mask: Path
    second: Path | None


def _pair(folder: Path) -> dict[str, Paths]:
    """Find the images and their masks: by id, sorted."""
    images = _by_stem(folder / IMAGES, SUFFIXES)
    masks = _by_stem(folder / MASKS, MASK_SUFFIXES)
    second = _by_stem(folder / SECOND, MASK_SUFFIXES) if (folder / SECOND).is_dir() else {}
    faults = [
        *(
            f"image {images[name]} has no mask: expected {MASKS}/{name}.png"
            for name in images
            if name not in masks
        ),
        *(_no_image(masks[name], name) for name in masks if name not in images),
        *(_no_image(second[name], name) for name in second if name not in images),
    ]
    _complain(folder, faults)
    return {name: Paths(path, masks[name], second.get(name)) for name, path in sorted(images.items())}


def _no_image(mask: Path, name: str) -> str:
    return f"mask {mask} has no image: expected {IMAGES}/{name} with one of {' '.join(SUFFIXES)}"


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Find files by their path inside a folder without the ending; hidden ones are passed over."""
    found: dict[str, Path] = {}
    faults = []
    for path in _walk(folder):
        if not path.name.lower().endswith(suffixes):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            faults.append(f"{path} has the id of {found[name].name}: expected one file for each id")
        found[name] = path
    if not found:
        raise AnnotationError(
            f"{folder} holds no picture: expected a folder of files ending in {' '.join(suffixes)}"
        )
    _complain(folder.parent, faults)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise AnnotationError(f"{folder}: {error.strerror}: expected a folder of pictures") from error
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


class Scanned(NamedTuple):
    """What the scan found in an item's files; `fault` is empty if they are sound."""

    fault: str
    digests: tuple[str, str, str] = ("", "", "")
    values: tuple[int, ...] = ()

    def files(self, paths: Paths) -> Files:
        """Return the files with their digests."""
        image, mask, second = self.digests
        other = None if paths.second is None else File(paths.second, second)
        return Files(File(paths.image, image), File(paths.mask, mask), other)


def scan(found: Mapping[str, Paths], workers: int, progress: Progress | None) -> dict[str, Scanned]:
    """Read all files of a set in full, in parallel where it pays."""

    def report(done: int) -> None:
        if progress:
            progress(STAGE, done, len(found))

    report(0)
    paths = list(found.values())
    results = run(_scan, paths, workers=workers if len(paths) >= _PARALLEL_FROM else 1, on_beat=report)
    return dict(zip(found, results, strict=True))


def _scan(paths: Paths, beat: Beat) -> Scanned:
    result = Scanned("")
    path = paths.image
    try:
        data = path.read_bytes()
        shape, digests, values = decode_image(data).shape, [sha256_of(data)], set[int]()
        for mask in (paths.mask, paths.second):
            if mask is None:
                digests.append("")
                continue
            path = mask
            data = path.read_bytes()
            numbers = decode_values(data)
            check_sizes(numbers.shape, shape)
            digests.append(sha256_of(data))
            values.update(np.unique(numbers).tolist())
        result = Scanned("", (digests[0], digests[1], digests[2]), tuple(sorted(values)))
    except OSError as error:
        result = Scanned(f"{path}: {error.strerror or type(error).__name__}")
    except ValueError as error:
        result = Scanned(f"{path}: {error}")
    beat()
    return result


def _scan_faults(found: Mapping[str, Paths], scanned: Mapping[str, Scanned]) -> Iterator[str]:
    first: dict[str, str] = {}
    for name, item in scanned.items():
        sha256 = item.digests[0]
        if item.fault:
            yield item.fault
        elif sha256 in first:
            # Twice the same picture counts one painting twice, and narrows every interval.
            yield f"{found[name].image} is a copy of {found[first[sha256]].image}: expected each image once"
        else:
            first[sha256] = name


def _manifest(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    rows: dict[str, dict[str, str]] = {}
    for line, row in enumerate(read_table(path, ("id",)), start=2):
        if row["id"] in rows or not row["id"]:
            raise AnnotationError(f"{path}, line {line}: id {row['id']!r}: expected an id of its own")
        rows[row["id"]] = row
    if not rows:
        raise AnnotationError(f"{path} has no rows: expected one for each image, or no manifest")
    return rows


def _manifest_faults(
    found: Mapping[str, Paths], scanned: Mapping[str, Scanned], rows: Mapping[str, dict[str, str]]
) -> Iterator[str]:
    if not rows:
        return
    yield from (f"{MANIFEST}: {name} is not among the images" for name in rows if name not in found)
    for name, paths in found.items():
        if name not in rows:
            yield f"image {paths.image} is not in {MANIFEST}"
            continue
        columns = ("sha256_image", "sha256_mask", "sha256_mask_second")
        for column, path, sha256 in zip(columns, paths, scanned[name].digests, strict=True):
            expected = rows[name].get(column, "").lower()
            if sha256 and expected and expected != sha256:
                yield f"{path} has sha256 {sha256}: expected {expected}, as {MANIFEST} says"


def _complain(folder: Path, faults: Sequence[str]) -> None:
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise AnnotationError(f"annotated set {str(folder)!r}, {count}: {'; '.join(faults[:_SHOWN])}{more}")


def _code(folder: Path, found: Mapping[str, Paths], scanned: Mapping[str, Scanned]) -> MaskCode:
    declared = folder / CODE
    if not declared.exists():
        with naming(folder / MASKS):
            return guess_code(value for item in scanned.values() for value in item.values)
    code = read_code(declared)
    unknown = {
        name: sorted(set(item.values) - set(code.meaning))
        for name, item in scanned.items()
        if set(item.values) - set(code.meaning)
    }
    _complain(
        folder,
        [f"{found[name].mask}: mask value {values[0]} is not in {CODE}" for name, values in unknown.items()],
    )
    return code


def _item(name: str, row: Mapping[str, str]) -> Item:
    attributes = {
        column: value
        for column, value in row.items()
        if column not in OWN_COLUMNS and not column.startswith("sha256") and value
    }
    return Item(
        id=name,
        painting=row.get("painting") or name,
        attributes=attributes,
        licence=row.get("licence") or "unknown",
        source=row.get("source") or "unknown",
    )

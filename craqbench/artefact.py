"""The set ``artefact``: ARTeFACT, damaged analogue media annotated with fifteen kinds of damage.

"ARTeFACT: Benchmarking Segmentation Models on Diverse Analogue Media Damage", WACV 2025 (arXiv 2412.04580).
Hub dataset ``danielaivanova/damaged-media``, AFL-3.0: columns id, image, annotation (a label image),
annotation_rgb, material, content, type. Its Parquet files are unpacked once into plain files, since a row
group of theirs is some hundred megabytes.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from craqbench.annotated_files import MaskCode, decode_image, decode_values, listed, read_table
from craqbench.annotated_folder import File, FileReader, Files, check_sizes, content_of
from craqbench.annotations import AnnotatedSet, Item, sha256_of
from craqbench.downloads import cache_folder
from craqbench.errors import AnnotationError, SourceError, UsageError
from craqbench.paintings import Skipped
from craqbench.storage import write_file
from generators.triplets import CLASSES

if TYPE_CHECKING:
    from craqbench.engines import Progress

__all__ = ["DAMAGE", "NAME", "REVISION", "fetch", "import_files", "open_artefact", "present"]

NAME = "artefact"
REPOSITORY = "danielaivanova/damaged-media"
REVISION = "1e2bd645627fdbb79088d8724b010b66fb6df738"
"""The commit that is meant where none is named: 418 rows, 4.1 GB."""

LICENCE = "AFL-3.0"
MOST_PX = 250_000_000
"""Its largest scan has 244 million px."""

DAMAGE = (
    "Clean",
    "Material loss",
    "Peel",
    "Dust",
    "Scratch",
    "Hair",
    "Dirt",
    "Fold",
    "Writing",
    "Cracks",
    "Staining",
    "Stamp",
    "Sticker",
    "Puncture",
    "Burn marks",
    "Lightleak",
)
"""What the numbers in an annotation mean; 255 is what is no part of the object."""

VOID = 255
CRACKS = DAMAGE.index("Cracks")

_GROUPS = ("material", "content", "type")
_INDEX, _SKIPPED = "index.csv", "skipped.csv"
_COLUMNS = ("id", *_GROUPS, "image", "annotation", "sha256_image", "sha256_annotation")
_READ_ERRORS = (OSError, pa.ArrowException, KeyError, ValueError, TypeError)


def open_artefact(
    revision: str | None = None,
    *,
    labels: Sequence[str] = (),
    ignore: Sequence[str] = (),
    cache: Path | None = None,
) -> AnnotatedSet:
    """Open ``artefact[@REVISION]``, as it was fetched or imported. Files are checked when they are loaded.

    Parameters
    ----------
    revision
        A commit, or the version that an import reported. Default: `REVISION`.
    labels
        Numbers or names in `DAMAGE` that count as craquelure. Default: "Cracks" (9).
    ignore
        Numbers or names that are not scored; 255 never is. All others are background.
    cache
        Where it was unpacked; default: the cache folder.

    Raises
    ------
    AnnotationError
        If the revision is not here; the message says how to get it.
    UsageError
        If there is no such label.
    """
    version = revision or REVISION
    folder = _home(cache) / version
    if not (folder / _INDEX).is_file():
        raise AnnotationError(_absent(version, cache))
    code = _code(labels or (str(CRACKS),), ignore)
    rows = read_table(folder / _INDEX, _COLUMNS)
    files = {row["id"]: _files(folder, row) for row in rows}
    return AnnotatedSet(
        name=NAME,
        version=version,
        origin=f"{NAME}@{version}" + _spelled("label", labels) + _spelled("ignore", ignore),
        classes=CLASSES[:2],
        licence=LICENCE,
        items=tuple(_item(row, version) for row in rows),
        contents=tuple(content_of(files[row["id"]], code) for row in rows),
        reader=FileReader(files, code, MOST_PX),
        skipped=tuple(
            Skipped(row["path"], row["reason"]) for row in read_table(folder / _SKIPPED, ("path", "reason"))
        ),
    )


def present(cache: Path | None = None) -> list[str]:
    """Return the versions that are unpacked in the cache."""
    found = (path.parent.name for path in _home(cache).glob(f"*/{_INDEX}"))
    return sorted(name for name in found if not name.startswith("."))


def fetch(revision: str | None = None, *, cache: Path | None = None, progress: Progress | None = None) -> str:
    """Download a revision from the Hub and unpack it; return its commit.

    A download that was interrupted goes on where it stopped.

    Parameters
    ----------
    revision
        A commit, a branch or a tag. Default: `REVISION`.
    cache
        Where it belongs; default: the cache folder.
    progress
        Stage "unpacking".

    Raises
    ------
    AnnotationError
        If the Hub cannot be reached or has no such revision, or a file is not what was expected.
    """
    # huggingface_hub takes a second to import, and only fetching needs it.
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415

    from craqbench.hub_client import explained  # noqa: PLC0415

    wanted = revision or REVISION
    try:
        with explained(REPOSITORY, wanted):
            commit = HfApi().dataset_info(REPOSITORY, revision=wanted).sha or wanted
            if commit in present(cache):
                return commit
            parts = _home(cache) / f".{commit}.download"
            snapshot_download(
                REPOSITORY,
                repo_type="dataset",
                revision=commit,
                local_dir=parts,
                allow_patterns=["data/*.parquet"],
            )
    except (SourceError, OSError) as error:
        raise AnnotationError(f"cannot fetch set {NAME}@{wanted}: {' '.join(str(error).split())}") from error
    _unpack(_parquet_files(parts), _home(cache) / commit, progress)
    shutil.rmtree(parts, ignore_errors=True)
    return commit


def import_files(folder: Path, *, cache: Path | None = None, progress: Progress | None = None) -> str:
    """Unpack Parquet files of the dataset that lie in a folder; return the version to open it by.

    The version is a digest of the content: which commit the files are of, nobody can tell.

    Raises
    ------
    AnnotationError
        If there are no Parquet files, or they are not of this dataset.
    """
    home = _home(cache)
    scratch = home / ".import"
    shutil.rmtree(scratch, ignore_errors=True)  # of an import that was killed
    try:
        index = _unpack(_parquet_files(folder), scratch, progress)
        version = f"import-{sha256_of(index)[:12]}"
        if version not in present(cache):
            shutil.rmtree(home / version, ignore_errors=True)
            scratch.replace(home / version)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return version


def _home(cache: Path | None) -> Path:
    return (cache or cache_folder()) / NAME


def _absent(version: str, cache: Path | None) -> str:
    here = "".join(f" (here: {NAME}@{other})" for other in present(cache))
    wanted = NAME if version == REVISION else f"{NAME}@{version}"
    return (
        f"set {NAME}@{version} is not here{here}: run 'craqbench data fetch {wanted}' (4.1 GB), or "
        f"'craqbench data import {NAME} --from DIR' with a folder of its Parquet files"
    )


def _code(labels: Sequence[str], ignore: Sequence[str]) -> MaskCode:
    cracks = {_number(text) for text in labels}
    left_out = {VOID, *(_number(text) for text in ignore)}
    both = cracks & left_out
    if both:
        raise UsageError(f"label {listed(sorted(both))} of {NAME}: expected either label or ignore, not both")
    meaning = {number: -1 if number in left_out else int(number in cracks) for number in range(len(DAMAGE))}
    return MaskCode(CLASSES[:2], meaning | {VOID: -1})


def _number(text: str) -> int:
    names = [name.lower() for name in DAMAGE]
    if text.lower() in names:
        return names.index(text.lower())
    if text.isdecimal() and int(text) < len(DAMAGE):
        return int(text)
    raise UsageError(
        f"label {text!r} of {NAME}: expected 0 to {len(DAMAGE) - 1} or one of {', '.join(DAMAGE)}"
    )


def _spelled(option: str, values: Sequence[str]) -> str:
    return "".join(f",{option}={value}" for value in values)


def _files(folder: Path, row: Mapping[str, str]) -> Files:
    image = File(folder / row["image"], row["sha256_image"])
    return Files(image, File(folder / row["annotation"], row["sha256_annotation"]))


def _item(row: Mapping[str, str], version: str) -> Item:
    attributes = {name: row[name] for name in _GROUPS if row[name]}
    return Item(row["id"], row["id"], attributes, LICENCE, f"{REPOSITORY}@{version}")


def _parquet_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("data/*.parquet")) or sorted(folder.glob("*.parquet"))
    if not files:
        raise AnnotationError(
            f"{str(folder)!r} holds no *.parquet and no data/*.parquet: expected the files of {REPOSITORY}"
        )
    return files


class _Row(NamedTuple):
    """A row of the dataset: its texts, and the bytes of its pictures."""

    texts: dict[str, str]
    image: bytes | None
    annotation: bytes | None


def _unpack(parts: Sequence[Path], folder: Path, progress: Progress | None) -> bytes:
    """Write pictures as files; the index comes last and makes the set complete. Returns the index."""
    total = sum(_count(path) for path in parts)
    rows: list[dict[str, str]] = []
    skipped: list[dict[str, str]] = []
    seen: set[str] = set()
    for done, row in enumerate(_rows(parts)):
        if progress:
            progress("unpacking", done, total)
        reason = f"a second row with id {row.texts['id']!r}" if row.texts["id"] in seen else _fault(row)
        seen.add(row.texts["id"])
        if reason:
            skipped.append({"path": row.texts["id"], "reason": reason})
        else:
            rows.append(_written(folder, done, row))
    if not rows:
        reasons = "; ".join(f"{row['path']}: {row['reason']}" for row in skipped[:3])
        raise AnnotationError(f"{parts[0].parent} has no usable row of {REPOSITORY}: {reasons}")
    write_file(folder / _SKIPPED, _table(("path", "reason"), skipped))
    index = _table(_COLUMNS, rows)
    write_file(folder / _INDEX, index)
    return index


def _count(path: Path) -> int:
    try:
        with pq.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except _READ_ERRORS as error:
        raise AnnotationError(f"{path} cannot be read: {error}") from error


def _rows(parts: Sequence[Path]) -> Iterator[_Row]:
    columns = ["id", "image", "annotation", *_GROUPS]
    for path in parts:
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                absent = [name for name in columns if name not in file.schema_arrow.names]
                if absent:
                    expected = ", ".join(absent)
                    raise AnnotationError(
                        f"{path} is no part of {REPOSITORY}: expected also columns {expected}"
                    )
                for batch in file.iter_batches(batch_size=1, columns=columns, use_threads=False):
                    for cells in batch.to_pylist():
                        texts = {name: str(cells[name] or "") for name in ("id", *_GROUPS)}
                        yield _Row(texts, _bytes(cells["image"]), _bytes(cells["annotation"]))
        except _READ_ERRORS as error:
            raise AnnotationError(f"{path} cannot be read: {error}") from error


def _bytes(cell: Any) -> bytes | None:
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return data if isinstance(data, bytes) else None


def _fault(row: _Row) -> str:
    """Say why a row cannot be used: the set is another's, and its users cannot mend it."""
    if not row.image or not row.annotation:
        return "no image" if not row.image else "no annotation"
    try:
        values = decode_values(row.annotation, MOST_PX)
        check_sizes(values.shape, decode_image(row.image, MOST_PX).shape)
    except ValueError as error:
        return str(error)
    unknown = set(np.unique(values).tolist()) - {*range(len(DAMAGE)), VOID}
    return f"annotation values {listed(sorted(unknown))}: expected 0 to 15 and 255" if unknown else ""


def _written(folder: Path, number: int, row: _Row) -> dict[str, str]:
    image, annotation = row.image or b"", row.annotation or b""
    names = {"image": f"images/{number:05d}", "annotation": f"annotations/{number:05d}"}
    write_file(folder / names["image"], image)
    write_file(folder / names["annotation"], annotation)
    return {
        **row.texts,
        **names,
        "sha256_image": sha256_of(image),
        "sha256_annotation": sha256_of(annotation),
    }


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()

"""A dataset on disk: its manifest, and reading its rows."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from craqbench.codecs import decode_image, decode_labels, decode_mask
from craqbench.configuration import FORMAT, Config, Shard, code_digest, fingerprint, system, versions
from craqbench.errors import DatasetError
from craqbench.paintings import Skipped
from craqbench.shards import READ_ERRORS, Record, first_line, read_cells
from craqbench.storage import is_leftover, on_disk, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from craqbench.sources import Source
    from generators.triplets import Image, Labels, Mask

__all__ = ["CARD", "MANIFEST", "SAMPLE", "Row", "load_manifest", "read_rows"]

MANIFEST, CARD, SAMPLE = "manifest.json", "README.md", "sample.png"
_KIND = "craqbench dataset"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A row of a dataset, decoded.

    Attributes
    ----------
    id, index, split
        Such as "mixed-0-0000123", 123 and "train".
    image, damaged
        (H, W, 3) uint8 RGB.
    labels
        (H, W) uint8 class numbers, see `generators.triplets.CLASSES`.
    meta
        What was drawn.
    painting, title, artist, licence, source
        Of the clean painting.
    """

    id: str
    index: int
    split: str
    image: Image
    labels: Labels
    damaged: Image
    meta: dict[str, Any] = field(repr=False)
    painting: str
    title: str
    artist: str
    licence: str
    source: str

    @property
    def mask(self) -> Mask:
        """(H, W) bool: any damage."""
        return self.labels > 0


def load_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a dataset.

    Raises
    ------
    DatasetError
        If the folder is missing, or no dataset of ours, or of another format.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise DatasetError(
            f"dataset {str(folder)!r} does not exist: expected a folder of 'craqbench generate'"
        )
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DatasetError(f"{str(folder)!r} is no craqbench dataset: expected {MANIFEST} in it") from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        raise DatasetError(f'{path} is not of ours: expected "kind": "{_KIND}"')
    if manifest.get("format") != FORMAT:
        raise DatasetError(f"{path} has format {manifest.get('format')}: this craqbench reads {FORMAT}")
    return manifest


def read_rows(folder: Path, *, limit: int | None = None, split: str | None = None) -> Iterator[Row]:
    """Read the rows of a finished dataset in the order of their index, one at a time.

    Raises
    ------
    DatasetError
        If the folder is no dataset, is not complete, has no such split, or a file cannot be read.
    """
    manifest = load_manifest(folder)
    names = list(manifest["splits"])
    if not manifest["complete"]:
        raise DatasetError(f"dataset {str(folder)!r} is not complete: run its 'craqbench generate' again")
    if split is not None and split not in names:
        raise DatasetError(f"split {split!r} of {str(folder)!r}: expected one of {', '.join(names)}")
    chosen = [item for item in manifest["shards"] if split in (None, item["split"])]
    rows = itertools.chain.from_iterable(
        _rows_of_shard(folder, item["file"], item["split"]) for item in chosen
    )
    return itertools.islice(rows, limit)


def _rows_of_shard(folder: Path, file: str, split: str) -> Iterator[Row]:
    try:
        for cells in read_cells(folder / file):
            yield decode_row(cells, split)
    except READ_ERRORS as error:
        message = f"{folder / file} cannot be read: {first_line(error)}: 'craqbench verify' lists all faults"
        raise DatasetError(message) from error


def decode_row(cells: Mapping[str, Any], split: str) -> Row:
    """Decode the cells of a row.

    Raises
    ------
    ValueError, KeyError, TypeError
        If a picture is broken or a column is missing.
    """
    return Row(
        id=cells["id"],
        index=cells["index"],
        split=split,
        image=decode_image(cells["image"]),
        labels=decode_labels(cells["labels"])
        if "labels" in cells
        else decode_mask(cells["mask"]).view(np.uint8),
        damaged=decode_image(cells["damaged"]),
        meta=json.loads(cells["meta"]),
        painting=cells["painting"],
        title=cells["title"],
        artist=cells["artist"],
        licence=cells["licence"],
        source=cells["source"],
    )


def describe(config: Config, source: Source, records: Sequence[Record]) -> dict[str, Any]:
    """Return the manifest of a dataset: complete if there are records of all shards."""
    recipe = config.recipe
    return {
        "kind": _KIND,
        "format": FORMAT,
        "complete": bool(records),
        "fingerprint": fingerprint(config, source.fingerprint),
        "options": {"source": source.name, **config.options()},
        "recipe": {
            "name": recipe.name,
            "version": recipe.version,
            "number": recipe.number,
            "summary": recipe.summary,
            "settings": recipe.settings(),
            "soft_edge": recipe.soft_edge,
            "classes": list(recipe.classes),
        },
        "seed": config.seed,
        "rows": config.n,
        "size": list(config.size),
        "fit": config.fit,
        "codec": config.codec,
        "splits": dict(config.rows_of_splits()),
        "versions": versions(),
        "code": code_digest(recipe),
        "system": system(),
        "source": {
            "kind": source.kind,
            "name": source.name,
            "fingerprint": source.fingerprint,
            **source.facts,
            "paintings": [asdict(painting) for painting in source.paintings],
            "skipped": [asdict(skipped) for skipped in source.skipped],
        },
        "shards": [asdict(record) for record in records],
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest atomically: two processes that end together write the same bytes."""
    write_file(folder / MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def note_passed_over(folder: Path, manifest: dict[str, Any]) -> tuple[Skipped, ...]:
    """Add to a complete manifest the images that rows found unusable, see `craqbench.sources.draw`.

    Returns
    -------
    All skipped images, sorted by path. Only of the Hub is any image not looked at before it is used.

    Raises
    ------
    DatasetError
        If a shard cannot be read.
    """
    source = manifest["source"]
    found = {Skipped(**item) for item in source["skipped"]}
    if source["kind"] == "hub":
        for shard in manifest["shards"]:
            found |= _passed_over(folder / shard["file"])
    skipped = tuple(sorted(found, key=lambda item: item.path))
    source["skipped"] = [asdict(item) for item in skipped]
    return skipped


def _passed_over(path: Path) -> set[Skipped]:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            metas = [text for batch in file.iter_batches(columns=["meta"]) for text in batch[0].to_pylist()]
    except READ_ERRORS as error:
        raise DatasetError(f"{path} cannot be read: {first_line(error)}") from error
    told = [json.loads(meta)["passed_over"] for meta in metas if '"passed_over":' in meta]
    return {Skipped(**item) for items in told for item in items}


def refuse_strangers(folder: Path) -> None:
    """Check, before any work, that a folder is new, empty, or a dataset of ours.

    Raises
    ------
    DatasetError
        If it holds other files, or a manifest that cannot be read.
    StorageError
        If it is a file, or cannot be read.
    """
    with on_disk(folder):
        if not folder.exists():
            return
        names = sorted(path.name for path in folder.iterdir() if not is_leftover(path))
    if MANIFEST in names:
        load_manifest(folder)
    elif names:
        found = f"folder {str(folder)!r} is not empty ({_few(names)})"
        raise DatasetError(f"{found}: expected a new folder or a dataset of ours")


def claim(folder: Path, manifest: Mapping[str, Any], shards: Sequence[Shard]) -> None:
    """Make a folder the home of a dataset, or check that it is already.

    Raises
    ------
    DatasetError
        If it is that of a dataset of another configuration or code version (both fingerprints and
        each difference are named), or there are strange files among the shards.
    StorageError
        If it cannot be written to.
    """
    if not (folder / MANIFEST).exists():
        write_manifest(folder, manifest)
        return
    _check_same(folder, load_manifest(folder), manifest)
    strange = strangers(folder, [shard.file for shard in shards])
    if strange:
        found = f"{_few(strange)} in {str(folder)!r}"
        raise DatasetError(f"{found}: expected none but the dataset's {len(shards)} shards")


def strangers(folder: Path, files: Sequence[str]) -> list[str]:
    """Return the files in ``data/`` that are not among `files`, sorted."""
    data = folder / "data"
    found = data.iterdir() if data.is_dir() else ()
    return sorted({f"data/{path.name}" for path in found if not is_leftover(path)} - set(files))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _check_same(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    if old.get("fingerprint") == new["fingerprint"]:
        return
    found = f"{str(folder)!r} holds a dataset of another configuration or code version"
    lines = [
        f"{found}: expected the same command, or another folder",
        *(f"  {name}: {then} there, {now} now" for name, then, now in _differences(old, new)),
        f"  fingerprint there: {old.get('fingerprint')}",
        f"  fingerprint now:   {new['fingerprint']}",
    ]
    raise DatasetError("\n".join(lines))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Yield (what, then, now) for everything that a fingerprint is made of."""
    then, now = _flat(old), _flat(new)
    for name in sorted(then.keys() | now.keys(), key=list({**now, **then}).index):
        if then.get(name) != now.get(name):
            yield name, then.get(name, "nothing"), now.get(name, "nothing")


def _flat(manifest: Mapping[str, Any]) -> dict[str, object]:
    options, source = dict(manifest.get("options", {})), manifest.get("source", {})
    settings, splits = options.pop("set", {}), options.pop("split", {})
    return {
        **{
            f"--{name}" if " " not in name else name: value
            for name, value in options.items()
            if name != "source"
        },
        **{f"--set {name}": value for name, value in settings.items()},
        "--split": ",".join(f"{name}={fraction:g}" for name, fraction in splits.items()),
        **({"--source": source.get("name")} if source.get("kind") == "hub" else {}),
        "--source (digest of its paintings)": str(source.get("fingerprint"))[:12],
        "code (digest)": str(manifest.get("code"))[:12],
        **{f"version of {name}": value for name, value in manifest.get("versions", {}).items()},
    }

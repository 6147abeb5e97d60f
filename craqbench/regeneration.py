"""Make one row of a dataset again from what its manifest says, and compare it with the row on the disk."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from craqbench.codecs import decode_image, encode_image
from craqbench.configuration import Config, code_digest, fingerprint, versions
from craqbench.dataset import load_manifest
from craqbench.errors import DatasetError, SourceError, UsageError
from craqbench.folders import FolderSource
from craqbench.paintings import Painting, decode_painting
from craqbench.rows import make_row, open_job
from craqbench.shards import PICTURES, READ_ERRORS, first_line
from craqbench.sources import open_source
from craqbench.storage import write_file
from generators.recipes import RECIPES, with_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from craqbench.shards import Cells
    from craqbench.sources import Source
    from generators.triplets import Image, Recipe

__all__ = ["Regenerated", "regenerate", "write_row"]

_PACKAGES = {"numpy": "numpy", "opencv": "opencv-python-headless", "pyarrow": "pyarrow", "pillow": "pillow"}
"""What `pip` calls what a manifest gives versions of. JPEG and WebP libraries come with Pillow."""


@dataclass(frozen=True)
class Regenerated:
    """A row made again: the same bytes.

    Attributes
    ----------
    id, index, split
        Of the row.
    cells
        Column -> str, int, or bytes of a picture, as in a shard.
    compared
        The shard that holds the same row; empty if it is not in the folder.
    changed
        How this installation differs from the one that made the dataset: without effect on this row.
    """

    id: str
    index: int
    split: str
    cells: Cells
    compared: str
    changed: tuple[str, ...]


def regenerate(folder: Path, row: str, *, source: str | None = None) -> Regenerated:
    """Make a row again; its shard need not be there, only the manifest.

    Parameters
    ----------
    folder
        The dataset.
    row
        Id of a row, or its index.
    source
        Where the folder of its paintings is now; only the one that the row needs must be in it. Not
        needed for procedural canvases.

    Raises
    ------
    UsageError, SourceError
        If there is no such row, or its painting is missing or another one.
    DatasetError
        If there is no readable manifest; if the row differs from the one in the shard; or, without the
        shard, if this is not the installation that is sure to make the same bytes. The message says what
        differs and what to install.
    """
    manifest = load_manifest(folder)
    config = _config(manifest)
    index = _index(manifest, row)
    split = _split(config, index)
    job = open_job(config, _source(manifest, config, source), folder)
    changed = tuple(_changes(manifest, config, job.fingerprint))
    cells = make_row(job, split, index)
    file, stored = _stored(folder, manifest, index)
    if stored is not None:
        _check_equal(folder / file, cells, stored, manifest, changed)
    elif changed:
        reason = "nothing to compare with, and this is not the installation that made it"
        raise DatasetError(f"row {cells['id']} of {str(folder)!r}: {reason}{_advice(manifest, changed)}")
    return Regenerated(cells["id"], index, split, cells, file if stored else "", changed)


def write_row(made: Regenerated, out: Path, *, png: bool = False) -> list[Path]:
    """Write the pictures of a row and, as JSON, its other columns; return the files.

    Parameters
    ----------
    made
        The row.
    out
        A folder; made if absent.
    png
        Write image and damaged picture as PNG, whatever the dataset has them in. Otherwise the files are
        the cells, byte for byte.

    Raises
    ------
    StorageError
        If the disk is full, read-only or gone.
    """
    contents = {}
    for name in (name for name in PICTURES if name in made.cells):
        data = made.cells[name]
        if png and not _is_png(data):
            data = encode_image(decode_image(data), "png")
        contents[f"{made.id}-{name}.{'png' if _is_png(data) else 'webp'}"] = data
    texts = {name: cell for name, cell in made.cells.items() if name not in PICTURES}
    contents[f"{made.id}.json"] = (json.dumps(texts, indent=2, ensure_ascii=False) + "\n").encode()
    for name, data in contents.items():
        write_file(out / name, data)
    return [out / name for name in contents]


def _is_png(data: bytes) -> bool:
    return data.startswith(b"\x89PNG")


def _config(manifest: Mapping[str, Any]) -> Config:
    """Return the options that a dataset was made with."""
    options = manifest["options"]
    try:
        return Config(
            n=options["n"],
            recipe=_recipe(manifest),
            source=options["source"],
            size=tuple(manifest["size"]),
            seed=options["seed"],
            fit=options["fit"],
            codec=options["codec"],
            shard_size=options["shard-size"],
            splits=tuple(options["split"].items()),
        )
    except (KeyError, TypeError, ValueError, UsageError) as error:
        advice = _advice(manifest, ())
        raise DatasetError(f"this craqbench cannot do what the manifest says ({error}){advice}") from error


def _recipe(manifest: Mapping[str, Any]) -> Recipe:
    recipe = RECIPES[manifest["recipe"]["name"]]
    known = {field.name: getattr(recipe.parameters, field.name) for field in fields(recipe.parameters)}
    settings = {
        name: tuple(value) if isinstance(known.get(name), tuple) else value
        for name, value in manifest["options"]["set"].items()
    }
    return with_settings(recipe, settings) if settings else recipe


def _index(manifest: Mapping[str, Any], row: str) -> int:
    """Return the index of a row that is named by its id or its index."""
    last, start = manifest["rows"] - 1, f"{manifest['recipe']['name']}-{manifest['seed']}-"
    digits = row.removeprefix(start)
    if not re.fullmatch(r"[0-9]{1,18}", digits) or int(digits) > last:
        raise UsageError(f"row {row!r}: expected {start}{0:07d} to {start}{last:07d}, or 0 to {last}")
    return int(digits)


def _split(config: Config, index: int) -> str:
    for name, rows in config.rows_of_splits():
        if index < rows:
            return name
        index -= rows
    raise UsageError(f"row {index}: beyond the last")


class _ListedSource(FolderSource):
    """The paintings that a manifest lists, in a folder: read one by one, and only if they are the same."""

    def painting(self, index: int) -> Image:
        """Read a painting."""
        expected = self.paintings[index]
        path = self.folder / expected.id
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SourceError(
                f"painting {path}: {error.strerror}: expected --source with where the paintings are now"
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != expected.sha256:
            raise SourceError(
                f"painting {path} has sha256 {found}: expected {expected.sha256}, as at the time"
            )
        return decode_painting(data)


def _source(manifest: Mapping[str, Any], config: Config, spec: str | None) -> Source:
    told = manifest["source"]
    if told["kind"] != "folder":
        return open_source(spec or config.source, size=config.size, seed=config.seed)
    if spec is None:
        count = len(told["paintings"])
        made_from = f"the dataset is made from {count:,} paintings in a folder {told['name']!r}"
        raise SourceError(f"{made_from}: expected --source with where it is now")
    paintings = tuple(Painting(**item) for item in told["paintings"])
    return _ListedSource(Path(spec).expanduser(), paintings, (), told["fingerprint"], ())


def _stored(folder: Path, manifest: Mapping[str, Any], index: int) -> tuple[str, dict[str, Any] | None]:
    """Return the shard of a row, and the row's cells if the shard is there."""
    for item in manifest["shards"]:
        if item["first"] <= index < item["first"] + item["rows"]:
            path = folder / item["file"]
            return item["file"], _read(path, index - item["first"]) if path.exists() else None
    return "", None


def _read(path: Path, number: int) -> dict[str, Any]:
    """Read one row of a shard, and no more of the file than its row group."""
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if number < rows:
                    (row,) = file.read_row_group(group).slice(number, 1).to_pylist()
                    return {name: cell["bytes"] if name in PICTURES else cell for name, cell in row.items()}
                number -= rows
    except READ_ERRORS as error:
        raise DatasetError(
            f"{path} cannot be read: {first_line(error)}: 'craqbench verify' lists all faults"
        ) from error
    raise DatasetError(f"{path} has fewer rows than the manifest says: 'craqbench verify' lists all faults")


def _check_equal(
    path: Path, cells: Cells, stored: Cells, manifest: Mapping[str, Any], changed: tuple[str, ...]
) -> None:
    differing = [name for name in {**stored, **cells} if stored.get(name) != cells.get(name)]
    if not differing:
        return
    found = f"row {cells['id']}: made again, it differs from {path} in {', '.join(differing)}"
    if changed:
        raise DatasetError(f"{found}: this is not the installation that made it{_advice(manifest, changed)}")
    raise DatasetError(
        f"{found}: expected the same bytes; 'craqbench verify' tells whether the file is sound"
    )


def _changes(manifest: Mapping[str, Any], config: Config, digest: str) -> Iterator[str]:
    """Yield how this installation differs from the one that made a dataset, if it does."""
    if digest == manifest["fingerprint"]:
        return
    there, here = manifest["versions"], versions()
    for name in {**there, **here}:
        if there.get(name) != here.get(name):
            yield f"{name}: {there.get(name)} there, {here.get(name)} here"
    code = code_digest(config.recipe)
    if manifest["code"] != code:
        yield f"code of craqbench {there.get('craqbench')}: {manifest['code'][:12]} there, {code[:12]} here"
    if fingerprint(config, manifest["source"]["fingerprint"]) != digest:
        yield "source: other paintings"


def _advice(manifest: Mapping[str, Any], changed: tuple[str, ...]) -> str:
    """Return the differences, and what to install."""
    there, here = manifest["versions"], versions()
    wanted = [f"'craqbench=={there.get('craqbench')}'"]
    for name, package in _PACKAGES.items():
        if there.get(name) != here.get(name):
            exact = f"{there.get(name)}.*" if name == "opencv" else there.get(name)
            wanted.append(f"'{package}=={exact}'")
    lines = [*(f"  {line}" for line in changed), f"  to install: pip install {' '.join(wanted)}"]
    return ":\n" + "\n".join(lines)

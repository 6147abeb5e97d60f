"""The set ``nga-val``: its masks ship with the package, its images are fetched or imported, never shipped.

Twenty close-ups of 17th-century Dutch and Flemish oils; see ``annotated_data/README.md``. An image is the
first 256 x 256 px of a file in a pinned commit; whichever way it comes, its pixels are compared with a
digest made when it was annotated. (There is a digest of the crop as a PNG file, too, but encoders have
versions.)
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from craqbench.annotated_files import decode_values, guess_code, read_table
from craqbench.annotated_folder import File, check_sizes, naming, read_unchanged
from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item, digest_of_pixels, sha256_of
from craqbench.codecs import decode_image, encode_image
from craqbench.downloads import cache_folder, download
from craqbench.errors import AnnotationError
from craqbench.storage import write_file
from generators.triplets import CLASSES

if TYPE_CHECKING:
    from craqbench.engines import Progress
    from generators.triplets import Image

__all__ = ["NAME", "Shipped", "fetch", "import_images", "missing", "open_nga"]

NAME, VERSION = "nga-val", "1"
LICENCE = "masks CC0-1.0; images: National Gallery of Art open access"

REPOSITORY = "seoho926/art-forgery-craquelure"
COMMIT = "8db7b2e91f479446f38bb798a2c9484c7205330a"
BASE = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}"
BASE_VARIABLE = "CRAQBENCH_NGA_URL"
"""Environment variable with the address of a mirror of that commit, in place of `BASE`."""

SIDE = 256
SHIPPED = Path(__file__).parent / "annotated_data" / NAME
HOW = f"run 'craqbench data fetch {NAME}', or 'craqbench data import {NAME} --from DIR'"

_COLUMNS = ("id", "school", "polarity", "second_annotator", "source_path")
_DIGESTS = ("sha256_source", "sha256_pixels", "sha256_mask", "sha256_mask_second")


@dataclass(frozen=True)
class Shipped:
    """The folder with masks and manifest, and the folder where images are kept.

    Attributes
    ----------
    folder
        ``manifest.csv``, ``masks/``, ``masks_second/``.
    images
        ``ID.png`` each, once they are fetched.
    """

    folder: Path = SHIPPED
    images: Path = Path()

    @classmethod
    def here(cls) -> Shipped:
        """Return the masks of this package and the images of this machine's cache."""
        return cls(SHIPPED, cache_folder() / NAME)

    def rows(self) -> dict[str, dict[str, str]]:
        """Return the manifest by id."""
        return {row["id"]: row for row in read_table(self.folder / "manifest.csv", (*_COLUMNS, *_DIGESTS))}

    def image(self, name: str) -> Path:
        """Return where an image is kept."""
        return self.images / f"{name}.png"


@dataclass(frozen=True)
class NgaReader:
    """Reads close-ups and their masks.

    Attributes
    ----------
    shipped
        Where they lie.
    rows
        Of the manifest, by id.
    """

    shipped: Shipped
    rows: Mapping[str, Mapping[str, str]]

    def read(self, item: Item) -> Annotated:
        """Read an item, see `craqbench.annotations.Reader`."""
        row = self.rows[item.id]
        image = self._image(item.id, row["sha256_pixels"])
        first = self._mask("masks", item.id, row["sha256_mask"])
        second = row["sha256_mask_second"]
        return Annotated(image, first, self._mask("masks_second", item.id, second) if second else None)

    def _image(self, name: str, sha256: str) -> Image:
        path = self.shipped.image(name)
        with naming(path):
            try:
                image = decode_image(path.read_bytes())
            except OSError as error:
                raise AnnotationError(f"{path}: {error.strerror}: {HOW}") from error
            found = digest_of_pixels(image)
            if found != sha256:
                raise ValueError(f"pixels with sha256 {found}: expected {sha256}: remove the file and {HOW}")
        return image

    def _mask(self, kind: str, name: str, sha256: str) -> Annotation:
        path = self.shipped.folder / kind / f"{name}.png"
        data = read_unchanged(File(path, sha256))
        with naming(path):
            values = decode_values(data)
            check_sizes(values.shape, (SIDE, SIDE))
            return guess_code((0, 128, 255)).annotation(values)


def open_nga(shipped: Shipped | None = None) -> AnnotatedSet:
    """Open ``nga-val``. Images and masks are checked when they are loaded.

    Raises
    ------
    AnnotationError
        If images are missing; the message says how to get them.
    """
    shipped = shipped or Shipped.here()
    rows, absent = shipped.rows(), missing(shipped)
    if absent:
        raise AnnotationError(f"set {NAME}: {len(absent)} of {len(rows)} images are not here: {HOW}")
    items = tuple(
        Item(
            id=name,
            painting=name,  # which painting a close-up shows is not recorded
            attributes={"school": row["school"], "polarity": row["polarity"]},
            licence="National Gallery of Art open access",
            source=f"https://github.com/{REPOSITORY}/blob/{COMMIT}/{row['source_path']}",
        )
        for name, row in rows.items()
    )
    return AnnotatedSet(
        name=NAME,
        version=VERSION,
        origin=NAME,
        classes=CLASSES[:2],
        licence=LICENCE,
        items=items,
        contents=tuple(sha256_of(" ".join(rows[i.id][c] for c in _DIGESTS[1:]).encode()) for i in items),
        reader=NgaReader(shipped, rows),
    )


def missing(shipped: Shipped) -> list[str]:
    """Return the ids of the images that are not in the cache."""
    return [name for name in shipped.rows() if not shipped.image(name).is_file()]


def fetch(
    shipped: Shipped | None = None, *, base: str | None = None, progress: Progress | None = None
) -> int:
    """Download the images that are missing, check them, and keep them; return how many.

    Parameters
    ----------
    shipped
        Where they belong.
    base
        Address in place of `BASE`; ``source_path`` is appended. Default: ``CRAQBENCH_NGA_URL``, or `BASE`.
    progress
        Stage "downloading images".

    Raises
    ------
    AnnotationError
        If a file cannot be downloaded or is not the annotated one. What came before it is kept: the next
        call goes on there.
    """
    shipped = shipped or Shipped.here()
    address = (base or os.environ.get(BASE_VARIABLE) or BASE).rstrip("/")
    rows, absent = shipped.rows(), missing(shipped)
    for done, name in enumerate(absent):
        if progress:
            progress("downloading images", done, len(absent))
        row = rows[name]
        url = f"{address}/{row['source_path']}"
        data = download(url)
        found = sha256_of(data)
        if found != row["sha256_source"]:
            raise AnnotationError(f"{url} has sha256 {found}: expected {row['sha256_source']}")
        with naming(Path(row["source_path"])):
            _keep(shipped, name, row, data)
    if progress:
        progress("downloading images", len(absent), len(absent))
    return len(absent)


def import_images(folder: Path, shipped: Shipped | None = None) -> int:
    """Take the images from a folder of the crops or a clone of the source; return how many.

    An image is looked for as ``ID.png``, under its path in the source, and under that path's last part.

    Raises
    ------
    AnnotationError
        If an image is not there, or its pixels are not the annotated ones. The good ones are kept.
    """
    shipped = shipped or Shipped.here()
    if not folder.is_dir():
        raise AnnotationError(f"folder {str(folder)!r} does not exist: expected the images of {NAME}")
    faults = []
    rows = shipped.rows()
    for name, row in rows.items():
        found = next((path for path in _places(folder, name, row["source_path"]) if path.is_file()), None)
        if found is None:
            faults.append(f"no {name}.png and no {row['source_path']}")
            continue
        try:
            with naming(found):
                _keep(shipped, name, row, found.read_bytes())
        except AnnotationError as error:
            faults.append(str(error))
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        shown = "; ".join(faults[:3])
        raise AnnotationError(
            f"{folder}: {len(faults)} of {len(rows)} images of {NAME} failed: {shown}{more}"
        )
    return len(rows)


def _places(folder: Path, name: str, source_path: str) -> Iterator[Path]:
    yield folder / f"{name}.png"
    yield folder / "images" / f"{name}.png"
    yield folder / source_path
    yield folder / Path(source_path).name


def _keep(shipped: Shipped, name: str, row: Mapping[str, str], data: bytes) -> None:
    """Cut the annotated part out of an image file, compare it, and write it to the cache."""
    image = _crop(data)
    found = digest_of_pixels(image)
    if found != row["sha256_pixels"]:
        raise ValueError(f"its first {SIDE} x {SIDE} px have sha256 {found}: expected {row['sha256_pixels']}")
    write_file(shipped.image(name), encode_image(image, "png"))


def _crop(data: bytes) -> Image:
    """Return the first px, alpha dropped and not blended: what lies under it is what was annotated."""
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            pixels, mode = np.asarray(picture), picture.mode
    except Exception as error:  # Pillow raises nearly anything on a broken file
        raise ValueError(f"no sound PNG ({type(error).__name__}: {error})") from error
    if mode not in ("RGB", "RGBA") or min(pixels.shape[:2]) < SIDE:
        size = f"{pixels.shape[1]} x {pixels.shape[0]} px"
        raise ValueError(f"{mode}, {size}: expected RGB or RGBA, {SIDE} px or more on each side")
    return np.ascontiguousarray(pixels[:SIDE, :SIDE, :3])

"""Crack-free paintings as an annotated set: whatever a detector reports there is a false alarm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from craqbench.annotated_folder import File, one_licence, read_unchanged
from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item
from craqbench.errors import AnnotationError, SourceError
from craqbench.folders import open_folder
from craqbench.paintings import decode_painting
from generators.triplets import CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from craqbench.engines import Progress

__all__ = ["CleanReader", "open_clean_folder"]


@dataclass(frozen=True)
class CleanReader:
    """Reads paintings of a folder.

    Attributes
    ----------
    files
        By the id of the item.
    """

    files: Mapping[str, File]

    def read(self, item: Item) -> Annotated:
        """Read a painting and an annotation without cracks, see `craqbench.annotations.Reader`."""
        file = self.files[item.id]
        data = read_unchanged(file)
        try:
            image = np.require(decode_painting(data), requirements="W")  # torch warns of read-only arrays
        except SourceError as error:
            raise AnnotationError(f"{file.path}: {error}") from error
        empty = np.zeros(image.shape[:2], np.uint8)
        return Annotated(image, Annotation(empty, empty.astype(np.bool_)))


def open_clean_folder(folder: Path, workers: int, progress: Progress | None) -> AnnotatedSet:
    """Open ``clean:DIR``: a folder of crack-free paintings, as `craqbench.sources.open_source` reads it.

    What cannot be used is listed in `AnnotatedSet.skipped`.

    Raises
    ------
    AnnotationError
        If the folder is missing, cannot be read or holds no usable image, or its index is malformed.
    """
    if not folder.is_dir():
        raise AnnotationError(f"clean set {str(folder)!r} does not exist: expected a folder of paintings")
    try:
        source = open_folder(str(folder), workers, progress)
    except SourceError as error:
        raise AnnotationError(f"clean set: {error}") from error
    items = tuple(Item(p.id, p.id, {}, p.licence, p.source) for p in source.paintings)
    return AnnotatedSet(
        name="clean",
        version="1",
        origin=f"clean:{source.name}",
        classes=CLASSES[:2],
        licence=one_licence(items),
        items=items,
        contents=tuple(painting.sha256 for painting in source.paintings),
        reader=CleanReader({p.id: File(folder / p.id, p.sha256) for p in source.paintings}),
        clean=True,
        skipped=source.skipped,
    )

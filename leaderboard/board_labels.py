"""The hidden labels of a board, as the scorer opens them: two annotated sets, and which is which."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from craqbench.annotated_files import decode_image
from craqbench.annotated_folder import open_annotated_folder
from craqbench.annotations import Annotated as AnnotatedImage
from craqbench.annotations import AnnotatedSet, Item, Reader, sha256_of
from craqbench.errors import AnnotationError
from leaderboard.board import BoardError, Digest

__all__ = ["FINAL", "LABELS", "NOW", "SIDES", "UNDAMAGED", "HiddenLabels", "load_labels", "open_side"]

LABELS = "labels.json"
NOW, FINAL = "board", "final"
SIDES = (NOW, FINAL)
"""Folders of what counts at once, and of what counts in the end."""

UNDAMAGED = "undamaged"
"""Folder beside images and masks: of restoration, the pictures without their damage."""


class HiddenLabels(BaseModel):
    """What lies in the private folder of a board.

    Attributes
    ----------
    board, version
        Whose labels they are.
    revision
        sha256 over the digests of the sets: any change of a label is another revision.
    sides
        `NOW`, and `FINAL` where there is one -> image ids.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1]
    board: str
    version: str
    revision: Digest
    sides: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]


def load_labels(private: Path) -> HiddenLabels:
    """Read ``labels.json`` of a private folder.

    Raises
    ------
    BoardError
        If there is none, or it is broken.
    """
    path = private / LABELS
    try:
        return HiddenLabels.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror or error}: expected the labels of a board") from error
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise BoardError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


@dataclass(frozen=True)
class _UndamagedReader:
    """Reads what another reader does, and the picture without its damage."""

    reader: Reader
    folder: Path
    digests: dict[str, str]

    def read(self, item: Item) -> AnnotatedImage:
        """Read an item, see `craqbench.annotations.Reader`."""
        path = self.folder / f"{item.id}.png"
        try:
            data = path.read_bytes()
            if sha256_of(data) != self.digests[item.id]:
                raise AnnotationError(f"{path} has changed since the set was opened: expected the same file")
            undamaged = decode_image(data)
        except (OSError, ValueError) as error:
            raise AnnotationError(f"{path}: {error}: expected the picture without damage") from error
        found = self.reader.read(item)
        if undamaged.shape != found.image.shape:
            raise AnnotationError(f"{path} has another size than the image: expected the same")
        return dataclasses.replace(found, undamaged=undamaged)


def open_side(private: Path, side: str) -> AnnotatedSet:
    """Open one side of the labels as an annotated set; its ids are those of the board.

    Parameters
    ----------
    private
        Folder of `leaderboard.board_making.make_board`.
    side
        `NOW` or `FINAL`.

    Raises
    ------
    AnnotationError
        If it is not there, or anything is wrong with any file.
    """
    opened = open_annotated_folder(private / side, 1, None)
    folder = private / side / UNDAMAGED
    if not folder.is_dir():
        return opened
    try:
        digests = {item.id: sha256_of((folder / f"{item.id}.png").read_bytes()) for item in opened}
    except OSError as error:
        raise AnnotationError(
            f"{error.filename}: {error.strerror}: expected all undamaged pictures"
        ) from error
    contents = tuple(
        sha256_of(f"{content} {digests[item.id]}".encode())
        for item, content in zip(opened.items, opened.contents, strict=True)
    )
    reader = _UndamagedReader(opened.reader, folder, digests)
    return dataclasses.replace(opened, contents=contents, reader=reader, undamaged=True)

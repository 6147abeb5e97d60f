"""The public description of a board, ``board.json``: what a submission is for, and no label.

Whoever submits and whoever receives share it: both check submissions against nothing else. It is made
together with the hidden labels, see `leaderboard.board_making`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from craqbench.errors import CraqbenchError
from leaderboard.submission_metadata import BoardName, BoardVersion, Task
from leaderboard.submission_parquet import ROW_GROUP_BYTES
from leaderboard.submission_png import GREY, RGB, most_bytes
from leaderboard.submission_text import JSON_BYTES

__all__ = [
    "BOARD",
    "BOARD_BYTES",
    "MOST_IMAGES",
    "MOST_VALUES",
    "Board",
    "BoardError",
    "BoardImage",
    "Limits",
    "board_bytes",
    "limits_of",
    "load_board",
    "read_board",
]

BOARD = "board.json"
BOARD_BYTES = 4_000_000
"""A description has at most so many bytes."""

MOST_IMAGES = 10_000
MOST_VALUES = 32_000_000
"""Most px of an image, times channels of what is predicted: what checking one picture takes of memory."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ImageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_%~-][A-Za-z0-9_.%~-]{0,119}$")]
"""The name of a file, too: `craqbench.annotations.Item.stem`."""

_Line = Annotated[str, Field(min_length=1, max_length=2000)]


class BoardError(CraqbenchError):
    """A description of a board that is absent, broken, or contradicts itself."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class BoardImage(_Model):
    """An image that everybody may have.

    Attributes
    ----------
    id
        Its file is ``images/ID.png``.
    width, height
        In px; predictions have the same.
    sha256
        Of the file.
    mask_sha256
        Of ``masks/ID.png``, white where to fill; of restoration only.
    """

    id: ImageId
    width: PositiveInt
    height: PositiveInt
    sha256: Digest
    mask_sha256: Digest | None = None


class Limits(_Model):
    """Most bytes of a submission.

    Attributes
    ----------
    metadata_bytes, predictions_bytes
        Of the two files.
    row_group_bytes
        Of a row group of the predictions, unpacked.
    """

    metadata_bytes: PositiveInt
    predictions_bytes: PositiveInt
    row_group_bytes: PositiveInt


class Board(_Model):
    """What a submission is for.

    Attributes
    ----------
    name, version
        The version goes up with any change of images, labels or classes.
    task
        "detection" or "restoration".
    classes
        What labels mean, background first; of restoration none.
    licence
        Of the images.
    images
        All of them. Which of them count at once, and which in the end, is not told.
    limits
        See `limits_of`.
    """

    format: Literal[1]
    name: BoardName
    version: BoardVersion
    task: Task
    classes: Annotated[tuple[_Line, ...], Field(max_length=3)]
    licence: _Line
    images: Annotated[tuple[BoardImage, ...], Field(min_length=1, max_length=MOST_IMAGES)]
    limits: Limits

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @property
    def channels(self) -> int:
        """Of what is predicted: `GREY` masks, or `RGB` images."""
        return GREY if self.task == "detection" else RGB

    @property
    def most_bytes(self) -> Mapping[str, int]:
        """Image id -> most bytes of a predicted picture."""
        return {image.id: most_bytes(image.width, image.height, self.channels) for image in self.images}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.task == "detection") != (len(self.classes) in (2, 3)):
            raise ValueError("classes: expected two or three for detection, and none for restoration")
        if len({image.id.lower() for image in self.images}) < len(self.images):
            raise ValueError("images: expected ids that differ, in small letters, too")
        for image in self.images:
            values = image.width * image.height * self.channels
            if values > MOST_VALUES:
                raise ValueError(f"images.{image.id}: {values:,} values: expected at most {MOST_VALUES:,}")
            if (image.mask_sha256 is None) != (self.task == "detection"):
                raise ValueError(f"images.{image.id}: expected a mask for restoration, and only then")
        return self


def limits_of(images: tuple[BoardImage, ...], task: Task) -> Limits:
    """Return the limits for images: of pictures that are not packed at all, and their table."""
    channels, pictures = (GREY, 2) if task == "detection" else (RGB, 1)
    pixels = sum(most_bytes(image.width, image.height, channels) for image in images)
    return Limits(
        metadata_bytes=JSON_BYTES,
        predictions_bytes=pictures * pixels + 4_000 * len(images) + 100_000,
        row_group_bytes=ROW_GROUP_BYTES,
    )


def board_bytes(board: Board) -> bytes:
    """Return a description as JSON, a line for each image."""
    content = board.model_dump(mode="json", exclude_none=True)
    images = ",\n  ".join(json.dumps(image) for image in content.pop("images"))
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return f'{text[:-2]},\n "images": [\n  {images}\n ]\n}}\n'.encode()


def read_board(data: bytes, origin: str) -> Board:
    """Read a description.

    Parameters
    ----------
    data
        JSON.
    origin
        Where it comes from, for the message.

    Raises
    ------
    BoardError
        If it is none.
    """
    if len(data) > BOARD_BYTES:
        raise BoardError(f"{origin}: {len(data):,} bytes: expected at most {BOARD_BYTES:,}")
    try:
        return Board.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise BoardError(f"{origin}: {place}: {fault['msg'].removeprefix('Value error, ')}") from None


def load_board(path: Path) -> Board:
    """Read a description from a file, or from ``board.json`` in a folder.

    Raises
    ------
    BoardError
        If there is none.
    """
    file = path / BOARD if path.is_dir() else path
    try:
        with file.open("rb") as opened:
            data = opened.read(BOARD_BYTES + 1)
    except OSError as error:
        raise BoardError(f"{file}: {error.strerror or error}: expected the description of a board") from error
    return read_board(data, str(file))

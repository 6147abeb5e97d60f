"""The rules of a submission, by the codes that refusals carry: for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from craqbench.errors import CraqbenchError

__all__ = ["RULES", "Refusal", "Refused", "quoted", "refused"]

RULES: Mapping[str, str] = MappingProxyType({
    "file-missing": "submission.json is there, and predictions.parquet unless the track is self-reported",
    "file-kind": "both are plain files",
    "file-size": "no file is empty, or larger than the board allows",
    "json-encoding": "submission.json is UTF-8 without a byte order mark",
    "json-syntax": "submission.json is one JSON object",
    "json-depth": "JSON is nested no deeper than four levels",
    "json-duplicate": "no JSON object has a name twice",
    "json-number": "numbers are finite and short",
    "field-missing": "every field without a default is given",
    "field-unknown": "there are no fields but those of a submission",
    "field-type": "each field has its type: a number is no text",
    "field-length": "texts and lists keep to their lengths",
    "field-value": "each field has a value that it may have",
    "text-control": "texts are one line without control, invisible or direction-changing characters",
    "text-unicode": "texts are in Unicode normal form C, of characters that are assigned",
    "text-marks": "no letter carries more than three combining marks",
    "text-space": "words are separated by single plain spaces, and none stands at an end",
    "text-markup": "texts are plain: no markup of HTML, Markdown or templates",
    "text-formula": "no text begins like a formula of a spreadsheet",
    "url": "addresses are https, of a public host, without a login or a port",
    "board": "board, version and task are those of the board",
    "classes": "predictions are of two classes, or of as many as the board has",
    "track": "a track's own fields are given: what is to be run again, or the figures that are reported",
    "parquet-format": "predictions.parquet is a sound Parquet file, not encrypted",
    "parquet-footer": "its footer is no larger than the board needs",
    "parquet-columns": "its columns are exactly those of the task, none twice",
    "parquet-types": "image_id is a column of texts, pictures are columns of bytes, nothing is nested",
    "parquet-rows": "it has one row for each image of the board",
    "parquet-row-groups": "row groups are no more than rows, and none is too large to be read at once",
    "parquet-sizes": "its columns unpack to no more bytes than the board allows",
    "parquet-content": "its pages hold what the footer says",
    "parquet-null": "no cell is empty",
    "id-unknown": "each image_id is one of the board's",
    "id-duplicate": "no image_id comes twice",
    "id-missing": "no image of the board is left out",
    "png-format": "each picture is a PNG file, its chunks whole, in order, with the right check sums",
    "png-size": "no picture has more bytes than one without any compression needs",
    "png-chunks": "a PNG has no chunks but IHDR, IDAT, IEND and a few harmless ones of fixed length",
    "png-trailing": "nothing follows the end of a PNG",
    "png-dimensions": "each picture is as large as the image",
    "png-depth": "pictures have 8 bits per channel",
    "png-colour": "masks and scores are grey, restored images RGB: no palette, no alpha",
    "png-interlaced": "pictures are not interlaced",
    "png-data": "the data of a PNG unpack to exactly its px",
    "png-values": "masks hold 0 and 255, or, of three classes, 0, 1 and 2",
    "resources": "checking takes no more memory and time than the board's pictures need",
    "account": "an account's name is 1 to 64 letters, digits, '-', '_' and '.'",
    "quota-day": "one submission a day is scored for each account on a board",
    "quota-quarter": "ten submissions a quarter are scored for each account on a board",
    "replayed": "the same predictions are scored once",
})  # fmt: skip
"""Code -> what holds of a submission that is not refused by it."""

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a submission is refused.

    Attributes
    ----------
    rule
        One of `RULES`.
    problem
        What was found, and what was expected; plain ASCII where it quotes the submission.
    image
        The image it is about, where it is about one.
    """

    rule: str
    problem: str
    image: str | None = None

    def __str__(self) -> str:
        where = "" if self.image is None else f"image {quoted(self.image)}: "
        return f"[{self.rule}] {where}{self.problem}"


class Refused(CraqbenchError):  # noqa: N818  reads like what it says
    """A submission that breaks rules.

    Attributes
    ----------
    refusals
        One or more.
    """

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = tuple(refusals)
        lines = "\n".join(f"  {refusal}" for refusal in self.refusals)
        super().__init__(f"the submission is refused:\n{lines}")


def refused(rule: str, problem: str, image: str | None = None) -> Refused:
    """Return the error of one refusal."""
    return Refused([Refusal(rule, problem, image)])


def quoted(value: object) -> str:
    r"""Quote something from a submission: ASCII, in one line, and cut where it is long.

    >>> quoted("a\u202eb")
    "'a\\u202eb'"
    """
    shown = ascii(value if not isinstance(value, str) else value[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."

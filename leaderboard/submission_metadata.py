"""What a submission says of itself: ``submission.json``, checked field by field.

Nothing in it is believed, fetched or run, and none of its texts is markup: whoever shows them escapes them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from leaderboard.submission_rules import RULES, Refusal, Refused, quoted
from leaderboard.submission_text import check_https, check_json, check_text

__all__ = ["FORMAT", "BoardName", "BoardVersion", "Metadata", "Task", "Track", "Weights", "read_metadata"]

FORMAT = 1
_SHOWN, _LONGEST_NAME = 20, 40
_SCALARS = (str, int, float, type(None))

Task = Literal["detection", "restoration"]
Track = Literal["predictions", "reproduced", "self-reported"]

BoardName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$")]
BoardVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,39}$")]


# In plain ASCII, so that no method looks like another and is not.
_Name = Annotated[
    str,
    Field(max_length=80),
    AfterValidator(check_text),
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._,:=@/+#()-]*$"),
]
_Version = Annotated[
    str,
    Field(max_length=40),
    AfterValidator(check_text),
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"),
]
_Author = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(check_text)]
_Line = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_text)]
_Paragraph = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(check_text)]
_Url = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(check_https)]
_Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
_Repository = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")]
_Revision = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_Seed = Annotated[int, Field(ge=0, lt=2**63)]
_Seconds = Annotated[float, Field(gt=0, le=1e6)]
_Figure = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9@._-]{0,39}$")]
_Value = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Weights(_Model):
    """Where weights lie on the Hugging Face Hub; nothing is downloaded by itself."""

    repository: _Repository
    revision: _Revision


class Metadata(_Model):
    """What a submission says of itself.

    Attributes
    ----------
    board, board_version
        What it is for.
    task
        "detection" or "restoration".
    classes
        Of how many classes detections are: 2, or 3 where the board has paint loss; null for restorations.
    track
        "predictions" are ranked. "reproduced" asks a maintainer to run the method again, too, and needs
        `code`, `code_commit` and `weights`; the badge is theirs to give. "self-reported" has no predictions,
        is listed and never ranked.
    method, version
        Of the method, in ASCII.
    authors
        One or more.
    code, code_commit
        Where the code is, and which state of it.
    weights
        Where the weights are.
    training_data
        What the method was trained on, or its parameters chosen on; "none" is an answer.
    used_real_annotations
        Whether real annotations, of any painting, were used to train, to tune or to choose.
    used_test_images
        Whether images of this board were, even without annotations.
    seeds
        Of the training, or of the method.
    hardware
        What the predictions were made on.
    seconds_per_megapixel
        Measured there.
    licence
        Of the predictions and of the method.
    reported
        Figures by name, for the self-reported track.
    """

    format: Literal[1]
    board: BoardName
    board_version: BoardVersion
    task: Task
    classes: Literal[2, 3] | None = None
    track: Track = "predictions"
    method: _Name
    version: _Version
    authors: Annotated[tuple[_Author, ...], Field(min_length=1, max_length=50)]
    code: _Url | None = None
    code_commit: _Commit | None = None
    weights: Weights | None = None
    training_data: _Paragraph
    used_real_annotations: bool
    used_test_images: bool
    seeds: Annotated[tuple[_Seed, ...], Field(max_length=100)] = ()
    hardware: _Line
    seconds_per_megapixel: _Seconds | None = None
    licence: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(check_text)]
    reported: Annotated[dict[_Figure, _Value], Field(max_length=50)] | None = None

    @model_validator(mode="after")
    def _fits_its_track(self) -> Self:
        if (self.classes is None) == (self.task == "detection"):
            raise PydanticCustomError("classes", "expected 2 or 3 for detection, and null for restoration")
        if self.track == "reproduced" and None in (self.code, self.code_commit, self.weights):
            raise PydanticCustomError("track", "reproduced: expected code, code_commit and weights")
        if (self.track == "self-reported") != bool(self.reported):
            raise PydanticCustomError("track", "expected figures in reported if self-reported, and only then")
        return self


def read_metadata(data: bytes) -> Metadata:
    """Read ``submission.json``.

    Raises
    ------
    Refused
        With every fault of a field, up to twenty.
    """
    check_json(data)
    try:
        return Metadata.model_validate_json(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        inner = {fault["loc"][:-1] for fault in faults if len(fault["loc"]) > 1}
        # A list with a bad item is also too short, says pydantic: the item alone is what is wrong.
        told = [fault for fault in faults if fault["loc"] not in inner]
        raise Refused([_refusal(fault) for fault in told[:_SHOWN]]) from None


_BY_TYPE = {
    "missing": "field-missing",
    "extra_forbidden": "field-unknown",
    "string_too_long": "field-length",
    "string_too_short": "field-length",
    "too_long": "field-length",
    "too_short": "field-length",
    "json_invalid": "json-syntax",
    "finite_number": "json-number",
}


def _refusal(fault: ErrorDetails) -> Refusal:
    kind, value = fault["type"], fault["input"]
    rule = kind if kind in RULES else _BY_TYPE.get(kind, "field-type" if _is_type(kind) else "field-value")
    told = fault["msg"].replace("Input should be ", "expected ").replace("Field required", "expected a value")
    shown = "null" if value is None else quoted(value)
    got = f", got {shown}" if rule.startswith("field") and isinstance(value, _SCALARS) else ""
    place = "".join(_step(part) for part in fault["loc"]).removeprefix(".")
    return Refusal(rule, f"{place}: {told}{got}".removeprefix(": "))


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    plain = part.isascii() and part.isidentifier() and len(part) <= _LONGEST_NAME
    return f".{part}" if plain else f".{quoted(part)}"


def _is_type(kind: str) -> bool:
    return kind.endswith(("_type", "_parsing")) or kind == "int_from_float"

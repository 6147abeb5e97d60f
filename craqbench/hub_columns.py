"""Which columns of a dataset repository are read: pictures, what is told of them, what filters ask for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from craqbench.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from craqbench.hub_client import Files
    from craqbench.hub_spec import HubSpec

__all__ = ["TEXTS", "Columns", "near"]

TEXTS = {"title": ("title",), "artist": ("artist",), "licence": ("licence", "license")}
"""What is told of a painting -> the columns that tell it, the first that is there."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a split are read, and what their numbers mean.

    Attributes
    ----------
    picture, leaf
        The column of pictures, and Parquet's path of their bytes.
    read
        The columns of texts, for filters and for what is told of a painting.
    names
        Column -> names of its classes, where it has classes.
    """

    picture: str
    leaf: str
    read: tuple[str, ...]
    names: dict[str, list[str]]

    @classmethod
    def of(cls, where: str, spec: HubSpec, files: Files, schema: pa.Schema) -> Columns:
        """Choose columns by what the source asks for and the split has."""
        import datasets  # noqa: PLC0415  see find_files

        features = files.features or dict(datasets.Features.from_arrow_schema(schema))
        pictures = [name for name in schema.names if isinstance(features.get(name), datasets.Image)]
        picture = _choose_picture(where, spec.column, pictures, schema)
        scalars = [field.name for field in schema if _is_scalar(field.type)]
        for name, _ in spec.where:
            if name not in scalars:
                raise SourceError(f"{where} has no column {name!r} of texts or numbers{near(name, scalars)}")
        told = [name for names in TEXTS.values() for name in names if name in scalars]
        read = tuple(dict.fromkeys([*(name for name, _ in spec.where), *told]))
        classes = {name: list(features[name].names) for name in read if hasattr(features.get(name), "names")}
        for name, value in spec.where:
            if name in classes and value not in classes[name]:
                raise SourceError(
                    f"{where}: {name} {value!r} is none of its classes{near(value, classes[name])}"
                )
        return cls(picture, _leaf(where, picture, schema), read, classes)

    def texts(self, name: str, column: pa.ChunkedArray) -> pa.DictionaryArray:
        """Return a column as texts: names of classes, "" for nulls and for numbers that name no class."""
        coded = column.combine_chunks().dictionary_encode()
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        words = [_text(value, self.names.get(name)) for value in coded.dictionary.to_pylist()]
        codes = coded.indices.fill_null(len(words)).cast(pa.int32())
        return pa.DictionaryArray.from_arrays(codes, pa.array([*words, ""], pa.string()))


def _text(value: Any, names: Sequence[str] | None) -> str:
    if names is not None:
        return names[value] if value is not None and 0 <= value < len(names) else ""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _is_scalar(kind: pa.DataType) -> bool:
    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
    return any(test(kind) for test in tests)


def _choose_picture(where: str, wanted: str, pictures: Sequence[str], schema: pa.Schema) -> str:
    if wanted:
        if wanted not in schema.names:
            raise SourceError(f"{where} has no column {wanted!r}{near(wanted, pictures or schema.names)}")
        return wanted
    if not pictures:
        columns = ", ".join(schema.names)
        raise SourceError(f"{where} has no column of images among {columns}: expected one, or column=NAME")
    if len(pictures) > 1 and "image" not in pictures:
        raise SourceError(f"{where} has several columns of images: expected column={'|'.join(pictures)}")
    return "image" if "image" in pictures else pictures[0]


def _leaf(where: str, picture: str, schema: pa.Schema) -> str:
    """Return Parquet's path of the bytes: the column itself, or the part "bytes" of it."""
    kind = schema.field(picture).type
    inner = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    stored = kind.field("bytes").type if inner else kind
    if not (pa.types.is_binary(stored) or pa.types.is_large_binary(stored)):
        raise SourceError(f"{where}: column {picture!r} is {kind}: expected images, stored as bytes")
    return f"{picture}.bytes" if inner else picture


def near(value: str, known: Sequence[str], most: int = 12) -> str:
    """Say what was expected: what looks alike, or all, or the first few."""
    alike = difflib.get_close_matches(value.casefold(), [name.casefold() for name in known], 3, 0.6)
    if alike:
        return f"; did you mean {' or '.join(name for name in known if name.casefold() in alike)}?"
    more = ", ..." if len(known) > most else ""
    return f": expected one of {', '.join(known[:most])}{more}" if known else ""

"""Hostile submissions, in a table: each is refused by its rule, within the memory that checking may take.

All are checked in one process with the limits of the server's, so that what would crash it fails a test.
"""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from submission_samples import (
    SIGNATURE,
    SIZES,
    as_json,
    chunk,
    flat,
    header,
    metadata,
    parquet,
    png,
    raw_png,
    small_board,
    sound_masks,
    table,
    with_mask,
    write_submission,
)

from leaderboard.board import board_bytes
from leaderboard.process_limits import Resources
from leaderboard.submission_process import check_apart
from leaderboard.submission_rules import RULES, Refused

ROOT = Path(__file__).resolve().parents[1]
SECOND = SIZES["second"]
LIMITS = Resources()

if not Path("/proc/self/clear_refs").exists():
    pytest.skip("memory is measured as Linux tells it", allow_module_level=True)


@dataclass(frozen=True)
class Case:
    """A hostile submission, made when it is needed, and the rule that refuses it."""

    rule: str
    told: Callable[[], bytes] | None = None
    predictions: Callable[[], bytes] | None = None
    image: str | None = None
    board: dict[str, Any] = field(default_factory=dict)


def told(rule: str, **changes: Any) -> Case:
    """Return a submission with other fields."""
    return Case(rule, told=lambda: as_json(metadata(**changes)))


def raw(rule: str, data: bytes) -> Case:
    """Return a submission whose submission.json is this."""
    return Case(rule, told=lambda: data)


def picture(rule: str, make: Callable[[], bytes]) -> Case:
    """Return a submission with another mask of the second image."""
    return Case(rule, predictions=lambda: parquet(with_mask(make())), image="second")


def of_table(rule: str, make: Callable[[], pa.Table], image: str | None = None, **options: Any) -> Case:
    """Return a submission with another table."""
    return Case(rule, predictions=lambda: parquet(make(), **options), image=image)


def of_bytes(rule: str, make: Callable[[], bytes]) -> Case:
    """Return a submission whose predictions.parquet is this."""
    return Case(rule, predictions=make)


def ids(*names: str) -> pa.Table:
    """Return a table of these ids."""
    return table({"image_id": list(names), "mask_png": [*sound_masks().values()][: len(names)]})


def wide(count: int) -> pa.Table:
    """Return a table with so many further columns."""
    return table({**table().to_pydict(), **{f"c{number}": [0] * 3 for number in range(count)}})


def coded(colour: str) -> bytes:
    """Return the second mask in another mode of Pillow."""
    out = io.BytesIO()
    PIL.Image.new(colour, SECOND).save(out, "PNG")
    return out.getvalue()


def bomb(megabytes: int) -> bytes:
    """Return the second mask with data that unpack to far more than its px."""
    stream = zlib.compressobj(9)
    data = b"".join(stream.compress(bytes(1 << 20)) for _ in range(megabytes)) + stream.flush()
    return SIGNATURE + header(SECOND) + chunk(b"IDAT", data) + chunk(b"IEND")


def varint(value: int, length: int) -> bytes:
    """Return a number as Thrift's compact protocol has it, of so many bytes."""
    digits = [value * 2 >> 7 * place & 127 for place in range(length)]
    return bytes([*(digit | 128 for digit in digits[:-1]), digits[-1]])


def lying_page() -> bytes:
    """Return a file with a page that says of itself that it has 2 GB; the footer says 1 kB."""
    size = 140_000_000
    mask = pa.array([bytes(size), b"", b""], pa.binary())
    content = pa.table({"image_id": list(SIZES), "mask_png": mask})
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    data = bytearray(parquet(content, **options))
    at = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(1).data_page_offset
    assert data[at : at + 3] == b"\x15\x00\x15"  # the kind of the page, then its size
    data[at + 3 : at + 8] = varint(2**31 - 1, 5)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for start in range(footer, len(data) - 8):  # every number of the footer that is this large
        found = _read_varint(data, start)
        if found is not None and found >= size:
            data[start : start + 5] = varint(1000, 5)
    return bytes(data)


def _read_varint(data: bytearray, start: int) -> int | None:
    part = data[start : start + 5]
    if not all(byte & 128 for byte in part[:4]) or part[4] & 128:
        return None
    return sum((byte & 127) << 7 * place for place, byte in enumerate(part)) >> 1


def long_footer() -> bytes:
    """Return a file whose footer says that it is a gigabyte long."""
    return parquet(table())[:-8] + struct.pack("<I", 1 << 30) + b"PAR1"


def corrupted(at: float) -> bytes:
    """Return a file with a few bytes in the middle of something else."""
    data = bytearray(parquet(table()))
    place = int(at * len(data))
    data[place : place + 8] = b"\xff" * 8
    return bytes(data)


NESTED = pa.array([[mask] for mask in sound_masks().values()])
STRUCT = pa.array([{"bytes": mask, "path": None} for mask in sound_masks().values()])
MARKUP = {
    "script": "<script>alert(1)</script>",
    "handler": '"><img src=x onerror=alert(1)>',
    "link": "[x](javascript:alert(1))",
    "template": "{{7*7}}",
    "lookup": "${jndi:ldap://x}",
    "entity": "&lt;script&gt;",
    "code": "`rm`",
}
TEXTS = ("method", "version", "training_data", "hardware", "licence")
TRICKS = {
    "right to left": ("text-control", "ab\u202edc"),
    "isolate": ("text-control", "ab\u2066dc"),
    "zero width": ("text-control", "ri\u200bdge"),
    "soft hyphen": ("text-control", "ri\u00addge"),
    "byte order mark": ("text-control", "\ufeffridge"),
    "tag": ("text-control", "ridge\U000e0041"),
    "newline": ("text-control", "ridge\nbest"),
    "escape": ("text-control", "\x1b[2Jridge"),
    "NUL": ("text-control", "ridge\x00"),
    "line separator": ("text-control", "a\u2028b"),
    "decomposed": ("text-unicode", "Cafe\u0301"),
    "private": ("text-unicode", "a\ue000b"),
    "unassigned": ("text-unicode", "a\u0378b"),
    "zalgo": ("text-marks", "a" + "\u0300\u0316\u0317\u0318" * 3),
    "no-break space": ("text-space", "a\u00a0b"),
    "spaces": ("text-space", "a  b"),
    "blank": ("text-space", " "),
}
ADDRESSES = {
    "http": "http://github.com/lab/x",
    "javascript": "javascript:alert(1)",
    "data": "data:text/html,x",
    "login": "https://github.com@evil.org/x",
    "port": "https://github.com:8443/x",
    "number": "https://127.0.0.1/x",
    "decimal number": "https://2130706433/x",
    "IPv6": "https://[::1]/x",
    "this machine": "https://localhost/x",
    "inside": "https://metadata.internal/x",
    "punycode": "https://xn--gthub-zta.com/x",
    "other alphabet": "https://g\u0456thub.com/x",
    "capitals": "https://GitHub.com/x",
    "quotes": 'https://github.com/"onclick="x',
    "space": "https://github.com/a b",
    "backslash": "https://github.com\\@evil.org",
    "newline": "https://github.com/\nx",
}

CASES: dict[str, Case] = {
    # submission.json, before its fields
    "json: deep": raw("json-depth", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "json: deep list": raw("json-depth", b"[" * 60_000),
    "json: brackets in a text": told("field-unknown", more="[[[[[[[[[[[[" + '"' + "{{{{{"),
    "json: 10 MB": raw("file-size", as_json({"a": "b" * 10_000_000})),
    "json: empty": raw("json-syntax", b""),
    "json: a list": raw("json-syntax", b"[1, 2]"),
    "json: a text": raw("json-syntax", b'"ridge"'),
    "json: two objects": raw("json-syntax", as_json(metadata()) + b"{}"),
    "json: comment": raw("json-syntax", b"/* */" + as_json(metadata())),
    "json: UTF-16": raw("json-encoding", as_json(metadata()).decode().encode("utf-16")),
    "json: not UTF-8": raw("json-encoding", b'{"method": "\xc3\x28"}'),
    "json: overlong UTF-8": raw("json-encoding", b'{"method": "\xc0\xbc"}'),
    "json: byte order mark": raw("json-encoding", b"\xef\xbb\xbf" + as_json(metadata())),
    "json: a name twice": raw("json-duplicate", as_json(metadata())[:-1] + b', "method": "other"}'),
    "json: many names twice": raw("json-duplicate", b'{"a":1' + b',"a":1' * 9_000 + b"}"),
    "json: NaN": told("json-number", seconds_per_megapixel=float("nan")),
    "json: infinity": told("json-number", seconds_per_megapixel=float("inf")),
    "json: 1e999": raw("json-number", b'{"seeds": [1e999]}'),
    "json: 50,000 digits": raw("json-number", b'{"seeds": [' + b"9" * 50_000 + b"]}"),
    "json: half a character": raw("json-syntax", b'{"method": "\\ud800"}'),
    # fields
    "field: unknown": told("field-unknown", score=1.0),
    "field: a result": told("field-unknown", scores={"f1@2": 1.0}),
    "field: account": told("field-unknown", account="somebody-else"),
    "field: __proto__": told("field-unknown", __proto__={"admin": True}),
    "field: missing": raw("field-missing", b'{"format": 1}'),
    "field: number for text": told("field-type", method=1),
    "field: text for bool": told("field-type", used_real_annotations="false"),
    "field: bool for seed": told("field-type", seeds=[True]),
    "field: null": told("field-type", authors=None),
    "field: long": told("field-length", training_data="a" * 2001),
    "field: no authors": told("field-length", authors=[]),
    "field: many authors": told("field-length", authors=["a"] * 51),
    "field: many seeds": told("field-length", seeds=list(range(101))),
    "field: huge seed": told("field-value", seeds=[2**63]),
    "field: negative time": told("field-value", seconds_per_megapixel=-1.0),
    "field: other alphabet": told("field-value", method="rid\u0261e"),
    "field: full width": told("field-value", method="\uff52idge"),
    "field: format": told("field-value", format=2),
    "field: track": told("field-value", track="winner"),
    "field: repository": told("field-value", weights={"repository": "../../x", "revision": "v1"}),
    "field: revision": told("field-value", weights={"repository": "a/b", "revision": "../main"}),
    "field: board as a path": told("field-value", board="../small"),
    "field: commit": told("field-value", code_commit="main; rm -rf /"),
    "formula": told("text-formula", hardware="=1+1"),
    "command": told("text-formula", training_data="@SUM(1)"),
    # the board
    "board: another": told("board", board="large"),
    "board: another version": told("board", board_version="2"),
    "board: another task": told("board", task="restoration", classes=None),
    "board: no classes": told("classes", classes=None),
    "board: three classes of two": told("classes", classes=3),
    "board: reproduced without code": told("track", track="reproduced", code=None),
    "board: self-reported without figures": told("track", track="self-reported"),
    "board: self-reported with predictions": told("track", track="self-reported", reported={"f1": 1.0}),
    "board: figures beside predictions": told("track", reported={"f1": 1.0}),
    # predictions.parquet
    "parquet: a text": of_bytes("parquet-format", lambda: b"image_id,mask_png\n" * 10),
    "parquet: a zip": of_bytes("parquet-format", lambda: b"PK\x03\x04" + bytes(100)),
    "parquet: a pickle": of_bytes("parquet-format", lambda: b"\x80\x04cos\nsystem\n(S'true'\ntR."),
    "parquet: 5 bytes": of_bytes("parquet-format", lambda: b"PAR1x"),
    "parquet: encrypted": of_bytes("parquet-format", lambda: b"PARE" + bytes(50) + b"PARE"),
    "parquet: cut": of_bytes("parquet-format", lambda: parquet(table())[:-3]),
    "parquet: trailing bytes": of_bytes("parquet-format", lambda: parquet(table()) + b"more"),
    "parquet: footer of 1 GB": of_bytes("parquet-footer", long_footer),
    "parquet: footer of nothing": of_bytes(
        "parquet-format", lambda: parquet(table())[:-8] + struct.pack("<I", 0) + b"PAR1"
    ),
    "parquet: broken footer": of_bytes("parquet-format", lambda: corrupted(0.93)),
    "parquet: huge key": of_table(
        "parquet-footer", lambda: table().replace_schema_metadata({"a": "b" * 1_000_000})
    ),
    "parquet: 5,000 columns": of_table("parquet-footer", lambda: wide(5_000)),
    "parquet: 50 columns": of_table("parquet-columns", lambda: wide(50)),
    "parquet: label column": of_table("parquet-columns", lambda: table(label_png=[b""] * 3)),
    "parquet: no mask": of_table("parquet-columns", lambda: table({"image_id": list(SIZES)})),
    "parquet: no columns": of_table("parquet-columns", lambda: pa.table({})),
    "parquet: a column twice": of_table(
        "parquet-columns",
        lambda: pa.table(
            [list(SIZES), [*sound_masks().values()], [*sound_masks().values()]],
            names=["image_id", "mask_png", "mask_png"],
        ),
    ),
    "parquet: name in capitals": of_table(
        "parquet-columns", lambda: table().rename_columns(["IMAGE_ID", "mask_png"])
    ),
    "parquet: restoration": of_table(
        "parquet-columns", lambda: table().rename_columns(["image_id", "image_png"])
    ),
    "parquet: list": of_table(
        "parquet-columns", lambda: table({"image_id": list(SIZES), "mask_png": NESTED})
    ),
    "parquet: struct": of_table(
        "parquet-columns", lambda: table({"image_id": list(SIZES), "mask_png": STRUCT})
    ),
    "parquet: numbers as ids": of_table(
        "parquet-types", lambda: table({"image_id": [1, 2, 3], "mask_png": [*sound_masks().values()]})
    ),
    "parquet: texts as masks": of_table(
        "parquet-types", lambda: table({"image_id": list(SIZES), "mask_png": ["x"] * 3})
    ),
    "parquet: NaN as masks": of_table(
        "parquet-types", lambda: table({"image_id": list(SIZES), "mask_png": [float("nan")] * 3})
    ),
    "parquet: bytes as ids": of_table(
        "parquet-types", lambda: table({"image_id": [b"first"] * 3, "mask_png": [*sound_masks().values()]})
    ),
    "parquet: dictionary type": of_table(
        "parquet-types",
        lambda: table(
            {
                "image_id": pa.array(list(SIZES)).dictionary_encode(),
                "mask_png": [*sound_masks().values()],
            }
        ),
    ),
    "parquet: bytes of a fixed length": of_table(
        "parquet-types",
        lambda: table({"image_id": list(SIZES), "mask_png": pa.array([b"abcd"] * 3, pa.binary(4))}),
    ),
    "parquet: no rows": of_table("parquet-rows", lambda: table().slice(0, 0)),
    "parquet: too few rows": of_table("parquet-rows", lambda: table().slice(0, 2)),
    "parquet: ten million rows": of_table(
        "parquet-rows",
        lambda: table(
            {
                "image_id": pa.repeat("first", 10_000_000),
                "mask_png": pa.repeat(b"", 10_000_000),
            }
        ),
    ),
    "parquet: row group of 100 MB": of_table(
        "parquet-row-groups",
        lambda: table({"image_id": list(SIZES), "mask_png": [bytes(100_000_000), b"", b""]}),
        compression="zstd",
    ),
    "parquet: 10 MB in a cell": of_table(
        "parquet-sizes",
        lambda: table({"image_id": list(SIZES), "mask_png": [bytes(10_000_000), b"", b""]}),
        compression="zstd",
    ),
    "parquet: a page that lies": of_bytes("resources", lying_page),
    "parquet: broken page": of_bytes("parquet-content", lambda: corrupted(0.02)),
    "parquet: null id": of_table(
        "parquet-null", lambda: table({"image_id": [None, "a", "b"], "mask_png": [*sound_masks().values()]})
    ),
    "parquet: null mask": of_table(
        "parquet-null",
        lambda: table({"image_id": list(SIZES), "mask_png": pa.array([b"", None, b""], pa.binary())}),
    ),
    # ids
    "id: unknown": of_table("id-unknown", lambda: ids("first", "second", "fourth"), "fourth"),
    "id: path": of_table(
        "id-unknown", lambda: ids("../../../etc/passwd", "second", "third"), "../../../etc/passwd"
    ),
    "id: absolute path": of_table("id-unknown", lambda: ids("/etc/passwd", "second", "third"), "/etc/passwd"),
    "id: NUL": of_table("id-unknown", lambda: ids("first\0.png", "second", "third"), "first\0.png"),
    "id: capitals": of_table("id-unknown", lambda: ids("First", "second", "third"), "First"),
    "id: space": of_table("id-unknown", lambda: ids("first ", "second", "third"), "first "),
    "id: look-alike": of_table("id-unknown", lambda: ids("f\u0456rst", "second", "third"), "f\u0456rst"),
    "id: empty": of_table("id-unknown", lambda: ids("", "second", "third"), ""),
    "id: a megabyte": of_table("parquet-sizes", lambda: ids("a" * 1_000_000, "second", "third")),
    "id: long": of_table("id-unknown", lambda: ids("a" * 2_000, "second", "third"), "a" * 120),
    "id: left out": of_table("id-missing", lambda: ids("first", "second", "fourth"), "third"),
    "id: twice": of_table("id-duplicate", lambda: ids("first", "first", "third"), "first"),
    "id: not UTF-8": of_table(
        "parquet-content",
        lambda: table(
            {
                "image_id": pa.array([b"\xff\xfe", b"second", b"third"], pa.binary()).view(pa.string()),
                "mask_png": [*sound_masks().values()],
            }
        ),
    ),
    # PNG
    "png: empty": picture("png-format", lambda: b""),
    "png: JPEG": picture("png-format", lambda: b"\xff\xd8\xff\xe0" + bytes(100)),
    "png: SVG": picture("png-format", lambda: b"<svg onload='alert(1)'/>"),
    "png: signature alone": picture("png-format", lambda: SIGNATURE),
    "png: no IHDR": picture("png-format", lambda: SIGNATURE + chunk(b"IDAT") + chunk(b"IEND")),
    "png: two IHDR": picture("png-format", lambda: raw_png(SECOND, before=header((9, 9)))),
    "png: no IEND": picture("png-format", lambda: raw_png(SECOND)[:-12]),
    "png: cut": picture("png-format", lambda: raw_png(SECOND)[:-20]),
    "png: wrong check sum": picture(
        "png-format", lambda: SIGNATURE + header(SECOND) + chunk(b"IDAT", b"", crc=1) + chunk(b"IEND")
    ),
    "png: chunk of 2 GB": picture(
        "png-format",
        lambda: SIGNATURE + header(SECOND) + struct.pack(">I4s", 0x7FFFFFFF, b"IDAT") + bytes(99),
    ),
    "png: data apart": picture(
        "png-format",
        lambda: (
            SIGNATURE
            + header(SECOND)
            + chunk(b"IDAT", zlib.compress(bytes(34 * 47))[:9])
            + chunk(b"gAMA", bytes(4))
            + chunk(b"IDAT", zlib.compress(bytes(34 * 47))[9:])
            + chunk(b"IEND")
        ),
    ),
    "png: no data": picture("png-data", lambda: SIGNATURE + header(SECOND) + chunk(b"IEND")),
    "png: too many bytes": picture("png-size", lambda: raw_png(SECOND) + bytes(9_000)),
    "png: 100 MP": picture("png-dimensions", lambda: raw_png((10_000, 10_000), rows=b"")),
    "png: 4 GP": picture("png-dimensions", lambda: raw_png((65_535, 65_535), rows=b"")),
    "png: no px": picture("png-dimensions", lambda: raw_png((0, 0), rows=b"")),
    "png: turned": picture("png-dimensions", lambda: raw_png(SECOND[::-1])),
    "png: of another image": picture("png-dimensions", lambda: sound_masks()["first"]),
    "png: 16 bit": picture("png-depth", lambda: png(np.zeros(SECOND[::-1], np.uint16))),
    "png: 1 bit": picture("png-depth", lambda: coded("1")),
    "png: palette": picture("png-colour", lambda: coded("P")),
    "png: RGB": picture("png-colour", lambda: coded("RGB")),
    "png: alpha": picture("png-colour", lambda: coded("LA")),
    "png: unknown colour": picture("png-colour", lambda: raw_png(SECOND, colour=7)),
    "png: interlaced": picture("png-interlaced", lambda: raw_png(SECOND, interlace=1)),
    "png: bomb": picture("png-data", lambda: bomb(4)),
    "png: data of another size": picture("png-data", lambda: raw_png(SECOND, rows=bytes(100))),
    "png: no zlib": picture(
        "png-data", lambda: SIGNATURE + header(SECOND) + chunk(b"IDAT", b"x" * 99) + chunk(b"IEND")
    ),
    "png: unknown filter": picture("png-data", lambda: raw_png(SECOND, rows=b"\x05" * (34 * 47))),
    "png: data after the data": picture(
        "png-data",
        lambda: (
            SIGNATURE
            + header(SECOND)
            + chunk(b"IDAT", zlib.compress(bytes(34 * 47)) + b"more")
            + chunk(b"IEND")
        ),
    ),
    "png: trailing bytes": picture("png-trailing", lambda: raw_png(SECOND) + b"PK\x03\x04"),
    "png: content in IEND": picture("png-trailing", lambda: raw_png(SECOND)[:-12] + chunk(b"IEND", b"more")),
    "png: text": picture("png-chunks", lambda: raw_png(SECOND, before=chunk(b"tEXt", b"a\0b"))),
    "png: packed text": picture(
        "png-chunks",
        lambda: raw_png(SECOND, before=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000)))),
    ),
    "png: profile": picture(
        "png-chunks", lambda: raw_png(SECOND, before=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(99_999))))
    ),
    "png: EXIF": picture("png-chunks", lambda: raw_png(SECOND, before=chunk(b"eXIf", b"MM\0*" + bytes(20)))),
    "png: transparency": picture("png-chunks", lambda: raw_png(SECOND, before=chunk(b"tRNS", b"\0\0"))),
    "png: animation": picture("png-chunks", lambda: raw_png(SECOND, before=chunk(b"acTL", bytes(8)))),
    "png: long gamma": picture("png-chunks", lambda: raw_png(SECOND, before=chunk(b"gAMA", bytes(40)))),
    "png: 400 chunks": picture("png-chunks", lambda: raw_png(SECOND, before=chunk(b"gAMA", bytes(4)) * 300)),
    "png: grey levels": picture("png-values", lambda: png(flat([0, 255, 7], SECOND))),
    "png: ignored px": picture("png-values", lambda: png(flat([128], SECOND))),
    "png: class numbers": picture("png-values", lambda: png(flat([1], SECOND))),
    "png: 0 and 255 of three classes": Case(
        "png-values",
        told=lambda: as_json(metadata(classes=3)),
        predictions=lambda: parquet(with_mask(png(flat([255], SECOND)))),
        image="first",
        board={"classes": 3},
    ),
    "png: a fourth class": Case(
        "png-values",
        told=lambda: as_json(metadata(classes=3)),
        predictions=lambda: parquet(
            table(
                {
                    "image_id": list(SIZES),
                    "mask_png": [png(flat([0, 1, 2, 3], size)) for size in SIZES.values()],
                }
            )
        ),
        image="first",
        board={"classes": 3},
    ),
    "png: scores of 16 bit": Case(
        "png-depth",
        predictions=lambda: parquet(
            table(score_png=[png(np.zeros(size[::-1], np.uint16)) for size in SIZES.values()])
        ),
        image="first",
    ),
    "png: grey restoration": Case(
        "png-colour",
        told=lambda: as_json(metadata(task="restoration", classes=None)),
        predictions=lambda: parquet(table().rename_columns(["image_id", "image_png"])),
        image="first",
        board={"task": "restoration"},
    ),
    **{
        f"markup: {name} in {where}": told("text-markup", **{where: text})
        for where in TEXTS
        for name, text in MARKUP.items()
    },
    **{
        f"markup: {name} in authors": told("text-markup", authors=["A", text])
        for name, text in MARKUP.items()
    },
    **{f"trick: {name}": told(rule, authors=[text]) for name, (rule, text) in TRICKS.items()},
    **{f"url: {name}": told("url", code=text) for name, text in ADDRESSES.items()},
}

MUTATIONS = 300


@pytest.fixture(name="outcomes", scope="module")
def checked_in_one_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Check all cases, and a file with bytes changed at random, in a process with the server's limits."""
    home = tmp_path_factory.mktemp("hostile")
    for number, case in enumerate(CASES.values()):
        folder = write_submission(
            home / str(number),
            case.told() if case.told else None,
            case.predictions() if case.predictions else None,
        )
        (folder / "board.json").write_bytes(board_bytes(small_board(**case.board)))
    (write_submission(home) / "board.json").write_bytes(board_bytes(small_board()))
    (home / "sound.parquet").write_bytes(parquet(table(), row_group_size=2))
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "submission_runner", str(home), str(len(CASES)), str(MUTATIONS)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", CASES)
def test_hostile_submissions_are_refused_by_their_rule(outcomes: dict[str, Any], name: str) -> None:
    """Each case is refused by its rule, naming the image, in plain ASCII, and within 500 MB."""
    case, found = CASES[name], outcomes["cases"][[*CASES].index(name)]
    rules = [(rule, image) for rule, image, _ in found["refusals"]]
    assert (case.rule, case.image) in rules
    assert {rule for rule, _ in rules} <= {*RULES}
    assert found["peak"] < 500_000_000
    for _, _, message in found["refusals"]:
        assert message.isascii()
        assert message.isprintable()
        assert len(message) < 400


def test_the_table_is_long_enough() -> None:
    """There are far more than sixty cases, and every rule that a file can break has one."""
    assert len(CASES) > 200
    of_the_store = {"account", "quota-day", "quota-quarter", "replayed"}
    of_receiving = {"file-missing", "file-kind"}
    assert {case.rule for case in CASES.values()} == {*RULES} - of_the_store - of_receiving


def test_bytes_changed_at_random_crash_nothing(outcomes: dict[str, Any]) -> None:
    """A Parquet file with bytes changed at random is refused, or changed where nothing depends on it."""
    assert sum(outcomes["mutations"].values()) == MUTATIONS
    assert outcomes["mutations"]["refused"] > MUTATIONS / 2


@pytest.mark.parametrize(
    ("name", "resources"),
    [("parquet: a page that lies", LIMITS), ("id: path", LIMITS._replace(memory=30_000_000))],
)
def test_taking_too_much_memory_is_refused(tmp_path: Path, name: str, resources: Resources) -> None:
    """In the process of the server, too, asking for more memory than there may be is a refusal."""
    make = CASES[name].predictions
    assert make
    folder = write_submission(tmp_path, None, make())
    with pytest.raises(Refused) as error:
        check_apart(small_board(), folder, resources)
    assert [refusal.rule for refusal in error.value.refusals] == ["resources"]

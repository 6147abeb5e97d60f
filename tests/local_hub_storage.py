"""The large file storage of the local hub: the LFS batch, signed uploads in one or many parts, downloads.

Contents lie on a second origin, as on the Hub, and are reached through signed addresses that refuse a
token: a client that carries its token there is found out.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_hub_http import Answer, Ask, Refusal, Routes, Slice, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_hub import LocalHub

STORAGE = Routes()


def sliced(path: Path, ask: Ask, headers: Mapping[str, str]) -> Answer:
    """Return a file, or the part of it that a ``Range`` header wants."""
    size = path.stat().st_size
    headers = {"Content-Type": "application/octet-stream", **headers}
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", ask.headers.get("range", ""))
    if not match or match.groups() == ("", ""):
        return Answer(200, Slice(path, 0, size), headers)
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise Refusal(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
    span = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return Answer(206, Slice(path, start, end - start + 1), {**headers, **span})


def check_signature(hub: LocalHub, ask: Ask) -> None:
    """Refuse an address that the hub did not sign, and a token beside the signature, as S3 does."""
    if "authorization" in ask.headers:
        raise Refusal(400, "Only one auth mechanism allowed")
    if ask.query.get("signature") != [hub.signature(ask.path)]:
        raise Refusal(403, "Access Denied")


def batch(hub: LocalHub, ask: Ask) -> Answer:
    """Say how each large file is to be uploaded; nothing for those that are there."""
    wanted = ask.json()
    objects = [_instructions(hub, o["oid"], o["size"], wanted["transfers"]) for o in wanted["objects"]]
    return as_json({"transfer": "basic", "objects": objects})


def _instructions(hub: LocalHub, oid: str, size: int, transfers: list[str]) -> dict[str, Any]:
    about = {"oid": oid, "size": size}
    if hub.contents.large(oid).exists():
        return about
    upload: dict[str, Any] = {"href": hub.sign(f"/large/{oid}")}
    if size > hub.part_size and "multipart" in transfers:
        count = math.ceil(size / hub.part_size)
        parts = {f"{n:05d}": hub.sign(f"/parts/{oid}/{n}") for n in range(1, count + 1)}
        upload = {"href": hub.sign(f"/complete/{oid}"), "header": {"chunk_size": str(hub.part_size), **parts}}
    return {**about, "actions": {"upload": upload, "verify": {"href": f"{hub.endpoint}/verify"}}}


def verify(hub: LocalHub, ask: Ask) -> Answer:
    """Confirm that a large file has arrived whole."""
    wanted = ask.json()
    path = hub.contents.large(wanted["oid"])
    if not path.exists() or path.stat().st_size != wanted["size"]:
        raise Refusal(404, "Object not found")
    return as_json({})


@STORAGE("PUT", "/large/{oid}")
def put(hub: LocalHub, ask: Ask) -> Answer:
    """Take a large file in one part."""
    check_signature(hub, ask)
    hub.contents.add_large(ask.names["oid"], [ask.body])
    return Answer(200, b"", {"ETag": f'"{ask.names["oid"]}"'})


@STORAGE("PUT", "/parts/{oid}/{number}")
def put_part(hub: LocalHub, ask: Ask) -> Answer:
    """Take one part of a large file."""
    check_signature(hub, ask)
    path = _part(hub, ask.names["oid"], int(ask.names["number"]))
    path.write_bytes(ask.body)
    return Answer(200, b"", {"ETag": f'"{path.name}"'})


@STORAGE("POST", "/complete/{oid}")
def complete(hub: LocalHub, ask: Ask) -> Answer:
    """Join the parts of a large file."""
    check_signature(hub, ask)
    oid = ask.names["oid"]
    parts = [_part(hub, oid, part["partNumber"]) for part in ask.json()["parts"]]
    if not all(part.exists() for part in parts):
        raise Refusal(400, "One or more of the specified parts could not be found.")
    hub.contents.add_large(oid, (part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return as_json({})


@STORAGE("GET", "/large/{oid}")
def get(hub: LocalHub, ask: Ask) -> Answer:
    """Give a large file, or part of it."""
    check_signature(hub, ask)
    return sliced(hub.contents.large(ask.names["oid"]), ask, {"ETag": f'"{ask.names["oid"]}"'})


def _part(hub: LocalHub, oid: str, number: int) -> Path:
    return hub.folder / "parts" / f"{oid}.{number}"

"""The chunk storage of the local hub: the Xet protocol, with which today's clients upload by default.

A client cuts files into chunks at places that their content defines, packs the chunks that the storage
does not know into xorbs, and describes each file as ranges of xorbs in a shard. So two versions of a
dataset share the chunks that they have in common, and the bytes of ``POST /v1/xorbs`` say how much was new.
Formats: "Xet Protocol Specification", https://huggingface.co/docs/xet. Hashes of chunks (BLAKE3) are the
client's word here; each file's SHA-256 is checked when its shard arrives.
"""

from __future__ import annotations

import io
import itertools
import secrets
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from local_hub_http import Answer, Ask, Refusal, as_json
from local_hub_storage import STORAGE, check_signature, sliced

if TYPE_CHECKING:
    from local_hub import LocalHub

RECORD = struct.Struct("<32s4I")
"""The 48 bytes of which shards are made: a hash and four numbers."""

END = RECORD.pack(b"\xff" * 32, 0, 0, 0, 0)
TAG = b"HFRepoMetaData\0\x55\x69\x67\x45\x6a\x7b\x81\x57\x83\xa5\xbd\xd9\x5c\xcd\xd1\x4a\xa9"
WITH_VERIFICATION, WITH_METADATA = 1 << 31, 1 << 30
FOOTER = struct.Struct("<9Q32s2Q72xQ")


def hex_of(raw: bytes) -> str:
    """Return a hash as the protocol writes it: four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


@dataclass(frozen=True)
class Term:
    """A run of chunks of a xorb that is part of a file; `size` in bytes of the file."""

    xorb: str
    start: int
    end: int
    size: int


@dataclass(frozen=True)
class File:
    """A file as runs of chunks."""

    key: str
    sha256: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Shard:
    """What a client says about files and about new xorbs: name -> (records, hashes of its chunks)."""

    files: list[File]
    xorbs: dict[str, tuple[bytes, list[str]]]


def read_shard(body: bytes) -> Shard:
    """Read a shard without footer."""
    if body[:32] != TAG:
        raise Refusal(400, "not a shard")
    stream = io.BytesIO(body[48:])
    files, xorbs = [], {}
    while (head := stream.read(RECORD.size)) != END:
        files.append(_read_file(head, stream))
    while (head := stream.read(RECORD.size)) != END:
        raw, _, count, *_ = RECORD.unpack(head)
        chunks = stream.read(RECORD.size * count)
        xorbs[hex_of(raw)] = (head + chunks, [hex_of(c) for c, *_ in RECORD.iter_unpack(chunks)])
    return Shard(files, xorbs)


def _read_file(head: bytes, stream: io.BytesIO) -> File:
    key, flags, count, *_ = RECORD.unpack(head)
    terms = [RECORD.unpack(stream.read(RECORD.size)) for _ in range(count)]
    stream.read(RECORD.size * count if flags & WITH_VERIFICATION else 0)
    if not flags & WITH_METADATA:
        raise Refusal(400, "a file in a repository needs its SHA-256")
    sha256 = stream.read(RECORD.size)[:32]
    return File(hex_of(key), hex_of(sha256), tuple(Term(hex_of(x), s, e, n) for x, _, n, s, e in terms))


def write_shard(records: bytes) -> bytes:
    """Return a shard that lists xorbs to deduplicate against, with the footer that answers have."""
    start = 48 + len(END)
    end = start + len(records) + len(END)
    lookups = (end, 0) * 3  # no tables for files, xorbs and chunks: where they would begin, and their sizes
    now = int(time.time())
    footer = FOOTER.pack(1, 48, start, *lookups, bytes(32), now, now + 86400, end)
    return TAG + struct.pack("<2Q", 2, FOOTER.size) + END + records + END + footer


def chunk_starts(xorb: bytes) -> list[int]:
    """Return where each chunk of a xorb begins, and where the last one ends."""
    starts, here = [0], 0
    while here + 8 <= len(xorb) and xorb[here] == 0:
        here += 8 + int.from_bytes(xorb[here + 1 : here + 4], "little")
        starts.append(here)
    if here > len(xorb) or len(starts) == 1:
        raise Refusal(400, "not a xorb")
    return starts


def unpack(chunk: bytes) -> bytes:
    """Return the content of a chunk, whichever way it is compressed."""
    scheme, size = chunk[4], int.from_bytes(chunk[5:8], "little")
    if scheme == 0:
        return chunk[8:]
    data: bytes = pa.decompress(chunk[8:], decompressed_size=size, codec="lz4", asbytes=True)
    if scheme == 1:
        return data
    order = np.argsort(np.arange(size) % 4, kind="stable")  # bytes 0, 4, 8, ... come first, then 1, 5, 9, ...
    grouped = np.empty(size, np.uint8)
    grouped[order] = np.frombuffer(data, np.uint8)
    return grouped.tobytes()


class Xet:
    """What the chunk storage knows."""

    def __init__(self, hub: LocalHub) -> None:
        self._hub = hub
        self._lock = threading.RLock()
        self._tokens: dict[str, str] = {}
        self.files: dict[str, File] = {}
        self._by_sha256: dict[str, str] = {}
        self._starts: dict[str, list[int]] = {}
        self._records: dict[str, bytes] = {}
        self._by_chunk: dict[str, str] = {}
        self._folder = hub.folder / "xorbs"
        self._folder.mkdir()

    def path(self, xorb: str) -> Path:
        """Return where a xorb lies."""
        return self._folder / xorb

    def described(self, sha256: str) -> dict[str, str]:
        """Return what a listing says of a file that came in chunks."""
        key = self._by_sha256.get(sha256)
        return {"xetHash": key} if key else {}

    def linked(self, sha256: str, repository: str, revision: str) -> dict[str, str]:
        """Return the headers that lead a client to a file's chunks."""
        key = self._by_sha256.get(sha256)
        if not key:
            return {}
        token = f'<{repository}/xet-read-token/{revision}>; rel="xet-auth"'
        chunks = f'<{self._hub.storage}/v1/reconstructions/{key}>; rel="xet-reconstruction-info"'
        return {"X-Xet-Hash": key, "Link": f"{token}, {chunks}"}

    def token(self, scope: str) -> Answer:
        """Return a fresh token."""
        token, expiry = f"xet_{secrets.token_hex(8)}", int(time.time()) + 3600
        self._tokens[token] = scope
        told = {"X-Xet-Cas-Url": self._hub.storage, "X-Xet-Access-Token": token}
        body = {"casUrl": self._hub.storage, "accessToken": token, "exp": expiry}
        return as_json(body, headers={**told, "X-Xet-Token-Expiration": str(expiry)})

    def check(self, ask: Ask, scope: str) -> None:
        """Refuse an asker without token, or with one that is too narrow."""
        found = self._tokens.get(ask.token or "")
        if found is None:
            raise Refusal(401, "Invalid xet token")
        if scope == "write" and found != "write":
            raise Refusal(403, "Token has not the scope to write")

    def add_xorb(self, name: str, body: bytes) -> bool:
        """Keep a xorb; return whether it is new."""
        starts = chunk_starts(body)
        with self._lock:
            new = name not in self._starts
            if new:
                self.path(name).write_bytes(body)
                self._starts[name] = starts
        return new

    def add_shard(self, shard: Shard) -> None:
        """Take files whose chunks are all there."""
        with self._lock:
            for file in shard.files:
                if missing := {t.xorb for t in file.terms} - self._starts.keys():
                    raise Refusal(400, f"no such xorb: {min(missing)}")
                self._hub.contents.add_large(file.sha256, self._assembled(file))
                self.files[file.key] = file
                self._by_sha256[file.sha256] = file.key
            for name, (records, chunks) in shard.xorbs.items():
                self._records[name] = records
                self._by_chunk |= dict.fromkeys(chunks, name)

    def known(self, chunk: str) -> bytes | None:
        """Return a shard of the xorb that has a chunk, if one has."""
        name = self._by_chunk.get(chunk)
        return write_shard(self._records[name]) if name else None

    def reconstruction(self, file: File, first: int, last: int | None) -> dict[str, Any]:
        """Return which chunks make up the bytes `first` to `last` (included) of a file."""
        ends = list(itertools.accumulate(term.size for term in file.terms))
        if first >= ends[-1]:
            raise Refusal(416, "Range Not Satisfiable")
        last = ends[-1] - 1 if last is None else last
        terms = [(t, e) for t, e in zip(file.terms, ends, strict=True) if e > first and e - t.size <= last]
        fetch: dict[str, list[dict[str, Any]]] = {}
        for term in dict.fromkeys(term for term, _ in terms):
            fetch.setdefault(term.xorb, []).append(self._fetch(term))
        return {
            "offset_into_first_range": first - (terms[0][1] - terms[0][0].size),
            "terms": [
                {"hash": t.xorb, "unpacked_length": t.size, "range": {"start": t.start, "end": t.end}}
                for t, _ in terms
            ],
            "fetch_info": fetch,
        }

    def _fetch(self, term: Term) -> dict[str, Any]:
        starts = self._starts[term.xorb]
        return {
            "range": {"start": term.start, "end": term.end},
            "url": self._hub.sign(f"/xorbs/{term.xorb}"),
            "url_range": {"start": starts[term.start], "end": starts[term.end] - 1},
        }

    def _assembled(self, file: File) -> Iterator[bytes]:
        for term in file.terms:
            starts = self._starts[term.xorb]
            with self.path(term.xorb).open("rb") as xorb:
                xorb.seek(starts[term.start])
                for start, end in itertools.pairwise(starts[term.start : term.end + 1]):
                    yield unpack(xorb.read(end - start))


@STORAGE("POST", "/v1/xorbs/default/{xorb}")
def post_xorb(hub: LocalHub, ask: Ask) -> Answer:
    """Take new chunks."""
    hub.xet.check(ask, "write")
    return as_json({"was_inserted": hub.xet.add_xorb(ask.names["xorb"], ask.body)})


@STORAGE("POST", "/v1/shards")
def post_shard(hub: LocalHub, ask: Ask) -> Answer:
    """Take the description of files."""
    hub.xet.check(ask, "write")
    hub.xet.add_shard(read_shard(ask.body))
    return as_json({"result": 1})


@STORAGE("GET", "/v1/chunks/{prefix}/{chunk}")
def get_chunk(hub: LocalHub, ask: Ask) -> Answer:
    """Say where a chunk already lies."""
    hub.xet.check(ask, "read")
    shard = hub.xet.known(ask.names["chunk"])
    if shard is None:
        raise Refusal(404, "Chunk not found")
    return Answer(200, shard, {"Content-Type": "application/octet-stream"})


@STORAGE("GET", "/v1/reconstructions/{file}")
def get_reconstruction(hub: LocalHub, ask: Ask) -> Answer:
    """Say which chunks make up a file, or a range of it."""
    hub.xet.check(ask, "read")
    file = hub.xet.files.get(ask.names["file"])
    if file is None:
        raise Refusal(404, "File not found")
    first, _, last = ask.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
    return as_json(hub.xet.reconstruction(file, int(first), int(last) if last else None))


@STORAGE("GET", "/xorbs/{xorb}")
def get_xorb(hub: LocalHub, ask: Ask) -> Answer:
    """Give chunks."""
    check_signature(hub, ask)
    return sliced(hub.xet.path(ask.names["xorb"]), ask, {})


@STORAGE("POST", "/v1/xorb-grants/default/{xorb}")
@STORAGE("POST", "/v2/shards")
@STORAGE("GET", "/v2/reconstructions/{file}")
def not_offered(hub: LocalHub, ask: Ask) -> Answer:  # noqa: ARG001 - all endpoints are called alike
    """Send clients back to the first version of the protocol, as they expect of an older storage."""
    raise Refusal(404, f"Not offered: {ask.path}")

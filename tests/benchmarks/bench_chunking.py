"""How much of a changed dataset is new to a store that keeps each chunk of 64 kB once, as the Hub's does.

    python tests/benchmarks/bench_chunking.py [PAINTINGS]

Chunks end where a rolling hash of the last 64 bytes has 16 zero bits (8 to 128 kB long), so equal runs
of bytes make equal chunks wherever they lie. Compared: Parquet pages that end by size, and pages
that end by content (pyarrow's ``use_content_defined_chunking``).
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from craqbench.codecs import encode_image
from craqbench.paintings import read_painting
from generators.framing import whole

SIZE = (598, 375)
PAINTINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "paintings"
GEAR = np.random.default_rng(0).integers(0, 2**64, 256, dtype=np.uint64)
LEAST, MOST = 1 << 13, 1 << 17


def chunks(data: bytes) -> dict[bytes, int]:
    """Return digest -> length of the chunks of some bytes."""
    hashes = GEAR[np.frombuffer(data, np.uint8)]
    for step in (1, 2, 4, 8, 16, 32):
        earlier = hashes[:-step] << np.uint64(step)
        hashes[step:] += earlier
    found, start = {}, 0
    for end in [*(np.flatnonzero(hashes >> np.uint64(48) == 0) + 1).tolist(), len(data)]:
        while end - start > MOST:
            found[hashlib.sha256(data[start : start + MOST]).digest()] = MOST
            start += MOST
        if end - start >= LEAST or end == len(data):
            found[hashlib.sha256(data[start:end]).digest()] = end - start
            start = end
    return found


def parquet(rows: list[tuple[bytes, bytes]], *, by_content: bool, group: int) -> bytes:
    """Write rows of two pictures."""
    out = io.BytesIO()
    schema = pa.schema([("image", pa.binary()), ("damaged", pa.binary())])
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(out, schema, use_content_defined_chunking=by_content, **options) as writer:
        for start in range(0, len(rows), group):
            columns = zip(*rows[start : start + group], strict=True)
            writer.write_batch(pa.record_batch([list(column) for column in columns], schema=schema))
    return out.getvalue()


def main() -> None:
    """Print the share of bytes that are new after two kinds of change."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PAINTINGS
    rows = [_row(path) for path in sorted(folder.glob("*.jpg"))[:80]]
    spare, rows = rows[:8], rows[8:]
    changes = {
        "a row more in front": [spare[0], *rows],
        "every ninth row another": [spare[i // 9] if i % 9 == 0 else row for i, row in enumerate(rows)],
    }
    for by_content in (False, True):
        for group in (8, 32):
            old = chunks(parquet(rows, by_content=by_content, group=group))
            for name, changed in changes.items():
                new = chunks(parquet(changed, by_content=by_content, group=group))
                share = sum(size for digest, size in new.items() if digest not in old) / sum(new.values())
                kind = "by content" if by_content else "by size"
                sys.stdout.write(f"pages {kind:10} groups of {group:2}, {name:24} {share:.1%} new\n")


def _row(path: Path) -> tuple[bytes, bytes]:
    painting = read_painting(path)
    image = whole((painting.shape[1], painting.shape[0]), SIZE, "crop").image(painting)
    return encode_image(image), encode_image(np.ascontiguousarray(image[::-1]))


if __name__ == "__main__":
    main()
